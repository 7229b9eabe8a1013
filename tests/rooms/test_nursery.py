"""Processes as a nursery gives them: forked ones, that die of what they do."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import LinkError
from rooms.host.deaths import Died
from rooms.host.isolated import Called, Orders
from rooms.nursery import Nursery
from rooms.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rooms.nursery import RoomProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

APP = "tests/system/isolated.py"


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    nursery = Nursery(APP, Settings(), "rooms")
    yield nursery
    await nursery.close()


async def first_said(process: RoomProcess) -> tuple[Any, asyncio.Event]:
    """The first thing it says as a room's, and an event that its end sets."""
    said: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()
    process.listen(lambda line: None if said.done() else said.set_result(line), over.set)
    process.send(Orders("heavy", "x", "incarnation", 1, {}, careful=False))
    return await asyncio.wait_for(said, 20), over


async def test_a_process_does_what_it_is_ordered_and_says_how_it_ended(  # [ISOLATE1] [ISOLATE2]
    nursery: Nursery,
) -> None:
    process = await nursery.start(200)
    said, over = await first_said(process)
    assert type(said) is Called
    assert not over.is_set()
    process.kill()
    await asyncio.wait_for(over.wait(), 20)
    assert await process.died() == Died("crashed", "wake")


async def test_it_ends_by_itself_when_its_host_has_closed_the_link(  # [ISOLATE6]
    nursery: Nursery,
) -> None:
    process = await nursery.start(200)
    await first_said(process)
    process.close()
    assert await asyncio.wait_for(asyncio.shield(process._status), 20) == 0


async def test_after_a_killed_nursery_there_is_another(nursery: Nursery) -> None:  # [ISOLATE2]
    one = await nursery.start(200)
    _, over = await first_said(one)
    nurse = (await nursery._nurse())._process
    os.kill(nurse.pid, signal.SIGKILL)
    await asyncio.wait_for((await nursery._nurse())._hearing, 20)
    two = await nursery.start(200)
    assert type((await first_said(two))[0]) is Called
    assert not over.is_set()
    one.kill()  # though nobody is there to say how it ended
    await asyncio.wait_for(over.wait(), 20)
    assert await one.died() == Died("crashed", "wake")
    two.close()


async def test_an_app_that_cant_be_imported_gives_none(tmp_path: Path) -> None:  # [ISOLATE2]
    (tmp_path / "app.py").write_text("import nothing_like_this\n")
    nursery = Nursery(str(tmp_path), Settings(), "rooms")
    with pytest.raises(LinkError, match="couldn't be started"):
        await nursery.start(200)
    await nursery.close()
    with pytest.raises(LinkError, match="the host ends"):
        await nursery.start(200)
