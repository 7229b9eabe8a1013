"""A look into the store that processes share: which of them has a session, and who lives."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rooms.errors import StoreError
from rooms.host.clock import elapsed
from rooms.server import store_time
from rooms.store import open_store
from tests.system.endurance import moment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rooms.store.port import HostInfo, SessionId, Store


class Shared:
    """The store as its processes see it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def hosts(self) -> dict[str, str]:
        """The incarnation of each host that lives, by its address."""
        return {host.address: host.incarnation for host in await self._store.hosts()}

    async def owner(self, id: SessionId) -> HostInfo | None:
        """The living host that has a session."""
        living = {host.incarnation: host for host in await self._store.hosts()}
        for line in await self._store.scan(id.kind, limit=1_000):
            if line.id == id and line.owner is not None:
                return living.get(line.owner)
        return None

    async def owned(self, id: SessionId, *, other_than: HostInfo | None = None) -> HostInfo:
        """Wait until some host, another one than that, has a session."""
        found: list[HostInfo] = []

        async def has() -> bool:
            owner = await self.owner(id)
            if owner is None or (other_than and owner.incarnation == other_than.incarnation):
                return False
            found.append(owner)
            return True

        await eventually(60, f"a host that has {id}", has)
        return found[0]


@asynccontextmanager
async def shared(url: str) -> AsyncIterator[Shared]:
    """The store of this URL."""
    store = await open_store(url, now=store_time(), elapsed=elapsed)
    try:
        yield Shared(store)
    finally:
        await store.close()


async def eventually(seconds: float, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so; a store that doesn't answer doesn't say so yet."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        try:
            if await condition():
                return
        except StoreError:
            pass
        assert loop.time() < end, f"not within {seconds} s: {what}"
        await moment()
