"""Guards of event streams and of what moves, each switched off: the test of its rule sees it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rooms.router import http
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


def test_that_an_older_incarnation_is_heard_is_seen() -> None:  # [ROUTE6]
    with applied(older_incarnation_heard), pytest.raises(AssertionError):
        moving.test_an_older_incarnation_that_speaks_late_is_ignored(moving.Fleet("a", "b"))
