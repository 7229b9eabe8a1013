"""Worlds of fleets whose store is the real one for Redis, on simulated servers: a primary whose
replicas are late, stalled, promoted without its last changes, or parted from it while it goes on;
or a cluster whose slots move.

At `replicated(k)` everything is promised that is promised anywhere: who is promoted has what was
acknowledged. At `primary` that is lost which the promoted one hadn't heard of, and nothing else
is: the history is told what that was.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal
from unittest.mock import patch

from rooms.definition import replicated
from rooms.errors import StoreError
from rooms.host.marks import Mark
from rooms.host.neighbours import PREFIX as PREFIX_OF_ROOMS
from rooms.store.port import SessionId
from rooms.store.redis import cluster, indexes, keys, leases, scripts
from rooms.store.redis.keys import name_of, partition_of
from rooms.store.redis.store import RedisStore
from tests.sim.faults import CLUSTERS, STORES, _some
from tests.sim.fleet import Fleet
from tests.sim.hooked import Diary
from tests.sim.machines import Ledger, Table
from tests.sim.redis.deployments import Direct, Sharded, Watched
from tests.sim.redis.roads import Road
from tests.sim.store import run_now
from tests.sim.world import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from client import RoomClosed
    from rooms.router.channels import Channel
    from rooms.store.port import Record
    from tests.histories import Violation
    from tests.sim.loop import Process
    from tests.sim.redis.server import Server
    from tests.sim.robots import Robot
    from tests.sim.servers import Server as Member
    from tests.sim.world import Script

Level = Literal["replicated", "primary", "cluster"]

LEVELS: Final[tuple[Level, ...]] = ("replicated", "primary", "cluster")
PARTITIONS: Final = 4
"""Fewer than there are in earnest, which only take longer to look at."""
REPLICAS: Final = 2
PREFIX: Final = "sim:"
SYNCED: Final = 1.0
"""How old what a disk has may be (s): `appendfsync everysec`."""
TOGETHER: Final = 20.0
"""By when servers that failed or parted are together again (s)."""


class RedisFleet(Fleet):
    """A fleet on simulated servers; its level is by seed, unless it is given."""

    def __init__(
        self,
        seed: int,
        weather: Mapping[str, Any] = NOTHING,
        script: Script | None = None,
        level: Level | None = None,
    ) -> None:
        self.level = level or LEVELS[seed % len(LEVELS)]
        self.servers_of_store: Watched | Sharded
        self._roads: list[Road] = []
        self._lossy = False
        super().__init__(seed, script=script)
        dice, faults = self.dice, self.faults
        self._sleep_after = weather.get("sleep_after", Ledger.sleep_after)
        copies = weather.get("copies") or dice.choice((1, REPLICAS))
        self.copies = copies if self.level == "replicated" else 0
        """How many replicas have what is acknowledged."""
        trouble = _some(CLUSTERS if self.level == "cluster" else STORES, dice)
        faults.machines = {**faults.machines, **trouble}
        if self.level != "cluster":
            faults.machines.pop("delete", None)  # whoever is promoted may not have heard of it
        faults.force(weather)
        if self.level == "cluster":
            self.deployment.brisk = faults.brisk

    def play(self) -> list[Violation]:
        level = replicated(self.copies) if self.copies else "primary"
        few = PARTITIONS
        with ExitStack() as changes:
            for owner, name, value in (
                (keys, "PARTITIONS", few),
                (indexes, "PARTITIONS", few),
                (cluster, "PARTITIONS", few),
                (leases, "PARTITIONS", few),
                (Ledger, "durability", level),
                (Ledger, "sleep_after", self._sleep_after),
                (Table, "durability", level),
                (Diary, "durability", level),
            ):
                changes.enter_context(patch.object(owner, name, value))
            return super().play()

    # ------------------------------------------------------------------ the store

    def _open_store(self) -> RedisStore:
        if self.level == "cluster":
            self.deployment: Any = Sharded(self.loop, self.environment, self.dice, 3, PARTITIONS)
        else:
            lag = self.dice.choice((0.001, 0.03, 0.3))
            self.deployment = Watched(self.loop, self.environment, self.dice, REPLICAS, lag)
            self.deployment.roads = lambda: self._roads
            self.deployment.lost = self._lose
            self.deployment.took_over = self._taken_over
        for server in self.deployment.servers:
            server.witness = lambda *ran, server=server: self._ran(server, *ran)
        return self._store_at(Direct(self.deployment.server_of))

    def _store_at(self, servers: Any, replicas: int = 0) -> RedisStore:
        return RedisStore(
            servers, prefix=PREFIX, replicas=replicas, random_bytes=self.dice.randbytes
        )

    def way(self, process: Process) -> Road:
        road = Road(self.loop, process, self.faults, self.environment)
        road.store = self._store_at(self.deployment.found_by(road), self.copies)
        self._roads.append(road)
        return road

    def lease_time(self) -> float:
        return float(self.loop.now())

    def may_close(self, server: Member, channel: Channel) -> bool:
        """Also while the store's own servers are in trouble."""
        of_the_store = self.faults.machines.keys() & {*STORES, *CLUSTERS}
        return bool(of_the_store) or super().may_close(server, channel)

    def certify(self, incarnation: str) -> None:
        if self.deployment.server_of(0).up:
            super().certify(incarnation)

    def _record(self, id: SessionId, epoch: int) -> Record | None:
        try:
            record = run_now(self.store.load(id))
        except StoreError:
            return None
        name = name_of(id)
        key = self.store._keys.record(partition_of(name), name).encode()
        data = self.deployment.server_of(partition_of(name)).data
        owned = int(data.hash(key).get(b"epoch", b"0"))
        return record if owned == epoch and not self._lossy else None

    # ------------------------------------------------------------------ trouble

    def _strike(self, fault: str, server: Member) -> None:
        deployment, dice = self.deployment, self.dice
        match fault:
            case "fail over":
                deployment.fail_over()
            case "split":
                deployment.split([road for road in self._roads if dice.random() < 0.4])
            case "stall":
                deployment.stall()
            case "restart":
                lossy = self.level == "primary" and dice.random() < 0.5
                deployment.restart(from_disk=lossy, empty=lossy and dice.random() < 0.3)
            case "move":
                deployment.move()
            case _:
                super()._strike(fault, server)

    def _open_doors(self) -> list[Member]:
        if "restart" in self.faults.machines:
            self.environment.soon(self._sync)
        return super()._open_doors()

    def _sync(self) -> None:
        """A disk has what its server had a second ago."""
        for server in self.deployment.servers:
            if server.up:
                server.sync()
        self.environment.at(self.loop.time() + SYNCED, self._sync)

    def _calm(self) -> None:
        super()._calm()
        drops = sum(host.host._rooms.tally.drops for host in self.hosts if host.host)
        if self.faults.brisk and drops:
            self.history.violated("dropped", f"{drops} rooms, though their slots were only moved")
        self.deployment.calm()

    async def _settled(self) -> None:
        await self._within(TOGETHER, lambda: not self.deployment.busy)
        await super()._settled()

    def excuses(self, error: RoomClosed) -> bool:
        return self._lossy or super().excuses(error)

    # ------------------------------------------------------------------ what the history is told

    def _ran(self, server: Server, sha: str, args: Sequence[bytes], answer: Any) -> None:
        """A script ran on a server; what a primary does that lost its place, nobody relies on."""
        deployment, history = self.deployment, self.history
        if self.level != "cluster" and server is not deployment.primary:
            return
        now = float(self.loop.now())
        given = [one.decode(errors="replace") for one in args[:6]]
        match sha:
            case scripts.ACQUIRE.sha if answer[0] == b"yours":
                fields = dict(zip(answer[3][::2], answer[3][1::2], strict=True))
                history.acquired(
                    given[0].replace(",", "/"), given[1], int(answer[1]), answer[2].decode(),
                    int(fields.get(b"revision", b"0")), now,
                )  # fmt: skip
            case scripts.COMMIT.sha if answer is None:
                owner, epoch, generation, prev, _, name = given
                history.committed(
                    name.replace(",", "/"), owner, int(epoch), generation, int(prev), int(args[14])
                )
            case scripts.RELEASE.sha if answer == 1:
                history.released(given[0].replace(",", "/"), given[1], now=now)
            case scripts.DELETE.sha if answer == 1:
                history.forgotten(given[0].replace(",", "/"))
            case scripts.LEASES.sha if given[0] == "beat":
                history.heartbeat(given[2], answer == 1, now, float(given[3]))
            case scripts.LEASES.sha if given[0] == "retire":
                history.retired(given[2], now)

    def _taken_over(self, new: Server) -> None:
        """A server is the primary: what it has is what there is."""
        leases = new.data.scores(f"{PREFIX}{{{keys.TAGS[0]}}}:leases".encode())
        owners = {}
        for id, row in _sessions(new).items():
            owners[str(id)] = (
                row[b"owner"].decode(), int(row[b"epoch"]), row[b"generation"].decode(),
                int(row[b"revision"]),
            )  # fmt: skip
        ends = {one.decode(): end for one, end in leases.items()}
        self.history.rewound(owners, ends)

    def _lose(self, old: Server, new: Server) -> None:
        """What only the old primary had is lost."""
        if self.level == "replicated":
            return  # and nobody was told of it
        self._lossy = True
        for id in _sessions(old):
            before, after = self._kept_by(old, id), self._kept_by(new, id)
            if before is None or before == after:
                continue
            was, now = self._context(id, before), self._context(id, after)
            same = now is not None and now["life"] == was["life"]
            self.history.lost_by_store(
                was["life"],
                was["log"],
                now["log"] if same and now else [],
                outcomes=_lost_outcomes(before, after if same else None, self.robots),
                received=set(was.get("received", ()))
                - set(now.get("received", ()) if same else ()),
            )

    def _kept_by(self, server: Server, id: SessionId) -> Record | None:
        up, server.up = server.up, True
        record = run_now(self._store_at(Direct(lambda _: server)).load(id))
        server.up = up
        return record


def _sessions(server: Server) -> dict[SessionId, dict[bytes, bytes]]:
    """The sessions that a server has, and their records."""
    found = {}
    for key, row in server.data.keys.items():
        _, there, name = key.partition(b":session:")
        if there:
            found[SessionId(*name.decode().split(","))] = row
    return found


def _lost_outcomes(before: Record, after: Record | None, robots: Sequence[Robot]) -> set[str]:
    """The events that were settled, and aren't any more."""
    posts = {_post(f"{one.name}.{n}"): f"{one.name}.{n}" for one in robots for n in range(1, 200)}
    lost = set()
    for key, blob in before.marks.items():
        viewer, _, client = key.rpartition("\0")
        if not viewer or key.startswith(PREFIX_OF_ROOMS):
            continue  # since when clients are forgotten; what other rooms handed over
        kept = None if after is None else after.marks.get(key)
        first = 0 if kept is None else Mark.load(kept).settled
        page = posts.get(client) or bytes.fromhex(client).decode().removeprefix("façade-")
        lost |= {f"{page}:{n}" for n in range(first + 1, Mark.load(blob).settled + 1)}
    return lost


def _post(key: str) -> str:
    """The client that a post with this key is, as `rooms/host/requests.py` has it."""
    return "http " + hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
