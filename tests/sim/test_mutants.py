"""Every guard is needed, and its loss is seen: each mutant is caught within so many worlds."""

from __future__ import annotations

import pytest

from tests.histories import rules
from tests.sim.mutants import MUTANTS, SCRIPTS, WEATHER, mutated
from tests.sim.world import NOTHING, World

WITHIN = 60

HARM = {
    "gate_off": {"undurable", "lost", "went back"},
    "view_of_uncommitted": {"undurable", "went back"},
    "unknown_is_written": {"undurable", "lost", "went back"},
    "outcome_before_view": {"outcome before view"},
    "emitted_before_view": {"heard before view"},
    "memory_level_sleeps_unstored": {"lost", "went back", "undurable", "twice"},
    "idempotency_key_ignored": {"twice"},
    "nobody_wakes_for_timers": {"timer late", "timer missing"},
    "coroutines_not_started_again": {"timer missing"},
    "outbox_not_restored": {"timer missing", "not handed"},
    "owed_in_a_later_commit": {"timer missing", "timer twice", "not handed"},
    "effects_settled_as_they_begin": {"not handed", "effects at once"},
    "letters_not_marked": {"handed twice"},
    "effects_before_commit": {"effect undurable"},
    "effect_keys_change": {"effect key"},
    "letters_not_numbered": {"handed twice"},
    "effects_at_once": {"effects at once"},
    "takeover_is_a_leave": {"seat"},
    "second_tab_ignored": {"seat"},
    "seats_not_stored": {"seat"},
    "presence_not_kept": {"presence"},
    "clients_never_forgotten": {"unbounded"},
    "channels_never_forgotten": {"kept"},
    "outcomes_never_forgotten": {"unbounded"},
    "slow_readers_fed": {"slow"},
    "dedupe_off": {"twice", "two outcomes", "client order"},
    "marks_not_restored": {"twice", "two outcomes", "client order"},
    "ignored_not_marked": {"two outcomes"},
    "only_sessions_marked": {"two outcomes"},
    "marks_go_with_their_room": {"turned away"},
    "unanswered_forgotten": {"unanswered"},
    "acknowledged_repeat_refused": {"turned away"},
    "late_attempt_ends_page": {"turned away"},
    "no_compare_and_swap": {"gapless", "committer", "lost", "acknowledged twice"},
    "epoch_ignored": {"committer"},
    "revision_ignored": {"gapless", "lost", "acknowledged twice"},
    "generation_ignored": {"committer", "undead session"},
    "expired_renews": {"undead incarnation"},
    "dead_unburied": {"undead incarnation"},
    "deletion_forgotten": {"two outcomes"},
    "release_not_repeated": {"stale", "went back"},
    "living_owner_ignored": {"stolen"},
    "reads_without_lease": {"stale", "went back"},
    "lease_never_over": {"stale", "went back"},
    "timer_index_late": {"timer late", "timer missing"},
    "timer_fires_twice": {"timer twice"},
    "patch_of_older_state": {"unrestorable", "restored", "lost"},
    "patches_of_another_snapshot": {"unrestorable", "restored", "lost"},
    "fold_loses_a_patch": {"unrestorable", "restored", "lost"},
    "log_trimmed_short": {"history"},
    "refused_log_stays": {"history"},
    "nonce_repeated": {"cursor"},
    "stale_ring_on_resume": {"cursor", "final view", "undurable"},
    "view_shared_by_all": {"leak", "final view"},
    "filter_after_diff": {"leak"},
}
"""What each guard keeps away: one of these has to be seen, not just anything."""


def test_each_mutant_says_what_harm_it_does() -> None:
    assert set(HARM) == set(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    for seed in range(WITHIN):
        with mutated(name):
            seen = World(seed, WEATHER.get(name, NOTHING), SCRIPTS.get(name)).play()
        if HARM[name] & set(rules(seen)):
            return
    pytest.fail(f"{name} survived {WITHIN} worlds")
