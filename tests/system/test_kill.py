"""A server killed in mid-play: nothing acknowledged is lost, nothing is applied twice."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from client import Room, connect
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

PLAYERS = 8
EVENTS_EACH = 60
KILLS = 4


async def test_a_counter_is_exact_after_kills(tmp_path: Path) -> None:  # [STORE3] [SEND2] [SEND3]
    dice = random.Random(7)
    with running("examples/counter", tmp_path) as server:
        rooms = [connect(f"{server.url}/rooms/counter/kill") for _ in range(PLAYERS)]
        outcomes: list[str] = []

        async def play(room: Room) -> None:
            for _ in range(EVENTS_EACH):
                outcome = await room.send({"type": "increment"})
                outcomes.append(outcome.outcome)

        playing = [asyncio.create_task(play(room)) for room in rooms]
        for kill in range(KILLS):
            threshold = (kill + 1) * PLAYERS * EVENTS_EACH // (KILLS + 1) + dice.randrange(10)
            async with asyncio.timeout(30):  # noqa: TID251 (bound: the next share of outcomes)
                while len(outcomes) < threshold:
                    await asyncio.wait(playing, timeout=0.01)
            server.kill()
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):  # noqa: TID251 (bound: all outcomes after the last restart)
            await asyncio.gather(*playing)

        total = PLAYERS * EVENTS_EACH
        assert outcomes == ["accepted"] * total
        for room in rooms:
            await room.wait_for(lambda r: r.context["count"] == total, timeout=10_000)
            room.close()
