"""A whole server on a cluster of three primaries, whose slots move while events flow."""

from __future__ import annotations

import asyncio
import random
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from rooms.store.port import SessionId
from rooms.store.redis.keys import TAGS, name_of, partition_of, slot
from tests.rooms.store.redis.test_cluster import clustered, run, serves, url
from tests.system.endurance import APP, log
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rooms.store.servers import Server

pytestmark = pytest.mark.system


def move(cluster: list[Server], number: int) -> None:
    """Bring a slot to another primary, as `redis-cli --cluster reshard` does."""
    source = next(server for server in cluster if serves(server, number))
    target = cluster[(cluster.index(source) + 1) % len(cluster)]
    with source.client() as from_, target.client() as to:
        ids = [run(client, "CLUSTER", "MYID").decode() for client in (from_, to)]
        run(to, "CLUSTER", "SETSLOT", number, "IMPORTING", ids[0])
        run(from_, "CLUSTER", "SETSLOT", number, "MIGRATING", ids[1])
        while keys := run(from_, "CLUSTER", "GETKEYSINSLOT", number, 3):
            run(from_, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for client in (to, from_):
            run(client, "CLUSTER", "SETSLOT", number, "NODE", ids[1])


async def test_slots_that_move_under_load_lose_nothing(tmp_path: Path) -> None:
    # [STORE2] [STORE9] [SEND2] [SEND3]
    of_room = partition_of(name_of(SessionId("table", "endured-0")))
    of_leases = 0
    with clustered("valkey") as cluster:
        options = ("--store", url(cluster), "--hosts", "2", "--routers", "2")
        with running(APP, tmp_path, *options) as server:
            next_one = cycle((of_room, of_leases))

            async def reshard() -> None:
                await asyncio.to_thread(move, cluster, slot(TAGS[next(next_one)]))

            violations = await log(
                *(server.url, "table", 6, 40, reshard, 6, random.Random(7)),
                rooms=3,
                keeps_sockets=True,
            )
            assert violations == []
