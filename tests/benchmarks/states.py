"""What a large state costs: a commit of one changed field, and a wake; as patches and as wholes.

    python -m tests.benchmarks.states [seconds per figure]

A room of players with 20 fields each, on SQLite, synced to disk; one client keeps 64 events on
their way, each of which changes one field. "Given to the store" are snapshots, patches and the log;
"written" is all that the process wrote to files, the log's checkpoints included. CPU time is this
process's own. A wake is from the request of a sleeping room to its answer.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from rooms.definition import Room
from rooms.host import journal
from rooms.host.clock import elapsed
from rooms.link.protocol import Said
from rooms.store import open_store
from rooms.sync.views import public
from runtime import assign, setup
from tests.benchmarks.room import WINDOW, Bench, wakes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rooms.errors import StoreError
    from rooms.store.port import Commit, Store

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
PLAYERS = {"1 KB": 4, "16 KB": 60, "200 KB": 680}


def _change(args: Any, params: Any) -> dict[str, Any]:
    n, players = args.context["n"] + 1, args.context["players"]
    name = f"player-{n % len(players)}"
    return {"n": n, "players": {**players, name: {**players[name], "field3": n}}}


def room(size: str, **options: Any) -> type[Room]:
    players = {f"player-{i}": {f"field{j}": i * j for j in range(20)} for i in range(PLAYERS[size])}
    machine = setup(actions={"change": assign(_change)}).create_machine(
        {
            "id": "large",
            "context": {"n": 0, "players": players, "public": {}},
            "on": {"increment": {"actions": "change"}},
        }
    )
    return type("Large", (Room,), {"machine": machine, "view": public, **options})


class Counted:
    """A store that counts what it is given."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.commits = self.given = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        for commit in commits:
            self.commits += 1
            self.given += len(commit.snapshot or b"")
            self.given += sum(len(patch or b"") for patch in commit.patches.values())
            self.given += sum(len(entry.data) for entry in commit.log)
        return await self.store.commit_many(commits)


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar")))


async def commits(bench: Bench, store: Counted) -> None:
    """Changes of one field, one after the other and then as fast as they come."""
    channel, sent = bench.attach(), 0

    def change() -> None:
        nonlocal sent
        sent += 1
        message = {"type": "room.send", "seq": sent, "acked": sent - 1}
        bench.link.send(Said(channel, {**message, "event": {"type": "increment"}}))

    for window in (1, WINDOW):
        store.commits = store.given = 0
        begun, first, wrote = time.perf_counter(), sent, _written()
        cpu = time.process_time()
        while time.perf_counter() - begun < SECONDS:
            for _ in range(window):
                change()
            await bench.until(lambda: bench.outcomes >= sent)
        cpu, took = time.process_time() - cpu, time.perf_counter() - begun
        count = store.commits
        print(
            f"    {window:2} on their way: {(sent - first) / took:7,.0f} events/s,"
            f" {cpu / (sent - first) * 1e6:6,.0f} µs of CPU each;"
            f" a commit: {store.given / count:9,.0f} B given to the store,"
            f" {(_written() - wrote) / count:9,.0f} B written"
        )


async def measure(size: str, folder: Path, **options: Any) -> None:
    url = f"sqlite:///{folder / f'{time.monotonic_ns()}.db'}"
    store = Counted(await open_store(url, now=lambda: int(time.time() * 1000), elapsed=elapsed))
    bench = await Bench(store, room(size, sleep_after=600_000, **options)).start()
    await commits(bench, store)
    await bench.host.drain()
    bench = await Bench(store, room(size, sleep_after=5, **options)).start()
    took = await wakes(bench, max(int(SECONDS * 50), 20))
    print(
        f"    wake to answer: p50 {took[len(took) // 2]:.2f} ms, p99 {took[-len(took) // 100]:.2f}"
    )
    await bench.host.drain()
    await store.close()


def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as name:
        for size in PLAYERS:
            print(size)
            asyncio.run(measure(size, Path(name)))
            print("  with a history of 100 revisions")
            asyncio.run(measure(size, Path(name), history=100))
            if size != "1 KB":
                print("  always whole")
                with patch.object(journal, "MAX_PATCHES", 0):
                    asyncio.run(measure(size, Path(name)))


if __name__ == "__main__":
    main()
