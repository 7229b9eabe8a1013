"""Guards of what keeps a room awake, wakes it and goes on in it, each switched off: the test of its
rule sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import CloseCode, Closing
from rooms.host.clock import Clock
from rooms.host.courier import Courier
from rooms.host.host import Host
from rooms.host.idle import Idleness
from rooms.host.keeper import RoomKeeper
from rooms.host.opening import Opening
from rooms.host.post import Post
from rooms.host.room import LiveRoom
from rooms.host.session import Session
from rooms.host.turn import Denied
from runtime import System
from tests.guards import Guards
from tests.rooms.host import test_awake as awake
from tests.rooms.host import test_clock as clocks
from tests.rooms.host import test_courier as owed
from tests.rooms.host import test_invoked as invoked
from tests.rooms.host import test_neighbours as neighbours
from tests.rooms.host import test_post as post
from tests.rooms.host import test_processes as apart
from tests.rooms.host import test_seating as seating
from tests.rooms.host import test_sleep as sleep
from tests.rooms.host import test_time as times
from tests.rooms.host import test_timers as timers
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.guards import Make

GUARDS = Guards()


# -------------------------------------------------------------------------------- it sleeps


@GUARDS.seen_by(sleep.test_a_room_sleeps_after_ten_quiet_seconds_and_sockets_stay)
def awake_for_ever(swap: Any) -> None:
    """A room that was woken stays awake."""
    edited(swap, Idleness, "_judge", "elif self._awake(patience):", "elif True:")


@GUARDS.seen_by(sleep.test_a_room_sleeps_after_ten_quiet_seconds_and_sockets_stay)
def asleep_and_owned(swap: Any) -> None:
    """A room that sleeps isn't given back."""
    edited(swap, RoomKeeper, "_rest", "await self._claims.release(room.claim, activation)", "room")


@GUARDS.seen_by(sleep.test_what_happens_puts_sleep_off)
def asleep_at_work(swap: Any) -> None:
    """A room sleeps after so long, whatever happens in it."""
    swap(Idleness, "touch", lambda self: None)


@GUARDS.seen_by(sleep.test_a_room_where_nothing_was_accepted_is_forgotten_at_once)
def awake_for_nobody(swap: Any) -> None:
    """A room that nobody is in, and nothing was stored of, stays for as long as others."""
    swap(LiveRoom, "_patience", lambda self: self._room.sleep_after)


# -------------------------------------------------------------------------------- it stays awake


def kept_awake_by(type: str, **fields: Any) -> Callable[[Make], Make]:
    """By the test that sees that a room sleeps though this was said to it."""
    return GUARDS.seen_by(
        awake.test_what_is_said_keeps_it_awake_for_a_while, message={"type": type, **fields}
    )


@kept_awake_by("nothing that it hears")
def turns_keep_nobody_awake(swap: Any) -> None:
    """What is said to a room doesn't keep it awake."""
    edited(swap, LiveRoom, "_turn", "self._idleness.touch()", "self")


@kept_awake_by("room.presence", data={"x": 1})
def presence_keeps_nobody_awake(swap: Any) -> None:
    """What is shared doesn't keep a room awake."""
    edited(swap, LiveRoom, "share", "self._idleness.touch()", "self")


@kept_awake_by("cursor", x=1)
def volatile_events_keep_nobody_awake(swap: Any) -> None:
    """What is told at once doesn't keep a room awake."""
    edited(swap, LiveRoom, "_cast", "self._idleness.touch()", "self")


@GUARDS.seen_by(awake.test_what_runs_outside_of_it_keeps_it_awake, kind="stream")
def asleep_while_something_runs(swap: Any) -> None:
    """A room sleeps though something of it runs."""
    edited(swap, LiveRoom, "_awake", "or self._opening.busy", "")


@GUARDS.seen_by(owed.test_a_running_effect_keeps_its_room_awake)
def asleep_while_it_is_performed(swap: Any) -> None:
    """A room sleeps though an effect of it is under way."""
    edited(swap, LiveRoom, "due", "session.outbox.next_due() if session.revision else None", "None")


@GUARDS.seen_by(awake.test_a_timer_keeps_it_awake_when_it_is_near, delay=19_000, awake=True)
def asleep_for_a_moment(swap: Any) -> None:
    """A room sleeps though it has to wake soon."""
    edited(swap, LiveRoom, "_awake", "due is not None and due - ", "None and ")


@GUARDS.seen_by(awake.test_a_timer_keeps_it_awake_when_it_is_near, delay=21_000, awake=False)
def awake_for_any_timer(swap: Any) -> None:
    """A timer keeps a room awake, however far away it is."""
    edited(swap, LiveRoom, "_awake", "due - self._keeper.clock.now() <= patience", "True")


@GUARDS.seen_by(awake.test_who_is_expected_back_keeps_it_awake)
def nobody_expected_back(swap: Any) -> None:
    """A room sleeps before it is known who is missing."""
    edited(swap, LiveRoom, "_awake", "or not session.seats.settled", "")


@GUARDS.seen_by(timers.test_who_watches_a_timer_keeps_it_running)
def asleep_while_it_is_watched(swap: Any) -> None:
    """A timer that somebody watches stands still."""
    edited(swap, LiveRoom, "_awake", 'self._room.restore_timers == "remaining"', "False")


@GUARDS.seen_by(awake.test_who_only_stays_connected_does_not)
def awake_for_all_who_are_here(swap: Any) -> None:
    """An open connection keeps its room awake."""
    edited(swap, LiveRoom, "_awake", "not self._at_rest()", "not self._at_rest() or self.audience")


# -------------------------------------------------------------------------------- what it is told


@GUARDS.seen_by(times.test_all_times_are_the_stores)
def times_of_its_own(swap: Any) -> None:
    """A host tells its own time."""
    edited(swap, Clock, "now", "self.elapsed() + self._offset", "self.elapsed()")


@GUARDS.seen_by(clocks.test_a_long_journey_moves_no_time)
def any_answer_moves_time(swap: Any) -> None:
    """The store's time is believed, however long it was on its way."""
    edited(swap, Clock, "measured", "max(_JITTER, unsure)", "_JITTER")


@GUARDS.seen_by(clocks.test_a_store_whose_time_is_another_one_is_believed)
def first_answer_for_ever(swap: Any) -> None:
    """The store's time is what it said first."""
    edited(swap, Clock, "measured", "abs(offset - self._offset) > max(_JITTER, unsure)", "False")


@GUARDS.seen_by(seating.test_an_unknown_kind_is_refused)
def back_to_an_unknown_kind(swap: Any) -> None:
    """Who comes to a kind that nobody has is to come back for ever."""
    edited(swap, Host, "_attach", "CloseCode.NOT_FOUND", "CloseCode.OVERLOADED")


@GUARDS.seen_by(apart.test_without_a_nursery_they_live_among_others)
def no_room_without_a_process(swap: Any) -> None:
    """Where there are no processes a room that wants one can't be."""
    alone = 'self._guests is None and kind.room.isolation == "process"'
    edited(swap, Host, "_attach", "if kind is None:", f"if kind is None or ({alone}):")


# -------------------------------------------------------------------------------- what runs in it


@GUARDS.seen_by(invoked.test_what_a_former_start_has_to_say_comes_too_late)
def former_starts_heard(swap: Any) -> None:
    """What an earlier start has to say counts as the present one's."""
    edited(swap, System, "step", 'actor.number != event["number"] or ', "")


@GUARDS.seen_by(invoked.test_dropping_a_room_cancels_what_it_started)
def coroutines_of_a_lost_room(swap: Any) -> None:
    """What a room has started goes on when it is dropped."""
    edited(swap, Opening, "stop", "self._performer.stop_all()", "self")


@GUARDS.seen_by(owed.test_dropping_a_room_ends_its_attempts)
def attempts_of_a_lost_room(swap: Any) -> None:
    """An attempt goes on when its room is dropped."""
    edited(swap, Courier, "stop", "task.cancel()", "task")


# -------------------------------------------------------------------------------- from room to room


@GUARDS.seen_by(neighbours.test_it_wakes_a_sleeping_room)
def letters_to_the_living(swap: Any) -> None:
    """An event for a room that sleeps doesn't wake it."""
    edited(swap, RoomKeeper, "deliver", "self.put(to, delivery)",
           "to in self.live and self.put(to, delivery)")  # fmt: skip


@GUARDS.seen_by(neighbours.test_it_makes_the_other_session_and_says_who_sent_it)
def letters_make_no_session(swap: Any) -> None:
    """A room may only write to one that exists."""

    def once(self: Any, ask: Any, turn: Any) -> None:
        if self.revision:
            original(self, ask, turn)
        else:
            refused = Closing(CloseCode.NOT_FOUND, "there is no such room")
            turn.told.append(Denied(ask, refused))

    original = Session._once
    swap(Session, "_once", once)


@GUARDS.seen_by(post.test_it_reaches_the_room_of_another_host_and_the_answer_comes_back)
def letters_stay_here(swap: Any) -> None:
    """What another host has can't be written to."""
    edited(swap, RoomKeeper, "deliver", "contextlib.suppress(NotHere)", "contextlib.nullcontext()")


@GUARDS.seen_by(post.test_it_reaches_the_room_of_another_host_and_the_answer_comes_back)
def answers_stay_there(swap: Any) -> None:
    """What became of an event on another host isn't heard."""
    swap(Post, "answered", lambda self, answer: None)


@GUARDS.seen_by(post.test_a_router_dies_with_it)
def answers_of_a_lost_router(swap: Any) -> None:
    """What a router had to bring is waited for when that is gone."""
    swap(Post, "lost", lambda self, end: None)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
