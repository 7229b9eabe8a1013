"""Any order of calls: the distributed store answers as the model of the port does."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from rooms.store.redis.servers import open_servers
from rooms.store.redis.store import RedisStore
from tests.rooms.store.test_model import Stores

if TYPE_CHECKING:
    from rooms.store.port import Store
    from tests.rooms.store.servers import Server


def test_any_order_of_calls_is_answered_as_the_model_does(server: Server) -> None:
    class RedisStores(Stores):
        async def open(self) -> Store:
            servers, _ = open_servers(server.url())
            return RedisStore(servers, prefix=f"{uuid.uuid4().hex}:", now=self.clock.now)

    run_state_machine_as_test(
        RedisStores, settings=settings(max_examples=15, stateful_step_count=40, deadline=None)
    )
