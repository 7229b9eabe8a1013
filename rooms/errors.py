"""Every error of the realtime server, and what it tells the caller to do.

RoomsError
├── UsageError          the author or operator wrote what can't work; it says what to change
├── BadMessage          a peer's message is refused; the connection stays (`room.error`)
├── Closing             a connection is refused or ended; says whether to come back
├── Unstorable          a machine's state can't be stored: the event that made it so is refused
│   └── TooBig          a state, view, answer or emitted event is larger than the kind allows
├── Leak                viewers who mustn't know a secret can tell it from what they are sent
├── PatchError          a patch doesn't fit the view it was given; ask for the whole view
├── LinkError           another process can't be reached or understood; its link has ended
└── StoreError
    ├── StoreLocked     another process has the file; nothing was opened
    ├── Fenced          another host owns the session now; drop the room, write nothing
    └── UnknownOutcome  the store didn't say whether it wrote; drop the room, acquire again
"""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a connection ends (SPEC, CLOSE), and whether a client may come back. A room's own codes
    (1000, 3000 to 4999) are `CloseCode(code)` too.
    """

    GOING_AWAY = 1001
    POLICY = 1008
    TOO_BIG = 1009
    OVERLOADED = 1013
    BAD_MESSAGE = 4400
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    UNRESTORABLE = 4409
    TAKEN_OVER = 4410
    TOO_MANY = 4429

    @classmethod
    def _missing_(cls, value: object) -> CloseCode | None:
        if not isinstance(value, int) or not (value == 1000 or 3000 <= value < 5000):
            return None
        own = int.__new__(cls, value)
        own._name_, own._value_ = f"OWN_{value}", value
        return own

    @property
    def come_back(self) -> bool:
        """Whether the same client may connect again by itself, after `retry_after`."""
        return self in (CloseCode.GOING_AWAY, CloseCode.OVERLOADED, CloseCode.TOO_MANY)

    @property
    def http_status(self) -> int:
        """The status that plain HTTP gets for the same refusal."""
        return _HTTP_STATUS[self]


_HTTP_STATUS = {
    CloseCode.GOING_AWAY: 503,
    CloseCode.POLICY: 403,
    CloseCode.TOO_BIG: 413,
    CloseCode.OVERLOADED: 503,
    CloseCode.BAD_MESSAGE: 400,
    CloseCode.UNAUTHENTICATED: 401,
    CloseCode.FORBIDDEN: 403,
    CloseCode.NOT_FOUND: 404,
    CloseCode.UNRESTORABLE: 409,
    CloseCode.TAKEN_OVER: 409,
    CloseCode.TOO_MANY: 429,
}


class RoomsError(Exception):
    """The root of what this package raises on purpose."""


class UsageError(RoomsError):
    """The author or operator asked for what can't work; the message says what to change."""


class BadMessage(RoomsError):
    """A message that is refused while its connection stays: the client is told `room.error`.

    `code` is a word that programs may compare; `reason` is a sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Closing(RoomsError):
    """A connection is refused or ended: it is told `room.closing`, then closed with `code`.

    `retry_after` is in milliseconds; None means: don't come back by yourself.
    """

    def __init__(self, code: CloseCode, reason: str, retry_after: int | None = None) -> None:
        super().__init__(f"{int(code)}: {reason}")
        self.code = code
        self.reason = reason
        self.retry_after = 1000 if retry_after is None and code.come_back else retry_after

    @property
    def headers(self) -> dict[str, str]:
        """What plain HTTP is told beside the status: after how many seconds to come back."""
        if self.retry_after is None:
            return {}
        return {"retry-after": str(-(-self.retry_after // 1000))}

    @property
    def body(self) -> dict[str, int | str]:
        """What plain HTTP is told, as JSON."""
        return {"code": int(self.code), "reason": self.reason}


def taken_over() -> Closing:
    """What a connection is told after which its client, or its viewer, opened another one."""
    return Closing(CloseCode.TAKEN_OVER, "a newer connection of yours took over")


class PatchError(RoomsError):
    """An operation that doesn't fit the view: nothing was applied; ask for the whole view."""

    def __init__(self, op: object, reason: str) -> None:
        super().__init__(f"{str(op)[:200]}: {reason}")
        self.op = op
        self.reason = reason


class Unstorable(RoomsError):
    """A machine's state can't be stored; its author must keep plain JSON data in the context."""


class TooBig(Unstorable):
    """Something of a room (`what`) would have `size` bytes, and may have `most`: raise the kind's
    `max_state` or `max_view`, or keep less. An answer or emitted event has at most 64 KiB.
    `reason` is what a client may know of it: the size tells of what is hidden, too.
    """

    def __init__(self, what: str, size: int, most: int) -> None:
        self.reason = f"the room's {what} would be too big"
        super().__init__(f"{self.reason}: {size} bytes of at most {most}")


class Leak(RoomsError, AssertionError):
    """A viewer could tell a secret from what they were sent: mend the view, or what the machine
    does before their eyes. `run` is the play's seed, `place` the number of what they were sent.
    """

    def __init__(self, viewer: str, run: int, place: int, one: str, other: str) -> None:
        at = next(
            (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
            min(len(one), len(other)),
        )
        start = max(0, at - 200)
        super().__init__(
            f"{viewer} can tell the secrets apart: in the play of seed={run}, of what they were "
            f"sent number {place} differs at character {at}:\n"
            f"  …{one[start : at + 200]}\n  …{other[start : at + 200]}"
        )
        self.viewer = viewer
        self.run = run
        self.place = place


class LinkError(RoomsError):
    """Another process can't be reached, understood or believed; the link has ended, or never
    began.
    """


class StoreError(RoomsError):
    """The store couldn't do what it was asked; nothing may be assumed written."""


class StoreLocked(StoreError):
    """Another process has the store's file open; nothing was opened or changed."""

    def __init__(self, path: str, waited_ms: int) -> None:
        super().__init__(
            f"{path} is in use by another process (waited {waited_ms} ms for its lock); "
            "stop that process or name another file with --store"
        )
        self.path = path


class Fenced(StoreError):
    """Another host took the session over, or it was deleted; stop writing at once."""

    def __init__(self, kind: str, session: str, held: int, current: int | None) -> None:
        now = "is gone" if current is None else f"is at epoch {current}"
        super().__init__(f"{kind}/{session}: epoch {held} is no longer the owner; the record {now}")
        self.kind = kind
        self.session = session
        self.held = held
        self.current = current


class UnknownOutcome(StoreError):
    """The store didn't say whether it wrote: drop the room, acquire and load it again."""
