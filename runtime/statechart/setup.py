"""`setup`: types and implementations given once, then machines made with them.

`setup[Context, Event, Input, Output](...)` gives mypy the types, as many of them as are given: seen
in functions, in `create_actor`, in snapshots and in `send`; the methods that make actions are the
typed forms of the functions of the same names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import actions as builtin
from .enqueue import enqueue_actions
from .machine import StateMachine
from .scope import ContextT, EventT, Generic, InputT, OutputT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .args import Args, ContextArgs
    from .enqueue import EnqueueArgs
    from .guards import BuiltinGuard

    #: A function of (args, params).
    Function = Callable[[Args[ContextT, EventT], Any], Any]
    #: A name, or `{"type", "params"}`.
    Named = str | Mapping[str, Any]
    Plain = str | int | float | bool | Sequence[Any] | Mapping[str, Any] | None


class Setup(Generic[ContextT, EventT, InputT, OutputT]):
    """Declared actions, guards, delays, actors and schemas.

    A schema is a dict of JSON Schema, or a TypedDict, dataclass or pydantic model; `events` maps
    types to them.
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
    ) -> None:
        self._implementations = {
            "actions": dict(actions or {}),
            "guards": dict(guards or {}),
            "delays": dict(delays or {}),
            "actors": dict(actors or {}),
        }
        schemas = {
            "context": context,
            "events": events,
            "input": input,
            "output": output,
            "emitted": emitted,
        }
        self._schemas = {name: schema for name, schema in schemas.items() if schema is not None}

    def create_machine(
        self, config: Mapping[str, Any], *, incomplete: bool = False
    ) -> StateMachine[ContextT, EventT, InputT, OutputT]:
        """A machine with these implementations. Raises DefinitionError."""
        return StateMachine(
            config, self._implementations, schemas=self._schemas, incomplete=incomplete
        )

    def extend(
        self,
        *,
        actions: Mapping[str, Function[ContextT, EventT] | builtin.BuiltinAction] | None = None,
        guards: Mapping[str, Function[ContextT, EventT] | BuiltinGuard | Named] | None = None,
        delays: Mapping[str, Function[ContextT, EventT] | float] | None = None,
        actors: Mapping[str, Any] | None = None,
    ) -> Setup[ContextT, EventT, InputT, OutputT]:
        """The same with more, or other, implementations."""
        more = {"actions": actions, "guards": guards, "delays": delays, "actors": actors}
        extended: Setup[ContextT, EventT, InputT, OutputT] = Setup(**self._schemas)
        extended._implementations = {
            kind: {**known, **(more[kind] or {})} for kind, known in self._implementations.items()
        }
        return extended

    def create_state_config(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """A state's config, to be put into a machine's later."""
        return config

    def create_context(
        self, function: Callable[[ContextArgs[InputT]], ContextT]
    ) -> Callable[[ContextArgs[InputT]], ContextT]:
        """A machine's `context` function, its args and what it returns typed."""
        return function

    def create_output(
        self, function: Callable[[Args[ContextT, Any]], OutputT]
    ) -> Callable[[Args[ContextT, Any]], OutputT]:
        """A machine's `output` function, its args and what it returns typed."""
        return function

    def create_action(self, function: Function[ContextT, EventT]) -> Function[ContextT, EventT]:
        """A custom action, its args typed."""
        return function

    def assign(
        self,
        assignment: Function[ContextT, EventT] | Mapping[str, Function[ContextT, EventT] | Plain],
    ) -> builtin.BuiltinAction:
        """`assign`, typed."""
        return builtin.assign(assignment)

    def raise_(
        self,
        event: EventT | Function[ContextT, EventT],
        *,
        id: str | None = None,
        delay: str | float | Function[ContextT, EventT] | None = None,
    ) -> builtin.BuiltinAction:
        """`raise_`, typed."""
        return builtin.raise_(event, id=id, delay=delay)

    def send_to(
        self,
        target: Any,
        event: Mapping[str, Any] | Function[ContextT, EventT],
        *,
        id: str | None = None,
        delay: str | float | Function[ContextT, EventT] | None = None,
    ) -> builtin.BuiltinAction:
        """`send_to`, typed."""
        return builtin.send_to(target, event, id=id, delay=delay)

    def emit(self, event: Mapping[str, Any] | Function[ContextT, EventT]) -> builtin.BuiltinAction:
        """`emit`, typed."""
        return builtin.emit(event)

    def log(
        self, value: str | Function[ContextT, EventT] | None = None, label: str | None = None
    ) -> builtin.BuiltinAction:
        """`log`, typed."""
        return builtin.log(value, label)

    def enqueue_actions(
        self, collect: Callable[[EnqueueArgs[ContextT, EventT], Any], None]
    ) -> builtin.BuiltinAction:
        """`enqueue_actions`, typed."""
        return enqueue_actions(collect)

    cancel = staticmethod(builtin.cancel)
    forward_to = staticmethod(builtin.forward_to)
    send_parent = staticmethod(builtin.send_parent)
    spawn_child = staticmethod(builtin.spawn_child)
    stop_child = staticmethod(builtin.stop_child)


#: XState's spelling.
setup = Setup
