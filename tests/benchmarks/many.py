"""What a room costs beside others: 10, 100, 1,000 and 10,000 live ones on one host.

    python -m tests.benchmarks.many [rooms …]

A host on an SQLite file, over the link of one process, without sockets; one connection in each
room, a process for each number of rooms. Events go through all rooms in turn, 64 on their way at
once: each is a turn and a commit of its own, so that what grows is what the number of rooms adds.
"First" is the tenth of them that finds caches cold. "Idle" is the processor time of a second in
which nothing happens; what is woken and taken over is `wake` and `pauses`. The peer of all is the
first line.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from rooms.collector import Collector
from rooms.host.clock import elapsed
from rooms.store import open_store
from tests.benchmarks.levels import Timed
from tests.benchmarks.room import Counter

SIZES = [int(arg) for arg in sys.argv[1:] if arg.isdigit()] or [10, 100, 1_000, 10_000]
EVENTS = 12_000
AT_ONCE = 64
IDLE = 2.0


class Passed(Timed):
    """It sends the next room's event when an outcome came."""

    def __init__(self, store: object, kind: type[Counter]) -> None:
        super().__init__(store, kind)
        self.left: list[int] = []
        self.pauses: list[float] = []

    async def through(self, channels: list[int], number: int) -> float:
        """So many events, through these in turn; microseconds of processor time for each."""
        rounds, more = divmod(number, len(channels))
        self.left = channels * rounds + channels[:more]
        self.left.reverse()
        self.took.clear()
        self._until = 0.0
        worked = time.process_time()
        for _ in range(min(AT_ONCE, len(channels))):
            self.say(self.left.pop())
        await self.until(lambda: len(self.took) == number)
        return (time.process_time() - worked) * 1e6 / number

    def _hear(self, message: object) -> None:
        outcomes = len(self.took)
        super()._hear(message)  # type: ignore[arg-type]
        if len(self.took) > outcomes and self.left:
            self.say(self.left.pop())


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(rooms: int, folder: str) -> None:
    Collector().start()
    store = await open_store(
        f"sqlite:///{folder}/rooms.db", now=lambda: int(time.time() * 1000), elapsed=elapsed
    )
    bench = Passed(store, Counter)
    await bench.start()
    before = resident()
    worked = time.process_time()
    channels = [bench.attach(f"s{number}") for number in range(rooms)]
    await bench.through(channels, rooms)
    opened = (time.process_time() - worked) * 1e6 / rooms
    weight = (resident() - before) / rooms
    cost = await bench.through(channels, EVENTS)
    took = bench.percentiles()
    worked = time.process_time()
    passed = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(IDLE, passed.set_result, None)
    await passed
    idle = (time.process_time() - worked) * 1000 / IDLE
    print(
        f"  {rooms:6,} rooms   opened {opened:6.0f} µs each   {weight / 1024:6.1f} KiB each"
        f"   event {cost:6.1f} µs   {took}   idle {idle:5.1f} ms a second",
        flush=True,
    )
    await bench.host.drain()
    await store.close()


def main() -> None:
    if len(SIZES) == 1:
        with tempfile.TemporaryDirectory() as folder:
            uvloop.run(measure(SIZES[0], folder))
        return
    print("processor time and memory, one host")
    for rooms in SIZES:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.many", str(rooms)], check=True)


if __name__ == "__main__":
    main()
