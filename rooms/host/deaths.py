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
MOST: Final = 64
"""How much of one session is condemned at a time."""


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

    def condemn(self, died: Died) -> None:
        """No other shall do this; what was condemned long before has been refused by now."""
        self.condemned[died.doing] = died.cause
        if len(self.condemned) > MOST:
            del self.condemned[next(iter(self.condemned))]


class Deaths:
    """Those of one host's rooms, until they rest."""

    def __init__(self) -> None:
        self.counts: dict[Cause, int] = {"cpu": 0, "memory": 0, "crashed": 0}
        """How many there were at all."""
        self._of: dict[SessionId, _Deaths] = {}

    def note(self, id: SessionId, died: Died, now: float, *, stable: bool = False) -> int:
        """A process died: the how many-th in a row that was. `stable`: it had lived well before."""
        self.counts[died.cause] += 1
        deaths = self._of.setdefault(id, _Deaths())
        if stable:  # what was condemned stays so: it may not have come again yet
            deaths.times = 0
            deaths.suspects &= {died.doing}
        deaths.at = now
        deaths.times += 1
        times = deaths.times
        if died.doing in deaths.suspects:
            deaths.suspects.discard(died.doing)
            deaths.condemn(died)
            deaths.times = 0  # what did it won't happen again
        elif comes_again(died.doing):
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
