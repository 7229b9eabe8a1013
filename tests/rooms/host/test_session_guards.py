"""Guards of one session, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.host import ask as ask_of
from rooms.host import attendance, door, presence, record, requests, retries, scale
from rooms.host.ask import Ask
from rooms.host.audience import Audience
from rooms.host.commits import Commits
from rooms.host.host import Host
from rooms.host.outbox import Outbox
from rooms.host.presence import Presence
from rooms.host.retries import Retries
from rooms.host.room import LiveRoom
from rooms.host.scale import Scale
from rooms.host.seats import Seats
from rooms.host.session import Session
from rooms.host.waking import Waking
from rooms.sync.fanout import Fanout
from rooms.sync.watch import Watch
from tests.guards import Guards
from tests.rooms.host import test_administration as operators
from tests.rooms.host import test_courier as owed
from tests.rooms.host import test_entrance as entrance
from tests.rooms.host import test_neighbours as neighbours
from tests.rooms.host import test_once as once
from tests.rooms.host import test_presence as present
from tests.rooms.host import test_requests as asked
from tests.rooms.host import test_scale as sizes
from tests.rooms.host import test_seating as seating
from tests.rooms.host import test_seats as seats
from tests.rooms.host import test_timers as timers
from tests.rooms.host import test_turns as turns
from tests.rooms.host import test_volatile as volatile
from tests.sim.mutants import edited

GUARDS = Guards()


# -------------------------------------------------------------------------------- who comes in


@GUARDS.seen_by(entrance.test_nothing_is_made_where_it_must_not_be)
def made_without_leave(swap: Any) -> None:
    """Who doesn't want a session made makes it."""
    edited(swap, door, "admit", "if not exists and not create:", "if False:")


@GUARDS.seen_by(seating.test_the_author_says_who_may_make_a_room)
def made_by_anybody(swap: Any) -> None:
    """Whoever may join may make a room."""
    edited(swap, door, "admit", "exists or room.allow_create(viewer)", "True")


@GUARDS.seen_by(seating.test_the_author_says_who_may_join_and_who_is_in_stays_in)
def joined_by_anybody(swap: Any) -> None:
    """Whatever the author says, one may join."""
    edited(swap, door, "admit", "if allowed is not True:", "if False:")


@GUARDS.seen_by(seating.test_the_author_says_who_may_join_and_who_is_in_stays_in)
def judged_again_when_it_wakes(swap: Any) -> None:
    """Who is in a room is judged again each time that it wakes."""
    edited(swap, attendance, "enter", "if not attach.greeted or not session.revision:", "if True:")


@GUARDS.seen_by(
    once.test_of_two_connections_of_a_client_the_one_opened_later_stays, opened=4_000, stays=True
)
def older_takes_over(swap: Any) -> None:
    """Whoever comes later takes over, and be it the older connection."""
    swap(attendance, "UNSURE", 1 << 60)


@GUARDS.seen_by(
    once.test_of_two_connections_of_a_client_the_one_opened_later_stays, opened=4_950, stays=False
)
def two_clocks_are_one(swap: Any) -> None:
    """What the clocks of two routers say is taken for what was so."""
    swap(attendance, "UNSURE", 0)


@GUARDS.seen_by(once.test_who_opens_a_connection_takes_over_whatever_clocks_say)
def clocks_decide(swap: Any) -> None:
    """A page that comes back is turned away, because a clock was set back since it came."""
    edited(swap, attendance, "enter", "older is not None and attach.greeted and", "older and")


@GUARDS.seen_by(entrance.test_of_two_who_come_at_once_for_the_last_seat_one_is_let_in)
def seats_without_number(swap: Any) -> None:
    """A room is never full."""
    edited(swap, door, "admit", " and len(seats) >= limit", " and False")


@GUARDS.seen_by(entrance.test_a_second_tab_of_who_sits_there_is_let_in)
def each_tab_is_a_seat(swap: Any) -> None:
    """Who sits in a full room may not come in with another tab."""
    edited(swap, door, "admit", "viewer.id not in seats and ", "")


@GUARDS.seen_by(neighbours.test_no_viewer_is_called_like_a_room)
def viewers_called_like_rooms(swap: Any) -> None:
    """A viewer may have the name of a room."""
    edited(swap, door, "admit", "if viewer.id.startswith(PREFIX):", "if False:")


@GUARDS.seen_by(operators.test_no_viewer_is_called_like_the_operator)
def viewers_called_like_the_operator(swap: Any) -> None:
    """A viewer may have the operator's name."""
    edited(
        swap, door, "admit", "if viewer.id == OPERATOR.id and viewer is not OPERATOR:", "if False:"
    )


@GUARDS.seen_by(once.test_a_newer_connection_of_the_client_takes_over)
def nobody_taken_over(swap: Any) -> None:
    """The older connection of a client stays when a newer one comes."""
    edited(swap, attendance, "enter", "if older is not None:", "if False:")


@GUARDS.seen_by(once.test_the_same_client_of_another_subject_is_another_one)
def clients_of_all_subjects(swap: Any) -> None:
    """Who knows a client's secret goes on as it, whoever they are."""
    swap(attendance, "client_key", lambda viewer, client: client)


@GUARDS.seen_by(entrance.test_a_room_that_only_somebody_looks_at_does_not_exist)
def rooms_made_by_a_look(swap: Any) -> None:
    """A room that somebody looks at exists."""
    edited(swap, attendance, "admit", "session.revision > 0", "True")


@GUARDS.seen_by(seating.test_nothing_is_stored_before_the_first_accepted_event)
def rooms_made_by_any_event(swap: Any) -> None:
    """An event that is ignored makes a session."""
    edited(swap, Session, "_event", "if not step.taken:", "if False:")


@GUARDS.seen_by(turns.test_the_first_message_says_who_you_are_then_comes_the_view)
def strangers_to_themselves(swap: Any) -> None:
    """Who comes in isn't told who they are."""
    edited(swap, Audience, "enter", "if not attach.greeted:", "if attach.greeted:")


# -------------------------------------------------------------------------------- what is said


@GUARDS.seen_by(turns.test_the_authors_no_rejects_with_the_reason)
def sent_by_anybody(swap: Any) -> None:
    """Whatever the author says, one may send it."""
    edited(swap, door, "judge_volatile", "if allowed is True:", "if True:")


@GUARDS.seen_by(turns.test_an_event_for_a_child_needs_the_authors_yes)
def sent_to_any_child(swap: Any) -> None:
    """Who may send something may send it to any child."""
    edited(
        swap, door, "judge_volatile", "room.allow_send_to(viewer, child, event, snapshot)", "True"
    )


@GUARDS.seen_by(neighbours.test_a_rejection_is_told_and_not_tried_again)
def rooms_send_what_they_like(swap: Any) -> None:
    """A room takes whatever another one sends."""
    edited(swap, door, "judge_volatile", "room.allow_room(*viewer.room, event, snapshot)", "True")


@GUARDS.seen_by(turns.test_an_event_that_fails_its_schema_is_rejected)
def any_shape(swap: Any) -> None:
    """An event of any shape is handled."""
    edited(swap, door, "judge_volatile", "if wrong is not None:", "if False:")


@GUARDS.seen_by(turns.test_a_room_that_is_done_shows_its_view_and_rejects)
def events_after_the_end(swap: Any) -> None:
    """A machine that is done is sent events."""
    edited(swap, door, "judge", 'if snapshot.status != "active":', "if False:")


@GUARDS.seen_by(turns.test_the_sender_is_stamped)
def senders_not_stamped(swap: Any) -> None:
    """A machine isn't told who sent something."""
    edited(swap, Session, "_event", '{**event, "sender": viewer.id}', "dict(event)")


@GUARDS.seen_by(operators.test_who_has_the_operators_role_is_judged_as_anybody)
def operators_by_role(swap: Any) -> None:
    """Who has the operator's role may do what the operator may."""
    edited(
        swap, door, "judge_volatile", "if viewer is OPERATOR:", "if viewer.role == OPERATOR.role:"
    )


@GUARDS.seen_by(operators.test_an_operators_event_makes_no_session)
def made_by_an_operator(swap: Any) -> None:
    """An operator's event makes the session that it is sent to."""
    edited(swap, door, "admit", "if not exists and not create:",
           "if not exists and not create and viewer is not OPERATOR:")  # fmt: skip


@GUARDS.seen_by(volatile.test_a_number_for_it_is_settled_as_rejected)
def volatile_with_a_number(swap: Any) -> None:
    """An event that is told to others and not stored may have a number."""
    edited(swap, door, "judge", 'child is None and event["type"] in room.volatile', "False")


# -------------------------------------------------------------------------------- once


@GUARDS.seen_by(asked.test_a_key_stands_for_one_event, between="nothing")
def keys_for_any_event(swap: Any) -> None:
    """A request with a known key is answered as the first, whatever it says."""
    edited(swap, Session, "_once", "mark.digest != ask.digest and ", "False and ")


@GUARDS.seen_by(asked.test_an_event_is_posted_as_json, type="text/plain")
def posted_by_any_form(swap: Any) -> None:
    """What another site's form can send is an event."""
    edited(swap, requests, "_event", 'if media.strip().lower() != "application/json":', "if False:")


@GUARDS.seen_by(asked.test_a_key_that_is_too_long_is_refused)
def keys_of_any_length(swap: Any) -> None:
    """A key may be as long as it likes."""
    edited(swap, requests, "_event", "not 0 < len(key) <= MAX_KEY", "False")


# -------------------------------------------------------------------------------- what is answered


@GUARDS.seen_by(asked.test_get_of_what_is_known_is_304_over_a_sleep_too)
def known_views_told(swap: Any) -> None:
    """Who asks for a view that they hold is told it again."""
    edited(swap, Ask, "show", "self.known is not None", "False")


@GUARDS.seen_by(asked.test_get_of_what_is_known_is_304_over_a_sleep_too)
def any_view_known(swap: Any) -> None:
    """Who holds a view is never told another one."""
    edited(swap, Ask, "show", ' and headers["etag"] in self.known', "")


@GUARDS.seen_by(asked.test_get_answers_the_view_with_its_cursor_as_etag)
def views_without_a_time(swap: Any) -> None:
    """By which time a view is to be read isn't told."""
    edited(swap, Ask, "answer", '"now": now, ', "")


@GUARDS.seen_by(asked.test_post_says_what_became_of_it, event={"type": "secret"}, status=403,
                outcome="rejected")  # fmt: skip
def rejected_with_success(swap: Any) -> None:
    """Whatever became of an event, its request has succeeded."""
    edited(swap, ask_of, "_status", 'if outcome.word != "rejected":', "if True:")


@GUARDS.seen_by(asked.test_post_says_what_became_of_it, event={"type": "broken"}, status=422,
                outcome="rejected")  # fmt: skip
def failed_for_want_of_leave(swap: Any) -> None:
    """An event that failed is answered as one that isn't allowed."""
    edited(swap, ask_of, "_status", "403 if outcome.code == door.FORBIDDEN else 422", "403")


@GUARDS.seen_by(asked.test_post_says_what_became_of_it,
                event={"type": "increment", "sender": "ben"}, status=422,
                outcome="rejected")  # fmt: skip
def posted_unchecked(swap: Any) -> None:
    """What no socket may say is posted."""
    edited(swap, requests, "_event", "messages.check_event(event)", "event")


@GUARDS.seen_by(asked.test_post_answers_with_outcome_cursor_and_view_when_it_is_stored)
def answers_kept(swap: Any) -> None:
    """Who posts isn't told what the machine replied."""
    edited(swap, Ask, "answer", "if outcome.result is not None:", "if False:")


@GUARDS.seen_by(asked.test_an_answer_may_have_several_headers_of_one_name)
def one_cookie_for_all(swap: Any) -> None:
    """Of several headers of one name the last one counts."""
    old = 'f"{headers[name]}\\n{line}" if name in headers else line'
    edited(swap, requests, "_on_request", old, "line")


@GUARDS.seen_by(asked.test_an_answer_may_have_several_headers_of_one_name)
def lengths_said_twice(swap: Any) -> None:
    """An answer's length is said by its host and by its router."""
    edited(swap, requests, "_on_request", 'headers.pop("content-length", None)', "headers")


# -------------------------------------------------------------------------------- how big


@GUARDS.seen_by(sizes.test_the_event_that_makes_the_state_too_big_is_rejected_alone)
def states_of_any_size(swap: Any) -> None:
    """A state may be as big as it likes."""
    edited(swap, Scale, "_weigh", "if grows and size > self._max_state:", "if False:")


@GUARDS.seen_by(sizes.test_what_is_too_big_already_may_shrink)
def too_big_for_ever(swap: Any) -> None:
    """What is too big already can't shrink."""
    edited(
        swap, Scale, "_weigh", "if grows and size > self._max_state:", "if size > self._max_state:"
    )


@GUARDS.seen_by(sizes.test_the_event_that_makes_a_view_too_big_is_rejected)
def views_of_any_size(swap: Any) -> None:
    """A view may be as big as it likes."""
    edited(swap, Scale, "_weigh", "if grows and widest > self._max_view:", "if False:")


@GUARDS.seen_by(sizes.test_near_the_bound_no_room_is_dropped)
def never_careful(swap: Any) -> None:
    """A room near its bound finds too much at its commit."""
    edited(swap, Scale, "committed", "self._distrusted or near or beyond", "False")


@GUARDS.seen_by(sizes.test_far_from_it_a_commit_costs_one_look)
def always_careful(swap: Any) -> None:
    """Each step of each room is weighed."""
    edited(swap, Scale, "committed", "self._distrusted or near or beyond", "True")


@GUARDS.seen_by(sizes.test_an_answer_and_an_emitted_event_have_a_bound)
def told_whatever_its_size(swap: Any) -> None:
    """A machine's answer may be as big as it likes."""
    edited(swap, scale, "_check_size", "if size > MAX_BYTES:", "if False:")


@GUARDS.seen_by(sizes.test_a_room_in_memory_is_weighed_now_and_then)
def memory_never_weighed(swap: Any) -> None:
    """A room of level `memory` grows unweighed until it sleeps."""
    edited(swap, Scale, "check", "elif self._seldom:", "elif False:")


@GUARDS.seen_by(sizes.test_a_view_that_is_too_big_all_the_same_spoils_nothing)
def sent_whatever_its_size(swap: Any) -> None:
    """A view that is too big is sent to those who watch."""
    edited(swap, Watch, "_whole", "self._most is not None and ", "None and ")


@GUARDS.seen_by(sizes.test_a_view_that_is_too_big_all_the_same_spoils_nothing)
def lost_by_a_view(swap: Any) -> None:
    """A view that can't be sent is the whole room's affair."""
    edited(
        swap, Fanout, "update", "except (TypeError, TooBig) as error:", "except OSError as error:"
    )


@GUARDS.seen_by(sizes.test_a_view_that_is_too_big_all_the_same_spoils_nothing)
def told_again_and_again(swap: Any) -> None:
    """That a view can't be sent is told with each event."""
    edited(swap, Audience, "show", "if key not in known:", "if True:")


@GUARDS.seen_by(sizes.test_a_view_that_is_too_big_all_the_same_spoils_nothing)
def turned_away_for_good(swap: Any) -> None:
    """Who comes to a view that is too big isn't to come back."""
    edited(swap, Audience, "enter", "1013,", "4403,")


# -------------------------------------------------------------------------------- seats


@GUARDS.seen_by(seats.test_back_within_the_grace_left_after_it)
def no_way_back(swap: Any) -> None:
    """Who comes back within the grace leaves at its end."""
    edited(swap, Seats, "connect", "seat.away = seat.leaves = None", "seat.away = None")


@GUARDS.seen_by(seats.test_only_what_the_machine_names_is_told)
def seats_told_to_all(swap: Any) -> None:
    """Each machine hears of seats."""
    edited(swap, Seats, "_tell", "if type not in self.heard:", "if False:")


@GUARDS.seen_by(seats.test_after_a_crash_every_grace_starts_again)
def grace_over_a_crash(swap: Any) -> None:
    """Who was away when a host crashed has the grace that was left."""
    edited(swap, Seats, "restore", "leaves is None or not slept", "leaves is None")


@GUARDS.seen_by(seats.test_a_sleeping_room_wakes_for_a_leave_only_where_it_is_heard)
def woken_for_each_leave(swap: Any) -> None:
    """A sleeping room wakes for a leave that its machine doesn't hear."""
    edited(swap, Seats, "wakes_at", "self.next_due if self._wakes else None", "self.next_due")


@GUARDS.seen_by(seating.test_a_fresh_token_in_another_role_takes_or_leaves_the_seat)
def seated_for_ever(swap: Any) -> None:
    """Who only watches from now on keeps the seat."""
    edited(swap, attendance, "renew", "if channel.seated and watches:", "if False:")


@GUARDS.seen_by(seating.test_a_fresh_token_may_bring_another_role)
def anybodys_token(swap: Any) -> None:
    """A connection is another viewer's after a token of theirs."""
    edited(swap, Host, "_renewed", "if known.id != channel.viewer.id:", "if False:")


# -------------------------------------------------------------------------------- presence


@GUARDS.seen_by(present.test_who_may_not_see_another_is_never_told_of_them)
def present_to_all(swap: Any) -> None:
    """Everybody is told of everybody who is here."""
    swap(Presence, "_sees", lambda *_: True)


@GUARDS.seen_by(present.test_changes_go_out_together_at_most_60_times_a_second)
def presence_uncapped(swap: Any) -> None:
    """Presence is told as often as it changes."""
    swap(presence, "EVERY", 0.0)


@GUARDS.seen_by(present.test_above_200_only_their_number_is_told)
def crowds_named(swap: Any) -> None:
    """Of however many everybody is told."""
    swap(presence, "MOST", 1 << 30)


# -------------------------------------------------------------------------------- timers, effects


@GUARDS.seen_by(timers.test_how_often_a_timer_failed_is_stored_and_others_dont_wait)
def failed_timers_again_at_once(swap: Any) -> None:
    """A timer whose event failed fires again at once, and is in others' way."""
    swap(retries, "FIRST_WAIT", 0)


@GUARDS.seen_by(timers.test_after_eight_attempts_it_is_a_dead_letter_that_wakes_nobody)
def timers_tried_for_ever(swap: Any) -> None:
    """A timer whose event fails is tried for ever."""
    edited(swap, Retries, "fail", "now if attempts >= ATTEMPTS else None", "None")


@GUARDS.seen_by(timers.test_while_it_sleeps_the_clock_stands_still)
def clocks_go_on(swap: Any) -> None:
    """The clock of timers that stand still in sleep goes on."""
    edited(swap, record, "restore", "asleep_since=asleep_since)", "asleep_since=None)")


@GUARDS.seen_by(timers.test_it_is_gone_when_the_machine_cancels_the_timer)
def cancelled_timers_stay(swap: Any) -> None:
    """What went wrong with a timer stays when the machine has cancelled it."""
    swap(Retries, "keep", lambda self, timers: None)


@GUARDS.seen_by(owed.test_after_eight_attempts_it_is_a_dead_letter_and_the_next_goes_on)
def effects_tried_for_ever(swap: Any) -> None:
    """An effect that fails is tried for ever, and later ones wait."""
    edited(swap, Outbox, "fail", "final or attempts >= self._attempts", "final")


@GUARDS.seen_by(owed.test_too_many_that_wait_fail_the_next)
def owed_without_bound(swap: Any) -> None:
    """A session may owe as many effects as it likes."""
    edited(swap, Outbox, "refuse", "if waiting + len(declared) > MAX_WAITING:", "if False:")


@GUARDS.seen_by(owed.test_one_that_brings_its_host_down_doesnt_for_ever)
def attempts_uncounted(swap: Any) -> None:
    """An attempt that ends its host never counts."""
    edited(swap, Outbox, "begin", "attempts=entry.attempts + 1, ", "")


@GUARDS.seen_by(owed.test_of_too_many_dead_letters_the_newest_stay)
def dead_letters_for_ever(swap: Any) -> None:
    """Every dead letter is kept."""
    swap(Outbox, "_bury", lambda self: None)


@GUARDS.seen_by(owed.test_effects_of_the_initial_state_wait_for_the_first_commit)
def performed_before_it_exists(swap: Any) -> None:
    """What a machine begins with is performed before its session is stored."""
    edited(swap, LiveRoom, "begin", "if self.session.outbox.changed():", "if False:")


@GUARDS.seen_by(owed.test_effects_of_the_initial_state_wait_for_the_first_commit)
def begun_without_effects(swap: Any) -> None:
    """What a machine begins with is never performed."""
    edited(swap, Waking, "_charted", "outbox.add(step.effects, now)", "outbox")


@GUARDS.seen_by(owed.test_what_waits_for_the_first_commit_keeps_no_room_awake)
def awake_for_what_isnt_owed(swap: Any) -> None:
    """What waits for a session to exist keeps its room awake."""
    edited(swap, LiveRoom, "due", "if session.revision else None", "")


@GUARDS.seen_by(owed.test_a_room_in_memory_stores_what_it_owes)
def owed_in_memory(swap: Any) -> None:
    """What a room in memory owes is lost with it."""
    old = "(session.revision and session.outbox.changed()) or "
    edited(swap, Commits, "unstored", old, "")


@GUARDS.seen_by(neighbours.test_a_room_out_of_reach_is_tried_for_as_long_as_it_takes)
def out_of_reach_is_a_failure(swap: Any) -> None:
    """That another room can't be reached is an attempt that failed."""

    def postpone(self: Any, entry: Any, error: str, now: int) -> None:
        self.fail(entry, error, now)

    swap(Outbox, "postpone", postpone)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
