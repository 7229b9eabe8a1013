"""A live room: one session's incarnation in memory, and the order of its turns.

In: items of the mailbox (`turn.py`), timers, what outside actors send. A turn handles up to 64 of
them in memory, one after the other (`session.py`); then its commit goes through the gate, and the
next turn may run meanwhile. When the gate opens: effects, each with the snapshot of its place; the
newest view; emitted events; outcomes and answers. Nobody is told anything before.

Next inward: `rooms/host/session.py`; next outward: `rooms/host/gate.py`, `rooms/host/teller.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from rooms.definition import replicas_of
from rooms.errors import CloseCode, Closing, StoreError, Unstorable
from rooms.host import door
from rooms.host.ask import Ask
from rooms.host.courier import Courier
from rooms.host.expiry import ttl_of
from rooms.host.idle import Idleness
from rooms.host.journal import UNCHANGED
from rooms.host.teller import Teller
from rooms.host.turn import (
    Answered,
    Delivered,
    Denied,
    Enter,
    Heard,
    Leave,
    Responded,
    Turn,
)
from rooms.store.port import Commit
from rooms.sync import messages
from runtime import Performer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rooms.host.audience import Audience
    from rooms.host.clock import Clock
    from rooms.host.gate import Gate
    from rooms.host.hooks import HookSession
    from rooms.host.journal import Journal
    from rooms.host.links import Channel
    from rooms.host.listing import Listing
    from rooms.host.marks import Outcome
    from rooms.host.neighbours import Letter
    from rooms.host.outbox import Entry
    from rooms.host.session import Session
    from rooms.host.turn import Item
    from rooms.link.protocol import Message
    from rooms.store.port import SessionId
    from rooms.sync.messages import Json
    from runtime import Declared, Effect, Event, SystemSnapshot

logger = logging.getLogger(__name__)

MAX_EVENTS: Final = 64
"""How many items one turn handles."""
MAX_WORK: Final = 2.0
"""How long one turn may work before the loop has its turn (ms)."""
MAX_AHEAD: Final = 4
"""How many turns may wait for the gate."""
MAX_WAITING: Final = 1024
"""How many items may wait before events sent plainly are refused as `busy`."""
_TO_ASKS: Final = Answered | Denied | Responded
MAX_PAST: Final = 256
"""So many revisions of a history wait in memory at most, also where durability is `memory`."""


class Keeper(Protocol):
    """What a room needs of the host that keeps it."""

    @property
    def incarnation(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def gate(self) -> Gate: ...

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


class Claim(NamedTuple):
    """The right to write a session, as the store gave it to an incarnation of this host."""

    id: SessionId
    incarnation: str
    epoch: int
    generation: str


class _Flight(NamedTuple):
    """A commit that isn't answered yet, and what may be seen once it is written."""

    turns: list[Turn]
    snapshot: SystemSnapshot
    owed: Mapping[int, Entry] | None = None  # the outbox, where it may have changed


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
        self._journal = journal
        self._room = session.room
        self._replicas = replicas_of(session.room)
        self._keeps_seats = bool(session.seats.heard) or self._room.max_viewers is not None
        self._volatile = self._room.volatile
        self._mailbox: deque[Item | Ask] = deque()
        self._scheduled = False
        self._stalled = False
        self._pending: list[Turn] = []
        self._flights: deque[_Flight] = deque()
        self._handed = session.revision
        self._begun = begun
        self._listing = listing
        self._expires = self._room.ttl is not None or self._room.ttl_done is not None
        self._shown = session.snapshot
        self._emitted: list[Event] = []
        self._alarm: tuple[int, asyncio.TimerHandle] | None = None
        self._idleness = Idleness(
            keeper.clock.elapsed, self._patience, self._awake, lambda: keeper.idle(self)
        )
        self._rested: asyncio.Future[None] | None = None
        self._teller = Teller(session, audience, keeper.send)
        self._performer = Performer(
            self._delivered,
            report=self._report,
            logger=self._log,
            emit=self._emit,
            declared=self._declared,
            keys=f"{claim.generation}.start.",
        )
        self._courier = Courier(
            self._room,
            session.outbox,
            claim.id,
            claim.epoch,
            clock=keeper.clock,
            deliver=keeper.deliver,
            report=self.put,
        )

    async def start(self, hooks: HookSession) -> None:
        """Before all else, in a room without a machine. Raises Closing."""
        hooks.resume = self._schedule
        turn = Turn()
        await hooks.start(turn, self._keeper.clock.now())
        self._pending.append(turn)

    def begin(self, effects: tuple[Effect, ...]) -> None:
        """Start what runs outside of turns. What is emitted meanwhile is heard by nobody."""
        outbox = self.session.outbox
        if self._begun:
            turn = Turn()
            self.session.begun(effects, turn, self._keeper.clock.now())
            self._pending.append(turn)
        else:
            for effect in effects:
                self._performer.perform(effect, self.session.snapshot)
            self._emitted.clear()
        if self._pending:
            self._proceed()
        if outbox.changed():
            self._schedule()
        else:
            self._courier.see(outbox.entries)
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
        root, validate = self._shown.root, self.session.validate
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
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """One turn: due timers and seats, then the mailbox, within bounds; then its commit."""
        self._scheduled = False
        if self.closed or not self._keeper.stands():
            return
        turn = self._next_turn()
        if turn is None:
            self._stalled = True  # until the gate opens
            return
        clock = self._keeper.clock
        now, begun = clock.now(), clock.elapsed()
        session, mailbox, pending = self.session, self._mailbox, self._pending
        try:
            session.expire(turn, now)
            entered = False
            for _ in range(MAX_EVENTS):
                if not mailbox or session.busy:
                    break
                enters = type(mailbox[0]) is Enter
                if entered and not enters:
                    break  # who was let in sees the room as it is, and then what happens
                entered = entered or enters
                session.handle(mailbox.popleft(), turn, now)
                if clock.elapsed() - begun > MAX_WORK:
                    break
            self._idleness.touch()
            more = not pending or turn is not pending[-1]
            if more and (turn.told or turn.deeds or self._unstored()):
                pending.append(turn)
            self._proceed()
        except Exception as error:
            logger.exception("%s: a turn failed", self.claim.id)
            self.drop(error)
            return
        if mailbox and not session.busy:
            self._schedule()
        self._set_alarm()
        self._idleness.watch()

    def _next_turn(self) -> Turn | None:
        """The turn that what comes now belongs to; None: too many wait for the gate."""
        pending = self._pending
        if pending and self.session.piecemeal and len(pending[-1].told) < MAX_EVENTS:
            return pending[-1]  # else there would be a commit for every few hooks
        ahead = len(pending) + sum(len(flight.turns) for flight in self._flights)
        return Turn() if ahead < MAX_AHEAD else None

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
        return _earliest(timers, _earliest(session.outbox.next_due(), session.seats.wakes_at))

    # ------------------------------------------------------------------ commit

    def _unstored(self) -> bool:
        """Whether something must be written before what follows from it may be seen."""
        session = self.session
        if (session.revision and session.outbox.changed()) or self._folds():
            return True
        if self._room.durability == "memory" and self._rested is None:
            return session.past is not None and len(session.past) >= MAX_PAST
        return session.revision > self._handed or (
            session.revision > 0
            and (
                session.marks.changed()
                or (self._keeps_seats and session.seats.changed)
                or (self._expires and self._rested is not None)  # its time begins now
            )
        )

    def _folds(self) -> bool:
        """Whether a room that falls asleep has patches to make one snapshot of."""
        return self._rested is not None and self._journal.patched

    def _proceed(self) -> None:
        """Ask for a commit, or open at once what depends on none."""
        if self._unstored():
            self._keeper.gate.wait(self)
        elif not self._flights:
            turns, self._pending = self._pending, []
            self._open(_Flight(turns, self.session.snapshot))

    def take(self) -> Commit | None:
        """The commit of everything since the last one, for the gate."""
        if self.closed:
            return None
        session, journal = self.session, self._journal
        past, written = session.past or (), UNCHANGED
        try:
            if session.revision > self._handed or journal.rewrite or self._folds():
                written = journal.write(
                    session.snapshot,
                    session.revision,
                    past,
                    self._keeper.clock.now(),
                    whole=self._rested is not None,
                )
                session.scale.committed(session.snapshot, journal.size)
        except Unstorable as error:
            self.drop(error)
            return None
        if past:
            session.past = []
        id, incarnation, epoch, generation = self.claim
        seats, outbox = session.seats, session.outbox
        owed = outbox.entries if outbox.changed() else None
        now, due, root = self._keeper.clock.now(), self.due(), session.snapshot.root
        expires = listed = None
        if self._expires:
            ttl, self._expires = self.ttl, self._rested is None
            expires = (
                None if ttl is None else max(now, due or 0) + ttl
            )  # a timer keeps it till then
        if self._listing is not None:
            seated = len(seats) if self._keeps_seats else None
            listed = self._listing.change(root, seated, now)
        commit = Commit(
            id=id,
            incarnation=incarnation,
            epoch=epoch,
            generation=generation,
            prev=self._handed,
            new=session.revision,
            version=self._room.version(),
            due=due,
            expires=expires,
            listing=listed,
            snapshot=written.snapshot,
            seats=seats.dump() if self._keeps_seats and seats.changed else None,
            marks=session.marks.changes(),
            outbox=outbox.changes(),
            patches=written.patches,
            log=written.log,
            trim=written.trim,
            storage=session.storage(),
            durable=self._room.durability == "fsync",
            replicas=self._replicas,
        )
        self._handed = session.revision
        self._flights.append(_Flight(self._pending, session.snapshot, owed))
        self._pending = []
        return commit

    def written(self, error: StoreError | None) -> None:
        """The gate's answer to the oldest commit: open, or drop the room."""
        if self.closed:
            return
        flight = self._flights.popleft()
        if error is not None:
            self.drop(error)
            return
        try:
            self._open(flight)
            if not self._flights:
                self._proceed()
        except Exception as bug:
            logger.exception("%s: opening failed", self.claim.id)
            self.drop(bug)
            return
        if self._mailbox or self._stalled:
            self._stalled = False
            self._schedule()

    # ------------------------------------------------------------------ the gate is open

    def _open(self, flight: _Flight) -> None:
        """What these turns did is durable: do it, show it, tell it."""
        now = self._keeper.clock.now()
        perform = self._performer.perform
        for turn in flight.turns:
            for effects, place in turn.deeds:
                for effect in effects:
                    perform(effect, place)
        if flight.snapshot is not self._shown:
            self._shown = flight.snapshot
            self.audience.show(flight.snapshot, now)
        if self._emitted:
            emitted, self._emitted = self._emitted, []
            for event in emitted:
                self.audience.emit(event)
        for turn in flight.turns:
            for told in turn.told:
                self._teller.tell(told, now)
        if flight.owed is not None and self._rested is None:
            self._courier.see(flight.owed)
        if self._rested is not None and self._at_rest() and not self._rested.done():
            self._rested.set_result(None)

    # ------------------------------------------------------------------ outside actors

    def _delivered(self, address: str, event: Event) -> None:
        self.put(Delivered(address, event))

    def _emit(self, address: str, event: Event) -> None:
        if not address:  # what a child emits is for who listens to the child
            self._emitted.append(event)

    def _report(self, address: str, error: BaseException) -> None:
        logger.error("%s: actor %r: an action failed: %r", self.claim.id, address, error)

    def _declared(self, effect: Declared) -> None:
        if not effect.name.startswith("rooms."):  # those are the session's: replies, the outbox
            logger.warning("%s: nobody performs %r; see rooms.effect", self.claim.id, effect.name)

    def _log(self, *what: object) -> None:
        logger.info("%s: %s", self.claim.id, " ".join(map(str, what)))

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
            or len(self._performer) > 0  # coroutines
            or self._courier.busy
            or not session.seats.settled
            or (due is not None and due - self._keeper.clock.now() <= patience)
            or (  # who watches a clock that would stand still
                self._room.restore_timers == "remaining"
                and len(self.audience) > 0
                and session.next_due() is not None
            )
        )

    def _at_rest(self) -> bool:
        waits = self._mailbox or self._pending or self._flights or self.session.busy
        return not (waits or self._unstored())

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
        self._schedule()
        if not self._at_rest():
            await self._rested
        self._end()

    def drop(self, error: Exception) -> None:
        """Forget all that isn't written, stop all that was started, and say so."""
        if self.closed:
            return
        if self._rested is not None and not self._rested.done():
            self._rested.set_exception(
                error if isinstance(error, StoreError) else StoreError(repr(error))
            )
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
        return self.session.dump(self._shown)

    def _asks(self) -> Iterable[Ask]:
        """The requests that wait for an answer."""
        yield from [item for item in self._mailbox if isinstance(item, Ask)]
        for turns in (*(flight.turns for flight in self._flights), self._pending):
            for turn in turns:
                yield from [told.ask for told in turn.told if isinstance(told, _TO_ASKS)]
        yield from self.session.asks()

    def _end(self) -> None:
        self.closed = True
        self.session.stop()
        self.audience.close()
        self._performer.stop_all()
        self._courier.stop()
        if self._alarm is not None:
            self._alarm[1].cancel()
        self._idleness.stop()


def _plain(item: Heard) -> bool:
    return not item.message["type"].startswith("room.")


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((due for due in (one, other) if due is not None), default=None)
