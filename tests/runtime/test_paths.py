"""Paths through machines and other logic."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import RuntimeFault, assign, create_machine, from_transition
from runtime.paths import (
    Path,
    adjacency_map_to_array,
    get_adjacency_map,
    get_paths_from_events,
    get_shortest_paths,
    get_simple_paths,
    get_state_nodes,
    join_paths,
    serialize_snapshot,
    to_directed_graph,
)

machine = create_machine(
    {
        "id": "m",
        "initial": "a",
        "states": {
            "a": {"on": {"TO_B": "b", "TO_C": "c"}},
            "b": {"on": {"TO_C": "c", "*": "a"}},
            "c": {"on": {"TO_A": "a"}},
        },
    }
)
counter = create_machine(
    {
        "context": {"n": 0},
        "on": {
            "INC": {"actions": assign({"n": lambda a, p: a.context["n"] + a.event.get("by", 1)})}
        },
    }
)


def told(paths: list[Path]) -> list[tuple[Any, list[str]]]:
    return [(path.state.value, [step.event["type"] for step in path.steps]) for path in paths]


def test_shortest_paths_lead_to_every_state() -> None:
    assert told(get_shortest_paths(machine)) == [
        ("a", ["xstate.init"]),
        ("b", ["xstate.init", "TO_B"]),
        ("c", ["xstate.init", "TO_C"]),
    ]
    assert [path.weight for path in get_shortest_paths(machine)] == [0, 1, 1]


def test_partial_wildcards_are_tried_as_they_stand_a_bare_one_isnt() -> None:
    keys = create_machine(
        {
            "initial": "a",
            "states": {"a": {"on": {"key.*": "b", "*": "c"}}, "b": {}, "c": {}},
        }
    )
    assert told(get_shortest_paths(keys)) == [
        ("a", ["xstate.init"]),
        ("b", ["xstate.init", "key.*"]),
    ]


def test_simple_paths_pass_no_state_twice() -> None:
    assert told(get_simple_paths(machine, to_state=lambda s: s.value == "c")) == [
        ("c", ["xstate.init", "TO_B", "TO_C"]),
        ("c", ["xstate.init", "TO_C"]),
    ]


def test_the_start_and_the_events_may_be_given() -> None:
    start = machine.resolve_state("c")
    paths = get_shortest_paths(machine, from_state=start, to_state=lambda s: s.value == "b")
    assert told(paths) == [("b", ["xstate.init", "TO_A", "TO_B"])]
    paths = get_shortest_paths(
        counter,
        events=[{"type": "INC", "by": 2}, {"type": "INC", "by": 3}],
        to_state=lambda s: s.context["n"] == 5,
        stop_when=lambda s: s.context["n"] >= 5,
    )
    assert [[step.event.get("by") for step in path.steps] for path in paths] == [[None, 2, 3]]
    by_state = get_shortest_paths(
        counter,
        events=lambda state: [{"type": "INC", "by": state.context["n"] + 1}],
        stop_when=lambda s: s.context["n"] > 2,
    )
    assert [path.state.context["n"] for path in by_state] == [0, 1, 3]


def test_events_that_are_given_are_all_that_is_tried() -> None:
    paths = get_shortest_paths(machine, events=[{"type": "TO_C"}, {"type": "ANY"}])
    assert told(paths) == [("a", ["xstate.init"]), ("c", ["xstate.init", "TO_C"])]


def test_events_may_be_filtered() -> None:
    paths = get_shortest_paths(machine, filter_events=lambda s, event: event["type"] != "TO_C")
    assert [path.state.value for path in paths] == ["a", "b"]


def test_a_traversal_without_end_has_a_limit() -> None:
    with pytest.raises(RuntimeFault, match="Traversal limit exceeded"):
        get_shortest_paths(counter, limit=20)


def test_states_are_what_their_serializer_tells_apart() -> None:
    paths = get_shortest_paths(counter, serialize_state=lambda s, e, p: str(s.context["n"] % 3))
    assert [path.state.context["n"] for path in paths] == [0, 1, 2]
    adjacency = get_adjacency_map(
        machine,
        serialize_state=lambda s, e, p: s.value,
        serialize_event=lambda e: e["type"].lower(),
    )
    assert list(adjacency) == ["a", "b", "c"]
    assert adjacency["a"].transitions["to_b"].state.value == "b"
    assert serialize_snapshot(adjacency["a"].state) == '{"value":"a"}'


def test_an_adjacency_map_is_a_list_of_steps_too() -> None:
    steps = adjacency_map_to_array(get_adjacency_map(machine))
    assert [(state.value, event["type"], reached.value) for state, event, reached in steps] == [
        ("a", "TO_B", "b"),
        ("a", "TO_C", "c"),
        ("b", "TO_C", "c"),
        ("c", "TO_A", "a"),
    ]


def test_events_make_a_path() -> None:
    (path,) = get_paths_from_events(machine, [{"type": "TO_B"}, {"type": "ANY"}])
    assert told([path]) == [("a", ["xstate.init", "TO_B", "ANY"])]
    assert get_paths_from_events(machine, [], to_state=lambda s: s.value == "b") == []
    options: dict[str, Any] = {"events": [{"type": "TO_B"}], "limit": 9}
    (path,) = get_paths_from_events(machine, [{"type": "TO_C"}], **options)
    assert told([path]) == [("c", ["xstate.init", "TO_C"])]


def test_paths_are_joined_where_one_begins_and_the_other_ends() -> None:
    (head,) = get_shortest_paths(machine, to_state=lambda s: s.value == "b")
    (tail,) = get_shortest_paths(machine, from_state=head.state, to_state=lambda s: s.value == "c")
    joined = join_paths(head, tail)
    assert told([joined]) == [("c", ["xstate.init", "TO_B", "TO_C"])]
    assert joined.weight == 2
    with pytest.raises(RuntimeFault, match="cannot be joined"):
        join_paths(tail, head)


def test_other_logic_has_paths_too() -> None:
    reducer = from_transition(lambda state, event, scope: min(state + 1, 2), 0)
    paths = get_shortest_paths(reducer, events=[{"type": "UP"}])
    assert [path.state.context for path in paths] == [0, 1, 2]


def test_a_first_state_may_depend_on_the_input() -> None:
    given = create_machine({"context": lambda a: {"n": a.input}})
    assert get_shortest_paths(given, input=7)[0].state.context == {"n": 7}


def test_all_nodes_of_a_chart_are_listed() -> None:
    deep = create_machine(
        {
            "id": "m",
            "initial": "a",
            "states": {"a": {"initial": "b", "states": {"b": {}}}, "c": {}},
        }
    )
    assert [node.id for node in get_state_nodes(deep)] == ["m.a", "m.a.b", "m.c"]


def test_events_that_are_not_json_are_told_apart_by_how_python_shows_them() -> None:
    mark = object()
    (_, path) = get_shortest_paths(machine, events=[{"type": "TO_B", "mark": mark}])
    assert path.steps[1].event["mark"] is mark


def test_a_chart_is_a_directed_graph() -> None:
    graph = to_directed_graph(machine)
    assert graph.to_json() == {
        "id": "m",
        "edges": [],
        "children": [
            {
                "id": "m.a",
                "children": [],
                "edges": [
                    {"source": "m.a", "target": "m.b", "label": {"text": "TO_B"}},
                    {"source": "m.a", "target": "m.c", "label": {"text": "TO_C"}},
                ],
            },
            {
                "id": "m.b",
                "children": [],
                "edges": [
                    {"source": "m.b", "target": "m.c", "label": {"text": "TO_C"}},
                    {"source": "m.b", "target": "m.a", "label": {"text": "*"}},
                ],
            },
            {
                "id": "m.c",
                "children": [],
                "edges": [{"source": "m.c", "target": "m.a", "label": {"text": "TO_A"}}],
            },
        ],
    }
