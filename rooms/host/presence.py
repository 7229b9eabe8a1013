"""The moment: who is here, what each shares, and volatile events. Not stored, not gated.

In: connections that come and go, their data, and the events that a kind names in `volatile`; of
each viewer the latest counts. Out: `room.present` and `room.emitted`, all that is new together, at
most 60 times a second. Who is told of whom is the author's `may_see`. Next outward:
`rooms/host/audience.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.definition import Room
from rooms.link.protocol import PRESENT
from rooms.logs import named
from rooms.sync import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from rooms.host.channels import Channel
    from rooms.sync.messages import Json
    from rooms.sync.views import Viewer

    Readers = Iterable[tuple[Channel, Collection[str]]]
    Tell = Callable[[Mapping[str, dict[str, Json]], Readers | None], None]

logger = logging.getLogger(__name__)

EVERY: Final = 1 / 60
"""Changes of so long go out together (s)."""
SELDOM: Final = 1.0
"""They do so often to routers that are behind, and have enough of this room (s)."""
MOST: Final = 200
"""Above so many viewers only their number is told."""


class Presence:
    """Who is present in one live room, and what they say of the moment. `tell` is
    `Audience.moment`; `full`: whether a router that is behind has too much of this room already.
    """

    def __init__(self, room: Room, tell: Tell, full: Callable[[], bool]) -> None:
        self._room = room
        self._tell = tell
        self._full = full
        self._shared = room.presence
        self._judged = type(room).may_see is not Room.may_see
        self._here: dict[str, list[Channel]] = {}
        self._changed: dict[str, Viewer] = {}
        self._said: dict[str, tuple[Channel, dict[str, Json]]] = {}
        self._lacking: dict[Channel, None] = {}  # who is to be told of everybody
        self._counting = False
        self._timer: asyncio.TimerHandle | None = None
        self._flushed = asyncio.get_running_loop().time()

    def enter(self, channel: Channel) -> None:
        """A connection is let in: it is told of everybody, and everybody of its viewer. Not at
        once: when a room wakes, all who are here come in one after the other.
        """
        viewer = channel.viewer
        assert viewer is not None
        channels = self._here.setdefault(viewer.id, [])
        channels.append(channel)
        if self._said:  # perhaps what it said before it was let in
            self._soon()
        if len(channels) == 1 or channel.presence is not None:
            self._change(viewer)
        self.gather(channel)

    def gather(self, channel: Channel) -> None:
        """A connection is to be told of everybody who is here."""
        if self._shared:
            self._lacking[channel] = None
            self._soon()

    def _tell_all(self, channel: Channel) -> None:
        viewer = channel.viewer
        assert viewer is not None
        shown = {} if self._counting else self._here
        everybody = {
            id: self._data(others)
            for id, others in shown.items()
            if self._sees(viewer, others[0].viewer)
        }
        whole = messages.present(everybody, self._count(), all=True)
        self._tell({PRESENT: whole}, [(channel, (PRESENT,))])

    def leave(self, channel: Channel) -> None:
        """A connection is gone. Harmless for one that wasn't here."""
        viewer = channel.viewer
        channels = [] if viewer is None else self._here.get(viewer.id, [])
        if viewer is None or channel not in channels:
            return
        channels.remove(channel)
        self._lacking.pop(channel, None)
        if not channels:
            del self._here[viewer.id]
        if not channels or channel.presence is not None:
            self._change(viewer)

    def share(self, channel: Channel) -> None:
        """A connection's data (`channel.presence`) is new: it is its viewer's latest."""
        viewer = channel.viewer
        channels = [] if viewer is None else self._here.get(viewer.id, [])
        if viewer is not None and channel in channels:
            channels.remove(channel)
            channels.append(channel)
            self._change(viewer)

    def cast(self, channel: Channel, event: dict[str, Json]) -> None:
        """A connection sent a volatile event: of its viewer and this type the latest."""
        viewer = channel.viewer
        assert viewer is not None
        emitted = messages.emitted({**event, "sender": viewer.id})
        self._said[f"{event['type']} {viewer.id}"] = channel, emitted
        self._soon()

    def stop(self) -> None:
        """Tell nobody anything any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _change(self, viewer: Viewer) -> None:
        if self._shared:
            self._changed[viewer.id] = viewer
            self._soon()

    def _soon(self) -> None:
        """Tell what is new: in the loop's next step, or once it is time again."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._flushed + EVERY)
            self._timer = loop.call_at(at, self._flush)

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        if self._full() and now < self._flushed + SELDOM:
            self._timer = loop.call_later(EVERY, self._flush)
            return
        self._flushed = now
        if self._said:
            self._tell_said()
        before, self._counting = self._counting, len(self._here) > MOST
        lacking, self._lacking = self._lacking, {}
        for channel in lacking:
            self._tell_all(channel)
        if len(lacking) == sum(map(len, self._here.values())):
            self._changed = {}  # as when a room wakes: nobody is left to whom it is news
        if self._changed:
            self._tell_changed(before)

    def _tell_said(self) -> None:
        """Volatile events of those who are let in; those of others wait until they are."""
        said, self._said = self._said, {}
        named: dict[str, dict[str, Json]] = {}
        for name, (channel, message) in said.items():
            if channel.inside:
                named[name] = message
            elif not channel.gone:
                self._said[name] = channel, message
        if not self._judged:
            self._tell(named, None)
            return
        for channels in list(self._here.values()):
            viewer = channels[0].viewer
            assert viewer is not None
            seen = [name for name in named if self._sees(viewer, said[name][0].viewer)]
            if seen:
                self._tell(named, [(channel, seen) for channel in channels])

    def _tell_changed(self, before: bool) -> None:
        """What changed; or everybody, and else a number, where it was the other way `before`."""
        changed, self._changed = self._changed, {}
        everybody = {
            id: viewer for id, (first, *_) in self._here.items() if (viewer := first.viewer)
        }
        told = {} if self._counting else everybody if before else changed
        data = {id: self._data(self._here.get(id, [])) for id in told}
        whole = before is not self._counting
        if not self._judged:
            message = messages.present(data, self._count(), all=whole)
            self._tell({PRESENT: message}, None)
            return
        for channels in list(self._here.values()):
            viewer = channels[0].viewer
            assert viewer is not None
            seen = {id: data[id] for id, other in told.items() if self._sees(viewer, other)}
            if seen or self._counting:
                message = messages.present(seen, self._count(), all=whole)
                readers = [(channel, (PRESENT,)) for channel in channels]
                self._tell({PRESENT: message}, readers)

    def _count(self) -> int | None:
        return len(self._here) if self._counting else None

    def _data(self, channels: list[Channel]) -> Json:
        """What a viewer shares: the latest of its connections that shares something; None: gone."""
        if not channels:
            return None
        silent = self._room.read_only
        return next(
            (
                channel.presence
                for channel in reversed(channels)
                if channel.presence is not None
                and not (channel.viewer is not None and channel.viewer.role in silent)
            ),
            {},
        )

    def _sees(self, viewer: Viewer, other: Viewer | None) -> bool:
        if not self._judged or other is None or viewer.id == other.id:
            return True
        try:
            return self._room.may_see(viewer, other)
        except Exception:
            logger.exception("%s: may_see raised", named(self._room))
            return False
