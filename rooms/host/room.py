"""A live room: one session's incarnation in memory, and the order of its turns.

In: items of the mailbox (`turn.py`), timers, what outside actors send. A turn handles up to 64 of
them in memory, one after the other (`session.py`); then its commit goes through the gate, and the
next turn may run meanwhile (`commits.py`). What it did happens, and is told, when the gate opens
(`opening.py`); nobody learns of it before.

Next inward: `rooms/host/session.py`, then `rooms/host/commits.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from rooms import tracing
from rooms.errors import CloseCode, Closing, StoreError, Unstorable
from rooms.host import door
from rooms.host.ask import Ask
from rooms.host.channels import Heard
from rooms.host.commits import MAX_EVENTS, Commits
from rooms.host.expiry import ttl_of
from rooms.host.idle import Idleness
from rooms.host.opening import Opening
from rooms.host.turn import (
    Answered,
    Denied,
    Enter,
    Leave,
    Responded,
    Turn,
)
from rooms.sync import messages
from rooms.tasks import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rooms.host.audience import Audience
    from rooms.host.channels import Channel
    from rooms.host.clock import Clock
    from rooms.host.commits import Claim, Flight
    from rooms.host.gate import Gate
    from rooms.host.hooks.session import HookSession
    from rooms.host.journal import Journal
    from rooms.host.listing import Listing
    from rooms.host.marks import Outcome
    from rooms.host.neighbours import Letter
    from rooms.host.session import Session
    from rooms.host.turn import Item
    from rooms.host.watched import Doing
    from rooms.link.protocol import Message
    from rooms.pace import Pace
    from rooms.store.port import Commit, SessionId
    from rooms.sync.backlog import Budget
    from rooms.sync.messages import Json
    from rooms.tally import HostTally
    from runtime import Effect

logger = logging.getLogger(__name__)

MAX_WORK: Final = 2.0
"""How long one turn may work before the loop has its turn (ms)."""
MAX_WAITING: Final = 1024
"""How many items may wait before events sent plainly are refused as `busy`."""
_TO_ASKS: Final = Answered | Denied | Responded


class Keeper(Protocol):
    """What a room needs of the host that keeps it."""

    @property
    def clock(self) -> Clock: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def tally(self) -> HostTally: ...
    @property
    def pace(self) -> Pace: ...
    @property
    def lanes(self) -> Iterator[int]: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def doing(self) -> Doing | None: ...

    def chance(self, size: int) -> bytes:
        """So many random bytes."""

    def stands(self) -> bool:
        """Whether this host may still answer for its rooms; False: this room was dropped."""

    def send(self, messages: Iterable[Message]) -> None:
        """Send link messages, by the host's channel numbers."""

    async def deliver(self, to: SessionId, letter: Letter) -> Outcome:
        """Take a letter to another session, wherever it lives, and bring its outcome.

        Raises Closing: it can't be, for now where `code.come_back` is true.
        """

    def idle(self, room: LiveRoom) -> None:
        """The room has nothing to do: let it sleep."""

    def dropped(self, room: LiveRoom, error: Exception) -> None:
        """The room is no more: what it did since its last written commit never happened."""


class LiveRoom:
    """One session, live. `begin` performs the effects it starts with.

    `begun`: restoring it has changed it, which is to be stored before anybody sees it. `listing`,
    of a kind that is listed, is what the list says of it.
    """

    def __init__(
        self,
        keeper: Keeper,
        claim: Claim,
        journal: Journal,
        session: Session,
        audience: Audience,
        *,
        begun: bool,
        listing: Listing | None,
    ) -> None:
        self.claim = claim
        self.session = session
        self.audience = audience
        self.closed = False
        self._keeper = keeper
        self._room = session.room
        self._volatile = self._room.volatile
        self._mailbox: deque[Item | Ask] = deque()
        self._account = keeper.pace.account()
        self._scheduled = False
        self._stalled = False
        self._begun = begun
        self._doing = keeper.doing
        self._commits = Commits(claim, journal, session, listing)
        self._opening = Opening(
            claim,
            session,
            audience,
            clock=keeper.clock,
            put=self.put,
            send=keeper.send,
            deliver=keeper.deliver,
        )
        self._alarm: tuple[int, asyncio.TimerHandle] | None = None
        self._idleness = Idleness(
            keeper.clock.elapsed, self._patience, self._awake, lambda: keeper.idle(self)
        )
        self._rested: asyncio.Future[None] | None = None

    async def start(self, hooks: HookSession) -> None:
        """Before all else, in a room without a machine. Raises Closing."""
        hooks.resume = self._schedule
        turn = Turn(self._keeper.clock.now())
        await hooks.start(turn)
        self._commits.pending.append(turn)

    def begin(self, effects: tuple[Effect, ...]) -> None:
        """Start what runs outside of turns."""
        if self._begun:
            turn = Turn(self._keeper.clock.now())
            self.session.begun(effects, turn)
            self._commits.pending.append(turn)
        else:
            self._opening.begin(effects)
        if self._commits.pending:
            self._proceed()
        if self.session.outbox.changed():
            self._schedule()
        else:
            self._opening.owes()
        self._set_alarm()
        self._idleness.watch()

    # ------------------------------------------------------------------ in

    def put(self, item: Item | Ask) -> None:
        """Something for the next turn. Numbered events are always taken: their bound is the
        router's, which stops reading the socket.
        """
        if self.closed or self._rested is not None:
            return
        if self._volatile and type(item) is Heard and item.message["type"] in self._volatile:
            self._cast(item.channel, item.message)
            return
        if len(self._mailbox) >= MAX_WAITING and type(item) is Heard and _plain(item):
            busy = messages.error("busy", "too much is waiting in this room; send it again later")
            self.audience.tell(item.channel, busy)
            return
        self._mailbox.append(item)
        self._schedule()

    def gone(self, channel: Channel) -> None:
        """A connection is no more: nothing is sent to it, and its seat hears of it."""
        self.audience.leave(channel)
        self.put(Leave(channel))

    def share(self, channel: Channel) -> None:
        """A connection's presence data is new: told at once, stored never."""
        self._idleness.touch()
        self.audience.share(channel)

    def _cast(self, channel: Channel, event: dict[str, Json]) -> None:
        """A volatile event: judged by what is durable, told at once, stored never."""
        self._idleness.touch()
        if channel.viewer is None:
            return
        root, validate = self._opening.shown.root, self.session.validate
        refused = door.judge_volatile(self._room, channel.viewer, event, root, validate)
        if refused is None:
            self.audience.cast(channel, event)
        else:
            error = messages.error(refused.code or "", refused.reason or "")
            self.audience.tell(channel, error)

    # ------------------------------------------------------------------ a turn

    def _schedule(self) -> None:
        if not self._scheduled and not self.closed:
            self._scheduled = True
            self._keeper.pace.soon(self.claim.id, self._account, self._turn)

    def _turn(self) -> None:
        """One turn: due timers and seats, then the mailbox, within bounds; then its commit."""
        self._scheduled = False
        if self.closed or not self._keeper.stands():
            return
        clock = self._keeper.clock
        turn = self._commits.next_turn(clock.now())
        if turn is None or (self._commits.waits and self._doing and self._doing.careful):
            self._stalled = True  # until the gate opens
            return
        begun, session, mailbox = clock.elapsed(), self.session, self._mailbox
        try:
            entering = bool(mailbox) and type(mailbox[0]) is Enter
            session.expire(turn, entering=entering)
            entered = False
            for _ in range(MAX_EVENTS if self._doing is None else self._doing.most):
                if not mailbox or session.busy:
                    break
                enters = type(mailbox[0]) is Enter
                if entered and not enters:
                    break  # who was let in sees the room as it is, and then what happens
                entered = entered or enters
                item = mailbox.popleft()
                if tracing.tracer is None or type(item) is not Heard or item.trace is None:
                    session.handle(item, turn)
                else:
                    with tracing.turn(session, item.message["type"], item.trace) as traced:
                        session.handle(item, turn)
                    turn.traced = [*(turn.traced or ()), traced]
                if clock.elapsed() - begun > MAX_WORK:
                    break
            self._idleness.touch()
            self._commits.handled(turn)
            self._proceed()
        except Exception as error:
            logger.exception("%s: a turn failed", self.session)
            self.drop(error)
            return
        self._keeper.pace.worked(self._account, begun)
        if mailbox and not session.busy:
            self._schedule()
        self._set_alarm()
        self._idleness.watch()

    def _set_alarm(self) -> None:
        """One timer of the loop for whatever is due first."""
        session = self.session
        next_due = None if session.busy else session.next_due()  # its end comes as a turn
        due = _earliest(next_due, session.seats.next_due)
        if self._alarm is not None:
            if self._alarm[0] == due:
                return
            self._alarm[1].cancel()
        self._alarm = None
        if due is not None and not self.closed:
            self._alarm = (due, self._keeper.clock.call_at(due, self._ring))

    def _ring(self) -> None:
        self._alarm = None
        self._schedule()

    @property
    def ttl(self) -> int | None:
        """How long it may lie asleep (ms), as it is now; None: for ever."""
        return ttl_of(self._room, self.session.snapshot.root.status)

    def due(self) -> int | None:
        """When this session has to be awake: for its timers, its durable effects, its seats."""
        session, stands = self.session, self._room.restore_timers == "remaining"
        timers = None if stands else session.next_due()
        owed = session.outbox.next_due() if session.revision else None  # begins with the session
        return _earliest(timers, _earliest(owed, session.seats.wakes_at))

    # ------------------------------------------------------------------ commit

    def _proceed(self) -> None:
        """Ask for a commit, or open at once what depends on none."""
        if self._commits.unstored():
            self._keeper.gate.wait(self)
        elif (flight := self._commits.free()) is not None:
            self._open(flight)

    def take(self) -> Commit | None:
        """The commit of everything since the last one, for the gate."""
        if self.closed:
            return None
        clock = self._keeper.clock
        begun = clock.elapsed()
        try:
            commit = self._commits.make(clock.now(), self.due())
        except Unstorable as error:
            self.drop(error)
            return None
        if tracing.tracer is not None:
            tracing.enter(self._commits.flights[-1].turns, "rooms.commit")
        self._keeper.pace.worked(self._account, begun)
        return commit

    def written(self, error: StoreError | None) -> None:
        """The gate's answer to the oldest commit: open, or drop the room."""
        if self.closed:
            return
        flight = self._commits.flights.popleft()
        if tracing.tracer is not None:
            tracing.leave(flight.turns, error)
        if error is not None:
            self.drop(error)
            return
        begun = self._keeper.clock.elapsed()
        try:
            self._open(flight)
            if not self._commits.flights:
                self._proceed()
        except Exception as bug:
            logger.exception("%s: opening failed", self.session)
            self.drop(bug)
            return
        self._keeper.pace.worked(self._account, begun)
        if self._mailbox or self._stalled:
            self._stalled = False
            self._schedule()

    def _open(self, flight: Flight) -> None:
        """What these turns did is durable."""
        if tracing.tracer is not None:
            tracing.enter(flight.turns, "rooms.fan_out")
        self._opening.open(flight, resting=self._rested is not None)
        if tracing.tracer is not None:
            tracing.leave(flight.turns)
        if self._doing is not None and self._at_rest():
            self._doing.over()
        if self._rested is not None and self._at_rest():
            resolve(self._rested, None)

    # ------------------------------------------------------------------ the end

    def _patience(self) -> int:
        """How long nothing has to happen (ms): at once where nobody is and nothing was stored."""
        return self._room.sleep_after if self.session.revision or len(self.audience) else 0

    def _awake(self, patience: int) -> bool:
        """Whether something goes on here that isn't stored, or is about to happen."""
        session, due = self.session, self.due()
        return (
            not self._at_rest()
            or self._rested is not None
            or self._opening.busy
            or not session.seats.settled
            or (due is not None and due - self._keeper.clock.now() <= patience)
            or (  # who watches a clock that would stand still
                self._room.restore_timers == "remaining"
                and len(self.audience) > 0
                and session.next_due() is not None
            )
        )

    def _at_rest(self) -> bool:
        commits = self._commits
        return not (self._mailbox or commits.waits or self.session.busy or commits.unstored())

    async def rest(self) -> None:
        """Take nothing in any more, finish what is there, and store all of it.

        Raises:
            StoreError: it couldn't be stored; the room was dropped.
        """
        if self.closed:
            raise StoreError("the room was dropped before it could rest")
        session = self.session
        if not session.revision and len(self.audience) and session.next_due() is not None:
            session.exist(self._keeper.clock.now())  # somebody waits for this timer
        session.forget(self._keeper.clock.now())
        self._rested = asyncio.get_running_loop().create_future()
        self._commits.resting = True
        self._schedule()
        if not self._at_rest():
            await self._rested
        self._end()

    def drop(self, error: Exception) -> None:
        """Forget all that isn't written, stop all that was started, and say so."""
        if self.closed:
            return
        if self._rested is not None:
            told = error if isinstance(error, StoreError) else StoreError(repr(error))
            resolve(self._rested, told)
        self.stop(Closing(CloseCode.OVERLOADED, "this room is starting again"))
        self._keeper.dropped(self, error)

    def stop(self, refused: Closing) -> None:
        """Forget all that isn't written, stop all that was started, tell nobody but who waits for
        an answer.
        """
        self._end()
        for ask in self._asks():
            ask.refuse(refused)

    def state(self) -> bytes:
        """What is shown of the room, as it is stored: no more than is durable.

        Raises Unstorable.
        """
        return self.session.dump(self._opening.shown)

    def _asks(self) -> Iterable[Ask]:
        """The requests that wait for an answer."""
        yield from [item for item in self._mailbox if isinstance(item, Ask)]
        for turn in self._commits.turns():
            yield from [told.ask for told in turn.told if isinstance(told, _TO_ASKS)]
        yield from self.session.asks()

    def _end(self) -> None:
        self.closed = True
        self.session.stop()
        self.audience.close()
        self._opening.stop()
        if self._alarm is not None:
            self._alarm[1].cancel()
        self._idleness.stop()
        del self._opening  # with what refers to it: a room is gone when nobody uses it any more


def _plain(item: Heard) -> bool:
    return not item.message["type"].startswith("room.")


def _earliest(one: int | None, other: int | None) -> int | None:
    if one is None or (other is not None and other < one):
        return other
    return one
