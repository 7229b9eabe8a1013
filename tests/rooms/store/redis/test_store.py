"""The distributed store keeps the rules of its port, and those of more than one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rooms.store.redis.servers import open_servers
from rooms.store.redis.store import RedisStore
from tests.contracts import Clock, StoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rooms.store.servers import Server


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def store(self, server: Server, prefix: str, clock: Clock) -> AsyncIterator[RedisStore]:
        servers, _ = open_servers(server.url())
        store = RedisStore(servers, prefix=prefix, now=clock.now)
        yield store
        await store.close()
