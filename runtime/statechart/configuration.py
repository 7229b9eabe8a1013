"""Configurations: the sets of states a machine can be in, interned, each with what follows from it
alone.

A configuration owns its `value`, its `tags`, and two memos: event type → reaction, and transitions
→ plan. Both are bounded, and so is a chart's table of configurations: a large parallel chart
forgets some and works them out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import RestoreError

from .entering import initial_nodes, initial_nodes_with_ancestors
from .nodes import MEMO_LIMIT, Transition
from .plan import make_plan
from .selection import Reaction, eventless_candidates
from .values import javascript_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .nodes import StateNode
    from .plan import Plan
    from .snapshot import Snapshot
    from .values import StateValue

#: How many configurations of one chart are kept.
CONFIGURATION_LIMIT = 4096


class Chart:
    """The compiled chart: its nodes by id, its interned configurations."""

    __slots__ = (
        "_configurations",
        "before_start",
        "by_value",
        "first_snapshot",
        "ids",
        "initial_plan",
        "machine",
        "max_iterations",
        "root",
    )

    before_start: Configuration
    initial_plan: Plan

    def __init__(self, machine: Any, root: StateNode, ids: dict[str, StateNode]) -> None:
        self.machine = machine
        self.root = root
        self.ids = ids
        self.max_iterations: float = 10_000
        #: The snapshot every actor starts with, where that depends on nothing.
        self.first_snapshot: Snapshot | None = None
        #: State value, made hashable → configuration: restoring is quick the second time.
        self.by_value: dict[Any, Configuration] = {}
        self._configurations: dict[tuple[StateNode, ...], Configuration] = {}

    def ready(self) -> None:
        """Every node is complete: work out the first microstep, which enters the root."""
        self.before_start = self.configuration((self.root,))
        entering = Transition(self.root, "", tuple(initial_nodes(self.root)), reenter=True)
        self.initial_plan = make_plan(self.before_start, (entering,), {}, initial=True)

    def configuration(self, nodes: tuple[StateNode, ...]) -> Configuration:
        """The one configuration with these nodes in this order."""
        found = self._configurations.get(nodes)
        if found is None:
            if len(self._configurations) >= CONFIGURATION_LIMIT:
                self._configurations.clear()
                self.by_value.clear()
            found = self._configurations[nodes] = Configuration(self, nodes)
        return found


class Configuration:
    """One set of active nodes. `nodes` is in the order in which they were entered; it decides the
    order of regions.
    """

    __slots__ = (
        "_plans",
        "active_children",
        "chart",
        "eventless",
        "node_set",
        "nodes",
        "order",
        "reactions",
        "tags",
        "value",
    )

    def __init__(self, chart: Chart, nodes: tuple[StateNode, ...]) -> None:
        self.chart = chart
        self.nodes = nodes
        self.node_set = frozenset(nodes)
        self.active_children = children_of(complete_nodes(nodes))
        self.value: StateValue = state_value(chart.root, self.active_children)
        self.tags = frozenset(tag for node in nodes for tag in node.tags)
        self.eventless = eventless_candidates(self)
        #: What is persisted of the order of its leaves; None until somebody needs to know.
        self.order: tuple[int, ...] | None = None
        self.reactions: dict[str, Reaction] = {}
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def reaction(self, event_type: str) -> Reaction:
        """What this configuration may do about an event of this type."""
        found = self.reactions.get(event_type)
        if found is None:
            if len(self.reactions) >= MEMO_LIMIT:
                self.reactions.clear()
            found = self.reactions[event_type] = Reaction(self, event_type)
        return found

    def plan(
        self,
        transitions: tuple[Transition, ...],
        history_value: Mapping[str, tuple[StateNode, ...]],
    ) -> Plan:
        """The microstep that takes these transitions, given what history states recall."""
        plans = self._plans
        found = plans.get(transitions)
        if found is None:
            found = make_plan(self, transitions, history_value)
            if len(plans) >= MEMO_LIMIT:
                plans.clear()
            plans[transitions] = found
            if not found.history_read:
                return found
        elif not found.history_read:
            return found
        recalled = tuple(history_value.get(node_id) for node_id in found.history_read)
        key = (transitions, recalled)
        found = plans.get(key)
        if found is None:
            found = plans[key] = make_plan(self, transitions, history_value)
        return found


def children_of(nodes: Iterable[StateNode]) -> dict[StateNode, list[StateNode]]:
    """Each node's active children, in the order of `nodes`."""
    found: dict[StateNode, list[StateNode]] = {}
    for node in nodes:
        found.setdefault(node, [])
        if node.parent is not None:
            found.setdefault(node.parent, []).append(node)
    return found


def complete_nodes(nodes: Iterable[StateNode]) -> tuple[StateNode, ...]:
    """The nodes with the default descendants and the ancestors that make them legal."""
    found = dict.fromkeys(nodes)
    given = children_of(found)
    pending = list(found)
    for node in pending:
        if node.type == "compound" and not given.get(node):
            more = list(initial_nodes_with_ancestors(node))
        elif node.type == "parallel":
            more = [
                inner
                for region in node.regions()
                if region not in found
                for inner in initial_nodes_with_ancestors(region)
            ]
        else:
            continue
        fresh = [inner for inner in more if inner not in found]
        found.update(dict.fromkeys(fresh))
        pending += fresh
    for node in list(found):
        found.update(dict.fromkeys(node.ancestors))
    return tuple(found)


def state_value(node: StateNode, children: Mapping[StateNode, list[StateNode]]) -> StateValue:
    """The state value below `node`."""
    active = children.get(node)
    if not active:
        return {}
    if node.type == "compound" and active[0].atomic:
        return active[0].key
    return {child.key: state_value(child, children) for child in active}


def configuration_of(chart: Chart, value: StateValue) -> Configuration:
    """The configuration with this value, which may be partial. Raises RestoreError naming an
    unknown state.
    """
    key = value if value.__class__ is str else repr(value)  # the order of keys counts
    found = chart.by_value.get(key)
    if found is None:
        nodes = complete_nodes(get_state_nodes(chart.root, value))
        found = chart.configuration(nodes)
        chart.by_value[key] = found
    return found


def get_state_nodes(node: StateNode, value: StateValue) -> list[StateNode]:
    """The nodes that a state value below `node` names, in XState's order: a level at a time, then
    what lies deeper. Raises RestoreError for an unknown state.
    """
    if isinstance(value, str):
        return [node, _child(node, value)]
    if not isinstance(value, dict):
        raise RestoreError("value", f"a state value is text or a dict, not {value!r}")
    if len(value) > 1 and node.type != "parallel":
        raise RestoreError("value", f"'#{node.id}' can't be in {' and '.join(value)} at once")
    children = [(_child(node, key), value[key]) for key in javascript_order(value)]
    root = node.ancestors[-1] if node.ancestors else node
    found = [root, node, *(child for child, _ in children)]
    for child, inner in children:
        found += get_state_nodes(child, inner)
    return found


def _child(node: StateNode, key: str) -> StateNode:
    child = node.states.get(key)
    if child is None:
        raise RestoreError("value", f"state '{key}' does not exist on '#{node.id}'")
    return child
