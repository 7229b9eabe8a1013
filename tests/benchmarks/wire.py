"""What one delivery costs: a fan-out to 1,000 sockets, written straight to their transports, and
the same through ASGI sends; and what an idle connection weighs. One after the other in one run, the
readers in a process of their own.

    .venv/bin/python -m tests.benchmarks.wire
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import selectors
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from rooms.host.clock import elapsed
from rooms.link import memory
from rooms.link.protocol import Attach, Fanout, Hosted, Joined, Tell
from rooms.pace import Pace
from rooms.router.limits import Limits
from rooms.router.listening import Listening, bind
from rooms.router.router import Router
from rooms.store.port import HostInfo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from starlette.websockets import WebSocket

    from rooms.link.protocol import Message

SOCKETS = 1000
ROUNDS = 300
PATCH = b'{"type":"room.patch","base":"SbOA7lHf.%d","cursor":"SbOA7lHf.%d","ops":%s}'
OPS = b'[[["context","public","players",17,"position"],{"x":412,"y":93}]]'


# ---------------------------------------------------------------------- the readers' process


def read(port: int) -> None:
    """Open SOCKETS sockets, say so, then read and drop whatever comes until all are closed."""
    ask = (
        b"GET /rooms/counter/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    poll = selectors.DefaultSelector()
    for _ in range(SOCKETS):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.sendall(ask)
        while b"\r\n\r\n" not in peer.recv(4096):
            pass
        peer.setblocking(False)
        poll.register(peer, selectors.EVENT_READ)
    print(SOCKETS, flush=True)
    buffer = bytearray(1 << 16)
    frames, left = 0, SOCKETS
    while left:
        for key, _ in poll.select():
            assert isinstance(key.fileobj, socket.socket)
            size = key.fileobj.recv_into(buffer)
            frames += buffer.count(b"room.patch", 0, size)
            if not size:
                poll.unregister(key.fileobj)
                key.fileobj.close()
                left -= 1
    print(frames, flush=True)


@asynccontextmanager
async def readers(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.wire", "read", str(port), stdout=subprocess.PIPE
    )
    yield process
    await process.wait()


async def line(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    return int(await process.stdout.readline())


# ---------------------------------------------------------------------- the two servers


@asynccontextmanager
async def straight(port: socket.socket) -> AsyncIterator[Callable[[int], None]]:
    """Our router, with a host that lets everybody in; gives the fan-out of one round."""
    ours, theirs = memory.pair()

    def host(message: Message) -> None:
        if isinstance(message, Attach):
            theirs.send(Joined(message.channel, 1))
            theirs.send(Tell(message.channel, b"{}", cursor="SbOA7lHf.0"))

    theirs.listen(host)
    router = Router(
        secret=b"s" * 32,
        now=lambda: 0,
        pace=Pace(elapsed),
        limits=Limits(),
        pages=None,
        facade=Path(),
    )
    met = router.meet(HostInfo("host", "", {"counter": "1"}, 0), ours)
    theirs.send(Hosted({"counter": False}, None))
    await router.hosted()
    listening = Listening(router.app, port)
    await listening.start()

    def fan_out(number: int) -> None:
        data = PATCH % (number, number + 1, OPS)
        message = Fanout(1, f"SbOA7lHf.{number}", f"SbOA7lHf.{number + 1}", data)
        router._routing.receive(met, message)

    yield fan_out
    listening.close()
    await router.close()
    await listening.stop()


@asynccontextmanager
async def through_asgi(port: socket.socket) -> AsyncIterator[Callable[[int], object]]:
    """uvicorn's own class, Starlette's `send_text` awaited for each."""
    everybody: set[WebSocket] = set()

    async def serve(websocket: WebSocket) -> None:
        await websocket.accept()
        everybody.add(websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            everybody.discard(websocket)

    app = Starlette(routes=[WebSocketRoute("/{path:path}", serve)])
    config = uvicorn.Config(
        app,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[port])

    async def fan_out(number: int) -> None:
        text = (PATCH % (number, number + 1, OPS)).decode()
        for websocket in everybody:
            await websocket.send_text(text)

    yield fan_out
    await server.shutdown(sockets=[port])


# ---------------------------------------------------------------------- measuring


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(
    name: str,
    server: Callable[[socket.socket], AbstractAsyncContextManager[Callable[[int], Any]]],
) -> None:
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    async with server(bound) as fan_out, readers(port) as process:
        before, cpu = resident(), time.process_time()
        await line(process)
        handshake = (time.process_time() - cpu) / SOCKETS
        weight = (resident() - before) / SOCKETS
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(ROUNDS):
            done = fan_out(number)
            if done is not None:
                await done
            await asyncio.sleep(0)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        deliveries = SOCKETS * ROUNDS
        print(
            f"{name:10} {deliveries / wall:9,.0f} deliveries/s",
            f"{cpu / deliveries * 1e6:5.2f} µs of CPU each",
            f"{weight / 1024:5.1f} KiB a connection",
            f"{handshake * 1e6:3.0f} µs of CPU a handshake",
            sep="   ",
            flush=True,
        )
    received = await line(process)
    assert received == deliveries, f"{received} of {deliveries} arrived"


def main(arguments: list[str]) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    servers = {"straight": straight, "ASGI": through_asgi}
    match arguments:
        case ["read", port]:
            read(int(port))
        case [name]:
            uvloop.run(measure(name, servers[name]))
        case _:  # each in a process of its own, so that memory begins at nothing
            for name in [*servers, *servers]:
                subprocess.run([sys.executable, "-m", "tests.benchmarks.wire", name], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
