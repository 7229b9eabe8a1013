"""Many clients in one process, as light as they can be: for benchmarks of whole servers.

Each has one WebSocket and says `increment` when it is told to, numbered, one at a time; what it
hears is only looked at for what it is. Servers have limits for each address: `--limits off`.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UPGRADE: Final = (
    "GET /rooms/counter/{session}?client={name} HTTP/1.1\r\nHost: x\r\n"
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)
_TEXT: Final = 1
_PING: Final = 9
_PONG: Final = 10
_EVENT: Final = (
    '{{"type":"room.send","seq":{seq},"acked":{acked},"event":{{"type":"increment","by":1}}}}'
)


class Client(asyncio.Protocol):
    """One client. `settled` is called with it at each outcome."""

    def __init__(self, name: str, session: str, settled: Callable[[Client], object]) -> None:
        self.session = session
        self.seq = 0
        self.sent: float | None = None
        """When the event that has no outcome yet was sent (s)."""
        self.took = 0.0
        """How long the last outcome took (ms)."""
        self.viewed = False
        """Whether it was told a view."""
        self.heard = 0
        """How many frames came."""
        self._ask = _UPGRADE.format(session=session, name=name).encode()
        self._settled = settled
        self._buffer = b""
        self._upgraded = False

    def send(self) -> None:
        """Say the next event."""
        self.seq += 1
        data = _EVENT.format(seq=self.seq, acked=self.seq - 1).encode()
        self.sent = time.perf_counter()
        self._write(_TEXT, data)

    def _write(self, opcode: int, data: bytes) -> None:
        assert len(data) < 126
        self._transport.write(bytes((0x80 | opcode, 0x80 | len(data), 0, 0, 0, 0)) + data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._ask)

    @property
    def waits(self) -> bool:
        """Whether it has said something and got no answer yet."""
        return self.sent is not None

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data
        start = 0
        if not self._upgraded:
            start = data.find(b"\r\n\r\n") + 4
            self._upgraded = start >= 4
            if not self._upgraded:
                self._buffer = data
                return
        while len(data) - start >= 4:
            size, head = data[start + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[start + 2 : start + 4], "big"), 4
            if len(data) - start < head + size:
                break
            if data[start] & 15 == _PING:
                self._write(_PONG, data[start + head : start + head + size])
            else:
                self._hear(data, start + head)
            start += head + size
        self._buffer = data[start:]

    def _hear(self, data: bytes, at: int) -> None:
        self.heard += 1
        if data.startswith(b'{"type":"room.outcome"', at):
            assert self.sent is not None
            self.took = (time.perf_counter() - self.sent) * 1000
            self.sent = None
            self._settled(self)
        elif data.startswith(b'{"type":"room.view"', at):
            self.viewed = True

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


class Crowd:
    """Clients of one server. While it is busy, each says its next event after an outcome."""

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.took: list[float] = []
        """How long each outcome took (ms)."""
        self._busy = False
        self._name = os.urandom(16).hex()

    async def connect(self, port: int, sessions: Sequence[str]) -> None:
        """One client more for each of these; returns when each has its view."""
        loop = asyncio.get_running_loop()
        first = len(self.clients)
        for number, session in enumerate(sessions, first):
            made = partial(Client, f"{self._name}{number:06}", session, self._settled)
            _, client = await loop.create_connection(made, "127.0.0.1", port)
            self.clients.append(client)
        await until(lambda: all(client.viewed for client in self.clients[first:]))

    async def play(self, seconds: float, clients: Sequence[Client] | None = None) -> float:
        """Let these be busy for so long, and wait for the last outcome; outcomes a second."""
        clients = self.clients if clients is None else clients
        self.took.clear()
        begun = time.perf_counter()
        self._busy = True
        for client in clients:
            client.send()
        await passed(seconds)
        self._busy = False
        await until(lambda: not any(client.waits for client in clients))
        return len(self.took) / (time.perf_counter() - begun)

    def close(self) -> None:
        """All hang up."""
        for client in self.clients:
            client.close()

    def _settled(self, client: Client) -> None:
        self.took.append(client.took)
        if self._busy:
            client.send()


def percentiles(took: Sequence[float]) -> str:
    """The half, the slowest hundredth and the slowest of all, in ms."""
    ordered = sorted(took)
    p99 = ordered[-1 - len(ordered) // 100]
    return f"p50 {ordered[len(ordered) // 2]:7.1f}  p99 {p99:7.1f}  longest {ordered[-1]:7.1f} ms"


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait, looking now and then. Raises TimeoutError."""
    end = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError(f"not within {seconds:g} s")
        await passed(0.01)


async def passed(seconds: float) -> None:
    """Wait so long."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(seconds, future.set_result, None)
    await future
