"""How long a quiet client's event takes while others flood the door of a real server.

`python -m tests.benchmarks.flood [CONNECTIONS] [SERVE OPTIONS …]` starts `rooms serve` with the
counter, without limits by rate. A quiet client sends a numbered event every 20 ms in a room of its
own; beside it another process has so many connections (20) to one other room, and writes to each
as fast as the server reads: plain events, pings of the wire, pings of the protocol, messages in
pieces, messages that are none (each closes its connection, which comes back at once), and plain
requests. Printed: how long the quiet client's outcomes take with nobody else there, and beside each
flood.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import struct
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from client import connect
from tests.system.processes import running

SAMPLES = 150
EVERY = 0.02  # s
WARM = 1.0
ENOUGH = 20.0


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | opcode, 0x80 | len(data)])
    return head + struct.pack("!I", 0) + data


FLOODS = {
    "plain events": frame(1, b'{"type":"increment"}'),
    "pings of the wire": frame(1, b'{"type":"room.ping"}'),
    "pings of the protocol": frame(9, b""),
    "messages in pieces": frame(1, b'{"type":"nothing"', fin=False)
    + frame(0, b" ", fin=False) * 500
    + frame(0, b"}"),
    "no messages": frame(1, b"[]"),
    "plain requests": b"GET /rooms/counter/hot HTTP/1.1\r\nHost: x\r\n\r\n",
}


async def _flood(port: int, what: bytes) -> None:
    """One connection, and another when it is closed."""
    chunk = what * (64 * 1024 // len(what) + 1)
    upgrade = (
        "GET /rooms/counter/hot HTTP/1.1\r\nHost: x\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if not what.startswith(b"GET"):
                writer.write(upgrade.encode())
                await reader.readuntil(b"\r\n\r\n")
            reading = asyncio.ensure_future(_read(reader, writer))
            while not writer.is_closing():
                writer.write(chunk)
                await writer.drain()
            await reading
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while await reader.read(65_536):
            pass
    writer.close()


def flood(port: int, connections: int, what: bytes) -> None:
    async def everybody() -> None:
        await asyncio.gather(*(_flood(port, what) for _ in range(connections)))

    asyncio.run(everybody())


async def quiet(url: str) -> list[float]:
    """How long its outcomes take (ms), sorted."""
    room = connect(f"{url}/rooms/counter/quiet")
    took = []
    with suppress(TimeoutError):
        async with asyncio.timeout(ENOUGH):
            await room.ready()
            for _ in range(SAMPLES):
                await asyncio.sleep(EVERY)
                sent = time.perf_counter()
                await room.send({"type": "increment"})
                took.append((time.perf_counter() - sent) * 1000)
    room.close()
    await room.wait_closed()
    return sorted(took)


def report(name: str, took: list[float]) -> None:
    if len(took) < SAMPLES:
        print(f"{name:24} {len(took)} of {SAMPLES} events in {ENOUGH:g} s")
        return
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"{name:24} p50 {p50:7.1f} ms  p99 {p99:7.1f} ms  longest {took[-1]:7.1f} ms")


def main() -> None:
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    options = ["--limits", "off", "--store", "memory:", *sys.argv[2:]]
    with (
        tempfile.TemporaryDirectory() as folder,
        running("examples/counter", Path(folder), *options) as server,
    ):
        report("nobody else", asyncio.run(quiet(server.url)))
        for name, what in FLOODS.items():
            process = multiprocessing.Process(
                target=flood, args=(server.port, connections, what), daemon=True
            )
            process.start()
            try:
                time.sleep(WARM)
                report(name, asyncio.run(quiet(server.url)))
            finally:
                process.kill()
                process.join()


if __name__ == "__main__":
    main()
