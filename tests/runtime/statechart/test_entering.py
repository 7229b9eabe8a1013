"""Which states a transition enters, and in which order."""

from __future__ import annotations

from typing import Any

from runtime import create_machine, raise_
from runtime.statechart.entering import initial_nodes
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


def test_an_inner_target_of_a_parallel_state_leaves_its_other_regions_alone() -> None:
    trace: list[str] = []
    config = {
        "type": "parallel",
        "states": {
            "a": {"initial": "x", "on": {"GO": ".y"}, "states": {"x": {}, "y": {}}},
            "b": {"entry": note(trace, "b")},
        },
        "on": {"ALL": {"target": ".a.y"}},
    }
    assert value_after(config, "GO") == {"a": "y", "b": {}}
    assert trace == ["b"]
    assert value_after(config, "ALL") == {"a": "y", "b": {}}


def test_a_parallel_state_entered_at_one_region_enters_the_others_by_default() -> None:
    regions = {
        "a": {"initial": "x", "states": {"x": {}, "y": {"initial": "z", "states": {"z": {}}}}},
        "b": {"initial": "x", "states": {"x": {}}},
        "h": {"type": "history"},
    }
    config = {
        "id": "m",
        "initial": "out",
        "states": {"out": {"on": {"GO": "#m.p.a.y"}}, "p": {"type": "parallel", "states": regions}},
    }
    assert value_after(config, "GO") == {"p": {"a": {"y": "z"}, "b": "x"}}


def test_a_root_that_targets_itself_is_entered_again_only_with_reenter() -> None:
    for reenter, entered in ((False, ["root", "a", "a"]), (True, ["root", "a", "root", "a"])):
        trace: list[str] = []
        config = {
            "id": "m",
            "entry": note(trace, "root"),
            "initial": "a",
            "states": {"a": {"entry": note(trace, "a")}},
            "on": {"AGAIN": {"target": "#m", "reenter": reenter}},
        }
        value_after(config, "AGAIN")
        assert trace == entered


def test_a_region_may_send_the_machine_to_its_root() -> None:
    config = {
        "id": "m",
        "initial": "a",
        "states": {"a": {"on": {"NEXT": "b"}}, "b": {"on": {"BACK": "#m"}}},
    }
    assert value_after(config, "NEXT", "BACK") == "a"


def test_a_history_state_may_be_the_initial_one() -> None:
    config = {
        "initial": "on",
        "states": {
            "on": {
                "initial": "h",
                "on": {"OFF": "off"},
                "states": {
                    "h": {"type": "history", "target": "y"},
                    "x": {},
                    "y": {"on": {"X": "x"}},
                },
            },
            "off": {"on": {"ON": "on"}},
        },
    }
    assert value_after(config) == {"on": "y"}
    assert value_after(config, "X", "OFF", "ON") == {"on": "x"}


def test_history_of_a_parallel_state_never_visited_enters_all_regions() -> None:
    config = {
        "id": "m",
        "initial": "out",
        "states": {
            "out": {"on": {"GO": "#m.p.h"}},
            "p": {
                "type": "parallel",
                "states": {
                    "a": {"initial": "x", "states": {"x": {}}},
                    "b": {},
                    "h": {"type": "history", "history": "deep"},
                },
            },
        },
    }
    assert value_after(config, "GO") == {"p": {"a": "x", "b": {}}}


def test_a_target_that_is_an_ancestors_sibling_enters_from_their_parent_down() -> None:
    trace: list[str] = []
    config = {
        "id": "m",
        "type": "parallel",
        "states": {
            "a": {
                "initial": "x",
                "states": {
                    "x": {"on": {"GO": {"target": ["#m.b.y", "#m.a.z"]}}},
                    "z": {"entry": note(trace, "z")},
                },
            },
            "b": {"initial": "x", "states": {"x": {}, "y": {"entry": note(trace, "y")}}},
        },
    }
    assert value_after(config, "GO") == {"a": "z", "b": "y"}
    assert trace == ["z", "y"]


def test_what_is_entered_by_default_goes_down_every_region() -> None:
    region = {"initial": "x", "states": {"y": {}, "x": {}}}
    machine = create_machine({"type": "parallel", "states": {"a": region, "b": region}})
    assert [node.key for node in initial_nodes(machine.root)] == ["(machine)", "a", "x", "b", "x"]
