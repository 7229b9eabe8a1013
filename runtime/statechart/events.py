"""Event types: XState's own names, and how a descriptor such as `order.*` matches them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runtime.errors import EventError

if TYPE_CHECKING:
    from .scope import Event

INIT = "xstate.init"
STOP = "xstate.stop"
ERROR = "xstate.error"
AFTER = "xstate.after."
WILDCARD = "*"
#: What a host tells a machine of itself; only those hear it who name it.
HOST_EVENTS = "room."


def after_event_type(delay: float | str, node_id: str) -> str:
    """The type of the event that a delayed transition waits for."""
    return f"{AFTER}{number_text(delay)}.{node_id}"


def done_state_event(node_id: str, output: Any) -> Event:
    """A compound or parallel state has reached its end."""
    return {"type": f"xstate.done.state.{node_id}", "output": output}


def done_actor_event(actor_id: str, output: Any) -> Event:
    """A child has finished."""
    return {"type": f"xstate.done.actor.{actor_id}", "output": output, "actorId": actor_id}


def error_actor_event(actor_id: str, error: Any) -> Event:
    """A child has failed."""
    return {"type": f"xstate.error.actor.{actor_id}", "error": error, "actorId": actor_id}


def snapshot_event(actor_id: str, snapshot: Any) -> Event:
    """A child whose snapshots are synced has a new one."""
    return {"type": f"xstate.snapshot.{actor_id}", "snapshot": snapshot}


def matches_descriptor(event_type: str, descriptor: str) -> bool:
    """Whether a descriptor (`a.b`, `a.*` or `*`) covers the event type; `a.*` covers `a` too.

    A bare `*` doesn't cover what the host says of itself (`room.joined` and the like).
    """
    if descriptor == event_type:
        return True
    if descriptor == WILDCARD:
        return not event_type.startswith(HOST_EVENTS)
    if not descriptor.endswith(".*"):
        return False
    prefix = descriptor[:-2]
    if WILDCARD in prefix.split("."):
        return False
    return event_type == prefix or event_type.startswith(prefix + ".")


def assert_event(event: Event, types: str | list[str]) -> None:
    """Raise `EventError` unless the event has one of these types; wildcards work."""
    descriptors = [types] if isinstance(types, str) else types
    if not any(matches_descriptor(event["type"], descriptor) for descriptor in descriptors):
        expected = '", "'.join(descriptors)
        kind = "type matching" if len(descriptors) == 1 else "one of types matching"
        raise EventError(
            f'Expected event {json.dumps(event, default=repr)} to have {kind} "{expected}"'
        )


def number_text(number: float | str) -> str:
    """A number as JavaScript writes it (`1000`, not `1000.0`); text stays as it is."""
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    return str(number)
