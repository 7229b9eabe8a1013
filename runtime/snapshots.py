"""Snapshots of actors that aren't machines, and how the runtime reads those of any logic."""

from __future__ import annotations

from typing import Any


class ActorSnapshot:
    """The snapshot of an actor that isn't a machine. Never changed: `replace` makes another one."""

    __slots__ = ("context", "error", "input", "output", "status")

    def __init__(
        self,
        status: str = "active",
        *,
        context: Any = None,
        output: Any = None,
        error: Any = None,
        input: Any = None,
    ) -> None:
        self.status = status
        self.context = context
        self.output = output
        self.error = error
        self.input = input

    def replace(self, **changes: Any) -> ActorSnapshot:
        """The same snapshot with some fields changed."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return ActorSnapshot(**{**fields, **changes})

    def __repr__(self) -> str:
        return f"<ActorSnapshot {self.status} context={self.context!r} output={self.output!r}>"


def field(snapshot: Any, name: str) -> Any:
    """A field of a snapshot, which custom logic may make as an object or as a dict."""
    return snapshot.get(name) if snapshot.__class__ is dict else getattr(snapshot, name, None)
