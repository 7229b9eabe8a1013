"""Guards of what a host keeps, shows of it and shares out, each switched off: the test of its rule
sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.budgets import Budgets
from rooms.host import door, journal, listing, recall, record
from rooms.host.crowding import Crowding
from rooms.host.endings import Endings
from rooms.host.gathering import Gatherings
from rooms.host.history import Keeps
from rooms.host.journal import Journal
from rooms.host.keeper import _Waiting
from rooms.host.room import LiveRoom
from tests.guards import Guards
from tests.rooms.host import test_administration as operators
from tests.rooms.host import test_budgets as fair
from tests.rooms.host import test_crowding as crowded
from tests.rooms.host import test_gathering as gathering
from tests.rooms.host import test_journal as journals
from tests.rooms.host import test_listing as lists
from tests.rooms.host import test_recall as looks
from tests.rooms.host import test_sleep as sleep
from tests.rooms.host.hooks import test_session as hooks
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guards import Make

GUARDS = Guards()


# -------------------------------------------------------------------------------- its time


@GUARDS.seen_by(fair.test_who_works_more_is_in_debt_and_no_more_than_a_burst)
def no_debt(swap: Any) -> None:
    """Whoever works more than others owes nothing."""
    edited(swap, Budgets, "spend", "self.credit(account, now) - ms", "self.credit(account, now)")


@GUARDS.seen_by(fair.test_who_works_more_is_in_debt_and_no_more_than_a_burst)
def debts_without_end(swap: Any) -> None:
    """Whoever worked more than others for long waits as long."""
    edited(swap, Budgets, "spend", "if credit < -BURST:", "if False:")


@GUARDS.seen_by(fair.test_a_room_within_its_share_never_waits)
def no_credit(swap: Any) -> None:
    """A room's share doesn't grow with the time."""
    edited(swap, Budgets, "credit", "(now - account.at) * self._share", "0")


@GUARDS.seen_by(fair.test_the_more_rooms_work_much_the_smaller_each_ones_share)
def a_half_for_each(swap: Any) -> None:
    """Each room that works much has half of the time."""
    edited(swap, Budgets, "spend", "credit = self.credit(account, now) - ms",
           "self._share = HALF; credit = self.credit(account, now) - ms")  # fmt: skip


@GUARDS.seen_by(fair.test_many_that_work_much_are_in_debt_at_once)
def shares_of_the_last_window(swap: Any) -> None:
    """How many share is only known when they have worked for half a second."""
    edited(
        swap, Budgets, "spend", "self._share = HALF / (max(self._busy, self._busier) + 1)", "self"
    )


@GUARDS.seen_by(fair.test_a_share_is_a_half_again_when_the_others_have_stopped)
def shares_stay_small(swap: Any) -> None:
    """Once many have worked much each one's share is small for ever."""
    edited(swap, Budgets, "spend", "self._share = HALF / (self._busy + 1)", "self")


@GUARDS.seen_by(fair.test_nobody_pauses_for_nobody)
def pauses_for_nobody(swap: Any) -> None:
    """A room that is alone pauses for others."""
    edited(swap, Budgets, "spend", "if now - others_at <= OF_LATE:", "if True:")


@GUARDS.seen_by(fair.test_of_those_in_debt_whoever_owes_least_is_first)
def who_owes_most_is_first(swap: Any) -> None:
    """Of rooms in debt the one has its turn that owes most."""
    edited(swap, Budgets, "first", "return max(", "return min(")


@GUARDS.seen_by(fair.test_a_room_in_debt_takes_what_is_numbered_and_so_much_that_is_plain)
def mailboxes_without_end(swap: Any) -> None:
    """Whatever is said to a room that is behind waits in it."""
    edited(swap, LiveRoom, "put", "len(self._mailbox) >= MAX_WAITING", "False")


@GUARDS.seen_by(fair.test_a_room_in_debt_takes_what_is_numbered_and_so_much_that_is_plain)
def numbers_told_busy(swap: Any) -> None:
    """A numbered event is refused where too much waits."""
    edited(swap, LiveRoom, "put", " and _plain(item)", "")


@GUARDS.seen_by(crowded.test_whoever_adds_to_what_waits_is_stopped_until_it_is_taken)
def links_filled_by_one(swap: Any) -> None:
    """A room sends as much as it likes to a router that is behind."""
    edited(swap, Crowding, "full", "> SHARE", "> 1 << 40")


@GUARDS.seen_by(crowded.test_a_router_that_keeps_up_is_filled_by_nobody)
def stopped_whoever_keeps_up(swap: Any) -> None:
    """A room is stopped by what it sent to a router that keeps up."""
    edited(swap, Crowding, "sent", "if end.under_way > BEHIND:", "if True:")
    edited(swap, Crowding, "full", "if end.under_way <= BEHIND", "if False")


@GUARDS.seen_by(crowded.test_a_link_that_has_ended_stops_nobody)
def ended_links_stop(swap: Any) -> None:
    """A room is stopped by what it sent over a link that has ended."""
    swap(Crowding, "forget", lambda self, end: None)


# -------------------------------------------------------------------------------- what is stored


@GUARDS.seen_by(journals.test_a_small_state_is_stored_whole)
def small_states_patched(swap: Any) -> None:
    """Of a small state only what changed is stored."""
    swap(journal, "SMALL", 0)
    swap(journal, "WORTH_IT", 0)


@GUARDS.seen_by(journals.test_a_large_change_is_stored_whole_and_takes_the_patches_away)
def patches_as_big_as_the_state(swap: Any) -> None:
    """A change of nearly everything is stored as a patch."""
    edited(swap, Journal, "_patch", "WORTH_IT * len(patch) >= self._size", "False")


@GUARDS.seen_by(journals.test_patches_that_outweigh_the_state_are_folded)
def patches_without_weight(swap: Any) -> None:
    """Patches are kept that outweigh their snapshot."""
    edited(swap, Journal, "_patch", "or weight > self._size", "or False")


@GUARDS.seen_by(journals.test_after_256_patches_the_state_is_stored_whole)
def patches_without_number(swap: Any) -> None:
    """As many patches are kept as there are."""
    edited(swap, Journal, "_patch", "if len(self._patches) >= MAX_PATCHES:", "if False:")


def unfit(how: str) -> Callable[[Make], Make]:
    """By the test that sees that patches are applied to what they weren't made for."""
    return GUARDS.seen_by(
        journals.test_patches_are_never_applied_to_what_they_were_not_made_for, how=how
    )


@unfit("another snapshot")
def patches_of_any_snapshot(swap: Any) -> None:
    """Patches are applied whatever snapshot is there."""
    edited(swap, record, "state", "if (snapshot, at) != (base, place):", "if at != place:")


@unfit("middle is missing")
def patches_in_any_row(swap: Any) -> None:
    """Patches are applied though one is missing."""
    edited(swap, record, "state", "if (snapshot, at) != (base, place):", "if snapshot != base:")


@unfit("last is missing")
def patches_to_any_end(swap: Any) -> None:
    """Patches are applied though they don't lead to what is stored."""
    edited(swap, record, "state", "if revisions[-1] != record.revision:", "if False:")


@GUARDS.seen_by(sleep.test_what_migrate_stumbles_over_is_for_the_log_alone)
def reasons_quoted(swap: Any) -> None:
    """What `migrate` stumbled over is told to everybody."""
    edited(swap, record, "restore", "if isinstance(error, RestoreError | UsageError):", "if True:")


# -------------------------------------------------------------------------------- the past, lists


@GUARDS.seen_by(looks.test_a_rule_that_raises_lets_nobody)
def looked_back_when_it_raises(swap: Any) -> None:
    """Who may look back where the author's rule fails is everybody."""
    said = 'raise Closing(CloseCode.FORBIDDEN, "whether you may look back can\'t be told")'
    edited(swap, door, "look_back", f"{said} from error", "return")


@GUARDS.seen_by(looks.test_whichever_keeps_more_counts)
def past_for_ever(swap: Any) -> None:
    """Each revision that there ever was is shown."""
    edited(swap, Keeps, "has", "entry.revision > last or ", "True or ")


@GUARDS.seen_by(looks.test_a_kind_without_history_has_none_to_show)
def past_of_every_kind(swap: Any) -> None:
    """A kind that keeps no history shows what there is of it."""
    edited(swap, recall, "read", "if not Keeps.of(room):", "if False:")


@GUARDS.seen_by(looks.test_looking_back_changes_nothing_and_makes_no_session)
def made_by_a_look(swap: Any) -> None:
    """Looking back makes a session."""
    edited(swap, door, "admit", "if not exists and not create:", "if False:")


@GUARDS.seen_by(looks.test_a_migrated_session_begins_a_new_history, counted="by the machine")
def past_of_another_version(swap: Any) -> None:
    """What another version wrote is shown as this one's past."""
    edited(swap, Journal, "_log", "if self._forget:", "if False:")
    edited(swap, recall.Recall, "_show", " or found.version != room.version()", "")


@GUARDS.seen_by(lists.test_pages_are_bounded_and_go_on)
def pages_of_any_size(swap: Any) -> None:
    """A page of the list is as long as somebody likes."""
    edited(swap, listing, "_limit", "0 < int(limit) <= PAGE", "0 < int(limit)")


@GUARDS.seen_by(lists.test_only_what_changed_is_written)
def listed_with_each_commit(swap: Any) -> None:
    """What a room says of itself is written with each commit."""
    edited(swap, listing.Listing, "change", "if said == self._said:", "if False:")


@GUARDS.seen_by(lists.test_a_listing_that_fails_leaves_the_room_and_the_list_as_they_were)
def unlisted_when_it_fails(swap: Any) -> None:
    """A room whose listing fails isn't listed any more."""
    edited(swap, listing.Listing, "change", "return None\n    if said", "said = None\n    if said")


@GUARDS.seen_by(operators.test_what_a_deleted_room_had_started_is_ended)
def goes_on_after_the_end(swap: Any) -> None:
    """What a room had started goes on when its session is deleted."""
    edited(swap, Endings, "replace", "room.stop(told)", "pass")


@GUARDS.seen_by(operators.test_a_room_that_cannot_be_deleted_goes_on)
def gone_though_it_is_there(swap: Any) -> None:
    """A room that can't be deleted isn't brought back."""
    edited(swap, Endings, "replace", "self._rooms.dropped(", "(")


# -------------------------------------------------------------------------------- hooks


@GUARDS.seen_by(gathering.test_a_router_that_finds_a_new_host_later_misses_nothing)
def not_gathered_anew(swap: Any) -> None:
    """A room on a new host doesn't wait for routers that have yet to find it."""
    swap(Gatherings, "listed", lambda self: None)


@GUARDS.seen_by(gathering.test_on_a_host_that_all_have_found_a_room_wakes_at_once)
def gathered_anew_for_ever(swap: Any) -> None:
    """Each room waits for routers that might find its host."""
    edited(swap, Gatherings, "unknown", "max(self._known - self._elapsed(), 0)", "500")


@GUARDS.seen_by(hooks.test_a_router_that_doesnt_answer_is_waited_for_a_second)
def gathered_for_ever(swap: Any) -> None:
    """A room waits for a router that doesn't answer."""
    edited(swap, Gatherings, "wait", "call_later(WITHIN,", "call_later(10_000,")


@GUARDS.seen_by(
    hooks.test_who_stayed_connected_misses_nothing_of_what_a_waking_room_says,
    how="drop",
    who="a request",
)
def requests_before_connections(swap: Any) -> None:
    """A room that wakes handles what waits in any order."""
    swap(_Waiting, "let_in_first", lambda self: None)


@GUARDS.seen_by(
    hooks.test_who_stayed_connected_misses_nothing_of_what_a_waking_room_says,
    how="drop",
    who="a request",
)
def nobody_gathered(swap: Any) -> None:
    """A room that wakes waits for no router to bring its connections."""
    edited(swap, Gatherings, "wait", "if gathering.missing:", "if False:")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
