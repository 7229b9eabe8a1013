"""Worlds of rooms that have processes of their own: whatever ends those, every promise is kept; and
each guard of theirs, switched off, comes to a harm that somebody sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.host.deaths import Deaths
from rooms.host.guests import Guests
from rooms.host.processes import Processes
from tests.histories import rules
from tests.sim.isolated import IsolatedFleet
from tests.sim.mutants import applied

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 24
AT_ONCE = 8
WITHIN = 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_ends_the_processes_of_rooms_every_promise_is_kept(first: int) -> None:
    # [ISOLATE1] [ISOLATE2] [ISOLATE4] [ISOLATE6] [SEND2] [ROUTE1] [STORE2]
    for seed in range(first, first + AT_ONCE):
        told = "\n  ".join(map(str, IsolatedFleet(seed).play()[:10]))
        assert not told, f"python -m tests.sim --isolated --seed {seed}\n  {told}"


def test_an_event_is_given_up_also_when_it_comes_again_late() -> None:  # [ISOLATE4]
    """Two processes had ended with it, the third had lived well before another event ended that."""
    assert not IsolatedFleet(40).play()


def tried_a_third_time(swap: Any) -> None:
    """What two processes ended with is put before a third."""
    swap(Deaths, "condemned", lambda self, id: {})


def left_with_the_dead(swap: Any) -> None:
    """Who was with a process that has ended isn't put before the next one."""
    swap(Guests, "send_on", lambda self, tenant, *, again: None)


def gone_unnoticed(swap: Any) -> None:
    """That a connection has gone isn't said to its room."""
    swap(Guests, "_left", lambda self, router, guest, *, moved: None)


def processes_outlive_the_lease(swap: Any) -> None:
    """Rooms in processes go on when their host's lease is over."""
    swap(Processes, "evict", lambda self: None)


HARM: dict[Callable[[Any], None], tuple[dict[str, Any], set[str]]] = {
    tried_a_third_time: ({}, {"tried again"}),
    left_with_the_dead: ({}, {"unanswered", "unavailable"}),
    gone_unnoticed: ({"kinds": ["table/a"]}, {"seat"}),
    processes_outlive_the_lease: ({"machines": {"cut off": 5.0}}, {"kept", "not handed"}),
}
"""For each guard the faults of worlds in which it is needed, and what it keeps away: one of these
has to be seen.
"""


@pytest.mark.parametrize("make", HARM, ids=lambda make: str(make.__name__))
def test_a_mutant_of_processes_is_caught(make: Callable[[Any], None]) -> None:
    weather, harm = HARM[make]
    seen: set[str] = set()
    for seed in range(WITHIN):
        with applied(make):
            seen |= set(rules(IsolatedFleet(seed, weather).play()))
        if harm & seen:
            return
    pytest.fail(f"{make.__name__} survived {WITHIN} worlds: {seen}")
