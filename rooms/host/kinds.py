"""Kinds: what is worked out once for each kind of room an application has.

In: the author's `Room` classes. Out: the seat events their machine names, how events are validated,
who is let to the door.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Final

from rooms.definition import Door, Room
from rooms.errors import CloseCode, Closing, UsageError
from rooms.hooks import hooks_of
from rooms.host.seats import SEAT_EVENTS
from rooms.sync.views import Viewer
from runtime import StateMachine
from runtime.schema import event_check
from runtime.statechart.events import matches_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.link.protocol import Attach, Json, Request

logger = logging.getLogger(__name__)

MAX_AUTHENTICATION: Final = 10
"""How long the author's `authenticate` may take (s)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of room. `authenticates` and `answers_requests`: the author wrote these hooks.
    `validate` gives what is wrong with an event's shape, or None. `hooks`: those that the author of
    a room without a machine wrote.
    """

    name: str
    room: type[Room]
    heard: frozenset[str]
    validate: Callable[[Mapping[str, Any]], str | None]
    authenticates: bool
    answers_requests: bool
    hooks: frozenset[str] = frozenset()

    async def identify(self, asked: Attach | Request) -> Viewer:
        """Who is at the door, by the author's own rule.

        Raises:
            Closing: 4401, nobody who may come in; 1013, the rule took too long.
        """
        door = Door(
            kind=asked.kind,
            session=asked.session,
            viewer=viewer(asked.viewer),
            token=asked.token,
            params=asked.params,
            headers=asked.headers,
        )
        try:
            given = await asyncio.wait_for(self.room.authenticate(door), MAX_AUTHENTICATION)
            known = _identified(given)
        except TimeoutError:
            logger.warning("%s: authenticate took over %d s", self.name, MAX_AUTHENTICATION)
            raise Closing(CloseCode.OVERLOADED, "who you are took too long to tell") from None
        except Exception as error:
            logger.exception("%s: authenticate raised", self.name)
            raise Closing(CloseCode.UNAUTHENTICATED, "who you are can't be told") from error
        if known is None:
            raise Closing(CloseCode.UNAUTHENTICATED, "you are not let in")
        return known


def kind(name: str, room: type[Room]) -> Kind:
    """Work out what is to be known of a kind."""
    machine = room.machine
    named = [event for event in getattr(machine, "events", ()) if event != "*"]
    return Kind(
        name=name,
        room=room,
        heard=frozenset(
            event for event in SEAT_EVENTS if any(matches_descriptor(event, d) for d in named)
        ),
        validate=event_check(machine) if isinstance(machine, StateMachine) else _anything,
        authenticates=getattr_static(room, "authenticate") is not vars(Room)["authenticate"],
        answers_requests=room.on_request is not Room.on_request,
        hooks=hooks_of(room) if machine is None else frozenset(),
    )


def _identified(given: Any) -> Viewer | None:
    """Who an author says it is. Raises UsageError: that can't be a viewer."""
    if given is None:
        return None
    if not isinstance(given, Viewer):
        raise UsageError(f"authenticate gives a Viewer, or None, not {given!r:.80}")
    if not isinstance(given.id, str) or not given.id or not isinstance(given.role, str):
        raise UsageError(f"id and role of a viewer are text: {given.id!r:.80}, {given.role!r:.80}")
    return given


def _anything(event: Mapping[str, Any]) -> None:
    """Logic that declares no events takes any."""


def viewer(data: dict[str, Json]) -> Viewer:
    """The viewer as the link carries it."""
    return Viewer(data["id"], data.get("role") or "player", data.get("claims") or {})
