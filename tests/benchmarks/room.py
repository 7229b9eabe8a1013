"""How much one room takes, in this process and without sockets: events in, frames out.

`python -m tests.benchmarks.room` prints events a second through one room, by store and by how many
watch; what a wake takes; what a live room and a sleeping one with a connection weigh. `--profile`
shows where the time goes.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import pstats
import sys
import tempfile
import time
import tracemalloc
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rooms.definition import Room
from rooms.host.clock import elapsed
from rooms.host.host import Host
from rooms.link.memory import pair
from rooms.link.protocol import Attach, Request, Said, Tell
from rooms.store import open_store
from rooms.sync.views import everything
from runtime import assign, setup

if TYPE_CHECKING:
    from rooms.link.protocol import Message
    from rooms.store.port import Store

EVENTS = 20_000
WINDOW = 64
"""Numbered events a client has on their way at once, as the façade does."""

_MACHINE = setup(
    actions={"add": assign({"count": lambda args, params: args.context["count"] + 1})}
).create_machine(
    {
        "id": "counter",
        "context": {"count": 0, "padding": ["x" * 100] * 10},
        "on": {"increment": {"actions": "add"}},
    }
)


class Counter(Room):
    machine = _MACHINE
    view: Any = everything
    sleep_after = 600_000


class Sleeper(Counter):
    sleep_after = 5


class Bench:
    """A host, and a router that only counts."""

    def __init__(self, store: Store, kind: type[Room]) -> None:
        self.store = store
        self.host = Host({"counter": kind}, store)
        self.outcomes = 0
        self.asleep = 0
        self.answers = 0
        self._numbers = count(1)
        self._changed = asyncio.Event()

    async def start(self) -> Bench:
        await self.host.start()
        self.link, hosts_end = pair()
        self.link.listen(self._hear)
        self.host.serve(hosts_end)
        return self

    def _hear(self, message: Message) -> None:
        if isinstance(message, Tell):
            if message.seq is not None:
                self.outcomes += 1
        elif message.tag == "asleep":
            self.asleep += 1
        elif message.tag == "answer":
            self.answers += 1
        self._changed.set()

    async def until(self, condition: Any) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def attach(
        self, session: str = "x", *, greeted: bool = False, number: int | None = None
    ) -> int:
        number = number or next(self._numbers)
        self.link.send(
            Attach(
                channel=number,
                kind="counter",
                session=session,
                viewer={"id": f"v{number}", "role": "player", "claims": {}},
                client=f"c{number}",
                since=None,
                cursor=None,
                codec="json",
                create=True,
                token=None,
                renewed=None,
                params={},
                headers={},
                attachment=None,
                greeted=greeted,
                settled=0,
            )
        )
        return number

    def post(self, session: str, method: str = "POST") -> None:
        self.link.send(
            Request(
                request=next(self._numbers),
                kind="counter",
                session=session,
                method=method,
                path="",
                params={},
                headers={"content-type": "application/json"},
                body=b'{"type":"increment"}',
                viewer={"id": "v", "role": "player", "claims": {}},
                token=None,
                create=True,
            )
        )


async def throughput(bench: Bench, *, senders: int, watchers: int) -> tuple[float, float]:
    """Numbered events a second through one room, and a second of this process's own work; each
    sender keeps a window of them going.
    """
    channels = [bench.attach() for _ in range(senders)]
    for _ in range(watchers):
        bench.attach()
    sent = dict.fromkeys(channels, 0)
    begun, worked = time.perf_counter(), time.process_time()
    total = 0
    while total < EVENTS:
        for channel in channels:
            for _ in range(WINDOW):
                sent[channel] += 1
                total += 1
                seq = sent[channel]
                event = {"type": "increment"}
                message = {"type": "room.send", "seq": seq, "acked": seq - 1, "event": event}
                bench.link.send(Said(channel, message))
        await bench.until(lambda: bench.outcomes >= total)  # noqa: B023
    return total / (time.perf_counter() - begun), total / (time.process_time() - worked)


async def wakes(bench: Bench, times: int) -> list[float]:
    """How long a sleeping room of about 1 KB takes to answer an event by HTTP (ms)."""
    took = []
    for number in range(times):
        begun = time.perf_counter()
        bench.post("y")
        await bench.until(lambda: bench.answers > number)  # noqa: B023
        took.append((time.perf_counter() - begun) * 1000)
        await bench.until(lambda: bench.asleep > number)  # noqa: B023
    return sorted(took[times // 10 :])


async def memory(bench: Bench, rooms: int) -> tuple[float, float]:
    """Bytes a live room with one connection takes, and a sleeping one with a connection."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(rooms):
        session = f"m{number}"
        channel = bench.attach(session)
        bench.link.send(Said(channel, {"type": "increment"}))
    await bench.until(lambda: len(bench.host.live()) == rooms)
    for _ in range(20):
        await asyncio.wait([asyncio.ensure_future(bench.store.now())])
    gc.collect()
    live = tracemalloc.get_traced_memory()[0] - before
    for room in list(bench.host.rooms.values()):
        bench.host._rooms.idle(room)
    await bench.until(lambda: bench.asleep == rooms)
    gc.collect()
    asleep = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return live / rooms, asleep / rooms


async def measure(url: str, profile: bool) -> None:
    async def bench(kind: type[Room] = Counter) -> Bench:
        store = await open_store(
            url.replace("NAME", f"{time.monotonic_ns()}"), now=_now, elapsed=elapsed
        )
        return await Bench(store, kind).start()

    print(url.partition(":")[0])
    for senders, watchers in ((1, 0), (16, 0), (16, 100)):
        on = await bench()
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        rate, of_work = await throughput(on, senders=senders, watchers=watchers)
        profiler.disable()
        print(
            f"  {senders:3} senders {watchers:4} more watchers  {rate:9,.0f} events/s,"
            f" {of_work:9,.0f} a second of work"
        )
        if profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        await on.host.drain()
        await on.store.close()
    on = await bench(Sleeper)
    took = await wakes(on, 300)
    print(f"  wake to answer  p50 {took[len(took) // 2]:.2f} ms  p99 {took[-len(took) // 100]:.2f}")
    await on.host.drain()
    await on.store.close()
    if url.startswith("memory"):
        on = await bench()
        live, asleep = await memory(on, 1_000)
        print(f"  memory of a room and its connection: live {live:,.0f} B, asleep {asleep:,.0f} B")
        await on.host.drain()


def _now() -> int:
    return int(time.time() * 1000)


def main() -> None:
    profile = "--profile" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        urls = ["memory:", f"sqlite:///{Path(folder) / 'NAME.db'}"]
        for url in urls[: 1 if profile else 2]:
            asyncio.run(measure(url, profile))


if __name__ == "__main__":
    main()
