"""Which channel belongs where: sessions to their host, lanes to their sockets (PURE).

In from the door: connections that open, say something, drain, close; and plain requests. In from
the link: what the host has for them. Out: link messages one way, frames the other, each made once
and written to every socket that needs it. What is kept here outlives the room: cursors,
attachments, and the numbered messages that have no outcome yet, to be said again when the room
comes back.

Inward from `rooms/router/door.py`; next: `rooms/link/protocol.py`, then `rooms/host/host.py`.
Outward from there; next: `rooms/router/sockets.py` (`write` is the transport's own).
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol, cast

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import (
    Answer,
    Asleep,
    Attach,
    Close,
    Detach,
    Fanout,
    Joined,
    Keep,
    Live,
    Request,
    Said,
    Tell,
    Want,
)
from rooms.router.frames import frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Json, Message
    from rooms.sync.codec import Codec

MAX_UNANSWERED: Final = 256
MAX_UNANSWERED_BYTES: Final = 64 * 1024
MAX_HELD_BYTES: Final = 64 * 1024
"""How much a slow connection may miss of what can't be merged (emitted events)."""


class Peer(Protocol):
    """The socket's side of a channel."""

    @property
    def write(self) -> Callable[[bytes], object]:
        """Hand a whole frame to the transport; never waits."""

    def close(self, closing: Closing) -> None:
        """Tell it `room.closing`, then close it. Nothing of it is heard any more."""

    def pause(self) -> None:
        """Read no more of it for now."""

    def resume(self) -> None:
        """Read on."""


class _Place(Enum):
    """What the host knows of a channel, as far as was heard from it."""

    OUTSIDE = auto()  # no incarnation has it
    ASKED = auto()  # an Attach is under way, and not answered
    INSIDE = auto()  # joined


class Channel:
    """One connection: what the router keeps of it for as long as its socket lives."""

    __slots__ = (
        "attach",
        "codec",
        "cursor",
        "greeted",
        "held",
        "held_bytes",
        "lane",
        "missed",
        "paused",
        "peer",
        "place",
        "session",
        "settled",
        "slow",
        "unanswered",
        "unanswered_bytes",
        "wanting",
        "write",
    )

    def __init__(self, attach: Attach, peer: Peer, session: _Session) -> None:
        self.attach = attach
        self.codec = cast("Codec", attach.codec)
        self.peer = peer
        self.write = peer.write
        self.session = session
        self.place = _Place.OUTSIDE
        self.lane: _Lane | None = None
        self.cursor = attach.cursor
        self.greeted = False
        self.settled = 0  # the highest outcome it was told
        self.unanswered: dict[int, tuple[dict[str, Json], int]] = {}  # seq → message, bytes
        self.unanswered_bytes = 0
        self.paused = False
        self.slow = False  # too much unsent: no more frames until it drained
        self.missed = False  # something was skipped meanwhile
        self.wanting = False  # asked for what it missed, and hasn't got it yet
        self.held: list[bytes] = []  # what can't be merged waits for that
        self.held_bytes = 0

    def __str__(self) -> str:
        kind, session = self.session.name
        return f"{kind}/{session} #{self.number}"

    @property
    def number(self) -> int:
        return self.attach.channel

    @property
    def behind(self) -> bool:
        return self.slow or self.wanting


class _Lane:
    """The channels that are sent the same bytes."""

    __slots__ = ("channels", "codec", "number")

    def __init__(self, number: int, codec: Codec) -> None:
        self.number = number
        self.codec = codec
        self.channels: dict[Channel, None] = {}


class _Session:
    """The channels of one session, and the incarnation they joined."""

    __slots__ = ("channels", "epoch", "name")

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name
        self.epoch: int | None = None
        self.channels: dict[Channel, None] = {}


class Routing:
    """All channels of one router, and its link to the host that has their rooms.

    `send` puts a message on the link.
    """

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._sessions: dict[tuple[str, str], _Session] = {}
        self._channels: dict[int, Channel] = {}
        self._lanes: dict[int, _Lane] = {}
        self._requests: dict[int, Callable[[Answer], None]] = {}
        self._numbers = count(1)
        self._leaving = False

    # ------------------------------------------------------------------ from the door

    def number(self) -> int:
        """A number for the next channel or request."""
        return next(self._numbers)

    def open(self, attach: Attach, peer: Peer) -> Channel:
        """A new connection; the host is asked to let it in."""
        name = (attach.kind, attach.session)
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session(name)
        channel = Channel(attach, peer, session)
        session.channels[channel] = None
        self._channels[channel.number] = channel
        self._wake(session)
        return channel

    def say(self, channel: Channel, message: dict[str, Json], size: int) -> None:
        """What a client said, read and checked; `size` is its bytes.

        A numbered message is kept until its outcome is known. With too many of these the socket
        isn't read.
        """
        seq = message.get("seq")
        if seq is not None:
            self._acknowledge(channel, message.get("acked", 0))
            known = channel.unanswered.get(seq)
            channel.unanswered[seq] = (message, size)
            channel.unanswered_bytes += size - (known[1] if known else 0)
            if _full(channel) and not channel.paused:
                channel.paused = True
                channel.peer.pause()
        if channel.place is _Place.OUTSIDE:
            self._wake(channel.session)
            if seq is not None:
                return  # said with the others that are unanswered
        self._send(Said(channel.number, message))

    def tell(self, channel: Channel, data: bytes) -> None:
        """A frame of the door's own for this connection, in its place among the others."""
        if not channel.behind:
            channel.write(data)
            return
        channel.held.append(data)
        channel.held_bytes += len(data)
        if channel.held_bytes > MAX_HELD_BYTES:
            self.end(channel, Closing(CloseCode.OVERLOADED, "the connection is too slow"))

    def slow(self, channel: Channel) -> None:
        """Too much is unsent: it gets no more until it has drained."""
        channel.slow = True

    def drained(self, channel: Channel) -> None:
        """The transport has room again: what was missed is asked for."""
        channel.slow = False
        if channel.missed:
            self._want(channel)
        elif not channel.wanting:
            _release(channel)

    def close(self, channel: Channel) -> None:
        """The socket is gone, or was told to go. Harmless when it was closed before."""
        if self._channels.pop(channel.number, None) is None:
            return
        self._leave_lane(channel)
        session = channel.session
        del session.channels[channel]
        if not session.channels:
            del self._sessions[session.name]
        channel.held.clear()
        if not self._leaving:
            self._send(Detach(channel.number))

    def end(self, channel: Channel, closing: Closing) -> None:
        """Close a connection for a reason of the door's or the host's."""
        if channel.number in self._channels:
            self.close(channel)
            channel.peer.close(closing)

    def leave(self, closing: Callable[[], Closing]) -> None:
        """Close every connection, each with a `closing` of its own (when to come back).

        The host isn't told who went: nobody has left a room because this process restarts.
        """
        self._leaving = True
        for channel in list(self._channels.values()):
            self.end(channel, closing())

    def request(self, request: Request, answered: Callable[[Answer], None]) -> None:
        """A plain HTTP request; `answered` is called at most once."""
        session = self._sessions.get((request.kind, request.session))
        if session is not None:
            self._wake(session)
        self._requests[request.request] = answered
        self._send(request)

    def abandon(self, request: int) -> None:
        """Nobody waits for this answer any more."""
        self._requests.pop(request, None)

    # ------------------------------------------------------------------ from the link

    def receive(self, message: Message) -> None:
        """What the host has to say. What concerns a connection that is gone is dropped."""
        match message:
            case Fanout():
                self._fan_out(message)
            case Tell():
                self._told(message)
            case Joined(number, lane):
                channel = self._channels.get(number)
                if channel is not None:
                    self._join(channel, lane)
            case Close(number, code, reason, retry_after):
                channel = self._channels.get(number)
                if channel is not None:
                    self.end(channel, Closing(CloseCode(code), reason, retry_after))
            case Keep(number, attachment):
                channel = self._channels.get(number)
                if channel is not None:
                    channel.attach = replace(channel.attach, attachment=attachment)
            case Live(kind, name, epoch):
                self._live((kind, name), epoch)
            case Asleep(kind, name, epoch):
                self._asleep((kind, name), epoch)
            case Answer(number):
                answered = self._requests.pop(number, None)
                if answered is not None:
                    answered(message)

    def lost(self) -> None:
        """The link is gone, and with it every room: the connections shall come back."""
        self.leave(lambda: Closing(CloseCode.OVERLOADED, "the rooms are out of reach"))

    def _fan_out(self, message: Fanout) -> None:
        """One frame for a whole lane: made once, written to each transport."""
        lane = self._lanes.get(message.lane)
        if lane is None:
            return
        data = frame(message.data, lane.codec)
        base, cursor = message.base, message.cursor
        if base is None:
            for channel in list(lane.channels):  # a slow one may be closed
                self.tell(channel, data)
            return
        for channel in lane.channels:
            if channel.slow:
                channel.missed = True
            elif channel.cursor == base:
                channel.cursor = cursor
                channel.write(data)
            elif not channel.wanting:
                self._want(channel)

    def _told(self, message: Tell) -> None:
        channel = self._channels.get(message.channel)
        if channel is None:
            return
        channel.greeted = True
        if message.seq is not None:
            self._forget(channel, message.seq)
            if channel.behind:  # it is stored, and comes again after the view
                channel.missed = channel.missed or channel.slow
                return
            channel.settled = max(channel.settled, message.seq)
        data = frame(message.data, channel.codec)
        if message.cursor is not None:
            if channel.slow:
                channel.missed = True
                return
            channel.cursor = message.cursor
            channel.write(data)
            if channel.wanting:
                channel.wanting = False
                _release(channel)
        else:
            self.tell(channel, data)

    def _join(self, channel: Channel, number: int) -> None:
        channel.place = _Place.INSIDE
        self._leave_lane(channel)
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = _Lane(number, channel.codec)
        lane.channels[channel] = None
        channel.lane = lane

    def _leave_lane(self, channel: Channel) -> None:
        lane, channel.lane = channel.lane, None
        if lane is not None:
            del lane.channels[channel]
            if not lane.channels:
                del self._lanes[lane.number]

    def _live(self, name: tuple[str, str], epoch: int) -> None:
        """There is an incarnation. Who joined another one has to come into this."""
        session = self._sessions.get(name)
        if session is None:
            return
        if session.epoch not in (None, epoch):
            self._outside(session)
        session.epoch = epoch
        self._wake(session)

    def _asleep(self, name: tuple[str, str], epoch: int) -> None:
        """The incarnation ended. Sockets stay; whoever has something unanswered wakes the next.

        A channel whose Attach isn't answered isn't concerned: what it asked for comes after this,
        from the next incarnation.
        """
        session = self._sessions.get(name)
        if session is None or session.epoch not in (None, epoch):
            return
        session.epoch = None
        self._outside(session)
        if any(c.unanswered and c.place is _Place.OUTSIDE for c in session.channels):
            self._wake(session)

    # ------------------------------------------------------------------ attaching

    def _outside(self, session: _Session) -> None:
        for channel in session.channels:
            if channel.place is _Place.INSIDE:
                channel.place = _Place.OUTSIDE
                self._leave_lane(channel)

    def _wake(self, session: _Session) -> None:
        """Put every channel that is outside before the room, with what it hasn't got answered."""
        for channel in session.channels:
            if channel.place is not _Place.OUTSIDE:
                continue
            channel.place = _Place.ASKED
            attach = replace(
                channel.attach,
                cursor=channel.cursor,
                greeted=channel.greeted,
                settled=channel.settled,
            )
            self._send(attach)
            if channel.wanting:
                self._want(channel)
            for _, (message, _size) in sorted(channel.unanswered.items()):
                self._send(Said(channel.number, message))

    def _want(self, channel: Channel) -> None:
        """Ask for the view after its cursor and the outcomes after the last one it was told."""
        channel.missed = False
        channel.wanting = True
        if channel.place is _Place.OUTSIDE:
            self._wake(channel.session)
        else:
            self._send(Want(channel.number, channel.cursor, channel.settled))

    # ------------------------------------------------------------------ unanswered

    def _acknowledge(self, channel: Channel, acked: int) -> None:
        """Outcomes up to this number have arrived at the client."""
        for seq in [seq for seq in channel.unanswered if seq <= acked]:
            self._forget(channel, seq)

    def _forget(self, channel: Channel, seq: int) -> None:
        known = channel.unanswered.pop(seq, None)
        if known is not None:
            channel.unanswered_bytes -= known[1]
            if channel.paused and not _full(channel):
                channel.paused = False
                channel.peer.resume()


def _full(channel: Channel) -> bool:
    return (
        len(channel.unanswered) >= MAX_UNANSWERED
        or channel.unanswered_bytes >= MAX_UNANSWERED_BYTES
    )


def _release(channel: Channel) -> None:
    """Write what waited for the view."""
    held, channel.held, channel.held_bytes = channel.held, [], 0
    for data in held:
        channel.write(data)
