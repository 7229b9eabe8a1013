"""A step, from one event to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runtime import (
    Actor,
    EventError,
    System,
    UnboundedStepError,
    assign,
    create_actor,
    create_machine,
    emit,
    initial_transition,
    raise_,
    send_to,
    transition,
)
from tests.runtime.play import note, started, value_after

if TYPE_CHECKING:
    from collections.abc import Callable


def test_always_is_evaluated_after_every_event_and_sees_it() -> None:
    seen: list[str] = []

    def look(args: Any, params: Any) -> bool:
        seen.append(args.event["type"])
        return bool(args.event["type"] == "NOW")

    config = {
        "initial": "s",
        "states": {"s": {"always": {"target": "t", "guard": "look"}}, "t": {}},
    }
    actor = started(config, guards={"look": look})
    actor.send({"type": "UNKNOWN"})
    actor.send({"type": "NOW"})
    assert actor.get_snapshot().value == "t"
    assert seen == ["xstate.init", "UNKNOWN", "NOW"]


def test_always_runs_before_raised_events_and_those_are_first_in_first_out() -> None:
    trace: list[str] = []
    config = {
        "initial": "s",
        "states": {
            "s": {
                "on": {
                    "GO": {
                        "target": "t",
                        "actions": [raise_({"type": "ONE"}), raise_({"type": "TWO"})],
                    }
                }
            },
            "t": {"always": {"target": "u", "actions": note(trace, "always")}},
            "u": {
                "on": {
                    "ONE": {"actions": note(trace, "one")},
                    "TWO": {"actions": note(trace, "two")},
                }
            },
        },
    }
    value_after(config, "GO")
    assert trace == ["always", "one", "two"]


def test_assigns_and_custom_actions_interleave_and_emits_wait_for_the_new_snapshot() -> None:
    trace: list[Any] = []
    config = {
        "context": {"n": 0},
        "on": {
            "GO": {
                "actions": [
                    emit({"type": "told"}),
                    lambda a, p: trace.append(a.context["n"]),
                    assign({"n": lambda a, p: 1}),
                    lambda a, p: trace.append(a.context["n"]),
                    lambda a, p: trace.append(("old", a.self.get_snapshot().context["n"])),
                ]
            }
        },
    }
    actor = started(config)
    actor.on("told", lambda event: trace.append(("new", actor.get_snapshot().context["n"])))
    actor.send({"type": "GO"})
    assert trace == [0, 1, ("old", 0), ("new", 1)]


def test_creating_an_actor_computes_its_first_macrostep_but_custom_actions_wait() -> None:
    trace: list[str] = []
    machine = create_machine(
        {
            "context": {"n": 0},
            "initial": "s",
            "states": {
                "s": {
                    "entry": [assign({"n": lambda a, p: 1}), note(trace, "entered")],
                    "always": "t",
                },
                "t": {},
            },
        }
    )
    actor = create_actor(machine)
    assert actor.get_snapshot().value == "t"
    assert actor.get_snapshot().context == {"n": 1}
    assert trace == []
    actor.start()
    assert trace == ["entered"]


def test_a_cycle_of_eventless_transitions_is_an_error() -> None:
    config = {"initial": "a", "states": {"a": {"always": "b"}, "b": {"always": "a"}}}
    machine = create_machine({**config, "options": {"maxIterations": 50}})
    snapshot = create_actor(machine).get_snapshot()
    assert snapshot.status == "error"
    assert isinstance(snapshot.error, UnboundedStepError)


def test_the_pure_face_raises_what_guards_raise() -> None:
    machine = create_machine({"on": {"GO": {"guard": lambda a, p: 1 / 0, "actions": []}}})
    snapshot = create_actor(machine).get_snapshot()
    with pytest.raises(Exception, match="Unable to evaluate guard in transition for event 'GO'"):
        transition(machine, snapshot, {"type": "GO"})


def test_an_assign_function_that_returns_no_dict_is_said_to() -> None:
    machine = create_machine({"on": {"GO": {"actions": assign(lambda args, params: [1])}}})  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"an assign function returns a dict, not \[1\]"):
        transition(machine, initial_transition(machine)[0], {"type": "GO"})


def test_stop_runs_no_exit_actions() -> None:
    trace: list[str] = []
    actor = started({"initial": "s", "states": {"s": {"exit": note(trace, "out")}}})
    assert actor.stop().get_snapshot().status == "stopped"
    assert trace == []


def test_a_child_whose_failure_nobody_takes_fails_its_parent() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("child")

    kid = create_machine({"on": {"FAIL": {"actions": fail}}})
    other = create_machine({})
    config = {
        "invoke": [{"id": "kid", "src": "kid"}, {"id": "other", "src": "other"}],
        "on": {"GO": {"actions": send_to("kid", {"type": "FAIL"})}},
    }
    machine = create_machine(config, {"actors": {"kid": kid, "other": other}})
    errors: list[Any] = []
    actor = create_actor(machine)
    actor.subscribe(error=errors.append)
    actor.start()
    kids = actor.get_snapshot().children
    actor.send({"type": "GO"})
    assert [str(error) for error in errors] == ["child"]
    assert actor.get_snapshot().status == "error"
    assert kids["other"].get_snapshot().status == "stopped"


def test_stop_and_the_end_of_a_machine_stop_its_children() -> None:
    kid = create_machine({})
    config = {
        "initial": "a",
        "invoke": {"id": "kid", "src": "kid"},
        "states": {"a": {"on": {"END": "b"}}, "b": {"type": "final"}},
    }
    ends: list[Callable[[Any], Any]] = [Actor.stop, lambda actor: actor.send({"type": "END"})]
    for end in ends:
        actor = started(config, actors={"kid": kid})
        child = actor.get_snapshot().children["kid"]
        end(actor)
        assert child.get_snapshot().status == "stopped"


def test_the_wildcard_is_no_event() -> None:
    errors: list[Any] = []
    actor = create_actor(create_machine({"on": {"*": {}}}))
    actor.subscribe(error=errors.append)
    actor.start().send({"type": "*"})
    assert isinstance(errors[0], EventError)


def test_an_event_that_nobody_takes_still_lets_eventless_transitions_look() -> None:
    allowed: list[bool] = []
    states = {"a": {"always": {"target": "b", "guard": lambda a, p: bool(allowed)}}, "b": {}}
    actor = started({"initial": "a", "states": states})
    allowed.append(True)
    actor.send({"type": "UNKNOWN"})
    assert actor.get_snapshot().value == "b"


def test_raised_events_are_taken_by_guards_and_unknown_ones_are_dropped() -> None:
    config = {
        "context": {"n": 1},
        "initial": "a",
        "states": {
            "a": {
                "on": {
                    "GO": {"actions": [raise_({"type": "NOBODY"}), raise_({"type": "NEXT"})]},
                    "NEXT": {"target": "b", "guard": lambda args, params: args.context["n"] == 1},
                }
            },
            "b": {},
        },
    }
    assert value_after(config, "GO") == "b"
    seen: list[Any] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.microstep":
            seen.append((event["event"]["type"], len(event["_transitions"])))

    actor = create_actor(create_machine(config), inspect=look).start()
    for event_type in ("NONE", "GO"):
        actor.send({"type": event_type})
    assert seen == [("NONE", 0), ("GO", 1), ("NOBODY", 0), ("NEXT", 1)]


def test_a_context_may_be_made_from_input_and_what_depends_on_nothing_is_made_once() -> None:
    machine = create_machine({"context": lambda args: {"n": args.input}})
    assert create_actor(machine, input=4).get_snapshot().context == {"n": 4}
    fixed = create_machine({"context": {"n": 1}})
    assert create_actor(fixed).get_snapshot() is create_actor(fixed).get_snapshot()


def test_a_first_step_that_fails_is_an_error_unless_the_surroundings_are_strict() -> None:
    def broken(args: Any) -> dict[str, Any]:
        raise ValueError("context")

    machine = create_machine({"context": broken})
    assert create_actor(machine).get_snapshot().status == "error"
    with pytest.raises(ValueError, match="context"):
        System(machine).initial(now=0, seed=1)


def test_a_cycle_of_raised_events_is_an_error_too() -> None:
    config = {
        "options": {"maxIterations": 10},
        "on": {"GO": {"actions": raise_({"type": "GO"})}},
    }
    errors: list[Any] = []
    actor = create_actor(create_machine(config))
    actor.subscribe(error=errors.append)
    actor.start().send({"type": "GO"})
    assert isinstance(errors[0], UnboundedStepError)


def test_a_step_of_just_as_many_microsteps_as_allowed_comes_to_rest() -> None:
    def add(args: Any, params: Any) -> dict[str, Any]:
        return {"n": args.context["n"] + 1}

    for limit, status in ((4, "active"), (3, "error")):
        config = {
            "context": {"n": 0},
            "options": {"maxIterations": limit},
            "always": {"guard": lambda a, p: 0 < a.context["n"] < 4, "actions": assign(add)},
            "on": {"GO": {"actions": assign(add)}},
        }
        actor = create_actor(create_machine(config))
        actor.subscribe(error=lambda error: None)
        actor.start().send({"type": "GO"})
        assert actor.get_snapshot().status == status


def test_history_and_output_last_as_long_as_the_snapshot_needs_them() -> None:
    config = {
        "initial": "a",
        "output": lambda args: args.event["output"],
        "states": {
            "a": {
                "initial": "x",
                "states": {"x": {}, "h": {"type": "history"}},
                "on": {"OFF": "b"},
            },
            "b": {"on": {"END": "c"}},
            "c": {"type": "final", "output": 3},
        },
    }
    actor = started(config)
    actor.send({"type": "OFF"})
    assert list(actor.get_snapshot().history_value) == ["(machine).a.h"]
    actor.send({"type": "END"})
    assert actor.get_snapshot().output == 3
    assert list(actor.get_snapshot().history_value) == ["(machine).a.h"]


def test_a_chain_of_eventless_transitions_is_counted_to_its_end() -> None:
    states = {"a": {"on": {"GO": "b"}}, "b": {"always": "c"}, "c": {"always": "d"}, "d": {}}
    for limit, value in ((3, "d"), (2, "a")):
        config = {"initial": "a", "states": states, "options": {"maxIterations": limit}}
        actor = create_actor(create_machine(config))
        actor.subscribe(error=lambda error: None)
        actor.start().send({"type": "GO"})
        assert actor.get_snapshot().value == value


def test_a_guard_that_passes_takes_the_event() -> None:
    never = {"target": "c", "guard": lambda args, params: False}
    go = {"target": "b", "guard": lambda args, params: args.event["n"] == 1}
    config = {"initial": "a", "states": {"a": {"on": {"GO": [never, go]}}, "b": {}, "c": {}}}
    actor = started(config)
    actor.send({"type": "GO", "n": 1})
    assert actor.get_snapshot().value == "b"


def test_a_transition_from_a_done_snapshot_leaves_its_states_once_more() -> None:
    machine = create_machine(
        {
            "context": {"left": 0},
            "initial": "a",
            "exit": assign({"left": lambda args, params: args.context["left"] + 1}),
            "on": {"MORE": {}},
            "states": {"a": {"on": {"END": "b"}}, "b": {"type": "final"}},
        }
    )
    snapshot, _ = initial_transition(machine)
    for event_type, left in (("END", 1), ("MORE", 2), ("NOTHING", 2), ("MORE", 3)):
        snapshot, _ = transition(machine, snapshot, {"type": event_type})
        assert (snapshot.status, snapshot.context) == ("done", {"left": left})


def test_what_is_done_is_taken_on_in_the_order_in_which_it_was_left() -> None:
    over = create_machine(
        {
            "type": "parallel",
            "states": {
                "a": {"initial": "z", "states": {"z": {"type": "final"}, "y": {}}},
                "b": {"type": "final"},
            },
            "on": {"BACK": ".a.y"},
        }
    )
    done, _ = initial_transition(over)
    assert done.status == "done"
    back, _ = transition(over, done, {"type": "BACK"})
    assert [node.key for node in back.nodes] == ["b", "y", "a", "(machine)"]
