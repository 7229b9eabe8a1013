"""Worlds in which somebody decides what happens, where chance would need too long for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.loop import passed

if TYPE_CHECKING:
    from tests.sim.world import World


async def cut_off_and_asked(world: World) -> None:
    """A host that the store doesn't hear is asked what it sees, after another one took over."""
    world.faults.calm()
    first, second = world.servers
    watching, writing = world.players[:2]
    writing.where = watching.where = "ledger/a"
    await passed(2)
    watching.process.run(watching.send, "write")
    await passed(1)
    for wire in first.wires:
        if wire.player is not watching:
            wire.player.process.run(wire.player.room.close)
    first.way.cut_off_until = world.loop.time() + 20
    for _ in range(12):
        await passed(1)
        world.favourite = world.servers.index(first)
        watching.process.run(watching.room.reconnect)
    world.favourite = world.servers.index(second)
    writing.process.run(writing.reload)
    await passed(2)
    writing.process.run(writing.send, "write")
    await passed(1)
    world.favourite = world.servers.index(first)
    watching.process.run(watching.room.reconnect)
    await passed(3)
    world.favourite = world.servers.index(second)
    for player in world.players:
        player.process.run(player.reload)
