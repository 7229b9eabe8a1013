"""Hosts and routers as real processes on a real Redis: what is struck costs no event."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

import pytest

from tests.rooms.store.servers import running as running_redis
from tests.rooms.store.servers import watched
from tests.system.endurance import within
from tests.system.processes import Server, running
from tests.system.test_fleet import COUNTER, Crowd, _said, processes, strike

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rooms.store.servers import Server as Redis

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture
def redis() -> Iterator[Redis]:
    with running_redis("redis", "--appendonly", "yes", "--appendfsync", "always") as redis:
        yield redis


@pytest.fixture
def fleet(redis: Redis, tmp_path: Path) -> Iterator[Server]:
    options = ("--store", redis.url(), "--hosts", "2", "--routers", "2")
    with running(COUNTER, tmp_path, *options) as server:
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
        await within(60, "its end", lambda: _said(fleet, "ended with status 137") == kill)  # noqa: B023
        await within(60, "another host", lambda: _said(fleet, "is ready") == kill)  # noqa: B023
    await playing
    await crowd.agree()
    crowd.report()
    assert crowd.closed == 0
    assert crowd.done == 320
    await crowd.close()
    status, listed, _ = await command("list", "--url", fleet.url, *fleet.options[:2])
    assert (status, listed.count("counter/crowd-")) == (0, 4)
    status, _, said = await command("list", *fleet.options[:2])
    assert (status, "name a server of it with --url" in said) == (2, True)


async def test_a_store_killed_under_load_costs_no_event(  # [STORE3] [STORE9]
    fleet: Server, redis: Redis
) -> None:
    crowd = Crowd(fleet, clients=8, rooms=4)
    await crowd.open()
    playing = asyncio.ensure_future(crowd.play(40))

    def restart() -> None:
        redis.kill()
        redis.start()

    for kill in (1, 2):
        await strike(playing, crowd, restart, kill * 100)
    await playing
    await crowd.agree()
    crowd.report()
    assert crowd.done == 320
    await crowd.close()


async def test_a_primary_lost_under_load_costs_no_event(tmp_path: Path) -> None:  # [STORE8]
    """A replica is promoted, which has what was acknowledged, and another one that follows it."""
    app = tmp_path / "app.py"
    app.write_text(
        "from examples.counter.counter import Counter\n"
        "from rooms import App, replicated\n\n\n"
        "class Replicated(Counter):\n"
        "    durability = replicated(1)\n\n\n"
        "app = App(counter=Replicated)\n"
    )
    with (
        watched("redis", replicas=2) as (servers, url),
        running(str(app), tmp_path, "--store", url) as server,
    ):
        crowd = Crowd(server, clients=6, rooms=3)
        await crowd.open()
        playing = asyncio.ensure_future(crowd.play(40))
        await strike(playing, crowd, servers[0].kill, 100)
        await playing
        await crowd.agree()
        crowd.report()
        assert crowd.done == 240
        await crowd.close()
