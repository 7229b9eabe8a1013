"""Configurations: interned, bounded, in the order of entering."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import RestoreError, create_actor, create_machine, get_state_nodes
from runtime.statechart import configuration, nodes


def regions(count: int) -> dict[str, Any]:
    states = {"off": {"on": {"FLIP": "on"}}, "on": {"on": {"FLIP": "off"}}}
    return {
        "type": "parallel",
        "states": {f"r{i}": {"initial": "off", "states": states} for i in range(count)},
    }


def test_the_same_states_are_the_same_configuration() -> None:
    actor = create_actor(create_machine(regions(2))).start()
    first = actor.get_snapshot().configuration
    actor.send({"type": "FLIP"})
    assert actor.get_snapshot().configuration is not first
    actor.send({"type": "FLIP"})
    # the same states, entered in another order than at first
    assert actor.get_snapshot().value == first.value
    third = actor.get_snapshot().configuration
    actor.send({"type": "FLIP"})
    actor.send({"type": "FLIP"})
    assert actor.get_snapshot().configuration is third


def test_tables_are_bounded_and_forgetting_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "CONFIGURATION_LIMIT", 3)
    monkeypatch.setattr(configuration, "MEMO_LIMIT", 2)
    monkeypatch.setattr(nodes, "MEMO_LIMIT", 2)
    config = regions(3)
    for i in range(3):
        config["states"][f"r{i}"]["on"] = {f"RESET{i}": ".off"}
    machine = create_machine(config)
    actor = create_actor(machine).start()
    for event_type in ("FLIP", "RESET0", "RESET1", "FLIP", "UNKNOWN", "RESET2", "FLIP"):
        actor.send({"type": event_type})
    assert actor.get_snapshot().value == {"r0": "off", "r1": "off", "r2": "on"}
    chart = actor.get_snapshot().configuration.chart
    assert len(chart._configurations) <= 3
    assert len(actor.get_snapshot().configuration.reactions) <= 2


def test_event_types_from_outside_do_not_pile_up() -> None:
    actor = create_actor(create_machine(regions(1))).start()
    for number in range(2000):
        actor.send({"type": f"made.up.{number}"})
    snapshot = actor.get_snapshot()
    assert len(snapshot.configuration.reactions) <= nodes.MEMO_LIMIT
    assert len(snapshot.nodes[-1]._candidates) <= nodes.MEMO_LIMIT


def test_leaves_are_asked_in_the_order_in_which_they_were_entered() -> None:
    asked: list[str] = []

    def asking(name: str) -> Any:
        return {"guard": lambda a, p: asked.append(name), "target": "elsewhere"}

    config = regions(2)
    for i in range(2):
        states = {
            "off": {"on": {f"FLIP{i}": "on"}, "always": asking(f"off{i}")},
            "on": {"always": asking(f"on{i}")},
            "elsewhere": {},
        }
        config["states"][f"r{i}"]["states"] = states
    actor = create_actor(create_machine(config)).start()
    assert asked == ["off0", "off1"]
    asked.clear()
    actor.send({"type": "FLIP0"})
    assert asked == ["off1", "on0"]


def test_a_transition_to_history_has_a_plan_for_each_thing_recalled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = {
        "initial": "off",
        "states": {
            "off": {"on": {"ON": "p.h", "NEW": "p"}},
            "p": {
                "initial": "a",
                "on": {"OFF": "off"},
                "states": {"a": {"on": {"B": "b"}}, "b": {}, "h": {"type": "history"}},
            },
        },
    }
    for limit in (nodes.MEMO_LIMIT, 1):
        monkeypatch.setattr(configuration, "MEMO_LIMIT", limit)
        actor = create_actor(create_machine(config)).start()
        for event_type, value in (
            ("ON", {"p": "a"}),
            ("OFF", "off"),
            ("ON", {"p": "a"}),
            ("B", {"p": "b"}),
            ("OFF", "off"),
            ("ON", {"p": "b"}),
            ("OFF", "off"),
            ("ON", {"p": "b"}),
            ("OFF", "off"),
            ("NEW", {"p": "a"}),
        ):
            actor.send({"type": event_type})
            assert actor.get_snapshot().value == value


def test_a_plan_is_made_once() -> None:
    machine = create_machine({"initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {}}})
    at_a = machine.resolve_state("a").configuration
    (go,) = machine.get_state_node_by_id("(machine).a").transitions["GO"]
    assert at_a.plan((go,), {}) is at_a.plan((go,), {})
    assert at_a.reaction("GO") is at_a.reaction("GO")


def test_a_partial_value_is_completed_with_default_descendants() -> None:
    config = {
        "type": "parallel",
        "states": {
            "a": {"initial": "x", "states": {"x": {"initial": "y", "states": {"y": {}}}}},
            "b": {},
        },
    }
    assert create_machine(config).resolve_state({}).value == {"a": {"x": "y"}, "b": {}}
    assert create_machine({}).resolve_state({}).value == {}


def test_a_value_names_its_nodes_a_level_at_a_time() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "a",
            "states": {"a": {"initial": "x", "states": {"x": {}, "y": {}}}, "b": {}},
        }
    )
    assert [n.id for n in get_state_nodes(machine.root, "a")] == ["m", "m.a"]
    assert {n.id for n in get_state_nodes(machine.root, {"a": "x"})} == {"m", "m.a", "m.a.x"}
    for value, problem in (
        ("z", "state 'z' does not exist on '#m'"),
        ({"a": "x", "b": {}}, "'#m' can't be in a and b at once"),
        (5, "a state value is text or a dict, not 5"),
    ):
        with pytest.raises(RestoreError, match=problem):
            get_state_nodes(machine.root, value)  # type: ignore[arg-type]


def test_a_part_of_a_value_is_completed_and_remembered() -> None:
    machine = create_machine(regions(2))
    first = machine.resolve_state({"r0": "on"}).configuration
    assert first.value == {"r0": "on", "r1": "off"}
    assert machine.resolve_state({"r0": "on"}).configuration is first
