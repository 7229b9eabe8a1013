"""Snapshots as plain JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime import (
    PersistedError,
    RestoreError,
    RuntimeFault,
    assign,
    create_actor,
    create_machine,
    from_transition,
    raise_,
    setup,
    spawn_child,
)
from runtime.statechart.persistence import revive
from tests.runtime.statechart.board import board


def test_the_persisted_form_has_the_keys_of_xstate() -> None:
    actor = board()
    actor.send({"type": "W"})
    actor.send({"type": "PAUSE"})
    assert actor.get_persisted_snapshot() == {
        "status": "active",
        "value": "paused",
        "historyValue": {
            "board.play.back": [
                {"id": "board.play.black.waits"},
                {"id": "board.play.white.moves"},
            ]
        },
        "context": {"moves": []},
        "children": {},
        "machine": "board",
        "version": "2",
        "counter": 1,
    }
    actor.send({"type": "PLAY"})
    actor.send({"type": "END"})
    persisted = actor.get_persisted_snapshot()
    assert (persisted["status"], persisted["output"]) == ("done", {"result": 3})
    in_order = ["status", "output", "value", "historyValue", "context", "children"]
    assert list(persisted)[:6] == in_order


def test_history_survives() -> None:
    actor = board()
    actor.send({"type": "W"})
    actor.send({"type": "PAUSE"})
    text = json.dumps(actor.get_persisted_snapshot())
    restored = create_actor(actor.logic, snapshot=json.loads(text)).start()
    restored.send({"type": "PLAY"})
    assert restored.get_snapshot().matches("play.white.moves")


def test_errors_are_persisted_by_name_and_message() -> None:
    def fail(args: Any, params: Any) -> None:
        raise KeyError("missing")

    actor = create_actor(create_machine({"on": {"GO": {"actions": fail}}})).start()
    actor.subscribe(error=lambda error: None)
    actor.send({"type": "GO"})
    persisted = json.loads(json.dumps(actor.get_persisted_snapshot()))
    assert persisted["error"] == {"name": "KeyError", "message": "'missing'"}
    restored = create_actor(actor.logic, snapshot=persisted)
    error = restored.get_snapshot().error
    assert isinstance(error, PersistedError)
    assert (error.name, str(error)) == ("KeyError", "'missing'")
    assert restored.get_persisted_snapshot()["error"] == persisted["error"]


def test_an_inline_child_can_not_be_persisted() -> None:
    reducer = from_transition(lambda state, event, scope: state, 0)
    actor = create_actor(create_machine({"entry": spawn_child(reducer, id="kid")})).start()
    with pytest.raises(RuntimeFault, match="give the logic of 'kid' a name in actors"):
        actor.get_persisted_snapshot()


def test_an_inline_invoke_is_persisted_under_the_name_xstate_gives_it() -> None:
    machine = create_machine(
        {
            "id": "m",
            "invoke": {"id": "c", "src": from_transition(lambda s, e, scope: s + 1, 0)},
        }
    )
    persisted = create_actor(machine).start().get_persisted_snapshot()
    assert persisted["children"]["c"] == {
        "snapshot": {"status": "active", "context": 0},
        "src": "xstate.invoke.0.m",
        "syncSnapshot": False,
    }
    assert create_actor(machine, snapshot=persisted).start().get_snapshot().children["c"]


def test_what_is_given_out_and_taken_in_aliases_nothing() -> None:
    machine = setup().create_machine(
        {"context": {"list": [1]}, "on": {"ADD": {"actions": assign({"list": [1, 2]})}}}
    )
    actor = create_actor(machine).start()
    persisted = actor.get_persisted_snapshot()
    persisted["context"]["list"].append(99)
    assert actor.get_snapshot().context == {"list": [1]}
    restored = create_actor(machine, snapshot=persisted)
    persisted["context"]["list"].clear()
    assert restored.get_snapshot().context == {"list": [1, 99]}


def test_what_does_not_fit_is_refused_with_what_differs() -> None:
    machine = board().logic
    good = create_actor(machine).start().get_persisted_snapshot()
    for change, problem in (
        ({"status": "asleep"}, "cannot restore status: no such status: 'asleep'"),
        ({"machine": "chess"}, "cannot restore machine: it was 'chess', this is 'board'"),
        ({"version": "1"}, "cannot restore version: 'board' was at '1', this is '2'"),
        ({"value": 5}, "cannot restore value: a state value is text or a dict, not 5"),
        (
            {"value": {"play": {}, "over": {}}},
            "cannot restore value: '#board' can't be in play and over at once",
        ),
        ({"value": "pause"}, "cannot restore value: state 'pause' does not exist on '#board'"),
        (
            {"historyValue": {"board.play.h": [{"id": "gone"}]}},
            "cannot restore board.play.h: state '#gone' no longer exists",
        ),
        ({"historyValue": 5}, "cannot restore historyValue: a dict is expected, not 5"),
        ({"children": ["x"]}, "cannot restore children: a dict is expected, not ['x']"),
    ):
        with pytest.raises(RestoreError) as caught:
            create_actor(machine, snapshot={**good, **change})
        assert str(caught.value) == problem
    del good["value"]
    with pytest.raises(RestoreError, match="value: there is none"):
        create_actor(machine, snapshot=good)


def test_what_xstate_wrote_is_restored_without_questions() -> None:
    written = {
        "status": "active",
        "value": {"play": {"white": "moves", "black": "waits"}},
        "historyValue": {},
        "context": {"moves": []},
        "children": {},
    }
    snapshot = create_actor(board().logic, snapshot=written).start().get_snapshot()
    assert snapshot.matches("play.white.moves")
    assert "board.play" in [node.id for node in snapshot.nodes]


def test_the_order_of_leaves_is_kept_where_eventless_transitions_ask_for_it() -> None:
    trace: list[str] = []

    def region(name: str) -> dict[str, Any]:
        def say(args: Any, params: Any) -> None:
            trace.append(name)

        once = lambda args, params: args.event["type"] == "LOOK"  # noqa: E731
        looking = {"always": {"guard": once, "actions": [say, raise_({"type": "DONE"})]}}
        states = {
            "x": {"on": {f"IN_{name}": "y"}},
            "y": {"initial": "i", "states": {"i": looking}},
        }
        return {"initial": "x", "states": states}

    machine = create_machine(
        {"type": "parallel", "states": {"idle": {}, "a": region("A"), "b": region("B")}}
    )
    actor = create_actor(machine).start()
    for event_type in ("IN_B", "IN_A"):
        actor.send({"type": event_type})
    persisted = json.loads(json.dumps(actor.get_persisted_snapshot()))
    assert "order" in persisted
    restored = create_actor(machine, snapshot=persisted).start()
    for each in (actor, restored):
        trace.clear()
        each.send({"type": "LOOK"})
        assert trace == ["B", "A"]
    assert restored.get_persisted_snapshot() == persisted
    edited = create_actor(machine, snapshot={**persisted, "order": [1, 99]})
    assert edited.get_snapshot().value == actor.get_snapshot().value


def test_marks_in_persisted_data_are_refs_again() -> None:
    kid = object()
    assert revive({"of": [{"xstate$$type": 1, "id": "kid"}, {"n": 1}]}, {"kid": kid}) == {  # type: ignore[dict-item]
        "of": [kid, {"n": 1}]
    }
    assert revive({"xstate$$type": 1, "id": "gone"}, {}) is None
    assert revive((1,), {}) == (1,)


def test_targets_that_cant_be_active_together_are_persisted_as_they_are_and_not_restored() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {
                "a": {"on": {"GO": {"target": ["b", "c"]}}},
                "b": {
                    "type": "parallel",
                    "always": {"guard": lambda a, p: False, "target": "a"},
                    "states": {"d": {}},
                },
                "c": {},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "GO"})
    persisted = actor.get_persisted_snapshot()
    assert persisted["value"] == {"b": {"d": {}}, "c": {}}
    with pytest.raises(RestoreError, match="can't be in b and c at once"):
        create_actor(machine, snapshot=persisted)
