"""Processes of rooms that died: what they were at is condemned when it happens again, and what dies
for no known reason waits (SPEC, ISOLATE).

In: how each of them ended, and when. Out: what the next one shall not do, and how long it has to
wait. No clock: elapsed times (ms) are arguments. Next: `rooms/host/watched.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.host.watched import comes_again

if TYPE_CHECKING:
    from rooms.host.watched import Cause
    from rooms.store.port import SessionId

FIRST_PAUSE: Final = 250
LONGEST_PAUSE: Final = 60_000


class Died(NamedTuple):
    """How a process ended, and what it was at."""

    cause: Cause
    doing: str


@dataclass(slots=True, eq=False)
class _Deaths:
    """One session's: how many in a row had no known reason, when the last one was, what they were
    at, and what no other shall do.
    """

    times: int = 0
    at: float = 0
    suspects: set[str] = field(default_factory=set)
    condemned: dict[str, Cause] = field(default_factory=dict)


class Deaths:
    """Those of one host's rooms, until they rest."""

    def __init__(self) -> None:
        self.counts: dict[Cause, int] = {"cpu": 0, "memory": 0, "crashed": 0}
        """How many there were at all."""
        self._of: dict[SessionId, _Deaths] = {}

    def note(self, id: SessionId, died: Died, now: float, *, stable: bool = False) -> int:
        """A process died: the how many-th in a row that was. `stable`: it had lived well before."""
        self.counts[died.cause] += 1
        deaths = self._of.get(id)
        if deaths is None or stable:
            deaths = self._of[id] = _Deaths()
        deaths.at = now
        deaths.times += 1
        times = deaths.times
        if comes_again(died.doing):
            if died.doing in deaths.suspects:
                deaths.condemned[died.doing] = died.cause
                deaths.times = 0  # what did it won't happen again
            deaths.suspects.add(died.doing)
        return times

    def __contains__(self, id: object) -> bool:
        return id in self._of

    def condemned(self, id: SessionId) -> dict[str, Cause]:
        """What this session's next process shall not do, and what became of those that did."""
        deaths = self._of.get(id)
        return {} if deaths is None else deaths.condemned

    def pause(self, id: SessionId, now: float) -> float:
        """How long that has to wait (ms)."""
        deaths = self._of.get(id)
        if deaths is None or deaths.times < 2:
            return 0
        pause = min(FIRST_PAUSE << min(2 * (deaths.times - 2), 20), LONGEST_PAUSE)
        return max(deaths.at + pause - now, 0)

    def forget(self, id: SessionId) -> None:
        """It has rested well."""
        self._of.pop(id, None)
