"""Durable effects, as an author writes them: the machine's actions that ask for one, and what the
function that performs it is given.

`rooms/host/outbox.py` keeps them, `rooms/host/courier.py` performs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from runtime import declare

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from rooms.sync.messages import Json

EFFECT: Final = "rooms.effect"
SEND: Final = "rooms.send_to_room"


class Attempt(NamedTuple):
    """One attempt at a durable effect.

    `key` is the same at every attempt and no other effect's, ever: give it to whoever can tell a
    repeat by it. `number` counts from 1, also over restarts. `epoch` grows with each incarnation
    of the session: a later one's attempt has a higher epoch, or the same and a higher number.
    """

    key: str
    number: int
    epoch: int


class EffectFunction(Protocol):
    """Performs an effect. What it returns is JSON data; what it raises is tried again."""

    def __call__(self, room: Any, params: Any, attempt: Attempt, /) -> Awaitable[Json]: ...


def effect(name: str, params: Any = None) -> Any:
    """An action: perform the room's effect of this name, durably.

    It is written with the transition and performed after its commit, at least once, by
    `Room.effects[name]`. `params` is JSON data or a function of (args, params) that gives it;
    without it the action's own params are taken.
    """

    return declare(EFFECT)(Wanted(name, params))


def send_to_room(kind: Any, session: Any, event: Any) -> Any:
    """An action: send an event to another room of the same App, exactly once in effect.

    Each argument is a value or a function of (args, params). The event comes to the other machine
    with `sender` `room:{kind}/{session}`, the names of this room, in the order in which this room
    sends to that one. It wakes the other room, or makes it.
    """

    return declare(SEND)(Addressed(kind, session, event))


@dataclass(frozen=True, slots=True)
class Wanted:
    """An effect as an action declares it. Called within the step, it gives what is stored."""

    name: str
    params: Any

    def __call__(self, args: Any, given: Any) -> dict[str, Json]:
        """`given` are the action's own params."""
        params = given if self.params is None else _value(self.params, args, given)
        return {"name": self.name, "params": params}


@dataclass(frozen=True, slots=True)
class Addressed:
    """An event for another room as an action declares it. Called as `Wanted` is."""

    kind: Any
    session: Any
    event: Any

    def __call__(self, args: Any, given: Any) -> dict[str, Json]:
        """`given` are the action's own params."""
        values = (_value(value, args, given) for value in (self.kind, self.session, self.event))
        return dict(zip(("kind", "session", "event"), values, strict=True))


def _value(value: Any, args: Any, given: Any) -> Any:
    return value(args, given) if callable(value) else value
