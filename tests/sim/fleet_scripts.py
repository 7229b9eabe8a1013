"""What happens in fleets of which chance makes too few: each needs several things at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tests.sim.loop import passed
from tests.sim.store import run_now

if TYPE_CHECKING:
    from tests.sim.fleet import Fleet, FleetHost
    from tests.sim.players import Player
    from tests.sim.world import World


async def _met(world: World, where: str) -> tuple[Fleet, FleetHost, list[Player]]:
    """Nothing goes wrong; the first player is at the first router, the others are at the second;
    the host is whose the room is.
    """
    fleet = cast("Fleet", world)
    fleet.faults.calm()
    fleet.faults.force({"machines": {}, "store_failures": 0.0, "stuck": 0.0})
    for player in fleet.players:
        player.where = where
    await passed(2)
    fleet.favourite = 1
    for player in fleet.players[1:]:
        player.process.run(player.reload)
    await passed(2)
    fleet.favourite = 0
    fleet.players[0].process.run(fleet.players[0].reload)
    await passed(2)
    fleet.players[1].tell("write")
    await passed(1)
    return fleet, next(h for h in fleet.hosts if h.host and h.host.rooms), fleet.players


async def _written(player: Player, seconds: int) -> None:
    """Its room doesn't fall asleep for so long."""
    for _ in range(seconds):
        player.tell("write")
        await passed(1)


async def _visited(player: Player, seconds: int) -> None:
    """As above, and nothing is written."""
    for _ in range(seconds):
        player.process.run(player.room.reconnect)
        await passed(1)


async def answered_late(world: World) -> None:
    """What a host said before it died comes when another one has the room."""
    fleet, host, (ann, bob, *_) = await _met(world, "ledger/a")
    fleet.network.cut(host.process, fleet.servers[0].process, 3, both=False)
    ann.process.run(ann.room.reconnect)
    await passed(0.5)
    assert host.host is not None
    run_now(fleet.store.retire(host.host.incarnation))
    fleet.kill(host)
    await passed(1)
    bob.tell("write", "write")
    await passed(4)


async def half_alone(world: World) -> None:
    """A host whose lease is over is asked by a router that hears of no other one."""
    fleet, host, (ann, bob, eve, *_) = await _met(world, "ledger/a")
    fleet.faults.force({"machines": {"cut off": 1.0}})
    eve.process.run(eve.reload)  # so that the router knows where the room is
    await passed(1)
    near, far = (router.process for router in fleet.servers)
    host.way.cut_off_until = fleet.loop.time() + 25
    fleet.network.cut(host.process, far, 25, both=True)
    await _visited(ann, 4)
    for other in fleet.hosts:
        if other is not host:
            fleet.network.cut(other.process, near, 20, both=True)
    await _visited(ann, 9)
    bob.tell("write")
    await passed(1)
    ann.process.run(ann.reload)
    await passed(3)


async def pointed_at_the_end(world: World) -> None:
    """Somebody points when the room's host is putting it to sleep for good."""
    fleet, host, players = await _met(world, "table/a")
    fleet.faults.store = 0.3
    players[1].tell("write")
    host.process.soon(host.drain)
    for player in players:
        await passed(0.02)
        player.process.run(player.point)
    await passed(6)
    for player in players:  # others may not have been back in, when it was told
        if player.pointers.get(player.page) != player.points:
            fleet.history.violated("pointer", f"{player.page} doesn't hear itself")


async def away_from_its_place(world: World) -> None:
    """A room is elsewhere than where it would wake, and a router doesn't know of it."""
    fleet, host, (ann, bob, eve, *_) = await _met(world, "ledger/a")
    ann.process.run(ann.room.close)
    place = fleet.hosts.index(host)
    fleet.kill(host, again=False)
    assert host.host is not None
    run_now(fleet.store.retire(host.host.incarnation))
    await _written(bob, 2)
    fleet.hosts[place] = fleet.host(host.process.name, next=False)
    await _written(bob, 2)
    ann.process.run(ann.reload)
    await _written(eve, 20)
