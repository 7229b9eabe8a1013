"""Parsing: a config, as XState has it, into a chart of compiled nodes.

Everything a config refers to is looked up here, so that a machine that was built has no loose ends:
targets, initial states, and through the library every action, guard, delay and actor. Errors carry
the path in the config.
Next: runtime/statechart/configuration.py
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from runtime.errors import DefinitionError, nearest

from .actions import CancelAction, RaiseAction
from .configuration import Chart
from .events import after_event_type
from .guards import and_
from .nodes import Action, Guard, Invoke, StateNode, Transition
from .values import text_keys, to_state_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .library import Library
    from .nodes import NodeType

_NODE_TYPES = ("atomic", "compound", "parallel", "final", "history")
_STATE_KEYS = [
    "after",
    "always",
    "context",
    "description",
    "entry",
    "exit",
    "history",
    "id",
    "initial",
    "invoke",
    "key",
    "meta",
    "on",
    "onDone",
    "options",
    "order",
    "output",
    "route",
    "schemas",
    "states",
    "tags",
    "target",
    "type",
    "types",
    "version",
]
_RENAMED = {
    "activities": "invoke",
    "cond": "guard",
    "internal": "reenter",
    "onEntry": "entry",
    "onExit": "exit",
}
_TRANSITION_KEYS = ["actions", "description", "guard", "meta", "reenter", "target"]
_INVOKE_KEYS = [
    "description",
    "id",
    "input",
    "meta",
    "onDone",
    "onError",
    "onSnapshot",
    "src",
    "systemId",
]
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def parse(config: Mapping[str, Any], machine: Any, library: Library) -> Chart:
    """The chart of a config. Raises DefinitionError."""
    parser = _Parser(machine, library)
    chart = parser.chart
    options = _section(config, "options", "")
    chart.max_iterations = options.get("maxIterations", chart.max_iterations)
    _link_all(parser, chart.root)
    parser.routes()
    parser.recall()
    for reference, path, found in library.awaited_nodes:
        found.append(parser.by_id(reference, path))
    library.find = parser.by_id
    chart.ready()
    return chart


def _link_all(parser: _Parser, node: StateNode) -> None:
    parser.link(node)
    for child in node.states.values():
        _link_all(parser, child)


def by_id(chart: Chart, reference: str) -> StateNode:
    """The node of "#id" or "#id.child.grandchild". Raises KeyError with the id that isn't there."""
    first, *rest = to_state_path(reference)
    return by_path(chart, chart.ids[first.removeprefix("#")], rest)


def by_path(chart: Chart, node: StateNode, path: str | list[str]) -> StateNode:
    """The descendant at a relative path. Raises KeyError with the key that isn't there."""
    if isinstance(path, str) and path.startswith("#"):
        return by_id(chart, path)
    for key in to_state_path(path):
        if not key:
            break
        node = chart.ids[key[1:]] if key.startswith("#") else node.states[key]
    return node


class _Parser:
    """The tree is made first, then each node is linked to what it refers to."""

    def __init__(self, machine: Any, library: Library) -> None:
        self.machine = machine
        self.library = library
        self.ids: dict[str, StateNode] = {}
        self.paths: dict[StateNode, str] = {}
        self.root = self.node(machine.config, machine.id, None, "")
        self.chart = Chart(machine, self.root, self.ids)

    def node(self, config: Any, key: str, parent: StateNode | None, path: str) -> StateNode:
        """A node and its descendants, not linked yet."""
        if not isinstance(config, dict):
            raise DefinitionError(path, f"a state is a dict, not {config!r}")
        _known_keys(config, _STATE_KEYS, path)
        states = _section(config, "states", path)
        kind = config.get("type") or (
            "compound" if states else "history" if config.get("history") else "atomic"
        )
        if kind not in _NODE_TYPES:
            raise DefinitionError(
                f"{path}.type".lstrip("."),
                f"no type of state: {kind!r}{nearest(str(kind), _NODE_TYPES)}",
            )
        given = config.get("id")
        if not isinstance(given, (str, type(None))):
            raise DefinitionError(_join(path, "id"), f"an id is text, not {given!r}")
        default_id = ".".join(
            [self.machine.id, *(parent.path if parent else ()), *([key] if parent else ())]
        )
        node_id = given or default_id
        known = self.ids.get(node_id)
        if known is not None and (given or known.config.get("id")):
            raise DefinitionError(path, f"two states have the id '{node_id}'")
        node = StateNode(key, node_id, cast("NodeType", kind), len(self.paths), parent, config)
        self.ids[node_id] = node
        self.paths[node] = path
        for child, child_config in text_keys(states).items():
            node.states[child] = self.node(
                child_config, child, node, _join(path, f"states.{child}")
            )
        if kind == "compound" and not config.get("initial"):
            first = next(iter(node.states), "…")
            raise DefinitionError(
                path,
                f"No initial state specified for compound state node '#{node_id}'",
                f"add 'initial': '{first}'",
            )
        return node

    def link(self, node: StateNode) -> None:
        """Everything the node refers to."""
        config, path = node.config, self.paths[node]
        node.entry = self.actions(config.get("entry"), _join(path, "entry"))
        node.exit = self.actions(config.get("exit"), _join(path, "exit"))
        node.tags = tuple(_as_list(config.get("tags")))
        if odd := [tag for tag in node.tags if not isinstance(tag, str)]:
            raise DefinitionError(_join(path, "tags"), f"a tag is text, not {odd[0]!r}")
        node.meta = config.get("meta")
        node.description = config.get("description")
        if node.type == "final" or node.parent is None:
            output = config.get("output")
            if callable(output):
                output = self.library.function(output, _join(path, "output"), arity=1)
            node.output = output
        if node.type == "history":
            history = config.get("history") or "shallow"
            if history not in ("deep", "shallow", True):
                what = f"a history is 'shallow' or 'deep', not {history!r}"
                raise DefinitionError(_join(path, "history"), what)
            node.history = "deep" if history == "deep" else "shallow"
        if config.get("initial"):
            node.initial = self.initial(node, config["initial"], _join(path, "initial"))
        transitions: dict[str, list[Transition]] = {}
        self.handlers(node, transitions)
        self.invocations(node, transitions)
        self.delayed(node, transitions)
        node.transitions = {event: tuple(several) for event, several in transitions.items()}
        if config.get("always") is not None:
            node.always = tuple(self.transitions(node, "", config["always"], _join(path, "always")))
        if node.type == "history":
            node.history_default = self.history_default(node)

    def handlers(self, node: StateNode, transitions: dict[str, list[Transition]]) -> None:
        """`on` and `onDone`."""
        path = self.paths[node]
        for descriptor, several in text_keys(_section(node.config, "on", path)).items():
            where = _join(path, f"on.{descriptor}")
            if descriptor == "":
                raise DefinitionError(
                    where,
                    'Null events ("") cannot be specified as a transition key',
                    "use 'always'",
                )
            transitions[descriptor] = self.transitions(node, descriptor, several, where)
        if node.config.get("onDone") is not None:
            descriptor = f"xstate.done.state.{node.id}"
            transitions[descriptor] = self.transitions(
                node, descriptor, node.config["onDone"], _join(path, "onDone")
            )

    def invocations(self, node: StateNode, transitions: dict[str, list[Transition]]) -> None:
        """`invoke`, with the transitions it brings."""
        invokes = []
        for index, config in enumerate(_as_list(node.config.get("invoke"))):
            path = _join(self.paths[node], f"invoke[{index}]")
            if not isinstance(config, dict) or config.get("src") is None:
                raise DefinitionError(path, f"an invoke is a dict with a 'src', not {config!r}")
            _known_keys(config, _INVOKE_KEYS, path)
            own_name = f"{index}.{node.id}"
            invoke_id = config.get("id") or own_name
            src = self.library.actor(config["src"], f"{path}.src")
            if not isinstance(src, str):
                name = f"xstate.invoke.{own_name}"
                self.machine.inline_actors[name] = src
                src = name
            given = config.get("input")
            if callable(given):
                given = self.library.function(given, f"{path}.input", arity=1)
            invokes.append(
                Invoke(invoke_id, src, given, config.get("systemId"), "onSnapshot" in config)
            )
            for key, prefix in (
                ("onDone", "xstate.done.actor"),
                ("onError", "xstate.error.actor"),
                ("onSnapshot", "xstate.snapshot"),
            ):
                if config.get(key) is not None:
                    descriptor = f"{prefix}.{invoke_id}"
                    transitions[descriptor] = self.transitions(
                        node, descriptor, config[key], f"{path}.{key}"
                    )
        node.invoke = tuple(invokes)

    def delayed(self, node: StateNode, transitions: dict[str, list[Transition]]) -> None:
        """`after`: entering sends the event to oneself, leaving cancels it."""
        path = self.paths[node]
        after: list[Transition] = []
        for key, several in text_keys(_section(node.config, "after", path)).items():
            where = _join(path, f"after.{key}")
            delay: float | str = float(key) if _NUMBER.fullmatch(key) else key
            event_type = after_event_type(delay, node.id)
            wait = self.library.delay(delay, where)
            begin = RaiseAction({"type": event_type}, event_type, wait)
            node.entry += (self.library.action(begin, where),)
            node.exit += (self.library.action(CancelAction(event_type), where),)
            found = self.transitions(node, event_type, several, where)
            for transition in found:
                transition.delay = delay
            transitions.setdefault(event_type, []).extend(found)
            after += found
        node.after = tuple(after)

    def transitions(
        self, node: StateNode, descriptor: str, several: Any, path: str
    ) -> list[Transition]:
        """One transition, or several candidates in a list."""
        if not isinstance(several, list):
            return [self.transition(node, descriptor, several, path)]
        return [
            self.transition(node, descriptor, config, f"{path}[{index}]")
            for index, config in enumerate(several)
        ]

    def transition(self, node: StateNode, descriptor: str, config: Any, path: str) -> Transition:
        """One candidate."""
        if config is None or isinstance(config, str):
            config = {"target": config}
        if not isinstance(config, dict):
            raise DefinitionError(path, f"a transition is a target or a dict, not {config!r}")
        _known_keys(config, _TRANSITION_KEYS, path)
        targets = config.get("target")
        guard = config.get("guard")
        return Transition(
            node,
            descriptor,
            None
            if targets is None or targets == ""
            else tuple(self.target(node, target, path) for target in _as_list(targets)),
            self.actions(config.get("actions"), f"{path}.actions"),
            None if guard is None else self.library.guard(guard, f"{path}.guard"),
            bool(config.get("reenter")),
            config=config,
        )

    def actions(self, config: Any, path: str) -> tuple[Action, ...]:
        """One action or several in a list."""
        several = _as_list(config)
        if len(several) == 1:
            return (self.library.action(several[0], path),)
        return tuple(
            self.library.action(action, f"{path}[{index}]") for index, action in enumerate(several)
        )

    def initial(self, node: StateNode, config: Any, path: str) -> Transition:
        """The transition into the initial child."""
        key: Any = config.get("target") if isinstance(config, dict) else config
        if isinstance(key, list) and len(key) == 1:
            key = key[0]
        if isinstance(key, int):
            key = str(key)
        child = node.states.get(key) if isinstance(key, str) else None
        if child is None:
            raise DefinitionError(
                path,
                f"Initial state node '{key}' not found on parent state node #{node.id}"
                f"{nearest(str(key), node.states)}",
            )
        actions = config.get("actions") if isinstance(config, dict) else None
        return Transition(
            node, "", (child,), self.actions(actions, f"{path}.actions"), config=config
        )

    def history_default(self, node: StateNode) -> Transition:
        """Where a history state leads before its parent has ever been left."""
        parent = node.parent
        if parent is None:
            raise DefinitionError("", "the root can't be a history state")
        path = _join(self.paths[node], "target")
        targets = node.config.get("target")
        if targets is None or targets == "":
            if parent.type == "parallel":
                return Transition(parent, "", (parent,))
            assert parent.initial is not None  # parents are linked before their children
            return parent.initial
        found = [self.by_path(parent, target, path) for target in _as_list(targets)]
        return Transition(parent, "", tuple(found))

    def recall(self) -> None:
        """Every history state leads somewhere, also before its parent has ever been left."""

        def follow(node: StateNode, passed: tuple[StateNode, ...]) -> None:
            if node in passed:
                path = _join(self.paths[node], "target")
                raise DefinitionError(path, f"history state '#{node.id}' leads only to itself")
            for target in (node.history_default and node.history_default.targets) or ():
                follow(target, (*passed, node))

        for node in self.ids.values():
            follow(node, ())

    def target(self, node: StateNode, target: Any, path: str) -> StateNode:
        """The node a transition leads to: "#id", ".child", or a sibling."""
        if not isinstance(target, str):
            raise DefinitionError(path, f"a target is text, not {target!r}")
        if target.startswith("#"):
            return self.by_id(target, path)
        if target.startswith("."):
            return self.by_path(node, target[1:], path)
        if node.parent is None:
            raise DefinitionError(
                path,
                f"Invalid target: '{target}' is not a valid target from the root node",
                f"did you mean '.{target}'?",
            )
        return self.by_path(node.parent, target, path)

    def by_id(self, reference: str, path: str) -> StateNode:
        """`by_id`, its KeyError explained."""
        try:
            return by_id(self.chart, reference)
        except KeyError as missing:
            near = get_close_matches(str(missing.args[0]), list(self.ids), n=1)
            hint = f"did you mean '#{near[0]}'?" if near else ""
            raise DefinitionError(
                path,
                f"Child state node '{reference}' does not exist on machine '{self.machine.id}'",
                hint,
            ) from None

    def by_path(self, node: StateNode, target: str, path: str) -> StateNode:
        """`by_path`, its KeyError explained."""
        try:
            return by_path(self.chart, node, target)
        except KeyError as missing:
            key = missing.args[0]
            raise DefinitionError(
                path, f"state '{target}' does not exist on '#{node.id}'{nearest(key, node.states)}"
            ) from None

    def routes(self) -> None:
        """States with an id and a `route` can be gone to from anywhere with `xstate.route`, `to:
        "#id"`.
        """
        found = []
        for node in self.ids.values():
            node_id = node.config.get("id")
            if node.config.get("route") is None or not node_id or node.parent is None:
                continue
            route = _section(node.config, "route", self.paths[node])
            path = _join(self.paths[node], "route")
            there = Guard("", _routed_to(f"#{node_id}"), None, None)
            guard = there
            if route.get("guard") is not None:
                guard = self.library.guard(and_([there.check, route["guard"]]), path)
            actions = self.actions(route.get("actions"), path)
            reenter = bool(route.get("reenter"))
            found.append(
                Transition(
                    self.root, "xstate.route", (node,), actions, guard, reenter, config=route
                )
            )
        if found:
            self.root.transitions["xstate.route"] = tuple(found)


def _routed_to(reference: str) -> Callable[[Any, Any], bool]:
    return lambda args, _: args.event.get("to") == reference


def _known_keys(config: Mapping[str, Any], known: list[str], path: str) -> None:
    """A misspelt key would be ignored in silence, as would one of XState 4; one that resembles
    nothing may belong to other tools.
    """
    for key in config:
        renamed = _RENAMED.get(key)
        if renamed in known:
            raise DefinitionError(path, f"'{key}' has been renamed", f"use '{renamed}'")
        if key not in known and not str(key).startswith("$"):
            near = get_close_matches(str(key), known, n=1, cutoff=0.8)
            if near:
                raise DefinitionError(path, f"unknown key '{key}'", f"did you mean '{near[0]}'?")


def _section(config: Mapping[str, Any], key: str, path: str) -> dict[Any, Any]:
    """A part of a config that is a dict, if it is there at all."""
    section = config.get(key) or {}
    if not isinstance(section, dict):
        raise DefinitionError(_join(path, key), f"'{key}' is a dict, not {section!r}")
    return section


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _join(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part
