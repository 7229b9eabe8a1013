"""What a person meets, over real sockets to a real `rooms serve`.

`python -m tests.benchmarks.journey` prints:

Bytes of a join, an answer, a confirm and a new question at a table of ten; how long a message to a
sleeping room takes to be answered; accepted events a second through one room at the default level.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.system.processes import running
from tests.wire import Wire, dial

PLAYERS = 10
EVENTS = 4_000
WINDOW = 64
WAKES = 20


async def until(wire: Wire, *types: str) -> tuple[str, dict[str, Any]]:
    """The next frame of one of these types."""
    while True:
        frame = str(await asyncio.wait_for(wire.socket.recv(), 30))
        message: dict[str, Any] = json.loads(frame)
        if message["type"] in types:
            return frame, message


async def frames(url: str) -> None:
    """Ten players sit down and answer; the last one's frames are weighed."""
    address = f"{url}/rooms/trivia/weighed"
    wires = [await dial(address, {"client": f"{n:032d}"}) for n in range(PLAYERS)]
    for n, wire in enumerate(wires):
        await until(wire, "room.view")
        await wire.send({"type": "join", "name": f"Player {n}"})
    seen = wires[0]

    async def patch(word: str) -> None:
        while True:
            frame, _ = await until(seen, "room.patch")
            if word in frame:
                print(f"  {word:<22} {len(frame):5} B")
                return

    late = await dial(address, {"client": "9" * 32, "watch": "1"})
    frame, _ = await until(late, "room.view")
    print(f"  whole view, joining    {len(frame):5} B  ({PLAYERS} players, lobby)")
    for wire in wires:
        await wire.send({"type": "ready"})
    await patch('"countdown"')
    await patch('"prepare"')
    await patch('"answering"')
    await wires[1].send({"type": "confirm", "value": None})
    await patch('"confirmed"')
    for wire in (*wires, late):
        await wire.socket.close()


async def speed(url: str) -> None:
    """Numbered events, as many on their way as a façade allows."""
    wire = await dial(f"{url}/rooms/counter/fast", {"client": "a" * 32})
    await until(wire, "room.view")
    settled, sent, begun = 0, 0, time.perf_counter()
    while settled < EVENTS:
        while sent < EVENTS and sent - settled < WINDOW:
            sent += 1
            event = {"type": "increment"}
            await wire.send({"type": "room.send", "seq": sent, "event": event, "acked": settled})
        _, message = await until(wire, "room.outcome")
        settled = message["seq"]
    print(f"  {EVENTS / (time.perf_counter() - begun):8.0f} events/s, one client, one room, fsync")
    await wire.socket.close()


async def wakes(url: str) -> None:
    """A stored room that nobody has in memory: from the handshake's end to its first view."""
    taken = []
    for n in range(WAKES):
        wire = await dial(f"{url}/rooms/counter/asleep-{n}", {"client": "b" * 32})
        begun = time.perf_counter()
        await until(wire, "room.view")
        taken.append((time.perf_counter() - begun) * 1000)
        await wire.socket.close()
    print(f"  {statistics.median(taken):8.1f} ms median of {WAKES}, worst {max(taken):.1f} ms")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with running("examples/trivia", Path(folder), "--limits", "off") as server:
            print("frames of a table of ten")
            await frames(server.url)
        with running("examples/counter", Path(folder), "--limits", "off") as server:
            print("through one room")
            await speed(server.url)
            for n in range(WAKES):
                wire = await dial(f"{server.url}/rooms/counter/asleep-{n}", {"client": "b" * 32})
                await until(wire, "room.view")
                await wire.send({"type": "room.send", "seq": 1, "event": {"type": "increment"}})
                await until(wire, "room.outcome")
                await wire.socket.close()
        with running("examples/counter", Path(folder), "--limits", "off") as server:
            print("a wake")
            await wakes(server.url)


if __name__ == "__main__":
    asyncio.run(main())
