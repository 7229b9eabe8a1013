"""Paths through the states of some logic: which there are, and how to get from one to another.

States are told apart by what `serialize_state` makes of them; they are found by trying events on
them, starting from the first snapshot. Everything goes through the pure face, so nothing is
performed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import RuntimeFault
from .pure import get_next_snapshot, initial_transition
from .snapshots import field
from .statechart.events import INIT, WILDCARD
from .statechart.nodes import StateNode
from .statechart.snapshot import Snapshot, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .statechart.machine import StateMachine
    from .statechart.nodes import Transition
    from .statechart.scope import ActorLogic, Event


class PathStep(NamedTuple):
    """A state, and the event that led there; the first one's is `xstate.init`."""

    state: Any
    event: Event


class Path(NamedTuple):
    """A way to `state`; `weight` is the number of events it takes."""

    state: Any
    steps: tuple[PathStep, ...]
    weight: int


class Next(NamedTuple):
    """What an event leads to."""

    event: Event
    state: Any


class Adjacency(NamedTuple):
    """A state, and by serialized event what each event leads to."""

    state: Any
    transitions: dict[str, Next]


AdjacencyMap = dict[str, Adjacency]


@dataclass(frozen=True, kw_only=True)
class Traversal:
    """How to go about it.

    Args:
        events: those to try: a list, or a function of the state. Without it a machine's states are
            tried with the bare types they handle.
        serialize_state: (state, event, previous state) → text; equal texts are one state.
        serialize_event: event → text.
        filter_events: (state, event) → whether to try it.
        from_state: where to start; the first snapshot unless given.
        to_state: keep only paths to states of which this is true.
        stop_when: don't go on from states of which this is true; `to_state` unless given.
        limit: how many states to look at before giving up with RuntimeFault.
        input: for the first snapshot.
    """

    events: Sequence[Event] | Callable[[Any], Iterable[Event]] | None = None
    serialize_state: Callable[[Any, Event | None, Any], str] | None = None
    serialize_event: Callable[[Event], str] | None = None
    filter_events: Callable[[Any, Event], bool] | None = None
    from_state: Any = None
    to_state: Callable[[Any], bool] | None = None
    stop_when: Callable[[Any], bool] | None = None
    limit: float = math.inf
    input: Any = None

    def text_of(self, state: Any, event: Event | None = None, previous: Any = None) -> str:
        """What tells a state from others."""
        if self.serialize_state is not None:
            return self.serialize_state(state, event, previous)
        return serialize_snapshot(state)

    def text_of_event(self, event: Event) -> str:
        """What tells an event from others."""
        return (self.serialize_event or as_text)(event)

    def first(self, logic: ActorLogic) -> Any:
        """Where to start."""
        if self.from_state is not None:
            return self.from_state
        return initial_transition(logic, self.input)[0]

    def to_try(self, state: Any) -> Iterable[Event]:
        """The events to try on a state."""
        if self.events is None:
            return handled_events(state) if isinstance(state, Snapshot) else ()
        return self.events(state) if callable(self.events) else self.events

    def wanted(self, paths: Iterable[Path]) -> list[Path]:
        """The paths that lead where they should."""
        return [path for path in paths if self.to_state is None or self.to_state(path.state)]


def get_adjacency_map(logic: ActorLogic, **options: Any) -> AdjacencyMap:
    """Every state that can be reached, by its text. Options as in `Traversal`."""
    return _adjacency(logic, Traversal(**options))


def adjacency_map_to_array(adjacency: AdjacencyMap) -> list[tuple[Any, Event, Any]]:
    """(state, event, next state), one for each event tried."""
    return [
        (entry.state, reached.event, reached.state)
        for entry in adjacency.values()
        for reached in entry.transitions.values()
    ]


def get_shortest_paths(logic: ActorLogic, **options: Any) -> list[Path]:
    """One shortest path to each state. Options as in `Traversal`."""
    traversal = Traversal(**options)
    adjacency = _adjacency(logic, traversal)
    start = traversal.first(logic)
    start_text = traversal.text_of(start)
    paths = {start_text: Path(start, (PathStep(start, {"type": INIT}),), 0)}
    pending = [start_text]
    for text in pending:
        path = paths[text]
        for reached in adjacency[text].transitions.values():
            next_text = traversal.text_of(reached.state, reached.event, path.state)
            if next_text not in paths:
                steps = (*path.steps, PathStep(reached.state, reached.event))
                paths[next_text] = Path(reached.state, steps, path.weight + 1)
                pending.append(next_text)
    return traversal.wanted(paths.values())


def get_simple_paths(logic: ActorLogic, **options: Any) -> list[Path]:
    """All paths to each state that pass no state twice. Options as in `Traversal`."""
    traversal = Traversal(**options)
    adjacency = _adjacency(logic, traversal)
    start = traversal.first(logic)
    start_text = traversal.text_of(start)
    found: dict[str, list[Path]] = {text: [] for text in adjacency}

    def visit(text: str, path: Path, passed: frozenset[str]) -> None:
        found[text].append(path)
        for reached in adjacency[text].transitions.values():
            next_text = traversal.text_of(reached.state, reached.event, path.state)
            if next_text not in passed:
                steps = (*path.steps, PathStep(reached.state, reached.event))
                onward = Path(reached.state, steps, path.weight + 1)
                visit(next_text, onward, passed | {next_text})

    visit(start_text, Path(start, (PathStep(start, {"type": INIT}),), 0), frozenset({start_text}))
    return traversal.wanted(path for paths in found.values() for path in paths)


def get_paths_from_events(
    logic: ActorLogic, events: Sequence[Event], /, **options: Any
) -> list[Path]:
    """The one path that these events make; none if it doesn't lead to `to_state`."""
    traversal = Traversal(**options)
    state = traversal.first(logic)
    steps = [PathStep(state, {"type": INIT})]
    for event in events:
        state = get_next_snapshot(logic, state, event)
        steps.append(PathStep(state, event))
    return traversal.wanted([Path(state, tuple(steps), len(events))])


def join_paths(head: Path, tail: Path) -> Path:
    """One path after another, which must begin where the first ends. Raises RuntimeFault."""
    if tail.steps[0].state is not head.state:
        raise RuntimeFault("Paths cannot be joined: the second doesn't begin where the first ends")
    return Path(tail.state, head.steps + tail.steps[1:], head.weight + tail.weight)


def deduplicate_paths(
    paths: Iterable[Path], serialize_event: Callable[[Event], str] | None = None
) -> list[Path]:
    """Without paths that are the beginning of another one; the longest first."""
    text = serialize_event or as_text
    kept: list[tuple[Path, list[str]]] = []
    for path in sorted(paths, key=lambda path: -len(path.steps)):
        events = [text(step.event) for step in path.steps]
        if not any(longer[: len(events)] == events for _, longer in kept):
            kept.append((path, events))
    return [path for path, _ in kept]


def handled_events(snapshot: Snapshot, examples: Iterable[Event] = ()) -> list[Event]:
    """An event for each descriptor that active nodes name, or the examples of that type; a bare `*`
    names none.
    """
    by_type: dict[str, list[Event]] = {}
    for example in examples:
        by_type.setdefault(example["type"], []).append(example)
    descriptors = dict.fromkeys(d for node in snapshot.nodes for d in node.own_events)
    return [
        event
        for descriptor in descriptors
        if descriptor != WILDCARD
        for event in by_type.get(descriptor, [{"type": descriptor}])
    ]


def serialize_snapshot(state: Any) -> str:
    """A state as text: of a machine, its value and its context."""
    if not isinstance(state, Snapshot):
        fields = ("status", "context", "output", "error")
        return as_text({name: plain(field(state, name)) for name in fields})
    shown: dict[str, Any] = {"value": state.value}
    if state.context:
        shown["context"] = plain(state.context)
    return as_text(shown)


def as_text(value: Any) -> str:
    """Data as JSON without blanks; what isn't JSON, as Python shows it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=repr)


@dataclass(frozen=True)
class Edge:
    """A transition in a directed graph; one without targets leads back to its source."""

    id: str
    source: StateNode
    target: StateNode
    transition: Transition


@dataclass(frozen=True)
class Graph:
    """A chart as a directed graph: its node, the edges from it, its children likewise."""

    id: str
    state_node: StateNode
    children: tuple[Graph, ...]
    edges: tuple[Edge, ...]

    def to_json(self) -> dict[str, Any]:
        """As XState's `toJSON` has it."""
        return {
            "id": self.id,
            "children": [child.to_json() for child in self.children],
            "edges": [
                {
                    "source": edge.source.id,
                    "target": edge.target.id,
                    "label": {"text": edge.transition.event_type},
                }
                for edge in self.edges
            ],
        }


def get_state_nodes(machine: StateMachine | StateNode) -> list[StateNode]:
    """All nodes below the root of a machine, or below a node."""
    node = machine if isinstance(machine, StateNode) else machine.root
    return [inner for child in node.states.values() for inner in (child, *get_state_nodes(child))]


def to_directed_graph(machine: StateMachine | StateNode) -> Graph:
    """The chart of a machine, or what lies below a node, as a graph."""
    node = machine if isinstance(machine, StateNode) else machine.root
    transitions = [t for several in node.transitions.values() for t in several]
    edges = tuple(
        Edge(f"{node.id}:{number}:{place}", node, target, transition)
        for number, transition in enumerate(transitions)
        for place, target in enumerate(
            (node,) if transition.targets is None else transition.targets
        )
    )
    children = tuple(to_directed_graph(child) for child in node.states.values())
    return Graph(node.id, node, children, edges)


def _adjacency(logic: ActorLogic, traversal: Traversal) -> AdjacencyMap:
    if traversal.stop_when is None:
        traversal = replace(traversal, stop_when=traversal.to_state)
    adjacency: AdjacencyMap = {}
    pending: list[tuple[Any, Event | None, Any]] = [(traversal.first(logic), None, None)]
    for looked, (state, event, previous) in enumerate(pending):
        if looked > traversal.limit:
            raise RuntimeFault(f"Traversal limit exceeded: more than {traversal.limit} states")
        text = traversal.text_of(state, event, previous)
        if text in adjacency:
            continue
        entry = adjacency[text] = Adjacency(state, {})
        if traversal.stop_when is not None and traversal.stop_when(state):
            continue
        for next_event in traversal.to_try(state):
            if traversal.filter_events is not None and not traversal.filter_events(
                state, next_event
            ):
                continue
            reached = get_next_snapshot(logic, state, next_event)
            entry.transitions[traversal.text_of_event(next_event)] = Next(next_event, reached)
            pending.append((reached, next_event, state))
    return adjacency
