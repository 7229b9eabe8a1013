"""What a store asks of its servers, about a session or a partition, and what goes wrong, in the
port's words.

In: commands and scripts, each of one partition. Out: the replies, in their order, no error among
them; else a `StoreError`. Next: `servers.py`, which knows who has the partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.errors import StoreError
from rooms.store.redis.keys import Keys, name_of, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rooms.store.port import SessionId
    from rooms.store.redis.line import Command
    from rooms.store.redis.scripts import Script
    from rooms.store.redis.servers import Servers


class Asking:
    """Asks the servers of one store, whose keys begin with `prefix`. `now` is the store's time
    (ms), for tests; None: the servers'.
    """

    def __init__(self, servers: Servers, prefix: str, now: Callable[[], int] | None) -> None:
        self.servers = servers
        self.keys = Keys(prefix)
        self._now = now
        self._closed = False

    async def close(self) -> None:
        """Finish what was asked; nothing more is."""
        self._closed = True
        await self.servers.close()

    def check_open(self) -> None:
        """Raises StoreError once `close` was called."""
        if self._closed:
            raise StoreError("the store is closed; open another one")

    async def now(self) -> int:
        """The store's time (ms since 1970)."""
        self.check_open()
        if self._now is not None:
            return self._now()
        [(seconds, micros)] = await self.ask(0, ("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000

    def time(self) -> str:
        """The time as the scripts want it: none, where the server's is meant."""
        return "" if self._now is None else str(self._now())

    async def run(
        self, script: Script, id: SessionId, *args: str | bytes | int, replicas: int = 0
    ) -> Any:
        """What a script answers about one session."""
        name = name_of(id)
        partition = partition_of(name)
        command = script.command(self.keys.session(partition, name), name, *args)
        [answer] = await self.ask(partition, command, replicas=replicas)
        return answer

    async def each(
        self, partitions: Sequence[int], index: str, command: str, *args: str | int
    ) -> list[Any]:
        """What each of these partitions' index answers."""
        return await self.all(
            [(one, (command, self.keys.index(one, index), *args)) for one in partitions]
        )

    async def ask(self, partition: int, *commands: Command, replicas: int = 0) -> list[Any]:
        """What one partition answers to these."""
        return await self.all([(partition, one) for one in commands], replicas=replicas)

    async def all(self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0) -> list[Any]:
        """The replies to all of it, once so many replicas have it."""
        self.check_open()
        replies = await self.servers.ask(asked, replicas=replicas)
        for reply in replies:
            if isinstance(reply, Exception):
                raise error_of(reply)
        return replies


def error_of(error: Exception) -> StoreError:
    """What went wrong, as the port says it."""
    if isinstance(error, StoreError):
        return error
    return StoreError(f"the server refused: {error}; nothing was written")
