"""What one microstep does: exits, transitions, entries, and what is done by them."""

from __future__ import annotations

from typing import Any

from runtime import (
    Event,
    create_actor,
    create_machine,
    emit,
    from_transition,
    raise_,
    send_to,
    stop_child,
)
from tests.runtime.play import note, started, value_after


def test_the_top_final_state_runs_all_exits_and_drops_raised_events() -> None:
    trace: list[str] = []
    config = {
        "exit": note(trace, "root out"),
        "initial": "s",
        "states": {
            "s": {
                "exit": note(trace, "s out"),
                "on": {"END": {"target": "end", "actions": raise_({"type": "LOST"})}},
            },
            "end": {"type": "final", "exit": note(trace, "end out")},
        },
        "on": {"LOST": {"actions": note(trace, "lost")}},
    }
    actor = started(config)
    actor.send({"type": "END"})
    assert trace == ["s out", "end out", "root out"]
    assert actor.get_snapshot().status == "done"


def test_output_needs_an_output_on_the_root_and_comes_from_the_done_event() -> None:
    final = {"type": "final", "output": lambda a: a.context["n"] + 1}
    config = {"context": {"n": 1}, "initial": "end", "states": {"end": final}}
    assert started(config).get_snapshot().output is None
    seen: list[Event] = []

    def output(args: Any) -> Any:
        seen.append(args.event)
        return {"got": args.event["output"]}

    assert started({**config, "id": "m", "output": output}).get_snapshot().output == {"got": 2}
    assert seen == [{"type": "xstate.done.state.m.end", "output": 2}]


def test_a_parallel_state_with_an_atomic_region_is_never_done() -> None:
    final_region = {"initial": "f", "states": {"f": {"type": "final"}}}
    config = {"type": "parallel", "states": {"a": final_region, "b": {}}}
    assert started(config).get_snapshot().status == "active"


def test_done_events_come_region_by_region_then_for_the_parallel_state() -> None:
    heard: list[str] = []

    def hear(args: Any, params: Any) -> None:
        heard.append(args.event["type"])

    region = {"initial": "s", "states": {"s": {"on": {"END": "f"}}, "f": {"type": "final"}}}
    config = {
        "id": "m",
        "initial": "p",
        "on": {"*": {"actions": hear}},
        "states": {"p": {"type": "parallel", "states": {"a": region, "b": region}}},
    }
    value_after(config, "END")
    assert heard == [
        "xstate.done.state.m.p.a",
        "xstate.done.state.m.p.b",
        "xstate.done.state.m.p",
    ]


def test_of_conflicting_transitions_the_first_region_wins() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "states": {"a": {"on": {"GO": "#one"}}, "b": {"on": {"GO": "#two"}}},
            },
            "one": {"id": "one"},
            "two": {"id": "two"},
        },
    }
    assert value_after(config, "GO") == "one"


def test_a_transition_of_a_deeper_source_wins_over_an_earlier_one() -> None:
    trace: list[str] = []
    config = {
        "id": "m",
        "type": "parallel",
        "states": {
            "a": {
                "initial": "x",
                "states": {
                    "x": {"on": {"GO": "y"}},
                    "y": {
                        "type": "parallel",
                        "always": {"target": "z", "actions": note(trace, "outer")},
                        "states": {
                            "p": {},
                            "q": {
                                "initial": "i",
                                "states": {
                                    "i": {
                                        "always": {
                                            "target": "#m.a.z",
                                            "actions": note(trace, "inner"),
                                        }
                                    }
                                },
                            },
                        },
                    },
                    "z": {},
                },
            },
            "b": {},
        },
    }
    assert value_after(config, "GO") == {"a": "z", "b": {}}
    assert trace == ["inner"]


def test_a_state_entered_again_is_left_first() -> None:
    trace: list[str] = []
    state = {
        "entry": note(trace, "in"),
        "exit": note(trace, "out"),
        "on": {"AGAIN": {"target": "a", "reenter": True}},
    }
    assert value_after({"initial": "a", "states": {"a": state}}, "AGAIN") == "a"
    assert trace == ["in", "out", "in"]


def test_leaving_records_shallow_and_deep_history_of_the_same_parent() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "initial": "a",
                "on": {"OFF": "off"},
                "states": {
                    "a": {"initial": "x", "states": {"x": {"on": {"Y": "y"}}, "y": {}}},
                    "shallow": {"type": "history"},
                    "deep": {"type": "history", "history": "deep"},
                },
            },
            "off": {"on": {"SHALLOW": "p.shallow", "DEEP": "p.deep"}},
        },
    }
    assert value_after(config, "Y", "OFF", "SHALLOW") == {"p": {"a": "x"}}
    assert value_after(config, "Y", "OFF", "DEEP") == {"p": {"a": "y"}}


def test_a_transition_to_the_history_of_the_state_it_leaves_finds_what_was_left() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "initial": "a",
                "on": {"AGAIN": {"target": "p.h", "reenter": True}},
                "states": {"a": {"on": {"B": "b"}}, "b": {}, "h": {"type": "history"}},
            }
        },
    }
    assert value_after(config, "B", "AGAIN") == {"p": "b"}


def test_a_root_that_is_final_is_done_at_once() -> None:
    actor = started({"type": "final", "output": {"n": 1}})
    assert actor.get_snapshot().status == "done"
    assert actor.get_snapshot().output == {"n": 1}


def test_a_final_region_completes_its_parallel_state() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "onDone": "end",
                "states": {"a": {"type": "final"}, "b": {"type": "final"}},
            },
            "end": {},
        },
    }
    assert value_after(config) == "end"


def test_invoked_children_live_as_long_as_their_state_and_hear_its_entry_actions() -> None:
    told: list[Any] = []
    shown: list[Any] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.action" and event["action"]["type"].endswith("Child"):
            shown.append((event["action"]["type"], event["action"]["params"]))

    def reduce(state: Any, event: Event, scope: Any) -> Any:
        told.append(event["type"])
        return state

    kid = from_transition(reduce, lambda args: args.input)
    config = {
        "initial": "on",
        "states": {
            "on": {
                "entry": [send_to("kid", {"type": "HELLO"}), emit({"type": "entered"})],
                "invoke": [
                    {"id": "kid", "src": "kid", "input": lambda args: {"n": 1}},
                    {"id": "other", "src": "kid", "input": 5},
                ],
                "on": {"OFF": "off", "DROP": {"actions": stop_child("kid")}},
            },
            "off": {"on": {"ON": "on"}},
        },
    }
    actor = create_actor(create_machine(config, {"actors": {"kid": kid}}), inspect=look).start()
    children = actor.get_snapshot().children
    assert children["kid"].get_snapshot().context == {"n": 1}
    assert children["other"].get_snapshot().context == 5
    actor.send({"type": "DROP"})
    actor.send({"type": "OFF"})
    assert actor.get_snapshot().children == {}
    assert told == ["HELLO", "xstate.stop", "xstate.stop"]
    assert [type for type, _ in shown] == ["xstate.spawnChild"] * 2 + ["xstate.stopChild"] * 3
    assert [params for type, params in shown if type == "xstate.stopChild"] == [
        children["kid"],
        None,
        children["other"],
    ]


def test_children_come_and_go_without_anybody_watching() -> None:
    kid = from_transition(lambda state, event, scope: state, 0)
    states = {
        "on": {
            "invoke": {"id": "kid", "src": "kid"},
            "entry": send_to("kid", {"type": "HELLO"}),
            "on": {"OFF": "off", "DROP": {"actions": stop_child("kid")}},
        },
        "off": {"on": {"ON": "on"}},
    }
    actor = started({"initial": "on", "states": states}, actors={"kid": kid})
    actor.send({"type": "DROP"})
    actor.send({"type": "OFF"})
    actor.send({"type": "ON"})
    assert list(actor.get_snapshot().children) == ["kid"]


def test_a_parallel_state_may_leave_and_enter_itself() -> None:
    trace: list[str] = []
    config = {
        "id": "m",
        "initial": "p",
        "states": {
            "p": {
                "entry": note(trace, "in"),
                "exit": note(trace, "out"),
                "initial": "a",
                "on": {"AGAIN": {"target": ".a", "reenter": True}},
                "states": {"a": {}},
            }
        },
    }
    assert value_after(config, "AGAIN") == {"p": "a"}
    assert trace == ["in", "out", "in"]
