"""The host's time: what has elapsed in this process, and what the store says the time is.

Rooms get the time as an argument of a turn; this is where it comes from. A clock step of this
machine moves nothing here: elapsed time counts suspension too (CLOCK_BOOTTIME), and the difference
to the store's time is measured with every heartbeat.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
_LONGEST_WAIT: Final = 3_600_000
_JITTER: Final = 50


def elapsed() -> float:
    """Milliseconds since some moment before this process began, suspension included."""
    return (time.perf_counter_ns() if _CLOCK is None else time.clock_gettime_ns(_CLOCK)) / 1e6


class Clock:
    """`now()` is the store's time in ms; `elapsed` (ms) decides about leases and waits."""

    def __init__(self, elapsed: Callable[[], float] = elapsed) -> None:
        self.elapsed = elapsed
        self._offset: float | None = None

    def now(self) -> int:
        """The store's time, ms since 1970. `measured` is called before the first use."""
        assert self._offset is not None, "the store's time was never measured"
        return int(self.elapsed() + self._offset)

    def measured(self, store_now: int, asked: float, answered: float) -> None:
        """The store said `store_now` between these two moments of `elapsed`.

        When, isn't known better than that: small differences, and all within half a long journey,
        are no reason for time to step.
        """
        offset, unsure = store_now - (asked + answered) / 2, (answered - asked) / 2
        if self._offset is None or abs(offset - self._offset) > max(_JITTER, unsure):
            self._offset = offset

    def call_at(self, due: int, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call at this time of the store, or somewhat before when that is far away: look again."""
        wait = min(max(due - self.now(), 0), _LONGEST_WAIT)
        return asyncio.get_running_loop().call_later(wait / 1000, call)
