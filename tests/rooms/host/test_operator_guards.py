"""Guards of what operators see and do, each switched off: the test of its rule sees it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from rooms import tracing
from rooms.host import administration, attendance, history
from rooms.host.administration import Administration
from rooms.host.audience import Audience
from rooms.host.endings import Endings
from rooms.host.history import Keeps
from rooms.host.host import Host
from rooms.host.outbox import Outbox
from rooms.host.retries import Retries
from rooms.host.room import LiveRoom
from rooms.host.session import Session
from rooms.router.routing import Routing
from tests.guards import Guards
from tests.rooms.host import test_administration as operators
from tests.rooms.host import test_courier as owed
from tests.rooms.host import test_fleet as fleet
from tests.rooms.host import test_logging as logged
from tests.rooms.host import test_tally as counted
from tests.rooms.host import test_timers as timers
from tests.rooms.host import test_tracing as traced
from tests.rooms.host.test_tracing import spans  # noqa: F401 - a fixture
from tests.sim.mutants import edited

GUARDS = Guards()


# -------------------------------------------------------------------------------- what they see


@GUARDS.seen_by(operators.test_sessions_are_listed_page_by_page_live_and_sleeping)
def first_page_for_ever(swap: Any) -> None:
    """Each page of the sessions is the first one."""
    edited(swap, Administration, "_list", 'params.get("kind"), last, most', "None, None, most")


@GUARDS.seen_by(operators.test_sessions_are_listed_page_by_page_live_and_sleeping)
def one_page_of_all(swap: Any) -> None:
    """A page is as long as the server likes."""
    swap(administration, "_limit", lambda params: administration.PAGE)


@GUARDS.seen_by(operators.test_sessions_are_listed_page_by_page_live_and_sleeping)
def kinds_mixed(swap: Any) -> None:
    """Whatever kind is asked for, sessions of all are listed."""
    edited(swap, Administration, "_list", 'params.get("kind")', "None")


@GUARDS.seen_by(operators.test_looking_at_a_session_wakes_nothing)
def woken_by_a_look(swap: Any) -> None:
    """Who looks at a session wakes it."""
    old = "self._rooms.live.get(id)"
    edited(swap, Administration, "_show", old, f"{old} or self._rooms.wake(id)")


@GUARDS.seen_by(operators.test_what_is_not_durable_is_not_shown)
def shown_before_it_is_stored(swap: Any) -> None:
    """An operator sees what may never have been."""
    edited(swap, LiveRoom, "state", "self._opening.shown", "self.session.snapshot")


@GUARDS.seen_by(operators.test_a_room_that_is_only_stored_when_it_sleeps_is_shown_as_it_is)
def shown_as_it_slept(swap: Any) -> None:
    """Of a room in memory an operator sees how it was when it slept last."""
    edited(swap, Administration, "_show", "if room is None else orjson.loads(room.state())", "")


@GUARDS.seen_by(operators.test_an_operator_sees_whatever_past_is_kept)
def past_as_for_anybody(swap: Any) -> None:
    """An operator sees no more of the past than the room shows."""
    swap(administration, "kept", partial(history.kept, keeps=Keeps(1, 0)))


@GUARDS.seen_by(operators.test_an_operator_sees_whatever_past_is_kept)
def past_from_its_beginning(swap: Any) -> None:
    """Each page of the past begins with the oldest."""
    edited(swap, Administration, "_history", "after=after", "after=0")


@GUARDS.seen_by(operators.test_an_operator_sees_what_a_viewer_would_be_shown)
def the_whole_for_all(swap: Any) -> None:
    """An operator sees the whole state, as whomever they look."""
    edited(swap, Administration, "_look", "if viewer is not None:", "if False:")


@GUARDS.seen_by(operators.test_an_operator_sees_what_a_viewer_would_be_shown)
def players_only(swap: Any) -> None:
    """An operator looks as a player, whatever role is asked for."""
    edited(swap, Administration, "_look", 'request.params.get("role") or ', "")


@GUARDS.seen_by(operators.test_an_operator_sees_what_a_viewer_would_be_shown)
def made_by_an_operators_look(swap: Any) -> None:
    """An operator's look makes the session."""
    edited(swap, Administration, "answer", "create=False", "create=True")


@GUARDS.seen_by(operators.test_an_operator_sees_the_machine_and_who_sits_there)
def machines_kept_to_oneself(swap: Any) -> None:
    """What a kind's machine is isn't told."""
    edited(swap, Administration, "_kind", "isinstance(room.machine, StateMachine)", "False")


# -------------------------------------------------------------------------------- who watches


@GUARDS.seen_by(operators.test_a_watcher_sees_the_whole_state_and_is_nobody)
def watching_operators_heard(swap: Any) -> None:
    """What a watching operator says is heard."""
    edited(swap, Host, "_said", "if channel.attach.operator:", "if False:")


@GUARDS.seen_by(operators.test_a_watcher_sees_the_whole_state_and_is_nobody)
def watching_operators_present(swap: Any) -> None:
    """Who is here is told that an operator is, too."""
    edited(swap, Audience, "enter", " and not attach.operator", "")


@GUARDS.seen_by(operators.test_a_watcher_sees_the_whole_state_and_is_nobody)
def watching_operators_sit(swap: Any) -> None:
    """A watching operator takes a seat."""
    edited(swap, attendance, "enter", "if attach.operator:", "if False:")


@GUARDS.seen_by(operators.test_a_watcher_makes_no_room)
def made_by_a_watching_operator(swap: Any) -> None:
    """A watching operator makes the room."""
    edited(swap, attendance, "enter", "door.OPERATOR, create=False", "door.OPERATOR, create=True")


@GUARDS.seen_by(operators.test_a_watcher_sees_what_a_viewer_would_be_shown)
def watched_as_a_whole(swap: Any) -> None:
    """A watching operator sees the whole state, as whomever they watch."""
    old = 'viewer(attach.viewer) if attach.viewer["id"] else OPERATOR'
    edited(swap, Host, "_attach", old, "OPERATOR")


@GUARDS.seen_by(operators.test_no_viewer_shares_the_operators_view)
def a_view_to_be_guessed(swap: Any) -> None:
    """Who guesses the operator's view key sees the whole state."""
    edited(swap, Audience, "_key", "return _WHOLE", "return OPERATOR.id")


# -------------------------------------------------------------------------------- what they do


@GUARDS.seen_by(operators.test_an_imported_session_is_equal_and_of_another_generation)
def replaced_unasked(swap: Any) -> None:
    """An import takes the place of what is there, though nobody said so."""
    old = 'request.params.get("replace") != "1"'
    edited(swap, Administration, "_import", old, "False")


@GUARDS.seen_by(operators.test_an_imported_session_is_equal_and_of_another_generation)
def the_same_generation(swap: Any) -> None:
    """What was imported passes for the session whose place it took."""
    edited(
        swap, Endings, "_plant", "None if before is None else self._rooms.chance(8).hex()", "None"
    )


@GUARDS.seen_by(operators.test_an_imported_session_is_equal_and_of_another_generation)
def replaced_in_silence(swap: Any) -> None:
    """Who is in a room that is replaced isn't told to come back."""
    edited(swap, Endings, "replace", "self._rooms.shut(channel, told)", "channel")


@GUARDS.seen_by(
    operators.test_what_is_no_export_is_refused_and_changes_nothing,
    spoil=lambda export: export.update(session="y"),
)
def imported_as_another(swap: Any) -> None:
    """What was exported of one session takes the place of another."""
    edited(swap, Administration, "_import", "if named != id:", "if False:")


@GUARDS.seen_by(operators.test_an_import_that_the_store_refuses_is_none)
def refused_and_imported(swap: Any) -> None:
    """An import that the store refuses counts as one."""
    edited(swap, Endings, "_plant", "raise error", "error")


@GUARDS.seen_by(operators.test_a_session_whose_import_isnt_stored_wakes_when_it_is_due)
def owned_by_nobody_who_knows(swap: Any) -> None:
    """A session that was acquired for an import in vain is never woken."""
    edited(swap, Endings, "replace", "self._rooms.bring_back(id)", "id")


@GUARDS.seen_by(fleet.test_an_operator_reaches_a_room_wherever_it_lives)
def operated_here_alone(swap: Any) -> None:
    """What another host has isn't operated."""
    edited(swap, Administration, "answer", "asked.elsewhere(found.address)", "asked.reply(404, {})")


@GUARDS.seen_by(operators.test_an_operators_event_is_of_whom_they_say)
def sent_as_a_player(swap: Any) -> None:
    """An operator sends as a player, whatever role is named."""
    edited(swap, Administration, "_send", 'str(wish.get("role") or "player")', '"player"')


@GUARDS.seen_by(operators.test_the_past_comes_with_an_import)
def imported_without_its_past(swap: Any) -> None:
    """An import leaves the past behind."""
    edited(swap, Endings, "_plant", "log=log", "log=()")


@GUARDS.seen_by(operators.test_a_timer_comes_with_an_import)
def imported_without_its_timers(swap: Any) -> None:
    """An import is woken for nothing."""
    edited(swap, Endings, "_plant", "due=record.due", "due=None")


@GUARDS.seen_by(owed.test_what_an_operator_sees_and_retries)
def retried_by_any_name(swap: Any) -> None:
    """Whatever name is given, all that failed is tried again."""
    edited(swap, Outbox, "retry", " and name in (None, entry.name)", "")


@GUARDS.seen_by(owed.test_what_an_operator_sees_and_retries)
def retried_of_nothing(swap: Any) -> None:
    """What a session that isn't there owes is tried again."""
    edited(swap, Administration, "_retry", "await self._load(id)", "id")


@GUARDS.seen_by(timers.test_an_operator_may_have_it_tried_again)
def timers_not_retried(swap: Any) -> None:
    """A timer that failed for good is never tried again."""
    swap(Retries, "retry", lambda self, name, now: 0)


# -------------------------------------------------------------------------------- what is measured


@GUARDS.seen_by(counted.test_what_people_did_is_counted)
def events_uncounted(swap: Any) -> None:
    """What became of events isn't counted."""
    edited(swap, Session, "_judged", "self._tally.events[outcome.word] += 1", "outcome")


@GUARDS.seen_by(counted.test_a_host_that_drains_is_not_ready)
def ready_as_it_drains(swap: Any) -> None:
    """A host that drains says that it is ready."""
    edited(swap, Host, "state", "if self._rooms.draining:", "if False:")


@GUARDS.seen_by(counted.test_a_host_without_a_lease_is_not_ready)
def ready_without_a_lease(swap: Any) -> None:
    """A host whose lease is over says that it is ready."""
    edited(swap, Host, "state", "if self._rooms.leased else", "if True else")


@GUARDS.seen_by(logged.test_lines_about_a_live_session_have_its_epoch_and_revision)
def lines_of_any_revision(swap: Any) -> None:
    """A line about a live session doesn't say what it was at."""
    swap(Session, "log_fields", lambda self: {"session": self.name})


@GUARDS.seen_by(traced.test_an_event_is_one_trace_from_the_door_to_what_is_shown)
def traces_end_at_the_door(swap: Any) -> None:
    """What a host does of an event isn't known as that event's."""
    edited(swap, Routing, "say", "None if tracing.tracer is None else tracing.carried()", "None")


@GUARDS.seen_by(traced.test_a_turn_is_of_the_trace_that_the_link_carried)
def a_trace_for_each_turn(swap: Any) -> None:
    """A turn begins a trace of its own."""
    edited(swap, tracing, "turn", '"rooms.turn", context', '"rooms.turn"')


@GUARDS.seen_by(traced.test_an_event_is_one_trace_from_the_door_to_what_is_shown)
def spans_without_end(swap: Any) -> None:
    """An event's way through commit and fan-out has no end."""
    edited(swap, tracing, "leave", "traced.span.end()", "traced")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
