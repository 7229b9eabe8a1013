"""Model-based testing: paths through a machine, walked through the thing it is a model of.

model = create_test_model(machine)

@pytest.mark.parametrize("path", model.get_shortest_paths(), ids=str)
def test_door(path):
    door = Door()
    path.test(
        states={"open": lambda state: door.assert_open()},
        events={"PUSH": lambda step: door.push()},
    )
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from . import paths as routes
from .errors import DefinitionError
from .snapshots import field
from .statechart.actions import RaiseAction, SendToAction
from .statechart.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .paths import AdjacencyMap, Path, PathStep
    from .statechart.machine import StateMachine
    from .statechart.nodes import StateNode
    from .statechart.scope import ActorLogic, Event

    StateTests = Mapping[str, Callable[[Any], Any]]
    EventTests = Mapping[str, Callable[[PathStep], Any]]


_INSTEAD = "leave it out of the model, or take the paths of runtime.paths"


class TestPath:
    """A path that can be walked. `str(path)` says where it leads and how."""

    __test__ = False

    def __init__(self, path: Path, matcher: Callable[[Any, str], bool]) -> None:
        self.path = path
        self.state = path.state
        self.steps = path.steps
        self.weight = path.weight
        self._matches = matcher

    @property
    def description(self) -> str:
        """Where the path leads, and by which events."""
        events = " → ".join(_event_text(step.event) for step in self.steps)
        if isinstance(self.state, Snapshot):
            return f"Reaches {_state_text(self.state)}: {events}"
        return f"Reaches {routes.serialize_snapshot(self.state)}: {events}"

    def test(self, *, states: StateTests | None = None, events: EventTests | None = None) -> None:
        """Walk the path: do each event's deed, then check each state. What they raise tells where
        it happened.

        Args:
            states: state value or "#id" → check of the state; `*` is for states that no other key
                matches.
            events: event type → what to do for it, given the step.
        """
        for place, deed in self._deeds(states or {}, events or {}):
            try:
                done = deed()
            except Exception as error:
                error.add_note(self._trail(place))
                raise
            if inspect.iscoroutine(done):
                done.close()
                raise DefinitionError("", "a check or deed is a coroutine", "use test_async")

    async def test_async(
        self, *, states: StateTests | None = None, events: EventTests | None = None
    ) -> None:
        """`test`, for checks and deeds that may be coroutines."""
        for place, deed in self._deeds(states or {}, events or {}):
            try:
                done = deed()
                if inspect.isawaitable(done):
                    await done
            except Exception as error:
                error.add_note(self._trail(place))
                raise

    def __str__(self) -> str:
        return self.description

    def _deeds(
        self, states: StateTests, events: EventTests
    ) -> Iterable[tuple[int, Callable[[], Any]]]:
        for place, step in enumerate(self.steps):
            deed = events.get(step.event["type"])
            if deed is not None:
                yield place, partial(deed, step)
            keys = [key for key in states if key != "*" and self._matches(step.state, key)]
            for key in keys or [key for key in states if key == "*"]:
                yield place, partial(states[key], step.state)

    def _trail(self, failed: int) -> str:
        lines = ["Path:"]
        for place, step in enumerate(self.steps):
            mark = "✗" if place == failed else " " if place > failed else "✓"
            state = routes.serialize_snapshot(step.state)
            lines.append(f"  {mark} {_event_text(step.event)} → {state}")
        return "\n".join(lines)


class TestModel:
    """Paths of a machine, or of other logic with a `state_matcher` of its own, made for walking.
    Options as in `paths.Traversal`; those given here hold for all paths, and `events` are examples:
    a type that a machine's states name, and that has none, is tried bare.
    """

    __test__ = False

    def __init__(
        self,
        logic: ActorLogic,
        *,
        state_matcher: Callable[[Any, str], bool] | None = None,
        events: Sequence[Event] | Callable[[Any], Iterable[Event]] = (),
        **options: Any,
    ) -> None:
        self._logic: Any = logic
        self._matches = state_matcher or self._active

        def examples(state: Any) -> Iterable[Event]:
            given = events(state) if callable(events) else events
            return routes.handled_events(state, given) if isinstance(state, Snapshot) else given

        self._options = {"serialize_state": _state_and_how, "events": examples, **options}

    def get_shortest_paths(self, **options: Any) -> list[TestPath]:
        """One shortest path to each state and way in, without those that others contain."""
        return self._made(routes.get_shortest_paths, options)

    def get_simple_paths(self, **options: Any) -> list[TestPath]:
        """All paths that pass no state twice, without those that others contain."""
        return self._made(routes.get_simple_paths, options)

    def get_shortest_paths_from(self, paths: Iterable[TestPath], **options: Any) -> list[TestPath]:
        """Shortest paths on from where others end."""
        return self._onward(self.get_shortest_paths, paths, options)

    def get_simple_paths_from(self, paths: Iterable[TestPath], **options: Any) -> list[TestPath]:
        """Simple paths on from where others end."""
        return self._onward(self.get_simple_paths, paths, options)

    def get_paths_from_events(self, events: Sequence[Event], **options: Any) -> list[TestPath]:
        """The path that these events make."""
        found = routes.get_paths_from_events(self._logic, events, **options)
        return [TestPath(path, self._matches) for path in found]

    def get_adjacency_map(self) -> AdjacencyMap:
        """Every state, and what events lead to."""
        return routes.get_adjacency_map(self._logic, **self._options)

    def _made(self, find: Callable[..., list[Path]], options: dict[str, Any]) -> list[TestPath]:
        given = {**self._options, **options}
        duplicates = given.pop("allow_duplicate_paths", False)
        found = find(self._logic, **given)
        kept = found if duplicates else routes.deduplicate_paths(found)
        return [TestPath(path, self._matches) for path in kept]

    def _onward(
        self,
        find: Callable[..., list[TestPath]],
        paths: Iterable[TestPath],
        options: dict[str, Any],
    ) -> list[TestPath]:
        return [
            TestPath(routes.join_paths(path.path, onward.path), self._matches)
            for path in paths
            for onward in find(**options, from_state=path.state)
        ]

    def _active(self, state: Any, key: str) -> bool:
        if key.startswith("#"):
            return self._logic.get_state_node_by_id(key) in state.nodes
        return bool(state.matches(key))


def create_test_model(machine: StateMachine, **options: Any) -> TestModel:
    """A model to make test paths from. Machines that wait for anything but events can't be walked:
    DefinitionError.
    """
    _validate(machine.root)
    return TestModel(machine, **options)


def _validate(node: StateNode) -> None:
    if node.invoke:
        raise DefinitionError(node.id, "Invocations on test machines are not supported", _INSTEAD)
    if node.after:
        raise DefinitionError(node.id, "After events on test machines are not supported", _INSTEAD)
    actions = [*node.entry, *node.exit]
    actions += [a for several in node.transitions.values() for t in several for a in t.actions]
    delayed = (RaiseAction, SendToAction)
    for action in actions:
        if isinstance(action.config, delayed) and action.config.delay is not None:
            raise DefinitionError(
                node.id, "Delayed actions on test machines are not supported", _INSTEAD
            )
    for child in node.states.values():
        _validate(child)


def _state_and_how(state: Any, event: Event | None, previous: Any) -> str:
    """Arriving in a state from another one, or by another event, is worth another path."""
    text = routes.serialize_snapshot(state)
    value, before = field(state, "value"), field(previous, "value")
    if event is None or (previous is not None and before == value):
        return text
    came_from = "" if previous is None else f" from {routes.as_text(before)}"
    return f"{text} via {routes.as_text(event)}{came_from}"


def _state_text(snapshot: Snapshot) -> str:
    meta = snapshot.get_meta()
    names = []
    for node in snapshot.nodes:
        if not node.atomic:
            continue
        about = meta.get(node.id)
        if about is None:
            names.append(routes.as_text(".".join(node.path)))
            continue
        described = about.get("description") if isinstance(about, dict) else None
        if callable(described):
            names.append(str(described(snapshot)))
        else:
            names.append(routes.as_text(described or snapshot.value))
    context = f"({routes.as_text(snapshot.context)})" if snapshot.context else ""
    return f"state{'' if len(names) == 1 else 's'} {', '.join(names)}{context}".rstrip()


def _event_text(event: Event) -> str:
    others = {key: value for key, value in event.items() if key != "type"}
    return f"{event['type']} ({routes.as_text(others)})" if others else str(event["type"])
