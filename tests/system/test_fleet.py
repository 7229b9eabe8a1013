"""Several hosts and routers of one machine, as real processes: what is struck costs no socket that
a living router holds, and no event.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import random
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from client import Room, connect
from tests.rooms.store.servers import within as settled
from tests.system.closings import Closed, watch
from tests.system.endurance import APP, BRIEF, Strike, game, log, within
from tests.system.processes import (
    ROOT,
    Server,
    connections,
    listening,
    processes,
    running,
    said,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from client.link import Closing

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.system

COUNTER = "examples/counter"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fleet")
    with running(COUNTER, folder, "--hosts", "2", "--routers", "2") as server:
        yield server


@pytest.fixture
def fleet(started: Server) -> Server:
    """One fleet for all that don't need one of their own, whole whatever the last one did to it."""
    process = started._process
    if (
        process is None
        or process.poll() is not None
        or [len(processes(started, role)) for role in ("host", "router")] != [2, 2]
    ):
        started.kill()
        started.lines.clear()  # who was to be ready by now never will be
        started.start()
    settled(60, "both routers take connections", lambda: listening(started.port) == 2)
    again = said(started, "starting another")
    settled(60, "what was started again says so", lambda: said(started, "is ready") >= again)
    return started


class Crowd:
    """Clients that count in several rooms, one event after the other, and look at their sockets."""

    _numbers = itertools.count(1)

    def __init__(self, server: Server, clients: int, rooms: int) -> None:
        kind = f"{server.url}/rooms/counter/crowd-{next(self._numbers)}"
        self.rooms = [connect(f"{kind}-{n % rooms}") for n in range(clients)]
        self.counts = [0] * rooms
        self.done = 0
        self.closed: list[Closed] = []
        self.longest = 0.0
        for n, room in enumerate(self.rooms):
            watch(room, f"{n}", self.closed)

    def first(self) -> list[Closing]:
        """What each of them was told whose socket was closed by others, when it first was."""
        return list({closed.who: closed.why for closed in reversed(self.closed)}.values())

    async def open(self) -> None:
        await asyncio.gather(*(room.ready() for room in self.rooms))

    async def play(self, each: int) -> None:
        """Everybody sends so many, and has every outcome."""
        await asyncio.gather(*(self._play(n, room, each) for n, room in enumerate(self.rooms)))

    async def _play(self, n: int, room: Room, each: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(each):
            begun = loop.time()
            outcome = await asyncio.wait_for(room.send({"type": "increment"}), 60)
            self.longest = max(self.longest, loop.time() - begun)
            assert outcome.outcome == "accepted"
            self.counts[n % len(self.counts)] += 1
            self.done += 1

    async def agree(self) -> None:
        """Everybody sees what was counted, each event once."""
        for n, room in enumerate(self.rooms):
            await _counts(room, self.counts[n % len(self.counts)])

    def report(self) -> None:
        """What it cost."""
        ms = round(self.longest * 1000)
        closed = len(self.closed)
        logger.info("%d events, %d sockets closed, longest wait %d ms", self.done, closed, ms)

    async def close(self) -> None:
        for room in self.rooms:
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in self.rooms))


async def _counts(room: Room, count: int) -> None:
    await within(60, f"{count} in {room}", lambda: room.context["count"] >= count)
    assert room.context["count"] == count


async def strike(
    playing: asyncio.Future[None], crowd: Crowd, blow: Callable[[], None], at: int
) -> None:
    """Do this once the crowd has done so much."""
    await within(60, f"{at} events", lambda: crowd.done >= at or playing.done())
    blow()


async def test_hosts_killed_under_load_cost_no_socket_and_no_event(
    # [ROUTE1] [SEND2] [STORE3] [FLEET1] [FLEET2] [FLEET3]
    fleet: Server,
) -> None:
    crowd = Crowd(fleet, clients=8, rooms=4)
    await crowd.open()
    killed, ready = (said(fleet, what) for what in ("ended with status 137", "is ready"))
    playing = asyncio.ensure_future(crowd.play(60))
    for kill in range(1, 4):
        await strike(playing, crowd, lambda: os.kill(processes(fleet, "host")[0], 9), kill * 120)
        ended = killed + kill
        await within(60, "its end", lambda: said(fleet, "ended with status 137") == ended)  # noqa: B023
        await within(60, "another host", lambda: said(fleet, "is ready") == ready + kill)  # noqa: B023
    await playing
    await crowd.agree()
    crowd.report()
    assert crowd.closed == []
    assert crowd.done == 480
    await crowd.close()


def losing_hosts(server: Server) -> Strike:
    """Killing the oldest host; another takes its place."""

    async def strike() -> None:
        ready = said(server, "is ready")
        os.kill(processes(server, "host")[0], signal.SIGKILL)
        await within(60, "another host", lambda: said(server, "is ready") > ready)

    return strike


async def test_a_history_with_killed_hosts_breaks_no_promise(tmp_path: Path) -> None:
    # [SEND2] [SEND3] [SEND5] [TURN2] [TURN3] [TIME1] [VIEW9] [ROUTE1]
    with running(APP, tmp_path, "--hosts", "2", "--routers", "2") as server:
        strike = losing_hosts(server)
        violations = await log(
            server.url, "table", 6, 30, strike, 3, random.Random(7), keeps_sockets=True
        )
        assert violations == []


async def test_trivia_goes_on_when_its_hosts_are_killed(tmp_path: Path) -> None:
    # [TIME1] [SEAT3] [ROUTE1]
    with running(APP, tmp_path, "--hosts", "2", "--routers", "2") as server:
        await game(server.url, "quick", 4, 2, losing_hosts(server), 3, random.Random(7))


async def test_a_rolling_restart_loses_nothing_of_anybody(  # [ROUTE9] [FLEET4]
    fleet: Server,
) -> None:
    crowd = Crowd(fleet, clients=4, rooms=4)
    await crowd.open()
    before, taken = processes(fleet, "host"), said(fleet, "taken over")
    casts = asyncio.Event()

    async def cast() -> int:
        """Plain events, which nobody repeats."""
        room, sent = crowd.rooms[0], 0
        while not casts.is_set():
            sent += room.cast({"type": "increment"})
            await asyncio.wait([asyncio.ensure_future(casts.wait())], timeout=0.02)
        return sent

    casting = asyncio.ensure_future(cast())
    playing = asyncio.ensure_future(crowd.play(150))
    await strike(playing, crowd, lambda: fleet.signal(signal.SIGHUP), 40)
    await within(60, "both hosts replaced", lambda: said(fleet, "taken over") == taken + 2)
    casts.set()
    sent = await casting  # others count meanwhile
    crowd.counts[0] += sent
    await playing
    await crowd.agree()
    assert not set(before) & set(processes(fleet, "host"))
    crowd.report()
    assert crowd.closed == []
    await crowd.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_router_that_ends_costs_its_own_sockets_alone(  # [CLOSE1] [FLEET2]
    fleet: Server, number: signal.Signals
) -> None:
    crowd = Crowd(fleet, clients=16, rooms=2)
    await crowd.open()
    router = processes(fleet, "router")[0]
    held = connections(router, fleet.port)
    playing = asyncio.ensure_future(crowd.play(20))
    await strike(playing, crowd, lambda: os.kill(router, number), 100)
    await playing
    await crowd.agree()
    await within(60, "all that it held have ended", lambda: len(crowd.first()) >= held)
    first = crowd.first()
    assert len(first) == held
    if number == signal.SIGTERM:
        assert {closing.code for closing in first} <= {1001}
        assert held < 3 or len({closing.retry_after for closing in first}) > 1, "all at one moment"
    await within(60, "another router", lambda: len(processes(fleet, "router")) == 2)
    crowd.report()
    await crowd.close()


async def test_a_host_that_stood_still_past_its_lease_is_fenced(  # [STORE4] [ROUTE7] [ROUTE6]
    tmp_path: Path,
) -> None:
    with running(BRIEF, tmp_path, "--hosts", "2", "--routers", "2") as fleet:
        crowd = Crowd(fleet, clients=16, rooms=16)
        await crowd.open()
        await crowd.play(3)
        for still in processes(fleet, "host"):
            os.kill(still, signal.SIGSTOP)
            try:
                await crowd.play(3)  # goes on when the lease has ended
            finally:
                os.kill(still, signal.SIGCONT)
            if crowd.longest > 1:
                break  # else the other one has all the rooms: routers found it first
        assert crowd.longest > 1, "neither had a room"
        await crowd.play(10)
        await crowd.agree()
        assert crowd.closed == []
        assert still in processes(fleet, "host")
        crowd.report()
        await crowd.close()


async def test_told_to_stop_it_tells_everybody_when_to_come_back(  # [CLOSE1] [FLEET5]
    fleet: Server,
) -> None:
    crowd = Crowd(fleet, clients=4, rooms=2)
    await crowd.open()
    await crowd.play(5)
    assert await asyncio.to_thread(fleet.stop) == 0
    await within(60, "all of them are told", lambda: len(crowd.first()) == 4)
    told = crowd.first()
    assert [closing.code for closing in told] == [1001] * 4
    assert len({closing.retry_after for closing in told}) > 1, "all at one moment"
    await asyncio.to_thread(fleet.start)
    await crowd.play(1)
    await crowd.agree()
    await crowd.close()


def test_a_port_is_shared_with_no_other_fleet(fleet: Server, tmp_path: Path) -> None:
    other = Server(COUNTER, tmp_path, "--hosts", "2")
    other.port = fleet.port
    with pytest.raises(AssertionError, match="can't listen on"):
        other.start()


def test_an_app_that_cant_be_loaded_ends_it_with_one_line(tmp_path: Path) -> None:  # [FLEET2]
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_like_this\n")
    server = Server(str(broken), tmp_path, "--hosts", "2")
    with pytest.raises(AssertionError, match="No module named 'nothing_like_this'"):
        server.start()


async def test_nobody_outlives_the_supervisor(fleet: Server) -> None:  # [FLEET6]
    children = processes(fleet, "host") + processes(fleet, "router")
    assert len(children) == 4
    assert fleet._process is not None
    fleet._process.kill()  # it alone, not its group
    await asyncio.to_thread(fleet._process.wait)
    await within(60, "all of them end", lambda: not any(map(_runs, children)))
    await asyncio.to_thread(fleet.start)  # nothing is in its way


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_changed_code_that_cant_be_loaded_leaves_the_hosts_as_they_are(  # [FLEET4]
    tmp_path: Path,
) -> None:
    app = tmp_path / "changing.py"
    app.write_text((ROOT / COUNTER / "counter.py").read_text().replace(', pages="web"', ""))
    with running(str(app), tmp_path, "--hosts", "2") as server:
        before = processes(server, "host")
        app.write_text("import nothing_like_this\n")
        server.signal(signal.SIGHUP)
        asyncio.run(within(60, "it says so", lambda: said(server, "the others stay") == 1))
        assert processes(server, "host") == before
