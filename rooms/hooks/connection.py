"""A connection as the hooks of a room without a machine see it, and what they say to it.

In: what a hook does with it. Out: it is said to that hook's `Call`: nothing leaves before that is
stored. `rooms/host/hooks/session.py` makes connections and calls.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import orjson

from rooms.errors import TooBig, UsageError
from rooms.sync import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rooms.hooks.storage import Storage
    from rooms.sync.messages import Json
    from rooms.sync.views import Viewer

MAX_STATE: Final = 16 * 1024
"""Bytes of a connection's state, as JSON."""
MAX_TAGS: Final = 9
MAX_TAG: Final = 256
NORMAL: Final = 1000
OWN_CODES: Final = range(3000, 5000)
"""What an application may close with (RFC 6455, 7.4.2)."""

Said = str | bytes | Mapping[str, Any]


class Payload(NamedTuple):
    """What a room says: the message that carries it, and the same for who takes it as it is."""

    message: dict[str, Json]
    raw: str | bytes


def payload(said: Said) -> Payload:
    """What a hook wants to say, copied.

    Raises:
        UsageError: it is neither an event nor text nor bytes.
        TooBig: it has over 64 KiB.
    """
    if isinstance(said, str | bytes):
        _check_size(said)
        return Payload(messages.emitted(enveloped(said)), said)
    if not isinstance(said, Mapping) or not isinstance(said.get("type"), str):
        raise UsageError("a message is an event (a dict with a string `type`), or text, or bytes")
    try:
        data = orjson.dumps(dict(said))
    except TypeError as error:
        raise UsageError(f"the message isn't JSON data: {error}") from error
    _check_size(data)
    return Payload(messages.emitted(orjson.loads(data)), data.decode())


def _check_size(said: str | bytes) -> None:
    size = len(said.encode() if isinstance(said, str) else said)
    if size > messages.MAX_BYTES:
        raise TooBig("message", size, messages.MAX_BYTES)


def enveloped(said: str | bytes) -> dict[str, Json]:
    """Text or bytes as the event that stands for them where there are only events."""
    if isinstance(said, str):
        return {"type": "message", "data": said}
    return {"type": "message", "base64": base64.b64encode(said).decode()}


class Call(Protocol):
    """A hook that runs, as its room and connections use it: what it does counts once it has ended
    well. A `channel` is what the host has of a connection.
    """

    @property
    def storage(self) -> Storage: ...
    @property
    def now(self) -> int: ...
    def connections(self, tag: str | None = None) -> list[Connection]: ...
    def broadcast(
        self, message: Said, exclude: Connection | str | Iterable[Connection | str]
    ) -> None: ...
    def say(self, message: Said, channel: Any) -> None: ...
    def shut(self, channel: Any, code: int, reason: str) -> None: ...
    def changes(self, connection: Connection, before: bytes | None) -> None: ...


class Connection:
    """One connection of a room without a machine.

    `id` is its name for its whole life, through sleep and moves of the room; random, and no secret.
    Who is behind it is `viewer`. `tags` are what the room's `tags` said.
    """

    __slots__ = ("_call", "_channel", "_state", "_viewer", "id", "tags", "welcome")

    def __init__(
        self,
        call: Callable[[], Call],
        viewer: Viewer,
        channel: Any,
        id: str,
    ) -> None:
        self._call = call
        self._viewer = viewer
        self._channel = channel
        self._state: bytes | None = None
        self.id = id
        self.tags: tuple[str, ...] = ()
        self.welcome = False
        """Whether `on_connect` has let it in."""

    def __repr__(self) -> str:
        return f"<Connection {self.id} of {self.viewer.id}>"

    @property
    def viewer(self) -> Viewer:
        """Who is behind it, as they are now."""
        known = None if self._channel is None else self._channel.viewer
        return known or self._viewer

    @property
    def state(self) -> Any:
        """What `set_state` was given last, None before; a copy."""
        return None if self._state is None else orjson.loads(self._state)

    def set_state(self, state: Any) -> Any:
        """Keep JSON data of at most 16 KiB for this connection: as long as it lives, through sleep,
        moves and the end of the room's process. A function gets the present state. Returns it.

        Raises:
            UsageError: it isn't JSON, or is too big.
        """
        state = state(self.state) if callable(state) else state
        try:
            data = orjson.dumps(state)
        except TypeError as error:
            raise UsageError(f"a connection's state is JSON data: {error}") from error
        if len(data) > MAX_STATE:
            raise UsageError(f"a connection's state has {len(data)} bytes; {MAX_STATE} is the most")
        self._call().changes(self, self._state)
        self._state = data
        return self.state

    def send(self, message: Said) -> None:
        """Send it a message, once what this hook wrote is stored: an event (`room.emitted` on the
        wire), or text or bytes. At `/parties` an event goes out as JSON text, the others as they
        are; elsewhere text is the event `{"type": "message", "data": …}`, and bytes the same with
        `base64`.

        Raises:
            UsageError: it is none of these.
        """
        if self._channel is not None:
            self._call().say(message, self._channel)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, once what this hook wrote is stored; it isn't asked to come back. `code` is
        1000 or 3000 to 4999.

        Raises:
            UsageError: no application may close with this code.
        """
        if code != NORMAL and code not in OWN_CODES:
            raise UsageError("an application closes with 1000, or 3000 to 4999")
        if self._channel is not None:
            self._call().shut(self._channel, code, reason)

    # ------------------------------------------------------------------ for the room

    def restore(self, kept: Mapping[str, Json]) -> None:
        """Be the connection of before, by what was kept of it."""
        self.id, self.tags, self.welcome = kept["id"], tuple(kept["tags"]), True
        self._state = None if kept["state"] is None else orjson.dumps(kept["state"])

    def kept(self) -> dict[str, Json]:
        """What outlives this incarnation of the room."""
        return {"id": self.id, "tags": list(self.tags), "state": self.state}

    def back(self, state: bytes | None) -> None:
        """The state of before: the hook that set another one has failed."""
        self._state = state

    @property
    def channel(self) -> Any:
        """The host's side; None: a plain HTTP request."""
        return self._channel


def checked_tags(tags: Any) -> tuple[str, ...]:
    """The tags that an author's `tags` gave.

    Raises:
        UsageError: too many, or what can't be one.
    """
    given: tuple[Any, ...] = (tags,) if isinstance(tags, str) else tuple(tags)
    good = all(isinstance(tag, str) and 0 < len(tag) <= MAX_TAG for tag in given)
    if len(given) > MAX_TAGS or not good:
        raise UsageError(f"a connection has at most {MAX_TAGS} tags of 1 to {MAX_TAG} characters")
    return given
