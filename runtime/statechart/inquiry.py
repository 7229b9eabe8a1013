"""Questions about charts and snapshots that don't change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .nodes import StateNode
    from .snapshot import Snapshot


class Mapped(NamedTuple):
    """What one mapper of `map_state` made, and for which node."""

    state_node: StateNode
    result: Any


def map_state(snapshot: Snapshot, mapper: Mapping[str, Any]) -> list[Mapped]:
    """Results of the mappers of all active states, leaves first.

    A mapper is `{"map": fn(snapshot), "states": {key: mapper}}`, nested as the chart is.
    """
    results = []
    seen: set[StateNode] = set()
    for leaf in snapshot.nodes:
        if not leaf.atomic:
            continue
        for node in (leaf, *leaf.ancestors):
            if node in seen:
                break
            seen.add(node)
            found: Any = mapper
            for key in node.path:
                found = (found.get("states") or {}).get(key)
                if found is None:
                    break
            if found is not None and found.get("map") is not None:
                results.append(Mapped(node, found["map"](snapshot)))
    return results
