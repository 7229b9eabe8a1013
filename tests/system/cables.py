"""What may befall the way between a router and a host on another machine: a proxy in which bytes
come late, don't come on, or at which the connection ends; and network namespaces, where a host has
one cable to the store and one to the routers, and either can be unplugged.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import ExitStack, asynccontextmanager, contextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_DICE: Final = SystemRandom()
_NOWHERE: Final = "02:00:00:00:00:00"
"""A link address that nobody has."""


class Proxy:
    """Carries connections to a port of loopback. `to_host` and `to_router` are its two ways; `late`
    is how long bytes are under way (s), `held` how many pieces wait where nothing comes on, `ended`
    how many ends of connections came here.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.port = 0
        self.late = 0.0
        self.held = 0
        self.ended = 0
        self.to_host = asyncio.Event()
        self.to_router = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.heal()

    def hold(self, *ways: asyncio.Event) -> None:
        """Nothing comes on by these ways any more, not even an end; nobody is told."""
        for way in ways:
            way.clear()

    def heal(self) -> None:
        """What is still under way comes on, late; and all that follows."""
        self.to_host.set()
        self.to_router.set()

    def cut(self) -> None:
        """End all connections, on both sides; what is under way is lost."""
        for writer in self._writers:
            writer.transport.abort()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody connects."""
        try:
            from_host, to_host = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_host}
        for origin, target, way in (
            (reader, to_host, self.to_host),
            (from_host, writer, self.to_router),
        ):
            under_way: asyncio.Queue[bytes] = asyncio.Queue()
            for half in (self._take(origin, under_way), self._bring(under_way, target, way)):
                task = asyncio.create_task(half)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _take(self, origin: asyncio.StreamReader, under_way: asyncio.Queue[bytes]) -> None:
        data = b"-"
        while data:
            try:
                data = await origin.read(65536)
            except OSError:
                data = b""
            under_way.put_nowait(data)
        self.ended += 1

    async def _bring(
        self, under_way: asyncio.Queue[bytes], target: asyncio.StreamWriter, way: asyncio.Event
    ) -> None:
        while data := await under_way.get():
            await self._pass(way)
            if not target.transport.is_closing():
                target.write(data)
        await self._pass(way)
        target.transport.abort()
        self._writers.discard(target)

    async def _pass(self, way: asyncio.Event) -> None:
        if self.late:
            await asyncio.sleep(self.late)  # noqa: TID251 - so long is the way
        if not way.is_set():
            self.held += 1
            await way.wait()
            self.held -= 1

    async def close(self) -> None:
        """End all connections, and what carries them."""
        self.heal()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """A proxy before this port."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.meet, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


class Cable:
    """A pair of interfaces: one here, one in a namespace, and their addresses. An unplugged one
    takes what is sent, and it is gone; neither side is told.
    """

    def __init__(self, namespace: str, number: int) -> None:
        name = f"{namespace[-8:]}{number}"
        net = f"10.{213 + number}.{_DICE.randrange(1, 255)}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        self._ends = (((), f"h{name}", self.there), (inside(namespace), f"t{name}", self.here))
        _ip("link", "add", f"h{name}", "type", "veth", "peer", f"t{name}", "netns", namespace)
        for (words, device, _), own in zip(self._ends, (self.here, self.there), strict=True):
            _ip("addr", "add", f"{own}/30", "dev", device, inside=words)
            _ip("link", "set", device, "up", inside=words)

    def unplug(self) -> None:
        """What either side sends goes to nobody."""
        for words, device, other in self._ends:
            to = ("lladdr", _NOWHERE, "dev", device, "nud", "permanent")
            _ip("neigh", "replace", other, *to, inside=words)

    def plug(self) -> None:
        """As before."""
        for words, device, other in self._ends:
            _ip("neigh", "del", other, "dev", device, inside=words)


def inside(namespace: str) -> tuple[str, ...]:
    """The words that have a command run in a namespace."""
    return ("ip", "netns", "exec", namespace)


@contextmanager
def namespace() -> Iterator[tuple[str, Cable, Cable]]:
    """A network namespace with two cables to here; skipped where that isn't permitted."""
    name = f"rooms-{_DICE.randrange(10**8):08}"
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root and the command `ip`")
    with ExitStack() as stack:
        try:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            cables = Cable(name, 1), Cable(name, 2)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces aren't permitted here: {error.stderr.strip()}")
        yield name, *cables


def _ip(*words: str, inside: tuple[str, ...] = ()) -> None:
    subprocess.run([*inside, "ip", *words], check=True, capture_output=True, text=True)
