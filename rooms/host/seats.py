"""Seats: a viewer's place in a room, which outlives its connections (PURE).

A viewer joins, is away when its last connection goes, comes back within a grace, or leaves after
it (SPEC, SEAT). In come connections and the time; out go the events that the machine is to hear.
Only a machine that names such an event hears it. `rooms/host/session.py` puts them through turns,
`rooms/host/commits.py` has `dump()` in their commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack

if TYPE_CHECKING:
    from rooms.sync.views import Viewer

SEAT_EVENTS: Final = ("room.joined", "room.away", "room.back", "room.left")
MISSING_AFTER: Final = 5_000
"""How long a restored seat waits for its connection before it's told away (ms): routers attach
theirs again at once, browsers take a moment."""

Event = dict[str, Any]


@dataclass(slots=True)
class Seat:
    """One viewer's place.

    `here` is what the machine was told last. `away` (ms) is when it is told that the viewer is
    away, for a restored seat nobody has come back to; `leaves` (ms) is when the seat ends.
    """

    id: str
    role: str
    here: bool = True
    connections: int = 0
    away: int | None = None
    leaves: int | None = None


class Seats:
    """The seats of one room.

    Args:
        grace: how long a seat without a connection is kept (ms).
        heard: the seat events that the machine names.
    """

    __slots__ = ("_grace", "_next_due", "_seats", "_stale", "_wakes", "changed", "heard")

    def __init__(self, grace: int, heard: frozenset[str]) -> None:
        self._grace = grace
        self._seats: dict[str, Seat] = {}
        self._next_due: int | None = None
        self._stale = False  # that may be another one by now
        self._wakes = bool(heard & {"room.away", "room.left"})
        self.heard = heard
        self.changed = False

    def __len__(self) -> int:
        return len(self._seats)

    def __contains__(self, viewer: str) -> bool:
        return viewer in self._seats

    @property
    def next_due(self) -> int | None:
        """When `expire` has something to do (ms), or None."""
        if self._stale:
            self._stale = False
            dues = [
                due
                for seat in self._seats.values()
                for due in (seat.away, seat.leaves)
                if due is not None
            ]
            self._next_due = min(dues, default=None)
        return self._next_due

    @property
    def settled(self) -> bool:
        """Whether everybody who was here before a sleep or crash has come back, or is away."""
        return all(seat.away is None for seat in self._seats.values())

    @property
    def wakes_at(self) -> int | None:
        """When a sleeping room must wake for its seats (ms): only where the machine would hear."""
        return self.next_due if self._wakes else None

    def renew(self, viewer: Viewer) -> None:
        """This viewer's role may have changed."""
        seat = self._seats.get(viewer.id)
        if seat is not None and seat.role != viewer.role:
            seat.role = viewer.role
            self.changed = True

    def connect(self, viewer: Viewer) -> list[Event]:
        """A connection of this viewer has come."""
        seat = self._seats.get(viewer.id)
        if seat is None:
            seat = self._seats[viewer.id] = Seat(viewer.id, viewer.role, connections=1)
            self.changed = True
            return self._tell("room.joined", seat)
        seat.connections += 1
        seat.away = seat.leaves = None
        self._stale = True
        self.renew(viewer)
        if seat.here:
            return []
        seat.here = True
        self.changed = True
        return self._tell("room.back", seat)

    def disconnect(self, viewer: str, now: int) -> list[Event]:
        """One of this viewer's connections has gone."""
        seat = self._seats[viewer]
        seat.connections -= 1
        if seat.connections > 0:
            return []
        seat.here = False
        seat.leaves = now + self._grace
        self._stale = self.changed = True
        return self._tell("room.away", seat)

    def expire(self, now: int) -> list[Event]:
        """Those who are missing are away; those whose grace is over have left."""
        due = self.next_due
        if due is None or due > now:
            return []
        self._stale = True
        events: list[Event] = []
        for seat in list(self._seats.values()):
            if seat.leaves is not None and seat.leaves <= now:
                del self._seats[seat.id]
                self.changed = True
                events += self._tell("room.left", seat)
            elif seat.away is not None and seat.away <= now:
                seat.away = None
                seat.here = False
                self.changed = True
                events += self._tell("room.away", seat)
        return events

    def restore(self, blob: bytes | None, now: int, *, slept: bool) -> None:
        """Take the stored seats up again; nobody is connected yet.

        After a sleep, who was away keeps the end of the grace, and who was here is expected back.
        After a crash (`slept` false) nobody knows: every grace starts now.
        """
        if blob is None:
            return
        self._stale = True
        for id, role, here, leaves in msgpack.unpackb(blob):
            seat = Seat(id, role, here)
            if leaves is None or not slept:
                leaves = now + self._grace
            if here:
                seat.away = min(now + MISSING_AFTER, leaves)
            seat.leaves = leaves
            self._seats[id] = seat

    def dump(self) -> bytes:
        """As stored: who has a seat, what the machine was told of them, when an absent one leaves.

        A seat that is here has no end stored: connections are found again on wake.
        """
        self.changed = False
        packed: bytes = msgpack.packb(
            [
                (seat.id, seat.role, seat.here, None if seat.here else seat.leaves)
                for seat in self._seats.values()
            ]
        )
        return packed

    def _tell(self, type: str, seat: Seat) -> list[Event]:
        if type not in self.heard:
            return []
        return [{"type": type, "viewer": {"id": seat.id, "role": seat.role}}]


def seats_of(blob: bytes | None) -> list[Event]:
    """What a stored `dump` says, for people: who has a seat, and whether they are there."""
    stored = [] if blob is None else msgpack.unpackb(blob)
    return [{"id": id, "role": role, "here": here} for id, role, here, _ in stored]
