"""A machine's snapshot as plain JSON, in XState's own shape, and back.

`status output error value historyValue context children`, in this order, `output` and `error` where
there are any; `machine` and `version` are ours, so that a snapshot isn't restored into another
machine; so is `order`, which says in which order leaves were entered, where that matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import PersistedError, RestoreError

from .configuration import configuration_of
from .snapshot import ACTOR_MARK, PLAIN, Snapshot, history_json, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .configuration import Chart, Configuration
    from .nodes import StateNode
    from .plan import HistoryValue
    from .scope import ActorRef
    from .values import StateValue

_STATUSES = ("active", "done", "error", "stopped")


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
    persisted: dict[str, Any] = {"status": snapshot.status}
    if snapshot.output is not None:
        persisted["output"] = data(snapshot.output)
    if snapshot.error is not None:
        persisted["error"] = data(snapshot.error)
    persisted["value"] = _copied(configuration.value)
    persisted["historyValue"] = (
        history_json(snapshot.history_value) if snapshot.history_value else {}
    )
    persisted["context"] = data(snapshot.context)
    persisted["children"] = (
        {id: persist_child(child) for id, child in snapshot.children.items()}
        if snapshot.children
        else {}
    )
    persisted["machine"] = machine.id
    if configuration.order is None:
        configuration.order = _order_to_keep(configuration)
    if configuration.order:
        persisted["order"] = list(configuration.order)
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
    try:
        told = configuration_of(chart, configuration.value)
    except RestoreError:
        return ()  # targets that can't be active together, as only a chart's author can mend it
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
