"""Links: the routers' ends, whose channels are whose, and where a lane's bytes go.

A router numbers its channels for itself; here each has one number for the whole host. Rooms hand
over messages by these numbers, and each is sent to the ends that it concerns: a fan-out once to
each router that has somebody in the lane. Next outward: `rooms/link/`.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from rooms.host.channels import Channel, Heard
from rooms.host.crowding import Crowding
from rooms.link.protocol import (
    Close,
    Elsewhere,
    Fanout,
    Joined,
    Keep,
    Moment,
    Tell,
    Unheard,
)
from rooms.sync.messages import NUMBERED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rooms.link.memory import End
    from rooms.link.protocol import Attach, Message
    from rooms.store.port import SessionId
    from rooms.tally import HostTally


class Links:
    """Every router's end, its channels, and which lanes lead to it."""

    def __init__(self, tally: HostTally) -> None:
        self.crowding = Crowding()
        self._tally = tally
        self._channels: dict[int, Channel] = {}
        self._sessions: dict[SessionId, dict[Channel, None]] = {}
        self._ends: dict[End, dict[int, Channel]] = {}
        self._lanes: dict[int, dict[End, int]] = {}
        self._rooms: dict[int, SessionId] = {}  # by their lanes
        self._numbers = count(1)

    def add(self, end: End) -> None:
        """A router is there."""
        self._ends[end] = {}

    def remove(self, end: End) -> list[Channel]:
        """A router is lost; these were its channels."""
        channels = list(self._ends.get(end, {}).values())
        for channel in channels:
            self.forget(channel)
        self._ends.pop(end, None)
        self.crowding.forget(end)
        return channels

    def some(self) -> End | None:
        """One of the routers, if there is any."""
        return next(iter(self._ends), None)

    def open(self, end: End, attach: Attach, at: SessionId) -> Channel:
        """A channel for this attach: the one that had its number, or a new one."""
        known = self._ends[end].get(attach.channel)
        if known is not None:
            known.attach = attach
            return known
        channel = Channel(next(self._numbers), end, attach.channel, at, attach)
        self._channels[channel.id] = self._ends[end][attach.channel] = channel
        self._sessions.setdefault(at, {})[channel] = None
        return channel

    def find(self, end: End, number: int) -> Channel | None:
        """The channel that this router calls by this number."""
        return self._ends.get(end, {}).get(number)

    def forget(self, channel: Channel) -> None:
        """The connection is no more."""
        channel.gone = True
        self.leave_lane(channel)
        self._channels.pop(channel.id, None)
        self._ends.get(channel.end, {}).pop(channel.number, None)
        others = self._sessions.get(channel.at, {})
        others.pop(channel, None)
        if not others:
            self._sessions.pop(channel.at, None)

    def outside(self, channel: Channel) -> None:
        """The incarnation that it was inside of has ended; the connection is kept."""
        self.leave_lane(channel)
        channel.client = None
        channel.seated = channel.entering = channel.inside = False

    def of(self, at: SessionId) -> list[Channel]:
        """The channels of one session."""
        return list(self._sessions.get(at, ()))

    def leave_lane(self, channel: Channel) -> None:
        """Nothing that goes to its lane goes to this channel any more."""
        if channel.lane is None:
            return
        ends = self._lanes[channel.lane]
        ends[channel.end] -= 1
        if not ends[channel.end]:
            del ends[channel.end]
            if not ends:
                del self._lanes[channel.lane], self._rooms[channel.lane]
        channel.lane = None

    def send(self, messages: Iterable[Message]) -> None:
        """Send each message to whom it concerns, in order; to nobody when the channel is gone."""
        for message in messages:
            if type(message) is Fanout:
                size = len(message.data)
                self._tally.fanouts += 1
                self._tally.fanout_bytes += size
                self._send_lane(message, message.lane, size)
                continue
            if type(message) is Moment and message.channel is None:
                self._send_lane(message, message.lane, sum(map(len, message.named.values())))
                continue
            assert isinstance(message, Tell | Joined | Keep | Close | Moment)
            channel = self._channels.get(message.channel or 0)
            if channel is None:
                continue
            message.channel = channel.number
            if type(message) is Joined:
                self._join_lane(channel, message.lane)
            channel.end.send(message)
            if type(message) is Tell:
                self.crowding.sent(channel.end, channel.at, len(message.data))

    def _send_lane(self, message: Message, lane: int, size: int) -> None:
        for end in self._lanes.get(lane, ()):
            end.send(message)
            self.crowding.sent(end, self._rooms[lane], size)

    def _join_lane(self, channel: Channel, lane: int) -> None:
        self.leave_lane(channel)
        channel.lane = lane
        self._rooms[lane] = channel.at
        ends = self._lanes.setdefault(lane, {})
        ends[channel.end] = ends.get(channel.end, 0) + 1

    def elsewhere(self, channel: Channel, address: str | None) -> None:
        """This connection isn't let in here: its router takes it to `address`, or to any other
        host, with what it said meanwhile.
        """
        channel.end.send(Elsewhere(channel.number, address))
        self.forget(channel)

    def unheard(self, channel: Channel) -> None:
        """Give back what a connection said plainly and nobody handled."""
        for item in channel.held:
            if not isinstance(item, Heard) or item.message["type"] in NUMBERED:
                continue  # numbered ones are kept by its router until they are answered
            channel.end.send(Unheard(channel.number, item.message))
        channel.held.clear()

    def everybody(self, message: Message) -> list[End]:
        """Send this to every router; to whom it went."""
        for end in self._ends:
            end.send(message)
        return list(self._ends)
