"""What a host and the process of one of its rooms say to each other, as values that encode (PURE).

In the process lives a host of its own, of this one room. What it and the routers say to each other
goes through the host that has the links; so do its calls of the store. Link messages themselves are
those of `rooms/link/protocol.py`. Next inward: `rooms/alone.py`; next outward:
`rooms/host/tenant.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from rooms.link import protocol
from rooms.link.stream import Speech
from rooms.store import remote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rooms.link.protocol import Message

# ------------------------------------------------------------------ to the process


class Orders(NamedTuple):
    """The first thing that it hears: whose room it is to be, and in the name of which incarnation.

    `first` is where the numbers begin that it gives to lanes and letters, so that no other process
    of the host gives the same. `condemned` is what processes before it died of, and how; `careful`:
    there were some.
    """

    kind: str
    session: str
    incarnation: str
    first: int
    condemned: dict[str, str]
    careful: bool


class Met(NamedTuple):
    """There is a router, which has this number from now on; or none any more."""

    router: int
    here: bool


class Wake(NamedTuple):
    """Somebody wants the room, who doesn't wait for an answer."""


class Drain(NamedTuple):
    """The host is going: give the room back."""


class Returned(NamedTuple):
    """What came of a call of the store: a value, or an error."""

    call: int
    value: Any


# ------------------------------------------------------------------ from the process


class Called(NamedTuple):
    """A call of the store."""

    call: int
    method: str
    arguments: Sequence[Any]
    named: Mapping[str, Any]


class Resting(NamedTuple):
    """Its room is asleep and nothing goes on in it, so that it may end; unless it was sent more
    than the `taken` messages (`Passed`, `Wake`) that it knows of.
    """

    taken: int


class Counted(NamedTuple):
    """What its tally has grown by, and how many durable effects its room owes now: those that wait,
    and those that failed for good.
    """

    grown: Sequence[float]
    waiting: int
    dead: int


# ------------------------------------------------------------------ both ways


class Passed(NamedTuple):
    """A link message of the router with this number, or for it."""

    router: int
    message: Message


Line = Orders | Met | Wake | Drain | Returned | Called | Resting | Counted | Passed

_LINES: Final[tuple[Any, ...]] = get_args(Line)
_CODES: Final = {line: code for code, line in enumerate(_LINES)}


def _encode(line: Line) -> bytes:
    values: Sequence[Any] = line
    if type(line) is Passed:
        values = line.router, protocol.encode(line.message)
    return remote.encode([_CODES[type(line)], *values])


def _decode(data: bytes) -> Line:
    try:
        code, *values = remote.decode(data)
        if _LINES[code] is Passed:
            values[1] = protocol.decode(values[1])
        line: Line = _LINES[code](*values)
    except (TypeError, IndexError) as error:
        raise ValueError(f"no line of a room's process: {error}") from error
    return line


LINES: Final = Speech[Line](_encode, _decode)
