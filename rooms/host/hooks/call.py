"""One call of a hook: what it may use, and what it has done, of which nothing counts until it ended
well.

In: what the author's code asks of its room and connections meanwhile. Out: a `Storage` with what
was written, values to be told, connections whose state is another one.
`rooms/host/hooks/session.py` begins and ends calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.errors import CloseCode, Closing, UsageError
from rooms.hooks.connection import Connection, payload
from rooms.host.turn import Sent, Shut

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rooms.hooks.connection import Said
    from rooms.hooks.storage import Storage
    from rooms.host.channels import Channel
    from rooms.host.turn import Told


class Call:
    """A hook that runs. `connection`: who it is called for, if for anybody; `everybody`: who is
    connected now; `now`: the store's time (ms).
    """

    def __init__(
        self,
        name: str,
        connection: Connection | None,
        storage: Storage,
        everybody: Collection[Connection],
        now: int,
    ) -> None:
        self.name = name
        self.connection = connection
        self.storage = storage
        self.now = now
        self.told: list[Told] = []
        self.states: dict[Connection, bytes | None] = {}
        self._everybody = everybody

    def connections(self, tag: str | None = None) -> list[Connection]:
        """Who is connected; with `tag`, those that have it."""
        return [each for each in self._everybody if tag is None or tag in each.tags]

    def broadcast(
        self, message: Said, exclude: Connection | str | Iterable[Connection | str]
    ) -> None:
        """Say something to everybody but those excluded."""
        excluded = [exclude] if isinstance(exclude, Connection | str) else list(exclude)
        if not all(isinstance(each, Connection | str) for each in excluded):
            raise UsageError("`exclude` is a connection or its id, or several of these")
        ids = {each if isinstance(each, str) else each.id for each in excluded}
        without = frozenset(
            each.channel.id for each in self._everybody if each.id in ids and each.channel
        )
        self.told.append(Sent(payload(message), None, without if ids else frozenset()))

    def say(self, message: Said, channel: Channel) -> None:
        """Say something to one connection."""
        self.told.append(Sent(payload(message), (channel,), frozenset()))

    def shut(self, channel: Channel, code: int, reason: str) -> None:
        """Close a connection."""
        self.told.append(Shut(channel, Closing(CloseCode(code), reason)))

    def changes(self, connection: Connection, before: bytes | None) -> None:
        """A connection is about to have another state than `before`."""
        self.states.setdefault(connection, before)

    def undo(self) -> None:
        """Nothing of it counts: what it changed in memory is as it was."""
        for connection, before in self.states.items():
            connection.back(before)
