"""What happens on failing servers of which chance makes too little: each needs several at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tests.sim.fleet_scripts import _met
from tests.sim.loop import passed

if TYPE_CHECKING:
    from tests.sim.redis.deployments import Watched
    from tests.sim.redis.worlds import RedisFleet
    from tests.sim.world import World


def _deployment(world: World) -> Watched:
    world.faults.force({"machines": {"fail over": 1.0}})
    deployment: Watched = cast("RedisFleet", world).deployment
    return deployment


def _deafen(deployment: Watched, seconds: float) -> None:
    """No replica hears anything for so long."""
    for server in deployment.servers:
        server.stalled_until = deployment.loop.time() + seconds


async def heartbeats_lost(world: World) -> None:
    """No replica has heard of a host for a while when one of them is promoted; and that host hears
    nothing of it.
    """
    fleet, host, (ann, bob, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    near, far = (router.process for router in fleet.servers)
    fleet.favourite = 1  # whoever comes back comes there
    _deafen(deployment, 9)
    await passed(5)
    fleet.network.cut(host.process, far, 25, both=True)
    await passed(2)
    host.way.cut_off_until = fleet.loop.time() + 30
    deployment.fail_over()
    await passed(3)
    for other in fleet.hosts:
        if other is not host:
            fleet.network.cut(other.process, near, 20, both=True)
    bob.tell("write")
    end = fleet.loop.time() + 5
    while bob.unanswered and fleet.loop.time() < end:
        await passed(0.1)
    fleet.favourite = 0
    ann.process.run(ann.reload)
    await passed(6)


async def owned_at_one(world: World) -> None:
    """Only the primary knows whose a session is when a replica is promoted; and whose it is hears
    nothing of that.
    """
    fleet, host, (ann, bob, eve, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    near, far = (router.process for router in fleet.servers)
    for player in (ann, bob, eve):
        player.process.run(player.room.close)
    await passed(18)
    _deafen(deployment, 3)
    ann.process.run(ann.reload)
    await passed(0.7)
    for one in fleet.hosts:
        fleet.network.cut(one.process, far if one is host else near, 25, both=True)
    host.way.cut_off_until = fleet.loop.time() + 25
    deployment.fail_over()
    fleet.favourite = 1
    await passed(3.2)
    bob.process.run(bob.reload)
    await passed(0.2)
    bob.tell("write")
    end = fleet.loop.time() + 3
    while bob.unanswered and fleet.loop.time() < end:
        await passed(0.1)
    fleet.favourite = 0
    ann.process.run(ann.reload)
    await passed(6)
    eve.process.run(eve.reload)


async def asleep_over_a_loss(world: World) -> None:
    """What a room has shown is lost, and it falls asleep before it hears of that."""
    _, _, (ann, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    _deafen(deployment, 3)
    ann.tell("write")
    await passed(0.5)
    deployment.fail_over()
    await passed(9)
    ann.process.run(ann.room.reconnect)
    await passed(1)
    ann.tell("write")
    await passed(2)


async def demoted_unheard(world: World) -> None:
    """Everybody stays with a primary that is parted from its replicas, until it is one itself."""
    _, _, (ann, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    deployment.split(deployment.roads())
    while deployment.busy:
        await passed(0.5)
    ann.tell("write")
    await passed(2)


async def written_at_one(world: World) -> None:
    """The primary is lost with what no replica has heard of for longer than anybody waits."""
    _, _, (ann, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    _deafen(deployment, 4)
    ann.tell("write")
    await passed(1.5)
    deployment.fail_over()
    await passed(7)


async def owed_and_lost(world: World) -> None:
    """Something is owed, and done; a store that has never heard of it is told to owe more."""
    _, _, (ann, bob, *_) = await _met(world, "ledger/a")
    deployment = _deployment(world)
    _deafen(deployment, 4)
    ann.tell("ring", "hand")
    await passed(0.5)
    deployment.fail_over()
    await passed(6)
    bob.tell("ring", "hand")
    await passed(4)
