"""What a router and a host say to each other, as values that encode (PURE).

One message a thing that happens; every field is what msgpack can carry, so that the pair of queues
in one process and the socket between machines are the same path. A *channel* is a connection at one
host: the router numbers it anew when it goes to another, so that what names a former number reaches
nobody. A *lane* is everybody on one host who sees the same bytes (room, view key, codec), numbered
by the host. Messages of one link keep their order.

Next inward: `rooms/host/host.py`; next outward: `rooms/router/routing.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgpack
import orjson

if TYPE_CHECKING:
    from rooms.errors import Closing

FORWARDED_WITHIN: Final = 30
"""How long a host waits for the answer to a `Request` of its own, and a router tries (s)."""

Json = Any  # plain JSON data: dict, list, str, int, float, bool, None


_BY_TAG: Final[dict[str, type[Message]]] = {}


class Message:
    """One thing said over a link. `tag`, its class's name, names it on the wire; fields travel in
    order.
    """

    __slots__: tuple[str, ...] = ()
    tag: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.tag = cls.__name__.lower()
        _BY_TAG[cls.tag] = cls  # `dataclass` makes the class again, to give it slots: that one


# ------------------------------------------------------------------ router → host


@dataclass(slots=True)
class Attach(Message):
    """A connection wants its session, or is put before a new incarnation of it (`greeted`).

    `viewer` is who the door says it is ({"id","claims","role"}); a kind with its own `authenticate`
    gets it with `token`, `params` and `headers` and may say otherwise. `cursor` is what the
    connection holds. `renewed` is a token for `viewer` that the client should keep; `settled` the
    highest outcome it was told. `operator`: who runs the server watches, as `viewer` would.
    `opened` is when it was let in at the door (ms, the store's time).
    """

    channel: int
    kind: str
    session: str
    viewer: dict[str, Json]
    client: str | None
    since: int | None
    cursor: str | None
    codec: str
    create: bool
    token: str | None = None
    renewed: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    attachment: Json = None
    greeted: bool = False
    settled: int = 0
    operator: bool = False
    opened: int = 0


@dataclass(slots=True)
class Said(Message):
    """A client's message, parsed and within the door's limits (`rooms.sync.messages.read`); `trace`
    is the `traceparent` of its way, where there are traces.
    """

    channel: int
    message: dict[str, Json]
    trace: str | None = None


@dataclass(slots=True)
class Detach(Message):
    """The socket is gone (or was told to go); or it is `moved`, and goes on at another host."""

    channel: int
    moved: bool = False


@dataclass(slots=True)
class Want(Message):
    """A channel that missed frames (it was slow, or wasn't at a fan-out's base) asks for what is
    newest: the view after `cursor`, then the outcomes after `settled`, and who is `present` when it
    missed a word of that.
    """

    channel: int
    cursor: str | None
    settled: int
    present: bool


@dataclass(slots=True)
class Request(Message):
    """A plain HTTP request on a room. `path` is what follows the session ("" or "/…"); an empty
    `session` is about all of a kind, an empty `kind` about everything. `operator`: it comes from
    who runs the server, and asks for what nobody else may. `letter`: it is an event of another room
    (`rooms/host/post.py`): whose host asks a router, which asks the host that has the session.
    """

    request: int
    kind: str
    session: str
    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    viewer: dict[str, Json] = field(default_factory=dict)
    token: str | None = None
    create: bool = False
    operator: bool = False
    letter: Json = None


@dataclass(slots=True)
class Gathered(Message):
    """Every connection that this router has for the session is put before this incarnation of it:
    the answer to a `Live` that asks for it.
    """

    kind: str
    session: str
    epoch: int


# ------------------------------------------------------------------ host → router


@dataclass(slots=True)
class Hosted(Message):
    """The first thing that a host says: each kind it has rooms of, with whether that has an
    `authenticate` of its own; and the folder of the application's pages.
    """

    kinds: dict[str, bool]
    pages: str | None


@dataclass(slots=True)
class Leaving(Message):
    """This host is going: bring it no session any more. What it has is released one by one
    (`Asleep`), and to be attached elsewhere at once.
    """


@dataclass(slots=True)
class Elsewhere(Message):
    """What was asked for a channel or by a request of this number wasn't taken here: it goes where
    the session is, the host at `address`. None: to any other.
    """

    number: int
    address: str | None


@dataclass(slots=True)
class Unheard(Message):
    """A plain message that this host was too late to handle: for the next one."""

    channel: int
    message: dict[str, Json]


@dataclass(slots=True)
class Live(Message):
    """The session has an incarnation here: attach the channels you have for it; and say when that
    is done where it waits for them (`gather`).
    """

    kind: str
    session: str
    epoch: int
    gather: bool = False


@dataclass(slots=True)
class Asleep(Message):
    """The session's incarnation ended cleanly: keep the sockets; the next message wakes it."""

    kind: str
    session: str
    epoch: int


@dataclass(slots=True)
class Joined(Message):
    """The channel is let in by the incarnation of this epoch, and hears what goes to `lane` from
    now on (also when its lane changes).
    """

    channel: int
    lane: int
    epoch: int = 0


@dataclass(slots=True)
class Tell(Message):
    """Bytes for one channel. `cursor`: it then holds that view. `seq`: it's that outcome. `again`:
    it is to send its numbered messages again from here on.
    """

    channel: int
    data: bytes
    cursor: str | None = None
    seq: int | None = None
    again: int | None = None


@dataclass(slots=True)
class Fanout(Message):
    """Bytes for a lane, once. With a `base`: the step of a view, for channels that hold `base`, the
    others ask (`Want`). Without: for every channel of the lane (an emitted event).
    """

    lane: int
    base: str | None
    cursor: str | None
    data: bytes


@dataclass(slots=True)
class Moment(Message):
    """Volatile messages by their names, for a lane or for one channel in it. Of each name only the
    newest counts: that is all that a channel which was slow is told. What is named `PRESENT` is
    part of a whole that it has to ask for (`Want`).
    """

    lane: int
    channel: int | None
    named: dict[str, bytes]


PRESENT = "present"
"""The name of what is told of presence; no volatile event has it."""


@dataclass(slots=True)
class Keep(Message):
    """Keep this attachment for the channel, and give it back at the next `Attach`."""

    channel: int
    attachment: Json


@dataclass(slots=True)
class Close(Message):
    """Tell it `room.closing`, then close it. `retry_after` in ms; None: don't come back."""

    channel: int
    code: int
    reason: str
    retry_after: int | None

    @classmethod
    def of(cls, channel: int, closing: Closing) -> Close:
        """This channel is to be closed so."""
        return cls(channel, closing.code, closing.reason, closing.retry_after)


@dataclass(slots=True)
class Answer(Message):
    """The response to a `Request`. A header that comes several times (`set-cookie`) has a line for
    each.
    """

    request: int
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, request: int, closing: Closing) -> Answer:
        """This request is refused so."""
        headers = {"content-type": "application/json", **closing.headers}
        return cls(request, closing.code.http_status, headers, orjson.dumps(closing.body))


def encode(message: Message) -> bytes:
    """One message as msgpack: an array of its tag and its fields in order.

    Raises TypeError or ValueError for a value that the wire can't carry, which is a bug of the
    sender.
    """
    values = [message.tag, *(getattr(message, name) for name in message.__slots__)]
    packed: bytes = msgpack.packb(values, use_bin_type=True)
    return packed


def decode(data: bytes) -> Message:
    """The message that `encode` made. Raises ValueError for anything else."""
    try:
        tag, *values = msgpack.unpackb(data, raw=False, strict_map_key=False)
        return _BY_TAG[tag](*values)
    except (KeyError, TypeError, msgpack.UnpackException) as error:
        raise ValueError(f"not a link message: {error}") from error
