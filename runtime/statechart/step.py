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
    from .plan import Plan
    from .scope import Event, Scope
    from .snapshot import Rare

#: Makes objects of the usual path, which are then filled by hand: calling their class costs twice
#: as much.
_new = object.__new__
_NOTHING: dict[str, Any] = {}
_NOTHING_RARE: Rare = (_NOTHING, None, None)
_ERROR_OF_CHILD = "xstate.error.actor"


def macrostep(snapshot: Snapshot, event: Event, scope: Scope, plan: Plan | None = None) -> Snapshot:
    """Take one event to rest; `plan` is given where the first microstep is known already.

    Raises what guards, assigns and actions in place raise. Where nothing changes, the snapshot
    stays the same object.
    """
    args = before = None
    iterations = 0
    queue = scope.queue
    if plan is None:
        event_type = event["type"]
        configuration = snapshot.configuration
        try:
            reaction = configuration.reactions[event_type]
        except KeyError:
            reaction = configuration.reaction(event_type)
        plan = reaction.plan
        if plan is None:
            if reaction.open:
                args = _new(StepArgs)
                args.context = snapshot.context
                args.event = event
                args._scope = scope
                scope.base = snapshot
                plan = reaction.choose(args, snapshot.rare[0])
            if plan is None:
                ended = _untaken(snapshot, event, scope)
                if ended is not None:
                    return ended
    while True:
        if plan is not None:
            context = snapshot.context
            children = snapshot.children
            if plan.ops:
                if args is None:
                    args = _new(StepArgs)
                    args.context = context
                    args.event = event
                    args._scope = scope
                scope.base = snapshot
                scope.children = children
                for run, params, merges in plan.ops:
                    if merges:
                        change = run(args, params) or _NOTHING
                        try:
                            args.context = args.context | change
                        except TypeError as error:
                            what = f"an assign function returns a dict, not {change!r:.80}"
                            raise TypeError(what) from error
                    else:
                        run(args, params)
                context = args.context
                children = scope.children
            if plan.special or snapshot.status != "active":
                snapshot = _special(plan, snapshot, context, children, event, scope)
            elif (
                context is not snapshot.context
                or plan.target is not snapshot.configuration
                or children is not snapshot.children
            ):
                after: Snapshot = _new(Snapshot)
                after.configuration = plan.target
                after.context = context
                after.children = children
                after.status = snapshot.status
                after.rare = snapshot.rare
                snapshot = after
            if scope.system.witness is not None:
                scope.system.witness.microstep(scope, snapshot, event, plan)
        if snapshot.status != "active":
            queue.clear()
            for child in snapshot.children.values():
                scope.release(child)
            return snapshot
        configuration = snapshot.configuration
        if not queue and (configuration.eventless is None or snapshot is before):
            if iterations and iterations >= configuration.chart.max_iterations:
                raise UnboundedStepError("microsteps", iterations)
            return snapshot
        iterations += 1
        if iterations > configuration.chart.max_iterations:
            raise UnboundedStepError("microsteps", iterations - 1)
        plan = args = None
        if configuration.eventless is not None and snapshot is not before:
            args = StepArgs(snapshot.context, event, scope)
            scope.base = snapshot
            selected = configuration.eventless.choose(args)
            if selected:
                plan = configuration.plan(selected, snapshot.history_value)
                before = snapshot  # if it changes nothing, it isn't taken again for this event
                continue
        if not queue:
            return snapshot
        event = queue.pop(0)
        before = args = None
        reaction = configuration.reaction(event["type"])
        plan = reaction.plan
        if plan is None and reaction.open:
            args = StepArgs(snapshot.context, event, scope)
            scope.base = snapshot
            plan = reaction.choose(args, snapshot.history_value)
        if plan is None and scope.system.witness is not None:
            scope.system.witness.microstep(scope, snapshot, event, None)


def initial_macrostep(chart: Chart, context: Any, input: Any, scope: Scope) -> Snapshot:
    """Enter the root and come to rest. What is raised on the way is the snapshot's `error`, unless
    the scope is strict.
    """
    if chart.first_snapshot is not None and scope.system.witness is None:
        return chart.first_snapshot
    event = {"type": INIT, "input": input}
    made = callable(context)
    given = _NOTHING if made or context is None else context
    before = chart.before_start
    snapshot = Snapshot(before, given, _NOTHING, "active", _NOTHING_RARE)
    try:
        if made:
            scope.base = snapshot
            scope.children = _NOTHING
            given = dict(context(ContextArgs(event, scope, input)) or _NOTHING)
            snapshot = Snapshot(before, given, scope.children, "active", _NOTHING_RARE)
        plan = chart.initial_plan
        entered = macrostep(snapshot, event, scope, plan)
        if not made and not plan.ops and plan.target.eventless is None:
            chart.first_snapshot = entered  # nothing in it depends on data
        return entered
    except Exception as error:
        scope.queue.clear()
        if scope.system.strict:
            raise
        return with_error(snapshot, error)


def _special(
    plan: Plan,
    snapshot: Snapshot,
    context: Any,
    children: dict[str, Any],
    event: Event,
    scope: Scope,
) -> Snapshot:
    """The snapshot after a plan that records history or completes the machine, or that the pure
    face takes in one that is done: XState leaves its states once more.
    """
    history, output, error = snapshot.rare
    if plan.history is not None:
        history = {**history, **plan.history}
    if plan.completes:
        return Snapshot(plan.target, context, children, "done", (history, scope.output, error))
    target = plan.target
    if snapshot.status == "done":
        args = StepArgs(context, event, scope)
        scope.base, scope.children = snapshot, children
        leaving = tuple(sorted(target.nodes, key=lambda node: node.order, reverse=True))
        for node in leaving:
            for action in node.exit:
                action.run(args, action.params)
        context, children = args.context, scope.children
        if target is not snapshot.configuration:
            target = target.chart.configuration(leaving)
    return Snapshot(target, context, children, snapshot.status, (history, output, error))


def with_error(snapshot: Snapshot, error: Any) -> Snapshot:
    """The same snapshot in status `error`."""
    return Snapshot(
        snapshot.configuration,
        snapshot.context,
        snapshot.children,
        "error",
        (snapshot.history_value, snapshot.output, error),
    )


def _untaken(snapshot: Snapshot, event: Event, scope: Scope) -> Snapshot | None:
    """No transition took the event: a child's error is then the machine's own. None to go on."""
    event_type = event["type"]
    after = None
    if event_type == STOP:
        for child in snapshot.children.values():
            scope.release(child)
        after = Snapshot(
            snapshot.configuration, snapshot.context, _NOTHING, "stopped", snapshot.rare
        )
    elif event_type == WILDCARD:
        raise EventError("An event cannot have the wildcard type ('*')")
    elif event_type.startswith(_ERROR_OF_CHILD):
        for child in snapshot.children.values():
            scope.release(child)
        rare = (snapshot.history_value, snapshot.output, event.get("error"))
        after = Snapshot(snapshot.configuration, snapshot.context, _NOTHING, "error", rare)
    elif snapshot.configuration.eventless is None and snapshot.status == "active":
        after = snapshot
    if scope.system.witness is not None and event_type != INIT:
        scope.system.witness.microstep(scope, after or snapshot, event, None)
    return after
