"""A cluster: which of its primaries has each partition, asked again when one says that it hasn't.

In: commands about partitions. Out: each on a line to the primary that has its slot. What a server
sends elsewhere (MOVED, ASK) it has not carried out, so that it may be sent again. While a slot
moves, its keys are for a moment nowhere together (TRYAGAIN), and their sessions wait.

Next: `line.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from rooms.errors import StoreError
from rooms.store.redis.keys import PARTITIONS, TAGS, slot
from rooms.store.redis.line import Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

    from rooms.store.redis.line import Command

TRIES: Final = 40
"""How often a command is sent that the cluster sends elsewhere, or wants to be sent again."""
PAUSE: Final = 0.05
"""Seconds between two of them where nobody has the keys."""


class Address(NamedTuple):
    """Where a server of the cluster listens."""

    host: str
    port: int


class Cluster:
    """The primaries of a cluster. `seeds` are some of its servers; `connect` connects to one."""

    def __init__(
        self,
        seeds: Sequence[Address],
        connect: Callable[[Address], Awaitable[AbstractConnection]],
    ) -> None:
        self._seeds = seeds
        self._connect = connect
        self._lines: dict[tuple[Address, bool], Line] = {}
        self._at: list[Address] | None = None  # of each partition; None: to be asked
        self._finding = asyncio.Lock()

    async def ask(
        self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0, commits: bool = False
    ) -> list[Any]:
        replies: list[Any] = [None] * len(asked)
        left = list(range(len(asked)))
        for _ in range(TRIES):
            try:
                at = self._at or await self._find()
            except StoreError as error:
                for place in left:
                    replies[place] = error
                return replies
            by_server: dict[Address, list[int]] = {}
            for place in left:
                by_server.setdefault(at[asked[place][0]], []).append(place)
            await asyncio.gather(
                *(
                    self._send(address, commits, asked, places, replies, replicas)
                    for address, places in by_server.items()
                )
            )
            left = [
                place for place in left if isinstance(replies[place], (MovedError, TryAgainError))
            ]
            if not left:
                break
            if any(isinstance(replies[place], TryAgainError) for place in left):
                await asyncio.sleep(PAUSE)  # noqa: TID251 - nobody says when a slot has moved
        return replies

    async def _send(
        self,
        address: Address,
        commits: bool,
        asked: Sequence[tuple[int, Command]],
        places: list[int],
        replies: list[Any],
        replicas: int,
    ) -> None:
        """Have these commands sent to one server, and put its replies to their places."""
        line = self._line(address, commits)
        try:
            answered = await line.ask([asked[place][1] for place in places], replicas)
        except StoreError as error:
            self._at = None  # another may have taken its place
            answered = [error] * len(places)
        for place, reply in zip(places, answered, strict=True):
            if isinstance(reply, (MovedError, ClusterDownError)):
                self._at = None
            elif isinstance(reply, AskError):
                reply = await self._ask_there(reply, commits, asked[place][1], replicas)
            replies[place] = reply

    async def _ask_there(
        self, there: AskError, commits: bool, command: Command, replicas: int
    ) -> Any:
        """This once the server has it that the slot moves to."""
        line = self._line(Address(there.host, there.port), commits)
        try:
            _, reply = await line.ask([("ASKING",), command], replicas)
        except StoreError as error:
            return error
        return reply

    async def _find(self) -> list[Address]:
        """Ask the servers, one after the other, which of them has what. Raises StoreError."""
        async with self._finding:
            if self._at is not None:
                return self._at
            known = [address for address, _ in self._lines]
            errors = []
            for address in dict.fromkeys([*known, *self._seeds]):
                try:
                    [slots] = await self._line(address, False).ask([("CLUSTER", "SLOTS")])
                    self._at = _of_partitions(slots, address)
                except StoreError as error:
                    errors.append(str(error))
                else:
                    return self._at
            raise StoreError(f"the cluster can't be reached: {'; '.join(errors)}")

    def _line(self, address: Address, commits: bool) -> Line:
        line = self._lines.get((address, commits))
        if line is None:
            name = f"{address.host}:{address.port}"
            line = self._lines[address, commits] = Line(name, lambda: self._connect(address))
        return line

    async def close(self) -> None:
        for line in list(self._lines.values()):
            await line.close()


def _of_partitions(slots: Any, asked: Address) -> list[Address]:
    """Which primary has each partition. Raises StoreError: some are nobody's, or it doesn't say."""
    if isinstance(slots, Exception):
        raise StoreError(f"{asked.host}:{asked.port} is no server of a cluster: {slots}")
    at: list[Address] = []
    for partition in range(PARTITIONS):
        number = slot(TAGS[partition])
        for start, end, (host, port, *_), *_ in slots:
            if start <= number <= end:
                at.append(Address(host.decode() if host else asked.host, port))
                break
        else:
            raise StoreError(f"no server of the cluster has slot {number}: give it all 16384")
    return at
