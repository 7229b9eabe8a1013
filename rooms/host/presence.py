"""Presence: who is here, and what each shares of the moment. Volatile: not stored, not gated.

In: connections that come and go, and their data; the latest connection of a viewer counts. Out:
`room.present` messages, at most 60 a second, each with all that changed since the last one. Who is
told of whom is the author's `may_see`. Next outward: `rooms/host/audience.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.definition import Room
from rooms.sync import messages

if TYPE_CHECKING:
    from rooms.host.audience import Audience
    from rooms.host.links import Channel
    from rooms.sync.messages import Json
    from rooms.sync.views import Viewer

logger = logging.getLogger(__name__)

EVERY: Final = 1 / 60
"""Changes of so long go out together (s)."""
MOST: Final = 200
"""Above so many viewers only their number is told."""


class Presence:
    """Who is present in one live room."""

    def __init__(self, room: Room, audience: Audience) -> None:
        self._room = room
        self._audience = audience
        self._judged = type(room).may_see is not Room.may_see
        self._here: dict[str, list[Channel]] = {}
        self._changed: dict[str, Viewer] = {}
        self._counting = False
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, channel: Channel) -> None:
        """A connection is let in: it is told of everybody, and everybody of its viewer."""
        viewer = channel.viewer
        assert viewer is not None
        channels = self._here.setdefault(viewer.id, [])
        channels.append(channel)
        if len(channels) == 1 or channel.presence is not None:
            self._change(viewer)
        shown = {} if self._counting else self._here
        everybody = {
            id: _data(others)
            for id, others in shown.items()
            if self._sees(viewer, others[0].viewer)
        }
        self._audience.tell(channel, messages.present(everybody, self._count()))

    def leave(self, channel: Channel) -> None:
        """A connection is gone. Harmless for one that wasn't here."""
        viewer = channel.viewer
        channels = [] if viewer is None else self._here.get(viewer.id, [])
        if viewer is None or channel not in channels:
            return
        channels.remove(channel)
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

    def stop(self) -> None:
        """Tell nobody anything any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _change(self, viewer: Viewer) -> None:
        self._changed[viewer.id] = viewer
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._flush)

    def _flush(self) -> None:
        self._timer = None
        changed, self._changed = self._changed, {}
        everybody = {
            id: viewer for id, (first, *_) in self._here.items() if (viewer := first.viewer)
        }
        before, self._counting = self._counting, len(self._here) > MOST
        if self._counting:  # whom they were told of is taken back once, then there's only a number
            told: dict[str, Viewer] = {} if before else {**everybody, **changed}
            data: dict[str, Json] = dict.fromkeys(told)
        else:
            told = everybody if before else changed
            data = {id: _data(self._here.get(id, [])) for id in told}
        if not self._judged:
            self._audience.say(messages.present(data, self._count()))
            return
        for channels in list(self._here.values()):
            viewer = channels[0].viewer
            assert viewer is not None
            seen = {id: data[id] for id, other in told.items() if self._sees(viewer, other)}
            if seen or self._counting:
                self._audience.say(messages.present(seen, self._count()), channels)

    def _count(self) -> int | None:
        return len(self._here) if self._counting else None

    def _sees(self, viewer: Viewer, other: Viewer | None) -> bool:
        if not self._judged or other is None or viewer.id == other.id:
            return True
        try:
            return self._room.may_see(viewer, other)
        except Exception:
            logger.exception("%s/%s: may_see raised", self._room.kind, self._room.id)
            return False


def _data(channels: list[Channel]) -> Json:
    """What a viewer shares: the latest of its connections that shares something; None: gone."""
    if not channels:
        return None
    return next((c.presence for c in reversed(channels) if c.presence is not None), {})
