"""`setup`: types and implementations given once, then machines made with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from .machine import StateMachine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import TypeVar

    ContextT = TypeVar("ContextT", default=Any)
    EventT = TypeVar("EventT", default=Any)
else:
    from typing import TypeVar

    ContextT = TypeVar("ContextT")
    EventT = TypeVar("EventT")


class Setup(Generic[ContextT, EventT]):
    """Declared actions, guards, delays, actors and schemas. `setup[Context, Event](...)` gives them
    types.
    """

    def __init__(
        self,
        *,
        actions: Mapping[str, Any] | None = None,
        guards: Mapping[str, Any] | None = None,
        delays: Mapping[str, Any] | None = None,
        actors: Mapping[str, Any] | None = None,
        context: Any = None,
        events: Any = None,
        input: Any = None,
        output: Any = None,
        emitted: Any = None,
        schemas: Mapping[str, Any] | None = None,
    ) -> None:
        self._implementations = {
            "actions": dict(actions or {}),
            "guards": dict(guards or {}),
            "delays": dict(delays or {}),
            "actors": dict(actors or {}),
        }
        given = {
            "context": context,
            "events": events,
            "input": input,
            "output": output,
            "emitted": emitted,
        }
        self._schemas = dict(schemas or {}) | {
            name: schema for name, schema in given.items() if schema is not None
        }

    def create_machine(
        self, config: Mapping[str, Any], *, incomplete: bool = False
    ) -> StateMachine:
        """A machine with these implementations. Raises DefinitionError."""
        return StateMachine(
            config, self._implementations, schemas=self._schemas, incomplete=incomplete
        )

    def extend(
        self,
        *,
        actions: Mapping[str, Any] | None = None,
        guards: Mapping[str, Any] | None = None,
        delays: Mapping[str, Any] | None = None,
        actors: Mapping[str, Any] | None = None,
    ) -> Setup[ContextT, EventT]:
        """The same with more, or other, implementations."""
        more = {"actions": actions, "guards": guards, "delays": delays, "actors": actors}
        extended: Setup[ContextT, EventT] = Setup(schemas=self._schemas)
        extended._implementations = {
            kind: {**known, **(more[kind] or {})} for kind, known in self._implementations.items()
        }
        return extended


#: XState's spelling; `setup[Context, Event](...)` where types are wanted.
setup = Setup
