"""What is promised of rooms holds of those with processes of their own: tests of others once more,
on a stage where every kind is isolated.
"""

from __future__ import annotations

import pytest

from tests.rooms.host.hooks.test_session import (  # noqa: F401
    test_a_chat_tells_the_others_when_it_is_stored,
    test_a_connection_that_goes_while_its_room_sleeps_is_closed_too,
    test_a_numbered_event_has_one_outcome_whatever_happens,
    test_a_room_sleeps_and_drains_after_its_hook_has_ended,
    test_an_alarm_wakes_its_room,
    test_at_parties_text_and_bytes_are_as_they_are,
    test_on_request_has_every_plain_request_and_answers_when_it_is_stored,
)
from tests.rooms.host.nursery import isolated
from tests.rooms.host.stage import Stage
from tests.rooms.host.test_administration import (  # noqa: F401
    test_a_watcher_stays_through_sleep,
    test_an_imported_session_is_equal_and_of_another_generation,
    test_an_operators_event_is_applied_whatever_the_room_allows,
    test_who_comes_while_a_session_is_deleted_finds_a_new_one,
)
from tests.rooms.host.test_entrance import (  # noqa: F401
    test_a_seat_is_kept_through_whatever_happens_to_the_room,
    test_of_two_who_come_at_once_for_the_last_seat_one_is_let_in,
)
from tests.rooms.host.test_once import (  # noqa: F401
    test_a_newer_connection_of_the_client_takes_over,
    test_a_repeat_gets_the_stored_outcome_and_changes_nothing,
    test_an_acknowledged_event_survives_a_crash_and_an_unanswered_one_is_applied_once,
    test_every_kind_of_outcome_outlives_the_room,
)
from tests.rooms.host.test_presence import (  # noqa: F401
    test_presence_outlives_a_sleep_of_the_room,
    test_the_latest_connection_of_a_viewer_counts,
    test_what_is_shared_while_there_is_no_room_is_kept_for_wherever_it_wakes,
)
from tests.rooms.host.test_recall import (  # noqa: F401
    test_the_past_outlives_sleep_and_crash,
)
from tests.rooms.host.test_seating import (  # noqa: F401
    test_a_fresh_token_may_bring_another_role,
    test_over_a_sleep_nobody_leaves_who_stays,
    test_the_loss_of_a_router_makes_its_seats_away,
    test_who_closes_the_tab_of_a_sleeping_room_is_away_soon,
)
from tests.rooms.host.test_sleep import (  # noqa: F401
    test_a_due_timer_wakes_a_sleeping_room_and_everybody_sees_it,
    test_a_message_wakes_it_and_only_what_changed_is_told,
    test_a_reconnect_to_a_sleeping_room_is_told_that_nothing_changed,
    test_a_restart_is_a_sleep_and_a_crash_is_not,
    test_another_version_is_migrated_and_stored_as_such,
    test_however_many_come_at_once_it_is_woken_once,
    test_without_a_way_to_this_version_it_stays_untouched,
)
from tests.rooms.host.test_turns import (  # noqa: F401
    test_an_accepted_event_is_stored_shown_and_settled_in_this_order,
    test_an_emitted_event_follows_the_frame_of_its_revision,
    test_an_unknown_outcome_drops_the_room_and_each_event_is_applied_once,
    test_at_level_memory_nothing_waits_and_sleep_stores,
    test_what_the_machine_replies_is_the_result,
)
from tests.rooms.host.test_volatile import (  # noqa: F401
    test_what_is_said_before_one_is_let_in_is_told_after_it,
)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stage, "start", isolated)
