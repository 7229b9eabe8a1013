"""A session while it is live: its machine, seats and marks, and what each item of a turn does.

In: items of the mailbox and the time. Out: the next state in memory, and in the turn what is to be
done and told once that is durable. No input or output, no clock: `rooms/host/room.py` calls it, and
decides when. Next inward: `runtime/system.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rooms.errors import CloseCode, Closing, TooBig
from rooms.host import attendance, door, record, settling
from rooms.host.ask import Ask, Retry
from rooms.host.channels import Heard, Wanted
from rooms.host.clients import Clients, client_key
from rooms.host.journal import Revision
from rooms.host.marks import ACCEPTED, IGNORED, Outcome
from rooms.host.neighbours import Neighbour
from rooms.host.scale import REPLY
from rooms.host.turn import (
    Again,
    Answered,
    Begin,
    Delivered,
    Denied,
    Enter,
    Leave,
    Newest,
    Performed,
    Renewed,
    Say,
    Settled,
    Shut,
)
from rooms.logs import where
from rooms.sync import conversation as talk
from rooms.sync import messages
from runtime import Declared
from runtime.system import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rooms.definition import Room
    from rooms.host.channels import Channel, Client
    from rooms.host.marks import Marks
    from rooms.host.outbox import Outbox
    from rooms.host.scale import Scale
    from rooms.host.seats import Seats
    from rooms.host.turn import Item, Turn
    from rooms.sync.messages import Json
    from rooms.sync.views import Viewer
    from rooms.tally import HostTally
    from runtime import Effect, Event, Step, System, SystemSnapshot, Timer

logger = logging.getLogger(__name__)

MAX_TIMERS: Final = 64
"""How many due timers one turn fires."""
FORGET_EVERY: Final = 3_600_000
"""How often a room that stays awake looks for clients to forget (ms)."""
TOO_OLD: Final = "what you sent is too old to be safe: it may have been handled before"
_ANOTHER_EVENT: Final = Outcome(
    "rejected", "key", "this Idempotency-Key came with another event before: take a new one"
)
_NOTHING: Final[dict[str, bytes | None]] = {}


class Belongings(NamedTuple):
    """What a session wakes with beside its state, with a machine or without. `revision` is 0 while
    nothing was ever accepted.
    """

    revision: int
    seats: Seats
    marks: Marks
    outbox: Outbox
    epoch: int
    tally: HostTally
    now: int


class Session:
    """One session's newest state, durable or not.

    `validate` gives what is wrong with an event's shape; `scale` weighs what its steps lead to.
    `past` are the revisions since the last commit, None unless `keeps_past`.
    """

    piecemeal = False
    """Whether its turns are as short as one async hook, and several go into one commit."""
    busy = False
    """Whether the mailbox has to wait: a hook of a room without a machine hasn't ended."""

    def __init__(
        self,
        room: Room,
        system: System,
        snapshot: SystemSnapshot,
        own: Belongings,
        *,
        validate: Callable[[Mapping[str, Json]], str | None],
        scale: Scale,
        keeps_past: bool,
    ) -> None:
        self.room = room
        self.name = f"{room.kind}/{room.id}"
        self.snapshot = snapshot
        self.revision = own.revision
        self._epoch = own.epoch
        self.seats = own.seats
        self.marks = own.marks
        self.outbox = own.outbox
        self.clients = Clients(own.marks)
        self.past: list[Revision] | None = [] if keeps_past else None
        self._system = system
        self.validate = validate
        self.scale = scale
        self._tally = own.tally
        self._forgot = own.now

    def __str__(self) -> str:
        return self.name

    def log_fields(self) -> dict[str, Any]:
        """What a line of the log about it has for programs."""
        return {"session": self.name, "epoch": self._epoch, "revision": self.revision}

    def handle(self, item: Item | Ask, turn: Turn) -> None:
        """What one item does."""
        match item:
            case Heard(channel, message):
                self._hear(channel, message, turn)
            case Wanted(channel, cursor, settled, present):
                turn.told.append(Newest(channel, cursor, settled, present))
            case Renewed(channel, viewer):
                attendance.renew(self, channel, viewer, turn)
            case Delivered(address, event):
                self.step(event, turn, target=address)
            case Enter(channel):
                self._enter(channel, turn)
            case Leave(channel):
                self._leave(channel, turn)
            case Begin() | Performed():
                settling.handle(self, item, turn)
            case Retry():
                item.count = self.outbox.retry(item.name, turn.now)
                turn.told.append(Answered(item, None))
            case Ask(viewer=Neighbour()):
                self._once(item, turn)
            case Ask():
                self._ask(item, turn)

    def _hear(self, channel: Channel, message: dict[str, Json], turn: Turn) -> None:
        client, viewer = channel.client, channel.viewer
        if client is None or viewer is None:
            return  # taken over by a newer connection
        acked = message.get("acked", 0) if message["type"].startswith("room.send") else 0
        if acked and (mark := self.marks.get(client.key)) is not None:
            mark.ack(acked)
        match client.conversation.receive(message):
            case talk.Accept() as accepted:
                self._accept(channel, client, viewer, accepted, turn)
            case talk.Refuse(seq, code, reason):
                self._settle(client, seq, Outcome("rejected", code, reason), turn)
            case talk.Repeat(seq):
                turn.told.append(Again(client, seq))
            case talk.Resend(first):
                turn.told.append(Say(channel, messages.resend(first)))
            case talk.Get():
                turn.told.append(Newest(channel, None, None))
            case talk.TooOld():
                turn.told.append(too_old(channel))
            case talk.Pending():
                pass

    def _accept(
        self, channel: Channel, client: Client, viewer: Viewer, accepted: talk.Accept, turn: Turn
    ) -> None:
        """An event of a connection, in its order."""
        seq, event, child = accepted
        self._judged(channel, client, seq, self._event(viewer, event, child, turn), turn)

    def _judged(
        self, channel: Channel, client: Client, seq: int | None, outcome: Outcome, turn: Turn
    ) -> None:
        """What became of a connection's event: a numbered one has an outcome."""
        self._tally.events[outcome.word] += 1
        if seq is not None:
            self._settle(client, seq, outcome, turn)
        if outcome.word == "rejected" and (seq is None or outcome.code == door.SCHEMA):
            error = messages.error(outcome.code or "", outcome.reason or "", seq)
            turn.told.insert(len(turn.told) - (seq is not None), Say(channel, error))

    def _event(self, viewer: Viewer, event: Event, child: str | None, turn: Turn) -> Outcome:
        """One event of a viewer: judge it, stamp it, run it to the end."""
        before = self.snapshot
        refused = door.judge(self.room, viewer, event, child, before.root, self.validate)
        if refused is not None:
            return refused
        stamped = {**event, "sender": viewer.id}
        step = self._checked(self._system.step(before, stamped, now=turn.now, target=child))
        if step.error is not None:
            self._say_failed(event, step.error)
            if isinstance(step.error, TooBig):
                return Outcome("rejected", door.TOO_BIG, step.error.reason)
            return Outcome("rejected", door.FAILED, f"{event['type']!r} failed in this room")
        if not step.taken:
            return IGNORED
        result = self._advance(step, stamped, turn)
        return ACCEPTED if result is None else Outcome("accepted", result=result)

    def _settle(
        self, client: Client, seq: int, outcome: Outcome, turn: Turn, digest: bytes | None = None
    ) -> None:
        self.marks.settle(client.key, seq, outcome, turn.now, digest)
        if self.marks.many or turn.now > self._forgot + FORGET_EVERY:
            self.forget(turn.now)
        turn.told.append(Settled(client, seq, outcome))

    def step(self, event: Event, turn: Turn, target: str | None = None) -> Exception | None:
        """One event of the room's own: of a seat, an outside actor, an effect."""
        before = self.snapshot
        step = self._checked(self._system.step(before, event, now=turn.now, target=target))
        if step.error is not None:
            self._say_failed(event, step.error)
        elif step.taken or step.effects or step.snapshot is not before:
            self._advance(step, event, turn)
        return step.error

    def _say_failed(self, event: Event, error: Exception) -> None:
        logger.warning("%s: %r failed: %r%s", self, event["type"], error, where(error))
        logger.debug("%s: where it failed", self, exc_info=error)

    def _checked(self, step: Step) -> Step:
        """A step that declares an effect that can't be, or leads to what is too big or can't be
        stored, is an error.
        """
        if step.effects and (refused := self.outbox.refuse(step.effects)) is not None:
            return step._replace(error=refused)
        return self.scale.check(step)

    def _advance(self, step: Step, event: Event, turn: Turn) -> Json:
        """Something changed: that is a revision. The answer is what the machine replied."""
        self.snapshot = step.snapshot
        self._count(event, turn.now)
        if len(self.outbox.timers):
            self.outbox.timers.keep(step.snapshot.timers)
        effects, result = step.effects, None
        if effects:
            for effect in effects:
                if type(effect) is Declared and effect.name == REPLY:
                    result = effect.params
            turn.deeds.append((effects, step.snapshot))
            self.outbox.add(effects, turn.now)
        return result

    def dump(self, snapshot: SystemSnapshot) -> bytes:
        """A snapshot of this session as stored. Raises Unstorable."""
        return record.dump(self._system, snapshot)

    def exist(self, now: int) -> None:
        """Become a session that is stored, though nothing was accepted yet."""
        self._count(None, now)

    def _count(self, event: Event | None, now: int) -> None:
        """The snapshot is a new revision; `event` made it, where it was one."""
        self.revision += 1
        if self.past is not None:
            if event is not None and event["type"] == OUTSIDE:
                event = event["event"]
            kind = None if event is None else event["type"]
            self.past.append(Revision(self.revision, now, kind, self.snapshot))

    def begun(self, effects: tuple[Effect, ...], turn: Turn) -> None:
        """Restoring the session has changed it: what was interrupted has failed."""
        self._count(None, turn.now)
        self.outbox.add(effects, turn.now)
        turn.deeds.append((effects, self.snapshot))

    def forget(self, now: int) -> None:
        """Forget clients that weren't seen for long, except those that are here."""
        self._forgot = now
        self.marks.forget(now, self.clients)

    # ------------------------------------------------------------------ who comes and goes

    def _enter(self, channel: Channel, turn: Turn) -> None:
        attendance.enter(self, channel, turn)

    def _leave(self, channel: Channel, turn: Turn) -> None:
        attendance.leave(self, channel, turn)

    def _ask(self, ask: Ask, turn: Turn) -> None:
        """A plain request: a look, or one event."""
        try:
            attendance.admit(self, ask.viewer, create=ask.create)
            ask.check(self.room, self.snapshot.root)
        except Closing as refused:
            turn.told.append(Denied(ask, refused))
            return
        if ask.event is None:
            turn.told.append(Answered(ask, None))
        elif ask.key is None:
            self._post(ask, None, ask.event, turn)
        else:
            self._once(ask, turn)

    def _once(self, ask: Ask, turn: Turn) -> None:
        """A numbered event that came without a connection: by plain HTTP, or from another room."""
        assert ask.key is not None
        key, acked = client_key(ask.viewer, ask.key), ask.seq - 1
        mark = self.marks.get(key)
        if mark is not None and mark.digest != ask.digest and mark.digest is not None:
            turn.told.append(Answered(ask, _ANOTHER_EVENT))
            return
        client = self.clients.get(key, ask.since)
        if acked and mark is not None:
            mark.ack(acked)
        client.asks.append(ask)
        numbered = {"type": "room.send", "seq": ask.seq, "acked": acked, "event": ask.event}
        match client.conversation.receive(numbered):
            case talk.Accept(_, event, _):
                self._post(ask, client, event, turn)
            case talk.Repeat():
                turn.told.append(Again(client, ask.seq))
            case talk.TooOld():
                client.asks.remove(ask)
                self.clients.forget(client)
                turn.told.append(Denied(ask, Closing(CloseCode.UNRESTORABLE, TOO_OLD)))
            case _:
                pass  # it is being handled: one answer for both

    def _post(self, ask: Ask, client: Client | None, event: Event, turn: Turn) -> None:
        """A plain request's event; with a key it is a client's, and settled once."""
        self._posted(ask, client, self._event(ask.viewer, event, None, turn), turn)

    def _posted(self, ask: Ask, client: Client | None, outcome: Outcome, turn: Turn) -> None:
        self._tally.events[outcome.word] += 1
        if client is None:
            turn.told.append(Answered(ask, outcome))
        else:
            self._settle(client, ask.seq, outcome, turn, ask.digest)

    # ------------------------------------------------------------------ its end

    def storage(self) -> Mapping[str, bytes | None]:
        """What changed of the storage since the last call, as a commit takes it."""
        return _NOTHING

    def asks(self) -> Iterable[Ask]:
        """The requests that wait for an answer."""
        for client in self.clients.all():
            yield from client.asks

    def stop(self) -> None:
        """The incarnation is over."""
        self._system.forget()

    # ------------------------------------------------------------------ time

    def expire(self, turn: Turn, *, entering: bool) -> None:
        """Timers that are due, the earliest first; then seats. `entering`: connections are about to
        be let in."""
        for _ in range(MAX_TIMERS):
            timer = self._due_timer(turn.now)
            if timer is None:
                break
            self._tally.lateness.add(turn.now - timer.due)
            step = self._checked(self._system.fire(self.snapshot, timer, now=turn.now))
            if step.error is None:
                self._advance(step, timer.event, turn)
                continue
            self._retry(timer, step.error, turn.now)
        for event in self.seats.expire(turn.now):
            self.step(event, turn)

    def _retry(self, timer: Timer, error: Exception, now: int) -> None:
        """A timer whose event failed comes again, or is given up."""
        retry = self.outbox.timers.fail(timer, repr(error), now)
        log = logger.warning if retry.dead is None else logger.error
        what = (self, timer.id, retry.attempts, error, where(error))
        log("%s: timer %r failed, attempt %d: %r%s", *what)

    def _due_timer(self, now: int) -> Timer | None:
        due = self.snapshot.next_due
        if due is None or due > now:
            return None
        when = self.outbox.timers.when
        ready = [
            timer
            for timer in self.snapshot.timers
            if (due := when(timer)) is not None and due <= now
        ]
        return min(ready, key=lambda timer: timer.due, default=None)

    def next_due(self) -> int | None:
        """The earliest timer of the machine (ms)."""
        if not len(self.outbox.timers):
            return self.snapshot.next_due
        dues = map(self.outbox.timers.when, self.snapshot.timers)
        return min((due for due in dues if due is not None), default=None)


def too_old(channel: Channel) -> Shut:
    """A client whose numbers may have been settled and forgotten can't go on."""
    return Shut(channel, Closing(CloseCode.UNRESTORABLE, TOO_OLD))
