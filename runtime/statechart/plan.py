"""Plans: everything about a microstep that doesn't depend on data, worked out once.

In come a configuration and the transitions that were selected in it; out comes a `Plan`: the
actions in their order and the configuration afterwards. The rules are SCXML's
(https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation) with XState's departures: sets keep
the order of insertion, and that order carries over into the next
    configuration.
Next: runtime/statechart/step.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import entering
from .actions import Merge, shown_spawn
from .args import Args
from .effects import SendTo, SpawnChild, StopChild
from .events import done_state_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .args import StepArgs
    from .configuration import Configuration
    from .nodes import Invoke, StateNode, Transition

#: History node id → the nodes that were active when its parent was left.
HistoryValue = dict[str, "tuple[StateNode, ...]"]
#: A function of the step and its second argument.
Op = tuple["Callable[[StepArgs, Any], Any]", Any]
#: The same, and whether what it returns is to be merged into the context.
PlannedOp = tuple["Callable[[StepArgs, Any], Any]", Any, bool]


class Plan:
    """One microstep: `ops` to run, then `target`. `history` is what it records, `completes` whether
    the root is then done. Of the transitions that were `selected`, `transitions` are those without
    conflict.
    """

    __slots__ = (
        "completes",
        "history",
        "history_read",
        "ops",
        "selected",
        "special",
        "target",
        "transitions",
    )

    def __init__(
        self,
        selected: tuple[Transition, ...],
        transitions: tuple[Transition, ...],
        ops: Iterable[Op],
        target: Configuration,
        history: HistoryValue | None,
        completes: bool,
        history_read: tuple[str, ...],
    ) -> None:
        self.selected = selected
        self.transitions = transitions
        self.ops: tuple[PlannedOp, ...] = tuple(
            (run.make, params, True) if isinstance(run, Merge) else (run, params, False)
            for run, params in ops
        )
        self.target = target
        self.history = history
        self.completes = completes
        self.history_read = history_read
        self.special = completes or history is not None


class HistoryReader:
    """A history value that remembers which of it a plan depended on. What the plan's own exits
    have `recorded` comes first: a transition from within a state to its history finds that state.
    """

    def __init__(self, value: Mapping[str, tuple[StateNode, ...]]) -> None:
        self.value = value
        self.recorded: Mapping[str, tuple[StateNode, ...]] = {}
        self.domains: dict[Transition, StateNode | None] = {}
        self.read: dict[str, None] = {}

    def get(self, node_id: str) -> tuple[StateNode, ...] | None:
        """The nodes recorded for a history node, if it has been left before."""
        if node_id in self.recorded:
            return self.recorded[node_id]
        self.read[node_id] = None
        return self.value.get(node_id)


def make_plan(
    configuration: Configuration,
    transitions: tuple[Transition, ...],
    history_value: Mapping[str, tuple[StateNode, ...]],
    *,
    initial: bool = False,
) -> Plan:
    """Work out the microstep that takes these transitions."""
    history = HistoryReader(history_value)
    active = dict.fromkeys(configuration.nodes)
    taken = without_conflicts(transitions, active, history)
    # XState's inspection shows what an event selected before conflicts are settled, of eventless
    # transitions what is left.
    selected = taken if transitions[0].event_type == "" else transitions
    ops: list[Op] = []
    recorded: HistoryValue | None = None
    if not initial:
        leaving = sorted(exit_set(taken, active, history), key=_order, reverse=True)
        recorded = _recorded_history(leaving, active)
        history.recorded = recorded or {}
        for node in leaving:
            ops += [(action.run, action.params) for action in node.exit]
            ops += [(stop_invoked, invoke.id) for invoke in node.invoke]
            del active[node]
    for transition in taken:
        ops += [(action.run, action.params) for action in transition.actions]
    completes = _enter(taken, active, history, ops, initial)
    if completes:
        for node in sorted(active, key=_order, reverse=True):
            ops += [(action.run, action.params) for action in node.exit]
    if recorded is None and active.keys() == configuration.node_set:
        target = configuration
    else:
        nodes = sorted(active, key=_order, reverse=True) if completes else active
        target = configuration.chart.configuration(tuple(nodes))
    return Plan(selected, taken, ops, target, recorded, completes, tuple(history.read))


def without_conflicts(
    transitions: Iterable[Transition], active: Iterable[StateNode], history: HistoryReader
) -> tuple[Transition, ...]:
    """Of transitions that would leave the same node, the first wins, unless a later one's source is
    deeper.
    """
    kept: dict[Transition, None] = {}
    several = tuple(transitions)
    if len(several) == 1:
        return several
    for transition in several:
        leaves = set(exit_set((transition,), active, history))
        preempted = []
        for other in kept:
            if leaves.isdisjoint(exit_set((other,), active, history)):
                continue
            if not transition.source.within(other.source):
                break
            preempted.append(other)
        else:
            for other in preempted:
                del kept[other]
            kept[transition] = None
    return tuple(kept)


def exit_set(
    transitions: Iterable[Transition], active: Iterable[StateNode], history: HistoryReader
) -> dict[StateNode, None]:
    """The active nodes that these transitions leave."""
    leaving: dict[StateNode, None] = {}
    for transition in transitions:
        if not transition.targets:
            continue
        domain = entering.transition_domain(transition, history)
        leaving.update((node, None) for node in active if node.within(domain))
    return leaving


def in_final_state(node: StateNode, active: Mapping[StateNode, None]) -> bool:
    """Whether the node has reached its end: a region without a final child never does."""
    if node.type == "compound":
        return any(child.type == "final" and child in active for child in node.states.values())
    if node.type == "parallel":
        return all(in_final_state(child, active) for child in node.regions())
    return node.type == "final"


def _order(node: StateNode) -> int:
    return node.order


def _recorded_history(
    leaving: Iterable[StateNode], active: Mapping[StateNode, None]
) -> HistoryValue | None:
    recorded: HistoryValue | None = None
    for parent in leaving:
        for node in parent.states.values():
            if node.type == "history":
                recorded = {} if recorded is None else recorded
                recorded[node.id] = tuple(
                    other
                    for other in active
                    if (
                        other.atomic and other.within(parent)
                        if node.history == "deep"
                        else other.parent is parent
                    )
                )
    return recorded


def _enter(
    transitions: tuple[Transition, ...],
    active: dict[StateNode, None],
    history: HistoryReader,
    ops: list[Op],
    initial: bool,
) -> bool:
    """Add the entered nodes to `active` and what they do to `ops`; whether the root is done."""
    to_enter, by_default = entering.entry_set(transitions, history)
    completed: set[StateNode] = set()
    completes = False
    for node in sorted(to_enter, key=_order):
        active[node] = None
        if node.invoke:
            ops.append((await_children, tuple(invoke.id for invoke in node.invoke)))
        ops += [(action.run, action.params) for action in node.entry]
        ops += [(spawn_invoked, invoke) for invoke in node.invoke]
        if node.initial is not None and (node in by_default or (initial and node.parent is None)):
            ops += [(action.run, action.params) for action in node.initial.actions]
        if node.invoke:
            ops.append((meet_children, None))
        if node.type == "final" and _finish(node, active, completed, ops):
            completes = True
    return completes


def _finish(
    node: StateNode, active: dict[StateNode, None], completed: set[StateNode], ops: list[Op]
) -> bool:
    """A final node was entered: raise the done events of what is done by it; whether that is the
    root.
    """
    parent = node.parent
    if parent is None:
        ops.append((complete, node))
        return True
    if parent.type == "compound":
        ops.append((raise_done, (parent.id, node.output)))
    marker = parent if parent.type == "parallel" else parent.parent
    completion = marker or node
    while (
        marker is not None
        and marker.type == "parallel"
        and marker not in completed
        and in_final_state(marker, active)
    ):
        completed.add(marker)
        ops.append((raise_done, (marker.id, None)))
        completion = marker
        marker = marker.parent
    if marker is not None:
        return False
    ops.append((complete, completion))
    return True


# What a plan does besides the chart's own actions. Each is an op: (args, what the plan gave it).


def stop_invoked(args: StepArgs, id: str) -> None:
    """Leave a state: take the child it invoked out of `children` and stop it."""
    scope = args._scope
    child = scope.children.get(id)
    if child is not None:
        scope.children = {key: ref for key, ref in scope.children.items() if key != id}
        scope.release(child)
    elif scope.system.inspector is not None:
        scope.show(StopChild.type, None)


def spawn_invoked(args: StepArgs, invoke: Invoke) -> None:
    """Enter a state: make the child it invokes."""
    scope = args._scope
    given = invoke.input(args) if callable(invoke.input) else invoke.input
    child = scope.spawn(invoke.src, invoke.id, given, invoke.system_id, invoke.sync_snapshot)
    if scope.system.inspector is not None:
        scope.show(SpawnChild.type, shown_spawn(child, given))


def await_children(args: StepArgs, ids: tuple[str, ...]) -> None:
    """Entry actions may send to children that this state is about to invoke."""
    args._scope.awaited = ids


def meet_children(args: StepArgs, _: None) -> None:
    """The invoked children exist now: address what waited for them."""
    scope = args._scope
    for effect in scope.deferred:
        if isinstance(effect, SendTo) and isinstance(effect.target, str):
            effect.target = scope.children[effect.target]
            if effect.shown is not None:
                effect.shown["to"] = effect.target
    scope.awaited = ()


def raise_done(args: StepArgs, done: tuple[str, Any]) -> None:
    """A compound or parallel state is done: raise its event, with the output of the final state."""
    node_id, output = done
    args._scope.queue.append(done_state_event(node_id, resolve_output(output, args)))


def complete(args: StepArgs, completion: StateNode) -> None:
    """The root is done: its output is made from the done event of what completed it."""
    scope = args._scope
    output = scope.base.configuration.chart.root.output
    if callable(output):
        inner = resolve_output(completion.output, args) if completion.parent else None
        output = output(Args(args.context, done_state_event(completion.id, inner), scope))
    scope.output = output


def resolve_output(output: Any, args: Any) -> Any:
    """A literal, or what the function of (args) makes of it."""
    return output(args) if callable(output) else output
