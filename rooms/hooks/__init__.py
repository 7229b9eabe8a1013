"""What the author of a room without a machine writes: hooks, and what they may use meanwhile.

A hook is called when something happens, one at a time in each room, in the order in which it
happened; it may be async or plain. What it stores is committed together, all or nothing, and what
it sends leaves after that. What it is given: `rooms/hooks/connection.py`, `rooms/hooks/storage.py`.
`rooms/host/hooks/session.py` calls hooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rooms.hooks.connection import Call, Connection
    from rooms.hooks.storage import Storage

HOOKS: Final = (
    "on_start",
    "on_connect",
    "on_message",
    "on_close",
    "on_error",
    "on_request",
    "on_alarm",
)


def hooks_of(room: type[Hooks]) -> frozenset[str]:
    """The hooks that this class has of its author."""
    return frozenset(
        name
        for name in HOOKS
        if callable(own := getattr(room, name)) and own is not getattr(Hooks, name, None)
    )


class Hooks:
    """The hooks of a room, each of which does nothing unless a subclass says what.

    `on_error(connection, error)` is called when another hook has raised, for this connection if for
    any: what that wrote and sent is dropped, and why is logged.
    """

    _call: Call | None = None  # that of the hook which runs now

    # -------------------------------------------------------------- what happens

    def on_start(self) -> Any:
        """The room is awake: before anything else, each time. Raising refuses who waits (1013)."""

    def on_connect(self, connection: Connection, request: Any) -> Any:
        """A connection is let in; once for each, whatever the room's sleep and moves. `request` is
        its Starlette request. Raising closes it (1013).
        """

    def on_message(self, connection: Connection, message: Any) -> Any:
        """A connection said something: an event (a dict with `type`, and `sender` stamped), or at
        `/parties` text or bytes as they came. What it returns is the `result` of a numbered event.
        """

    def on_close(self, connection: Connection) -> Any:
        """A connection is gone, or was closed. Nothing reaches it any more."""

    def on_request(self, request: Any) -> Any:
        """A plain HTTP request: a Starlette response, or None (404). With a machine, only what
        isn't the wire's own GET or POST comes here.
        """

    def on_alarm(self) -> Any:
        """The time of `storage.set_alarm` has come. Raising has it called again, later each time;
        after eight times the alarm is a dead letter.
        """

    def tags(self, connection: Connection) -> Iterable[str]:
        """Names by which `connections(tag)` finds this connection; asked once, before
        `on_connect`.
        """
        return ()

    # -------------------------------------------------------------- what a hook may use

    @property
    def storage(self) -> Storage:
        """What the room keeps, as this hook sees it."""
        return self._running().storage

    @property
    def now(self) -> int:
        """The store's time when this hook was called (ms since 1970)."""
        return self._running().now

    def connections(self, tag: str | None = None) -> list[Connection]:
        """Who is connected, the earliest first; with `tag`, those that have it."""
        return self._running().connections(tag)

    def broadcast(
        self,
        message: str | bytes | Mapping[str, Any],
        exclude: Connection | str | Iterable[Connection | str] = (),
    ) -> None:
        """Send a message to every connection but those excluded (connections or their ids), when
        what this hook wrote is stored. See `Connection.send`.
        """
        self._running().broadcast(message, exclude)

    def _running(self) -> Call:
        if self._call is None:
            raise UsageError(
                "storage, now, connections and broadcast are there while a hook of a room without "
                "a machine runs"
            )
        return self._call
