"""What the link between router and host costs, by what it goes over.

    python -m tests.benchmarks.links

Both ends in this process, so that its processor time is that of both sides. "Event": a client's
message one way, its outcome and a fan-out the other, 64 of them in each burst, as a busy room and
router bundle them. "Fan-out": one step of a view to one more router. The peer, in the same rounds,
is the pair of queues of `rooms dev`, where nothing is encoded. "Alone" is how long one event takes
there and back. Then 1,000 connections that watch one room, behind one router: what crosses the
link for each change.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from rooms.host.clock import elapsed
from rooms.link import memory, stream
from rooms.link.protocol import Fanout, Said, Tell
from rooms.store import open_store
from tests.benchmarks.room import Bench, Counter
from tests.rooms.link.test_links import certificate

if TYPE_CHECKING:
    from rooms.link.memory import End
    from rooms.link.protocol import Message

BURST = 64
SECONDS = 0.5
ROUNDS = 3
SECRET = b"s" * 32
EVENT = {"type": "room.send", "seq": 1_000, "acked": 999, "event": {"type": "move", "x": 3, "y": 4}}
OUTCOME = b'{"type":"room.outcome","seq":1000,"outcome":"accepted","cursor":"SbOA7lHf.1000"}'
STEP = (
    b'{"type":"room.patch","base":"SbOA7lHf.999","cursor":"SbOA7lHf.1000",'
    b'"ops":[[["context","public","players",17,"position"],{"x":412,"y":93}]]}'
)


class Pair:
    """A router's end and a host's, and what has come to the router."""

    def __init__(self, router: End, host: End) -> None:
        self.heard = 0
        self._router = router
        self._host = host
        self._more = asyncio.Event()
        router.listen(self._hear)
        host.listen(self._answer)

    async def events(self, number: int) -> None:
        """So many events, and their outcomes and fan-outs."""
        for channel in range(number):
            self._router.send(Said(channel, EVENT))
        await self._until(2 * number)

    async def fan_outs(self, number: int) -> None:
        """So many fan-outs."""
        for _ in range(number):
            self._host.send(Fanout(1, "SbOA7lHf.999", "SbOA7lHf.1000", STEP))
        await self._until(number)

    def _answer(self, message: Message) -> None:
        assert isinstance(message, Said)
        self._host.send(Fanout(1, "SbOA7lHf.999", "SbOA7lHf.1000", STEP))
        self._host.send(Tell(message.channel, OUTCOME, "SbOA7lHf.1000", 1_000))

    def _hear(self, message: Message) -> None:
        self.heard += 1
        self._more.set()

    async def _until(self, number: int) -> None:
        while self.heard < number:
            self._more.clear()
            await self._more.wait()
        self.heard = 0

    def close(self) -> None:
        self._router.close()
        self._host.close()


async def over(address: str, tls: stream.Tls | None) -> Pair:
    """Two ends of a link over a socket."""
    accepted: asyncio.Future[stream.StreamEnd[Message]] = asyncio.get_running_loop().create_future()
    listener = await stream.listen(address, SECRET, accepted.set_result, stream.LINK, tls=tls)
    dialled = await stream.dial(listener.address, SECRET, stream.LINK, tls=tls)
    pair = Pair(dialled, await accepted)
    listener.close()
    return pair


async def cost(pair: Pair) -> tuple[float, float, float]:
    """Microseconds of processor time an event and a fan-out, and of an event alone there and
    back.
    """
    alone = []
    for _ in range(200):
        begun = time.perf_counter()
        await pair.events(1)
        alone.append((time.perf_counter() - begun) * 1e6)
    spent = []
    for act in (pair.events, pair.fan_outs):
        begun, worked, done = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - begun < SECONDS:
            await act(BURST)
            done += BURST
        spent.append((time.process_time() - worked) * 1e6 / done)
    return spent[0], spent[1], sorted(alone)[len(alone) // 2]


async def crossing(watchers: int, changes: int) -> str:
    """What a change of a room with so many watchers brings over the link."""
    store = await open_store("memory:", now=lambda: int(time.time() * 1000), elapsed=elapsed)
    bench = Counted(store, Counter)
    await bench.start()
    channels = [bench.attach() for _ in range(watchers)]
    await bench.until(lambda: bench.heard >= 3 * watchers)  # joined, told who they are, and a view
    bench.heard = bench.size = 0
    for seq in range(1, changes + 1):
        event = {"type": "increment"}
        message = {"type": "room.send", "seq": seq, "acked": seq - 1, "event": event}
        bench.link.send(Said(channels[0], message))
        await bench.until(lambda: bench.outcomes == seq)  # noqa: B023
    text = f"{bench.heard / changes:.1f} messages, {bench.size / changes:,.0f} B"
    await bench.host.drain()
    return text


class Counted(Bench):
    """A router that counts what comes."""

    heard = 0
    size = 0

    def _hear(self, message: Message) -> None:
        self.heard += 1
        if isinstance(message, Fanout | Tell):
            self.size += len(message.data)
        super()._hear(message)


async def main(folder: Path) -> None:
    pairs = {
        "queues": Pair(*memory.pair()),
        "Unix socket": await over(f"unix:{folder}/link", None),
        "TCP": await over("tcp:127.0.0.1:0", None),
    }
    if shutil.which("openssl"):
        pairs["mutual TLS"] = await over("tls:127.0.0.1:0", certificate(folder))
    best: dict[str, tuple[float, float, float]] = {}
    for _ in range(ROUNDS):
        for name, pair in pairs.items():
            spent = await cost(pair)
            best[name] = min(best.get(name, spent), spent)
    least = best["queues"]
    print("processor time of both sides")
    for name, (event, fan_out, alone) in best.items():
        print(
            f"  {name:12} event {event:6.2f} µs (+{event - least[0]:6.2f})   fan-out {fan_out:5.2f}"
            f" µs (+{fan_out - least[1]:5.2f})   alone, there and back {alone:6.0f} µs"
        )
    for pair in pairs.values():
        pair.close()
    print("a change of a room, to its sender and everybody who watches, over one link")
    for watchers in (1, 1_000):
        print(f"  {watchers:5,} connections: {await crossing(watchers, 200)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(main(Path(folder)))
