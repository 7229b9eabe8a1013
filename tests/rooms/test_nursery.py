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
from rooms.host.watched import OUT_OF_MEMORY, SIZE
from rooms.link.stream import PING_EVERY
from rooms.nursery import Nursery, RoomProcess, _Nurse
from rooms.settings import Settings
from tests.system.endurance import within
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.system

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
    return await asyncio.wait_for(said, WITHIN), over


async def test_a_process_does_what_it_is_ordered_and_says_how_it_ended(  # [ISOLATE1] [ISOLATE2]
    nursery: Nursery,
) -> None:
    process = await nursery.start(200)
    said, over = await first_said(process)
    assert type(said) is Called
    assert not over.is_set()
    process.kill()
    await asyncio.wait_for(over.wait(), WITHIN)
    assert await process.died() == Died("crashed", "wake")


async def test_it_ends_by_itself_when_its_host_has_closed_the_link(  # [ISOLATE6]
    nursery: Nursery,
) -> None:
    process = await nursery.start(200)
    await first_said(process)
    process.close()
    assert await asyncio.wait_for(asyncio.shield(process._status), WITHIN) == 0


async def test_after_a_killed_nursery_there_is_another(nursery: Nursery) -> None:  # [ISOLATE2]
    one = await nursery.start(200)
    _, over = await first_said(one)
    nurse = (await nursery._nurse())._process
    os.kill(nurse.pid, signal.SIGKILL)
    await asyncio.wait_for((await nursery._nurse())._hearing, WITHIN)
    two = await nursery.start(200)
    assert type((await first_said(two))[0]) is Called
    assert not over.is_set()
    one.kill()  # though nobody is there to say how it ended
    await asyncio.wait_for(over.wait(), WITHIN)
    assert await one.died() == Died("crashed", "wake")
    two.close()


@pytest.mark.parametrize("at_work", [False, True])
async def test_a_nursery_that_is_killed_as_it_is_asked_is_replaced(  # [ISOLATE2]
    nursery: Nursery, at_work: bool
) -> None:
    nurse = await nursery._nurse()
    killed = nurse._process.pid
    starting = asyncio.ensure_future(nursery.start(200))
    if at_work:  # it has been asked, and doesn't come to it
        os.kill(killed, signal.SIGSTOP)
        await within(WITHIN, "that it is asked", lambda: bool(nurse._born))
    os.kill(killed, signal.SIGKILL)
    # Nobody else has a turn until it has ended, so that its end is seen by nobody yet.
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
    process = await starting
    assert type((await first_said(process))[0]) is Called
    assert (await nursery._nurse())._process.pid != killed
    process.close()


@pytest.mark.parametrize("max_cpu", [200, 20_000, 60_000])
async def test_one_that_may_compute_for_long_may_be_silent_for_longer(  # [ISOLATE3]
    monkeypatch: pytest.MonkeyPatch, max_cpu: int
) -> None:
    asked: list[int] = []

    class Nurse:
        gone = False

        async def start(self, missed: int) -> None:
            asked.append(missed)

    async def born(*_: Any) -> Nurse:
        return Nurse()

    monkeypatch.setattr(_Nurse, "born", born)
    await Nursery(APP, Settings(), "rooms").start(max_cpu)
    assert asked[0] * PING_EVERY >= max(30, 1.25 * max_cpu / 1000)


class Link:
    """One to a process that says nothing."""

    def __init__(self) -> None:
        self.send = self.close = self.pause = self.resume = lambda *_: None
        self.over: Callable[[], None] = lambda: None

    def listen(self, on_line: Any, on_close: Any) -> None:
        self.over = on_close


def _process(status: asyncio.Future[int]) -> tuple[RoomProcess, Link]:
    link: Any = Link()
    memory: Any = bytearray(SIZE)
    process = RoomProcess(4711, link, memory, status)
    process.listen(lambda line: None, lambda: None)
    return process, link


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (-signal.SIGVTALRM, "cpu"),
        (OUT_OF_MEMORY, "memory"),
        (-signal.SIGKILL, "crashed"),
        (1, "crashed"),
    ],
)
async def test_how_it_ended_is_known_by_its_status(status: int, cause: str) -> None:  # [ISOLATE4]
    told = asyncio.get_running_loop().create_future()
    told.set_result(status)
    assert await _process(told)[0].died() == Died(cause, "")


async def test_nobody_is_killed_by_a_number_that_may_be_anothers(  # [ISOLATE2]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    loop = asyncio.get_running_loop()
    for end in ("it lives", "its nursery was killed", "it was reaped", "both are gone"):
        status: asyncio.Future[int] = loop.create_future()
        process, link = _process(status)
        match end:
            case "its nursery was killed":
                status.cancel()
            case "it was reaped":
                status.set_result(0)
            case "both are gone":
                status.cancel()
                link.over()
        process.kill()
        assert len(killed) == (1 if end == "it lives" else 2), end


async def test_an_app_that_cant_be_imported_gives_none(tmp_path: Path) -> None:  # [ISOLATE2]
    (tmp_path / "app.py").write_text("import nothing_like_this\n")
    nursery = Nursery(str(tmp_path), Settings(), "rooms")
    await nursery.warmed()  # nobody waits for ever
    with pytest.raises(LinkError, match="couldn't be started"):
        await nursery.start(200)
    await nursery.close()
    with pytest.raises(LinkError, match="the host ends"):
        await nursery.start(200)
