"""XState's own actions: made in a config or by `enqueue_actions`, compiled once into functions of
the step.

Each `compile` gives `run(args, params)`. `assign` moves `args.context` on; all others leave effects
with the scope: what happens in place (`log`, declared effects) at once, what concerns other actors
in `scope.deferred`.
Next: runtime/statechart/step.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from runtime.errors import DefinitionError, EventError, UnknownActorError

from .effects import Cancel, Emit, Raise, SendTo
from .events import ERROR, error_actor_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from .args import StepArgs
    from .library import Library
    from .scope import ActorRef

    Run = Callable[[StepArgs, Any], Any]

#: A value, or a function of (args, params) that gives one.
Expr = Any
#: Milliseconds, the name of a delay, or a function of (args, params).
Delay = Any


class BuiltinAction:
    """An action that knows how to make its function. `type` is XState's."""

    __slots__ = ()
    type: ClassVar[str]

    def compile(self, library: Library, path: str) -> Run:
        """The function of the step that carries it out."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class Merge:
    """An assignment by function: what `make(args, params)` gives, if anything, is merged into the
    context. Plans call `make` themselves.
    """

    make: Callable[[StepArgs, Any], Mapping[str, Any] | None]

    def __call__(self, args: StepArgs, params: Any) -> None:
        args.context = args.context | (self.make(args, params) or {})


@dataclass(slots=True, eq=False)
class Assign(BuiltinAction):
    """Replace parts of the context."""

    type: ClassVar[str] = "xstate.assign"
    assignment: Mapping[str, Expr] | Callable[..., Mapping[str, Any]]

    def compile(self, library: Library, path: str) -> Run:
        assignment = self.assignment
        if callable(assignment):
            return Merge(library.function(assignment, f"{path}.assign"))
        if not isinstance(assignment, Mapping):
            what = f"an assignment is a dict or a function, not {assignment!r}"
            raise DefinitionError(f"{path}.assign", what)
        functions = [
            (key, library.function(value, f"{path}.assign.{key}"))
            for key, value in assignment.items()
            if callable(value)
        ]
        constants = {key: value for key, value in assignment.items() if not callable(value)}
        if len(functions) == 1 and not constants:
            only, compute = functions[0]

            def assign_one(args: StepArgs, params: Any) -> None:
                args.context = {**args.context, only: compute(args, params)}

            return assign_one

        def assign_all(args: StepArgs, params: Any) -> None:
            context = {**args.context, **constants}
            for key, function in functions:
                context[key] = function(args, params)
            args.context = context

        return assign_all


@dataclass(slots=True, eq=False)
class RaiseAction(BuiltinAction):
    """Put an event into the machine's internal queue, or send it to itself later."""

    type: ClassVar[str] = "xstate.raise"
    event: Expr
    id: str | None
    delay: Delay

    def compile(self, library: Library, path: str) -> Run:
        event = library.expression(self.event, f"{path}.raise")
        delay = library.delay(self.delay, f"{path}.raise.delay")
        id = self.id

        def raise_event(args: StepArgs, params: Any) -> None:
            scope = args._scope
            raised = event(args, params) if callable(event) else event
            after = _milliseconds(delay(args, params)) if callable(delay) else delay
            if after is None:
                scope.queue.append(raised)
            else:
                scope.deferred.append(Raise(raised, after, id))
            if scope.system.inspector is not None:
                _show(args, self.type, {"event": raised, "id": id, "delay": after})

        return raise_event


@dataclass(slots=True, eq=False)
class SendToAction(BuiltinAction):
    """Send an event to an actor, once the macrostep is done."""

    type: ClassVar[str] = "xstate.sendTo"
    target: Expr
    event: Expr
    id: str | None
    delay: Delay

    def compile(self, library: Library, path: str) -> Run:
        event = library.expression(self.event, f"{path}.sendTo")
        delay = library.delay(self.delay, f"{path}.sendTo.delay")
        to = library.expression(self.target, f"{path}.sendTo")
        id = self.id

        def send(args: StepArgs, params: Any) -> None:
            scope = args._scope
            sent = event(args, params) if callable(event) else event
            after = _milliseconds(delay(args, params)) if callable(delay) else delay
            target = to(args, params) if callable(to) else to
            found = _addressee(args, target)
            if sent["type"] == ERROR:
                sent = error_actor_event(scope.id, sent.get("data"))
            effect = SendTo(found, sent, after, id)
            scope.deferred.append(effect)
            if scope.system.inspector is not None:
                named = target if isinstance(target, str) else None
                shown = {"to": found, "targetId": named, "event": sent, "id": id, "delay": after}
                effect.shown = shown
                _show(args, self.type, shown)

        return send


@dataclass(slots=True, eq=False)
class EmitAction(BuiltinAction):
    """Emit an event to those who listen with `actor.on`."""

    type: ClassVar[str] = "xstate.emit"
    event: Expr

    def compile(self, library: Library, path: str) -> Run:
        event = library.expression(self.event, f"{path}.emit")

        def emit_event(args: StepArgs, params: Any) -> None:
            emitted = event(args, params) if callable(event) else event
            scope = args._scope
            scope.deferred.append(Emit(scope.address, emitted))
            if scope.system.inspector is not None:
                _show(args, self.type, {"event": emitted})

        return emit_event


@dataclass(slots=True, eq=False)
class LogAction(BuiltinAction):
    """Log a value."""

    type: ClassVar[str] = "xstate.log"
    value: Expr
    label: str | None

    def compile(self, library: Library, path: str) -> Run:
        value = library.expression(self.value, f"{path}.log")
        label = self.label

        def log_value(args: StepArgs, params: Any) -> None:
            logged = value(args, params) if callable(value) else value
            scope = args._scope
            if scope.system.inspector is not None:
                _show(args, self.type, {"value": logged, "label": label})
            scope.log(label, logged)

        return log_value


@dataclass(slots=True, eq=False)
class CancelAction(BuiltinAction):
    """Cancel a delayed event by its id."""

    type: ClassVar[str] = "xstate.cancel"
    id: Expr

    def compile(self, library: Library, path: str) -> Run:
        id = library.expression(self.id, f"{path}.cancel")

        def cancel_event(args: StepArgs, params: Any) -> None:
            found = id(args, params) if callable(id) else id
            scope = args._scope
            scope.deferred.append(Cancel(found))
            if scope.system.inspector is not None:
                _show(args, self.type, {"sendId": found})

        return cancel_event


@dataclass(slots=True, eq=False)
class SpawnChildAction(BuiltinAction):
    """Make a child and start it once the macrostep is done."""

    type: ClassVar[str] = "xstate.spawnChild"
    src: Any
    id: Expr
    input: Any
    system_id: str | None
    sync_snapshot: bool

    def compile(self, library: Library, path: str) -> Run:
        src = library.actor(self.src, f"{path}.spawnChild")
        id = library.expression(self.id, f"{path}.spawnChild.id")
        given, system_id, sync = self.input, self.system_id, self.sync_snapshot
        if callable(given):
            given = library.function(given, f"{path}.spawnChild.input", arity=1)

        def spawn(args: StepArgs, params: Any) -> None:
            scope = args._scope
            named = id(args, params) if callable(id) else id
            input = given(args) if callable(given) else given
            child = scope.spawn(src, named, input, system_id, sync)
            if scope.system.inspector is not None:
                _show(args, self.type, shown_spawn(child, input))

        return spawn


@dataclass(slots=True, eq=False)
class StopChildAction(BuiltinAction):
    """Stop a child, by id or ref."""

    type: ClassVar[str] = "xstate.stopChild"
    child: Expr

    def compile(self, library: Library, path: str) -> Run:
        which = library.expression(self.child, f"{path}.stopChild")

        def stop(args: StepArgs, params: Any) -> None:
            scope = args._scope
            child = which(args, params) if callable(which) else which
            if isinstance(child, str):
                child = scope.children.get(child)
            if child is None:
                scope.children = dict(scope.children)  # a change to XState, even if it is none
                if scope.system.inspector is not None:
                    _show(args, self.type, None)
                return
            scope.children = {key: ref for key, ref in scope.children.items() if key != child.id}
            scope.release(child)

        return stop


@dataclass(slots=True, eq=False)
class DeclaredAction(BuiltinAction):
    """An effect the host performs, named and resolved within the turn."""

    type: str  # type: ignore[misc]
    params: Expr

    def compile(self, library: Library, path: str) -> Run:
        given = library.expression(self.params, f"{path}.{self.type}")

        def declare_effect(args: StepArgs, params: Any) -> None:
            resolved = given(args, params) if callable(given) else given
            scope = args._scope
            if scope.system.inspector is not None:
                _show(args, self.type, resolved)
            scope.declare(self.type, params if resolved is None else resolved)

        return declare_effect


def assign(assignment: Mapping[str, Expr] | Callable[..., Mapping[str, Any]]) -> BuiltinAction:
    """Set parts of the context: `{key: value or fn(args, params)}`, or a function that returns such
    a dict.
    """
    return Assign(assignment)


def raise_(event: Expr, *, id: str | None = None, delay: Delay = None) -> BuiltinAction:
    """Raise an event within the step, or `delay` ms later; `id` is for `cancel`."""
    return RaiseAction(_event_or_function(event, "raise_"), id, delay)


def send_to(
    target: Expr, event: Expr, *, id: str | None = None, delay: Delay = None
) -> BuiltinAction:
    """Send an event to a child's id, a ref, or what a function of (args, params) returns."""
    return SendToAction(target, _event_or_function(event, "send_to"), id, delay)


def send_parent(event: Expr, *, id: str | None = None, delay: Delay = None) -> BuiltinAction:
    """Send an event to the parent."""
    return SendToAction("#_parent", _event_or_function(event, "send_parent"), id, delay)


def forward_to(target: Expr, *, id: str | None = None, delay: Delay = None) -> BuiltinAction:
    """Send the event at hand on to another actor."""

    def existing(args: Any, params: Any) -> Any:
        found = target(args, params) if callable(target) else target
        if found is None:
            # Without a target it would be sent to the sender, and go round for ever.
            raise UnknownActorError("(none)", args.self.id)
        return found

    return SendToAction(existing, lambda args, _: args.event, id, delay)


def emit(event: Expr) -> BuiltinAction:
    """Emit an event to the actor's listeners."""
    return EmitAction(_event_or_function(event, "emit"))


def log(value: Expr = None, label: str | None = None) -> BuiltinAction:
    """Log a value or what a function makes; without one, the context and the event."""
    if value is None:
        return LogAction(lambda args, _: {"context": args.context, "event": args.event}, label)
    return LogAction(value, label)


def cancel(id: Expr) -> BuiltinAction:
    """Cancel the newest delayed event sent under this id."""
    return CancelAction(id)


def spawn_child(
    src: Any,
    *,
    id: Expr = None,
    input: Any = None,
    system_id: str | None = None,
    sync_snapshot: bool = False,
) -> BuiltinAction:
    """Spawn a child from logic or its name; `input` may be a function of (args)."""
    return SpawnChildAction(src, id, input, system_id, sync_snapshot)


def stop_child(child: Expr) -> BuiltinAction:
    """Stop a child: its id, its ref, or a function that returns one."""
    return StopChildAction(child)


def declare(name: str) -> Callable[..., BuiltinAction]:
    """An effect that a host understands by name: `reply = declare("rooms.reply")`, then
    `reply({"ok": True})`.

    The params, a value or a function of (args, params), are resolved within the turn and committed
    with it.
    """

    def declared(params: Expr = None) -> BuiltinAction:
        return DeclaredAction(name, params)

    return declared


def _addressee(args: StepArgs, target: Any) -> ActorRef | str:
    scope = args._scope
    if not isinstance(target, str):
        return cast("ActorRef", scope if target is None else target)
    if target in scope.awaited:
        return target
    if target == "#_parent":
        found = scope.parent
    elif target == "#_internal":
        found = scope
    else:
        found = scope.children.get(target.removeprefix("#_"))
    if found is None:
        machine = scope.base.configuration.chart.machine
        raise UnknownActorError(target, machine.id, scope.children)
    return cast("ActorRef", found)


def _milliseconds(delay: Any) -> float | None:
    """What a delay's function said."""
    if delay is None or isinstance(delay, (int, float)):
        return delay
    raise TypeError(f"a delay is a number of milliseconds, not {delay!r:.80}")


def _event_or_function(event: Any, what: str) -> Any:
    if callable(event) or (isinstance(event, dict) and isinstance(event.get("type"), str)):
        return event
    if isinstance(event, str):
        raise EventError(
            f"Only event objects may be used with {what}; use {what}({{'type': '{event}'}}) instead"
        )
    raise DefinitionError("", f"{what} takes an event dict with a 'type', not {event!r}")


def shown_spawn(child: Any, input: Any) -> dict[str, Any]:
    """The params by which XState's inspection shows that a child is started."""
    return {
        "id": child.id,
        "systemId": child.system_id,
        "actorRef": child,
        "src": child.src,
        "input": input,
    }


def _show(args: StepArgs, type: str, params: Any) -> None:
    args._scope.show(type, params)
