"""A real server, flooded by one room's connections: who says little in another one is heard."""

from __future__ import annotations

import asyncio
import multiprocessing
from typing import TYPE_CHECKING

import pytest

from client import connect
from tests.benchmarks.flood import FLOODS, flood
from tests.system.endurance import within
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.processes import Server

pytestmark = pytest.mark.system

EVENTS = 20
WITHIN = 60.0  # s for all of them; beside a flood that is read to its end there is no end to it


async def test_a_flood_of_events_holds_up_no_other_room(tmp_path: Path) -> None:  # [FAIR1] [FAIR5]
    with running("examples/counter", tmp_path, "--limits", "off", "--store", "memory:") as server:
        spawn = multiprocessing.get_context("spawn")
        flooding = spawn.Process(
            target=flood, args=(server.port, 4, FLOODS["plain events"]), daemon=True
        )
        flooding.start()
        try:
            await asyncio.wait_for(_count(server), WITHIN)
        finally:
            flooding.kill()
            flooding.join()


async def _count(server: Server) -> None:
    hot, quiet = (connect(f"{server.url}/rooms/counter/{name}") for name in ("hot", "quiet"))
    try:
        await within(WITHIN, "the flood has begun", lambda: hot.context.get("count", 0) > 100)
        hot.close()
        for _ in range(EVENTS):
            assert (await quiet.send({"type": "increment"})).outcome == "accepted"
        assert quiet.context["count"] == EVENTS
    finally:
        for room in (hot, quiet):
            room.close()
            await room.wait_closed()
