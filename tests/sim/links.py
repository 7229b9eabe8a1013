"""The network between routers and hosts: the real links, over bytes that are late, held up, or
never come.

A direction that is cut holds what is sent until it is whole again, as TCP does, so that one side
may still hear the other that doesn't hear it; who hears nothing gives up by its own pings. A
process that is killed hangs up, or says nothing because its machine is gone.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from rooms.errors import LinkError
from rooms.link.framing import Framing
from rooms.link.stream import OPEN_WITHIN, StreamEnd
from tests.sim.loop import STEP, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Message
    from rooms.link.stream import Speech
    from tests.sim.loop import Process, SimLoop

    End = StreamEnd[Message]

M = TypeVar("M")


class Network:
    """All links of one fleet. `delay` says how long something travels (s)."""

    def __init__(
        self, loop: SimLoop, delay: Callable[[], float], chance: Callable[[int], bytes]
    ) -> None:
        self.loop = loop
        self.delay = delay
        self._chance = chance
        self._held: dict[tuple[str, str], float] = {}
        self.troubled: dict[frozenset[str], float] = {}
        """Until when something between two processes was held last (s), by their names."""
        self._listening: dict[str, tuple[Process, Callable[[End], None]]] = {}
        self._sockets: dict[Process, list[_Socket]] = {}

    def listen(self, address: str, accept: Callable[[End], None]) -> None:
        """The process that this is run by takes links at this address."""
        self._listening[address] = running(), accept

    def cut(self, one: Process, other: Process, seconds: float, *, both: bool) -> None:
        """What is sent from one to the other, or also back, comes only after so many seconds."""
        until = self.loop.time() + seconds
        self._held[one.name, other.name] = until
        self.troubled[frozenset((one.name, other.name))] = until
        if both:
            self._held[other.name, one.name] = until

    def heal(self) -> None:
        """Nothing is held any more."""
        self._held.clear()

    def end(self, process: Process, *, silently: bool) -> None:
        """A process is dead: its system hangs up for it, or is dead, too."""
        for socket in self._sockets.pop(process, []):
            if not silently:
                socket.close()
            socket.over = True

    def held_until(self, one: Process, other: Process) -> float:
        """When something sent now may arrive, at the earliest."""
        return self._held.get((one.name, other.name), 0.0)

    async def dial(self, address: str, secret: bytes, speech: Speech[Message], **_: Any) -> End:
        """What `rooms.link.stream.dial` does, by way of this network."""
        process, accept = self._listening.get(address, (None, None))
        opened: asyncio.Future[End] = self.loop.create_future()
        if process is None or accept is None or process.dead:
            await asyncio.wait([opened], timeout=self.delay())
            raise LinkError(f"{address}: nobody is there")

        def refused(error: Exception) -> None:
            if not opened.done():
                opened.set_exception(error)

        def end(dials: bool, on_open: Any, on_refused: Any) -> End:
            framing = Framing(dials=dials, secret=secret, nonce=self._chance(16))
            return StreamEnd(framing, speech, on_open, on_refused)

        near, far = _Socket(self, running()), _Socket(self, process)
        near.other, far.other = far, near
        near.carry(lambda: far.open(end(False, accept, lambda _: None)))
        near.open(end(True, opened.set_result, refused))
        await asyncio.wait([opened], timeout=OPEN_WITHIN)
        if not opened.done():
            opened.cancel()
            near.abort()
            raise LinkError(f"{address}: nothing within {OPEN_WITHIN:g} s")
        return opened.result()

    async def join(
        self, near: Process, far: Process, speech: Speech[M], taken: Callable[[StreamEnd[M]], None],
        *, missed: int,
    ) -> StreamEnd[M]:  # fmt: skip
        """What both `rooms.link.stream.join` make of the two ends of a socket pair: a process that
        has begun another one gets its end, `taken` is given the other's.
        """
        opened: asyncio.Future[StreamEnd[M]] = self.loop.create_future()

        def refused(error: Exception) -> None:
            if not opened.done():
                opened.set_exception(LinkError(f"the other process is gone: {error}"))

        def end(dials: bool, missed: int, on_open: Any, on_refused: Any) -> StreamEnd[M]:
            framing = Framing(dials=dials, secret=b"born", nonce=self._chance(16), missed=missed)
            return StreamEnd(framing, speech, on_open, on_refused)

        here, there = _Socket(self, near), _Socket(self, far)
        here.other, there.other = there, here
        here.open(end(False, missed, opened.set_result, refused))
        far.run(lambda: there.open(end(True, sys.maxsize, taken, lambda _: None)))
        return await opened

    def opened(self, socket: _Socket, process: Process) -> None:
        """A process has one more socket."""
        self._sockets.setdefault(process, []).append(socket)


class _Socket:
    """One side of a connection: the transport of a `StreamEnd`."""

    def __init__(self, network: Network, process: Process) -> None:
        self.other: _Socket = self
        self.over = False
        self._network = network
        self._process = process
        self._end: StreamEnd[Any] | None = None
        self._arrives = 0.0
        self._unread: list[bytes] | None = None

    def open(self, end: StreamEnd[Any]) -> None:
        """This side is there."""
        self._end = end
        self._network.opened(self, self._process)
        end.connection_made(self)  # type: ignore[arg-type]  # as much of a transport as it needs

    def write(self, data: bytes) -> None:
        if not self.over:
            self.carry(lambda: self.other.hear(data))

    def close(self) -> None:
        if not self.over:
            self.over = True
            self.carry(self.other.lost)
            self._process.soon(self._tell_lost)

    abort = close

    def carry(self, arrive: Callable[[], None]) -> None:
        """Have something happen at the other side, after what was sent before."""
        network, there = self._network, self.other._process
        earliest = max(self._arrives + STEP, network.held_until(self._process, there))
        self._arrives = max(earliest, network.loop.time() + network.delay())
        there.at(self._arrives, arrive)

    def pause_reading(self) -> None:
        self._unread = []

    def resume_reading(self) -> None:
        unread, self._unread = self._unread, None
        for data in unread or ():
            self._process.soon(self.hear, data)

    def hear(self, data: bytes) -> None:
        """Bytes have come."""
        if self._unread is not None:
            self._unread.append(data)
        elif self._end is not None and not self.over:
            self._end.data_received(data)

    def lost(self) -> None:
        """The other side has hung up."""
        if not self.over:
            self.over = True
            self._tell_lost()

    def _tell_lost(self) -> None:
        if self._end is not None:
            self._end.connection_lost(None)
