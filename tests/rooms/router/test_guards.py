"""Guards of event streams and of what moves, each switched off: the test of its rule sees it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rooms.router import http
from rooms.router.asking import Requests
from rooms.router.channels import Channel
from rooms.router.delivery import Delivery
from rooms.router.routing import Routing
from tests.rooms.router import test_moving as moving
from tests.rooms.router import test_streams as streams
from tests.sim.mutants import applied

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.rooms.router.doors import Door


def last_event_id_ignored(swap: Any) -> None:
    """Who comes again says in vain what it has."""
    swap(http, "CURSOR_PATTERN", re.compile("(?!)"))


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


def older_incarnation_heard(swap: Any) -> None:
    """Whoever says that a session lives is believed, however old its incarnation is."""
    live = Routing._live

    def believe(self: Any, host: Any, name: Any, epoch: int) -> None:
        self._sessions[name].epoch = None
        live(self, host, name, epoch)

    swap(Routing, "_live", believe)


def closed_in_between_untold(swap: Any) -> None:
    """Nobody is told of who goes while no host has their connection."""
    close = Routing.close

    def close_silently(self: Any, channel: Any) -> None:
        channel.greeted = False
        close(self, channel)

    swap(Routing, "close", close_silently)


def asked_again_whatever_it_is(swap: Any) -> None:
    """A request that was lost with its host, and may have been handled, is asked of another."""
    lost = Requests.lost

    def ask_again(self: Any, host: Any) -> None:
        for asked in self._asked.values():
            asked.request = replace(asked.request, method="GET")
        lost(self, host)

    swap(Requests, "lost", ask_again)


def shared_not_said_again(swap: Any) -> None:
    """What a connection shares goes with the room that heard it last."""
    swap(Channel, "share_again", lambda self: None)


MOVING: dict[Callable[[Any], None], Callable[[moving.Fleet], None]] = {
    older_incarnation_heard: moving.test_an_older_incarnation_that_speaks_late_is_ignored,
    shared_not_said_again: moving.test_what_was_shared_as_the_room_ended_is_said_to_the_next_host,
    closed_in_between_untold: moving.test_the_next_host_hears_who_left_while_nobody_had_it,
    asked_again_whatever_it_is: moving.test_a_request_of_a_lost_host_is_asked_again_only_if_it_asks,
}
"""As below."""

SEEN_BY: dict[Callable[[Any], None], Callable[[Door], Awaitable[None]]] = {
    last_event_id_ignored: streams.test_what_it_holds_is_told_to_the_host,
    skipped_frame_counts: streams.test_a_slow_stream_misses_frames_and_asks_when_it_has_drained,
}
"""By mutant: the test that fails with it."""


@pytest.mark.parametrize("make", SEEN_BY, ids=lambda make: str(make.__name__))
async def test_the_loss_of_a_guard_is_seen(make: Callable[[Any], None], door: Door) -> None:
    with applied(make), pytest.raises(AssertionError) as seen:
        await SEEN_BY[make](door)
    assert Path(seen.traceback[-1].path).parent == Path(__file__).parent


@pytest.mark.parametrize("make", MOVING, ids=lambda make: str(make.__name__))
def test_the_loss_of_a_guard_of_what_moves_is_seen(make: Callable[[Any], None]) -> None:
    with applied(make), pytest.raises((AssertionError, LookupError, ValueError)) as seen:
        MOVING[make](moving.Fleet("a", "b"))
    assert Path(seen.traceback[-1].path).parent == Path(__file__).parent
