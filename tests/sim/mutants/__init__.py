"""Guards, each switched off: a world without it must come to a harm that somebody sees.

`test_mutants.py` sees each of them caught; one that survives means that nothing would notice if its
guard were lost. Those of hooks, fleets and distributed stores stand beside their worlds' tests, and
those that no world needs beside the tests of their rules (`tests/guards.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.sim.mutants import (  # noqa: F401 - each names its mutants
    due,
    gate,
    once,
    owed,
    ownership,
    people,
    states,
    views,
)
from tests.sim.mutants.registry import MUTANTS, applied, edited, mutated
from tests.sim.scripts import (
    asked_again,
    asked_again_after_sleep,
    asked_again_of_none,
    cut_off_and_asked,
    overtaken,
    released_late,
    suspended_and_asked,
)

if TYPE_CHECKING:
    from tests.sim.world import Script

CALM: Final[dict[str, Any]] = {"machines": {}, "store_failures": 0.0, "stuck": 0.0}
"""Servers and the store do what they should."""

WEATHER: Final[dict[str, dict[str, Any]]] = {
    "acknowledged_repeat_refused": {"people": {"repeat": 8.0}, "network": 0.02, "store": 0.15},
    "letters_not_numbered": {"machines": {"kill": 4.0}, "store_failures": 0.1, "pace": 0.25},
    "letters_not_marked": {"machines": {"kill": 4.0}, "store_failures": 0.1, "pace": 0.25},
    "effects_before_commit": {"store": 0.15, "store_failures": 0.1, "pace": 0.25},
    "effects_at_once": {"store": 0.02, "pace": 0.25},
    "coroutines_not_started_again": {"machines": {"kill": 4.0}, "pace": 0.3},
    "takeover_is_a_leave": {"people": {"reconnect": 6.0}, "kinds": ["table/a"]},
    "second_tab_ignored": {
        **CALM,
        "people": {"reload": 8.0},
        "tabs": 1.0,
        "kinds": ["table/a"],
        "pace": 0.5,
    },
    "presence_not_kept": {**CALM, "people": {"share": 2.0}, "kinds": ["table/a"], "pace": 2.0},
    "outcomes_never_forgotten": {"people": {}, "pace": 0.2, "kinds": ["ledger/a"]},
    "refused_log_stays": {
        "curious": True,
        "machines": {"kill": 3.0, "cut off": 3.0},
        "kinds": ["ledger/a"],
        "stuck": 0.05,
        "roaming": 0.5,
        "pace": 0.5,
    },
    "patch_of_older_state": {"kinds": ["ledger/a"], "machines": {"kill": 3.0}, "pace": 0.3},
    "memory_level_sleeps_unstored": {
        "machines": {"drain": 1.0},
        "store_failures": 0.0,
        "stuck": 0.0,
        "kinds": ["draft/a"],
    },
    "deletion_forgotten": {"machines": {"delete": 4.0, "kill": 1.0}, "pace": 0.25},
    "late_attempt_ends_page": {"people": {"reconnect": 6.0}, "network": 0.2},
}
"""Where a guard is needed seldom: the faults of worlds in which it is needed often."""

SCRIPTS: Final[dict[str, Script]] = {
    "lease_never_over": cut_off_and_asked,
    "reads_without_lease": suspended_and_asked,
    "epoch_ignored": overtaken,
    "release_not_repeated": released_late,
    "ignored_not_marked": asked_again,
    "only_sessions_marked": asked_again_of_none,
    "marks_go_with_their_room": asked_again_after_sleep,
}
"""Where chance would need too long: what happens in their worlds."""

__all__ = ["CALM", "MUTANTS", "SCRIPTS", "WEATHER", "applied", "edited", "mutated"]
