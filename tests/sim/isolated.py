"""Worlds of rooms that have processes of their own, at the hosts of a fleet: what ends such a
process, and be it the room itself, ends nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rooms.host.host import Host
from rooms.host.watched import comes_again
from tests.sim.faults import _some
from tests.sim.fleet import Fleet, FleetHost
from tests.sim.links import Network
from tests.sim.loop import Ended, running
from tests.sim.machines import NEXT
from tests.sim.nursery import Nursery
from tests.sim.players import EVENTS
from tests.sim.servers import KINDS
from tests.sim.world import NOTHING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from rooms.definition import Room
    from rooms.host.clock import Clock
    from rooms.host.room import LiveRoom
    from rooms.store.port import SessionId
    from tests.sim.loop import Process
    from tests.sim.nursery import Body
    from tests.sim.servers import Server
    from tests.sim.world import Script

ENDS: Final = {"crash": 8.0, "freeze": 1.5}
"""What happens to processes of rooms, beside what rooms do to them."""


def _isolated(kinds: Mapping[str, type[Room]]) -> dict[str, type[Room]]:
    """Each of them so that its effects aren't given up, however often their processes end."""
    own = {"isolation": "process", "effect_attempts": 100}
    return {name: type(kind.__name__, (kind,), own) for name, kind in kinds.items()}


ISOLATED: Final = _isolated(KINDS)
ISOLATED_NEXT: Final = {**ISOLATED, **_isolated(NEXT)}


@dataclass(slots=True)
class _Row:
    """Processes of one session at one host, until it sleeps: the event that the last one ended
    with, and those that two in a row did.
    """

    last: str | None = None
    twice: set[str] = field(default_factory=set)


class IsolatingHost(FleetHost):
    """One life of a host whose rooms have processes."""

    def __init__(self, world: IsolatedFleet, name: str, *, next: bool) -> None:
        super().__init__(world, name, next=next)
        kinds = ISOLATED_NEXT if next else ISOLATED
        self.nursery = Nursery(world, world.births, self.process, kinds, self._said)
        self.nursery.rested = world.rested

    def _make(self, clock: Clock) -> Host:
        nursery = self.nursery
        return Host(
            nursery.kinds,
            self.way,
            clock=clock,
            chance=self.world.dice.randbytes,
            address=self.process.name,
            nursery=nursery,
        )

    @property
    def rooms(self) -> Mapping[SessionId, LiveRoom]:
        bodies = self.nursery.bodies
        return {id: room for body in bodies for id, room in body.rooms.items()}

    def kept(self) -> Iterator[tuple[str, Collection[object]]]:
        assert self.host is not None
        processes = self.host._rooms.processes
        assert processes is not None
        yield "processes", self.nursery.bodies
        yield "rooms with processes", processes.tenants
        yield "guests", processes.guests._guests


class IsolatedFleet(Fleet):
    """A fleet of them."""

    again = 240.0
    events: ClassVar[Mapping[str, float]] = {**EVENTS, "deadly": 0.7}

    def __init__(
        self, seed: int, weather: Mapping[str, Any] = NOTHING, script: Script | None = None
    ) -> None:
        super().__init__(seed, weather, script)
        dice, faults = self.dice, self.faults
        faults.machines = {**_some(ENDS, dice), **faults.machines}
        faults.barren = dice.choice((0.0, 0.0, 0.05))
        faults.births = dice.choice((0.001, 0.001, 0.05))
        faults.force(weather)
        self.births = Network(self.loop, faults.birth_delay, dice.randbytes)
        self._struck: set[str] = set()
        self._deadly: set[str] = set()
        self._rows: dict[tuple[Process, SessionId | None], _Row] = {}

    def host(self, name: str, *, next: bool) -> IsolatingHost:
        return IsolatingHost(self, name, next=next)

    # ------------------------------------------------------------------ trouble

    def _strike(self, fault: str, server: Server) -> None:
        bodies = self._bodies()
        if fault not in ENDS:
            super()._strike(fault, server)
        elif bodies:
            body = self.dice.choice(bodies)
            match fault:
                case "crash":
                    body.process.after(self.dice.randrange(60), lambda: self._crash(body))
                case "freeze" if self._may_end(body):
                    body.process.pause()
                    later = self.loop.time() + self.dice.choice((0.5, 4.0, 60.0))
                    self.environment.at(later, body.process.resume)

    def _crash(self, body: Body) -> None:
        if self.faults.on and self._may_end(body):
            body.end("crashed")

    def _may_end(self, body: Body) -> bool:
        """Chance ends no two processes at the same: what does is given up."""
        doing = body.doing
        spared = doing in self._struck
        if comes_again(doing):
            self._struck.add(doing)
        if not spared:
            self._row(body).last = None
        return not spared

    def ends(self, entry: str, cause: str) -> None:
        for host in [*self.hosts, *self.retired]:
            if isinstance(host, IsolatingHost):
                for body in host.nursery.bodies:
                    if body.process is running():
                        self._end(body, entry, cause)

    def _end(self, body: Body, entry: str, cause: str) -> None:
        if entry not in self._deadly and len(self._deadly) == self.faults.deadly:
            return
        self._deadly.add(entry)
        row = self._row(body)
        if entry in row.twice:
            self.history.violated("tried again", f"{entry} after two processes ended with it")
            return
        if entry == row.last:
            row.twice.add(entry)
        row.last = entry
        body.end(cause)
        raise Ended

    def _row(self, body: Body) -> _Row:
        return self._rows.setdefault((body.host, body.at), _Row())

    def rested(self, body: Body) -> None:
        """A process came to its end because its room sleeps: a new row begins."""
        self._rows.pop((body.host, body.at), None)

    def kill(self, server: Server, *, again: bool = True) -> None:
        super().kill(server, again=again)
        if isinstance(server, IsolatingHost) and server.process.dead:
            server.nursery.end()

    # ------------------------------------------------------------------ the end

    def _calm(self) -> None:
        super()._calm()
        for body in self._bodies():
            body.process.resume()

    def _bodies(self) -> list[Body]:
        hosts = [one for one in [*self.hosts, *self.retired] if isinstance(one, IsolatingHost)]
        return [body for host in hosts for body in host.nursery.bodies]

    def _lateness(self) -> int:
        return super()._lateness() + 60_000  # a room that ends again and again waits for so long

    def _processes(self) -> list[Process]:
        return [*super()._processes(), *(body.process for body in self._bodies())]
