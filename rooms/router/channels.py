"""What a router keeps while rooms come and go: of each connection, its session and its host (PURE).

Of a connection: its cursor, the highest outcome it was told, its numbered messages without an
outcome; and, while the socket is slow, what it missed and what has to wait.
`rooms/router/routing.py` decides what is sent to whom; here is what that does to each of them.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from rooms.budgets import Account
from rooms.link.protocol import PRESENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.errors import Closing
    from rooms.link.protocol import Attach, Json, Message
    from rooms.store.port import HostInfo
    from rooms.sync.codec import Codec

STOP_READING: Final = 256
STOP_READING_BYTES: Final = 64 * 1024
"""With so many numbered messages that have no outcome the socket isn't read."""
MAX_HELD_BYTES: Final = 64 * 1024
"""How much may wait of what can't be merged (emitted events), and of volatile events."""
MAX_EARLY_BYTES: Final = 64 * 1024
"""How much may wait of plain messages of a connection that isn't let in yet."""
BEHIND: Final = 32 * 1024
"""A host that hasn't taken so many bytes is behind …"""
SHARE: Final = 4 * 1024
"""… and takes so many more of one session meanwhile."""


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


class Place(Enum):
    """What its host knows of a channel, as far as was heard from it."""

    OUTSIDE = auto()  # no incarnation has it
    ASKED = auto()  # an Attach is under way, and not answered
    INSIDE = auto()  # joined


class Lane:
    """The channels that are sent the same bytes."""

    __slots__ = ("channels", "codec", "number")

    def __init__(self, number: int, codec: Codec) -> None:
        self.number = number
        self.codec = codec
        self.channels: dict[Channel, None] = {}


class Host:
    """One host, for as long as its link lives. `send` puts a message on the link; `under_way` says
    how many bytes it hasn't taken.
    """

    __slots__ = ("channels", "former", "info", "lanes", "send", "under_way")

    def __init__(
        self,
        info: HostInfo,
        send: Callable[[Message], None],
        under_way: Callable[[], int] = lambda: 0,
    ) -> None:
        self.info = info
        self.send = send
        self.under_way = under_way
        self.channels: dict[Channel, None] = {}
        """Those that it knows, by their numbers of now."""
        self.former: dict[int, Channel] = {}
        """Those that went on from here when it was leaving, by the numbers they had here."""
        self.lanes: dict[int, Lane] = {}

    def leave(self) -> None:
        """It is going: no session is to be brought there."""
        self.info = replace(self.info, leaving=True)

    def listed(self, info: HostInfo | None) -> None:
        """This is what the store says of it; None: that it doesn't live."""
        if info is None:
            self.info = replace(self.info, weight=0)
        elif self.info.leaving:
            self.info = replace(info, leaving=True)  # it knew before the store did
        else:
            self.info = info


class Session:
    """The channels of one session, its host as far as that is known, and the incarnation there.

    `hops`: how often it was sent on since somebody was let in, or since the last of its `pauses`.
    `watched`: somebody will look whether its channels have come in. `account` is of the time that
    reading them takes.
    """

    __slots__ = (
        "_added",
        "account",
        "channels",
        "epoch",
        "hops",
        "host",
        "name",
        "pauses",
        "watched",
    )

    def __init__(self, name: tuple[str, str]) -> None:
        self.name = name
        self.account = Account(0)
        self._added = 0  # bytes, while its host is behind
        self.host: Host | None = None
        self.epoch: int | None = None
        self.watched = False
        self.hops = 0
        self.pauses = 0
        self.channels: dict[Channel, None] = {}

    def newest(self) -> dict[object, Channel]:
        """The channel that each client opened last."""
        return {channel.client: channel for channel in self.channels}

    def rests(self) -> bool:
        """Whether nobody waits for an answer."""
        return not any(channel.waits for channel in self.channels)

    def added(self, host: Host, size: int) -> None:
        """So many bytes were sent to its host."""
        self._added = self._added + size if host.under_way() > BEHIND else 0

    @property
    def full(self) -> bool:
        """Whether nothing more is to be read for it: its host is behind, and has enough of it."""
        host = self.host
        return self._added > SHARE and host is not None and host.under_way() > BEHIND


class Channel:
    """One connection, for as long as its socket lives. `number` is its name at its `host`."""

    __slots__ = (
        "_early",
        "_early_bytes",
        "_held",
        "_held_bytes",
        "_newest",
        "_newest_bytes",
        "_paused",
        "_unanswered",
        "_unanswered_bytes",
        "again",
        "attach",
        "codec",
        "cursor",
        "greeted",
        "host",
        "lane",
        "missed",
        "missed_presence",
        "moving",
        "number",
        "peer",
        "place",
        "presence",
        "session",
        "settled",
        "slow",
        "wanting",
        "write",
    )

    def __init__(self, attach: Attach, peer: Peer, session: Session) -> None:
        self.attach = attach
        self.codec = cast("Codec", attach.codec)
        self.peer = peer
        self.write = peer.write
        self.session = session
        self.number = attach.channel
        self.host: Host | None = None
        self.place = Place.OUTSIDE
        self.lane: Lane | None = None
        self.cursor = attach.cursor
        self.greeted = False
        self.settled = 0  # the highest outcome it was told
        self.again: int | None = None  # it was asked for its numbers again from here on
        self.slow = False  # too much unsent: no more frames until it drained
        self.missed = False  # something was skipped meanwhile
        self.missed_presence = False
        self.moving = False  # it was told that its room isn't there
        # The newest message in which it shares something.
        self.presence: dict[str, Json] | None = None
        self.wanting = False  # it asked for what it missed, and hasn't got it yet
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._newest: dict[str, bytes] = {}
        self._newest_bytes = 0
        self._early: list[dict[str, Json]] = []
        self._early_bytes = 0
        self._unanswered: dict[int, tuple[dict[str, Json], int]] = {}  # seq → message, bytes
        self._unanswered_bytes = 0
        self._paused = False

    def __str__(self) -> str:
        kind, session = self.session.name
        return f"{kind}/{session} #{self.number}"

    def log_fields(self) -> dict[str, Any]:
        """What a line of the log about it has for programs."""
        kind, session = self.session.name
        known = {"session": f"{kind}/{session}", "connection": self.number}
        epoch = self.session.epoch
        return known if epoch is None else {**known, "epoch": epoch}

    @property
    def client(self) -> object:
        """The client whose connection it is, as far as the door knows: else one of its own."""
        client = self.attach.client
        return self if client is None else (client, self.attach.viewer["id"])

    def asking(self) -> Attach:
        """Its Attach as of now: what it holds, and what it was told."""
        return replace(
            self.attach,
            channel=self.number,
            cursor=self.cursor,
            greeted=self.greeted,
            settled=self.settled,
        )

    # ------------------------------------------------------------------ until it is let in

    def keep(self, message: dict[str, Json], size: int) -> bool:
        """Keep a plain message until it is let in: another host may have to be asked. False: too
        many are kept.
        """
        if self._early_bytes + size > MAX_EARLY_BYTES:
            return False
        self._early.append(message)
        self._early_bytes += size
        return True

    def early(self) -> list[dict[str, Json]]:
        """The plain messages that are kept."""
        return list(self._early)

    def forget_early(self) -> None:
        """They were taken, or may have been."""
        if self._early:
            self._early, self._early_bytes = [], 0

    def lose_host(self) -> None:
        """The host that it was at is gone, perhaps with what was kept, and with what it shared."""
        self.forget_early()
        self.share_again()

    def share_again(self) -> None:
        """It goes to a host that may not have heard what it shares."""
        if self.presence is not None and self.presence not in self._early:
            self.keep(self.presence, 0)

    # ------------------------------------------------------------------ while it is behind

    @property
    def behind(self) -> bool:
        """Whether it lacks a view: what depends on that has to come after it."""
        return self.slow or self.wanting

    def write_in_turn(self, data: bytes, *, early: bool = False) -> bool:
        """Write a frame that can't be merged, after the view it may lack, and unless it is `early`
        after `room.you`. False: too much waits.
        """
        if not self.behind and (self.greeted or early):
            self.write(data)
            return True
        self._held.append(data)
        self._held_bytes += len(data)
        return self._held_bytes <= MAX_HELD_BYTES

    def keep_newest(self, named: Mapping[str, bytes]) -> None:
        """Volatile frames by name, for when it isn't behind any more: of each name the newest, and
        not too much of all. What it missed of presence it has to ask for.
        """
        for name, data in named.items():
            if name == PRESENT:
                self.missed = self.missed_presence = True
                continue
            self._newest_bytes += len(data) - len(self._newest.pop(name, b""))
            self._newest[name] = data
        while self._newest_bytes > MAX_HELD_BYTES:
            self._newest_bytes -= len(self._newest.pop(next(iter(self._newest))))

    def release(self) -> None:
        """Write what has waited."""
        waiting = [*self._held, *self._newest.values()]
        self._held, self._held_bytes = [], 0
        self._newest, self._newest_bytes = {}, 0
        for data in waiting:
            self.write(data)

    # ------------------------------------------------------------------ unanswered

    def unanswered(self) -> list[dict[str, Json]]:
        """The numbered messages without an outcome, by their numbers."""
        return [message for _, (message, _size) in sorted(self._unanswered.items())]

    def remember(self, message: dict[str, Json], size: int) -> None:
        """A numbered message of so many bytes was said; earlier ones may be acknowledged in it."""
        seq, acked = message["seq"], message.get("acked", 0)
        if self.again is not None and seq <= self.again:
            self.again = None
        for earlier in [n for n in self._unanswered if n <= acked]:
            self.forget(earlier)
        _, before = self._unanswered.get(seq, (None, 0))
        self._unanswered[seq] = (message, size)
        self._unanswered_bytes += size - before
        if self._full() and not self._paused:
            self._paused = True
            self.peer.pause()

    def forget(self, seq: int) -> None:
        """The outcome of this number is known."""
        _, size = self._unanswered.pop(seq, (None, 0))
        self._unanswered_bytes -= size
        if self.again is not None and seq >= self.again:
            self.again = None  # its numbers went on
        if self._paused and not self._full():
            self._paused = False
            self.peer.resume()

    @property
    def waits(self) -> bool:
        """Whether something it said is to be handled by the next incarnation: not what it was asked
        to say again, which would wake the room for ever.
        """
        again = self.again
        return bool(self._early) or any(again is None or seq < again for seq in self._unanswered)

    def _full(self) -> bool:
        return len(self._unanswered) >= STOP_READING or self._unanswered_bytes >= STOP_READING_BYTES
