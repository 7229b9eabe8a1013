"""XState's rules of actors and timers, by their number in the list of what often goes wrong."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from runtime import (
    Actor,
    SimulatedClock,
    StateMachine,
    assign,
    cancel,
    create_actor,
    create_machine,
    from_callback,
    from_transition,
    raise_,
    send_parent,
    send_to,
    spawn_child,
    stop_child,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def note(trace: list[str], what: str) -> Any:
    """An action that leaves a trace."""
    return lambda args, params: trace.append(what)


def tracing(trace: list[str], name: str) -> Any:
    """A callback actor that notes its start, its end and what it receives."""

    def run(args: Any) -> Callable[[], None]:
        trace.append(f"{name} starts")
        args.receive(lambda event: trace.append(f"{name} gets {event['type']}"))
        return lambda: trace.append(f"{name} stops")

    return from_callback(run)


def machine_of(config: dict[str, Any], **implementations: Any) -> StateMachine:
    return create_machine(config, implementations)


def started(config: dict[str, Any], clock: SimulatedClock | None = None, **impl: Any) -> Actor:
    return create_actor(machine_of(config, **impl), clock=clock or SimulatedClock()).start()


# 8


def test_at_start_invoked_children_start_before_entry_actions_later_at_the_end() -> None:
    trace: list[str] = []
    config = {
        "entry": note(trace, "root entry"),
        "invoke": {"src": "first"},
        "initial": "a",
        "states": {
            "a": {"on": {"GO": {"target": "b", "actions": note(trace, "going")}}},
            "b": {"entry": note(trace, "b entry"), "invoke": {"src": "second"}},
        },
    }
    actors = {"first": tracing(trace, "first"), "second": tracing(trace, "second")}
    actor = started(config, actors=actors)
    assert trace == ["first starts", "root entry"]
    actor.send({"type": "GO"})
    assert trace[2:] == ["going", "b entry", "second starts"]


# 9


def test_a_state_left_within_the_same_macrostep_never_starts_what_it_invokes() -> None:
    trace: list[str] = []
    config = {
        "initial": "a",
        "states": {
            "a": {"on": {"GO": "b"}},
            "b": {"invoke": {"src": "child"}, "always": "c"},
            "c": {},
        },
    }
    actor = started(config, actors={"child": tracing(trace, "child")})
    actor.send({"type": "GO"})
    assert actor.get_snapshot().value == "c"
    assert trace == []


# 12


def test_events_sent_in_exit_actions_reach_a_child_before_it_stops() -> None:
    trace: list[str] = []
    config = {
        "initial": "a",
        "states": {
            "a": {
                "invoke": {"id": "child", "src": "child"},
                "exit": send_to("child", {"type": "BYE"}),
                "on": {"GO": "b"},
            },
            "b": {},
        },
    }
    actor = started(config, actors={"child": tracing(trace, "child")})
    actor.send({"type": "GO"})
    assert trace == ["child starts", "child gets BYE", "child stops"]


def test_entry_actions_may_send_to_what_the_state_invokes() -> None:
    trace: list[str] = []
    config = {
        "initial": "a",
        "states": {
            "a": {"on": {"GO": "b"}},
            "b": {
                "entry": send_to("child", {"type": "HI"}),
                "invoke": {"id": "child", "src": "child"},
            },
        },
    }
    actor = started(config, actors={"child": tracing(trace, "child")})
    actor.send({"type": "GO"})
    # the send comes first; a child that hasn't been started keeps its mail
    assert trace == ["child starts", "child gets HI"]


# 14


def test_stop_stops_children_without_their_exit_actions() -> None:
    trace: list[str] = []
    inner = create_machine(
        {"exit": note(trace, "exit"), "invoke": {"src": tracing(trace, "grandchild")}}
    )
    started({"invoke": {"src": "inner"}}, actors={"inner": inner}).stop()
    assert trace == ["grandchild starts", "grandchild stops"]


# 20


def test_a_pending_delay_survives_persistence_and_fires_at_its_absolute_time() -> None:
    clock = SimulatedClock()
    machine = machine_of(
        {"id": "m", "initial": "a", "states": {"a": {"after": {1000: "b"}}, "b": {}}}
    )
    actor = create_actor(machine, clock=clock).start()
    clock.increment(400)
    text = json.dumps(actor.get_persisted_snapshot())
    actor.stop()
    later = SimulatedClock(900)
    restored = create_actor(machine, snapshot=json.loads(text), clock=later).start()
    later.increment(99)
    assert restored.get_snapshot().value == "a"
    later.increment(1)
    assert restored.get_snapshot().value == "b"


def test_restoring_runs_no_entry_actions_again_and_restarts_callbacks() -> None:
    trace: list[str] = []
    machine = machine_of(
        {"entry": note(trace, "entry"), "invoke": {"id": "cb", "src": "cb"}},
        actors={"cb": tracing(trace, "cb")},
    )
    actor = create_actor(machine).start()
    persisted = actor.get_persisted_snapshot()
    trace.clear()
    create_actor(machine, snapshot=persisted).start()
    assert trace == ["cb starts"]


# 21


def test_children_that_are_done_stay_until_the_state_that_invoked_them_is_left() -> None:
    done = create_machine({"initial": "end", "states": {"end": {"type": "final"}}})
    config = {
        "initial": "a",
        "states": {"a": {"invoke": {"id": "child", "src": "child"}, "on": {"GO": "b"}}, "b": {}},
    }
    actor = started(config, actors={"child": done})
    assert actor.get_snapshot().children["child"].get_snapshot().status == "done"
    actor.send({"type": "GO"})
    assert actor.get_snapshot().children == {}


def test_an_orphan_keeps_running_until_its_parent_stops() -> None:
    trace: list[str] = []
    config = {"on": {"SPAWN": {"actions": spawn_child("cb", id="one")}}}
    actor = started(config, actors={"cb": tracing(trace, "cb")})
    actor.send({"type": "SPAWN"})
    first = actor.get_snapshot().children["one"]
    actor.send({"type": "SPAWN"})
    assert actor.get_snapshot().children["one"] is not first
    first.send({"type": "HI"})
    assert trace == ["cb starts", "cb starts", "cb gets HI"]
    actor.stop()
    assert trace[3:] == ["cb stops", "cb stops"]


# 22


def test_a_thrown_action_rolls_value_and_context_back_and_keeps_earlier_side_effects() -> None:
    trace: list[str] = []

    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    config = {
        "context": {"n": 0},
        "initial": "a",
        "states": {
            "a": {
                "invoke": {"id": "child", "src": "child"},
                "on": {
                    "GO": {
                        "target": "b",
                        "actions": [assign({"n": lambda a, p: 1}), note(trace, "before"), fail],
                    }
                },
            },
            "b": {"entry": note(trace, "after")},
        },
    }
    actor = started(config, actors={"child": tracing(trace, "child")})
    errors: list[Any] = []
    actor.subscribe(error=errors.append)
    actor.send({"type": "GO"})
    snapshot = actor.get_snapshot()
    assert (snapshot.status, snapshot.value, snapshot.context) == ("error", "a", {"n": 0})
    assert trace == ["child starts", "before"]
    assert errors == [snapshot.error]
    assert isinstance(snapshot.error, ValueError)


def test_a_callback_that_throws_at_start_is_no_roll_back() -> None:
    def fail(args: Any) -> None:
        raise ValueError("no")

    config = {
        "context": {"n": 0},
        "initial": "a",
        "states": {
            "a": {"on": {"GO": {"target": "b", "actions": assign({"n": lambda a, p: 1})}}},
            "b": {"invoke": {"src": "child"}},
        },
    }
    actor = started(config, actors={"child": from_callback(fail)})
    actor.subscribe(error=lambda error: None)
    actor.send({"type": "GO"})
    snapshot = actor.get_snapshot()
    assert (snapshot.status, snapshot.value, snapshot.context) == ("error", "b", {"n": 1})


def test_an_error_without_observer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("nobody looks")

    actor = started({"on": {"GO": {"actions": fail}}})
    with caplog.at_level(logging.ERROR, logger="runtime"):
        actor.send({"type": "GO"})
    assert "nobody looks" in caplog.text


# 23


def failing_child() -> StateMachine:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("child")

    return create_machine({"on": {"FAIL": {"actions": fail}}})


def test_a_childs_error_that_nothing_takes_puts_the_parent_in_error() -> None:
    actor = started({"invoke": {"id": "child", "src": "child"}}, actors={"child": failing_child()})
    actor.subscribe(error=lambda error: None)
    actor.get_snapshot().children["child"].send({"type": "FAIL"})
    assert actor.get_snapshot().status == "error"
    assert str(actor.get_snapshot().error) == "child"


@pytest.mark.parametrize("takes", ["*", "xstate.error.*", "xstate.error.actor.child"])
def test_any_transition_that_takes_a_childs_error_handles_it(takes: str) -> None:
    actor = started(
        {"invoke": {"id": "child", "src": "child"}, "on": {takes: {"actions": []}}},
        actors={"child": failing_child()},
    )
    actor.get_snapshot().children["child"].send({"type": "FAIL"})
    assert actor.get_snapshot().status == "active"


# 25


def test_a_simulated_clock_jumps() -> None:
    clock = SimulatedClock()
    states = {"a": {"after": {10: "b"}}, "b": {"after": {10: "c"}}, "c": {}}
    actor = started({"initial": "a", "states": states}, clock)
    clock.increment(100)
    assert actor.get_snapshot().value == "b"
    clock.increment(10)
    assert actor.get_snapshot().value == "c"


def test_integer_delays_sort_ascending_whatever_their_order() -> None:
    clock = SimulatedClock()
    actor = started(
        {
            "initial": "a",
            "states": {"a": {"after": {"20": "late", 10: "soon"}}, "soon": {}, "late": {}},
        },
        clock,
    )
    events = list(actor.logic.root.states["a"].transitions)  # type: ignore[attr-defined]
    assert events == ["xstate.after.10.(machine).a", "xstate.after.20.(machine).a"]
    clock.increment(20)
    assert actor.get_snapshot().value == "soon"


def test_a_delayed_id_used_twice_fires_twice_and_cancel_takes_the_newest() -> None:
    trace: list[str] = []

    def later(event_type: str, delay: int) -> Any:
        return raise_({"type": event_type}, id="same", delay=delay)

    config = {
        "on": {
            "TWICE": {"actions": [later("ONE", 10), later("TWO", 20)]},
            "CANCEL": {"actions": cancel("same")},
            "ONE": {"actions": note(trace, "one")},
            "TWO": {"actions": note(trace, "two")},
        }
    }
    clock = SimulatedClock()
    actor = started(config, clock)
    actor.send({"type": "TWICE"})
    clock.increment(20)
    assert trace == ["one", "two"]
    trace.clear()
    actor.send({"type": "TWICE"})
    actor.send({"type": "CANCEL"})
    clock.increment(20)
    assert trace == ["one"]


# what else actors promise


def test_work_of_children_is_done_depth_first_before_queued_sends_to_self() -> None:
    trace: list[str] = []
    leaf = create_machine({"on": {"WORK": {"actions": note(trace, "leaf")}}})
    branch = create_machine(
        {
            "invoke": {"id": "leaf", "src": leaf},
            "on": {"WORK": {"actions": [note(trace, "branch"), send_to("leaf", {"type": "WORK"})]}},
        }
    )
    config = {
        "invoke": [{"id": "one", "src": "branch"}, {"id": "two", "src": "branch"}],
        "on": {
            "GO": {
                "actions": [
                    send_to(lambda a, p: a.self, {"type": "LAST"}),
                    send_to("one", {"type": "WORK"}),
                    send_to("two", {"type": "WORK"}),
                ]
            },
            "LAST": {"actions": note(trace, "last")},
        },
    }
    started(config, actors={"branch": branch}).send({"type": "GO"})
    assert trace == ["branch", "leaf", "branch", "leaf", "last"]


def test_children_talk_to_their_parent_and_stop_when_told() -> None:
    child = create_machine({"on": {"PING": {"actions": send_parent({"type": "PONG"})}}})
    config = {
        "context": {"pongs": 0},
        "entry": spawn_child("child", id="one"),
        "on": {
            "PING": {"actions": send_to("one", {"type": "PING"})},
            "PONG": {"actions": assign({"pongs": lambda a, p: a.context["pongs"] + 1})},
            "STOP": {"actions": stop_child("one")},
        },
    }
    actor = started(config, actors={"child": child})
    actor.send({"type": "PING"})
    assert actor.get_snapshot().context == {"pongs": 1}
    actor.send({"type": "STOP"})
    assert actor.get_snapshot().children == {}


def test_spawned_refs_live_in_context_and_are_persisted_as_marks() -> None:
    counter = from_transition(lambda state, event, scope: state + 1, 0)
    machine = machine_of(
        {
            "context": {"refs": []},
            "on": {
                "ADD": {
                    "actions": assign(
                        lambda a, p: {"refs": [*a.context["refs"], a.spawn("counter", id="c")]}
                    )
                },
                "HIT": {"actions": send_to(lambda a, p: a.context["refs"][0], {"type": "HIT"})},
            },
        },
        actors={"counter": counter},
    )
    actor = create_actor(machine).start()
    actor.send({"type": "ADD"})
    actor.send({"type": "HIT"})
    persisted = actor.get_persisted_snapshot()
    assert persisted["context"] == {"refs": [{"xstate$$type": 1, "id": "c"}]}
    assert persisted["children"]["c"]["snapshot"] == {"status": "active", "context": 1}
    restored = create_actor(machine, snapshot=json.loads(json.dumps(persisted))).start()
    restored.send({"type": "HIT"})
    assert restored.get_snapshot().context["refs"][0].get_snapshot().context == 2


def test_synced_snapshots_reach_the_parent() -> None:
    counter = from_transition(lambda state, event, scope: state + 1, 0)
    config = {
        "context": {"seen": []},
        "invoke": {
            "id": "c",
            "src": "counter",
            "onSnapshot": {
                "actions": assign(
                    {"seen": lambda a, p: [*a.context["seen"], a.event["snapshot"].context]}
                )
            },
        },
        "on": {"HIT": {"actions": send_to("c", {"type": "HIT"})}},
    }
    actor = started(config, actors={"counter": counter})
    actor.send({"type": "HIT"})
    assert actor.get_snapshot().context == {"seen": [0, 1]}


def test_system_ids_find_actors_and_are_free_again_when_they_end() -> None:
    trace: list[str] = []
    config = {
        "initial": "a",
        "states": {
            "a": {
                "invoke": {"src": "cb", "systemId": "helper"},
                "on": {"AGAIN": {"target": "a", "reenter": True}, "OUT": "b"},
            },
            "b": {},
        },
        "on": {"TELL": {"actions": send_to(lambda a, p: a.system.get("helper"), {"type": "X"})}},
    }
    actor = started(config, actors={"cb": tracing(trace, "cb")})
    first = actor.system.get("helper")
    actor.send({"type": "TELL"})
    assert trace == ["cb starts", "cb gets X"]
    actor.send({"type": "AGAIN"})
    assert actor.system.get("helper") not in (None, first)
    actor.send({"type": "OUT"})
    assert actor.system.get("helper") is None
