"""Idleness: when a live room has had nothing to do for long enough to sleep (SPEC, SLEEP1).

In: a word whenever something happens. Out: one call, when nothing has, and nothing is awaited.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_AGAIN: Final = 1_000
"""When a room that couldn't sleep, though nothing happened, is looked at again (ms), at least."""


class Idleness:
    """Watches one room. `elapsed` and `patience` give ms: the time, and how long nothing has to
    happen; `awake` says whether something keeps the room awake now; `sleep` is called else.
    """

    __slots__ = ("_awake", "_elapsed", "_look", "_patience", "_sleep", "_stopped", "_touched")

    def __init__(
        self,
        elapsed: Callable[[], float],
        patience: Callable[[], int],
        awake: Callable[[int], bool],
        sleep: Callable[[], None],
    ) -> None:
        self._elapsed = elapsed
        self._patience = patience
        self._awake = awake
        self._sleep = sleep
        self._touched = elapsed()
        self._look: asyncio.TimerHandle | None = None
        self._stopped = False

    def touch(self) -> None:
        """Something happened."""
        self._touched = self._elapsed()

    def watch(self) -> None:
        """Look whether there is nothing to do, once that could be so."""
        if self._look is None and not self._stopped:
            left = self._touched + self._patience() - self._elapsed()
            self._look_in(max(left, 0))

    def stop(self) -> None:
        """The room is no more, and isn't held on to."""
        if self._look is not None:
            self._look.cancel()
        if not self._stopped:
            self._stopped = True
            del self._patience, self._awake, self._sleep

    def _look_in(self, wait: float) -> None:
        self._look = asyncio.get_running_loop().call_later(wait / 1000, self._judge)

    def _judge(self) -> None:
        self._look = None
        patience = self._patience()
        if self._elapsed() - self._touched < patience:
            self.watch()
        elif self._awake(patience):
            self._look_in(max(patience, LOOK_AGAIN))
        else:
            self._sleep()
