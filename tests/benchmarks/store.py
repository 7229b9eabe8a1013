"""How many commits a second the SQLite store takes, alone and beside a busy event loop, and Redis
on the same disk, by a Unix socket (`fsync`: appendfsync always, `primary`: everysec).

    python -m tests.benchmarks.store [seconds per figure]

States of 1 KB and one mark a commit. "One by one": each commit waits for the last; "groups of 64":
64 sessions commit at once and wait for each other; "chained": 64 rooms, each four commits ahead.
Beside a busy loop: a thread that computes all the time stands for a loop at its limit. The last
lines say what the disk alone can do.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rooms.store.port import Acquired, Commit, HostInfo, SessionId
from rooms.store.redis.store import RedisStore
from rooms.store.sqlite import SqliteStore
from tests.rooms.store.servers import running

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from rooms.store.port import Store

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
STATE, MARK = os.urandom(1000), os.urandom(100)


def now() -> int:
    return time.time_ns() // 1_000_000


async def rooms(store: Store, count: int, *, durable: bool) -> list[Commit]:
    """That many new sessions, owned: the first commit of each."""
    await store.heartbeat(HostInfo("bench", "", {}, 0), 600_000)
    ids = [SessionId("bench", os.urandom(8).hex()) for _ in range(count)]
    owned = await asyncio.gather(*(store.acquire(id, "bench") for id in ids))
    return [
        Commit(id, "bench", one.epoch, one.generation, 0, 1, "1", None, STATE, durable=durable)
        for id, one in zip(ids, owned, strict=True)
        if isinstance(one, Acquired)
    ]


def revisions(commit: Commit) -> Iterator[Commit]:
    marks = {"subject\0client": MARK}
    while True:
        yield replace(commit, marks=marks)
        commit = replace(commit, prev=commit.new, new=commit.new + 1)


async def one_by_one(store: Store, *, durable: bool) -> float:
    [first] = await rooms(store, 1, durable=durable)
    done, start = 0, time.perf_counter()
    for commit in revisions(first):
        assert await store.commit_many([commit]) == [None]
        done += 1
        if time.perf_counter() - start > SECONDS:
            break
    return done / (time.perf_counter() - start)


async def in_groups(store: Store, *, durable: bool, size: int = 64) -> float:
    """Writing alone: the commits are made before."""
    firsts = await rooms(store, size, durable=durable)
    ahead = [revisions(first) for first in firsts]
    done, spent = 0, 0.0
    while spent < SECONDS:
        batch = [next(one) for one in ahead]
        start = time.perf_counter()
        assert await store.commit_many(batch) == [None] * size
        spent += time.perf_counter() - start
        done += size
    return done / spent


async def chained(store: Store, *, durable: bool, size: int = 64) -> float:
    """As rooms do it: each hands over single commits, up to four without an answer."""
    end, done = time.perf_counter() + SECONDS, 0

    async def room(first: Commit) -> None:
        nonlocal done
        waiting: list[asyncio.Task[object]] = []
        for commit in revisions(first):
            waiting.append(asyncio.create_task(store.commit_many([commit])))
            if len(waiting) == 4:
                assert await waiting.pop(0) == [None]
                done += 1
            if time.perf_counter() > end:
                break
        await asyncio.gather(*waiting)
        done += len(waiting)

    start = time.perf_counter()
    await asyncio.gather(*(room(one) for one in await rooms(store, size, durable=durable)))
    return done / (time.perf_counter() - start)


async def measure(case: Callable[[Store], Awaitable[float]]) -> float:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = await SqliteStore.open(Path(folder) / "bench.db", now=now)
        try:
            return await case(store)
        finally:
            await store.close()


async def measure_redis(case: Callable[[Store], Awaitable[float]], *, durable: bool) -> float:
    tempfile.tempdir = os.getcwd()  # the same disk
    sync = "always" if durable else "everysec"
    with running("redis", "--appendonly", "yes", "--appendfsync", sync) as server:
        store = await RedisStore.open(server.url())
        try:
            return await case(store)
        finally:
            await store.close()


class Busy:
    """A thread that computes until told to stop."""

    def __enter__(self) -> None:
        self._stop = False
        self._thread = threading.Thread(target=self._compute)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()

    def _compute(self) -> None:
        while not self._stop:
            sum(range(1000))


def disk() -> float:
    """Appends of 4 KB with fdatasync a second."""
    with tempfile.NamedTemporaryFile(dir=".") as file:
        done, start, page = 0, time.perf_counter(), os.urandom(4096)
        while time.perf_counter() - start < SECONDS:
            os.write(file.fileno(), page)
            os.fdatasync(file.fileno())
            done += 1
        return done / (time.perf_counter() - start)


def main() -> None:
    cases: dict[str, Callable[..., Awaitable[float]]] = {
        "one by one": one_by_one,
        "groups of 64": in_groups,
        "64 rooms, chained by 4": chained,
    }
    for durable in (True, False):
        level = "fsync" if durable else "primary"
        for name, case in cases.items():
            write = partial(case, durable=durable)
            sqlite = asyncio.run(measure(write))
            redis = asyncio.run(measure_redis(write, durable=durable))
            figures = f"SQLite {sqlite:8,.0f}  Redis {redis:8,.0f} commits/s"
            print(f"{level:8} {name:24} {figures}", flush=True)
    usual = sys.getswitchinterval()
    for interval in (usual, 0.0005):
        sys.setswitchinterval(interval)
        for name, case in list(cases.items())[:2]:
            with Busy():
                figure = asyncio.run(measure(partial(case, durable=True)))
            print(f"beside a busy thread, switch interval {interval * 1000} ms:", end=" ")
            print(f"{name:14} {figure:9,.0f} commits/s", flush=True)
    sys.setswitchinterval(usual)
    print(f"the disk alone: {disk():,.0f} appends of 4 KB with fdatasync a second")


if __name__ == "__main__":
    main()
