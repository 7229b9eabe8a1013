"""Worlds of rooms without a machine: whatever goes wrong in them, every promise is kept; and each
guard of hooks, switched off, comes to a harm that somebody sees.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from rooms.hooks import connection, storage
from rooms.host import waking
from rooms.host.channels import Channel
from rooms.host.hooks import call
from rooms.host.hooks.session import HookSession
from rooms.host.turn import Turn
from rooms.link.protocol import Tell
from rooms.sync import codec
from tests.histories import rules
from tests.sim.mutants import CALM, applied
from tests.sim.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

WORLD: dict[str, Any] = {"kinds": ["diary/a"]}
SEEDS = 40
AT_ONCE = 20
WITHIN = 40


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_a_room_of_hooks_keeps_every_promise(first: int) -> None:
    # [HOOK1] [HOOK2] [HOOK3] [HOOK4] [HOOK6] [HOOK9]
    for seed in range(first, first + AT_ONCE):
        violations = World(seed, WORLD).play()
        assert not violations, (seed, list(map(str, violations[:10])))


def failed_hook_counts(swap: Any) -> None:
    """What a hook that raised had written stays."""

    def done_anyway(self: Any, call: Any, error: Exception) -> None:
        self._done(call, Turn(call.now))

    swap(HookSession, "_failed", done_anyway)


def hook_says_at_once(swap: Any) -> None:
    """What a hook says leaves when it is said."""

    def broadcast(self: Any, message: Any, exclude: Any) -> None:
        said = connection.payload(message)
        for each in self._everybody:
            if each.channel is not None:
                data = codec.encode(said.message, each.channel.attach.codec)
                each.channel.end.send(Tell(each.channel.number, data))

    swap(call.Call, "broadcast", broadcast)


def hooks_at_once(swap: Any) -> None:
    """A hook begins while another one runs."""
    expire = HookSession.expire

    def begin(self: Any, name: Any, who: Any, hook: Any, then: Any, *turn: Any, **_: Any) -> None:
        begun = self._call(name, who, turn[0].now)
        task = asyncio.get_running_loop().create_task(_result(hook))
        self.__dict__.setdefault("late", []).append((begun, then, task))
        task.add_done_callback(lambda _: self.resume())

    def end(self: Any, turn: Any, *, entering: bool) -> None:
        late = self.__dict__.setdefault("late", [])
        for begun, then, task in [each for each in late if each[2].done()]:
            late.remove((begun, then, task))
            if not task.cancelled():
                error = task.exception()
                self._end(begun, then, None if error else task.result(), error, turn)
        expire(self, turn, entering=entering)

    async def _result(hook: Any) -> Any:
        result = hook()
        return await result if inspect.isawaitable(result) else result

    swap(HookSession, "_begin", begin)
    swap(HookSession, "expire", end)


def connection_forgotten(swap: Any) -> None:
    """What a room of hooks keeps of a connection is lost when it sleeps."""
    again = Channel.attach_again

    def forget(self: Any, attachment: Any) -> None:
        again(self, attachment and {**attachment, "kept": None})

    swap(Channel, "attach_again", forget)


def storage_not_restored(swap: Any) -> None:
    """A room of hooks wakes with an empty storage."""
    swap(waking, "Kept", lambda stored: storage.Kept({}))


HARM: dict[Callable[[Any], None], set[str]] = {
    failed_hook_counts: {"phantom"},
    hook_says_at_once: {"heard before view", "heard twice", "phantom"},
    hooks_at_once: {"lost", "undurable", "acknowledged twice"},
    connection_forgotten: {"met again"},
    storage_not_restored: {"lost", "undurable", "went back"},
}
"""What each guard keeps away: one of these has to be seen."""

WEATHER: dict[Callable[[Any], None], dict[str, Any]] = {
    connection_forgotten: {**CALM, "pace": 4.0},  # rooms sleep, and it is known who came how often
}
"""Where a guard is needed seldom: the faults of worlds in which it is needed often."""


@pytest.mark.parametrize("make", HARM, ids=lambda make: str(make.__name__))
def test_a_mutant_is_caught(make: Callable[[Any], None]) -> None:
    seen: set[str] = set()
    for seed in range(WITHIN):
        with applied(make):
            seen |= set(rules(World(seed, {**WORLD, **WEATHER.get(make, {})}).play()))
        if HARM[make] & seen:
            return
    pytest.fail(f"{make.__name__} survived {WITHIN} worlds: {seen}")
