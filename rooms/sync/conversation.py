"""What a client may say now: the numbers of its events, in order, each once (PURE).

One `Conversation` for each (subject, client) of a live room; a newer connection of the same client
continues it. In comes a well-formed message (`messages.read`), out goes what to do with it. What
became of an event is kept elsewhere (`rooms/host/marks.py`); here is only how far the numbers are.
Next: `rooms/host/session.py` does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rooms.sync import party

if TYPE_CHECKING:
    from rooms.sync.messages import Json


class Accept(NamedTuple):
    """An event to handle, in this order. `seq` None: sent plainly, it gets no outcome."""

    seq: int | None
    event: dict[str, Json]
    child: str | None


class Refuse(NamedTuple):
    """A numbered message whose event the door refused: settle its number as rejected."""

    seq: int
    code: str
    reason: str


class Repeat(NamedTuple):
    """This number was settled before: tell its outcome again, apply nothing."""

    seq: int


class Pending(NamedTuple):
    """Nothing to do: its outcome, or what was asked to be sent again, is on its way."""


class Resend(NamedTuple):
    """A gap: ask for the events from `first` on."""

    first: int


class TooOld(NamedTuple):
    """The room may have settled this client's numbers and forgotten it: close with 4409."""


class Get(NamedTuple):
    """The full view is asked for."""


Reaction = Accept | Refuse | Repeat | Pending | Resend | TooOld | Get

_PENDING = Pending()


class Conversation:
    """How far a client's numbers are: `settled` ≤ `received`.

    Args:
        settled: the highest number whose outcome is stored.
        stale: the room has forgotten clients as old as this one, so that its numbers may have been
            settled before (SPEC SEND3): none is taken again.
    """

    __slots__ = ("_asked", "received", "settled", "stale")

    def __init__(self, settled: int = 0, *, stale: bool = False) -> None:
        self.settled = settled
        self.received = settled
        self.stale = stale
        self._asked = False

    def receive(self, message: dict[str, Json]) -> Reaction:
        """What to do with a message now. Numbers it takes are taken for good."""
        match message["type"]:
            case "room.send" | "room.send_to":
                return self._numbered(message)
            case "room.get":
                return Get()
            case party.SEND_TO:
                return Accept(None, message["event"], message["child"])
            case _:
                return Accept(None, message, None)

    def resume(self, told: int) -> None:
        """Another connection, or the same before a new incarnation, goes on from here.

        `told` is the highest outcome the client is known to have: what lies below is over, even
        where a crash at level `memory` made the room forget it.
        """
        self._asked = False
        if told > self.received:
            self.received = self.settled = told

    def settle(self, seq: int) -> None:
        """The outcome of `seq` is durable and may be told."""
        if seq > self.settled:
            self.settled = seq

    def _numbered(self, message: dict[str, Json]) -> Reaction:
        if self.stale:
            return TooOld()
        seq: int = message["seq"]
        acked: int = message.get("acked", 0)
        if self.received < acked < seq:  # its outcomes arrived: it will never send them again
            self.resume(acked)
        if seq > self.received + 1:
            if self._asked:
                return _PENDING
            self._asked = True
            return Resend(self.received + 1)
        if seq <= self.received:
            return Repeat(seq) if seq <= self.settled else _PENDING
        self._asked = False
        self.received = seq
        refused = message.get("refused")
        if refused is not None:
            return Refuse(seq, refused["code"], refused["reason"])
        return Accept(seq, message["event"], message.get("child"))
