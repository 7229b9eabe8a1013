"""A server killed in mid-play: nothing acknowledged is lost, nothing is applied twice, no timer
begins anew. The full size is `python -m tests.system.endurance`.
"""

from __future__ import annotations

import asyncio
import random
import signal
from typing import TYPE_CHECKING

import pytest

from client import connect
from tests.system.endurance import APP, BRIEF, count, game, log, restarting, within
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


async def test_a_counter_is_exact_after_kills(tmp_path: Path) -> None:  # [STORE3] [SEND2] [SEND3]
    with running("examples/counter", tmp_path) as server:
        assert await count(server.url, 50, 8, restarting(server), 3, random.Random(7)) == 400


async def test_a_history_with_kills_breaks_no_promise(tmp_path: Path) -> None:
    # [STORE3] [SEND2] [SEND3] [SEND5] [TURN2] [TURN3] [TIME1] [VIEW8] [VIEW9]
    with running(APP, tmp_path) as server:
        assert await log(server.url, "table", 6, 30, restarting(server), 2, random.Random(7)) == []


async def test_trivia_goes_on_after_kills(tmp_path: Path) -> None:  # [TIME1] [STORE3] [SEAT3]
    with running(APP, tmp_path) as server:
        await game(server.url, "quick", 4, 2, restarting(server), 2, random.Random(7))


async def test_a_server_that_stood_still_past_its_lease_goes_on(tmp_path: Path) -> None:
    # [STORE4] [SEND3]: the only process on its store, so that nobody could take anything from it
    with running(BRIEF, tmp_path) as server:
        async with connect(f"{server.url}/rooms/counter/still") as room:
            await room.send({"type": "increment"})
            server.signal(signal.SIGSTOP)
            sent = [room.send({"type": "increment"}) for _ in range(3)]
            await asyncio.wait(sent, timeout=2.5)
            assert not any(one.done() for one in sent)
            server.signal(signal.SIGCONT)
            outcomes = await asyncio.wait_for(asyncio.gather(*sent), 30)
            assert {one.outcome for one in outcomes} == {"accepted"}
            await within(30, "the view has all of them", lambda: room.context["count"] == 4)
