"""A session of a room without a machine: its hooks, called one at a time, each with all that it
does or with nothing of it.

In: items of a turn, as for any session. A plain hook runs within the turn; an async one as a task,
and until it has ended the room's mailbox waits: its end is the next turn's first thing. Out: what
it wrote becomes the room's, what it sent is left to be told, and the gate makes both wait for the
commit. A hook that raises has done nothing. Next: `rooms/hooks/storage.py`; the author's side is
`rooms/hooks`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from rooms.errors import CloseCode, Closing, TooBig, Unstorable
from rooms.hooks.connection import Connection, checked_tags, enveloped
from rooms.hooks.storage import Kept, Storage
from rooms.host import attendance, door, requests
from rooms.host.ask import Ask, Visit
from rooms.host.hooks.call import Call
from rooms.host.hooks.shown import SYSTEM, first, following
from rooms.host.marks import ACCEPTED, IGNORED, Outcome
from rooms.host.scale import Scale, check_answer
from rooms.host.session import Session
from rooms.host.turn import Denied, Remembered, Responded, Shut
from rooms.logs import where
from rooms.sync import party
from rooms.sync.views import public

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from rooms.definition import Room
    from rooms.host.ask import Response
    from rooms.host.channels import Channel, Client
    from rooms.host.kinds import Kind
    from rooms.host.session import Belongings
    from rooms.host.turn import Turn
    from rooms.sync import conversation as talk
    from rooms.sync.views import Viewer
    from runtime import Event, Timer

logger = logging.getLogger(__name__)

LONGEST: Final = 30
"""How long a hook may take (s)."""
COME_BACK: Final = 5_000
"""When somebody may try again whom a failing hook has turned away (ms)."""

Then = Callable[[Any, "Exception | None", "Turn"], None]
"""What follows from a call: its result, or why it failed."""


class HookSession(Session):
    """One session of a room without a machine. `resume` asks for a turn."""

    piecemeal = True

    def __init__(
        self,
        room: Room,
        kind: Kind,
        kept: Kept,
        own: Belongings,
        chance: Callable[[int], bytes],
    ) -> None:
        self._shows = type(room).view is not public
        super().__init__(
            room,
            SYSTEM,
            first(kept, self._shows),  # type: ignore[arg-type]
            own,
            validate=kind.validate,
            scale=Scale(room, SYSTEM, lambda snapshot: 0, size=0, careful=False),
            keeps_past=False,
        )
        self.kept = kept
        self.connections: dict[int, Connection] = {}
        self.resume: Callable[[], None] = _nothing
        self._hooks = kind.hooks
        self._chance = chance
        self._running: _Running | None = None

    # ------------------------------------------------------------------ its life

    async def start(self, turn: Turn) -> None:
        """Call `on_start`, before anything else.

        Raises:
            Closing: 1013, it raised.
        """
        if "on_start" not in self._hooks:
            return
        call = self._call("on_start", None, turn.now)
        try:
            result = self.room.on_start()
            if inspect.isawaitable(result):
                await asyncio.wait_for(result, LONGEST)
            if (refused := self._refused(call, None)) is not None:
                raise refused
        except Exception as error:
            self._failed(call, error)
            raise Closing(CloseCode.OVERLOADED, "this room failed to start", COME_BACK) from error
        self._done(call, turn)

    def storage(self) -> Mapping[str, bytes | None]:
        return self.kept.changes()

    def asks(self) -> Iterable[Ask]:
        yield from super().asks()
        if self._running is not None and self._running.ask is not None:
            yield self._running.ask

    def stop(self) -> None:
        if self._running is not None:
            self._running.limit.cancel()
            self._running.task.cancel()
        self.resume = _nothing

    # ------------------------------------------------------------------ calling hooks

    def _begin(
        self,
        name: str,
        connection: Connection | None,
        hook: Callable[[], Any],
        then: Then,
        turn: Turn,
        *,
        ask: Ask | None = None,
    ) -> None:
        """Call a hook; `then` goes on when it has ended, in this turn or in a later one."""
        call = self._call(name, connection, turn.now)
        try:
            result = hook()
        except Exception as error:
            self._end(call, then, None, error, turn)
            return
        if not inspect.isawaitable(result):
            self._end(call, then, result, None, turn)
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(result if inspect.iscoroutine(result) else _awaited(result))
        self._running = _Running(call, then, task, ask, loop.call_later(LONGEST, task.cancel))
        self.busy = True
        task.add_done_callback(lambda _: self.resume())

    def _call(self, name: str, connection: Connection | None, now: int) -> Call:
        """What a hook that is called now may use."""
        alarm = None if name == "on_alarm" else self.kept.alarm
        call = Call(name, connection, Storage(self.kept, alarm), self.connections.values(), now)
        self.room._call = call
        return call

    def _resumed(self, turn: Turn) -> None:
        """The hook that ran has ended: what it did is part of this turn."""
        running = self._running
        assert running is not None
        self._running, self.busy = None, False
        running.limit.cancel()
        result: Any = None
        error: Exception | None = None
        if running.task.cancelled():
            error = TimeoutError(f"{running.call.name} took over {LONGEST} s")
        elif (raised := running.task.exception()) is not None:
            error = raised if isinstance(raised, Exception) else RuntimeError(repr(raised))
        else:
            result = running.task.result()
        self._end(running.call, running.then, result, error, turn)

    def _end(
        self, call: Call, then: Then, result: Any, error: Exception | None, turn: Turn
    ) -> None:
        """All that a hook did counts, or nothing of it."""
        if error is None:
            error = self._refused(call, result)
        if error is None:
            self._done(call, turn)
        else:
            self._failed(call, error)
        then(result, error, turn)
        if error is not None and call.name != "on_error" and "on_error" in self._hooks:
            hook = partial(self.room.on_error, call.connection, error)
            self._begin("on_error", call.connection, hook, _nothing_follows, turn)

    def _refused(self, call: Call, result: Any) -> Exception | None:
        """Why what a hook did can't count, if so: it is too much, or its answer can't be told."""
        size, most = self.kept.size_with(call.storage), self.room.max_state
        if size > most and size > self.kept.size:
            return TooBig("storage", size, most)
        if call.name == "on_message" and result is not None:
            return _unsendable(result)
        return None

    def _done(self, call: Call, turn: Turn) -> None:
        self._over(call)
        changed = self.kept.take(call.storage)
        if changed:
            self._changed(changed)
        turn.told += call.told
        for connection in call.states:
            if connection.channel is not None and connection.welcome:
                turn.told.append(Remembered(connection.channel, connection.kept()))

    def _failed(self, call: Call, error: Exception) -> None:
        self._over(call)
        call.undo()
        logger.warning("%s: %s failed: %r%s", self, call.name, error, where(error))
        logger.debug("%s: where it failed", self, exc_info=error)

    def _over(self, call: Call) -> None:
        call.storage.over = True
        self.room._call = None

    def _changed(self, changed: Iterable[str]) -> None:
        """Something is kept that wasn't: that is a revision."""
        self.revision += 1
        before: Any = self.snapshot
        self.snapshot = following(before, self.kept, changed, self._shows)  # type: ignore[assignment]
        if len(self.outbox.timers):
            self.outbox.timers.keep(self.snapshot.timers)

    # ------------------------------------------------------------------ who comes and goes

    def _enter(self, channel: Channel, turn: Turn) -> None:
        known = channel.client is not None
        super()._enter(channel, turn)
        if known or channel.client is None or channel.viewer is None:
            return
        connection = self._connection(channel.viewer, channel)
        channel.name = connection.id
        self.connections[channel.id] = connection
        if connection.welcome:
            return

        def hook() -> Any:
            connection.tags = checked_tags(self.room.tags(connection))
            if "on_connect" in self._hooks:
                return self.room.on_connect(connection, requests.opening(channel.attach))
            return None

        then = partial(self._connected, channel, connection)
        self._begin("on_connect", connection, hook, then, turn)

    def _connected(
        self,
        channel: Channel,
        connection: Connection,
        result: Any,
        error: Exception | None,
        turn: Turn,
    ) -> None:
        if error is None:
            connection.welcome = True
            turn.told.append(Remembered(channel, connection.kept()))
        else:
            self.connections.pop(channel.id, None)
            reason = "this room failed to let you in"
            turn.told.append(Shut(channel, Closing(CloseCode.OVERLOADED, reason, COME_BACK)))

    def _leave(self, channel: Channel, turn: Turn) -> None:
        super()._leave(channel, turn)
        connection = self.connections.pop(channel.id, None)
        if connection is None and channel.kept is not None and channel.viewer is not None:
            connection = self._connection(channel.viewer, channel)  # it went while the room slept
        channel.kept = None
        if connection is not None and connection.welcome and "on_close" in self._hooks:
            hook = partial(self.room.on_close, connection)
            self._begin("on_close", connection, hook, _nothing_follows, turn)

    def _connection(self, viewer: Viewer, channel: Channel | None) -> Connection:
        """A connection, as it was when something is kept of it."""
        if channel is not None and channel.kept is not None:
            connection = Connection(self.room._running, viewer, channel, channel.kept["id"])
            connection.restore(channel.kept)
            return connection
        return Connection(self.room._running, viewer, channel, self._chance(8).hex())

    # ------------------------------------------------------------------ what they say

    def _accept(
        self, channel: Channel, client: Client, viewer: Viewer, accepted: talk.Accept, turn: Turn
    ) -> None:
        connection = self.connections.get(channel.id)
        if connection is None:
            return  # it is being closed
        settle = partial(self._judged, channel, client, accepted.seq)
        self._message(connection, accepted.event, accepted.child, settle, turn)

    def _post(self, ask: Ask, client: Client | None, event: Event, turn: Turn) -> None:
        connection = self._connection(ask.viewer, None)
        self._message(connection, event, None, partial(self._posted, ask, client), turn, ask)

    def _message(
        self,
        connection: Connection,
        event: Event,
        child: str | None,
        settle: Callable[[Outcome, Turn], None],
        turn: Turn,
        ask: Ask | None = None,
    ) -> None:
        """Something said to the room; `settle` takes what becomes of it."""
        viewer, raw = connection.viewer, event["type"] == party.SAID
        judged = enveloped(event["data"]) if raw else event
        refused = door.judge(self.room, viewer, judged, child, self.snapshot.root, self.validate)
        if refused is not None or child is not None or "on_message" not in self._hooks:
            settle(refused or IGNORED, turn)
            return
        message = event["data"] if raw else {**event, "sender": viewer.id}
        hook = partial(self.room.on_message, connection, message)
        then = partial(self._heard, judged["type"], settle)
        self._begin("on_message", connection, hook, then, turn, ask=ask)

    def _heard(
        self,
        type: str,
        settle: Callable[[Outcome, Turn], None],
        result: Any,
        error: Exception | None,
        turn: Turn,
    ) -> None:
        if error is not None:
            code, reason = door.FAILED, f"{type!r} failed in this room"
            if isinstance(error, TooBig):
                code, reason = door.TOO_BIG, error.reason
            settle(Outcome("rejected", code, reason), turn)
            return
        if not self.revision:
            self.revision = 1  # something was accepted: from now on the session exists
        settle(ACCEPTED if result is None else Outcome("accepted", result=result), turn)

    def _ask(self, ask: Ask, turn: Turn) -> None:
        if not isinstance(ask, Visit):
            super()._ask(ask, turn)
            return
        try:
            attendance.admit(self, ask.viewer, create=ask.create)
        except Closing as refused:
            turn.told.append(Denied(ask, refused))
            return
        then = partial(_responded, ask)
        self._begin("on_request", None, partial(ask.call, self.room), then, turn, ask=ask)

    # ------------------------------------------------------------------ time

    def expire(self, turn: Turn, *, entering: bool) -> None:
        running = self._running
        if running is not None and running.task.done():
            self._resumed(turn)
        for event in self.seats.expire(turn.now):
            self.step(event, turn)
        later = self.busy or entering  # who stayed connected hears what the alarm says
        alarm = None if later else self._due_timer(turn.now)
        if alarm is not None:
            then = partial(self._rang, alarm)
            self._begin("on_alarm", None, self.room.on_alarm, then, turn)

    def _rang(self, alarm: Timer, result: Any, error: Exception | None, turn: Turn) -> None:
        if error is not None:
            self._retry(alarm, error, turn.now)


class _Running(NamedTuple):
    """An async hook under way. `ask`: the request that waits for it."""

    call: Call
    then: Then
    task: asyncio.Task[Any]
    ask: Ask | None
    limit: asyncio.TimerHandle


async def _awaited(result: Awaitable[Any]) -> Any:
    return await result


def _nothing_follows(result: Any, error: Exception | None, turn: Turn) -> None:
    """Nothing follows."""


def _nothing() -> None:
    """What an end of a hook leads to once its room is no more."""


def _responded(ask: Ask, result: Any, error: Exception | None, turn: Turn) -> None:
    if error is not None:
        result = _json(500, "the room failed to answer")
    elif result is None:
        result = _json(404, "there is nothing here")
    turn.told.append(Responded(ask, result))


def _json(status: int, reason: str) -> Response:
    return status, {"content-type": "application/json"}, orjson.dumps({"reason": reason})


def _unsendable(result: Any) -> Exception | None:
    """Why what a hook answered can't be told, if so."""
    try:
        check_answer(result)
    except Unstorable as error:
        return error
    return None
