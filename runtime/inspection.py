"""Inspection: what a system tells those who watch it, as XState's `@xstate.…` events.

A system has no inspector until somebody inspects; until then every place that reports here costs
one `is None`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .observers import Subscription

if TYPE_CHECKING:
    from .observers import Observer
    from .statechart.plan import Plan
    from .statechart.scope import Event

#: `@xstate.actor`, `.event`, `.snapshot`, `.microstep` or `.action`, with XState's fields.
InspectionEvent = dict[str, Any]


class Inspector:
    """Turns what happens in one system into inspection events for its observers."""

    __slots__ = ("_observers", "_root_id")

    def __init__(self, root_id: str) -> None:
        self._root_id = root_id
        self._observers: list[Observer] = []

    def observe(self, observer: Observer) -> Subscription:
        """Add an observer."""
        return Subscription(self._observers, observer)

    def actor(self, actor: Any) -> None:
        """An actor was made."""
        self._tell({"type": "@xstate.actor", "actorRef": actor})

    def event(self, source: Any, target: Any, event: Event) -> None:
        """An event is on its way; `source` is None when it comes from outside."""
        self._tell(
            {"type": "@xstate.event", "sourceRef": source, "actorRef": target, "event": event}
        )

    def snapshot(self, actor: Any, event: Event, snapshot: Any) -> None:
        """An actor has processed an event."""
        self._tell(
            {"type": "@xstate.snapshot", "actorRef": actor, "event": event, "snapshot": snapshot}
        )

    def microstep(self, actor: Any, snapshot: Any, event: Event, plan: Plan | None) -> None:
        """A machine has taken one microstep: not told of the one that enters the root."""
        if plan is snapshot.configuration.chart.initial_plan:
            return
        self._tell(
            {
                "type": "@xstate.microstep",
                "actorRef": actor,
                "event": event,
                "snapshot": snapshot,
                "_transitions": [] if plan is None else list(plan.selected),
            }
        )

    def action(self, actor: Any, type: str, params: Any) -> None:
        """An action is about to be carried out."""
        self._tell(
            {
                "type": "@xstate.action",
                "actorRef": actor,
                "action": {"type": type, "params": params},
            }
        )

    def _tell(self, event: InspectionEvent) -> None:
        event["rootId"] = self._root_id
        for observer in self._observers:
            if observer.next is not None:
                observer.next(event)
