"""The snapshot of a machine: immutable, slotted, cheap to make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scope import ActorRef, Event


class Snapshot:
    """The value of a machine actor at one moment. Treat as immutable."""

    __slots__ = ("children", "context", "error", "output", "status", "tags", "value")

    value: Any
    context: Any
    status: str
    tags: frozenset[str]
    output: Any
    error: Any
    children: dict[str, ActorRef]

    def matches(self, value: Any) -> bool:
        """Whether the state value lies within `value`, a string or a nested dict."""
        raise NotImplementedError

    def has_tag(self, tag: str) -> bool:
        """Whether an active state has this tag."""
        raise NotImplementedError

    def can(self, event: Event) -> bool:
        """Whether the event would take a transition that isn't forbidden."""
        raise NotImplementedError

    def get_meta(self) -> dict[str, Any]:
        """Full node id → `meta` of every active state that has one."""
        raise NotImplementedError
