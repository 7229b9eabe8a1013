"""Which states a transition enters, and in which order."""

from __future__ import annotations

from typing import Any

from runtime import raise_
from tests.runtime.play import note, started, value_after


def test_several_targets_enter_parallel_regions() -> None:
    regions = {
        key: {"initial": "one", "states": {"one": {}, "two": {}}} for key in ("left", "right")
    }
    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"GO": {"target": ["p.left.two", "p.right.two"]}}},
            "p": {"type": "parallel", "states": regions},
        },
    }
    assert value_after(config, "GO") == {"p": {"left": "two", "right": "two"}}


def test_entering_runs_entry_initial_actions_child_entry_then_raised_events() -> None:
    trace: list[str] = []
    config = {
        "initial": "off",
        "states": {
            "off": {"on": {"GO": "on"}},
            "on": {
                "entry": [note(trace, "entry"), raise_({"type": "RAISED"})],
                "initial": {"target": "child", "actions": note(trace, "initial")},
                "on": {"RAISED": {"actions": note(trace, "raised")}},
                "states": {"child": {"entry": note(trace, "child entry")}},
            },
        },
    }
    value_after(config, "GO")
    assert trace == ["entry", "initial", "child entry", "raised"]


def test_a_target_within_the_source_does_not_leave_it_without_reenter() -> None:
    trace: list[str] = []
    config = {
        "initial": "p",
        "states": {
            "p": {
                "entry": note(trace, "p in"),
                "exit": note(trace, "p out"),
                "initial": "a",
                "on": {
                    "SELF": "p",
                    "CHILD": ".b",
                    "REENTER": {"target": ".b", "reenter": True},
                    "NOTHING": {"reenter": True},
                },
                "states": {
                    "a": {"entry": note(trace, "a in"), "exit": note(trace, "a out")},
                    "b": {
                        "entry": note(trace, "b in"),
                        "exit": note(trace, "b out"),
                        "on": {"ATOM": "b", "ATOM2": {"target": "b", "reenter": True}},
                    },
                },
            }
        },
    }
    actor = started(config)

    def after(event_type: str) -> list[str]:
        trace.clear()
        actor.send({"type": event_type})
        return list(trace)

    assert after("SELF") == ["a out", "a in"]
    assert after("CHILD") == ["a out", "b in"]
    assert after("ATOM") == []
    assert after("ATOM2") == ["b out", "b in"]
    assert after("REENTER") == ["b out", "p out", "p in", "b in"]
    assert after("NOTHING") == []


def history_config(trace: list[str]) -> dict[str, Any]:
    return {
        "initial": "off",
        "states": {
            "off": {"on": {"BACK": "on.hist"}},
            "on": {
                "initial": {"target": "a", "actions": note(trace, "initial")},
                "on": {"LEAVE": "off"},
                "states": {"a": {"on": {"NEXT": "b"}}, "b": {}, "hist": {"type": "history"}},
            },
        },
    }


def test_history_never_visited_takes_the_initial_state_with_its_actions() -> None:
    trace: list[str] = []
    assert value_after(history_config(trace), "BACK") == {"on": "a"}
    assert trace == ["initial"]


def test_restored_history_runs_no_initial_actions() -> None:
    trace: list[str] = []
    assert value_after(history_config(trace), "BACK", "NEXT", "LEAVE", "BACK") == {"on": "b"}
    assert trace == ["initial"]


def test_regions_without_children_have_an_empty_value() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "states": {"a": {}, "b": {"initial": "c", "states": {"c": {}}}},
            }
        },
    }
    assert value_after(config) == {"p": {"a": {}, "b": "c"}}
