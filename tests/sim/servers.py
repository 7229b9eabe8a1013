"""A server of a simulated world: the real router and host, joined as `rooms/server.py` joins them,
in a process that can be killed, paused and drained.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rooms.errors import StoreError
from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.link.memory import pair
from rooms.link.protocol import Fanout, Live, Tell
from rooms.router.limits import Limits
from rooms.router.router import Router
from rooms.store.port import SessionId
from tests.sim.closings import UNREACHED
from tests.sim.hooked import Diary
from tests.sim.loop import Process
from tests.sim.machines import KINDS as MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from rooms.errors import Closing
    from rooms.host.room import LiveRoom
    from rooms.link.memory import End
    from rooms.link.protocol import Message
    from rooms.router.channels import Channel
    from rooms.router.connections import Connections
    from rooms.router.http import Http
    from tests.sim.network import Wire
    from tests.sim.world import World

KINDS = {**MACHINES, "diary": Diary}
SECRET = b"the secret of a simulated world."


class Server:
    """One life of one server."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.process = Process(world.loop, name)
        self.wires: list[Wire] = []
        self.streams: list[Any] = []
        self.ready = self.draining = False
        self.ready_at = 0.0
        """Since when it is (s)."""
        self.way: Any = world.way(self.process)
        self.host: Host | None = None
        self.connections: Connections
        self.http: Http
        self.serving: set[asyncio.Task[None]] = set()
        self.router: Router | None = None
        self.process.soon(self._begin)

    @property
    def up(self) -> bool:
        """Whether it accepts connections."""
        return self.ready and not self.process.dead

    def _begin(self) -> None:
        self._starting = asyncio.get_running_loop().create_task(self._start())

    async def _start(self) -> None:
        world = self.world
        clock = Clock(world.loop.elapsed)
        host = self.host = Host(KINDS, self.way, clock=clock, chance=world.dice.randbytes)
        try:
            await host.start()
        except StoreError:  # the store is out of reach: who started it starts it again
            self.world.kill(self)
            return
        ours, theirs = pair()
        host.serve(Tapped(theirs, self._said))
        router = self.router = Router(
            secret=SECRET,
            now=clock.now,
            pace=host.pace,
            limits=Limits.off(),
            pages=None,
            facade=Path(__file__).parent,
        )
        router.meet(host.info, ours)
        await router.hosted()
        self.connections = router._connections
        self.http = router._http
        self._judge_closings(router)
        self._begun()

    def drain(self) -> None:
        """SIGTERM: as `rooms/server.py` ends."""
        if self.ready:
            self.ready, self.draining = False, True
            self._ending = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        assert self.router is not None
        assert self.host is not None
        await self.router.close()
        await self.host.drain()
        self.world.kill(self)

    def _begun(self) -> None:
        self.ready, self.ready_at = True, self.world.loop.time()

    def _judge_closings(self, router: Router) -> None:
        """See that no socket is closed because its room is out of reach, unless that is so."""
        routing: Any = router._routing
        end = routing.end

        def judged(channel: Channel, closing: Closing) -> None:
            open = channel.number in routing._channels
            if open and closing.reason == UNREACHED and not self.world.may_close(self, channel):
                what = f"{channel.attach.viewer['id']} of {self.process} is closed: {closing}"
                self.world.history.violated("socket", what)
            end(channel, closing)

        routing.end = judged

    @property
    def rooms(self) -> Mapping[SessionId, LiveRoom]:
        """Its live rooms."""
        return {} if self.host is None else self.host.rooms

    def kept(self) -> Iterator[tuple[str, Collection[object]]]:
        """What it keeps beside what every server does."""
        yield from ()

    def _said(self, message: Message) -> None:
        """The host says something: see that a live room is what was stored, and what is shown."""
        rooms = self.rooms
        if isinstance(message, Live):
            id = SessionId(message.kind, message.session)
            if id in rooms:  # one of hooks is live when its connections are there
                self.world.compare(id, rooms[id])
        elif isinstance(message, (Fanout, Tell)) and message.cursor is not None:
            for room in rooms.values():
                for watch in room.audience._fanout._watches.values():
                    if watch.backlog.cursor == message.cursor:
                        self.world.history.made(watch.backlog.view, message.cursor)


class Tapped:
    """A link's end, with somebody who hears what is sent."""

    def __init__(self, end: End, hear: Callable[[Message], None]) -> None:
        self._end = end
        self._hear = hear
        self.listen = end.listen
        self.close = end.close

    @property
    def under_way(self) -> int:
        return self._end.under_way

    def send(self, message: Message) -> None:
        self._hear(message)
        self._end.send(message)
