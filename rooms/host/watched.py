"""A room whose process may die of what it does: what it is at is written where its host can read it
afterwards, and what others died of is refused (SPEC, ISOLATE).

In: the items of a turn, before they are handled. Out: the name of each, in memory that outlives the
process; and for a name that is condemned a refusal in its place. A room among others has none of
this. Next: `rooms/host/session.py`, `rooms/host/hooks/session.py`.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import CloseCode, Closing
from rooms.host.ask import Ask
from rooms.host.channels import Heard
from rooms.host.commits import MAX_EVENTS
from rooms.host.hooks.session import HookSession
from rooms.host.marks import Outcome
from rooms.host.session import Session
from rooms.host.turn import Enter, Shut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.host.channels import Channel, Client
    from rooms.host.turn import Item, Turn
    from rooms.sync import conversation as talk
    from rooms.sync.views import Viewer
    from runtime import Event, Timer

logger = logging.getLogger(__name__)

SIZE: Final = 1024
"""How many bytes a name has at most, with its length."""
WAKING: Final = "wake"
"""What a room is at that has done nothing yet."""

Cause = str
"""Why a process died: `cpu`, `memory` or `crashed`."""
_REASONS: Final = {
    "cpu": "computed for too long",
    "memory": "took too much memory",
    "crashed": "crashed",
}


class Memory(Protocol):
    """Bytes that outlive a process: a mapped file."""

    def __getitem__(self, part: slice, /) -> bytes: ...
    def __setitem__(self, part: slice, data: bytes, /) -> None: ...


class Doing:
    """What the room of this process is at. `condemned`: what it shall not do, and what became of
    those that did. `careful`: one thing a commit, so that it is known which one it was.
    """

    def __init__(self, memory: Memory, condemned: Mapping[str, Cause], *, careful: bool) -> None:
        self.careful = careful
        self._memory = memory
        self._condemned = condemned

    @property
    def most(self) -> int:
        """How many items a turn may handle."""
        return 1 if self.careful else MAX_EVENTS

    def begin(self, what: str) -> Cause | None:
        """It is at this now; or not, where it is condemned: then why."""
        cause = self._condemned.get(what)
        if cause is None:
            name = what.encode()[: SIZE - 2]
            self._memory[0 : 2 + len(name)] = len(name).to_bytes(2, "big") + name
        return cause

    def over(self) -> None:
        """It is at nothing: all that it was at is stored and told."""
        self._memory[0:2] = b"\0\0"


OUT_OF_MEMORY: Final = 77
"""The status of a process that found no more memory."""


class Exhaustion(logging.Handler):
    """Sees in the log of a process that it found no more memory, wherever in it that was, and ends
    it: what goes on then is of no use.
    """

    def emit(self, record: logging.LogRecord) -> None:
        raised = record.exc_info[1] if record.exc_info else None
        args = record.args if isinstance(record.args, tuple) else ()
        if any(isinstance(one, MemoryError) for one in (raised, *args)):
            self.end()

    def end(self) -> None:
        """End this process, now."""
        os._exit(OUT_OF_MEMORY)


def read(memory: Memory) -> str:
    """What a process was at when it ended."""
    size = int.from_bytes(memory[0:2], "big")
    return memory[2 : 2 + size].decode(errors="replace")


def comes_again(what: str) -> bool:
    """Whether the same thing is put before the next process, too."""
    return " " in what


class Watched(Session):
    """A session of a machine in such a process."""

    doing: Doing
    _cause: Cause | None = None

    def handle(self, item: Item | Ask, turn: Turn) -> None:
        self._cause = cause = self.doing.begin(_name(item))
        if cause is None:
            super().handle(item, turn)
            return
        match item:
            case Enter(channel):
                reason = f"this room {_REASONS[cause]} as you were let in"
                turn.told.append(Shut(channel, Closing(CloseCode.UNRESTORABLE, reason)))
            case _:
                super().handle(item, turn)  # comes to `_accept` or `_post` as any event

    def _accept(
        self, channel: Channel, client: Client, viewer: Viewer, accepted: talk.Accept, turn: Turn
    ) -> None:
        if self._cause is None:
            super()._accept(channel, client, viewer, accepted, turn)
        else:
            rejected = _rejected(accepted.event, self._cause)
            self._judged(channel, client, accepted.seq, rejected, turn)

    def _post(self, ask: Ask, client: Client | None, event: Event, turn: Turn) -> None:
        if self._cause is None:
            super()._post(ask, client, event, turn)
        else:
            self._posted(ask, client, _rejected(event, self._cause), turn)

    def _due_timer(self, now: int) -> Timer | None:
        while (timer := super()._due_timer(now)) is not None:
            cause = self.doing.begin(f"timer {timer.target} {timer.id} {timer.due}")
            if cause is None:
                return timer
            logger.error("%s: timer %r is given up: the room %s", self, timer.id, _REASONS[cause])
            self.outbox.timers.give_up(timer, f"the room {_REASONS[cause]}", now)
        return None


class WatchedHooks(Watched, HookSession):
    """A session of a room without a machine."""


def _name(item: Item | Ask) -> str:
    """By what an item is known when it comes again, to another process (`comes_again`)."""
    match item:
        case Heard(channel, {"seq": seq}):
            return f"event {_who(channel)} {seq}"
        case Enter(channel):
            return f"enter {_who(channel)}"
        case Ask(key=key) if key is not None:
            return f"event {item.viewer.id} {key} {item.seq}"
        case _:
            return type(item).__name__


def _who(channel: Channel) -> str:
    viewer = channel.viewer
    return f"{None if viewer is None else viewer.id} {channel.attach.client}"


def _rejected(event: Event, cause: Cause) -> Outcome:
    return Outcome("rejected", cause, f"this room {_REASONS[cause]} over {event['type']!r}")
