"""What an idle actor weighs: thousands of them are asleep in the memory of one process."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

from runtime import System, create_actor, create_machine

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes an idle actor may take beyond its context.
LIMIT = 4096
NEXT = {"type": "NEXT"}

ring = create_machine(
    {
        "initial": "s0",
        "states": {
            f"s{i}": {"tags": ["some"], "on": {"NEXT": f"s{(i + 1) % 20}"}} for i in range(20)
        },
    }
)


def weight(make: Callable[[], Any], count: int = 200) -> float:
    """Bytes that one of these takes, the machine's own memos not counted."""
    make()
    gc.collect()
    tracemalloc.start()
    try:
        kept = [make() for _ in range(count)]
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()


def test_an_idle_actor_of_twenty_states_weighs_less_than_four_kilobytes() -> None:
    def actor() -> Any:
        started = create_actor(ring).start()
        for _ in range(25):
            started.send(NEXT)
        return started

    assert weight(actor) < LIMIT


def test_so_does_a_system_that_a_room_keeps() -> None:
    def system() -> Any:
        kept = System(ring)
        snapshot = kept.initial(now=0, seed=1).snapshot
        for _ in range(25):
            snapshot = kept.step(snapshot, NEXT, now=1).snapshot
        return kept, snapshot

    assert weight(system) < LIMIT
