"""Clocks."""

from __future__ import annotations

import asyncio

import pytest

from runtime import NoEventLoopError, RuntimeFault, SimulatedClock, create_actor, create_machine
from runtime.clock import LoopClock


def test_a_simulated_clock_fires_in_order_of_due_time() -> None:
    clock = SimulatedClock(100)
    fired: list[tuple[str, float]] = []
    clock.set_timeout(lambda: fired.append(("b", clock.now())), 20)
    clock.set_timeout(lambda: fired.append(("a", clock.now())), 10)
    never = clock.set_timeout(lambda: fired.append(("never", 0)), 15)
    clock.clear_timeout(never)
    clock.increment(9)
    assert fired == []
    clock.set(130)
    assert fired == [("a", 130), ("b", 130)]
    assert clock.now() == 130
    with pytest.raises(RuntimeFault, match="back in time"):
        clock.set(1)


def test_what_a_timer_sets_for_now_fires_at_the_next_look() -> None:
    clock = SimulatedClock()
    fired: list[str] = []

    def first() -> None:
        fired.append("first")
        clock.set_timeout(lambda: fired.append("chained"), 0)
        clock.increment(0)

    clock.set_timeout(first, 10)
    clock.increment(10)
    assert fired == ["first"]
    clock.set_timeout(first, 0)
    clock.set_timeout(lambda: fired.append("second"), 0)
    clock.increment(0)
    assert fired == ["first", "chained", "first", "second", "chained"]


async def test_real_timers_belong_to_the_running_loop() -> None:
    clock = LoopClock()
    fired = asyncio.Event()
    clock.clear_timeout(clock.set_timeout(lambda: pytest.fail("was cleared"), 0))
    clock.set_timeout(fired.set, 0)
    await fired.wait()
    assert clock.now() > 1_700_000_000_000


def test_a_real_timer_without_a_loop_says_what_to_do() -> None:
    machine = create_machine({"initial": "a", "states": {"a": {"after": {1: "b"}}, "b": {}}})
    with pytest.raises(NoEventLoopError, match="or give it a SimulatedClock"):
        create_actor(machine).start()
