"""A connection as this host knows it, what it says, and which client it is of.

`rooms/host/links.py` keeps channels, through sleep and wake of their rooms; the room that lets one
in gives it its client (`rooms/host/clients.py`). What a channel says waits in the room's mailbox,
or in the channel itself until it is let in. Next inward: `rooms/host/room.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rooms.host.ask import Ask
    from rooms.link.memory import End
    from rooms.link.protocol import Attach, Json
    from rooms.store.port import SessionId
    from rooms.sync.conversation import Conversation
    from rooms.sync.views import Viewer


@dataclass(slots=True, eq=False)
class Channel:
    """A connection, through sleep and wake of its room.

    `viewer` is None until it is known who is there; `client` is set by the room that lets it in.
    `entering`: it stands before a room; `inside`: it was let in. Until then `held` keeps what it
    said, so that it isn't lost with an incarnation. `presence` is what it shares of the moment,
    `kept` what a room without a machine knows its connection by, as `name` for others.
    """

    id: int
    end: End
    number: int
    at: SessionId
    attach: Attach
    viewer: Viewer | None = None
    client: Client | None = None
    seated: bool = False
    entering: bool = False
    inside: bool = False
    gone: bool = False
    lane: int | None = None
    presence: Json = None
    kept: Json = None
    name: str | None = None
    held: list[Heard | Wanted] = field(default_factory=list)

    def attachment(self) -> Json:
        """What its router keeps, for the next incarnation, wherever that is."""
        return {"presence": self.presence, "kept": self.kept}

    def attach_again(self, attachment: Json) -> None:
        """What its router has kept of it; what it has shared here since is newer."""
        if attachment is not None:
            self.kept = attachment["kept"]
            if self.presence is None:
                self.presence = attachment["presence"]


@dataclass(slots=True, eq=False)
class Client:
    """One (subject, client) of a live room. `channel` is its newest connection; `owed` are the
    outcomes that came before that was let in.
    """

    key: str
    conversation: Conversation
    channel: Channel | None = None
    owed: list[int] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)


class Heard(NamedTuple):
    """A channel said something; `trace` is whose trace that belongs to, where there are any."""

    channel: Channel
    message: dict[str, Json]
    trace: str | None = None


class Wanted(NamedTuple):
    """A channel missed frames: it asks for the view after `cursor`, outcomes after `settled`, and
    who is `present`.
    """

    channel: Channel
    cursor: str | None
    settled: int
    present: bool
