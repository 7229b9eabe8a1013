"""What goes into a room's turn, and what comes out of it, as values.

In: what stands in the mailbox. Out: deeds (effects with the snapshot of their place) and what is to
be told, both kept until everything before them is durable. `rooms/host/room.py` makes turns,
`rooms/host/commits.py` keeps them, `rooms/host/opening.py` lets them happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from rooms.host.channels import Heard, Wanted

if TYPE_CHECKING:
    from rooms.errors import Closing
    from rooms.hooks.connection import Payload
    from rooms.host.ask import Ask, Response
    from rooms.host.channels import Channel, Client
    from rooms.host.marks import Outcome
    from rooms.host.outbox import Entry
    from rooms.sync.messages import Json
    from rooms.sync.views import Viewer
    from rooms.tracing import Traced
    from runtime import Effect, Event, SystemSnapshot

# ------------------------------------------------------------------ in


class Enter(NamedTuple):
    """A channel wants to be let in."""

    channel: Channel


class Leave(NamedTuple):
    """A channel is gone."""

    channel: Channel


class Renewed(NamedTuple):
    """A channel's viewer has another role or other claims."""

    channel: Channel
    viewer: Viewer


class Delivered(NamedTuple):
    """An outside actor (a coroutine, a callback, a stream) sent something to the system."""

    address: str
    event: Event


class Begin(NamedTuple):
    """An effect of the outbox is due for another attempt, which is to be counted first."""

    entry: Entry


class Performed(NamedTuple):
    """An attempt at an effect of the outbox has ended.

    `value` is its output when it is done, the error otherwise. `rejected`: the other room said no;
    `unreachable`: it couldn't be asked.
    """

    entry: Entry
    ending: Literal["done", "failed", "rejected", "unreachable"]
    value: Json


Item = Enter | Leave | Heard | Wanted | Renewed | Delivered | Begin | Performed
"""What waits in a mailbox; `Ask` (plain HTTP) waits there too."""


# ------------------------------------------------------------------ out


class Settled(NamedTuple):
    """The outcome of a client's numbered event."""

    client: Client
    seq: int
    outcome: Outcome


class Again(NamedTuple):
    """An outcome of before is asked for again."""

    client: Client
    seq: int


class Entered(NamedTuple):
    """A channel is let in."""

    channel: Channel


class Say(NamedTuple):
    """A message for one channel."""

    channel: Channel
    message: dict[str, Json]


class Newest(NamedTuple):
    """A channel is to be told the newest view after `cursor`, whole when that is None; then the
    outcomes after `settled`, none when that is None; and who is `present`.
    """

    channel: Channel
    cursor: str | None
    settled: int | None
    present: bool = False


class Rekeyed(NamedTuple):
    """A channel may have to see another view."""

    channel: Channel


class Shut(NamedTuple):
    """A channel is to be closed."""

    channel: Channel
    closing: Closing


class Answered(NamedTuple):
    """A plain request has its answer: a view, with an outcome where it brought an event."""

    ask: Ask
    outcome: Outcome | None


class Denied(NamedTuple):
    """A plain request is refused."""

    ask: Ask
    refused: Closing


class Sent(NamedTuple):
    """What a hook said, to `channels`, or to everybody but those `without`."""

    payload: Payload
    channels: tuple[Channel, ...] | None
    without: frozenset[int]


class Remembered(NamedTuple):
    """What is kept for a channel, so that the next incarnation knows its connection again."""

    channel: Channel
    kept: dict[str, Json]


class Responded(NamedTuple):
    """A plain request has the answer of a hook."""

    ask: Ask
    response: Response


Told = (
    Settled
    | Again
    | Entered
    | Say
    | Newest
    | Rekeyed
    | Shut
    | Answered
    | Denied
    | Sent
    | Remembered
    | Responded
)


class Turn:
    """What one turn did: nobody sees any of it before it is durable. `now` is the store's time when
    it began, or was gone on with (ms).
    """

    __slots__ = ("deeds", "now", "told", "traced")

    def __init__(self, now: int) -> None:
        self.now = now
        self.deeds: list[tuple[tuple[Effect, ...], SystemSnapshot]] = []
        self.told: list[Told] = []
        self.traced: list[Traced] | None = None
