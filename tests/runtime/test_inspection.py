"""Inspection events."""

from __future__ import annotations

from typing import Any

from runtime import (
    SimulatedClock,
    assign,
    cancel,
    create_actor,
    create_machine,
    declare,
    emit,
    from_transition,
    log,
    raise_,
    send_to,
    setup,
    spawn_child,
    stop_child,
)


def inspected(machine: Any) -> tuple[Any, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    return create_actor(machine, inspect=events.append, clock=SimulatedClock()), events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_an_event_is_seen_then_its_microsteps_then_its_snapshot() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {"a": {"on": {"GO": "b"}}, "b": {"always": "c"}, "c": {}},
        }
    )
    actor, events = inspected(machine)
    actor.start()
    assert kinds(events) == ["@xstate.actor", "@xstate.event", "@xstate.snapshot"]
    events.clear()
    actor.send({"type": "GO"})
    assert kinds(events) == [
        "@xstate.event",
        "@xstate.microstep",
        "@xstate.microstep",
        "@xstate.snapshot",
    ]
    event, first, second, snapshot = events
    assert (event["sourceRef"], event["actorRef"], event["event"]) == (None, actor, {"type": "GO"})
    assert [t.event_type for t in first["_transitions"]] == ["GO"]
    assert (first["snapshot"].value, second["snapshot"].value) == ("b", "c")
    assert snapshot["snapshot"] is actor.get_snapshot()
    assert {event["rootId"] for event in events} == {"x:0"}


def test_an_event_nobody_takes_is_a_microstep_without_transitions() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {"a": {"always": {"target": "b", "guard": lambda a, p: False}}, "b": {}},
        }
    )
    actor, events = inspected(machine)
    actor.start()
    events.clear()
    actor.send({"type": "UNKNOWN"})
    assert kinds(events) == ["@xstate.event", "@xstate.microstep", "@xstate.snapshot"]
    assert events[1]["_transitions"] == []
    actor.stop()
    assert events[-1]["snapshot"].status == "stopped"


def test_actions_are_seen_with_type_and_params() -> None:
    tell = declare("host.tell")
    reducer = from_transition(lambda state, event, scope: state, 0)
    machine = setup(actors={"r": reducer}, actions={"hi": lambda a, p: None}).create_machine(
        {
            "on": {
                "GO": {
                    "actions": [
                        {"type": "hi", "params": {"k": 1}},
                        assign({}),
                        raise_({"type": "R"}),
                        emit({"type": "e"}),
                        log("text"),
                        cancel("id"),
                        spawn_child("r", id="kid"),
                        send_to("kid", {"type": "X"}),
                        stop_child("kid"),
                        tell(1),
                    ]
                }
            }
        }
    )
    actor, events = inspected(machine)
    actor.start()
    actor.send({"type": "GO"})
    actions = [event["action"] for event in events if event["type"] == "@xstate.action"]
    assert [action["type"] for action in actions] == [
        "hi",
        "xstate.raise",
        "xstate.emit",
        "xstate.log",
        "xstate.cancel",
        "xstate.spawnChild",
        "xstate.sendTo",
        "xstate.stopChild",
        "host.tell",
    ]
    assert actions[0]["params"] == {"k": 1}
    assert actions[1]["params"]["event"] == {"type": "R"}


def test_events_between_actors_carry_their_source() -> None:
    reducer = from_transition(lambda state, event, scope: state, 0)
    machine = setup(actors={"r": reducer}).create_machine(
        {
            "invoke": {"id": "kid", "src": "r"},
            "on": {"GO": {"actions": send_to("kid", {"type": "X"})}},
        }
    )
    actor, events = inspected(machine)
    actor.start()
    events.clear()
    actor.send({"type": "GO"})
    sent = [event for event in events if event["type"] == "@xstate.event"]
    assert sent[1]["sourceRef"] is actor
    assert sent[1]["actorRef"].id == "kid"


def test_inspection_can_begin_and_end_at_any_time() -> None:
    actor = create_actor(create_machine({})).start()
    events: list[Any] = []
    subscription = actor.system.inspect({"next": events.append})
    actor.send({"type": "X"})
    seen = len(events)
    assert seen > 0
    subscription.unsubscribe()
    actor.send({"type": "X"})
    assert len(events) == seen
