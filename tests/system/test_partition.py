"""Hosts and routers that lose sight of each other, or of the store: nothing is lost or doubled, no
socket closes, and everybody notices by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING

import pytest

from rooms.store.port import SessionId
from tests.ports import free_port
from tests.rooms.store.servers import running as running_redis
from tests.system import cables
from tests.system.cables import proxied
from tests.system.endurance import APP, BRIEF, log, within
from tests.system.processes import command, connections
from tests.system.shared import eventually, shared

if TYPE_CHECKING:
    import subprocess

    from tests.system.cables import Proxy

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.system


async def test_links_that_are_late_cut_or_half_open_lose_nothing() -> None:
    # [LINK1] [LINK5] [LINK7] [ROUTE1] [ROUTE6] [SEND2] [SEND3] [VIEW9]
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_redis("redis"))
        store = ("--store", redis.url())
        proxies: list[Proxy] = []
        for _ in range(3):
            port = free_port()
            proxy = await stack.enter_async_context(proxied(port))
            proxies.append(proxy)
            here, there = (f"tcp:127.0.0.1:{number}" for number in (port, proxy.port))
            host = command("host", APP, "--listen", here, "--advertise", there, *store)
            await asyncio.to_thread(stack.enter_context, host)
        router = command("router", "--port", str(free_port()), *store)
        _, url = await asyncio.to_thread(stack.enter_context, router)
        one, two, three = proxies
        loop = asyncio.get_running_loop()

        async def ends(*ended: tuple[Proxy, int]) -> None:
            """Wait until so many ends have come to each, though nobody was told; then heal."""
            begun = loop.time()
            awaited = [(proxy, proxy.ended + ends) for proxy, ends in ended]
            given_up = lambda: all(proxy.ended >= ends for proxy, ends in awaited)  # noqa: E731
            await within(60, "the links are given up", given_up)
            logger.info("given up after %.1f s", loop.time() - begun)
            for proxy, _ in ended:
                proxy.heal()

        async def be_late() -> None:
            one.late = 0.05

        async def cut() -> None:
            one.late = 0
            for proxy in proxies:
                proxy.cut()

        async def hold() -> None:
            one.hold(one.to_host)
            two.hold(two.to_router)
            three.hold(three.to_host, three.to_router)
            await ends((one, 1), (two, 1), (three, 2))

        async def swallow() -> None:
            for proxy in proxies:
                proxy.hold(proxy.to_router)
            await within(60, "replies to lose", lambda: all(proxy.held for proxy in proxies))
            for proxy in proxies:
                proxy.cut()
                proxy.heal()

        blows = iter((be_late, cut, hold, swallow))
        violations = await log(
            *(url, "table", 8, 40, lambda: next(blows)(), 4, random.Random(7)),
            rooms=8,
            keeps_sockets=True,
        )
        assert violations == []


async def test_a_host_cut_off_from_routers_or_from_the_store_loses_nothing() -> None:
    # [LINK5] [ROUTE1] [ROUTE7] [STORE2] [STORE4]
    id = SessionId("table", "endured-0")
    with ExitStack() as stack:
        name, to_store, to_routers = stack.enter_context(cables.namespace())
        everywhere = ("--bind", "127.0.0.1", to_store.here, "--protected-mode", "no")
        redis = stack.enter_context(running_redis("redis", *everywhere, port=free_port()))

        async def start(
            *arguments: str, store: str, inside: tuple[str, ...] = ()
        ) -> tuple[subprocess.Popen[str], str]:
            started = command(*arguments, "--store", store, inside=inside)
            return await asyncio.to_thread(stack.enter_context, started)

        host, address = await start(
            *("host", BRIEF, "--listen", f"tcp:{to_routers.there}:0"),
            store=f"redis://{to_store.here}:{redis.port}",
            inside=cables.inside(name),
        )
        port = int(address.rpartition(":")[2])
        router, url = await start("router", "--port", str(free_port()), store=redis.url())

        async with shared(redis.url()) as store:

            async def no_routers() -> None:
                to_routers.unplug()

                def given_up() -> bool:
                    dialled = connections(router.pid, port, dialled=True)
                    return not dialled and not connections(host.pid, port)

                await within(60, "both give the link up", given_up)
                to_routers.plug()

            async def no_store() -> None:
                before = await store.owned(id)
                to_store.unplug()
                await start("host", BRIEF, store=redis.url())
                await store.owned(id, other_than=before)
                to_store.plug()

                async def lives_anew() -> bool:
                    return (await store.hosts()).get(address, before.incarnation) != (
                        before.incarnation
                    )

                await eventually(60, "it goes on as another incarnation", lives_anew)

            blows = iter((no_routers, no_store))
            violations = await log(
                *(url, "table", 6, 40, lambda: next(blows)(), 2, random.Random(7)),
                rooms=2,
                keeps_sockets=True,
            )
            assert violations == []
