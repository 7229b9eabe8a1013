"""Clocks: the only place where the runtime learns what time it is.

A clock has `now()` (ms since the epoch), `set_timeout(function, ms)` → handle,
`clear_timeout(handle)`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from .errors import NoEventLoopError, RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock(Protocol):
    """What an actor system needs of a clock. All times are milliseconds."""

    def now(self) -> float:
        """The time."""

    def set_timeout(self, function: Callable[[], None], delay: float) -> Any:
        """Call the function after `delay`; returns a handle."""

    def clear_timeout(self, handle: Any) -> None:
        """Forget a call that is still to come."""


class LoopClock:
    """The real time, with timers of the running event loop."""

    def now(self) -> float:
        """Milliseconds since the epoch."""
        return time.time() * 1000  # noqa: TID251 - this is where time comes from

    def set_timeout(self, function: Callable[[], None], delay: float) -> asyncio.TimerHandle:
        """Call the function after `delay` ms. Raises NoEventLoopError outside a loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NoEventLoopError("a timer") from None
        return loop.call_later(max(delay, 0) / 1000, function)

    def clear_timeout(self, handle: asyncio.TimerHandle) -> None:
        """Forget a call that is still to come."""
        handle.cancel()


class SimulatedClock:
    """A clock that stands still until it is told to move.

    Like XState's, it jumps: timers that were due in between fire in order of their due time, all of
    them seeing the new time, so `increment(100)` doesn't chain one `after 10` into the next.
    """

    def __init__(self, start: float = 0) -> None:
        self._now = start
        self._timeouts: dict[int, tuple[float, Callable[[], None]]] = {}
        self._next_id = 0
        self._flushing = False
        self._changed = False

    def now(self) -> float:
        """Milliseconds since `start` was zero."""
        return self._now

    def set_timeout(self, function: Callable[[], None], delay: float) -> int:
        """Call the function once the clock has moved `delay` ms."""
        self._changed = self._flushing
        self._next_id += 1
        self._timeouts[self._next_id] = (self._now + delay, function)
        return self._next_id

    def clear_timeout(self, handle: int) -> None:
        """Forget a call that is still to come."""
        self._changed = self._flushing
        self._timeouts.pop(handle, None)

    def set(self, time: float) -> None:
        """Jump to a time."""
        if time < self._now:
            raise RuntimeFault("Unable to travel back in time")
        self._now = time
        self._flush()

    def increment(self, ms: float) -> None:
        """Jump forward."""
        self._now += ms
        self._flush()

    def _flush(self) -> None:
        if self._flushing:
            self._changed = True
            return
        self._flushing = True
        try:
            fresh = True
            while fresh:
                fresh = self._pass()
        finally:
            self._flushing = False

    def _pass(self) -> bool:
        """Fire what is due; whether timers changed meanwhile, so that another look is needed."""
        for handle, (due, function) in sorted(self._timeouts.items(), key=lambda item: item[1][0]):
            if self._changed:
                self._changed = False
                return True
            if self._now >= due:
                del self._timeouts[handle]
                function()
        self._changed = False
        return False
