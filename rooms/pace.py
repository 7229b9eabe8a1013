"""The pace of a host, or of a router's reading: each room's next turn, in this step of the loop or
when it is its turn.

In: rooms that want a turn. Out: calls of it. A room within its share of the time has it in the next
step; those in debt have theirs one at a time, with pauses in which the others are served
(`budgets.py` decides). One that has filled a link waits for its router (`crowding.py`): what comes
meanwhile is one step then. Next: `rooms/host/room.py`.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from rooms.budgets import Account, Budgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import SessionId


LOOK_AGAIN: Final = 0.02
"""When it is looked again whether a link's other side has caught up (s)."""
LONGEST: Final = 1_000
"""How long a room waits for a router at most (ms): others may watch it, too."""


def once_caught_up(behind: Callable[[], bool], go_on: Callable[[], None]) -> None:
    """Go on when the other side of a link isn't `behind` any more; now, if it isn't."""
    if behind():
        asyncio.get_running_loop().call_later(LOOK_AGAIN, once_caught_up, behind, go_on)
    else:
        go_on()


class Pace:
    """The turns of the rooms of one host. `elapsed` gives ms; `full` says of a room whether it
    shall send no more for now (`crowding.py`).
    """

    def __init__(
        self, elapsed: Callable[[], float], full: Callable[[SessionId], bool] = lambda _: False
    ) -> None:
        self.elapsed = elapsed
        self.full = full
        """Whether a room shall send no more for now."""
        self._budgets = Budgets()
        self._owing: dict[Account, Callable[[], None]] = {}
        self._scheduled = False

    def account(self) -> Account:
        """For a new room."""
        return Account(self.elapsed())

    def soon(self, id: SessionId, account: Account, turn: Callable[[], None]) -> None:
        """Call `turn` when this room may have one."""
        if self.full(id):
            self._hold(id, account, turn)
        else:
            self.in_turn(account, turn)

    def _hold(self, id: SessionId, account: Account, turn: Callable[[], None]) -> None:
        """Wait for the routers, but not for ever."""
        until = self.elapsed() + LONGEST
        once_caught_up(
            lambda: self.full(id) and self.elapsed() < until, partial(self.in_turn, account, turn)
        )

    def owes(self, account: Account) -> bool:
        """Whether this room has to wait for its turn."""
        return account.credit < 0 and self._budgets.credit(account, self.elapsed()) < 0

    def in_turn(self, account: Account, turn: Callable[[], None]) -> None:
        """The same, whatever links are full."""
        if self.owes(account):
            self._owing[account] = turn
            self._wait()
        else:
            asyncio.get_running_loop().call_soon(turn)

    def worked(self, account: Account, since: float) -> None:
        """This room has worked since then, until now."""
        now = self.elapsed()
        self._budgets.spend(account, now - since, now)

    def _wait(self) -> None:
        if self._owing and not self._scheduled:
            self._scheduled = True
            loop, pause = asyncio.get_running_loop(), self._budgets.resumes - self.elapsed()
            if pause > 0:
                loop.call_later(pause / 1000, self._next)
            else:
                loop.call_soon(self._next)

    def _next(self) -> None:
        """One turn of one room in debt; the next in a later step."""
        self._scheduled = False
        now = self.elapsed()
        if now >= self._budgets.resumes:  # else somebody has worked on, at what it had begun
            turn = self._owing.pop(self._budgets.first(self._owing, now))
            turn()
        self._wait()
