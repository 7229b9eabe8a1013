"""What hosts have for connections, written to their sockets (PURE).

In: frames for a whole lane, for one channel, or of the moment. Out: each made once, and written to
every socket that needs it, in its place among the others; who is behind gets it later, merged. What
a channel then lacks is asked for by `rooms/router/routing.py`.

Next outward: `rooms/router/sockets.py` (a channel's `write` is the transport's own).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.router.channels import Lane
from rooms.router.frames import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rooms.link.protocol import Fanout, Moment, Tell
    from rooms.router.channels import Channel, Host
    from rooms.tally import RouterTally


class Delivery:
    """To the `channels` of one router, by their numbers. `tell` puts a frame that can't be merged
    in its place; `want` asks for the view that a channel lacks.
    """

    def __init__(
        self,
        channels: Mapping[int, Channel],
        tally: RouterTally,
        tell: Callable[[Channel, bytes], None],
        want: Callable[[Channel], None],
    ) -> None:
        self._channels = channels
        self._tally = tally
        self._tell = tell
        self._want = want

    def fan_out(self, host: Host, message: Fanout) -> None:
        """One frame for a whole lane: made once, written to each transport."""
        lane = host.lanes.get(message.lane)
        if lane is None:
            return
        data = frame(message.data, lane.codec)
        base, cursor = message.base, message.cursor
        if base is None:
            for channel in list(lane.channels):  # a slow one may be closed
                self._tell(channel, data)
            return
        written = len(lane.channels)
        for channel in lane.channels:
            if channel.cursor == base and not channel.slow:
                channel.cursor = cursor
                channel.write(data)
                continue
            written -= 1
            if channel.slow:
                channel.missed = True
            elif not channel.wanting:
                self._want(channel)
        self._tally.frames += written
        self._tally.frame_bytes += written * len(data)

    def moment(self, host: Host, message: Moment) -> None:
        """Volatile messages for a lane, or for one of its channels: one write for all of them."""
        lane = host.lanes.get(message.lane)
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

    def told(self, message: Tell) -> None:
        """A frame for one channel: a view, an outcome, or something that can't be merged."""
        channel = self._channels.get(message.channel)
        if channel is None:
            return
        greeted, channel.greeted = channel.greeted, True
        if message.again is not None:
            channel.again = message.again
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
            self._tally.frames += 1
            self._tally.frame_bytes += len(data)
            if channel.wanting:
                channel.wanting = False
                channel.release()
        else:
            self._tell(channel, data)
        if not greeted and not channel.behind:
            channel.release()


def enter_lane(host: Host, channel: Channel, number: int) -> None:
    """From now on it is sent what this lane is."""
    leave_lane(channel)
    lane = host.lanes.get(number)
    if lane is None:
        lane = host.lanes[number] = Lane(number, channel.codec)
    lane.channels[channel] = None
    channel.lane = lane


def leave_lane(channel: Channel) -> None:
    """Nothing reaches it of what its lane is sent."""
    lane, channel.lane = channel.lane, None
    if lane is not None:
        del lane.channels[channel]
        if not lane.channels and channel.host is not None:
            del channel.host.lanes[lane.number]
