"""The snapshot of a machine: immutable, slotted, cheap to make; and its persisted form, XState's
own JSON.

Persisted: `status value historyValue context children`, `output` and `error` where there are any;
`machine` and `version` are ours, so that a snapshot isn't restored into another machine; so is
`order`, which says in which order leaves were entered, where that matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from runtime.errors import PersistedError, RestoreError, RuntimeFault

from .args import Args
from .configuration import complete_nodes
from .scope import ContextT, Generic, OutputT, Scope
from .values import matches_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .configuration import Chart, Configuration
    from .nodes import StateNode
    from .plan import HistoryValue
    from .scope import ActorRef, Event
    from .values import StateValue

Status = Literal["active", "done", "error", "stopped"]

#: History value, output, error.
Rare = tuple["HistoryValue", Any, Any]

#: The mark XState gives to a reference to an actor within persisted context.
ACTOR_MARK = "xstate$$type"
_STATUSES = ("active", "done", "error", "stopped")
PLAIN = frozenset((str, int, bool, type(None), float))


class Snapshot(Generic[ContextT, OutputT]):
    """The value of a machine actor at one moment. Never changed: a transition makes another one.

    `context` is plain data, `children` maps ids to actor refs, `output` and `error` are None until
    there is one.
    """

    __slots__ = (
        "children",
        "configuration",
        "context",
        "rare",
        "status",
    )

    def __init__(
        self,
        configuration: Configuration,
        context: ContextT,
        children: dict[str, Any],
        status: Status,
        rare: Rare,
    ) -> None:
        self.configuration = configuration
        self.context = context
        self.children: dict[str, Any] = children
        self.status: Status = status
        #: (history value, output, error): most transitions leave them alone.
        self.rare = rare

    @property
    def history_value(self) -> HistoryValue:
        """History node id → the nodes it recalls."""
        return self.rare[0]

    @property
    def output(self) -> OutputT | Any:
        """The machine's output once it is done, None before."""
        return self.rare[1]

    @property
    def error(self) -> Any:
        """The exception, in status `error`."""
        return self.rare[2]

    @property
    def value(self) -> StateValue:
        """The state value: a string, or nested dicts."""
        return self.configuration.value

    @property
    def tags(self) -> frozenset[str]:
        """The tags of all active states."""
        return self.configuration.tags

    @property
    def machine(self) -> Any:
        """The machine this is a snapshot of."""
        return self.configuration.chart.machine

    @property
    def nodes(self) -> tuple[StateNode, ...]:
        """The active state nodes."""
        return self.configuration.nodes

    def matches(self, value: StateValue) -> bool:
        """Whether the state lies within `value`, a key, a dotted path or a nested dict."""
        return matches_state(value, self.configuration.value)

    def has_tag(self, tag: str) -> bool:
        """Whether an active state has this tag."""
        return tag in self.configuration.tags

    def can(self, event: Event, *, now: float = 0) -> bool:
        """Whether the event would take a transition that isn't forbidden. Guards are asked, with
        `now` as the time.
        """
        reaction = self.configuration.reaction(event["type"])
        plan = reaction.plan
        if plan is None and reaction.open:
            plan = reaction.choose(
                Args(self.context, event, _Hypothesis(self, now)), self.history_value
            )
        return plan is not None and not all(t.forbidden for t in plan.transitions)

    def get_meta(self) -> dict[str, Any]:
        """Full node id → `meta`, of every active state that has one."""
        return {node.id: node.meta for node in self.configuration.nodes if node.meta is not None}

    def to_json(self) -> dict[str, Any]:
        """What XState's `toJSON` shows: plain data, children by reference."""
        return {
            "status": self.status,
            "output": plain(self.output),
            "error": plain(self.error),
            "context": plain(self.context),
            "value": plain(self.value),
            "tags": sorted(self.tags),
            "children": plain(self.children),
            "historyValue": _history_json(self.history_value),
        }

    def __repr__(self) -> str:
        return f"<Snapshot {self.machine.id} {self.value!r} {self.status}>"


def is_machine_snapshot(value: object) -> bool:
    """Whether this is the snapshot of a machine."""
    return isinstance(value, Snapshot)


def persist(
    snapshot: Snapshot,
    persist_child: Callable[[Any], Mapping[str, Any]],
    data: Callable[[Any], Any] | None = None,
) -> dict[str, Any]:
    """The persisted form; `persist_child(ref)` gives `{snapshot, src, systemId, syncSnapshot}` of a
    child, `data` what is persisted of context, output and error: a deep copy unless given.
    """
    data = data or plain
    configuration = snapshot.configuration
    machine = configuration.chart.machine
    persisted: dict[str, Any] = {
        "status": snapshot.status,
        "value": _copied(configuration.value),
        "historyValue": _history_json(snapshot.history_value) if snapshot.history_value else {},
        "context": data(snapshot.context),
        "children": (
            {id: persist_child(child) for id, child in snapshot.children.items()}
            if snapshot.children
            else {}
        ),
        "machine": machine.id,
    }
    if configuration.order is None:
        configuration.order = _order_to_keep(configuration)
    if configuration.order:
        persisted["order"] = list(configuration.order)
    if snapshot.output is not None:
        persisted["output"] = data(snapshot.output)
    if snapshot.error is not None:
        persisted["error"] = data(snapshot.error)
    if machine.version is not None:
        persisted["version"] = machine.version
    return persisted


def restore(
    chart: Chart,
    persisted: Mapping[str, Any],
    restore_child: Callable[[str, Mapping[str, Any]], Any],
) -> Snapshot:
    """The snapshot that was persisted; `restore_child(id, data)` makes the ref of a child. Raises
    RestoreError.
    """
    _same_machine(chart.machine, persisted)
    status = persisted.get("status", "active")
    if status not in _STATUSES:
        raise RestoreError("status", f"no such status: {status!r}")
    if "value" not in persisted:
        raise RestoreError("value", "there is none")
    configuration = configuration_of(chart, persisted["value"])
    if "order" in persisted:
        configuration = _in_order(configuration, persisted["order"])
    history_value: HistoryValue = {}
    for node_id, nodes in _part(persisted, "historyValue").items():
        history_value[node_id] = _nodes(chart, node_id, [node["id"] for node in nodes])
    children = {}
    for id, data in _part(persisted, "children").items():
        children[id] = restore_child(id, data)
    output, error = persisted.get("output"), persisted.get("error")
    return Snapshot(
        configuration,
        revive(_part(persisted, "context"), children),
        children,
        status,
        (
            history_value,
            None if output is None else revive(output, children),
            None if error is None else revive_error(error),
        ),
    )


def configuration_of(chart: Chart, value: StateValue) -> Configuration:
    """The configuration with this value, which may be partial. Raises RestoreError naming an
    unknown state.
    """
    key = value if value.__class__ is str else repr(value)  # the order of keys counts
    found = chart.by_value.get(key)
    if found is None:
        nodes = complete_nodes(value_nodes(chart.root, value))
        found = chart.configuration(nodes)
        chart.by_value[key] = found
    return found


def _copied(value: StateValue) -> StateValue:
    if value.__class__ is str:
        return value
    copy = value.copy()  # type: ignore[union-attr]
    for key, inner in value.items():  # type: ignore[union-attr]
        if inner.__class__ is not str:
            copy[key] = _copied(inner)
    return copy


def _order_to_keep(configuration: Configuration) -> tuple[int, ...]:
    """The leaves, by their places in the document, in the order in which they were entered.

    Kept where it matters and the value doesn't tell: eventless transitions are tried in this order.
    """
    chart = configuration.chart
    if not any(node.always for node in chart.ids.values()):
        return ()
    told = configuration_of(chart, configuration.value)
    leaves = tuple(node.order for node in configuration.nodes if node.atomic)
    same = leaves == tuple(node.order for node in told.nodes if node.atomic)
    return () if same or told.node_set != configuration.node_set else leaves


def _in_order(configuration: Configuration, order: list[int]) -> Configuration:
    """The same states, their leaves in this order; as it is if the chart was edited since."""
    leaves = {node.order: node for node in configuration.nodes if node.atomic}
    if leaves.keys() != set(order):
        return configuration
    placed: dict[StateNode, None] = {}

    def place(node: StateNode) -> None:
        if node.parent is not None and node.parent not in placed:
            place(node.parent)
        for sibling in configuration.active_children.get(node.parent, ()) if node.parent else ():
            if sibling is node:
                break
            if not sibling.atomic and sibling not in placed:
                place(sibling)  # regions keep the order that the value has
        placed[node] = None

    for number in order:
        place(leaves[number])
    rest = (node for node in configuration.nodes if node not in placed)
    return configuration.chart.configuration((*placed, *rest))


def plain(value: Any) -> Any:
    """A deep copy as plain JSON data: refs become XState's marks, exceptions `{name, message}`."""
    kind = value.__class__
    if kind in PLAIN:
        return value
    if kind is dict:
        if PLAIN.issuperset(map(type, value.values())):
            return value.copy()
        return {
            key: inner if inner.__class__ in PLAIN else plain(inner) for key, inner in value.items()
        }
    if kind is list:
        return [inner if inner.__class__ in PLAIN else plain(inner) for inner in value]
    if isinstance(value, BaseException):
        return (
            {"name": value.name, "message": value.message}
            if isinstance(value, PersistedError)
            else {"name": kind.__name__, "message": str(value)}
        )
    if hasattr(value, "session_id"):
        return {ACTOR_MARK: 1, "id": value.id}
    if isinstance(value, Snapshot):
        return value.to_json()
    raise RuntimeFault(
        f"{value!r} is not plain JSON data: "
        "keep only dicts with text keys, lists, text, numbers, booleans and None"
    )


def revive(value: Any, children: Mapping[str, ActorRef]) -> Any:
    """A deep copy of persisted data, its marks turned into refs again."""
    kind = value.__class__
    if kind in PLAIN:
        return value
    if kind is dict:
        if ACTOR_MARK in value:
            return children.get(value["id"])
        if PLAIN.issuperset(map(type, value.values())):
            return value.copy()
        return {
            key: inner if inner.__class__ in PLAIN else revive(inner, children)
            for key, inner in value.items()
        }
    if kind is list:
        return [inner if inner.__class__ in PLAIN else revive(inner, children) for inner in value]
    return value


def revive_error(error: Any) -> Any:
    """A persisted error as an exception again, which knows the name of the old one."""
    if isinstance(error, dict) and "message" in error:
        return PersistedError(str(error.get("name", "Error")), str(error["message"]))
    return error


class _Hypothesis(Scope):
    """The surroundings of guards that are asked without an actor."""

    __slots__ = ("_now",)

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self.base = snapshot
        self.system = None
        self._now = now

    def now(self) -> float:
        return self._now


def _history_json(history_value: HistoryValue) -> dict[str, list[dict[str, str]]]:
    return {
        node_id: [{"id": node.id} for node in nodes] for node_id, nodes in history_value.items()
    }


def _same_machine(machine: Any, persisted: Mapping[str, Any]) -> None:
    written_by = persisted.get("machine")
    if written_by is None:
        return  # XState wrote it
    if written_by != machine.id:
        raise RestoreError("machine", f"it was '{written_by}', this is '{machine.id}'")
    if persisted.get("version") != machine.version:
        raise RestoreError(
            "version",
            f"'{machine.id}' was at {persisted.get('version')!r}, this is {machine.version!r}",
        )


def _part(persisted: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = persisted.get(name) or {}
    if not isinstance(part, dict):
        raise RestoreError(name, f"a dict is expected, not {part!r}")
    return part


def _nodes(chart: Chart, path: str, ids: list[str]) -> tuple[StateNode, ...]:
    try:
        return tuple([chart.ids[node_id] for node_id in ids])
    except KeyError as missing:
        raise RestoreError(path, f"state '#{missing.args[0]}' no longer exists") from None


def value_nodes(node: StateNode, value: StateValue) -> list[StateNode]:
    """The nodes a value names, in XState's order: a level at a time, then what lies deeper."""
    if isinstance(value, str):
        return [node, _child(node, value)]
    if not isinstance(value, dict):
        raise RestoreError("value", f"a state value is text or a dict, not {value!r}")
    if len(value) > 1 and node.type != "parallel":
        raise RestoreError("value", f"'#{node.id}' can't be in {' and '.join(value)} at once")
    children = [(_child(node, key), inner) for key, inner in value.items()]
    root = node.ancestors[-1] if node.ancestors else node
    found = [root, node, *(child for child, _ in children)]
    for child, inner in children:
        found += value_nodes(child, inner)
    return found


def _child(node: StateNode, key: str) -> StateNode:
    child = node.states.get(key)
    if child is None:
        raise RestoreError("value", f"state '{key}' does not exist on '#{node.id}'")
    return child
