"""XState's rules of transitions and steps, by their number in the list of what often goes wrong.

All of them were seen in XState 5; where ours differs on purpose, the test says so.
"""

from __future__ import annotations

from typing import Any

import pytest

from runtime import Actor, DefinitionError, assign, create_actor, create_machine, send_to, setup
from tests.runtime.play import note, started


def test_subscribers_hear_of_every_processed_event_even_if_nothing_changed() -> None:
    actor = started({"initial": "s", "states": {"s": {}}})
    heard: list[Any] = []
    actor.subscribe(heard.append)
    actor.send({"type": "UNKNOWN"})
    assert [snapshot.value for snapshot in heard] == ["s"]


def test_an_error_gives_no_next_and_done_gives_next_then_complete() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"FAIL": {"actions": fail}, "END": "end"}},
            "end": {"type": "final"},
        },
    }
    heard: list[str] = []

    def subscribe(actor: Actor) -> None:
        actor.subscribe(
            next=lambda snapshot: heard.append(f"next {snapshot.status}"),
            error=lambda error: heard.append(f"error {error}"),
            complete=lambda: heard.append("complete"),
        )

    failing = started(config)
    subscribe(failing)
    failing.send({"type": "FAIL"})
    assert heard == ["error no"]
    heard.clear()
    ending = started(config)
    subscribe(ending)
    ending.send({"type": "END"})
    assert heard == ["next done", "complete"]
    heard.clear()
    subscribe(ending)
    assert heard == ["complete"]


def test_a_send_made_in_an_action_or_a_subscriber_is_queued() -> None:
    trace: list[str] = []
    config = {
        "on": {
            "GO": {
                "actions": [
                    lambda a, p: a.self.send({"type": "SENT"}),
                    note(trace, "after send"),
                ]
            },
            "SENT": {"actions": note(trace, "sent")},
            "AGAIN": {"actions": note(trace, "again")},
        }
    }
    actor = started(config)
    first = True

    def once(snapshot: Any) -> None:
        nonlocal first
        if first:
            first = False
            actor.send({"type": "AGAIN"})
            trace.append("subscriber")

    actor.subscribe(once)
    actor.send({"type": "GO"})
    assert trace == ["after send", "subscriber", "sent", "again"]


def test_sending_to_oneself_is_an_event_of_its_own() -> None:
    config = {
        "context": {"n": 0},
        "on": {
            "GO": {"actions": send_to(lambda a, p: a.self, {"type": "INC"})},
            "INC": {"actions": assign({"n": lambda a, p: a.context["n"] + 1})},
        },
    }
    actor = started(config)
    heard: list[int] = []
    actor.subscribe(lambda snapshot: heard.append(snapshot.context["n"]))
    actor.send({"type": "GO"})
    assert heard == [0, 1]


def test_an_own_id_replaces_the_path_in_event_names() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "s",
            "states": {
                "s": {
                    "id": "custom",
                    "after": {10: "s"},
                    "initial": "inner",
                    "states": {"inner": {}},
                    "invoke": {"src": create_machine({"id": "child"})},
                }
            },
        }
    )
    node = machine.get_state_node_by_id("#custom")
    assert "xstate.after.10.custom" in node.transitions
    assert node.invoke[0].id == "0.custom"
    assert node.states["inner"].id == "m.s.inner"


def test_what_a_chart_refers_to_must_exist_when_it_is_built() -> None:
    def error(config: dict[str, Any]) -> str:
        with pytest.raises(DefinitionError) as caught:
            setup(
                actions={"greet": lambda a, p: None},
                guards={"isOpen": lambda a, p: True},
                delays={"short": 10},
                actors={},
            ).create_machine({"initial": "a", "states": {"a": config, "open": {}}})
        return str(caught.value)

    assert error({"entry": "great"}) == (
        "at states.a.entry: unknown action 'great'; did you mean 'greet'?"
    )
    assert error({"on": {"GO": {"target": "open", "guard": "isopen"}}}) == (
        "at states.a.on.GO.guard: unknown guard 'isopen'; did you mean 'isOpen'?"
    )
    assert "unknown delay 'shrt'; did you mean 'short'?" in error({"after": {"shrt": "open"}})
    assert "unknown actor 'fetch'" in error({"invoke": {"src": "fetch"}})
    assert "state 'opn' does not exist on '#(machine)'; did you mean 'open'?" in error(
        {"on": {"GO": "opn"}}
    )
    assert "at states.a.initial" in error({"initial": "x", "states": {"y": {}}})


def test_a_chart_meant_to_be_completed_says_so_only_when_it_is_used() -> None:
    machine = create_machine({"entry": "greet"}, incomplete=True)
    with pytest.raises(DefinitionError, match="unknown action 'greet'"):
        create_actor(machine)
    greeted: list[str] = []
    create_actor(machine.provide(actions={"greet": note(greeted, "hello")})).start()
    assert greeted == ["hello"]


def test_can_ignores_the_status() -> None:
    actor = started({"initial": "end", "on": {"GO": ".end"}, "states": {"end": {"type": "final"}}})
    assert actor.get_snapshot().status == "done"
    assert actor.get_snapshot().can({"type": "GO"})


def test_matches_covers_deeper_values_but_not_beyond_the_leaf() -> None:
    config = {
        "initial": "a",
        "states": {"a": {"initial": "b", "states": {"b": {}}}},
    }
    snapshot = started(config).get_snapshot()
    assert snapshot.matches("a")
    assert snapshot.matches("a.b")
    assert snapshot.matches({"a": "b"})
    assert not snapshot.matches("a.b.c")
    assert not snapshot.matches("b")
