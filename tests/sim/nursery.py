"""Processes of rooms in a simulated world: what `rooms/alone.py` does in one, joined to its host by
the real link, and ended between any two steps, or in the middle of one.

Both sides are the product's own; here is what the operating system does for them: it begins
processes, says how they ended, and keeps what they wrote of what they were at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.alone import serve
from rooms.errors import LinkError, StoreError
from rooms.host.clock import Clock
from rooms.host.deaths import Died
from rooms.host.isolated import LINES, Passed
from rooms.host.watched import SIZE, read
from rooms.nursery import SILENT_FOR
from tests.sim.loop import Process, passed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from rooms.alone import Alone
    from rooms.definition import Room
    from rooms.host.isolated import Line
    from rooms.host.room import LiveRoom
    from rooms.host.watched import Cause
    from rooms.link.protocol import Message
    from rooms.link.stream import StreamEnd
    from rooms.store.port import SessionId
    from tests.sim.links import Network
    from tests.sim.world import World

FORKS_IN = 0.01
"""How long it takes until there is another process (s)."""


class Body:
    """One process of a room. To its host it is a `Process` (`rooms/host/tenant.py`)."""

    def __init__(self, nursery: Nursery, name: str) -> None:
        self.process = Process(nursery.world.loop, name)
        self.memory = bytearray(SIZE)
        self.alone: Alone | None = None
        self._nursery = nursery
        self._cause: Cause = "crashed"
        self._link: StreamEnd[Line]

    async def begin(self, missed: int) -> None:
        """Fork, and be joined to the host. Raises LinkError."""
        network, here = self._nursery.network, self._nursery.process
        self._link = await network.join(here, self.process, LINES, self._born, missed=missed)
        self.send, self.listen = self._link.send, self._link.listen
        self.pause, self.resume = self._link.pause, self._link.resume
        self.close = self._link.close

    @property
    def doing(self) -> str:
        """What it is at, or was when it ended."""
        return read(self.memory)  # type: ignore[arg-type]  # bytes, as a mapped file's are

    @property
    def rooms(self) -> Mapping[SessionId, LiveRoom]:
        """Its live room, if there is one."""
        return {} if self.process.dead or self.alone is None else self.alone._host.rooms

    def kill(self) -> None:
        """End it here and now."""
        self.end("crashed")

    def end(self, cause: Cause) -> None:
        """It ends of this; what it has said before still arrives."""
        if not self.process.dead:
            self._cause = cause
            self.process.kill()
            self._nursery.network.end(self.process, silently=False)

    async def died(self) -> Died:
        """How it ended, and at what."""
        await passed(0.001)
        return Died(self._cause, self.doing)

    # ------------------------------------------------------------------ what happens in it

    @property
    def host(self) -> Process:
        """Whose it is."""
        return self._nursery.process

    @property
    def at(self) -> SessionId | None:
        """Whose room it is."""
        return None if self.alone is None else self.alone._id

    def _leave(self) -> None:
        self._nursery.rested(self)
        self.kill()

    def _born(self, link: StreamEnd[Line]) -> None:
        world = self._nursery.world
        heard: Any = _Heard(link, self._nursery.hear)

        async def live() -> None:
            try:
                self.alone = await serve(
                    heard,
                    self.memory,  # type: ignore[arg-type]
                    self._nursery.kinds,
                    limit=lambda room: None,
                    leave=self._leave,
                    clock=Clock(world.loop.elapsed),
                    chance=world.dice.randbytes,
                )
            except StoreError:
                self.kill()

        self._living: asyncio.Task[None] = world.loop.create_task(live())


class _Heard:
    """Its end of the link, with somebody who hears what is said to routers."""

    def __init__(self, link: StreamEnd[Line], hear: Callable[[Message], None]) -> None:
        self._link = link
        self._hear = hear
        self.listen = link.listen
        self.close = link.close

    @property
    def under_way(self) -> int:
        return self._link.under_way

    def send(self, line: Line) -> None:
        if type(line) is Passed:
            self._hear(line.message)
        self._link.send(line)


class Nursery:
    """Those of one host, which is this process; `hear` is told what their rooms say to routers."""

    def __init__(
        self,
        world: World,
        network: Network,
        process: Process,
        kinds: Mapping[str, type[Room]],
        hear: Callable[[Message], None],
    ) -> None:
        self.world = world
        self.network = network
        self.process = process
        self.kinds = kinds
        self.hear = hear
        self.rested: Callable[[Body], None] = lambda body: None
        """Called when one ends because its room sleeps."""
        self._born: list[Body] = []
        self._closed = False

    @property
    def bodies(self) -> list[Body]:
        """Those that live."""
        self._born = [body for body in self._born if not body.process.dead]
        return self._born

    def warm(self) -> None:
        """It always is."""

    async def warmed(self) -> None:
        """Likewise."""

    async def start(self, max_cpu: int) -> Body:
        """A new process. Raises LinkError: there can't be any now."""
        world = self.world
        await passed(world.dice.expovariate(1 / FORKS_IN))
        if self._closed or (world.faults.on and world.dice.random() < world.faults.barren):
            raise LinkError("no process can be forked")
        body = Body(self, f"{self.process.name}'s")
        self._born.append(body)
        await body.begin(SILENT_FOR + max_cpu // 500)
        return body

    async def close(self) -> None:
        """There are to be no more."""
        self._closed = True
        self.end()

    def end(self) -> None:
        """Their host is no more."""
        for body in self.bodies:
            body.kill()
