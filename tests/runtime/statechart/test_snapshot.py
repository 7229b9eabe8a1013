"""Snapshots: what they tell, and how their data looks as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime import (
    PersistedError,
    RuntimeFault,
    SimulatedClock,
    assign,
    create_actor,
    create_machine,
    from_transition,
    is_machine_snapshot,
)
from runtime.statechart.snapshot import plain
from tests.runtime.statechart.board import board


def test_a_snapshot_tells_value_tags_meta_and_what_can_be() -> None:
    actor = board()
    actor.send({"type": "W"})
    snapshot = actor.get_snapshot()
    assert snapshot.value == {"play": {"white": "moves", "black": "waits"}}
    assert snapshot.tags == {"busy", "loud", "big"}
    assert snapshot.has_tag("loud")
    assert not snapshot.has_tag("quiet")
    assert snapshot.get_meta() == {"board.play": {"title": "Play"}}
    assert snapshot.matches("play.white.moves")
    assert snapshot.can({"type": "PAUSE"})
    assert not snapshot.can({"type": "W"})
    assert snapshot.machine.id == "board"
    assert is_machine_snapshot(snapshot)
    assert not is_machine_snapshot({"value": "x"})
    actor.send({"type": "PAUSE"})
    assert not actor.get_snapshot().can({"type": "NO"})
    assert "board" in repr(snapshot)


def test_only_plain_data_can_be_persisted() -> None:
    actor = create_actor(create_machine({"context": {"deep": [{"set": {1, 2}}]}})).start()
    with pytest.raises(RuntimeFault, match="is not plain JSON data"):
        actor.get_persisted_snapshot()


def test_to_json_shows_children_as_marks() -> None:
    reducer = from_transition(lambda state, event, scope: state, 0)
    machine = create_machine({"invoke": {"id": "c", "src": "r"}}, {"actors": {"r": reducer}})
    actor = create_actor(machine, clock=SimulatedClock()).start()
    shown = actor.get_snapshot().to_json()
    assert shown["children"] == {"c": {"xstate$$type": 1, "id": "c"}}
    assert json.loads(json.dumps(shown)) == shown
    assert actor.to_json() == {"xstate$$type": 1, "id": "x:0"}


def test_refs_and_snapshots_in_data_are_written_as_marks_and_json() -> None:
    kid = from_transition(lambda state, event, scope: state, 0)
    config = {
        "context": lambda args: {"kid": args.spawn("kid", id="kid"), "seen": None},
        "on": {
            "LOOK": {"actions": assign(lambda args, params: {"seen": args.self.get_snapshot()})}
        },
    }
    machine = create_machine(config, {"actors": {"kid": kid}})
    actor = create_actor(machine).start()
    actor.send({"type": "LOOK"})
    context = actor.get_snapshot().to_json()["context"]
    assert context["kid"] == {"xstate$$type": 1, "id": "kid"}
    simple = create_machine({"context": {"n": 1}})
    assert plain({"s": create_actor(simple).get_snapshot()})["s"]["context"] == {"n": 1}


def test_a_guard_that_asks_for_the_time_is_told_what_can_was_told() -> None:
    late = {"guard": lambda args, params: args.now > 5}
    snapshot = create_actor(
        create_machine({"on": {"GO": {**late, "actions": assign({})}}})
    ).get_snapshot()
    assert not snapshot.can({"type": "GO"}, now=5)
    assert snapshot.can({"type": "GO"}, now=6)


def test_data_is_copied_as_deep_as_it_is_and_errors_become_name_and_message() -> None:
    data: dict[str, Any] = {
        "list": [1, {"deep": [None]}],
        "failed": ValueError("no"),
        "again": PersistedError("E", "m"),
    }
    shown = plain(data)
    assert shown["list"] == data["list"]
    assert shown["list"][1] is not data["list"][1]
    assert shown["failed"] == {"name": "ValueError", "message": "no"}
    assert shown["again"] == {"name": "E", "message": "m"}


def test_history_is_shown_by_ids() -> None:
    actor = board()
    actor.send({"type": "PAUSE"})
    assert [node.id for node in actor.get_snapshot().nodes] == ["board", "board.paused"]
    assert repr(actor.get_snapshot()) == "<Snapshot board 'paused' active>"
    assert actor.get_snapshot().to_json()["historyValue"] == {
        "board.play.back": [{"id": "board.play.white.waits"}, {"id": "board.play.black.waits"}]
    }
