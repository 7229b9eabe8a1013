"""What keeps a room awake, one by one, and what doesn't."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from rooms.definition import Room
from rooms.sync.views import everything
from runtime import create_machine, from_callback, from_observable, setup
from tests.rooms.host.machines import Counter, Lobby
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Quiet(Counter):
    presence = True
    volatile = ("cursor",)


async def stage(kind: type[Room] = Quiet) -> Stage:
    on = await Stage(counter=kind).start()
    await on.request("POST", body={"type": "increment"})
    return on


@pytest.mark.parametrize(
    "message",
    [
        {"type": "increment"},
        {"type": "nothing that it hears"},
        {"type": "room.get"},
        {"type": "room.presence", "data": {"x": 1}},
        {"type": "cursor", "x": 1},
    ],
    ids=lambda message: message["type"],
)
async def test_what_is_said_keeps_it_awake_for_a_while(message: Any) -> None:  # [SLEEP5]
    on = await stage()
    ann = await on.connect()
    await on.advance(9_000)
    ann.put(message)
    await on.advance(9_999)
    assert on.awake()
    await on.advance(2)
    assert not on.awake()


async def test_a_request_keeps_it_awake_for_a_while() -> None:  # [SLEEP5]
    on = await stage()
    await on.advance(9_000)
    await on.request("GET")
    await on.advance(9_999)
    assert on.awake()
    await on.advance(2)
    assert not on.awake()


def outside(kind: str) -> Any:
    """A machine with something outside of it running until it is told to stop."""

    async def stream(*_: Any) -> AsyncIterator[int]:
        await asyncio.get_running_loop().create_future()
        yield 1

    actor = from_callback(lambda *_: None) if kind == "callback" else from_observable(stream)
    return setup(actors={"outside": actor}).create_machine(
        {
            "initial": "calm",
            "states": {
                "calm": {"on": {"increment": "busy"}},
                "busy": {"invoke": {"src": "outside"}, "on": {"stop": "calm"}},
            },
        }
    )


@pytest.mark.parametrize("kind", ["callback", "stream"])
async def test_what_runs_outside_of_it_keeps_it_awake(kind: str) -> None:  # [SLEEP5]
    class Busy(Room):
        machine = outside(kind)
        view = everything

    on = await stage(Busy)
    await on.advance(60_000)
    assert on.awake()
    await on.request("POST", body={"type": "stop"})
    await on.advance(10_001)
    assert not on.awake()


@pytest.mark.parametrize(("delay", "awake"), [(19_000, True), (21_000, False)])
async def test_a_timer_keeps_it_awake_when_it_is_near(delay: int, awake: bool) -> None:  # [SLEEP5]
    class Timed(Room):
        machine = create_machine(
            {
                "initial": "calm",
                "states": {
                    "calm": {"on": {"increment": "set"}},
                    "set": {"after": {str(delay): "over"}},
                    "over": {},
                },
            }
        )

    on = await stage(Timed)
    await on.advance(10_001)
    assert on.awake() is awake
    await on.advance(delay - 10_000)
    assert (await on.stored())["value"] == "over"


async def test_who_is_expected_back_keeps_it_awake() -> None:  # [SLEEP5] [SEAT3]
    class Brief(Lobby):
        sleep_after = 1_000

    on = await Stage(counter=Brief).start()
    ann = await on.connect("ann")
    await ann.send("ping")
    await on.crash()
    await on.request("GET")
    await on.advance(4_999)
    assert on.awake()
    await on.advance(1)
    assert (await on.stored())["context"]["seats"] == {"ann": "away"}


async def test_who_only_stays_connected_does_not() -> None:  # [SLEEP5]
    on = await stage()
    tabs = [await on.connect(f"v{number}") for number in range(3)]
    await on.advance(10_001)
    assert not on.awake()
    assert all(tab.closing is None for tab in tabs)
