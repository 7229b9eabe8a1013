"""Strikes at every step: one day of two servers, played again and again, and each time something
happens to a server one step later.

Chance strikes anywhere, sometimes. Here every step that a server takes in a day has its turn: each
callback of its loop, and with it every place where a task of it may wait.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tests.sim.loop import passed
from tests.sim.robots import Robot
from tests.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.histories import Violation
    from tests.sim.servers import Server


def kill(world: World, server: Server) -> None:
    """It ends here."""
    world.kill(server)


def drain(world: World, server: Server) -> None:
    """It is told to end."""
    server.process.soon(server.drain)


def pause(world: World, server: Server) -> None:
    """It stands still for longer than its lease."""
    server.process.pause()
    world.environment.at(world.loop.time() + 11, server.process.resume)


def cut_off(world: World, server: Server) -> None:
    """The store doesn't hear it for longer than its lease."""
    server.way.cut_off_until = world.loop.time() + 12


STRIKES: Final[dict[str, Callable[[World, Server], None]]] = {
    "kill": kill,
    "drain": drain,
    "pause": pause,
    "cut_off": cut_off,
}


_FAIR: Final = {
    "network": 0.02,
    "store": 0.001,
    "store_failures": 0.0,
    "stuck": 0.0,
    "roaming": 0.0,
    "machines": {"strike": 1.0},
}
WEATHER: Final[dict[str, dict[str, Any]]] = {
    "fair": _FAIR,
    "slow": {**_FAIR, "store": 0.6},
    "stormy": {**_FAIR, "store": 0.05, "store_failures": 0.2},
    "dark": {**_FAIR, "store": 0.05},
}
"""How the store does on a day; on a dark one it doesn't hear the first server for a while."""


class Day:
    """One day of this weather; `strike` happens to the server at `place` (0 or 1) when it has taken
    so many steps.
    """

    def __init__(
        self, weather: str = "fair", strike: str | None = None, place: int = 0, step: int = 0
    ) -> None:
        self.steps: tuple[list[frozenset[str]], ...] = ([], [])
        """Where each server's tasks waited before each of its steps, where `watched`."""
        self.watched = strike is None
        self._weather = weather
        self._strike = strike
        self._place = place
        self._step = step

    def __str__(self) -> str:
        return f"{self._weather} {self._strike} {self._place} {self._step}"

    def play(self) -> list[Violation]:
        """Live through it, and say which promises were broken."""
        return World(1, WEATHER[self._weather], self._live).play()

    async def _live(self, world: World) -> None:
        for place, server in enumerate(world.servers):
            if self.watched:
                self._watch(server, self.steps[place])
            if self._strike is not None and place == self._place:
                happen = partial(STRIKES[self._strike], world, server)
                server.process.after(self._step, happen)
        if self._weather == "dark":
            world.environment.at(1.0, cut_off, world, world.servers[0])
        await _day(world)

    def _watch(self, server: Server, steps: list[frozenset[str]]) -> None:
        def note() -> None:
            steps.append(frozenset(server.process.waits_at()))

        server.process.before_step = note


def struck(strike: str, weather: str = "fair", stride: int = 1) -> Iterator[Day]:
    """A day for each step of each server, or for one of `stride` steps, at which it is struck."""
    undisturbed = Day(weather)
    undisturbed.play()
    for place, steps in enumerate(undisturbed.steps):
        for step in range(len(strike) % stride, len(steps), stride):
            yield Day(weather, strike, place, step)


def killed_at_each_await() -> Iterator[tuple[Day, frozenset[str]]]:
    """As few days as it needs for a kill to land at each await that a server ever waits at, and
    the awaits that it lands at.
    """
    found: set[str] = set()
    for weather in WEATHER:
        undisturbed = Day(weather)
        undisturbed.play()
        for place, steps in enumerate(undisturbed.steps):
            for step, waits in enumerate(steps):
                if not waits <= found:
                    found |= waits
                    yield Day(weather, "kill", place, step), waits


async def _day(world: World) -> None:
    """People come, write and go; rooms sleep, wake, move to the other server; both go, too."""
    ann, bob, eve = world.players
    for player in world.players:
        player.where = "table/a"
    await passed(1)
    for player in world.players:
        player.tell("write", "whisper", "arm", "ring", "hand")
    robot = Robot(world, "robot", "table/a")
    world.robots.append(robot)
    robot.do("write")
    await passed(0.3)
    eve.process.run(eve.renew)
    ann.tell("odd", "broken", "mutter")
    if bob.wire is not None:
        bob.wire.stall()
    for _ in range(8):
        ann.tell("write", "write", "write")
        await passed(0.05)
    if bob.wire is not None:
        bob.wire.read_on()
    eve.process.run(eve.room.close)  # away, and left while the room sleeps
    await passed(8)
    ann.tell("write")
    bob.process.run(bob.room.reconnect)
    await passed(4)
    world.favourite = 1
    ann.process.run(ann.reload)  # comes to the other server, which may have it as soon as it sleeps
    await passed(4)
    bob.tell("write")
    ann.tell("write", "arm")
    await passed(1)
    eve.process.run(eve.reload)
    await passed(5)
    for server in list(world.servers):
        ann.tell("write", "hand", "ring")
        await passed(0.1)
        if server.up:
            server.process.soon(server.drain)
        ann.tell("write")
        await passed(3)
