"""Guards of the door and of what moves, each switched off: the test of its rule sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

import pytest

from rooms.router import http
from rooms.router.asking import Requests
from rooms.router.channels import Channel, Host
from rooms.router.delivery import Delivery
from rooms.router.routing import Routing
from tests.guards import Guards
from tests.rooms.router import test_moving as moving
from tests.rooms.router import test_routing as routing
from tests.rooms.router import test_streams as streams
from tests.rooms.router.doors import at_the_door
from tests.rooms.router.test_moving import fleet  # noqa: F401 - a fixture
from tests.sim.mutants import edited

GUARDS = Guards()


@GUARDS.seen_by(at_the_door(streams.test_what_it_holds_is_told_to_the_host))
def last_event_id_ignored(swap: Any) -> None:
    """Who comes again says in vain what it has."""
    swap(http, "CURSOR_PATTERN", re.compile("(?!)"))


@GUARDS.seen_by(at_the_door(streams.test_a_slow_stream_misses_frames_and_asks_when_it_has_drained))
def skipped_frame_counts(swap: Any) -> None:
    """A stream that is too slow to be sent a frame counts as having it."""
    fan_out = Delivery.fan_out

    def count_all(self: Any, host: Any, message: Any) -> None:
        lane = host.lanes[message.lane]
        skipped = [each for each in lane.channels if each.slow and each.cursor == message.base]
        fan_out(self, host, message)
        for channel in skipped:
            channel.cursor = message.cursor

    swap(Delivery, "fan_out", count_all)


@GUARDS.seen_by(moving.test_an_older_incarnation_that_speaks_late_is_ignored)
def older_incarnation_heard(swap: Any) -> None:
    """Whoever says that a session lives is believed, however old its incarnation is."""
    live = Routing._live

    def believe(self: Any, host: Any, name: Any, epoch: int) -> None:
        self._sessions[name].epoch = None
        live(self, host, name, epoch)

    swap(Routing, "_live", believe)


@GUARDS.seen_by(moving.test_the_next_host_hears_who_left_while_nobody_had_it)
def closed_in_between_untold(swap: Any) -> None:
    """Nobody is told of who goes while no host has their connection."""
    close = Routing.close

    def close_silently(self: Any, channel: Any) -> None:
        channel.greeted = False
        close(self, channel)

    swap(Routing, "close", close_silently)


@GUARDS.seen_by(routing.test_who_was_taken_over_is_put_before_no_other_incarnation)
def taken_over_put_again(swap: Any) -> None:
    """A connection comes before the next incarnation after the newer one of its client."""
    swap(Channel, "client", property(lambda channel: channel))


@GUARDS.seen_by(moving.test_the_next_host_hears_nothing_of_who_was_taken_over)
def end_of_taken_over_told(swap: Any) -> None:
    """The next host is told of the end of a connection as if its client were gone."""
    edited(swap, Routing, "close", " and channel.client not in session.newest()", "")


@GUARDS.seen_by(moving.test_a_request_of_a_lost_host_is_asked_again_only_if_it_asks)
def asked_again_whatever_it_is(swap: Any) -> None:
    """A request that was lost with its host, and may have been handled, is asked of another."""
    lost = Requests.lost

    def ask_again(self: Any, host: Any) -> None:
        for asked in self._asked.values():
            asked.request = replace(asked.request, method="GET")
        lost(self, host)

    swap(Requests, "lost", ask_again)


@GUARDS.seen_by(moving.test_what_was_shared_as_the_room_ended_is_said_to_the_next_host)
def shared_not_said_again(swap: Any) -> None:
    """What a connection shares goes with the room that heard it last."""
    swap(Channel, "share_again", lambda self: None)


# -------------------------------------------------------------------------------- what moves


@GUARDS.seen_by(moving.test_a_lost_host_closes_no_socket_and_its_sessions_go_on_at_once)
def moving_told_at_once(swap: Any) -> None:
    """Connections are told of a move that they wouldn't notice."""
    edited(swap, Routing, "_watch", "self._later(MOVING_AFTER, lambda: self._moving(session))",
           "self._moving(session)")  # fmt: skip


@GUARDS.seen_by(routing.test_who_waits_for_its_room_is_told_and_told_again_when_it_is_there)
def moving_told_to_all(swap: Any) -> None:
    """Who was never let in is told that its room moves."""
    edited(swap, Routing, "_watch", "channel.greeted and ", "")
    edited(swap, Routing, "_moving", " and channel.greeted", "")


@GUARDS.seen_by(moving.test_a_lost_host_closes_no_socket_and_its_sessions_go_on_at_once)
def live_not_told(swap: Any) -> None:
    """Who was told that its room moves isn't told when that is there again."""
    edited(swap, Routing, "_join", "if channel.moving:", "if False:")


@GUARDS.seen_by(moving.test_only_its_own_host_says_that_a_session_sleeps)
def anybody_says_that_it_sleeps(swap: Any) -> None:
    """A session sleeps when some host says so."""
    edited(swap, Routing, "_asleep", "session.host is not host or ", "")


@GUARDS.seen_by(routing.test_the_end_of_another_incarnation_concerns_nobody)
def former_end_is_an_end(swap: Any) -> None:
    """A session sleeps when its host says that of a former incarnation."""
    edited(swap, Routing, "_asleep", " or session.epoch not in (None, epoch)", "")


@GUARDS.seen_by(moving.test_a_leaving_host_gets_no_session_any_more)
def leaving_unheard(swap: Any) -> None:
    """A host that says that it leaves is brought sessions."""
    edited(swap, Host, "leave", "leaving=True", "leaving=False")


@GUARDS.seen_by(moving.test_what_the_store_knows_late_makes_no_leaving_host_stay)
def leaving_forgotten(swap: Any) -> None:
    """A host that has said that it leaves is brought sessions when the store doesn't know yet."""
    edited(swap, Host, "listed", "elif self.info.leaving:", "elif False:")


@GUARDS.seen_by(moving.test_a_host_that_the_store_takes_for_dead_gets_no_session)
def dead_hosts_stay(swap: Any) -> None:
    """A host that the store lists no more is brought sessions while its link lives."""
    edited(swap, Host, "listed", "weight=0", "weight=1")


@GUARDS.seen_by(moving.test_who_waits_at_a_host_that_has_no_lease_any_more_goes_on_to_another)
def waits_for_a_lease(swap: Any) -> None:
    """Who waits for a room waits at a host that has no lease, though another one lives."""
    edited(swap, Routing, "listed", "if info is not None:", "if True:")


@GUARDS.seen_by(moving.test_who_waits_at_a_host_that_has_no_lease_any_more_goes_on_to_another)
def said_twice_over(swap: Any) -> None:
    """What the host without a lease may have handled is said to the next one."""
    edited(swap, Routing, "listed", "channel.lose_host()", "pass")


@GUARDS.seen_by(moving.test_a_room_that_is_there_stays_at_a_host_that_the_store_lists_no_more)
def live_rooms_are_left(swap: Any) -> None:
    """A room that is there is left for another host, because the store lists its own no more."""
    edited(swap, Routing, "listed", "if inside or", "if")


@GUARDS.seen_by(moving.test_who_waits_at_the_only_host_stays_though_it_has_no_lease, kind="quiz")
def left_for_nowhere(swap: Any) -> None:
    """Who waits at the only host is told to wait for another one."""
    edited(swap, Routing, "listed", "in (None, host)", "is host")


@GUARDS.seen_by(moving.test_who_waits_at_the_only_host_stays_though_it_has_no_lease, kind="unknown")
def left_for_itself(swap: Any) -> None:
    """Who waits at the only host is put before it again and again."""
    edited(swap, Routing, "listed", "in (None, host)", "is None")


_ASKED_BY_A_HOST: Final = (
    moving.test_what_a_host_asks_of_another_is_answered_by_its_own_number_and_not_tried_for_ever
)


@GUARDS.seen_by(_ASKED_BY_A_HOST)
def answered_by_the_routers_number(swap: Any) -> None:
    """What a host has asked of another is answered by a number that it doesn't know."""
    edited(swap, Requests, "forward", "request=request.request", "request=number")


@GUARDS.seen_by(_ASKED_BY_A_HOST)
def forwarded_for_ever(swap: Any) -> None:
    """What a host asks of another is tried when nobody waits for it any more."""
    edited(swap, Requests, "forward", "self.abandon(number)", "None")


@GUARDS.seen_by(moving.test_hosts_that_point_to_each_other_are_asked_seldom)
def hops_for_ever(swap: Any) -> None:
    """Hosts that point to each other are asked as fast as they answer."""
    edited(swap, Routing, "_elsewhere", "session.hops > MAX_HOPS", "session.hops > 100")


@GUARDS.seen_by(moving.test_a_host_that_comes_meanwhile_shortens_no_later_pause)
def any_pause_ends_any(swap: Any) -> None:
    """A pause ends when another one does."""
    edited(
        swap, Routing, "_again", "self._waiting.get(session) == number", "session in self._waiting"
    )


@GUARDS.seen_by(moving.test_what_waits_has_a_bound_of_bytes)
def early_without_bound(swap: Any) -> None:
    """However much is said to a room that isn't there is kept."""
    edited(swap, Channel, "keep", "MAX_EARLY_BYTES", "(1 << 30)")


@GUARDS.seen_by(moving.test_what_a_lost_host_may_have_had_isnt_said_again)
def plain_ones_said_again(swap: Any) -> None:
    """What a host may have handled before it was lost is said to the next."""
    swap(Channel, "lose_host", lambda self: None)


@GUARDS.seen_by(moving.test_a_lost_host_closes_no_socket_and_its_sessions_go_on_at_once)
def attachment_lost(swap: Any) -> None:
    """What a room keeps of a connection isn't brought to the next host."""
    edited(swap, Routing, "receive", "attachment=attachment", "attachment=None")


# -------------------------------------------------------------------------------- who is behind


@GUARDS.seen_by(routing.test_a_slow_connection_gets_the_newest_once_it_drained)
def slow_ones_written_to(swap: Any) -> None:
    """Who is slow is sent each step."""
    edited(swap, Delivery, "fan_out", " and not channel.slow", "")


@GUARDS.seen_by(routing.test_outcomes_wait_for_the_view_that_was_asked_for)
def outcome_before_its_view(swap: Any) -> None:
    """An outcome is told though the view that it belongs to is missing."""
    edited(swap, Delivery, "told", "if channel.behind:", "if False:")


@GUARDS.seen_by(routing.test_who_isnt_at_the_base_asks_once)
def step_for_any_view(swap: Any) -> None:
    """A step is sent whatever view a connection holds."""
    edited(swap, Delivery, "fan_out", "channel.cursor == base and ", "")


@GUARDS.seen_by(routing.test_what_was_emitted_meanwhile_comes_after_the_view)
def emitted_at_once(swap: Any) -> None:
    """What is emitted doesn't wait for the view that a connection lacks."""
    edited(swap, Channel, "write_in_turn", "not self.behind and ", "")


@GUARDS.seen_by(routing.test_too_much_that_cant_be_merged_closes_a_slow_connection)
def held_without_bound(swap: Any) -> None:
    """Ever more is kept for a connection that takes nothing."""
    edited(swap, Channel, "write_in_turn", "self._held_bytes <= MAX_HELD_BYTES", "True")


@GUARDS.seen_by(routing.test_the_socket_isnt_read_with_too_many_unanswered)
def read_whatever_is_unanswered(swap: Any) -> None:
    """A socket is read however many of its events aren't answered."""
    edited(swap, Channel, "remember", "if self._full() and", "if False and")


@GUARDS.seen_by(routing.test_the_socket_isnt_read_with_too_many_bytes_unanswered)
def unanswered_bytes_uncounted(swap: Any) -> None:
    """A socket is read however big its events are that aren't answered."""
    edited(swap, Channel, "_full", "self._unanswered_bytes >= STOP_READING_BYTES", "False")


@GUARDS.seen_by(routing.test_what_is_to_be_sent_again_wakes_no_room)
def asked_again_for_ever(swap: Any) -> None:
    """Numbers that a client is to say again keep its room awake."""
    edited(swap, Channel, "waits", "again is None or seq < again", "True")


@GUARDS.seen_by(routing.test_a_request_is_answered_once)
def answered_twice(swap: Any) -> None:
    """A request is answered as often as a host does."""
    edited(swap, Requests, "answer", "self._asked.pop(", "self._asked.get(")


@GUARDS.seen_by(routing.test_a_router_that_goes_tells_nobody_that_they_left)
def restart_is_a_leave(swap: Any) -> None:
    """Whoever was at a router that ends has left their room."""
    edited(swap, Routing, "leave", "self._leaving = True", "self")


@GUARDS.seen_by(routing.test_a_fan_out_is_framed_once_for_all_who_hold_its_base)
def framed_for_each(swap: Any) -> None:
    """Each connection's frame is made anew."""
    again = "channel.cursor = cursor; data = bytes(bytearray(data))"
    edited(swap, Delivery, "fan_out", "channel.cursor = cursor", again)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
