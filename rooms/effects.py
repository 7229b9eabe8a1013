"""Durable effects, as an author writes them: the machine's actions that ask for one, and what the
function that performs it is given.

`rooms/host/outbox.py` keeps them, `rooms/host/courier.py` performs them.
"""

from __future__ import annotations

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

    def declared(args: Any, given: Any) -> dict[str, Json]:
        return {"name": name, "params": given if params is None else _value(params, args, given)}

    return declare(EFFECT)(declared)


def send_to_room(kind: Any, session: Any, event: Any) -> Any:
    """An action: send an event to another room of the same App, exactly once in effect.

    Each argument is a value or a function of (args, params). The event comes to the other machine
    with `sender` `room:{kind}/{session}`, the names of this room, in the order in which this room
    sends to that one. It wakes the other room, or makes it.
    """

    def declared(args: Any, given: Any) -> dict[str, Json]:
        values = (_value(value, args, given) for value in (kind, session, event))
        return dict(zip(("kind", "session", "event"), values, strict=True))

    return declare(SEND)(declared)


def _value(value: Any, args: Any, given: Any) -> Any:
    return value(args, given) if callable(value) else value
