"""What the supervisor of a fleet decides: its processes are a script's, its store is real."""

from __future__ import annotations

import asyncio
import itertools
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

from rooms import fleet
from rooms.settings import Settings
from rooms.store.port import HostInfo
from tests.clock import virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

TTL = 10_000


class Member:
    """A process that does what the test says."""

    def __init__(self, on: Supervised, role: str, name: str, settings: Settings) -> None:
        self.role = role
        self.name = name
        self.settings = settings
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.failures = 0
        self.status = 0
        self.stopped = False
        self.door = None
        self.linked = asyncio.Event()
        self._on = on

    @property
    def up(self) -> bool:
        return self.ready.is_set() and not self.ended.is_set()

    async def start(self) -> None:
        self._on.did.append(f"{self.name} starts")
        if self.stopped:
            self.end()

    async def knows(self, address: str, seconds: float) -> bool:
        assert address in {host.settings.listen for host in self._on.all("host")}
        await asyncio.wait([asyncio.ensure_future(self.linked.wait())], timeout=seconds)
        return self.linked.is_set()

    async def stop(self) -> None:
        self.stopped = True
        self._on.did.append(f"{self.name} is asked to end")
        await self.ended.wait()

    def kill(self) -> None:
        self.end(137)

    # what the test says

    def end(self, status: int = 0) -> None:
        self.status = status
        self.ended.set()


class Supervised:
    """A supervisor of two hosts and two routers, and all that it ever started."""

    def __init__(self) -> None:
        self.loop = virtual()
        self.did: list[str] = []
        self.urls: list[str] = []
        self.signals: dict[int, Callable[[], None]] = {}
        self.members: dict[str, Member] = {}
        settings = Settings(store="memory:", port=0, hosts=2, routers=2)
        self.fleet = fleet.Fleet("app", settings, ready=self.urls.append, say=self.did.append)
        self._incarnations = itertools.count(1)

    def made(self, role: str, name: str, target: str, settings: Settings) -> Member:
        member = self.members[name] = Member(self, role, name, settings)
        return member

    def all(self, role: str) -> list[Member]:
        """Those of this role that haven't ended."""
        return [one for one in self.members.values() if one.role == role and not one.ended.is_set()]

    async def ready(self, *members: Member) -> None:
        """These are ready; a host has its lease by then."""
        for member in members:
            if member.role == "host":
                name = f"incarnation {next(self._incarnations)}"
                info = HostInfo(name, member.settings.listen, {"counter": "1"}, 0)
                assert await self.fleet._store.heartbeat(info, TTL)
            member.ready.set()
        await self.loop.settle()

    async def end(self, member: Member, status: int = 0) -> None:
        """It ends."""
        member.end(status)
        await self.loop.settle()

    async def signal(self, number: signal.Signals) -> None:
        """Somebody signals the supervisor."""
        self.signals[number]()
        await self.loop.settle()

    async def living(self) -> set[str]:
        """The addresses of the hosts that live, for the store."""
        return {host.address for host in await self.fleet._store.hosts()}

    def took(self) -> list[str]:
        """What was done since the last call, in its order."""
        did, self.did = self.did[:], self.did
        self.did.clear()
        return did


@asynccontextmanager
async def supervised() -> AsyncIterator[tuple[Supervised, asyncio.Task[int]]]:
    """One that has just begun, and the status it will exit with."""
    on = Supervised()
    with (
        patch.object(fleet, "_Member", on.made),
        patch.object(fleet, "elapsed", on.loop.elapsed),
        patch.object(on.loop, "add_signal_handler", on.signals.__setitem__),
    ):
        running = on.loop.create_task(on.fleet.run())
        await on.loop.settle()
        try:
            yield on, running
        finally:
            on.fleet._stopping.set()
            while not running.done():
                for role in ("router", "host"):
                    for member in on.all(role):
                        member.end()
                await on.loop.advance(1)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Supervised, asyncio.Task[int]]]:
    """One that serves."""
    async with supervised() as (on, running):
        await on.ready(*on.all("host"))
        await on.ready(*on.all("router"))
        on.took()
        yield on, running


# ---------------------------------------------------------------------- starting, and again


async def test_hosts_are_there_before_routers_and_both_before_anybody_is_told() -> None:  # [FLEET1]
    async with supervised() as (on, _):
        assert on.took() == ["host-1 starts", "host-2 starts"]
        await on.ready(on.members["host-1"])
        assert on.took() == []
        await on.ready(on.members["host-2"])
        assert on.took() == ["router-3 starts", "router-4 starts"]
        await on.ready(on.members["router-3"])
        assert on.urls == []
        await on.ready(on.members["router-4"])
        assert len(on.urls) == 1


async def test_what_cant_be_started_at_first_ends_all_of_them() -> None:  # [FLEET2]
    async with supervised() as (on, running):
        one, two = on.all("host")
        on.took()
        await on.end(one, 2)
        assert "host-2 is asked to end" in on.took()
        assert on.all("host") == [two]
        await on.end(two)
        assert await running == 2
        assert on.urls == []


async def test_what_ends_unasked_is_started_again_with_growing_pauses() -> None:  # [FLEET2]
    async with serving() as (on, _):
        router = on.all("router")[0]
        pauses = []
        for _ in range(10):
            others = on.all("router")
            others.remove(router)
            await on.end(router, 137)
            at = on.loop.ms
            while on.all("router") == others:
                await on.loop.advance(10)
                assert on.loop.ms - at < 10_000
            pauses.append(on.loop.ms - at)
            [router] = [one for one in on.all("router") if one not in others]
        assert pauses == [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]
        await on.ready(router)
        await on.loop.advance(11_000)
        await on.end(router)
        assert len(on.all("router")) == 2  # it had run well


async def test_one_that_cant_be_started_later_is_tried_again() -> None:  # [FLEET2]
    async with serving() as (on, running):
        await on.end(on.all("host")[0], 137)
        await on.end(on.members["host-5"], 1)
        await on.loop.advance(100)
        assert not running.done()
        await on.ready(on.members["host-6"])
        assert "host-6 is ready" in on.took()


async def test_a_host_that_ended_is_dead_for_the_store_at_once() -> None:  # [FLEET3]
    async with serving() as (on, _):
        one, two = on.all("host")
        await on.end(one, 137)
        assert await on.living() == {two.settings.listen}
        await on.end(on.all("router")[0], 137)
        assert await on.living() == {two.settings.listen}


async def test_it_is_ready_while_a_host_and_a_router_are() -> None:  # [METRIC3] [METRIC2]
    async with supervised() as (on, _):
        await on.ready(*on.all("host"))
        assert on.fleet._state == "no host or no router"
        await on.ready(*on.all("router"))
        assert on.fleet._state == "ready"
        one, two = on.all("host")
        await on.end(one, 137)
        assert on.fleet._state == "ready"
        await on.end(two, 137)
        assert on.fleet._state == "no host or no router"
        await on.ready(on.all("host")[0])
        assert on.fleet._state == "ready"
        await on.signal(signal.SIGTERM)
        assert on.fleet._state == "draining"


# ---------------------------------------------------------------------- rolling restart


async def test_each_host_is_replaced_by_one_that_the_routers_know() -> None:  # [FLEET4]
    async with serving() as (on, _):
        first, second = on.all("host")
        await on.signal(signal.SIGHUP)
        assert on.took() == ["host-5 starts"]
        await on.ready(on.members["host-5"])
        assert on.took() == []
        one, other = on.all("router")
        one.linked.set()
        await on.loop.settle()
        assert on.took() == []
        other.linked.set()
        await on.loop.settle()
        assert on.took() == [f"{first.name} is asked to end"]
        await on.end(first)
        assert on.took() == ["host-5 has taken over from host-1", "host-6 starts"]
        await on.ready(on.members["host-6"])
        await on.end(second)
        assert [host.name for host in on.all("host")] == ["host-5", "host-6"]


async def test_a_router_that_never_finds_a_new_host_is_waited_for_so_long() -> None:  # [FLEET4]
    async with serving() as (on, _):
        await on.signal(signal.SIGHUP)
        await on.ready(on.members["host-5"])
        on.took()
        await on.loop.advance(9_900)
        assert on.took() == []
        await on.loop.advance(200)
        assert on.took() == ["host-1 is asked to end"]


async def test_where_none_can_be_started_the_old_ones_stay() -> None:  # [FLEET4]
    async with serving() as (on, _):
        old = on.all("host")
        await on.signal(signal.SIGHUP)
        await on.end(on.members["host-5"], 1)
        assert on.took() == [
            "host-5 starts",
            "host-5 is asked to end",
            "host-5 can't be started: host-1 and the others stay",
        ]
        await on.loop.advance(10_000)
        assert on.all("host") == old
        assert on.took() == []


async def test_a_host_that_ended_meanwhile_is_replaced_once() -> None:  # [FLEET2] [FLEET4]
    async with serving() as (on, _):
        for router in on.all("router"):
            router.linked.set()
        await on.signal(signal.SIGHUP)
        await on.end(on.members["host-1"], 137)
        await on.ready(on.members["host-6"])
        on.took()
        await on.ready(on.members["host-5"])
        assert on.took() == ["host-5 is asked to end"]
        await on.end(on.members["host-5"])
        assert on.took() == ["host-7 starts"]  # for the other one


# ---------------------------------------------------------------------- the end


async def test_routers_end_first_then_hosts_and_the_status_is_0() -> None:  # [FLEET5]
    async with serving() as (on, running):
        (one, two), routers = on.all("host"), on.all("router")
        await on.signal(signal.SIGTERM)
        assert on.took() == [f"{router.name} is asked to end" for router in routers]
        await on.end(routers[0])
        assert on.took() == []
        await on.end(routers[1])
        assert on.took() == ["host-1 is asked to end", "host-2 is asked to end"]
        await on.end(one)
        assert not running.done()
        await on.end(two)
        assert await running == 0
        assert on.took() == []


async def test_a_second_signal_waits_for_nobody() -> None:  # [FLEET5]
    async with serving() as (on, running):
        await on.signal(signal.SIGINT)
        await on.signal(signal.SIGINT)
        assert on.all("host") == on.all("router") == []
        assert await running == 0


async def test_one_that_is_about_to_take_over_ends_with_the_others() -> None:  # [FLEET6]
    async with serving() as (on, running):
        await on.signal(signal.SIGHUP)
        await on.signal(signal.SIGTERM)
        for router in on.all("router"):
            await on.end(router)
        on.took()
        for host in on.all("host"):
            await on.end(host)
        assert on.members["host-5"].stopped
        assert await running == 0
