"""Hosts and routers as real processes on a real Redis: what is struck costs no event."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from client import connect
from rooms.store.port import SessionId
from tests.rooms.store.servers import promote, watched
from tests.rooms.store.servers import running as running_redis
from tests.system.endurance import APP, BRIEF, log, within
from tests.system.processes import Server, processes, running, said
from tests.system.shared import eventually, shared
from tests.system.test_fleet import Crowd, strike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rooms.store.servers import Server as Redis

pytestmark = pytest.mark.system


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis("redis", "--appendonly", "yes", "--appendfsync", "always") as redis:
        yield redis


@pytest.fixture
def fleet(redis: Redis, tmp_path: Path) -> Iterator[Server]:
    options = ("--store", redis.url(), "--hosts", "2", "--routers", "2")
    with running(APP, tmp_path, *options) as server:
        yield server


async def command(*args: str) -> tuple[int, str, str]:
    """Run `rooms`: its status, and what it said to each of the two."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rooms", *args), stdout=PIPE, stderr=PIPE
    )
    said, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(), complained.decode()


async def test_hosts_killed_under_load_cost_no_event(  # [SEND2] [STORE2] [STORE4]
    fleet: Server,
) -> None:
    crowd = Crowd(fleet, clients=8, rooms=4)
    await crowd.open()
    playing = asyncio.ensure_future(crowd.play(40))
    for kill in range(1, 3):
        await strike(playing, crowd, lambda: os.kill(processes(fleet, "host")[0], 9), kill * 100)
        await within(60, "its end", lambda: said(fleet, "ended with status 137") == kill)  # noqa: B023
        await within(60, "another host", lambda: said(fleet, "is ready") == kill)  # noqa: B023
    await playing
    await crowd.agree()
    crowd.report()
    assert crowd.closed == []
    assert crowd.done == 320
    await crowd.close()
    status, listed, _ = await command("list", "--url", fleet.url, *fleet.options[:2])
    assert (status, listed.count("counter/crowd-")) == (0, 4)
    status, _, complained = await command("list", *fleet.options[:2])
    assert (status, "name a server of it with --url" in complained) == (2, True)


async def test_a_host_that_stands_still_past_its_lease_is_fenced(  # [STORE4] [ROUTE6] [LINK7]
    redis: Redis, tmp_path: Path
) -> None:
    """Once until another host has its room, once only until its lease is over: in between lies the
    end of its links, so that what it was about to say still finds them, or doesn't any more.
    """
    id, dice = SessionId("table", "endured-0"), random.Random(7)
    options = ("--store", redis.url(), "--hosts", "2", "--routers", "2")
    with running(BRIEF, tmp_path, *options) as server:
        async with shared(redis.url()) as store:
            short = itertools.cycle((False, True))

            async def stand_still() -> None:
                before = await store.owned(id)
                address, former = before.address, before.incarnation
                [host] = processes(server, address.rpartition("/")[2])

                async def over() -> bool:
                    return former not in (await store.hosts()).values()

                async def lives_anew() -> bool:
                    return (await store.hosts()).get(address, former) != former

                os.kill(host, signal.SIGSTOP)
                try:
                    await eventually(60, "its lease is over", over)
                    if not next(short):
                        await store.owned(id, other_than=before)
                finally:
                    os.kill(host, signal.SIGCONT)
                await eventually(60, "it goes on as another incarnation", lives_anew)

            violations = await log(
                server.url, "table", 6, 30, stand_still, 2, dice, keeps_sockets=True
            )
            assert violations == []


async def test_a_store_killed_under_load_loses_nothing(  # [STORE3] [STORE9] [STORE10]
    fleet: Server, redis: Redis
) -> None:
    async def restart() -> None:
        redis.kill()
        await asyncio.to_thread(redis.start)

    violations = await log(
        fleet.url, "table", 6, 40, restart, 3, random.Random(7), rooms=2, keeps_sockets=True
    )
    assert violations == []


async def test_a_primary_lost_under_load_loses_nothing(tmp_path: Path) -> None:  # [STORE8]
    """A replica is promoted, which has what was acknowledged, and another one that follows it."""
    app = tmp_path / "app.py"
    app.write_text(
        "from rooms import App, replicated\n"
        "from tests.sim.machines import Table\n\n\n"
        "class Replicated(Table):\n"
        "    durability = replicated(1)\n\n\n"
        "app = App(table=Replicated)\n"
    )
    with watched("redis", replicas=2) as (servers, url):
        options = ("--store", url, "--hosts", "2", "--routers", "2")
        with running(str(app), tmp_path, *options) as server:

            async def lose() -> None:
                servers[0].kill()
                await asyncio.to_thread(promote, servers[1:], url)

            violations = await log(
                *(server.url, "table", 6, 30, lose, 1, random.Random(7)),
                rooms=2,
                late=60_000,  # a sentinel whose first choice fails makes another after ten seconds
            )
            assert violations == []


async def test_in_development_a_shared_store_is_a_store_like_any(  # [STORE3]
    redis: Redis, tmp_path: Path
) -> None:
    options = ("--store", redis.url())
    with running(BRIEF, tmp_path, *options, command="dev") as server:
        room = connect(f"{server.url}/rooms/counter/x")
        assert (await room.send({"type": "increment"})).outcome == "accepted"
        server.kill()
        await asyncio.to_thread(server.start)
        assert (await room.send({"type": "increment"})).outcome == "accepted"
        await room.wait_for(lambda room: room.context["count"] == 2, timeout=30_000)
        status, shown, _ = await command("show", "counter/x", "--url", server.url, *options)
        assert (status, '"count": 2' in shown) == (0, True), shown
        room.close()
        await room.wait_closed()
        assert await asyncio.to_thread(server.stop) == 0
