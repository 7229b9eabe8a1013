"""Who is here, and how much is kept of them."""

from __future__ import annotations

from typing import Any

from rooms.host import attendance, marks
from rooms.host.clients import Clients
from rooms.host.links import Links
from rooms.host.seats import Seats
from rooms.router.routing import Routing
from tests.sim.mutants.registry import mutant


# -------------------------------------------------------------------------------- who is here
@mutant
def takeover_is_a_leave(swap: Any) -> None:
    """The end of a connection that was taken over is its viewer's end."""
    take_over = attendance.take_over

    def leave(self: Any, older: Any, turn: Any) -> None:
        seated = older.seated
        take_over(self, older, turn)
        older.seated = seated

    swap(attendance, "take_over", leave)


@mutant
def second_tab_ignored(swap: Any) -> None:
    """A viewer is away when one of several connections goes."""
    connect = Seats.connect

    def connect_once(self: Any, viewer: Any) -> Any:
        told = connect(self, viewer)
        self._seats[viewer.id].connections = 1
        return told

    swap(Seats, "connect", connect_once)


@mutant
def seats_not_stored(swap: Any) -> None:
    """A room that wakes knows nothing of who had a seat."""
    swap(Seats, "restore", lambda self, blob, now, slept: None)


@mutant
def presence_not_kept(swap: Any) -> None:
    """What somebody shares is gone when the room has slept."""
    outside = Links.outside

    def forget(self: Any, channel: Any) -> None:
        channel.presence = None
        outside(self, channel)

    swap(Links, "outside", forget)


# -------------------------------------------------------------------------------- bounds
@mutant
def clients_never_forgotten(swap: Any) -> None:
    """A room keeps every client that was ever there."""
    swap(Clients, "forget", lambda self, client: None)


@mutant
def channels_never_forgotten(swap: Any) -> None:
    """A host keeps every connection that there ever was."""
    forget = Links.forget

    def keep(self: Any, channel: Any) -> None:
        forget(self, channel)
        self._channels[channel.id] = channel

    swap(Links, "forget", keep)


@mutant
def outcomes_never_forgotten(swap: Any) -> None:
    """A mark keeps every outcome."""
    swap(marks.Mark, "ack", lambda self, acked: None)
    swap(marks, "MAX_UNANSWERED", 1 << 30)


@mutant
def slow_readers_fed(swap: Any) -> None:
    """Who reads too slowly is sent ever more."""
    swap(Routing, "slow", lambda self, channel: None)
