"""One view key of a room: its newest view, encoded once for all who are sent the same bytes (PURE).

In: the next view, when the room durably came to it. Out: a frame for each lane; and what leads a
connection from the cursor that it holds to the newest view. Who watches which key is
`rooms/sync/fanout.py`'s. Next: `rooms/sync/backlog.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rooms.errors import TooBig
from rooms.link.protocol import Fanout as Frame
from rooms.link.protocol import Tell
from rooms.sync import messages, party
from rooms.sync.codec import embed, encode

if TYPE_CHECKING:
    from rooms.link.protocol import Message
    from rooms.sync.backlog import Backlog, Budget
    from rooms.sync.codec import Codec
    from rooms.sync.messages import Op, View

_SMALL: Final = 512  # bytes of a patch that isn't worth a comparison with the whole view
_LEAST: Final = 4096  # bytes of steps that are kept, however small the view


class Lane:
    """Everybody who gets the same bytes: one view key in one codec."""

    __slots__ = ("channels", "codec", "number", "patches", "view")

    def __init__(self, number: int, codec: Codec) -> None:
        self.number = number
        self.codec = codec
        self.channels: set[int] = set()
        self.view: bytes | None = None  # the newest view, encoded
        self.patches: dict[str, bytes] = {}  # by base: what leads to it, encoded


class Watch:
    """One view key: its views, and who watches in which codec. `most`: the bytes that one of its
    views may have (None: any number); a larger one is sent to nobody. `budget` bounds what the
    steps of all rooms take.
    """

    __slots__ = ("_budget", "_grown", "_most", "_size", "backlog", "lanes", "name")

    def __init__(self, name: str, backlog: Backlog, most: int | None, budget: Budget) -> None:
        self.name = name
        self.backlog = backlog
        self.lanes: dict[Codec, Lane] = {}
        self._most = most
        self._budget = budget
        self._size = 0  # bytes of the whole view when it was last encoded …
        self._grown = 0  # … and at most so much more since

    def deserted(self) -> bool:
        """Whether nobody watches."""
        return not any(lane.channels for lane in self.lanes.values())

    def step(self, view: View, now: int, told: list[Message]) -> None:
        """Come to the next view, and tell each of the lanes.

        Raises TypeError or TooBig: the view can't be sent; all stays as it was, and nobody is told.
        """
        backlog, before = self.backlog, self.backlog.view
        step = backlog.step(view)
        if step is None:
            return
        frames: list[Message] = []
        size = 0
        try:
            for lane in self.lanes.values():
                lane.view = None
                lane.patches.clear()
                if lane.channels:
                    data = self._patch(lane, step.base, step.ops)
                    size = len(data)
                    most = self._most
                    if most and (not self._size or self._size + self._grown + size > most):
                        self._whole(lane, now)  # or is it too big?
                    if size > max(_SMALL, self._size):  # a change of nearly everything
                        data = min(data, self._whole(lane, now), key=len)
                    frames.append(Frame(lane.number, step.base, backlog.cursor, data))
        except (TypeError, TooBig):
            backlog.back(before)
            for lane in self.lanes.values():
                lane.view = None
            raise
        self._grown += size
        self._budget.use(backlog, backlog.weigh(size, max(_LEAST, self._size)))
        told.extend(frames)

    def catch_up(self, channel: int, lane: Lane, cursor: str | None, now: int) -> Tell:
        """What leads a connection from `cursor` to the newest view."""
        newest = self.backlog.cursor
        ops = None if cursor is None else self.backlog.since(cursor)
        if cursor is None or ops is None:
            data = self._whole(lane, now)
        elif not ops:
            data = encode(messages.unchanged(newest, now), lane.codec)
        else:
            self._budget.use(self.backlog)
            patch = messages.patch(cursor, newest, ops)
            data = lane.patches.get(cursor) or encode(patch, lane.codec)
            if len(lane.channels) > 1:
                lane.patches[cursor] = data
            if len(data) > _SMALL:
                data = min(data, self._whole(lane, now), key=len)
        return Tell(channel, data, cursor=newest)

    def _whole(self, lane: Lane, now: int) -> bytes:
        """The whole view with its time, encoded; the view itself once for all of a lane.

        Raises TooBig: nobody is sent that much.
        """
        view = lane.view
        if view is None:
            newest, dialect = self.backlog.view, lane.codec == "party"
            view = party.encode_view(newest) if dialect else encode(newest, lane.codec)
        if self._most is not None and len(view) > self._most:
            raise TooBig("view", len(view), self._most)
        if len(lane.channels) > 1:
            lane.view = view
        self._size, self._grown = len(view), 0
        if lane.codec == "party":
            return party.update(view)
        if lane.codec == "raw":
            return b""
        head = messages.view(self.backlog.cursor, now, {})
        del head["view"]
        return embed(head, "view", view, lane.codec)

    def _patch(self, lane: Lane, base: str, ops: list[Op]) -> bytes:
        """What leads from the view at `base` to the newest, encoded."""
        if lane.codec == "party":
            return party.patch(ops, self.backlog.view)
        return encode(messages.patch(base, self.backlog.cursor, ops), lane.codec)
