"""What a host and a router count of their own work: plain numbers, for whoever asks.

In: an addition where the work is done, and nothing else on an event's path. Out: read by
`rooms/metrics.py` when somebody asks, and by nobody otherwise.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MS: Final = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How many values were at most so large: one count for each of `bounds`, in whose unit they
    are, and one beyond.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total: float = 0

    def add(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class HostTally:
    """A host's work since it was started; times in ms.

    `events` are those of viewers and of other rooms, by outcome; `commits` are groups that the
    store answered, `groups` how many sessions each had; `wakes` last from the wish to the live
    room; `lateness` is a timer's, after it was due; a `fanout` goes once to each router.
    """

    def __init__(self) -> None:
        self.events = {"accepted": 0, "ignored": 0, "rejected": 0}
        self.commits = Histogram(_MS)
        self.groups = Histogram(_SIZES)
        self.failed_commits = 0
        self.wakes = Histogram(_MS)
        self.drops = 0
        self.lateness = Histogram(_MS)
        self.fanouts = 0
        self.fanout_bytes = 0

    def numbers(self) -> list[float]:
        """All of it."""
        histograms = (self.commits, self.groups, self.wakes, self.lateness)
        spread = [number for each in histograms for number in (*each.counts, each.total)]
        counts = (self.failed_commits, self.drops, self.fanouts, self.fanout_bytes)
        return [*self.events.values(), *counts, *spread]

    def add(self, numbers: Iterable[float]) -> None:
        """Count this too: what another tally's `numbers` have grown by."""
        more = iter(numbers)
        for outcome in self.events:
            self.events[outcome] += int(next(more))
        self.failed_commits += int(next(more))
        self.drops += int(next(more))
        self.fanouts += int(next(more))
        self.fanout_bytes += int(next(more))
        for each in (self.commits, self.groups, self.wakes, self.lateness):
            each.counts = [count + int(next(more)) for count in each.counts]
            each.total += next(more)


class RouterTally:
    """A router's work since it was started: frames written to connections, and what was refused."""

    def __init__(self) -> None:
        self.frames = 0
        self.frame_bytes = 0
        self.slow = 0
        self.refused = 0
