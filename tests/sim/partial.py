"""What happens to one part of a world alone: a server that the store doesn't hear, or that doesn't
hear the store; to which the store is slow; that stands still for too short a time for its links to
be given up, again and again; whose machine sleeps. Whatever else it has to do with goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.sim.servers import Server
    from tests.sim.world import World

CUTS: Final = (2.0, 6.0, 12.0, 25.0)
"""For how long a server is cut off from the store (s): shorter than its lease, and longer."""
STILL: Final = 2.0
"""For how long one stands still at a time (s): less than three pings of a link."""


def strike(fault: str, world: World, server: Server) -> None:
    """This happens to a server."""
    dice, now, way, process = world.faults.more, world.loop.time(), server.way, server.process
    match fault:
        case "time out" if all(one.way.cut_off_until < now for one in world.members()):
            # What it says gets lost, or comes when it has been given up; others reach the store.
            way.gives_up = dice.random() < 0.8
            way.cut_off_until = now + dice.choice(CUTS)
            way.heard_until = now + dice.choice((0.0, 0.0, 5.0))
        case "slow store":
            way.slow_by = dice.choice((0.3, 0.9, 2.0))
            way.slow_until = now + dice.choice((4.0, 12.0))
        case "suspend" if not process.paused:
            process.suspend(dice.choice((1.0, 2.5, 11.0, 16.0)))
        case "stutter":
            _stand_still(world, server, dice.choice((3, 8)))


def _stand_still(world: World, server: Server, times: int) -> None:
    """It stands still, goes on for a moment, and stands still again."""
    if times and world.faults.on:
        if not server.process.paused:
            server.process.pause()
            world.environment.at(world.loop.time() + STILL, server.process.resume)
        later = world.loop.time() + STILL + world.faults.more.choice((0.01, 0.2))
        world.environment.at(later, _stand_still, world, server, times - 1)
