"""Parsing: what a config may look like, and what is refused with which words."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import DefinitionError, create_actor, create_machine, from_transition, state_in
from runtime.statechart.machine import StateMachine
from runtime.statechart.parse import by_path

reducer = from_transition(lambda state, event, scope: state, 0)


def problem(config: Any, **implementations: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        create_machine(config, implementations)
    return str(caught.value)


def targets(machine: StateMachine, node: str, event: str) -> list[str]:
    (transition,) = machine.get_state_node_by_id(node).transitions[event]
    return [target.id for target in transition.targets or ()]


def test_types_of_states_are_inferred_or_given() -> None:
    machine = create_machine(
        {
            "initial": "compound",
            "states": {
                "compound": {
                    "initial": "atomic",
                    "states": {"atomic": {}, "old": {"history": True}},
                },
                "parallel": {"type": "parallel", "states": {"a": {}}},
                "final": {"type": "final"},
                "deep": {"type": "history", "history": "deep"},
            },
        }
    )
    kinds = {node.key: node.type for node in machine.ids.values() if node.parent}
    assert kinds == {
        "compound": "compound",
        "atomic": "atomic",
        "old": "history",
        "parallel": "parallel",
        "a": "atomic",
        "final": "final",
        "deep": "history",
    }
    assert machine.ids["(machine).compound.old"].history == "shallow"
    assert machine.ids["(machine).deep"].history == "deep"


def test_targets_are_siblings_children_paths_or_ids() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "a",
            "on": {"ROOT": ".b.y"},
            "states": {
                "a": {
                    "on": {
                        "SIBLING": "b",
                        "PATH": "b.y",
                        "ID": "#why",
                        "BELOW": "#m.b.x",
                        "LIST": {"target": ["b"]},
                        "EMPTY": {"target": ""},
                    }
                },
                "b": {
                    "initial": "x",
                    "on": {"CHILD": ".y"},
                    "states": {"x": {}, "y": {"id": "why"}},
                },
            },
        }
    )
    assert targets(machine, "#m", "ROOT") == ["why"]
    assert targets(machine, "#m.a", "SIBLING") == ["m.b"]
    assert targets(machine, "#m.a", "PATH") == ["why"]
    assert targets(machine, "#m.a", "ID") == ["why"]
    assert targets(machine, "#m.a", "BELOW") == ["m.b.x"]
    assert targets(machine, "#m.a", "LIST") == ["m.b"]
    assert targets(machine, "#m.a", "EMPTY") == []
    assert targets(machine, "#m.b", "CHILD") == ["why"]


def test_keys_with_dots_are_reached_by_escaping_them() -> None:
    machine = create_machine(
        {"id": "m", "initial": "a", "states": {"a": {"on": {"GO": r"b\.c"}}, "b.c": {}}}
    )
    assert targets(machine, "#m.a", "GO") == ["m.b.c"]


def test_integer_like_keys_of_states_come_first_as_in_javascript() -> None:
    machine = create_machine({"type": "parallel", "states": {"b": {}, "10": {}, "9": {}}})
    assert list(machine.states) == ["9", "10", "b"]
    assert [node.order for node in machine.states.values()] == [1, 2, 3]


@pytest.mark.parametrize("initial", [5, "5", {"target": "5"}, {"target": ["5"]}, {"target": 5}])
def test_an_initial_state_may_stand_in_a_list_or_be_a_number(initial: Any) -> None:
    machine = create_machine({"initial": initial, "states": {5: {}, "a": {}}})
    assert create_actor(machine).get_snapshot().value == "5"


def test_invokes_have_ids_names_and_handlers() -> None:
    machine = create_machine(
        {
            "id": "m",
            "invoke": [
                {"src": "reducer", "onDone": {"actions": []}, "onError": {"actions": []}},
                {"src": reducer, "id": "mine", "systemId": "sys", "onSnapshot": {"actions": []}},
            ],
        },
        {"actors": {"reducer": reducer}},
    )
    first, second = machine.root.invoke
    assert (first.id, first.src, first.sync_snapshot) == ("0.m", "reducer", False)
    assert (second.id, second.src, second.system_id, second.sync_snapshot) == (
        "mine",
        "xstate.invoke.1.m",
        "sys",
        True,
    )
    assert list(machine.root.transitions) == [
        "xstate.done.actor.0.m",
        "xstate.error.actor.0.m",
        "xstate.snapshot.mine",
    ]


def test_routes_lead_to_states_with_ids() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {
                "a": {"id": "first", "route": {}},
                "b": {"id": "second", "route": {"guard": lambda a, p: a.context.get("open")}},
                "c": {"route": {}},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "xstate.route", "to": "#second"})
    assert actor.get_snapshot().value == "a"
    opened = create_actor(StateMachine({**machine.config, "context": {"open": True}})).start()
    opened.send({"type": "xstate.route", "to": "#second"})
    assert opened.get_snapshot().value == "b"
    opened.send({"type": "xstate.route", "to": "#first"})
    assert opened.get_snapshot().value == "a"


def test_keys_of_other_tools_are_left_alone() -> None:
    create_machine({"$schema": "x", "states": {}, "predictableActionArguments": True})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (5, "a machine's config is a dict"),
        ({"states": {"a": 5}, "initial": "a"}, "at states.a: a state is a dict"),
        ({"intial": "a"}, "unknown key 'intial' (did you mean 'initial'?)"),
        ({"context": 5}, "at context: a context is a dict"),
        (
            {"states": {"a": {}}},
            "No initial state specified for compound state node '#(machine)' (add 'initial': 'a')",
        ),
        (
            {"initial": "b", "states": {"a": {}}},
            "at initial: Initial state node 'b' not found on parent state node #(machine)",
        ),
        ({"type": "paralel"}, "at type: no type of state: 'paralel'; did you mean 'parallel'?"),
        ({"on": 5}, "at on: 'on' is a dict, not 5"),
        ({"states": ["a"]}, "at states: 'states' is a dict, not ['a']"),
        ({"after": 5}, "at after: 'after' is a dict, not 5"),
        ({"after": {"soon": {}}}, "at after.soon: unknown delay 'soon'"),
        ({"options": 5}, "at options: 'options' is a dict, not 5"),
        ({"id": 5}, "at id: an id is text, not 5"),
        ({"on": {"": {}}}, "(use 'always')"),
        ({"on": {"A": 5}}, "at on.A: a transition is a target or a dict"),
        ({"on": {"A": [{"cond": "x"}]}}, "at on.A[0]: 'cond' has been renamed (use 'guard')"),
        ({"on": {"A": {"internal": False}}}, "'internal' has been renamed (use 'reenter')"),
        ({"onEntry": "x"}, "'onEntry' has been renamed (use 'entry')"),
        (
            {"initial": "a", "states": {"a": {"activities": "x"}}},
            "at states.a: 'activities' has been renamed (use 'invoke')",
        ),
        (
            {"initial": "a", "states": {"a": {"tags": [{"x": 1}]}}},
            "at states.a.tags: a tag is text, not {'x': 1}",
        ),
        (
            {"initial": "a", "states": {"a": {}, "h": {"type": "history", "history": "deepest"}}},
            "at states.h.history: a history is 'shallow' or 'deep', not 'deepest'",
        ),
        ({"on": {"A": {"acions": []}}}, "did you mean 'actions'?"),
        ({"on": {"A": {"target": 5}}}, "at on.A: a target is text"),
        ({"on": {"A": "b"}}, "not a valid target from the root node (did you mean '.b'?)"),
        ({"on": {"A": "#b"}}, "Child state node '#b' does not exist on machine '(machine)'"),
        (
            {"initial": "a", "states": {"a": {"on": {"A": "#(machin).a"}}}},
            "(did you mean '#(machine)'?)",
        ),
        ({"invoke": "x"}, "at invoke[0]: an invoke is a dict with a 'src'"),
        ({"invoke": {"id": "x"}}, "an invoke is a dict with a 'src'"),
        ({"initial": "a", "states": {"a": {"id": "x"}, "b": {"id": "x"}}}, "have the id 'x'"),
        ({"type": "history"}, "the root can't be a history state"),
        (
            {
                "initial": "a",
                "states": {"a": {}, "h": {"type": "history", "target": "b"}},
            },
            "at states.h.target: state 'b' does not exist on '#(machine)'",
        ),
        (
            {"initial": "h", "states": {"a": {}, "h": {"type": "history"}}},
            "at states.h.target: history state '#(machine).h' leads only to itself",
        ),
        (
            {"initial": "a", "states": {"a": {"id": "a", "route": 5}}},
            "at states.a.route: 'route' is a dict, not 5",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_where_and_what_to_do(config: Any, says: str) -> None:
    assert says in problem(config)


def test_a_chart_of_everything_is_linked_to_what_it_names() -> None:
    config = {
        "id": "m",
        "initial": "a",
        "output": lambda args: args.event["output"],
        "states": {
            "a": {
                "entry": "one",
                "exit": ["one", "two"],
                "after": {"10": "b", "soon": [{"target": "b", "guard": state_in("#m.a")}, {}]},
                "always": {"target": "b", "guard": lambda args, params: False},
                "invoke": {"src": "kid", "input": lambda args: args.event["type"]},
                "onDone": "b",
            },
            "b": {"type": "final", "output": lambda args: {"n": 1}},
            "p": {
                "type": "parallel",
                "states": {
                    "h": {"type": "history"},
                    "d": {"type": "history", "history": "deep", "target": ["q", "#m.p.r"]},
                    "q": {},
                    "r": {},
                },
            },
        },
    }
    nothing = {"one": lambda args, params: None, "two": lambda args, params: None}
    machine = create_machine(
        config, {"actions": nothing, "delays": {"soon": 5}, "actors": {"kid": reducer}}
    )
    a = machine.get_state_node_by_id("#m.a")
    assert [t.delay for t in a.after] == [10, "soon", "soon"]
    assert list(a.transitions) == [
        "xstate.done.state.m.a",
        "xstate.after.10.m.a",
        "xstate.after.soon.m.a",
    ]
    assert [action.type for action in a.entry] == ["one", "xstate.raise", "xstate.raise"]
    assert [action.type for action in a.exit] == ["one", "two", "xstate.cancel", "xstate.cancel"]
    assert [t.targets for t in a.always] == [(machine.get_state_node_by_id("#m.b"),)]
    p = machine.get_state_node_by_id("#m.p")
    defaults = [p.states[key].history_default for key in ("h", "d")]
    assert [[node.id for node in t.targets or ()] for t in defaults if t is not None] == [
        ["m.p"],
        ["m.p.q", "m.p.r"],
    ]
    with pytest.raises(DefinitionError):
        machine.get_state_node_by_id("#m.p.nowhere")


def test_a_path_may_begin_with_an_id_anywhere_and_end_with_a_dot() -> None:
    machine = create_machine({"id": "m", "initial": "a", "states": {"a": {"id": "own"}}})
    own = machine.get_state_node_by_id("own")
    assert by_path(machine._chart, machine.root, "#own") is own
    assert by_path(machine._chart, machine.root, "a.") is own
