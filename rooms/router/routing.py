"""Which channel belongs where: sessions to their host, lanes to their sockets (PURE).

In from the door: connections that open, say something, drain, close; and plain requests. In from
the link: what the host has for them. Out: link messages one way, frames the other, each made once
and written to every socket that needs it. What is kept of a connection outlives its room
(`channels.py`), and is put before the next one.

Next inward: `rooms/link/protocol.py`, then `rooms/host/host.py`; next outward:
`rooms/router/sockets.py` (a channel's `write` is the transport's own).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

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
    Moment,
    Request,
    Said,
    Tell,
    Want,
)
from rooms.router.channels import Channel, Lane, Place, Session
from rooms.router.frames import frame, framed
from rooms.sync import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rooms.link.protocol import Json, Message
    from rooms.router.channels import Peer

MOVING_AFTER: Final = 0.5
"""How long a room takes to be there again until its connections are told (s)."""

_NUMBERED: Final = frozenset({"room.send", "room.send_to"})


class Routing:
    """All channels of one router, and its link to the host that has their rooms.

    `send` puts a message on the link; `later` calls back after so many seconds.
    """

    def __init__(
        self,
        send: Callable[[Message], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._send = send
        self._later = later
        self._sessions: dict[tuple[str, str], Session] = {}
        self._channels: dict[int, Channel] = {}
        self._lanes: dict[int, Lane] = {}
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
            session = self._sessions[name] = Session(name)
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
        numbered = message["type"] in _NUMBERED
        if numbered:
            channel.remember(message, size)
        elif not channel.may_wait(size):
            busy = messages.error("busy", "the room isn't there yet; send it again later")
            self.tell(channel, framed(busy, channel.codec))
            return
        if channel.place is Place.OUTSIDE:
            self._wake(channel.session)
            if numbered:
                return  # said with the others that are unanswered
        self._send(Said(channel.number, message))

    def tell(self, channel: Channel, data: bytes) -> None:
        """A frame of the door's own for this connection, in its place among the others."""
        if not channel.write_in_turn(data):
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
            channel.release()

    def close(self, channel: Channel) -> None:
        """The socket is gone, or was told to go. Harmless when it was closed before."""
        if self._channels.pop(channel.number, None) is None:
            return
        self._leave_lane(channel)
        session = channel.session
        del session.channels[channel]
        if not session.channels:
            del self._sessions[session.name]
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
        if session is not None and not request.operator:  # an operator looks without waking
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
            case Moment():
                self._moment(message)
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

    def _moment(self, message: Moment) -> None:
        """Volatile messages for a lane, or for one of its channels: one write for all of them."""
        lane = self._lanes.get(message.lane)
        if lane is None:
            return
        frames = {name: frame(data, lane.codec) for name, data in message.named.items()}
        together = b"".join(frames.values())
        channels: Iterable[Channel] = lane.channels
        if message.channel is not None:
            channel = self._channels.get(message.channel)
            channels = () if channel is None else (channel,)
        for channel in channels:
            if channel.behind:
                channel.keep_newest(frames)
            else:
                channel.write(together)

    def _told(self, message: Tell) -> None:
        channel = self._channels.get(message.channel)
        if channel is None:
            return
        channel.greeted = True
        if message.seq is not None:
            if channel.behind:  # it comes again after the view; unanswered until then
                channel.missed = channel.missed or channel.slow
                return
            channel.forget(message.seq)
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
                channel.release()
        else:
            self.tell(channel, data)

    def _join(self, channel: Channel, number: int) -> None:
        channel.enter()
        self._leave_lane(channel)
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = Lane(number, channel.codec)
        lane.channels[channel] = None
        channel.lane = lane
        if channel.moving:
            channel.moving = False
            self.tell(channel, framed(messages.status("live"), channel.codec))

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
        if any(c.place is Place.OUTSIDE and c.unanswered() for c in session.channels):
            self._wake(session)

    # ------------------------------------------------------------------ attaching

    def _outside(self, session: Session) -> None:
        for channel in session.channels:
            if channel.place is Place.INSIDE:
                channel.place = Place.OUTSIDE
                self._leave_lane(channel)

    def _wake(self, session: Session) -> None:
        """Put every channel that is outside before the room, then what they haven't got answered:
        whoever watches sees the room as it is, and what happens next.
        """
        outside = [each for each in session.channels if each.place is Place.OUTSIDE]
        for channel in outside:
            channel.place = Place.ASKED
            if channel.greeted and not session.watched:
                session.watched = True
                self._later(MOVING_AFTER, lambda: self._moving(session))
            self._send(channel.asking())
            if channel.wanting:
                self._want(channel)
        for channel in outside:
            for message in channel.unanswered():
                self._send(Said(channel.number, message))

    def _moving(self, session: Session) -> None:
        """The room has been asked for a while ago: who still waits for it is told so."""
        session.watched = False
        for channel in list(session.channels):
            if channel.greeted and channel.place is Place.ASKED and not channel.moving:
                channel.moving = True
                self.tell(channel, framed(messages.status("moving"), channel.codec))

    def _want(self, channel: Channel) -> None:
        """Ask for the view after its cursor and the outcomes after the last one it was told."""
        channel.missed = False
        channel.wanting = True
        if channel.place is Place.OUTSIDE:
            self._wake(channel.session)
        else:
            present, channel.missed_presence = channel.missed_presence, False
            self._send(Want(channel.number, channel.cursor, channel.settled, present))
