"""Gathering: a room that wakes waits until every router has put its connections before it.

What a room without a machine says is told once, to who is inside. So that nobody whose socket was
kept through a sleep or a crash misses its first words, each router answers the news that the room
is there (`Live`) when it has put before it all that it has. Where routers have to find a host
first, a new one can't know how many there are: until they have had the time, it waits for those to
come. In: who has come, and who has answered. Out: that all have. `rooms/host/keeper.py` waits, and
then lets those connections in first.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from rooms.link.protocol import Live

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.host.links import Links
    from rooms.link.memory import End
    from rooms.store.port import SessionId

WITHIN: Final = 1.0
"""How long a router is waited for that was told of the room (s)."""
FOUND_WITHIN: Final = 1_000
"""How long after a host was listed the routers have come that can reach it (ms): they look twice a
second (`rooms/router/dialing.py`).
"""


class Gatherings:
    """Which routers each waking session still waits for. `elapsed` is in ms."""

    def __init__(self, links: Links, elapsed: Callable[[], float]) -> None:
        self._links = links
        self._elapsed = elapsed
        self._known = elapsed()
        self._under_way: dict[tuple[SessionId, int], _Gathering] = {}

    @property
    def unknown(self) -> float:
        """How long it isn't known which routers there are (ms)."""
        return max(self._known - self._elapsed(), 0)

    def listed(self) -> None:
        """Routers look for this host from now on."""
        self._known = self._elapsed() + FOUND_WITHIN

    async def wait(self, id: SessionId, epoch: int) -> None:
        """Tell every router that the room is there; wait until those that live have had the time to
        come, and have answered, are lost, or take too long.
        """
        gathering = _Gathering(Live(id.kind, id.session, epoch, gather=True))
        gathering.missing.update(self._links.everybody(gathering.live))
        self._under_way[id, epoch] = gathering
        try:
            if unknown := self.unknown:
                await asyncio.sleep(unknown / 1000)  # noqa: TID251 - who is there isn't known
            if gathering.missing:
                late = asyncio.get_running_loop().call_later(WITHIN, gathering.complete.set)
                try:
                    await gathering.complete.wait()
                finally:
                    late.cancel()
        finally:
            del self._under_way[id, epoch]

    def came(self, end: End) -> None:
        """There is one more router."""
        for gathering in self._under_way.values():
            gathering.missing.add(end)
            gathering.complete.clear()
            end.send(gathering.live)

    def answered(self, end: End, id: SessionId, epoch: int) -> None:
        """A router has put before this incarnation all that it has."""
        if (id, epoch) in self._under_way:
            self._under_way[id, epoch].strike(end)

    def lost(self, end: End) -> None:
        """A router is gone."""
        for gathering in self._under_way.values():
            gathering.strike(end)


class _Gathering:
    """One room's. `complete` is set when none is `missing` any more."""

    __slots__ = ("complete", "live", "missing")

    def __init__(self, live: Live) -> None:
        self.live = live
        self.missing: set[End] = set()
        self.complete = asyncio.Event()

    def strike(self, end: End) -> None:
        self.missing.discard(end)
        if not self.missing:
            self.complete.set()
