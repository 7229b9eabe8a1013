"""`rooms host` and `rooms router` as an operator of several machines starts them: one by one, over
TCP with certificates, with nothing in common but the store.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from client import connect
from rooms.host.clock import elapsed
from rooms.store import remote
from rooms.store.memory import MemoryStore
from tests.ports import free_port
from tests.rooms.link.test_links import certificate
from tests.system.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `rooms` command, and what it said when it was ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rooms", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().split()
        assert line[:1] == ["ready"], f"{arguments} ended with {process.wait()}"
        yield process, line[1]
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


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
    host = ("host", "examples/counter", "--listen", "tls:127.0.0.1:0", *links)
    port = str(free_port())
    router = ("router", "--port", port, *links)
    with ExitStack() as running:

        async def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
            return await asyncio.to_thread(running.enter_context, command(*arguments))

        one, address = await start(*host)
        assert address.startswith("tls:127.0.0.1:")
        _, url = await start(*router)
        assert url == f"http://127.0.0.1:{port}"
        two, _ = await start(*host)
        rooms = [connect(f"{url}/rooms/counter/room-{n}") for n in range(6)]
        closed: list[str] = []
        for room in rooms:
            room.on_connection(lambda state: closed.append(state) if state == "waiting" else None)
            await room.send({"type": "increment"})
        one.send_signal(signal.SIGTERM)  # gives its rooms over
        await asyncio.gather(*(room.send({"type": "increment"}) for room in rooms))
        assert await asyncio.to_thread(one.wait, 20) == 0
        three, _ = await start(*host)
        os.kill(two.pid, signal.SIGKILL)  # nobody certifies that: its lease has to end
        outcomes = [room.send({"type": "increment"}) for room in rooms]
        await asyncio.wait_for(asyncio.gather(*outcomes), 40)
        for room in rooms:
            await room.wait_for(lambda room: room.context["count"] == 3, timeout=10_000)
        assert closed == []
        assert three.poll() is None
        for room in rooms:
            room.close()


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
