"""Worlds in which somebody decides what happens, where chance would need too long for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.errors import UnknownOutcome
from tests.sim.loop import passed
from tests.sim.store import run_now

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


async def suspended_and_asked(world: World) -> None:
    """The machine of a host was suspended while another one took over; then it is asked."""
    world.faults.calm()
    first = world.servers[0]
    ann, bob, eve = world.players[:3]
    for player in (ann, bob, eve):
        player.where = "ledger/a"
    await passed(2)
    ann.tell("write")
    await passed(1)
    for player in (bob, eve):
        player.process.run(player.room.close)
    first.process.suspend(14)
    world.favourite = 1
    await passed(11)
    bob.process.run(bob.reload)
    await passed(1)
    bob.tell("write")
    await passed(1.5)
    world.favourite = 0
    ann.process.run(ann.reload)
    await passed(3)
    world.favourite = 1
    for player in world.players:
        player.process.run(player.reload)


async def overtaken(world: World) -> None:
    """What a host has said to the store arrives when another one has the session."""
    world.faults.calm()
    first = world.servers[0]
    ann, bob, eve = world.players[:3]
    ann.where = bob.where = eve.where = "ledger/a"
    await passed(2)
    ann.tell("write")
    await passed(1)
    for player in (bob, eve):
        player.process.run(player.room.close)
    first.way.cut_off_until = world.loop.time() + 14
    ann.tell("write")
    world.favourite = 1
    await passed(11)
    bob.process.run(bob.reload)
    await passed(6)
    eve.process.run(eve.reload)


async def released_late(world: World) -> None:
    """That a room sleeps arrives late: whoever said it gave that up, and has woken it again."""
    world.faults.calm()
    first = world.servers[0]
    ann, bob, eve = world.players[:3]
    for player in (ann, bob, eve):
        player.where = "ledger/a"
    await passed(2)
    ann.tell("write")
    await passed(1)
    for player in (bob, eve):
        player.process.run(player.room.close)

    async def give_up(*released: Any) -> None:
        del first.way.release
        later = world.loop.time() + 4
        world.environment.at(later, lambda: run_now(world.store.release(*released)))
        raise UnknownOutcome("release: the store didn't answer")

    first.way.release = give_up
    while first.rooms:
        await passed(0.1)
    await passed(3)
    ann.tell("write")
    await passed(1.5)
    world.favourite = 1
    bob.process.run(bob.reload)
    await passed(1)
    bob.tell("write", "write")
    await passed(0.5)
    world.favourite = 0
    ann.process.run(ann.room.reconnect)
    await passed(1)
    eve.process.run(eve.reload)
    await passed(2)


async def asked_again(world: World) -> None:
    """An event was ignored, its outcome lost with the server; when it comes again it would do."""
    await _ignored_and_killed(world, "write", "write")


async def asked_again_of_none(world: World) -> None:
    """As above, and until then nothing was accepted: there is no session."""
    await _ignored_and_killed(world)


async def _ignored_and_killed(world: World, *before: str) -> None:
    world.faults.calm()
    ann, bob, eve = world.players[:3]
    ann.where = bob.where = eve.where = "ledger/a"
    await passed(1)
    bob.tell(*before)
    await passed(0.5)
    assert ann.wire is not None
    ann.wire.stall()
    ann.tell("odd")
    await passed(0.5)
    ann.process.pause()
    world.kill(world.servers[0])
    await passed(14)
    bob.tell("write")
    await passed(3)
    ann.process.resume()
    await passed(5)


async def asked_again_after_sleep(world: World) -> None:
    """An event was ignored, and its outcome lost on a socket that has gone silent, of which the
    server knows only that it was told; until it comes again its room, in which nothing was ever
    accepted, has slept, and is awake again for somebody else.
    """
    world.faults.calm()
    ann, bob, *_ = world.players
    for player in world.players:
        player.where = "ledger/a"
    await passed(1)
    assert ann.wire is not None
    ann.wire.stall()
    ann.tell("odd")
    await passed(6)
    bob.tell("odd")
    await passed(0.5)
    ann.wire.silence()
    ann.process.run(ann.room.reconnect)
    await passed(5)
