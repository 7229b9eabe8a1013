"""The step: one event in, the snapshot at rest out. SCXML's macrostep, as XState takes it.

In come a snapshot, an event and the scope of an actor; raised events and eventless transitions are
followed until nothing is left to do. Custom actions go to the scope in place; what concerns other
actors is left in `scope.deferred`.
Next: runtime/actor.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import EventError, UnboundedStepError

from .args import ContextArgs, StepArgs
from .events import INIT, STOP, WILDCARD
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .configuration import Chart
    from .nodes import Transition
    from .plan import Plan
    from .scope import Event, Scope

_NO_CHILDREN: dict[str, Any] = {}
_NO_HISTORY: dict[str, Any] = {}
_ERROR_OF_CHILD = "xstate.error.actor"


def macrostep(snapshot: Snapshot, event: Event, scope: Scope) -> Snapshot:
    """Take one event to rest. Raises what guards, assigns and actions in place raise."""
    event_type = event["type"]
    configuration = snapshot.configuration
    reaction = configuration.reactions.get(event_type) or configuration.reaction(event_type)
    plan = reaction.plan
    args = None
    if plan is None:
        if reaction.line or reaction.fork:
            args = StepArgs(snapshot.context, event, scope)
            scope.base = snapshot
            plan = reaction.choose(args, snapshot.history_value)
        if plan is None:
            return _untaken(snapshot, event, scope)
    snapshot = microstep(plan, snapshot, event, args, scope)
    if scope.queue or snapshot.configuration.eventless is not None or snapshot.status != "active":
        return settle(snapshot, event, scope)
    return snapshot


def initial_macrostep(chart: Chart, context: Any, input: Any, scope: Scope) -> Snapshot:
    """Enter the root and come to rest. What is raised on the way is the snapshot's `error`, unless
    the scope is strict.
    """
    watched = scope.taken is not None or scope.system.inspector is not None
    if chart.first_snapshot is not None and not watched:
        return chart.first_snapshot
    event = {"type": INIT, "input": input}
    snapshot = Snapshot(
        chart.before_start,
        _NO_CHILDREN if callable(context) or context is None else context,
        _NO_CHILDREN,
        "active",
        _NO_HISTORY,
        None,
        None,
    )
    try:
        if callable(context):
            args = ContextArgs(event, scope, input)
            scope.base = snapshot
            scope.children = _NO_CHILDREN
            made = dict(context(args))
            snapshot = Snapshot(
                chart.before_start, made, scope.children, "active", _NO_HISTORY, None, None
            )
        plan = chart.initial_plan
        entered = microstep(plan, snapshot, event, None, scope)
        if plan.target.eventless is not None or scope.queue or plan.completes:
            return settle(entered, event, scope)
        if not plan.ops and not callable(context):
            chart.first_snapshot = entered  # nothing in it depends on data
        return entered
    except Exception as error:
        scope.queue.clear()
        if scope.system.strict:
            raise
        return with_error(snapshot, error)


def microstep(
    plan: Plan, snapshot: Snapshot, event: Event, args: StepArgs | None, scope: Scope
) -> Snapshot:
    """Carry out one plan. Where it changes nothing, the snapshot stays the same object."""
    if scope.taken is not None:
        scope.taken.append((scope, event, plan.transitions))
    context = snapshot.context
    children = snapshot.children
    if plan.ops:
        if args is None:
            args = StepArgs(context, event, scope)
        scope.base = snapshot
        scope.children = children
        for run, params in plan.ops:
            run(args, params)
        context = args.context
        children = scope.children
    if plan.completes:
        history = (
            {**snapshot.history_value, **plan.history} if plan.history else snapshot.history_value
        )
        after = Snapshot(plan.target, context, children, "done", history, scope.output, None)
    elif plan.history is not None:
        history = {**snapshot.history_value, **plan.history}
        after = Snapshot(
            plan.target,
            context,
            children,
            snapshot.status,
            history,
            snapshot.output,
            snapshot.error,
        )
    elif (
        plan.target is not snapshot.configuration
        or context is not snapshot.context
        or children is not snapshot.children
    ):
        after = Snapshot(
            plan.target,
            context,
            children,
            snapshot.status,
            snapshot.history_value,
            snapshot.output,
            snapshot.error,
        )
    else:
        after = snapshot
    if scope.system.inspector is not None:
        scope.system.inspector.microstep(scope, after, event, plan.transitions)
    return after


def settle(snapshot: Snapshot, event: Event, scope: Scope) -> Snapshot:
    """Follow eventless transitions, then raised events, until neither is left."""
    queue = scope.queue
    limit = snapshot.configuration.chart.max_iterations
    iterations = 0
    look_for_eventless = True
    while snapshot.status == "active":
        iterations += 1
        if iterations > limit:
            raise UnboundedStepError("microsteps", int(limit))
        configuration = snapshot.configuration
        before = None
        plan = args = None
        if look_for_eventless and configuration.eventless is not None:
            args = StepArgs(snapshot.context, event, scope)
            scope.base = snapshot
            selected = configuration.eventless.choose(args)
            if selected:
                plan = configuration.plan(selected, snapshot.history_value)
                before = snapshot
        if before is None:
            if not queue:
                break
            event = queue.pop(0)
            args = None
            reaction = configuration.reaction(event["type"])
            plan = reaction.plan
            if plan is None and (reaction.line or reaction.fork):
                args = StepArgs(snapshot.context, event, scope)
                scope.base = snapshot
                plan = reaction.choose(args, snapshot.history_value)
        if plan is not None:
            snapshot = microstep(plan, snapshot, event, args, scope)
        elif scope.system.inspector is not None:
            scope.system.inspector.microstep(scope, snapshot, event, ())
        look_for_eventless = snapshot is not before
    if snapshot.status != "active":
        queue.clear()
        for child in snapshot.children.values():
            scope.release(child)
    return snapshot


def with_error(snapshot: Snapshot, error: Any) -> Snapshot:
    """The same snapshot in status `error`."""
    return Snapshot(
        snapshot.configuration,
        snapshot.context,
        snapshot.children,
        "error",
        snapshot.history_value,
        snapshot.output,
        error,
    )


def _untaken(snapshot: Snapshot, event: Event, scope: Scope) -> Snapshot:
    """No transition took the event: the error of a child is then the machine's own."""
    event_type = event["type"]
    nothing: tuple[Transition, ...] = ()
    if event_type == STOP:
        after = _without_children(snapshot, "stopped", None, scope)
    elif event_type == WILDCARD:
        raise EventError("An event cannot have the wildcard type ('*')")
    elif event_type.startswith(_ERROR_OF_CHILD):
        after = _without_children(snapshot, "error", event.get("error"), scope)
        if scope.taken is not None:
            scope.taken.append((scope, event, nothing))
    else:
        after = snapshot
    if scope.system.inspector is not None:
        scope.system.inspector.microstep(scope, after, event, nothing)
    if after is snapshot and snapshot.configuration.eventless is not None:
        return settle(snapshot, event, scope)
    return after


def _without_children(snapshot: Snapshot, status: Any, error: Any, scope: Scope) -> Snapshot:
    for child in snapshot.children.values():
        scope.release(child)
    return Snapshot(
        snapshot.configuration,
        snapshot.context,
        _NO_CHILDREN,
        status,
        snapshot.history_value,
        snapshot.output,
        error,
    )
