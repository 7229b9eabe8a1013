"""What it takes to wake a room of 16 KB, beside a bare read of what is stored of it.

    python -m tests.benchmarks.wake [times] [--profile]

On SQLite, synced to disk, in this process and without sockets. "First view" is from a connection's
coming to the view that it is told; "GET" from a plain request to its answer; "first event" from an
event by HTTP to its outcome, which has to be committed. Before each of them the room sleeps. In the
same rounds, of the same file and by bare `sqlite3`: the rows read, and a row written and synced.
`--profile` shows where the processor's time goes.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rooms.host.clock import elapsed
from rooms.link.protocol import Detach, Tell
from rooms.store import open_store
from tests.benchmarks.room import Bench
from tests.benchmarks.states import room

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Message

TIMES = next((int(arg) for arg in sys.argv[1:] if arg.isdigit()), 300)
SESSION = "slept"
_ROWS = (
    "SELECT * FROM sessions WHERE session = ?",
    "SELECT * FROM entries JOIN sessions USING (generation) WHERE session = ?",
)


class Woken(Bench):
    """A host, and a router that counts what its connections are told."""

    told = 0

    def _hear(self, message: Message) -> None:
        self.told += isinstance(message, Tell)
        super()._hear(message)

    async def wake(self, ask: Callable[[], object], answered: Callable[[], int]) -> float:
        """From a question to a sleeping room to its answer (ms); it sleeps again in the end."""
        slept, before = self.asleep, answered()
        begun = time.perf_counter()
        channel = ask()
        await self.until(lambda: answered() > before)
        took = (time.perf_counter() - begun) * 1000
        if isinstance(channel, int):
            self.link.send(Detach(channel))
            await self.store.now()
        for awake in list(self.host.rooms.values()):
            self.host._rooms.idle(awake)
        await self.until(lambda: self.asleep > slept)
        return took


async def rounds(bench: Woken, file: Path) -> dict[str, list[float]]:
    """So many wakes of each sort, and the bare reads and writes beside them (ms)."""
    took: dict[str, list[float]] = {}

    async def timed(name: str, ask: Callable[[], object], answered: Callable[[], int]) -> None:
        took.setdefault(name, []).append(await bench.wake(ask, answered))

    def bare(name: str, db: sqlite3.Connection, *statements: str) -> None:
        begun = time.perf_counter()
        for statement in statements:
            db.execute(statement, (SESSION,) if "?" in statement else ()).fetchall()
        took.setdefault(name, []).append((time.perf_counter() - begun) * 1000)

    await bench.wake(lambda: bench.post(SESSION), lambda: bench.answers)
    with closing(sqlite3.connect(file)) as read, closing(sqlite3.connect(f"{file}-row")) as row:
        row.execute("PRAGMA journal_mode = WAL")
        row.execute("PRAGMA synchronous = FULL")
        row.execute("CREATE TABLE row AS SELECT 0 AS n")
        row.commit()
        for _ in range(TIMES):
            await timed("first view", lambda: bench.attach(SESSION), lambda: bench.told)
            await timed("GET", lambda: bench.post(SESSION, "GET"), lambda: bench.answers)
            await timed("first event", lambda: bench.post(SESSION), lambda: bench.answers)
            bare("bare read", read, *_ROWS)
            bare("bare synced write", row, "UPDATE row SET n = n + 1", "COMMIT")
    return took


async def measure(folder: Path) -> None:
    file = folder / "rooms.db"
    store = await open_store(f"sqlite:///{file}", now=_now, elapsed=elapsed)
    kind = room("16 KB", sleep_after=600_000, grace=0)
    bench = Woken(store, kind)
    await bench.start()
    profiler = cProfile.Profile()
    if "--profile" in sys.argv:
        profiler.enable()
    for name, took in (await rounds(bench, file)).items():
        took.sort()
        p50, p99 = took[len(took) // 2], took[-len(took) // 100]
        print(f"{name:18} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    profiler.disable()
    await bench.host.drain()
    await store.close()
    if "--profile" in sys.argv:
        pstats.Stats(profiler).sort_stats("cumtime").print_stats("rooms|runtime", 45)


def _now() -> int:
    return int(time.time() * 1000)


def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
