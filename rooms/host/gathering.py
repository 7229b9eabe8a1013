"""Gathering: a room that wakes waits until every router has put its connections before it.

What a room without a machine says is told once, to who is inside. So that nobody whose socket was
kept through a sleep or a crash misses its first words, each router answers the news that the room
is there (`Live`) when it has put before it all that it has. In: who has answered. Out: that all
have. `rooms/host/keeper.py` waits, and then lets those connections in first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rooms.link.memory import End
    from rooms.store.port import SessionId

WITHIN: Final = 1.0
"""How long a router is waited for (s)."""


class Gatherings:
    """Which routers each waking session still waits for."""

    def __init__(self) -> None:
        self._missing: dict[tuple[SessionId, int], tuple[set[End], asyncio.Event]] = {}

    async def wait(self, id: SessionId, epoch: int, ends: Iterable[End]) -> None:
        """Wait until these routers have answered, are lost, or take too long."""
        missing, complete = set(ends), asyncio.Event()
        if not missing:
            return
        self._missing[id, epoch] = missing, complete
        late = asyncio.get_running_loop().call_later(WITHIN, complete.set)
        try:
            await complete.wait()
        finally:
            late.cancel()
            del self._missing[id, epoch]

    def answered(self, end: End, id: SessionId, epoch: int) -> None:
        """A router has put before this incarnation all that it has."""
        if (id, epoch) in self._missing:
            self._strike(end, *self._missing[id, epoch])

    def lost(self, end: End) -> None:
        """A router is gone."""
        for missing, complete in self._missing.values():
            self._strike(end, missing, complete)

    def _strike(self, end: End, missing: set[End], complete: asyncio.Event) -> None:
        missing.discard(end)
        if not missing:
            complete.set()
