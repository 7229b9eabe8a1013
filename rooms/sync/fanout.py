"""What every connection of one room is told: all view keys of one incarnation (PURE).

In: connections that come, go and ask, and the view of each key after each durable change. Out: link
messages, in order. One view, one diff and one encoding are made for all who share them
(`rooms/sync/watch.py`); the router writes the same bytes to each socket. Next outward:
`rooms/link/protocol.py`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import xxhash

from rooms.errors import TooBig
from rooms.link.protocol import Fanout as Frame
from rooms.link.protocol import Joined, Moment, Tell
from rooms.sync import party
from rooms.sync.backlog import Backlog, Budget
from rooms.sync.codec import encode, encode_sorted
from rooms.sync.watch import Lane, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping

    from rooms.link.protocol import Message
    from rooms.sync.codec import Codec
    from rooms.sync.messages import Json, View

MAX_VIEW: Final = 262_144
"""Bytes of a view, where the kind doesn't say otherwise."""
UNWATCHED: Final = 128
"""View keys that are remembered without a connection, for those who come back soon."""
SAVED: Final = 256
"""View keys whose cursor outlives a sleep."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class _Place(NamedTuple):
    """Where a channel listens."""

    key: Hashable
    watch: Watch
    lane: Lane


class Fanout:
    """All view keys of one room incarnation, and who watches them.

    `nonce` is random, new for each incarnation, and shown to nobody. `saved` is what `save` gave
    when the incarnation before fell asleep: a view that is still equal keeps its cursor. After a
    crash there is none, and no cursor of before is honoured. `lanes` gives numbers that are unique
    on this host. `max_view` says how many bytes a view of a key may have (None: any number); a
    larger one is sent to nobody. `budget` bounds what the steps of all rooms take. `epoch` is the
    incarnation's.
    """

    def __init__(
        self,
        nonce: str,
        saved: Mapping[str, Json] | None,
        lanes: Iterator[int],
        max_view: Callable[[Hashable], int | None] = lambda key: MAX_VIEW,
        budget: Budget | None = None,
        epoch: int = 0,
    ) -> None:
        self._budget = budget or Budget()
        self._epoch = epoch
        self._nonce = nonce
        self._max_view = max_view
        self._saved = dict(saved or {})
        self._lanes = lanes
        self._made = 0
        self._watches: dict[Hashable, Watch] = {}
        self._unwatched: dict[Hashable, None] = {}  # those of them without a channel, oldest first
        self._places: dict[int, _Place] = {}

    # -------------------------------------------------------------- connections

    def attach(
        self,
        channel: int,
        codec: Codec,
        key: Hashable,
        view: View,
        cursor: str | None,
        now: int,
        *,
        quiet: bool = False,
    ) -> list[Message]:
        """A connection that holds `cursor` begins to watch `key`, whose durable view is `view`.

        It gets its lane, and what it lacks: a patch, the whole view, or `room.unchanged` (not a
        word when `quiet`). `now` is the store's time in ms.

        Raises TypeError or TooBig: the view can't be sent; the connection isn't attached.
        """
        self.detach(channel)
        told: list[Message] = []
        watch = self._open(key, view, now, told)
        self._unwatched.pop(key, None)
        lane = watch.lanes.get(codec)
        if lane is None:
            lane = watch.lanes[codec] = Lane(next(self._lanes), codec)
        lane.channels.add(channel)
        self._places[channel] = _Place(key, watch, lane)
        told.append(Joined(channel, lane.number, self._epoch))
        if not (quiet and cursor == watch.backlog.cursor):
            try:
                told.append(watch.catch_up(channel, lane, cursor, now))
            except (TypeError, TooBig):
                self.detach(channel)
                raise
        return told

    def detach(self, channel: int) -> None:
        """A connection is gone. Harmless for one that isn't here."""
        place = self._places.pop(channel, None)
        if place is None:
            return
        place.lane.channels.discard(channel)
        if place.watch.deserted():
            self._rest(place.key)

    def move(self, channel: int, key: Hashable, view: View, now: int) -> list[Message]:
        """A connection's view key changed: it gets the whole view of the new one.

        Raises KeyError for a connection that isn't here.
        """
        codec = self._places[channel].lane.codec
        return self.attach(channel, codec, key, view, None, now)

    def want(self, channel: int, cursor: str | None, now: int) -> list[Message]:
        """A connection that missed something asks for what is newest; with None, for all of it.

        The answer always sets its cursor; there is none for a connection that isn't here.
        """
        place = self._places.get(channel)
        return [] if place is None else [place.watch.catch_up(channel, place.lane, cursor, now)]

    def cursor(self, channel: int) -> str | None:
        """The cursor of the newest view a connection was sent; None for one that isn't here."""
        place = self._places.get(channel)
        return None if place is None else place.watch.backlog.cursor

    def look(self, key: Hashable, view: View, now: int) -> tuple[str, list[Message]]:
        """The cursor of `key` at `view`, for one who asks once (HTTP); and what those who watch it
        are told, should it be news for them.
        """
        told: list[Message] = []
        watch = self._open(key, view, now, told)
        if watch.deserted():
            self._rest(key)
        return watch.backlog.cursor, told

    # -------------------------------------------------------------- changes

    def update(
        self,
        view_of: Callable[[Hashable], View],
        now: int,
        report: Callable[[Hashable, Exception], None],
    ) -> list[Message]:
        """The room changed, and durably so: a frame a lane, for every watched key whose view did.

        `report` gets each view that can't be sent: its watchers keep what they have. Raises what
        `view_of` raises, before anything is changed.
        """
        views = [
            (key, watch, view_of(key))
            for key, watch in self._watches.items()
            if key not in self._unwatched
        ]
        told: list[Message] = []
        for key, watch, view in views:
            try:
                watch.step(view, now, told)
            except (TypeError, TooBig) as error:
                report(key, error)
        return told

    def tell(self, channel: int, message: dict[str, Json], seq: int | None = None) -> Tell:
        """A message for one connection in its own codec; `seq` when it is that number's outcome.

        Raises KeyError for a connection that isn't here.
        """
        again = message["from"] if message["type"] == "room.resend" else None
        data = encode(message, self._places[channel].lane.codec)
        return Tell(channel, data, seq=seq, again=again)

    def emit(self, message: dict[str, Json]) -> list[Message]:
        """A message for every connection."""
        encoded: dict[Codec, bytes] = {}
        told: list[Message] = []
        for lane in self._listening():
            data = encoded.get(lane.codec) or encode(message, lane.codec)
            encoded[lane.codec] = data
            told.append(Frame(lane.number, None, None, data))
        return told

    def moment(
        self,
        named: Mapping[str, dict[str, Json]],
        readers: Iterable[tuple[int, Collection[str]]] | None = None,
    ) -> list[Message]:
        """Volatile messages by name, for every connection; or for each of `readers` that is here,
        those that it names.
        """
        encoded: dict[Codec, dict[str, bytes]] = {}

        def encoded_in(codec: Codec) -> dict[str, bytes]:
            if codec not in encoded:
                encoded[codec] = {name: encode(each, codec) for name, each in named.items()}
            return encoded[codec]

        if not named:
            return []
        if readers is None:
            return [Moment(lane.number, None, encoded_in(lane.codec)) for lane in self._listening()]
        told: list[Message] = []
        for channel, names in readers:
            place = self._places.get(channel)
            if place is not None:
                data = encoded_in(place.lane.codec)
                told.append(
                    Moment(place.lane.number, channel, {name: data[name] for name in names})
                )
        return told

    def send(
        self,
        message: dict[str, Json],
        raw: str | bytes,
        channels: Iterable[int] | None,
        without: frozenset[int],
    ) -> list[Message]:
        """What a room says itself, to every connection, or to those of `channels` that are here;
        never to those of `without`. `raw` is the same for connections that take it as it is.
        """
        encoded: dict[Codec, bytes] = {}

        def encoded_in(codec: Codec) -> bytes:
            if codec not in encoded:
                encoded[codec] = party.raw(raw) if codec == "raw" else encode(message, codec)
            return encoded[codec]

        told: list[Message] = []
        if channels is None:
            for lane in self._listening():
                if without.isdisjoint(lane.channels):
                    told.append(Frame(lane.number, None, None, encoded_in(lane.codec)))
                else:
                    data = encoded_in(lane.codec)
                    told += [Tell(each, data) for each in lane.channels if each not in without]
            return told
        for channel in channels:
            place = self._places.get(channel)
            if place is not None and channel not in without:
                told.append(Tell(channel, encoded_in(place.lane.codec)))
        return told

    def _listening(self) -> Iterator[Lane]:
        """The lanes that somebody is in."""
        for watch in self._watches.values():
            yield from (lane for lane in watch.lanes.values() if lane.channels)

    def save(self) -> dict[str, Json]:
        """The cursors that stay good over a clean sleep, as JSON: [cursor, hash of the view] by the
        name of the key; those that were watched last.
        """
        unwatched = [self._watches[key] for key in self._unwatched]
        watched = [self._watches[key] for key in self._watches if key not in self._unwatched]
        saved: dict[str, Json] = {}
        for watch in [*unwatched, *watched][-SAVED:]:
            with suppress(TypeError):  # a view that isn't JSON was shown to nobody
                saved[watch.name] = [watch.backlog.cursor, _hash(watch.backlog.view)]
        return saved

    def close(self) -> None:
        """The incarnation is over: give up what its steps took."""
        for watch in self._watches.values():
            self._budget.drop(watch.backlog)

    # -------------------------------------------------------------- view keys

    def _open(self, key: Hashable, view: View, now: int, told: list[Message]) -> Watch:
        """The watch of `key`, brought to `view`; those for whom that is news are told."""
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = self._make(key, view)
        else:
            watch.step(view, now, told)
        return watch

    def _make(self, key: Hashable, view: View) -> Watch:
        """A watch whose cursors nobody ever had, but for one that was saved for this very view."""
        name = _digest(repr(key))
        cursor, hash_saved = self._saved.get(name, (None, None))
        if cursor is not None and hash_saved != _hash(view):
            cursor = None
        self._made += 1
        backlog = Backlog(_digest(f"{self._nonce}/{self._made}"), view, cursor)
        return Watch(name, backlog, self._max_view(key), self._budget)

    def _rest(self, key: Hashable) -> None:
        """Nobody watches `key` now; it is remembered, until too many are."""
        self._unwatched.pop(key, None)
        self._unwatched[key] = None
        if len(self._unwatched) > UNWATCHED:
            oldest = next(iter(self._unwatched))
            self._budget.drop(self._watches[oldest].backlog)
            del self._unwatched[oldest], self._watches[oldest]


def _digest(text: str) -> str:
    """Eight letters and digits that stand for the text."""
    return letters(xxhash.xxh3_64_intdigest(text.encode()))


def letters(number: int) -> str:
    """Eight letters and digits that stand for a number of 64 bits."""
    digits: list[str] = []
    for _ in range(8):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(digits)


def _hash(view: View) -> str:
    return str(xxhash.xxh3_64_hexdigest(encode_sorted(view)))
