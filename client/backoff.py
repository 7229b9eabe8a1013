"""How long to wait before the next attempt (PURE: chance is an argument).

In: which attempt it is, a roll of the dice, what the server asked for. Out: milliseconds, which
`client/link.py` waits.
"""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 250
LONGEST: Final = 8_000


def delay(attempt: int, roll: float, after: float = 0) -> float:
    """Milliseconds before attempt number `attempt` (from 0); `roll` is in [0, 1).

    Full jitter: anything from nothing to a bound that doubles with each attempt. What the server
    asked for (`after`, ms) comes first, and is spread over half of itself at least: else all whom
    it sent away would be back at the same moment.
    """
    bound = min(LONGEST, SHORTEST << min(attempt, 16))
    return after + roll * max(bound, after / 2)
