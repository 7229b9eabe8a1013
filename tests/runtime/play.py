"""How the tests of statecharts play them: on a simulated clock, leaving a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime import SimulatedClock, create_actor, create_machine

if TYPE_CHECKING:
    from runtime import Actor


def note(trace: list[str], what: str) -> Any:
    """An action that leaves a trace."""
    return lambda args, params: trace.append(what)


def started(config: dict[str, Any], **implementations: Any) -> Actor:
    """A started actor on a simulated clock."""
    machine = create_machine(config, implementations)
    return create_actor(machine, clock=SimulatedClock()).start()


def value_after(config: dict[str, Any], *types: str, **implementations: Any) -> Any:
    """The state value after events of these types."""
    actor = started(config, **implementations)
    for event_type in types:
        actor.send({"type": event_type})
    return actor.get_snapshot().value
