"""Worlds of fleets: several real routers and hosts on one store, joined by the real links.

Routers dial hosts as the store lists them. Hosts are killed, paused past their lease, cut off from
the store or from a router, drained, and replaced by others, also by such as run the next version of
the machines; routers are killed. Everything that a world of one host promises is promised here, and
that no socket closes while its router lives.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from rooms.apart import _give_over
from rooms.errors import StoreError
from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.link import framing
from rooms.link.stream import Traffic
from rooms.pace import Pace
from rooms.router import dialing
from rooms.router.dialing import Dialing
from rooms.router.limits import Limits
from rooms.router.router import Router
from tests.sim import partial
from tests.sim.bounds import exceeded
from tests.sim.closings import excused_in_fleet
from tests.sim.faults import LONG, PARTIAL, _some
from tests.sim.links import Network
from tests.sim.loop import passed
from tests.sim.machines import NEXT
from tests.sim.servers import KINDS, SECRET, Server, Tapped
from tests.sim.world import LATE_IN_TROUBLE, NOTHING, STILL, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from client import RoomClosed
    from rooms.link.protocol import Message
    from rooms.link.stream import StreamEnd
    from rooms.router.channels import Channel
    from tests.histories import Violation
    from tests.sim.world import Script

HOSTS: Final = 3
ROUTERS: Final = 2
MACHINES: Final = {
    "kill": 2.0,
    "pause": 1.5,
    "drain": 1.0,
    "deploy": 1.5,
    "cut off": 1.0,
    "cut link": 2.0,
    "cut drain": 1.0,
    "roll": 0.5,
    "kill router": 0.7,
    "drain router": 0.7,
    "delete": 0.5,
}
"""What happens to hosts, routers, what is between them, and sessions."""
LINKS: Final = ((framing.PIECE, framing.WINDOW), (128, 1024))
"""How many bytes one frame of a link has at most, and how many may be under way, by seed: so few
that messages travel in pieces, and wait for each other.
"""
LINKED_WITHIN: Final = 5.0
"""For how long a new host waits for routers until the old one leaves (s), as `rooms/fleet.py`."""
HEARD_WITHIN: Final = 5.0
"""How long it takes until who asks for a room has heard that nobody here can restore it (s)."""


class FleetHost(Server):
    """One life of a host, at an address; `next` runs the next version of the machines."""

    def __init__(self, world: Fleet, name: str, *, next: bool) -> None:
        self.next = next
        self._ends: list[StreamEnd[Message]] = []
        self._fleet = world
        super().__init__(world, name)

    async def _start(self) -> None:
        world, process = self._fleet, self.process
        host = self.host = self._make(Clock(world.loop.elapsed))
        try:
            await host.start()
        except StoreError:
            world.kill(self)
            return
        world.network.listen(process.name, self._accept)
        self._begun()

    def _make(self, clock: Clock) -> Host:
        kinds = {**KINDS, **NEXT} if self.next else KINDS
        chance, address = self.world.dice.randbytes, self.process.name
        return Host(kinds, self.way, clock=clock, chance=chance, address=address)

    @property
    def stands(self) -> bool:
        """Whether it lives, for the store too, as far as it knows."""
        return self.up and self.host is not None and self.host._rooms.leased

    def _accept(self, end: StreamEnd[Message]) -> None:
        assert self.host is not None
        self._ends.append(end)
        self.host.serve(Tapped(end, self._said))

    async def _drain(self) -> None:
        assert self.host is not None
        await _give_over(self.host, self._ends)
        self.world.kill(self)


class FleetRouter(Server):
    """One life of a router: what `rooms/apart.py` makes of its parts."""

    def __init__(self, world: Fleet, name: str) -> None:
        self.linked: list[str] = []
        super().__init__(world, name)

    async def _start(self) -> None:
        world = self.world
        clock = Clock(world.loop.elapsed)
        clock.measured(world.loop.now(), world.loop.elapsed(), world.loop.elapsed())
        router = self.router = Router(
            secret=SECRET,
            now=clock.now,
            pace=Pace(clock.elapsed),
            limits=Limits.off(),
            pages=None,
            facade=Path(__file__).parent,
        )
        self.connections, self.http = router._connections, router._http
        self._dialing = Dialing(
            router, self.way, SECRET, tls=None, traffic=Traffic(), changed=self._changed
        )
        self._dialing.start()
        await router.hosted()
        self._judge_closings(router)
        self._begun()

    async def _drain(self) -> None:
        assert self.router is not None
        await self.router.close()
        await self._dialing.stop()
        self.world.kill(self)

    def _changed(self, linked: list[str]) -> None:
        self.linked = linked


class Fleet(World):
    """A world with several hosts and routers."""

    def __init__(
        self, seed: int, weather: Mapping[str, Any] = NOTHING, script: Script | None = None
    ) -> None:
        super().__init__(seed, script=script)
        faults, dice = self.faults, self.dice
        faults.machines = {} if dice.random() < 0.1 else _some(MACHINES, dice)
        faults.partly({**PARTIAL, "blind router": 2.0})
        if "time out" in faults.machines and faults.more.random() < 0.5:  # or hardly anything else
            faults.lasting = LONG
            faults.machines = {**_some(faults.machines, faults.more, 0.2), "time out": 6.0}
        several = ["ledger/a", "table/b", "ledger/b"]
        faults.kinds = dice.choice([["ledger/a"], ["table/a"], several, ["diary/a", "ledger/a"]])
        faults.force(weather)
        self.hosts: list[FleetHost] = []
        self.network = Network(self.loop, faults.link_delay, dice.randbytes)
        self._names = HOSTS
        self._rolling = False
        self._alone = 0.0

    def play(self) -> list[Violation]:
        piece, window = LINKS[self.seed % len(LINKS)]
        with (
            patch.object(dialing, "dial", self.network.dial),
            patch.multiple(framing, PIECE=piece, WINDOW=window, GRANT=window // 256),
        ):
            return super().play()

    def _open_doors(self) -> list[Server]:
        self.hosts = [self.host(f"host-{n}", next=False) for n in range(HOSTS)]
        return [FleetRouter(self, f"router-{n}") for n in range(ROUTERS)]

    def host(self, name: str, *, next: bool) -> FleetHost:
        """One more host."""
        return FleetHost(self, name, next=next)

    def members(self) -> list[Server]:
        return [*self.servers, *self.hosts]

    # ------------------------------------------------------------------ trouble

    def _strike(self, fault: str, server: Server) -> None:
        dice, host = self.dice, self.dice.choice(self.hosts)
        match fault:
            case "kill router":
                server.process.after(dice.randrange(60), lambda: self.kill_in_trouble(server))
            case "drain router" if server.up and not server.process.paused:
                server.process.soon(server.drain)
            case "cut link":
                self._cut(host, server)
            case "blind router":
                partial.strike("time out", self, server)
            case "cut drain" if host.up and not host.process.paused:
                host.process.soon(host.drain)
                later = self.loop.time() + dice.choice((0.0, 0.05, 0.3))
                self.environment.at(later, self._cut, host, server)
            case "roll" if not self._rolling:
                self._rolling = True
                self.environment.soon(self._begin_roll)
            case "deploy" if host.up:
                self.environment.soon(self._begin_deploy, host)
            case "pause" if dice.random() < 0.2:
                super()._strike(fault, server)
            case _:
                super()._strike(fault, host)
        self.favourite %= len(self.servers)

    def _cut(self, host: FleetHost, router: Server) -> None:
        """One direction between them is held, or both are."""
        dice, pair = self.dice, (host.process, router.process)
        one, other = pair if dice.random() < 0.5 else pair[::-1]
        seconds = dice.choice((1.0, 2.5, 6.0, 12.0))
        self.network.cut(one, other, seconds, both=dice.random() < 0.5)

    def _begin_roll(self) -> None:
        self._rolls = self.loop.create_task(self._roll())

    async def _roll(self) -> None:
        """Every host is replaced, one after the other."""
        for old in list(self.hosts):
            if self.faults.on:
                await self.deploy(old)
        self._rolling = False

    def _begin_deploy(self, old: FleetHost) -> None:
        self._deploying = self.loop.create_task(self.deploy(old))

    async def deploy(self, old: FleetHost) -> None:
        """A host is replaced by one of the next version, once that is ready and known."""
        new = self.host(self._name(), next=True)
        self.hosts.append(new)
        end = self.loop.time() + LINKED_WITHIN

        def known() -> bool:
            return new.up and all(
                new.process.name in router.linked
                for router in self.servers
                if isinstance(router, FleetRouter) and router.up
            )

        while not known() and self.loop.time() < end:
            await passed(0.1)
        if new.up and old in self.hosts and old.up and len(self.hosts) > HOSTS:
            self.hosts.remove(old)
            self.retired.append(old)
            old.process.soon(old.drain)

    def kill(self, server: Server, *, again: bool = True) -> None:
        if server.process.dead or self._ended:
            return
        self.network.end(server.process, silently=self.faults.on and self.dice.random() < 0.3)
        super().kill(server, again=again)

    def _replace(self, server: Server) -> None:
        if isinstance(server, FleetHost):
            if server in self.hosts:
                same = self.dice.random() < 0.5
                name = server.process.name if same else self._name()
                self.hosts[self.hosts.index(server)] = self.host(name, next=server.next)
        elif server in self.servers:
            self.servers[self.servers.index(server)] = FleetRouter(self, server.process.name)

    def excuses(self, error: RoomClosed) -> bool:
        """Also where a session was migrated, and nobody of the next version lived when it asked."""
        self._look_for_next()
        alone = self.loop.time() - self._alone < HEARD_WITHIN
        return (alone and "was stored by version" in str(error)) or super().excuses(error)

    def may_close(self, server: Server, channel: Channel) -> bool:
        return excused_in_fleet(self, server, channel)

    def door(self) -> Server:
        self._look_for_next()
        return super().door()

    def _look_for_next(self) -> None:
        if not any(host.next and host.stands for host in self.hosts):
            self._alone = self.loop.time()

    def _name(self) -> str:
        self._names += 1
        return f"host-{self._names}"

    # ------------------------------------------------------------------ the end

    def _calm(self) -> None:
        self.faults.calm()
        self.network.heal()
        for member in [*self.members(), *self.retired]:
            member.process.resume()
            member.way.cut_off_until = 0.0
        self._leaving = [one for one in [*self.members(), *self.retired] if one.draining]
        for player in self.players:
            if player.wire is not None:
                player.wire.read_on()

    async def _settled(self) -> None:
        await super()._settled()
        await passed(STILL)
        await super()._settled()

    def _look_at_bounds(self) -> None:
        for member in self.members():
            for what in exceeded(member):
                self.history.violated("unbounded", what)

    def _lateness(self) -> int:
        return LATE_IN_TROUBLE
