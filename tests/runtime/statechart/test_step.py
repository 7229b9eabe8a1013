"""A step, from one event to rest."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    UnboundedStepError,
    assign,
    create_actor,
    create_machine,
    emit,
    raise_,
    transition,
)
from tests.runtime.play import note, started, value_after


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


def test_stop_runs_no_exit_actions() -> None:
    trace: list[str] = []
    actor = started({"initial": "s", "states": {"s": {"exit": note(trace, "out")}}})
    assert actor.stop().get_snapshot().status == "stopped"
    assert trace == []
