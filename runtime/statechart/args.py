"""`args`: what every user function is given. One object serves all functions of a microstep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .scope import ContextT, EventT, Generic, InputT

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from .scope import ActorRef, Scope


class Args(Generic[ContextT, EventT]):
    """`context event self system now random`, and None for what doesn't apply."""

    __slots__ = ("_now", "_scope", "context", "event")

    input: Any = None
    _now: float

    def __init__(self, context: ContextT, event: EventT, scope: Scope) -> None:
        self.context = context
        self.event = event
        self._scope = scope

    def keep(self) -> Args[ContextT, EventT]:
        """A copy that later actions of the microstep don't touch, for those who may keep it."""
        kept = Args(self.context, self.event, self._scope)
        kept._now = self._scope.now()
        return kept

    @property
    def self(self) -> Any:
        """The actor itself."""
        return self._scope

    @property
    def system(self) -> Any:
        """The actor system: `get(system_id)`, `get_all()`."""
        return self._scope.system

    @property
    def now(self) -> float:
        """Milliseconds since the epoch of the actor's clock, fixed for the macrostep."""
        try:
            return self._now
        except AttributeError:
            return self._scope.now()

    @property
    def random(self) -> Random:
        """The system's own generator, seeded from its persisted state."""
        return self._scope.random()

    @property
    def spawn(self) -> Callable[..., ActorRef] | None:
        """Within `assign` and `context`: make and start a child, keep its ref."""
        return None


class StepArgs(Args[ContextT, EventT]):
    """The args of a microstep in progress: `assign` moves `context` on, and may spawn."""

    __slots__ = ()

    @property
    def spawn(self) -> Callable[..., ActorRef]:
        """`spawn(src, id=, input=, system_id=, sync_snapshot=)` → the child's ref."""

        def spawn(
            src: Any,
            *,
            id: str | None = None,
            input: Any = None,
            system_id: str | None = None,
            sync_snapshot: bool | None = None,
        ) -> ActorRef:
            given = input(self) if callable(input) else input
            return self._scope.spawn(src, id, given, system_id, sync_snapshot, in_place=True)

        return spawn


class ContextArgs(StepArgs[Any, Any], Generic[InputT]):
    """The args of a machine's `context` function."""

    __slots__ = ("input",)

    input: InputT

    def __init__(self, event: Any, scope: Scope, input: InputT) -> None:
        super().__init__(None, event, scope)
        self.input = input
