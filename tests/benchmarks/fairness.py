"""How long a quiet room's event takes beside hot rooms, in this process and without sockets.

`python -m tests.benchmarks.fairness [HOT]` has so many rooms (1 and 8) fed as fast as they take it,
each of whose transitions takes a millisecond; every 20 ms one event goes to a quiet room. Printed:
how long its outcome takes, and how many events the hot ones handled, without budgets and with them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from rooms.budgets import Budgets
from rooms.definition import Room
from rooms.host.clock import elapsed
from rooms.host.host import Host
from rooms.link.memory import pair
from rooms.link.protocol import Attach, Said, Tell
from rooms.process import SWITCH_INTERVAL
from rooms.store import open_store
from rooms.sync.views import everything
from runtime import assign, setup

if TYPE_CHECKING:
    from rooms.link.protocol import Message

SAMPLES = 150
WARM = 25
EVERY = 0.02  # s
WINDOW = 64
WORK = 0.001  # s
QUIET = 1


def work(args: Any, params: Any) -> Any:
    end = time.perf_counter() + WORK
    while time.perf_counter() < end:
        pass
    return args.context["count"] + 1


def one_more(args: Any, params: Any) -> Any:
    return args.context["count"] + 1


def kind_of(count: Any) -> type[Room]:
    machine = setup(actions={"add": assign({"count": count})}).create_machine(
        {"context": {"count": 0}, "on": {"add": {"actions": "add"}}}
    )

    class Counter(Room):
        view: Any = everything

    Counter.machine = machine
    return Counter


class Bench:
    """A host with one quiet room and some hot ones, and a router that only counts."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.handled = 0
        self.answered = asyncio.Event()
        self.sent: dict[int, int] = {}
        self.link, hosts_end = pair()
        self.link.listen(self._hear)
        host.serve(hosts_end)

    def attach(self, channel: int, kind: str) -> None:
        self.sent[channel] = 0
        viewer = {"id": f"v{channel}", "role": "player", "claims": {}}
        attach = Attach(
            channel, kind, f"room{channel}", viewer, f"client-{channel}", None, None, "json",
            True, None, None, {}, {}, None, False, 0,
        )  # fmt: skip
        self.link.send(attach)

    def send(self, channel: int) -> None:
        seq = self.sent[channel] = self.sent[channel] + 1
        said = {"type": "room.send", "seq": seq, "acked": seq - 1, "event": {"type": "add"}}
        self.link.send(Said(channel, said))

    def _hear(self, message: Message) -> None:
        if isinstance(message, Tell) and message.seq is not None:
            if message.channel == QUIET:
                self.answered.set()
            else:
                self.handled += 1
                self.send(message.channel)


async def measure(hot: int) -> tuple[list[float], float]:
    """How long the quiet room's outcomes take (ms), sorted; events of hot rooms a second."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(
            f"sqlite:///{Path(folder)}/rooms.db",
            now=lambda: int(time.time() * 1000),
            elapsed=elapsed,
        )
        host = Host({"quiet": kind_of(one_more), "hot": kind_of(work)}, store)
        await host.start()
        bench = Bench(host)
        bench.attach(QUIET, "quiet")
        for channel in range(2, hot + 2):
            bench.attach(channel, "hot")
            for _ in range(WINDOW):
                bench.send(channel)
        loop, took = asyncio.get_running_loop(), []
        begun = time.perf_counter()
        for sample in range(-WARM, SAMPLES):
            passed = loop.create_future()
            loop.call_later(EVERY, passed.set_result, None)
            await passed
            bench.answered.clear()
            sent = time.perf_counter()
            bench.send(QUIET)
            await bench.answered.wait()
            if sample >= 0:
                took.append((time.perf_counter() - sent) * 1000)
        handled = bench.handled / (time.perf_counter() - begun)
        bench.link.close()
        await host.drain()
        await store.close()
    return sorted(took), handled


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    for hot in [int(number) for number in sys.argv[1:]] or [0, 1, 8]:
        for budgets in (False, True):
            with ExitStack() as off:
                if not budgets:
                    off.enter_context(patch.object(Budgets, "spend", lambda *_: None))
                took, handled = asyncio.run(measure(hot))
            p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
            print(
                f"{hot} hot, budgets {'on ' if budgets else 'off'}: "
                f"p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  hot rooms {handled:5.0f}/s"
            )


if __name__ == "__main__":
    main()
