"""Rooms that were dropped of late: how long each waits before it is loaded again.

A room that fails as soon as it lives would otherwise be loaded in a circle. No clock: elapsed times
(ms) are arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.errors import Unstorable

if TYPE_CHECKING:
    from rooms.store.port import SessionId

STABLE: Final = 60_000
"""A room that lived so long before it was dropped is loaded again at once (ms)."""
FIRST_PAUSE: Final = 125
LONGEST_PAUSE: Final = 2_000


class Drops:
    """What is remembered of the drops of one host's rooms, until they rest."""

    def __init__(self) -> None:
        self._drops: dict[SessionId, _Drop] = {}

    def note(self, id: SessionId, error: Exception, now: float) -> int:
        """A room was dropped for this reason; how long (ms) nobody shall load it again."""
        before = self._drops.get(id)
        times = 1 if before is None or now - before.at > STABLE else before.times + 1
        careful = isinstance(error, Unstorable) or self.careful(id)
        self._drops[id] = _Drop(times, now, careful)
        return 0 if times == 1 else min(FIRST_PAUSE << times - 2, LONGEST_PAUSE)

    def careful(self, id: SessionId) -> bool:
        """Whether its state couldn't be stored, so that the next one is looked at more often."""
        drop = self._drops.get(id)
        return drop is not None and drop.careful

    def forget(self, id: SessionId) -> None:
        """It has rested well, or is no more."""
        self._drops.pop(id, None)


class _Drop(NamedTuple):
    """How often a session's room was dropped of late, and whether its state couldn't be stored."""

    times: int
    at: float
    careful: bool
