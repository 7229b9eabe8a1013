"""Questions about charts and snapshots."""

from __future__ import annotations

from runtime import (
    create_actor,
    create_machine,
    get_next_transitions,
    map_state,
)

CONFIG = {
    "id": "m",
    "initial": "a",
    "on": {"ROOT": ".b"},
    "states": {
        "a": {
            "initial": "x",
            "states": {
                "x": {
                    "on": {"X": [{"target": "y", "guard": "no"}, "y"]},
                    "always": {"guard": "no"},
                },
                "y": {},
            },
            "on": {"A": "b"},
        },
        "b": {},
    },
}
machine = create_machine(CONFIG, {"guards": {"no": lambda a, p: False}})


def test_next_transitions_are_all_candidates_leaves_first() -> None:
    found = get_next_transitions(create_actor(machine).get_snapshot())
    assert [(t.source.id, t.event_type) for t in found] == [
        ("m.a.x", "X"),
        ("m.a.x", "X"),
        ("m.a.x", ""),
        ("m.a", "A"),
        ("m", "ROOT"),
    ]


def test_map_state_collects_from_leaves_to_the_root() -> None:
    mapper = {
        "map": lambda snapshot: "root",
        "states": {
            "a": {"states": {"x": {"map": lambda snapshot: snapshot.value}}},
            "b": {"map": lambda snapshot: "never"},
        },
    }
    found = map_state(create_actor(machine).get_snapshot(), mapper)
    assert [(entry.state_node.id, entry.result) for entry in found] == [
        ("m.a.x", {"a": "x"}),
        ("m", "root"),
    ]


def test_map_state_visits_shared_ancestors_once_and_skips_what_has_no_mapper() -> None:
    config = {
        "type": "parallel",
        "states": {"a": {"initial": "x", "states": {"x": {}}}, "b": {}},
    }
    snapshot = create_actor(create_machine(config)).get_snapshot()
    mapper = {"map": lambda snapshot: "root", "states": {"a": {"map": lambda snapshot: "a"}}}
    assert [mapped.result for mapped in map_state(snapshot, mapper)] == ["a", "root"]
