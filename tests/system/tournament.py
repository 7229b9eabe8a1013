"""Many games of trivia at once on several hosts and routers over Redis, while a host is killed
every few seconds, and once, in the middle, all hosts are replaced as a deploy does it.

    python -m tests.system.tournament                  # twenty rooms of sixteen, two minutes
    python -m tests.system.tournament --rooms 4 --seconds 30

Every game ends with all its answers and the points they are worth; nobody's socket closes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rooms.store.servers import running as running_redis
from tests.system.closings import Closed, watch
from tests.system.endurance import APP, Guest, judged, within
from tests.system.processes import processes, running

if TYPE_CHECKING:
    from tests.system.processes import Server

EVERY = 5.0  # s between two kills
OVER_WITHIN = 300.0


async def strike(server: Server, seconds: float) -> int:
    """Kill a host every few seconds for so long; halfway through, deploy. How many were killed."""
    loop = asyncio.get_running_loop()
    begun, kills, deployed = loop.time(), 0, False
    while loop.time() - begun < seconds:
        at = loop.time() + EVERY
        await within(EVERY + 5, "the next blow", lambda at=at: loop.time() >= at)  # type: ignore[misc]
        if not deployed and loop.time() - begun > seconds / 2:
            deployed = True
            server.signal(signal.SIGHUP)
            await within(60, "new hosts", lambda: len(processes(server, "host")) >= 2)
            continue
        hosts = processes(server, "host")
        if len(hosts) > 1:  # the one killed before is there again
            os.kill(hosts[0], signal.SIGKILL)
            kills += 1
    return kills


async def play(server: Server, rooms: int, players: int, seconds: float, seed: int) -> None:
    """Everybody plays one game after the other until the time is over."""
    loop = asyncio.get_running_loop()
    striking = asyncio.ensure_future(strike(server, seconds))
    closed: list[Closed] = []
    games = 0

    async def table(n: int) -> None:
        nonlocal games
        dice, game = random.Random(f"{seed} {n}"), 0
        while not game or not striking.done():
            game += 1
            where = f"long/table-{n}-{game}"
            guests = [Guest(server.url, where, k, plays=True, roams=False) for k in range(players)]
            for guest in guests:
                watch(guest.room, f"{guest.name} of {where}", closed)
            await asyncio.gather(*(guest.play(dice, players) for guest in guests))
            await judged(guests)
            games += 1

    begun = loop.time()
    await asyncio.wait_for(asyncio.gather(*map(table, range(rooms))), seconds + OVER_WITHIN)
    kills = await striking
    assert closed == []
    took = round(loop.time() - begun)
    print(  # noqa: T201
        f"{games} games of {players} in {rooms} rooms, {kills} hosts killed and one deploy in "
        f"{took} s: every answer and point is there, no socket closed"
    )


async def main() -> int:
    """At full size, unless it is said otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.tournament", description=__doc__)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--players", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    durable = ("--appendonly", "yes", "--appendfsync", "everysec")
    with running_redis("redis", *durable) as redis, tempfile.TemporaryDirectory() as folder:
        options = ("--store", redis.url(), "--hosts", "2", "--routers", "2")
        with running(APP, Path(folder), *options) as server:
            await play(server, asked.rooms, asked.players, asked.seconds, asked.seed)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
