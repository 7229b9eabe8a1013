"""How far the server's clock is from ours (PURE: every time is an argument).

In: the `now` of messages, when they arrived, and, for answers, when their question left. Out: an
offset in ms.

A message that says `now` was made before it arrived, and an answer after its question was sent, so
each bounds the offset; slow ones merely bound it less. What fits them all is an interval as wide as
the quickest round trip, and its middle is the estimate.
"""

from __future__ import annotations

from math import inf


class Clock:
    """The offset between the server's clock and one of ours, as well as it is known."""

    __slots__ = ("_high", "_low")

    def __init__(self) -> None:
        self._low = -inf
        self._high = inf

    def sample(self, now: float, received: float, sent: float = -inf) -> None:
        """The server's clock read `now` (whole ms) somewhen between `sent` and `received` (ms)."""
        low = now - received
        high = now + 1 - sent  # `now` is cut to whole milliseconds
        width = self._high - self._low
        if low > self._high:
            # A clock was set, drifted, or ours stood still while the machine slept: move on, no
            # further than this one proves.
            self._low, self._high = low, min(high, low + width)
        elif high < self._low:
            self._low, self._high = max(low, high - width), high
        else:
            self._low, self._high = max(self._low, low), min(self._high, high)

    @property
    def offset(self) -> float:
        """Milliseconds to add to our clock to get the server's; 0 as long as nothing is known."""
        if self._low == -inf:
            return 0
        return self._low if self._high == inf else (self._low + self._high) / 2
