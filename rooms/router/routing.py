"""Which channel belongs where: sessions to their hosts, connections to their sessions (PURE).

In from the door: connections that open, say something, drain, close; and plain requests. In from
the links: what each host has for them. Out: link messages one way, frames the other. What is kept
of a connection outlives its room and its host (`channels.py`), and is put before the next one.

Next inward: `rooms/link/protocol.py`, then `rooms/host/host.py`; next outward:
`rooms/router/delivery.py`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from rooms import tracing
from rooms.errors import CloseCode, Closing, taken_over
from rooms.link.protocol import (
    Answer,
    Asleep,
    Attach,
    Close,
    Detach,
    Elsewhere,
    Fanout,
    Gathered,
    Joined,
    Keep,
    Leaving,
    Live,
    Moment,
    Request,
    Said,
    Tell,
    Unheard,
    Want,
)
from rooms.router.asking import Requests
from rooms.router.channels import Channel, Host, Place, Session
from rooms.router.delivery import Delivery, enter_lane, leave_lane
from rooms.router.frames import framed
from rooms.router.hosts import MAX_HOPS, Hosts, pause
from rooms.sync import messages
from rooms.tally import RouterTally

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Json, Message
    from rooms.router.channels import Peer
    from rooms.store.port import HostInfo

MOVING_AFTER: Final = 0.5
"""How long a room takes to be there again until its connections are told (s)."""
MAX_PAUSES: Final = 11
"""After so many (some 13 s) its connections shall come back, perhaps through another router."""


class Routing:
    """All channels of one router, and its links to the hosts that have their rooms.

    `later` calls back after so many seconds.
    """

    def __init__(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        self._later = later
        self.tally = RouterTally()
        self._hosts = Hosts()
        self._sessions: dict[tuple[str, str], Session] = {}
        self._channels: dict[int, Channel] = {}
        self._delivery = Delivery(self._channels, self.tally, self.tell, self._want)
        self._requests = Requests(self._hosts, self._host_of, later)
        self._waiting: dict[Session, int] = {}  # the number of the pause that it waits for
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
        if session.host is not None:
            self._attach(channel, session.host)
        else:
            self._wake(session)
        return channel

    def say(self, channel: Channel, message: dict[str, Json], size: int) -> None:
        """What a client said, read and checked; `size` is its bytes.

        A numbered message is kept until its outcome is known, a plain one until its connection is
        let in. With too many numbered ones the socket isn't read.
        """
        numbered = message["type"] in messages.NUMBERED
        if numbered:
            channel.remember(message, size)
        elif channel.place is not Place.INSIDE and not channel.keep(message, size):
            busy = messages.error("busy", "the room isn't there yet; send it again later")
            self.tell(channel, framed(busy, channel.codec), early=True)
            return
        elif message["type"] == "room.presence":
            channel.presence = message
        if channel.place is Place.OUTSIDE or channel.host is None:
            self._wake(channel.session)  # says it, with all that is kept
        else:
            trace = None if tracing.tracer is None else tracing.carried()
            channel.host.send(Said(channel.number, message, trace))
            channel.session.added(channel.host, size)

    def tell(self, channel: Channel, data: bytes, *, early: bool = False) -> None:
        """A frame for this connection alone, in its place among the others; only an `early` one
        before it was told who it is.
        """
        self.tally.frames += 1
        self.tally.frame_bytes += len(data)
        if not channel.write_in_turn(data, early=early):
            self.end(channel, Closing(CloseCode.OVERLOADED, "the connection is too slow"))

    def slow(self, channel: Channel) -> None:
        """Too much is unsent: it gets no more until it has drained."""
        channel.slow = True
        self.tally.slow += 1

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
        leave_lane(channel)
        session = channel.session
        del session.channels[channel]
        if not session.channels:
            del self._sessions[session.name]
            self._waiting.pop(session, None)
        host, channel.host = channel.host, None
        if host is not None:
            del host.channels[channel]
        elif channel.greeted and not self._leaving and channel.client not in session.newest():
            host = session.host or self._hosts.place(*session.name)
            if host is not None:  # where its seat is still taken for one that is here
                host.send(channel.asking())
        if host is not None and not self._leaving:
            host.send(Detach(channel.number))

    def end(self, channel: Channel, closing: Closing) -> None:
        """Close a connection for a reason of the door's or the host's."""
        if channel.number in self._channels:
            self.close(channel)
            channel.peer.close(closing)

    def leave(self, closing: Callable[[], Closing]) -> None:
        """Close every connection, each with a `closing` of its own (when to come back).

        The hosts aren't told who went: nobody has left a room because this process restarts.
        """
        self._leaving = True
        for channel in list(self._channels.values()):
            self.end(channel, closing())

    def session(self, kind: str, session: str) -> Session | None:
        """The session of this name, if it has connections here."""
        return self._sessions.get((kind, session))

    def request(self, request: Request, answered: Callable[[Answer], None]) -> None:
        """A plain HTTP request; `answered` is called at most once."""
        session = self.session(request.kind, request.session)
        if session is not None and session.host is None and not request.operator:
            self._wake(session)  # an operator looks without waking
        self._requests.ask(request, answered)

    def abandon(self, request: int) -> None:
        """Nobody waits for this answer any more."""
        self._requests.abandon(request)

    # ------------------------------------------------------------------ hosts

    def meet(
        self,
        info: HostInfo,
        send: Callable[[Message], None],
        under_way: Callable[[], int] = lambda: 0,
    ) -> Host:
        """There is a link to this host: say it `receive` what it says, and `lost` at its end."""
        host = Host(info, send, under_way)
        self._hosts.add(host)
        for session, number in list(self._waiting.items()):
            session.pauses -= 1  # this one isn't waited for
            self._again(session, number)
        return host

    @property
    def reachable(self) -> bool:
        """Whether there is a link to a host that takes sessions."""
        return any(host.info.weight > 0 and not host.info.leaving for host in self._hosts)

    @property
    def links(self) -> int:
        """How many hosts there is a link to."""
        return len(list(self._hosts))

    @property
    def channels(self) -> int:
        """How many connections have a session here."""
        return len(self._channels)

    def listed(self, host: Host, info: HostInfo | None) -> None:
        """This is what the store says of a host; None: that it doesn't live. Who waits there for a
        room, which it can't have before it has a lease again, goes on to one that lives.
        """
        host.listed(info)
        if info is not None:
            return
        asked = {each.session: None for each in host.channels if each.place is Place.ASKED}
        for session in sorted(asked, key=Session.rests):
            inside = any(channel.place is Place.INSIDE for channel in session.channels)
            if inside or self._hosts.place(*session.name) in (None, host):
                continue
            for channel in session.channels:
                if channel.host is host:
                    channel.lose_host()
                    self._outside(channel)
            if session.host is host:
                session.host = None
            self._wake(session)

    def lost(self, host: Host) -> None:
        """The link to a host is gone: what it had goes on elsewhere, at once."""
        if not self._hosts.remove(host):
            return
        homeless: dict[Session, None] = {}
        for channel in list(host.channels):
            session = channel.session
            if channel.place is not Place.OUTSIDE:
                homeless[session] = None
                channel.lose_host()
            self._outside(channel)
            self._unname(channel)
            if session.host is host:
                session.host = session.epoch = None
        self._requests.lost(host)
        for session in sorted(homeless, key=Session.rests):  # who waits for an answer is first
            self._wake(session)

    # ------------------------------------------------------------------ from the links

    def receive(self, host: Host, message: Message) -> None:
        """What a host has to say. What concerns a connection that is gone is dropped."""
        match message:
            case Fanout():
                self._delivery.fan_out(host, message)
            case Tell():
                self._delivery.told(message)
            case Moment():
                self._delivery.moment(host, message)
            case Joined(number, lane, epoch):
                channel = self._channels.get(number)
                if channel is not None:
                    self._join(host, channel, lane, epoch)
            case Close(number, code, reason, retry_after):
                channel = self._channels.get(number)
                if channel is not None:
                    self.end(channel, Closing(CloseCode(code), reason, retry_after))
            case Keep(number, attachment):
                channel = self._channels.get(number) or host.former.get(number)
                if channel is not None:
                    channel.attach = replace(channel.attach, attachment=attachment)
            case Live(kind, name, epoch, gather):
                self._live(host, (kind, name), epoch)
                if gather:
                    host.send(Gathered(kind, name, epoch))
            case Asleep(kind, name, epoch):
                self._asleep(host, (kind, name), epoch)
            case Elsewhere(number, address):
                self._elsewhere(host, number, address)
            case Unheard(number, unheard):
                self._unheard(host, number, unheard)
            case Leaving():
                host.leave()
            case Request():
                self._requests.forward(host, message, self.number(), self.request)
            case Answer():
                self._requests.answer(message)

    def _join(self, host: Host, channel: Channel, number: int, epoch: int) -> None:
        session = channel.session
        channel.place = Place.INSIDE
        channel.forget_early()
        session.hops = session.pauses = 0
        if epoch:
            session.epoch = epoch
        enter_lane(host, channel, number)
        if channel.moving:
            channel.moving = False
            self.tell(channel, framed(messages.status("live"), channel.codec))

    def _live(self, host: Host, name: tuple[str, str], epoch: int) -> None:
        """There is an incarnation. Who joined another one has to come into this."""
        session = self._sessions.get(name)
        if session is None or (session.epoch is not None and epoch < session.epoch):
            return
        for channel in session.channels:
            if channel.host is not host and channel.place is not Place.OUTSIDE:
                channel.lose_host()
                self._outside(channel)
            elif channel.place is Place.INSIDE and session.epoch not in (None, epoch):
                self._outside(channel)
        session.epoch = epoch
        self._bring(session, host)

    def _asleep(self, host: Host, name: tuple[str, str], epoch: int) -> None:
        """The incarnation ended. Sockets stay; whoever has something unanswered wakes the next.

        A channel whose Attach isn't answered isn't concerned: what it asked for comes after this,
        from the next incarnation.
        """
        session = self._sessions.get(name)
        if session is None or session.host is not host or session.epoch not in (None, epoch):
            return
        session.epoch = None
        asked = False
        for channel in session.channels:
            if channel.place is Place.INSIDE:
                self._outside(channel)
            asked = asked or channel.place is Place.ASKED
        if not asked:
            session.host = None
        if host.info.leaving or any(c.place is Place.OUTSIDE and c.waits for c in session.channels):
            self._wake(session)

    # ------------------------------------------------------------------ who is where

    def _host_of(self, kind: str, session: str) -> Host | None:
        known = self.session(kind, session)
        return None if known is None else known.host

    def _wake(self, session: Session) -> None:
        """Put every channel that is outside before the room, wherever that is or is to be."""
        if session in self._waiting or not session.channels:
            return
        host = session.host or self._hosts.place(*session.name)
        if host is None:
            self._pause(session)
        else:
            self._bring(session, host)

    def _bring(self, session: Session, host: Host) -> None:
        """Put every channel that is outside before a host, then what they haven't got answered and
        what they said early: whoever watches sees the room as it is, and what happens next. One
        that its client has opened another one after was taken over.
        """
        session.host = host
        self._waiting.pop(session, None)
        newest, outside = session.newest(), []
        for channel in [each for each in session.channels if each.place is Place.OUTSIDE]:
            if newest[channel.client] is channel:
                outside.append(channel)
            else:
                self.end(channel, taken_over())
        for channel in outside:
            self._attach(channel, host)
        for channel in outside:
            for message in (*channel.unanswered(), *channel.early()):
                host.send(Said(channel.number, message))

    def _attach(self, channel: Channel, host: Host) -> None:
        if channel.host is not host:
            self._unname(channel)
            channel.host = host
            host.channels[channel] = None
        channel.place = Place.ASKED
        host.send(channel.asking())
        self._watch(channel)
        if channel.wanting:
            self._want(channel)

    def _outside(self, channel: Channel) -> None:
        leave_lane(channel)
        channel.place = Place.OUTSIDE

    def _unname(self, channel: Channel) -> None:
        """Its host knows it no more: it gets another number, so that nothing reaches it that was
        said of the former.
        """
        host = channel.host
        if host is None:
            return
        channel.host = None
        channel.share_again()  # the host's room may have ended before it heard it
        del host.channels[channel]
        host.send(Detach(channel.number, moved=True))
        if host.info.leaving:
            host.former[channel.number] = channel
        del self._channels[channel.number]
        channel.number = next(self._numbers)
        self._channels[channel.number] = channel

    def _elsewhere(self, host: Host, number: int, address: str | None) -> None:
        """A host has no place for this channel, or request."""
        self._requests.elsewhere(number, address)
        channel = self._channels.get(number)
        if channel is None:
            return
        session = channel.session
        self._outside(channel)
        self._unname(channel)
        if session.host is not host:  # it is known by now where that is
            self._wake(session)
            return
        session.host = session.epoch = None
        session.hops += 1
        there = self._hosts.place(*session.name) if address is None else self._hosts.at(address)
        if there is None or there is host or session.hops > MAX_HOPS:
            self._pause(session)
        else:
            self._bring(session, there)

    def _unheard(self, host: Host, number: int, message: dict[str, Json]) -> None:
        """A plain message comes back from a host that is leaving: it is for the next one."""
        channel = self._channels.get(number) or host.former.get(number)
        if channel is None or channel.number not in self._channels:
            return
        if channel.host is host:
            channel.keep(message, 0)
        else:
            self.say(channel, message, 0)

    def _watch(self, channel: Channel) -> None:
        """Look, in a while, whether a channel and the others of its session have come in."""
        session = channel.session
        if channel.greeted and not session.watched:
            session.watched = True
            self._later(MOVING_AFTER, lambda: self._moving(session))

    def _moving(self, session: Session) -> None:
        """The room has been asked for a while ago: who still waits for it is told so."""
        session.watched = False
        for channel in list(session.channels):
            waits = channel.place is Place.ASKED or session in self._waiting
            if waits and channel.greeted and not channel.moving:
                channel.moving = True
                self.tell(channel, framed(messages.status("moving"), channel.codec))

    def _pause(self, session: Session) -> None:
        """Nobody has it who can be reached: try again, and not for ever."""
        if session in self._waiting:
            return
        if session.pauses >= MAX_PAUSES:
            session.pauses = 0
            out = Closing(CloseCode.OVERLOADED, "this room is out of reach")
            for channel in [c for c in session.channels if c.place is Place.OUTSIDE]:
                self.end(channel, out)
            return
        number = self._waiting[session] = next(self._numbers)
        for channel in session.channels:
            self._watch(channel)
        self._later(pause(session.pauses), lambda: self._again(session, number))
        session.hops = 0
        session.pauses += 1

    def _again(self, session: Session, number: int) -> None:
        """A pause is over, unless that was another one."""
        if self._waiting.get(session) == number:
            del self._waiting[session]
            self._wake(session)

    def _want(self, channel: Channel) -> None:
        """Ask for the view after its cursor and the outcomes after the last one it was told."""
        channel.missed = False
        channel.wanting = True
        if channel.place is Place.OUTSIDE or channel.host is None:
            self._wake(channel.session)
        else:
            present, channel.missed_presence = channel.missed_presence, False
            channel.host.send(Want(channel.number, channel.cursor, channel.settled, present))
