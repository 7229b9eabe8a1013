"""What durability costs: accepted events a second and their latency, at each level.

    python -m tests.benchmarks.levels [seconds a figure]

A host on an SQLite file, over the link of one process, without sockets. "Alone": one event at a
time. "Busy": 256 on their way, each sender's next one when its outcome came. The peer of each line
is the store by itself, in the same run: the same bytes, committed in groups of 64, by nobody and
for nobody. The last lines wake a room of 16 KB, and weigh rooms that are live and asleep.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rooms.collector import Collector
from rooms.host.clock import elapsed
from rooms.link.protocol import Said, Tell
from rooms.store import open_store
from rooms.store.port import Acquired, Commit, HostInfo, SessionId
from runtime import assign, setup
from tests.benchmarks.room import Bench, Counter, memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rooms.definition import Durability
    from rooms.link.protocol import Message

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
BUSY = 256
LEVELS: tuple[Durability, ...] = ("memory", "primary", "fsync")
WAKES = 100


class Timed(Bench):
    """It times each event, and sends a channel's next one when its outcome has come."""

    def __init__(self, store: Any, kind: Any) -> None:
        super().__init__(store, kind)
        self.event = "increment"
        self.took: list[float] = []
        self._begun: dict[int, float] = {}
        self._seq: dict[int, int] = {}
        self._until = 0.0

    def say(self, channel: int) -> None:
        """The channel's next event."""
        seq = self._seq[channel] = self._seq.get(channel, 0) + 1
        self._begun[channel] = time.perf_counter()
        event = {"type": self.event}
        message = {"type": "room.send", "seq": seq, "acked": seq - 1, "event": event}
        self.link.send(Said(channel, message))

    async def run(self, channels: Sequence[int], seconds: float) -> float:
        """Keep one event of each channel on its way; events a second."""
        self.took.clear()
        begun = time.perf_counter()
        self._until = begun + seconds
        for channel in channels:
            self.say(channel)
        await self.until(lambda: not self._begun)
        return len(self.took) / (time.perf_counter() - begun)

    def _hear(self, message: Message) -> None:
        super()._hear(message)
        if isinstance(message, Tell) and message.seq is not None:
            now = time.perf_counter()
            self.took.append((now - self._begun.pop(message.channel)) * 1000)
            if now < self._until:
                self.say(message.channel)

    def percentiles(self) -> str:
        """The half and the slowest hundredth."""
        took = sorted(self.took)
        return f"p50 {took[len(took) // 2]:7.2f}  p99 {took[len(took) * 99 // 100]:7.2f} ms"


async def _opened(folder: str) -> Any:
    path = Path(folder) / f"{time.monotonic_ns()}.db"
    return await open_store(f"sqlite:///{path}", now=_now, elapsed=elapsed)


async def level(durability: Durability, rooms: int, folder: str) -> None:
    """One line of the table."""
    kind = type("Leveled", (Counter,), {"durability": durability})
    bench = Timed(await _opened(folder), kind)
    await bench.start()
    channels = [bench.attach(f"s{n % rooms}") for n in range(max(BUSY, rooms))]
    await bench.run(channels, 0.1)  # every room is awake, and stored
    alone = f"{await bench.run(channels[:1], SECONDS / 2):8,.0f}/s {bench.percentiles()}"
    busy = await bench.run(channels[:BUSY], SECONDS)
    bare = await _bare(durability == "fsync", folder)
    print(
        f"  {durability:8} {rooms:5} rooms  alone {alone}  busy {busy:8,.0f}/s"
        f" {bench.percentiles()}  store alone {bare:8,.0f}/s, ratio {busy / bare:.2f}"
    )
    await bench.host.drain()
    await bench.store.close()


async def _bare(durable: bool, folder: str) -> float:
    """Commits a second of the store alone, in groups of 64 sessions."""
    store = await _opened(folder)
    await store.heartbeat(HostInfo("h", "", {}, 0), 60_000)
    ids = [SessionId("counter", f"s{n}") for n in range(64)]
    owned = [await store.acquire(id, "h") for id in ids]
    snapshot, done, begun = b"x" * 1_400, 0, time.perf_counter()
    while time.perf_counter() - begun < SECONDS / 2:
        commits = [
            Commit(id, "h", got.epoch, got.generation, done, done + 1, "1", None, snapshot,
                   marks={"v\x00c": b"m" * 30}, durable=durable)
            for id, got in zip(ids, owned, strict=True)
            if isinstance(got, Acquired)
        ]  # fmt: skip
        assert not any(await store.commit_many(commits))
        done += 1
    await store.close()
    return done * 64 / (time.perf_counter() - begun)


async def wake(folder: str) -> None:
    """A room of 16 KB that sleeps is asked by HTTP, and answers."""
    machine = setup(
        actions={"add": assign({"count": lambda args, params: args.context["count"] + 1})}
    ).create_machine(
        {
            "id": "large",
            "context": {"count": 0, "rows": [{"name": f"row {n}", "n": n} for n in range(560)]},
            "on": {"increment": {"actions": "add"}},
        }
    )
    kind = type("Large", (Counter,), {"machine": machine, "sleep_after": 25})
    bench = await Bench(await _opened(folder), kind).start()
    took = []
    for number in range(WAKES):
        begun = time.perf_counter()
        bench.post("y")
        await bench.until(lambda: bench.answers > number)  # noqa: B023
        took.append((time.perf_counter() - begun) * 1000)
        await bench.until(lambda: bench.asleep > number)  # noqa: B023
    record = await bench.store.load(SessionId("counter", "y"))
    assert record is not None
    assert record.snapshot is not None
    bare = []
    for _ in range(WAKES):
        begun = time.perf_counter()
        await bench.store.load(SessionId("counter", "y"))
        bare.append((time.perf_counter() - begun) * 1000)
    half, slow, least = sorted(took)[WAKES // 2], sorted(took)[-1 - WAKES // 100], sorted(bare)
    print(
        f"  {len(record.snapshot):,} B: wake, event, commit, answer  p50 {half:.2f}  p99 {slow:.2f}"
        f" ms; the store's load alone p50 {least[WAKES // 2]:.2f} ms, ratio"
        f" {half / least[WAKES // 2]:.1f}"
    )
    await bench.host.drain()
    await bench.store.close()


async def main() -> None:
    """Everything, with the collector as servers have it."""
    Collector().start()
    with tempfile.TemporaryDirectory() as folder:
        print("accepted events")
        for rooms in (1, 1_000):
            for durability in LEVELS:
                await level(durability, rooms, folder)
        print("a wake")
        await wake(folder)
    bench = await Bench(await open_store("memory:", now=_now, elapsed=elapsed), Counter).start()
    live, asleep = await memory(bench, 1_000)
    print("memory of a room of 1 KB and its connection, tracemalloc")
    print(f"  live {live:,.0f} B, asleep {asleep:,.0f} B")
    await bench.host.drain()


def _now() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    asyncio.run(main())
