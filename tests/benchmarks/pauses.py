"""How long clients wait when their rooms change hands: hosts drained and replaced, a host killed.

    python -m tests.benchmarks.pauses [rooms]

`rooms serve` with two hosts and one router on an SQLite file; one client in each room (1,000 unless
said otherwise), which says an event a second. First nothing happens: that is what the rest is
beside. Then SIGHUP replaces both hosts, one after the other, each giving its rooms over; at last
one host is killed at the moment in which 200 clients say something. No socket may close.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from tests.benchmarks.crowd import Crowd, passed, percentiles, until
from tests.system.processes import Server

ROOMS = next((int(arg) for arg in sys.argv[1:] if arg.isdigit()), 1_000)
AT_A_KILL = 200


async def quiet(crowd: Crowd) -> None:
    """What an event takes when nothing happens."""
    rate = await crowd.play(5)
    print(f"  nothing happens, {rate:5,.0f} events/s   {percentiles(crowd.took)}")


async def replaced(server: Server, crowd: Crowd) -> None:
    """SIGHUP, while all go on."""
    playing = asyncio.ensure_future(crowd.play(600))
    await passed(1)
    crowd.took.clear()
    begun = time.perf_counter()
    server.signal(signal.SIGHUP)
    ended = [0.0, 0.0]
    for place in range(2):
        await until(lambda: _said(server, "has taken over from") > place)  # noqa: B023
        ended[place] = time.perf_counter() - begun
    await passed(1)
    crowd.busy = False
    await until(lambda: not any(client.waits for client in crowd.clients))
    print(
        f"  hosts replaced: the first after {ended[0]:.1f} s, both after {ended[1]:.1f} s"
        f"   {percentiles(crowd.took)}"
    )
    playing.cancel()


async def killed(server: Server, crowd: Crowd) -> None:
    """SIGKILL to one host; those who were there are told their whole view by another."""
    some = crowd.clients[:AT_A_KILL]
    begun = time.perf_counter()
    os.kill(_host(server), signal.SIGKILL)
    for client in some:
        client.send()
    await until(lambda: not any(client.waits for client in some))
    moved = [client.took for client in some if client.viewed > begun]
    print(f"  a host killed: {len(moved)} of {len(some)} moved   {percentiles(moved)}")


def _host(server: Server) -> int:
    """One of its host processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended, or is somebody else's
            if b"host-" in command[-2][:5] and _MARK.encode() in environ:
                return int(entry.name)
    raise AssertionError("there is no host")


def _said(server: Server, words: str) -> int:
    return sum(words in line for line in server.lines)


async def main(folder: Path) -> None:
    options = ("--hosts", "2", "--routers", "1", "--limits", "off")
    server = Server("examples/counter", folder, *options)
    server.start()
    crowd = Crowd()
    try:
        await crowd.connect(server.port, [f"s{number}" for number in range(ROOMS)])
        crowd.pause = 1.0
        print(f"{ROOMS:,} rooms with a client each, an event a second")
        await quiet(crowd)
        await replaced(server, crowd)
        await killed(server, crowd)
        lost = [client for client in crowd.clients if client.lost]
        print(f"  sockets lost: {len(lost)}", *{client.told.decode() for client in lost})
        crowd.close()
    finally:
        server.stop()


_MARK = f"BENCHMARK_OF={os.getpid()}"

if __name__ == "__main__":
    os.environ["BENCHMARK_OF"] = str(os.getpid())
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(main(Path(folder)))
