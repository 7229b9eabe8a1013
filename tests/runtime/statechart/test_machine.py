"""Machines: providing, resolving, showing, watching for mutation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime import (
    DefinitionError,
    MutationError,
    RestoreError,
    RuntimeFault,
    System,
    assign,
    create_actor,
    create_machine,
    from_callback,
    raise_,
    setup,
    spawn_child,
    state_in,
)


def test_provide_makes_another_machine() -> None:
    told: list[str] = []
    machine = create_machine(
        {"entry": "greet"}, {"actions": {"greet": lambda a, p: told.append("hello")}}
    )
    other = machine.provide(actions={"greet": lambda a, p: told.append("goodbye")})
    create_actor(machine).start()
    create_actor(other).start()
    assert told == ["hello", "goodbye"]
    with pytest.raises(DefinitionError, match="no kind of implementation"):
        create_machine({}, {"action": {}})
    with pytest.raises(DefinitionError, match="no kind of implementation"):
        machine.provide(acts={})


def test_setup_extends_and_later_names_win() -> None:
    told: list[str] = []
    base = setup(actions={"a": lambda a, p: told.append("a"), "b": lambda a, p: told.append("b")})
    extended = base.extend(actions={"b": lambda a, p: told.append("B")})
    create_actor(extended.create_machine({"entry": ["a", "b"]})).start()
    assert told == ["a", "B"]


def test_a_context_may_be_made_from_the_input() -> None:
    machine = create_machine({"context": lambda a: {"n": a.input["n"] * 2}})
    assert create_actor(machine, input={"n": 2}).get_snapshot().context == {"n": 4}


def test_a_context_function_that_raises_is_an_error_of_the_actor() -> None:
    machine = create_machine({"context": lambda a: {"n": a.input["n"]}})
    snapshot = create_actor(machine).get_snapshot()
    assert snapshot.status == "error"
    assert snapshot.context == {}


def test_a_completed_state_has_regions_with_numbers_for_keys_first() -> None:
    region: dict[str, Any] = {"initial": "x", "states": {"x": {}, "y": {}}}
    machine = create_machine({"type": "parallel", "states": {"a": region, "1": region}})
    for partial in ({}, {"a": "y"}, {"a": "y", "1": "x"}):
        nodes = machine.resolve_state(partial).nodes
        assert [node.key for node in nodes if not node.atomic] == ["(machine)", "1", "a"], partial


def test_resolve_state_completes_a_partial_value() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {
                "a": {},
                "b": {"initial": "x", "states": {"x": {}, "y": {"type": "final"}}},
                "end": {"type": "final"},
            },
        }
    )
    assert machine.resolve_state("b").value == {"b": "x"}
    assert machine.resolve_state({"b": "y"}, context={"n": 1}).context == {"n": 1}
    assert machine.resolve_state("end").status == "done"
    with pytest.raises(RestoreError, match="state 'c' does not exist"):
        machine.resolve_state("c")


def test_an_actor_goes_on_from_a_resolved_state() -> None:
    machine = create_machine(
        {"initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {"on": {"BACK": "a"}}}}
    )
    actor = create_actor(machine, snapshot=machine.resolve_state("b")).start()
    actor.send({"type": "BACK"})
    assert actor.get_snapshot().value == "a"


def test_a_config_of_plain_json_comes_back_as_it_was() -> None:
    config = {
        "id": "light",
        "initial": "green",
        "context": {"n": 0},
        "states": {
            "green": {"on": {"TIMER": {"target": "red", "actions": {"type": "count"}}}},
            "red": {"after": {"1000": "green"}, "tags": ["stop"], "meta": {"k": [1, None]}},
        },
    }
    machine = create_machine(config, {"actions": {"count": lambda a, p: None}})
    assert machine.to_json() == config
    assert (
        create_machine(
            json.loads(json.dumps(machine.to_json())), {"actions": {"count": lambda a, p: None}}
        ).to_json()
        == config
    )


def test_functions_and_own_actions_are_shown_by_name() -> None:
    def greet(args: Any, params: Any) -> None:
        """Says nothing."""

    machine = create_machine(
        {
            "entry": [greet, raise_({"type": "X"}), assign({})],
            "always": {"guard": state_in("x"), "actions": []},
            "invoke": {"src": create_machine({"id": "child"})},
            "after": {10: {"actions": greet}},
        }
    )
    shown = machine.to_json()
    assert shown["entry"] == [
        {"type": "greet"},
        {"type": "xstate.raise"},
        {"type": "xstate.assign"},
    ]
    assert shown["always"]["guard"] == {"type": "stateIn"}
    assert shown["invoke"]["src"] == {"type": "child"}
    assert json.loads(json.dumps(shown)) == shown


def test_nodes_are_found_by_id_and_path() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "a",
            "states": {"a": {"initial": "b", "states": {"b": {"id": "bee"}}}},
        }
    )
    assert machine.get_state_node_by_id("#bee").path == ("a", "b")
    assert machine.get_state_node_by_id("m.a.b").id == "bee"
    with pytest.raises(DefinitionError, match="'#cee' does not exist"):
        machine.get_state_node_by_id("#cee")


def test_events_are_those_of_all_states() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "on": {"ROOT": {"actions": []}, "X": ".a"},
            "states": {"a": {"on": {"A": "b", "X": "b"}}, "b": {"on": {"B.*": "a"}}},
        }
    )
    assert machine.events == ["X", "A", "B.*"]


def test_a_checked_machine_names_the_function_that_changed_the_context() -> None:
    def spoil(args: Any, params: Any) -> dict[str, Any]:
        args.context["list"].append(1)
        return {}

    config = {"context": {"list": []}, "on": {"GO": {"actions": {"type": "spoil"}}}}
    machine = setup(actions={"spoil": assign(spoil)}).create_machine(config)
    actor = create_actor(machine.checked()).start()
    errors: list[Any] = []
    actor.subscribe(error=errors.append)
    actor.send({"type": "GO"})
    assert isinstance(errors[0], MutationError)
    assert "spoil (at actions.spoil.assign) changed the context" in str(errors[0])


def test_checking_reaches_children() -> None:
    def spoil(args: Any, params: Any) -> None:
        args.context["n"] = 1

    child = create_machine({"context": {"n": 0}, "entry": spoil})
    machine = create_machine({"invoke": {"src": "child"}}, {"actors": {"child": child}})
    actor = create_actor(machine.checked())
    errors: list[Any] = []
    actor.subscribe(error=errors.append)
    actor.start()
    assert isinstance(errors[0], MutationError)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ([], "a machine's config is a dict, not []"),
        ({"context": [1]}, "at context: a context is a dict, not [1]"),
    ],
)
def test_a_machine_is_made_from_dicts(config: Any, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        create_machine(config)
    assert str(caught.value) == problem


def test_a_machine_shows_its_chart() -> None:
    machine = create_machine({"id": "m", "initial": "a", "states": {"a": {"id": "own"}}})
    assert machine.root.id == "m"
    assert list(machine.states) == ["a"]
    assert list(machine.ids) == ["m", "own"]
    assert repr(machine) == "<StateMachine m>"


def test_a_machine_that_is_complete_needs_nothing_more() -> None:
    create_machine({}, incomplete=True).require_complete()
    with pytest.raises(DefinitionError, match="unknown action 'later'"):
        create_machine({"entry": "later"}, incomplete=True).require_complete()


def test_children_are_persisted_and_restored_by_the_names_of_their_logic() -> None:
    kid = create_machine({"id": "kid", "initial": "a", "states": {"a": {}, "b": {}}})
    config = {
        "id": "m",
        "invoke": [
            {"id": "one", "src": "kid", "systemId": "first", "onSnapshot": {}},
            {"id": "two", "src": "kid"},
        ],
        "entry": [
            spawn_child("kid", id="three"),
            assign(lambda args, params: {"ref": args.spawn("kid", id="four")}),
        ],
    }
    machine = create_machine(config, {"actors": {"kid": kid}})
    persisted = create_actor(machine).start().get_persisted_snapshot()
    told = {
        id: {key: value for key, value in child.items() if key != "snapshot"}
        for id, child in persisted["children"].items()
    }
    assert told == {  # a spawn that was told nothing of snapshots says nothing of them
        "one": {"src": "kid", "systemId": "first", "syncSnapshot": True},
        "two": {"src": "kid", "syncSnapshot": False},
        "three": {"src": "kid", "syncSnapshot": False},
        "four": {"src": "kid"},
    }
    restored = create_actor(machine, snapshot=json.loads(json.dumps(persisted))).start()
    assert restored.system.get("first") is restored.get_snapshot().children["one"]
    stripped = create_machine({"id": "m"})
    with pytest.raises(RestoreError, match="there is no actor logic 'kid' any more"):
        create_actor(stripped, snapshot=persisted)


def test_the_start_of_outside_logic_is_persisted_by_its_number() -> None:
    listening = from_callback(lambda args: None)
    machine = create_machine({"invoke": {"id": "l", "src": "l"}}, {"actors": {"l": listening}})
    system = System(machine)
    persisted = system.persist(system.initial(now=0, seed=1).snapshot)
    assert persisted["children"]["l"]["start"] == 1
    assert system.restore(persisted, now=1).error is None


def test_an_inline_child_can_not_be_persisted() -> None:
    kid = create_machine({"id": "kid"})
    actor = create_actor(create_machine({"entry": spawn_child(kid, id="kid")})).start()
    with pytest.raises(RuntimeFault, match="give the logic of 'kid' a name"):
        actor.get_persisted_snapshot()


def test_children_that_have_ended_are_not_started_again() -> None:
    kid = create_machine({"type": "final"})
    machine = create_machine({"invoke": {"id": "kid", "src": "kid"}}, {"actors": {"kid": kid}})
    actor = create_actor(machine).start()
    persisted = actor.get_persisted_snapshot()
    again = create_actor(machine, snapshot=persisted).start()
    assert again.get_snapshot().children["kid"].get_snapshot().status == "done"


def test_a_config_with_anything_else_in_it_is_shown_by_the_names_of_types() -> None:
    machine = create_machine(
        {"meta": {"when": object()}, "invoke": {"src": create_machine({"id": "k"})}}
    )
    assert machine.to_json() == {
        "meta": {"when": {"type": "object"}},
        "invoke": {"src": {"type": "k"}},
    }


def test_a_shared_snapshot_says_the_same_without_a_copy() -> None:
    kid = create_machine({"context": {"deep": {"n": 1}}})
    config = {
        "context": {"list": [1]},
        "invoke": {"id": "kid", "src": "kid"},
        "on": {"SET": {"actions": assign({"set": True})}},
    }
    machine = create_machine(config, {"actors": {"kid": kid}})
    system = System(machine)
    first = system.initial(now=0, seed=1).snapshot
    shared = machine.get_shared_snapshot(first.root)
    assert shared == machine.get_persisted_snapshot(first.root)
    assert shared["context"] is first.root.context
    later = system.step(first, {"type": "SET"}, now=1).snapshot
    after = machine.get_shared_snapshot(later.root)
    assert after["children"]["kid"] is shared["children"]["kid"]
    assert after["context"]["list"] is shared["context"]["list"]
