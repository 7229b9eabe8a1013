"""One router and one host, each a process, against one process that is both (as `rooms dev` is).

    python -m tests.benchmarks.apart

Both on one Redis, over a Unix socket; the clients in this process. Events: 64 clients, each in a
room of its own, each with one numbered event on its way. Deliveries: 200 clients in one room, of
whom four say something. In turn, two rounds each, the better counts. On a computer of few
processors the clients, Redis and the servers wait for each other: what says most is the processor
time of the servers, for an event and for a delivery, and how much of it is the router's.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from tests.benchmarks.crowd import Crowd, percentiles
from tests.ports import free_port
from tests.rooms.store.servers import running
from tests.system.processes import command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

APP = "examples/counter"
SECONDS = 2.0
ROUNDS = 2
PLAYERS = 64
WATCHERS = 200
TICK = 1e6 / os.sysconf("SC_CLK_TCK")


class Servers(NamedTuple):
    """Where clients connect, and the processes: the one with the sockets first."""

    port: int
    processes: Sequence[int]


class Figure(NamedTuple):
    """Of events or of deliveries: so many a second, what each took of all servers and of the one
    with the sockets (µs), and how long outcomes took.
    """

    rate: float
    cost: float
    door: float
    took: str

    def __str__(self) -> str:
        return (
            f"{self.rate:8,.0f}/s   {self.cost:6.1f} µs each (router's {self.door:5.1f})"
            f"   outcomes {self.took}"
        )


@contextmanager
def together(store: str) -> Iterator[Servers]:
    """One process."""
    port = free_port()
    options = ("--port", str(port), "--store", store, "--limits", "off")
    with command("serve", APP, *options) as (process, _):
        yield Servers(port, [process.pid])


@contextmanager
def apart(store: str) -> Iterator[Servers]:
    """A host, and a router."""
    port = free_port()
    with ExitStack() as ending:
        listen = f"unix:{Path(store.removeprefix('redis+unix://').partition('?')[0]).parent}/host"
        host, _ = ending.enter_context(command("host", APP, "--listen", listen, "--store", store))
        options = ("--port", str(port), "--store", store, "--limits", "off")
        router, _ = ending.enter_context(command("router", *options))
        yield Servers(port, [router.pid, host.pid])


async def events(servers: Servers) -> Figure:
    """What they accept."""
    crowd = Crowd()
    await crowd.connect(servers.port, [f"e{number}" for number in range(PLAYERS)])
    before = _spent(servers)
    rate = await crowd.play(SECONDS)
    figure = _figure(servers, before, rate, len(crowd.took), crowd)
    crowd.close()
    return figure


async def deliveries(servers: Servers) -> Figure:
    """What they deliver."""
    crowd = Crowd()
    await crowd.connect(servers.port, ["watched"] * WATCHERS)
    heard = sum(client.heard for client in crowd.clients)
    before, begun = _spent(servers), time.perf_counter()
    await crowd.play(SECONDS, crowd.clients[:4])
    heard = sum(client.heard for client in crowd.clients) - heard
    figure = _figure(servers, before, heard / (time.perf_counter() - begun), heard, crowd)
    crowd.close()
    return figure


def _spent(servers: Servers) -> list[float]:
    """The processor time of each process (µs)."""
    spent = []
    for pid in servers.processes:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent.append((int(fields[11]) + int(fields[12])) * TICK)
    return spent


def _figure(
    servers: Servers, before: list[float], rate: float, number: int, crowd: Crowd
) -> Figure:
    costs = [(now - then) / number for then, now in zip(before, _spent(servers), strict=True)]
    return Figure(rate, sum(costs), costs[0] if len(costs) > 1 else 0.0, percentiles(crowd.took))


async def main() -> None:
    best: dict[tuple[str, str], Figure] = {}
    with running("redis") as redis:
        for _ in range(ROUNDS):
            for name, made in (("one process", together), ("router and host", apart)):
                with made(redis.url()) as servers:
                    for what, measure in (("events", events), ("deliveries", deliveries)):
                        figure = await measure(servers)
                        known = best.get((what, name), figure)
                        best[what, name] = max(known, figure)
    for what in ("events", "deliveries"):
        print(what)
        for name in ("one process", "router and host"):
            print(f"  {name:16} {best[what, name]}")
        one, two = best[what, "one process"], best[what, "router and host"]
        print(f"  ratio            {two.rate / one.rate:8.2f}     {two.cost / one.cost:6.2f}")


if __name__ == "__main__":
    uvloop.run(main())
