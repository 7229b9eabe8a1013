"""Guards of rooms with processes of their own, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.alone import Alone
from rooms.host import watched
from rooms.host.deaths import Deaths
from rooms.host.guests import Guests
from rooms.host.keeper import RoomKeeper
from rooms.host.processes import Processes
from rooms.host.watched import Doing, Watched
from tests.guards import Guards
from tests.rooms.host import test_deaths as deaths
from tests.rooms.host import test_processes as apart
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GUARDS = Guards()


def where_some_die(
    test: Callable[..., Awaitable[None]], cause: str | None = None
) -> Callable[[pytest.MonkeyPatch], Awaitable[None]]:
    """A test of rooms whose processes end when they leak."""

    async def play(monkeypatch: pytest.MonkeyPatch) -> None:
        more: dict[str, Any] = {} if cause is None else {"cause": cause}
        if "monkeypatch" in test.__annotations__:
            more["monkeypatch"] = monkeypatch
        async with apart.dying() as deadly:
            await test(deadly, **more)

    return play


# -------------------------------------------------------------------------------- each its own


@GUARDS.seen_by(apart.test_each_room_has_its_own_and_others_none)
def isolated_among_others(swap: Any) -> None:
    """A room that is to have a process of its own lives among others."""
    swap(Processes, "has", lambda self, kind: False)


@GUARDS.seen_by(apart.test_each_room_has_its_own_and_others_none)
def everybody_isolated(swap: Any) -> None:
    """Each room has a process of its own, whatever its kind says."""
    edited(swap, Processes, "has", ' and known.room.isolation == "process"', "")


@GUARDS.seen_by(apart.test_there_are_only_so_many)
def ever_more_processes(swap: Any) -> None:
    """However many processes there are, there is one more."""
    edited(swap, Processes, "enter", "if len(self._tenants) >= MOST:", "if False:")


# -------------------------------------------------------------------------------- one dies


@GUARDS.seen_by(apart.test_one_that_has_lived_well_is_followed_at_once)
def dead_stay_dead(swap: Any) -> None:
    """A process that died is followed by none until somebody says something."""
    edited(swap, Processes, "_died", "else:\n        self.wake(id)", "else:\n        pass")


@GUARDS.seen_by(apart.test_one_that_dies_for_no_known_reason_waits_longer_each_time)
def not_woken_after_a_pause(swap: Any) -> None:
    """A process that died again and again is followed by none when its pause is over."""
    edited(swap, Processes, "_died", "self.wake, id)", "bool, id)")


@GUARDS.seen_by(apart.test_a_post_is_answered_when_its_process_ends)
def forgotten_with_their_process(swap: Any) -> None:
    """Who waits for an answer of a process that died waits for ever."""
    edited(swap, Processes, "_died", "self.guests.send_on(tenant, again=again)", "again")


@GUARDS.seen_by(apart.test_one_that_dies_for_no_known_reason_waits_longer_each_time)
def no_pause_between_deaths(swap: Any) -> None:
    """A process that dies again and again is followed at once each time."""
    swap(Deaths, "pause", lambda self, id, now: 0)


@GUARDS.seen_by(apart.test_one_that_dies_for_no_known_reason_waits_longer_each_time)
def long_pauses_not_told(swap: Any) -> None:
    """Who comes in a long pause waits for its end."""
    edited(swap, Processes, "enter", "if pause > PATIENCE:", "if False:")


@GUARDS.seen_by(deaths.test_the_first_is_followed_at_once_and_each_further_one_later)
def pauses_without_bound(swap: Any) -> None:
    """The pauses between processes that die grow for ever."""
    edited(swap, Deaths, "pause", ", LONGEST_PAUSE)", ", 1 << 40)")


@GUARDS.seen_by(apart.test_one_that_has_lived_well_is_followed_at_once)
def long_lives_dont_count(swap: Any) -> None:
    """A process that lived well for long counts as one more that died."""
    edited(swap, Deaths, "note", "if stable:", "if False:")


@GUARDS.seen_by(apart.test_its_epoch_is_higher_than_that_of_the_one_before)
def epoch_of_the_dead(swap: Any) -> None:
    """A room's next process has the epoch of the one that died."""
    edited(swap, Processes, "_answer", "await self._give_back(tenant.id)", "self")


@GUARDS.seen_by(apart.test_the_next_one_waits_for_what_the_store_was_asked_by_the_last)
def next_before_the_last_word(swap: Any) -> None:
    """A room's next process begins while the store still has to do what the last one said."""
    edited(swap, Processes, "_keep", "await tenant.calls.ended()", "pass")


@GUARDS.seen_by(apart.test_a_lost_lease_ends_all_of_them_and_nothing_late_is_told)
def lost_lease_ends_none(swap: Any) -> None:
    """Processes go on when their host's lease is over."""
    swap(Processes, "evict", lambda self: None)


@GUARDS.seen_by(apart.test_a_post_is_answered_when_its_process_ends)
def every_post_repeated(swap: Any) -> None:
    """A request that may have been handled is put before the next process."""
    edited(swap, Guests, "send_on", 'request.method == "GET" and again', "True")


@GUARDS.seen_by(apart.test_who_comes_when_none_can_be_forked_is_told_to_come_back)
def nobody_told_of_no_process(swap: Any) -> None:
    """Who waits for a process that can't be isn't told."""
    swap(Guests, "turn_away", lambda self, tenant, refused: None)


# -------------------------------------------------------------------------------- what they died of


@GUARDS.seen_by(where_some_die(apart.test_an_event_that_two_ended_with_is_rejected, "cpu"))
def nothing_condemned(swap: Any) -> None:
    """What processes died of is put before each next one."""
    edited(swap, Deaths, "note", "if died.doing in deaths.suspects:", "if False:")


@GUARDS.seen_by(deaths.test_what_two_were_at_is_condemned_whoever_died_between_them)
def condemned_at_once(swap: Any) -> None:
    """What one process was at when it died is condemned, and be it somebody else's fault."""
    edited(swap, Deaths, "note", "if died.doing in deaths.suspects:", "if True:")


@GUARDS.seen_by(deaths.test_what_nobody_repeats_is_never_condemned)
def condemned_without_a_name(swap: Any) -> None:
    """What doesn't come again under its name is condemned: all of its kind is."""
    edited(swap, Deaths, "note", "if comes_again(died.doing):", "if True:")


@GUARDS.seen_by(apart.test_after_a_death_each_thing_is_stored_by_itself_for_a_while)
def never_careful(swap: Any) -> None:
    """After a death, too, a process does many things before it stores them."""
    edited(swap, Doing, "most", "1 if self.careful else MAX_EVENTS", "MAX_EVENTS")


@GUARDS.seen_by(apart.test_after_a_death_each_thing_is_stored_by_itself_for_a_while)
def careful_for_ever(swap: Any) -> None:
    """After a death each thing is stored by itself for ever."""
    edited(swap, Alone, "start", 'setattr, self._doing, "careful", False', "bool")


@GUARDS.seen_by(
    where_some_die(apart.test_a_post_that_ends_processes_is_answered_at_once_or_after_two)
)
def condemned_posts_handled(swap: Any) -> None:
    """A request that is condemned is handled all the same."""
    edited(swap, watched, "_name", "Ask(key=key) if key is not None", "Ask(key=key) if False")


@GUARDS.seen_by(where_some_die(apart.test_who_ends_two_as_they_come_is_turned_away))
def let_in_whatever_comes_of_it(swap: Any) -> None:
    """Who ended two processes as they were let in is put before a third."""
    edited(swap, watched, "_name", 'return f"enter {_who(channel)}"', 'return "enter"')


@GUARDS.seen_by(where_some_die(apart.test_a_timer_that_two_ended_with_is_given_up))
def deadly_timers_fire(swap: Any) -> None:
    """A timer that two processes ended with is fired at the third."""

    def due(self: Any, now: int) -> Any:
        self.doing.begin("timer")
        return super(Watched, self)._due_timer(now)

    swap(Watched, "_due_timer", due)


@GUARDS.seen_by(where_some_die(apart.test_a_look_that_a_second_one_ended_with_is_answered))
def looks_repeated_for_ever(swap: Any) -> None:
    """A look that ends processes is put before each next one."""
    edited(swap, Guests, "send_on", " and again", "")


# -------------------------------------------------------------------------------- they rest


@GUARDS.seen_by(apart.test_its_process_ends_with_a_rooms_sleep_and_another_wakes_it)
def sleepers_keep_their_process(swap: Any) -> None:
    """A process stays when its room sleeps."""
    edited(swap, Processes, "_hear", "if taken == tenant.passed", "if False")


@GUARDS.seen_by(apart.test_what_is_said_as_it_is_about_to_end_is_handled)
def ended_with_what_it_was_sent(swap: Any) -> None:
    """A process ends when it says that its room rests, whatever is on its way there."""
    edited(swap, Processes, "_hear", "if taken == tenant.passed", "if True")


@GUARDS.seen_by(apart.test_what_was_under_way_when_it_ended_is_handled_by_the_next_one)
def said_to_nobody(swap: Any) -> None:
    """What comes when a process has just ended is lost."""
    edited(swap, Guests, "said", "guest.held.append(message)", "guest")


@GUARDS.seen_by(apart.test_what_comes_too_late_for_a_host_that_leaves_goes_back)
def late_ones_kept(swap: Any) -> None:
    """What comes too late for a host that leaves isn't given back."""
    edited(swap, Guests, "said", "end.send(Unheard(message.channel, message.message))", "end")


@GUARDS.seen_by(apart.test_a_drain_waits_for_what_they_store)
def killed_at_a_drain(swap: Any) -> None:
    """A host that leaves doesn't let its processes store what they have."""
    edited(swap, Processes, "drain", "tenant.send(Drain())", "tenant.process.kill()")


# -------------------------------------------------------------------------------- as any room


@GUARDS.seen_by(apart.test_a_room_that_fills_a_link_is_heard_no_further)
def heard_whoever_is_behind(swap: Any) -> None:
    """A process is heard however far its router is behind."""
    edited(swap, Guests, "pass_back", "if end.under_way > BEHIND", "if False")


@GUARDS.seen_by(apart.test_who_is_connected_keeps_a_session_from_expiring)
def connected_expire(swap: Any) -> None:
    """A session whose process ended expires though somebody is connected."""
    swap(Processes, "_postpone", lambda self, id: None)


@GUARDS.seen_by(apart.test_a_letter_of_another_room_comes_to_its_process)
def letters_opened_here(swap: Any) -> None:
    """A letter to a room with a process of its own is handled in its host."""
    edited(swap, RoomKeeper, "deliver", " and not self.apart(to.kind)", "")


@GUARDS.seen_by(apart.test_one_that_lives_never_expires)
def living_expire(swap: Any) -> None:
    """A session whose room has a process counts as asleep."""
    edited(
        swap,
        RoomKeeper,
        "asleep",
        "self.processes is None or self.processes.find(id) is None",
        "True",
    )


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
