"""Neighbours: other rooms of the same App, as those who send events.

A `Letter` is what travels from one session to another, wherever that lives; `Neighbour` is its
sender as the receiving room's door sees it. SPEC, ROOM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.store.port import SessionId
from rooms.sync.views import Viewer

if TYPE_CHECKING:
    from rooms.sync.messages import Json

PREFIX: Final = "room:"
"""What the `sender` of a room's event begins with, and no viewer's id may."""
_NOWHERE: Final = SessionId("", "")


class Letter(NamedTuple):
    """An event of the session `sender`, for another one.

    `seq` grows with each letter of a generation of the sender; every earlier one to the same
    session has been answered. `since` is when it was written (ms).
    """

    sender: SessionId
    generation: str
    seq: int
    since: int
    event: dict[str, Json]


class NotHere(Exception):
    """Another host has the session, or is to have it: the one at `address`, or any (None)."""

    def __init__(self, address: str | None) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, slots=True)
class Neighbour(Viewer):
    """Another room, where a viewer is expected."""

    room: SessionId = _NOWHERE

    @classmethod
    def of(cls, sender: SessionId) -> Neighbour:
        """The room of this session."""
        return cls(f"{PREFIX}{sender}", role="room", room=sender)
