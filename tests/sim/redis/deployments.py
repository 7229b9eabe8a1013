"""Simulated servers together: a primary with replicas and whoever says which that is, or a cluster
whose slots move. In: what happens to them, by name. Out: which of them a host finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from redis.exceptions import AskError, MovedError, NoScriptError, TryAgainError

from rooms.store.redis import scripts
from rooms.store.redis.cluster import Address, Cluster
from rooms.store.redis.keys import TAGS, slot
from rooms.store.redis.servers import Single
from tests.sim.redis.server import Said, Server

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from rooms.store.redis.line import Command
    from rooms.store.redis.servers import Servers
    from tests.sim.loop import Process, SimLoop
    from tests.sim.redis.roads import Connection, Road

PORT: Final = 6379


class Deployment(Protocol):
    """Servers that are one store."""

    servers: list[Server]

    def found_by(self, road: Road) -> Servers:
        """What a host's store asks."""

    def server_of(self, partition: int) -> Server:
        """Who has a partition, truly."""


class Direct:
    """Whoever plays the world looks at the servers themselves, and waits for nothing."""

    def __init__(self, server_of: Callable[[int], Server]) -> None:
        self._server_of = server_of

    async def ask(
        self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0, commits: bool = False
    ) -> list[Any]:
        return [self._run(self._server_of(partition), command) for partition, command in asked]

    def _run(self, server: Server, command: Command) -> Any:
        packed = [one if isinstance(one, bytes) else str(one).encode() for one in command]
        said = Said()
        said.everywhere = True
        answer = server.run(packed, said)
        if isinstance(answer, NoScriptError):
            for script in scripts.ALL:
                server.run([b"SCRIPT", b"LOAD", script.text.encode()], said)
            answer = server.run(packed, said)
        return answer

    async def close(self) -> None:
        """There is nothing to let go of."""


class Watched:
    """A primary and its replicas, watched by sentinels. One thing goes wrong at a time."""

    def __init__(
        self, loop: SimLoop, environment: Process, dice: random.Random, replicas: int, lag: float
    ) -> None:
        self.loop = loop
        self.environment = environment
        self.dice = dice
        self.busy = False
        self.over = False
        """Whether nothing goes wrong any more."""
        self.former: Server | None = None
        """A primary that lost its place, and doesn't know."""
        self.lost: Callable[[Server, Server], None] = lambda old, new: None
        """Is told when what only the one has is lost, because the other is the primary."""
        self.took_over: Callable[[Server], None] = lambda new: None
        """Is told when one is the primary."""
        self.believers: set[Road] = set()
        """Whoever still takes the former for the primary."""

        def lags() -> float:
            return dice.expovariate(1 / (0.01 if self.over else lag))

        self.servers = [Server(f"redis-{n}", loop, environment, lags) for n in range(1 + replicas)]
        self.primary = self.servers[0]
        for server in self.servers[1:]:
            server.follow(self.primary)

    def found_by(self, road: Road) -> Servers:
        async def connect() -> Connection:
            split = self.former is not None and road in self.believers
            return await road.connect(self.former if split and self.former else self.primary)

        return Single("redis", connect)  # type: ignore[arg-type]  # as much of one as a line needs

    def server_of(self, partition: int) -> Server:
        return self.primary

    # ------------------------------------------------------------------ trouble

    def fail_over(self) -> None:
        """The primary ends; after a while a replica takes its place, and it comes back as one."""
        if self._begin():
            old = self.primary
            old.stop()
            self._later((0.3, 1.0, 4.0), self._promote, old)
            self._later((5.0, 7.0), self._back, old)

    def split(self, roads: Sequence[Road]) -> None:
        """The primary is parted from its replicas and all but these, who go on with it."""
        if self._begin():
            old = self.former = self.primary
            self.believers = set(roads)
            self.part(old)
            self._later((0.5, 2.0), self._promote, old)
            self._later((3.0, 6.0, 13.0), self._join, old)

    def stall(self) -> None:
        """Some replicas hear nothing for a while."""
        until = self.loop.time() + self.dice.choice((0.5, 1.5, 4.0))
        for server in self.servers:
            if server is not self.primary and self.dice.random() < 0.7:
                server.stalled_until = until

    def restart(self, *, from_disk: bool, empty: bool = False) -> None:
        """The primary's process ends, and is there again before anybody takes its place; its
        machine too, `from_disk`; and if it is `empty`, it had no disk.
        """
        if self._begin():
            if empty:
                self.primary.unsync()
            old = self.primary
            before = old.data
            old.stop()
            self._later((0.1, 0.5, 2.0), self._again, old, before, from_disk)

    def part(self, server: Server) -> None:
        """Nobody but the believers reaches this server; those don't reach the others."""
        for road in self.roads():
            others = {one for one in self.servers if one is not server}
            road.parted_from = others if road in self.believers else {server}
        server.replicas.clear()

    def calm(self) -> None:
        """All is well, from now on."""
        self.over = True
        for server in self.servers:
            server.stalled_until = 0.0

    def roads(self) -> list[Road]:
        """Everybody's ways here: set by the world."""
        return []

    def _begin(self) -> bool:
        free, self.busy = not self.busy and not self.over, True
        return free

    def _later(self, seconds: Sequence[float], then: Callable[..., None], *args: Any) -> None:
        self.environment.at(self.loop.time() + self.dice.choice(seconds), then, *args)

    def _promote(self, old: Server) -> None:
        best = max((one for one in self.servers if one is not old), key=lambda one: one.offset)
        best.promote()
        self.primary = best
        for server in self.servers:
            if server not in (best, old):
                server.follow(best)
        if self.former is None:  # else it goes on
            self.lost(old, best)
        else:
            self._kept = best.data.copy()
        self.took_over(best)

    def _back(self, old: Server) -> None:
        old.start(from_disk=False)
        old.follow(self.primary)
        self.busy = False

    def _join(self, old: Server) -> None:
        """Whoever is apart comes together: the former hears that it is a replica."""
        since, at = Server("then", self.loop, self.environment, lambda: 0.0), self.primary
        since.data = self._kept
        self.former = None
        self.lost(old, since)
        for road in self.roads():
            road.parted_from = set()
        self.believers = set()
        old.follow(at, cut=self.dice.random() < 0.5)
        self.busy = False

    def _again(self, server: Server, before: Any, from_disk: bool) -> None:
        was = Server("before", self.loop, self.environment, lambda: 0.0)
        was.data = before
        server.start(from_disk=from_disk)
        for other in self.servers:
            if other is not server:
                other.follow(server)
        if from_disk:
            self.lost(was, server)
            self.took_over(server)
        self.busy = False


class Sharded:
    """A cluster: each server has some of the partitions, and they move."""

    def __init__(
        self,
        loop: SimLoop,
        environment: Process,
        dice: random.Random,
        servers: int,
        partitions: int,
    ) -> None:
        self.loop = loop
        self.environment = environment
        self.dice = dice
        self.servers = [
            Server(f"redis-{n}", loop, environment, lambda: 0.0) for n in range(servers)
        ]
        self._slots = [slot(tag) for tag in TAGS[:partitions]]
        self._at = {number: self.servers[n % servers] for n, number in enumerate(self._slots)}
        self._moving: dict[int, _Move] = {}
        self._over = False
        self.brisk = False
        """Whether a slot has moved before anybody gives up waiting for it."""
        for server in self.servers:  # who has which of the keys, `_judge` says
            server.data = self.servers[0].data
            server.slots, server.judge = self._list, self._judge

    def found_by(self, road: Road) -> Servers:
        by_name = {server.name: server for server in self.servers}

        async def connect(address: Address) -> Connection:
            return await road.connect(by_name[address.host])

        seeds = [Address(server.name, PORT) for server in self.servers]
        return Cluster(seeds, connect)  # type: ignore[arg-type]  # as much of one as a line needs

    def server_of(self, partition: int) -> Server:
        return self._at[self._slots[partition]]

    def move(self) -> None:
        """A slot goes to another server, one key after the other."""
        still = [number for number in self._slots if number not in self._moving]
        if still and not self._over:
            number = self.dice.choice(still)
            target = self.dice.choice([one for one in self.servers if one is not self._at[number]])
            paces = (0.01, 0.05) if self.brisk else (0.01, 0.05, 0.2)
            self._moving[number] = _Move(target, self.dice.choice(paces))
            self._step(number)

    @property
    def busy(self) -> bool:
        """Whether some slot is on its way."""
        return bool(self._moving)

    def calm(self) -> None:
        """No more moves."""
        self._over = True

    def _step(self, number: int) -> None:
        move = self._moving[number]
        keys = self.servers[0].data.keys
        left = [key for key in keys if key not in move.moved and _slot_of(key) == number]
        if left:
            move.moved.add(self.dice.choice(left))
            at = self.loop.time() + self.dice.expovariate(1 / move.pace)
            self.environment.at(at, self._step, number)
        else:
            self._at[number] = move.target
            del self._moving[number]

    def _list(self, server: Server) -> list[Any]:
        return [
            [number, number, [at.name.encode(), PORT, at.name.encode()]]
            for number, at in self._at.items()
        ]

    def _judge(self, server: Server, keys: Sequence[bytes], asking: bool) -> None:
        """What a server of a cluster answers for keys that it may not have."""
        number = _slot_of(keys[0])
        owner, move = self._at[number], self._moving.get(number)
        there = [key for key in keys if key in server.data.keys]
        if owner is server and move is not None:
            there = [key for key in there if key not in move.moved]
            if not there:
                raise AskError(f"{number} {move.target.name}:{PORT}")
        elif move is not None and server is move.target and asking:
            there = [key for key in there if key in move.moved]
            if len(keys) == 1:
                move.moved.add(keys[0])
                return
        elif owner is not server:
            raise MovedError(f"{number} {owner.name}:{PORT}")
        if move is not None and len(there) < len(keys):
            raise TryAgainError("Multiple keys request during rehashing of slot")


class _Move:
    """A slot on its way: the keys that are there already, and how long one takes (s)."""

    def __init__(self, target: Server, pace: float) -> None:
        self.target = target
        self.pace = pace
        self.moved: set[bytes] = set()


def _slot_of(key: bytes) -> int:
    return slot(key[key.index(b"{") + 1 : key.index(b"}")].decode())
