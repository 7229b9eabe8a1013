"""Attendance: who comes into a session, who goes, and from whom a newer connection takes over.

In: what turns hear of channels. Out: the session's clients and seats as they are then; what its
machine hears of that, in the same turn; and what is to be told. Who may come in is
`rooms/host/door.py`'s to say. Next inward: `rooms/host/clients.py`, `rooms/host/seats.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import Closing, taken_over
from rooms.host import door
from rooms.host.clients import client_key
from rooms.host.turn import Entered, Newest, Rekeyed, Shut

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.host.channels import Channel
    from rooms.host.clients import Clients
    from rooms.host.seats import Seats
    from rooms.host.turn import Turn
    from rooms.link.protocol import Attach
    from rooms.sync.views import Viewer
    from runtime import Event, SystemSnapshot


UNSURE: Final = 100
"""By how much the clocks of two routers may differ (ms)."""


class Attended(Protocol):
    """What this needs of a session."""

    @property
    def room(self) -> Room: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def seats(self) -> Seats: ...
    @property
    def snapshot(self) -> SystemSnapshot: ...
    @property
    def revision(self) -> int: ...

    def step(self, event: Event, turn: Turn) -> object:
        """One event of the room's own."""


def enter(session: Attended, channel: Channel, turn: Turn) -> None:
    """A channel wants to be let in."""
    viewer, attach = channel.viewer, channel.attach
    if channel.gone or viewer is None:
        return
    if channel.client is not None:  # attached twice: what it lacks is all it needs
        turn.told.append(Newest(channel, attach.cursor, attach.settled, present=True))
        return
    try:
        if attach.operator:
            admit(session, door.OPERATOR, create=False)
            turn.told.append(Entered(channel))  # watches: no seat, and what it says isn't heard
            return
        if not attach.greeted or not session.revision:
            admit(session, viewer, create=attach.create)
    except Closing as refused:
        turn.told.append(Shut(channel, refused))
        return
    key = client_key(viewer, attach.client or f"channel {channel.id}")
    client = session.clients.get(key, attach.since)
    older = client.channel
    if older is not None and attach.greeted and _opened_before(attach, older.attach):
        turn.told.append(Shut(channel, taken_over()))  # its router doesn't know yet that it is gone
        return
    client.conversation.resume(attach.settled)
    client.channel, channel.client = channel, client
    events = sit(session, channel, viewer)
    if older is not None:
        take_over(session, older, turn)
    if session.room.several == "takeover":
        for other in session.clients.all():
            before = other.channel
            if before is None or before is channel or before.viewer is None:
                continue
            if before.viewer.id == viewer.id:
                other.channel = None
                take_over(session, before, turn)
                session.clients.forget(other)
    turn.told.append(Entered(channel))
    for event in events:
        session.step(event, turn)


def _opened_before(one: Attach, other: Attach) -> bool:
    """Whether that is sure, perhaps by the clocks of two routers."""
    return one.opened + UNSURE < other.opened


def leave(session: Attended, channel: Channel, turn: Turn) -> None:
    """A channel is gone."""
    client = channel.client
    if client is not None and client.channel is channel:
        client.channel = None
        session.clients.forget(client)
    if channel.seated and channel.viewer is not None:
        _unseat(session, channel, channel.viewer, turn)


def renew(session: Attended, channel: Channel, viewer: Viewer, turn: Turn) -> None:
    """A channel's viewer has another role or other claims, and with them perhaps a seat."""
    channel.viewer = viewer
    watches = viewer.role in session.room.read_only
    if channel.seated and watches:
        _unseat(session, channel, viewer, turn)
    elif not channel.seated and not watches and channel.client is not None:
        try:
            admit(session, viewer, create=False)
        except Closing as refused:
            turn.told.append(Shut(channel, refused))
            return
        for event in sit(session, channel, viewer):
            session.step(event, turn)
    session.seats.renew(viewer)
    turn.told.append(Rekeyed(channel))


def admit(session: Attended, viewer: Viewer, *, create: bool) -> None:
    """Raises Closing: this viewer may not come in, or not make the session."""
    root, exists = session.snapshot.root, session.revision > 0
    door.admit(session.room, viewer, session.seats, root, exists=exists, create=create)


def sit(session: Attended, channel: Channel, viewer: Viewer) -> list[Event]:
    """A seat for the connection's viewer; who only watches takes none."""
    if viewer.role in session.room.read_only:
        return []
    channel.seated = True
    return session.seats.connect(viewer)


def take_over(session: Attended, older: Channel, turn: Turn) -> None:
    """A newer connection of the same client is here: the older one's end is no leave."""
    assert older.viewer is not None
    older.client = None
    if older.seated:
        older.seated = False
        session.seats.disconnect(older.viewer.id, turn.now)
    turn.told.append(Shut(older, taken_over()))


def _unseat(session: Attended, channel: Channel, viewer: Viewer, turn: Turn) -> None:
    channel.seated = False
    for event in session.seats.disconnect(viewer.id, turn.now):
        session.step(event, turn)
