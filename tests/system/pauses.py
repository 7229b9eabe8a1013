"""How long rooms pause when something happens to their hosts or to their store, as their clients
see it: from an event to its outcome, the longest of all that were under way.

    python -m tests.system.pauses                   # everything; some three minutes
    python -m tests.system.pauses --only death drain --blows 50 --rooms 2000

It also counts sockets that were closed, and events that were lost or had their effect twice: none.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import statistics
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from client import connect
from rooms.server import run
from rooms.store.port import SessionId
from tests.ports import free_port
from tests.rooms.store.servers import running as running_redis
from tests.rooms.store.servers import watched
from tests.system.closings import Closed, watch
from tests.system.endurance import within
from tests.system.processes import command, processes, running, said
from tests.system.shared import Shared, eventually, shared

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Awaitable, Callable

    from client import Room
    from tests.system.processes import Server

COUNTER: Final = "examples/counter"
EVERY: Final = 0.05
"""Seconds from an outcome to the next event of the same client."""
QUIET: Final = 2.0
"""Seconds before the first blow, and between two."""
EVERYSEC: Final = ("--appendonly", "yes", "--appendfsync", "everysec")
REPLICATED: Final = """
from examples.counter.counter import Counter
from rooms import App, replicated

class Replicated(Counter):
    durability = replicated(1)

app = App(counter=Replicated)
"""


class Wait(NamedTuple):
    """Of which client, when an event was sent, and when its outcome came (s)."""

    client: int
    sent: float
    answered: float


class Load:
    """One client in each of so many rooms, which counts there, again and again."""

    def __init__(self, url: str, rooms: int, every: float = EVERY) -> None:
        self.rooms = [connect(f"{url}/rooms/counter/paused-{n}") for n in range(rooms)]
        self.waits: list[Wait] = []
        self.pauses: list[float] = []
        self.longest: list[float] = []
        self.closed: list[Closed] = []
        self._every = every
        self._counts: Counter[int] = Counter()
        self._answered = [0.0] * rooms
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def begin(self) -> None:
        """Connect, and count from now on."""
        await asyncio.gather(*(room.ready() for room in self.rooms))
        for n, room in enumerate(self.rooms):
            watch(room, f"{n}", self.closed)
        self._playing = [
            asyncio.ensure_future(self._play(n, room)) for n, room in enumerate(self.rooms)
        ]
        await self.quiet()

    async def blow(self, strike: Callable[[], Awaitable[Any]]) -> None:
        """Strike; the pause is over when everybody had an outcome of what was said after it."""
        begun = self._loop.time()
        await strike()
        over = self._loop.time()
        sent_later = lambda: min(self._answered) > over  # noqa: E731
        await within(120, "everybody goes on", sent_later)
        longest: dict[int, float] = {}
        for client, sent, answered in self.waits:
            if answered >= begun:
                longest[client] = max(answered - sent, longest.get(client, 0))
        self.longest.extend(longest.values())
        self.pauses.append(max(longest.values()))
        await self.quiet()

    async def quiet(self) -> None:
        """Let some time pass in which nothing happens to anybody."""
        await _passed(QUIET)
        if not self.pauses:
            self.usual = max(wait.answered - wait.sent for wait in self.waits)

    async def end(self, what: str) -> bool:
        """Say what it cost; whether that is as promised."""
        self._ending.set()
        await asyncio.gather(*self._playing)
        wrong = 0
        for n, room in enumerate(self.rooms):
            async with connect(room._url) as fresh:
                wrong += abs(fresh.context["count"] - self._counts[n])
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in self.rooms))
        pauses = sorted(round(pause * 1000) for pause in self.pauses)
        print(  # noqa: T201
            f"{what}: {len(pauses)} times, pause {statistics.median(pauses):.0f} ms in the median, "
            f"{pauses[-1]} ms at most, p99 of the clients {_p99(self.longest) * 1000:.0f} ms "
            f"(before: {self.usual * 1000:.0f} ms); of {len(self.rooms)} sockets "
            f"{len(self.closed)} closed, of {sum(self._counts.values())} events {wrong} lost or "
            "doubled",
            flush=True,
        )
        return not wrong

    async def _play(self, n: int, room: Room) -> None:
        while not self._ending.is_set():
            sent = self._loop.time()
            outcome = await asyncio.wait_for(room.send({"type": "increment"}), 120)
            assert outcome.outcome == "accepted", outcome
            self._counts[n] += 1
            self.waits.append(Wait(n, sent, self._loop.time()))
            self._answered[n] = sent
            await _passed(self._every)


def _p99(times: list[float]) -> float:
    """Of what each client waited longest, at each blow."""
    return sorted(times)[len(times) * 99 // 100]


async def _passed(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - a load in time


# -------------------------------------------------------------------------------- what happens


class Asked(NamedTuple):
    """How often; how many clients, a room each; how many rooms of the host that gives them over."""

    blows: int
    clients: int
    rooms: int


async def death(asked: Asked, stack: AsyncExitStack, folder: Path) -> bool:
    """A host is killed, and its supervisor certifies that."""
    server = stack.enter_context(running(COUNTER, folder, "--hosts", "2", "--routers", "2"))
    load = Load(server.url, asked.clients)
    await load.begin()
    for _ in range(asked.blows):
        await load.blow(lambda: _kill_host(server))
    return await load.end("a host is killed, which its supervisor sees")


async def _kill_host(server: Server) -> None:
    ready = said(server, "is ready")
    os.kill(processes(server, "host")[0], signal.SIGKILL)
    await within(60, "another host", lambda: said(server, "is ready") > ready)


async def lease(asked: Asked, stack: AsyncExitStack, folder: Path) -> bool:
    """A host is killed, which nobody certifies."""
    fleet = await Apart.start(stack)
    load = Load(fleet.url, asked.clients)
    await load.begin()
    for _ in range(min(asked.blows, 3)):
        await load.blow(fleet.kill)
    return await load.end("a host is killed, which nobody sees")


async def failover(asked: Asked, stack: AsyncExitStack, folder: Path) -> bool:
    """Redis' primary is killed; a sentinel promotes a replica."""
    (folder / "app.py").write_text(REPLICATED)
    servers, url = stack.enter_context(watched("redis", replicas=2, missed_after=500))
    options = ("--store", url, "--hosts", "2", "--routers", "2")
    server = stack.enter_context(running(str(folder), folder, *options))
    load = Load(server.url, asked.clients)
    await load.begin()

    async def kill() -> None:
        servers[0].kill()

    await load.blow(kill)
    return await load.end("Redis' primary is killed, which a sentinel sees after 0.5 s")


async def drain(asked: Asked, stack: AsyncExitStack, folder: Path) -> bool:
    """A host gives all its live rooms over to another one."""
    fleet = await Apart.start(stack, hosts=1)
    load = Load(fleet.url, asked.rooms, every=2.0)
    await load.begin()
    await fleet.start_host()
    loop, took = asyncio.get_running_loop(), 0.0

    async def give_over() -> None:
        nonlocal took
        begun = loop.time()
        await fleet.drain()
        took = loop.time() - begun

    await load.blow(give_over)
    return await load.end(f"a host gives over {asked.rooms} live rooms, in {took:.2f} s")


async def deploy(asked: Asked, stack: AsyncExitStack, folder: Path) -> bool:
    """All hosts are replaced, one after the other."""
    server = stack.enter_context(running(COUNTER, folder, "--hosts", "2", "--routers", "2"))
    load = Load(server.url, asked.clients)
    await load.begin()

    async def roll() -> None:
        before = said(server, "has taken over")
        server.signal(signal.SIGHUP)
        await within(120, "all replaced", lambda: said(server, "has taken over") == before + 2)

    for _ in range(min(asked.blows, 5)):
        await load.blow(roll)
    return await load.end("both hosts are replaced, as a deploy does it")


class Apart:
    """`rooms host` and `rooms router`, with nothing in common but Redis."""

    def __init__(self, stack: AsyncExitStack, store: str, look: Shared) -> None:
        self.url = ""
        self._stack = stack
        self._store = store
        self._look = look
        self._hosts: dict[str, subprocess.Popen[str]] = {}

    @classmethod
    async def start(cls, stack: AsyncExitStack, hosts: int = 2) -> Apart:
        """So many hosts, and one router."""
        redis = stack.enter_context(running_redis("redis", *EVERYSEC))
        look = await stack.enter_async_context(shared(redis.url()))
        fleet = cls(stack, redis.url(), look)
        for _ in range(hosts):
            await fleet.start_host()
        _, fleet.url = await fleet._start("router", "--port", str(free_port()))
        return fleet

    async def start_host(self) -> None:
        """One more."""
        process, address = await self._start("host", COUNTER)
        self._hosts[address] = process

    async def kill(self) -> None:
        """The host that has the first room; another is started at once, and finds that taken by
        nobody until its lease is over.
        """
        owner = await self._look.owned(SessionId("counter", "paused-0"))
        self._hosts.pop(owner.address).kill()
        await self.start_host()

        async def over() -> bool:
            return owner.incarnation not in (await self._look.hosts()).values()

        await eventually(60, "its lease is over", over)

    async def drain(self) -> None:
        """The host that has the first room gives all of them over, and ends."""
        owner = await self._look.owned(SessionId("counter", "paused-0"))
        host = self._hosts.pop(owner.address)
        host.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(host.wait, 60)
        assert status == 0, f"the host ended with {status}"

    async def _start(self, *arguments: str) -> tuple[subprocess.Popen[str], str]:
        started = command(*arguments, "--store", self._store)
        return await asyncio.to_thread(self._stack.enter_context, started)


# -------------------------------------------------------------------------------- the command

HAPPENINGS: Final = {one.__name__: one for one in (death, lease, failover, drain, deploy)}


async def main() -> int:
    """What was asked for, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.pauses", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(HAPPENINGS), default=list(HAPPENINGS))
    parser.add_argument("--blows", type=int, default=20, help="how often a host is killed")
    parser.add_argument("--clients", type=int, default=32, help="who count, a room each")
    parser.add_argument("--rooms", type=int, default=1_000, help="of the host that gives them over")
    options = parser.parse_args()
    asked = Asked(options.blows, options.clients, options.rooms)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a socket a room: more than is usual
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    kept = True
    for name in options.only:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rooms-")))
            kept &= await HAPPENINGS[name](asked, stack, folder)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(run(main()))
