"""`rooms host` and `rooms router` as an operator of several machines starts them: one by one, over
TCP with certificates, with nothing in common but the store.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from rooms.host.clock import elapsed
from rooms.store import remote
from rooms.store.memory import MemoryStore
from rooms.store.port import SessionId
from tests.ports import free_port
from tests.rooms.link.test_links import certificate
from tests.system.endurance import BRIEF, log
from tests.system.processes import ROOT, command
from tests.system.shared import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.system


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a store that every process can reach."""
    kept = MemoryStore(lambda: 1_800_000_000_000 + int(elapsed()), elapsed=elapsed)
    listener = await remote.serve(kept, f"unix:{tmp_path}/store")
    yield listener.address
    listener.close()


async def test_hosts_and_routers_find_each_other_by_the_store_alone(  # [ROUTE1] [ROUTE9] [LINK2]
    store: str, tmp_path: Path
) -> None:
    tls = ",".join(certificate(tmp_path))
    links = ("--store", store, "--link-tls", tls)
    port, id = str(free_port()), SessionId("table", "endured-0")
    hosts: dict[str, subprocess.Popen[str]] = {}
    with ExitStack() as running:

        async def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
            return await asyncio.to_thread(running.enter_context, command(*arguments, *links))

        async def start_host() -> None:
            process, address = await start("host", BRIEF, "--listen", "tls:127.0.0.1:0")
            assert address.startswith("tls:127.0.0.1:")
            hosts[address] = process

        async with shared(store) as look:

            async def drain() -> None:
                host = hosts.pop((await look.owned(id)).address)
                host.send_signal(signal.SIGTERM)  # gives its rooms over
                assert await asyncio.to_thread(host.wait, 30) == 0
                await start_host()

            async def kill() -> None:
                hosts.pop((await look.owned(id)).address).kill()  # nobody certifies it
                await start_host()

            await start_host()
            _, url = await start("router", "--port", port)
            assert url == f"http://127.0.0.1:{port}"
            await start_host()
            blows = iter((drain, kill))
            violations = await log(
                *(url, "table", 6, 40, lambda: next(blows)(), 2, random.Random(7)),
                rooms=3,
                keeps_sockets=True,
            )
            assert violations == []


def test_a_store_of_one_process_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    for arguments in (["host", "examples/counter"], ["router"]):
        run = subprocess.run(
            [sys.executable, "-m", "rooms", *arguments, "--store", f"sqlite:///{tmp_path}/x.db"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert run.returncode == 2
        assert "--hosts N --routers M" in run.stderr
