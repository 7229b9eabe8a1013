"""Whose turn it is when one room wants more of a host's time than its share (SPEC, FAIR).

In: how long each room has worked, and when. Out: whether it may have its next turn at once; and of
those that mayn't, which comes next, and not before when. It decides and does nothing: times (ms)
are arguments. Next: `rooms/pace.py`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

HALF: Final = 0.5
"""How much of a host's time rooms may have that do more than others; it is shared by them."""
WINDOW: Final = 500
"""How long is looked back to see who works much (ms)."""
MUCH: Final = 10.0
"""Who works for so long in a window works much (ms): at most 50 rooms at a time can."""
BURST: Final = 20.0
"""What a room that worked little may do at once, beyond its share; it owes no more than that either
(ms)."""
OF_LATE: Final = 1_000
"""For how long a room that has worked counts as somebody who might want to again (ms)."""
LONGEST_PAUSE: Final = 50.0


class Account:
    """What one room has left of its share (ms); below zero, it is in debt."""

    __slots__ = ("at", "credit", "window", "worked")

    def __init__(self, now: float) -> None:
        self.credit = BURST
        self.at = now
        self.window = 0
        self.worked = 0.0
        """For how long in that window."""


class Budgets:
    """The time of one host."""

    def __init__(self) -> None:
        self.resumes = -inf
        """When rooms in debt may work again (ms)."""
        self._window = 0
        self._ends = -inf  # this window
        self._busy = self._busier = 0  # how many worked much in the last window, and in this
        self._share = HALF
        self._within: Account | None = None  # who last worked within its share, and when
        self._within_at = -inf
        self._before_at = -inf  # when another one last did, before that

    def credit(self, account: Account, now: float) -> float:
        """What a room has left by now."""
        credit = account.credit + (now - account.at) * self._share
        return credit if credit < BURST else BURST

    def spend(self, account: Account, ms: float, now: float) -> None:
        """A room has worked for so long, until now."""
        if now >= self._ends:
            self._busy = self._busier if now < self._ends + WINDOW else 0
            self._window, self._ends, self._busier = self._window + 1, now + WINDOW, 0
            self._share = HALF / (self._busy + 1)
        if account.window != self._window:
            account.window, account.worked = self._window, 0.0
        before = account.worked
        account.worked = worked = before + ms
        if before < MUCH <= worked:
            self._busier += 1
            self._share = HALF / (max(self._busy, self._busier) + 1)
        credit = self.credit(account, now) - ms
        if credit < -BURST:
            credit = -BURST
        account.credit, account.at = credit, now
        if credit >= 0:
            if account is not self._within:
                self._within, self._before_at = account, self._within_at
            self._within_at = now
            return
        others_at = self._before_at if account is self._within else self._within_at
        if now - others_at <= OF_LATE:
            # As long again is everybody else's: rooms in debt have half of the time together.
            self.resumes = min(max(self.resumes, now) + ms, now + LONGEST_PAUSE)

    def first(self, accounts: Iterable[Account], now: float) -> Account:
        """Of those in debt, who has its turn: whoever owes least."""
        return max(accounts, key=lambda account: self.credit(account, now))
