"""Which transitions an event takes."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import GuardError, assign, create_actor, create_machine, get_next_transitions
from tests.runtime.play import note, started, value_after


def test_exact_descriptors_come_first_and_longer_wildcards_before_shorter() -> None:
    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"*": "any", "a.*": "short", "a.b.*": "long", "a.b.c": "exact"}},
            "any": {},
            "short": {},
            "long": {},
            "exact": {},
        },
    }
    assert value_after(config, "a.b.c") == "exact"
    assert value_after(config, "a.b.d") == "long"
    assert value_after(config, "a.x") == "short"
    assert value_after(config, "z") == "any"


def test_wildcards_of_a_state_are_tried_before_its_parent() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "initial": "s",
                "on": {"GO": "parent"},
                "states": {
                    "s": {"on": {"*": "wild", "GO": {"target": "never", "guard": "no"}}},
                    "wild": {},
                    "never": {},
                },
            },
            "parent": {},
        },
    }
    assert value_after(config, "GO", guards={"no": lambda a, p: False}) == {"p": "wild"}


def test_a_partial_wildcard_matches_its_own_prefix() -> None:
    config = {"initial": "s", "states": {"s": {"on": {"foo.*": "t"}}, "t": {}}}
    assert value_after(config, "foo") == "t"
    assert value_after(config, "foobar") == "s"


@pytest.mark.parametrize("forbidden", [{}, {"actions": []}, None])
def test_an_empty_transition_forbids_the_event(forbidden: Any) -> None:
    config = {
        "initial": "s",
        "on": {"EV": ".t"},
        "states": {"s": {"on": {"EV": forbidden}}, "t": {}},
    }
    actor = started(config)
    assert not actor.get_snapshot().can({"type": "EV"})
    actor.send({"type": "EV"})
    assert actor.get_snapshot().value == "s"


def test_an_empty_list_of_candidates_falls_through_to_the_parent() -> None:
    config = {"initial": "s", "on": {"EV": ".t"}, "states": {"s": {"on": {"EV": []}}, "t": {}}}
    assert value_after(config, "EV") == "t"


def test_a_list_is_several_candidates_not_several_targets() -> None:
    config = {
        "initial": "s",
        "states": {"s": {"on": {"GO": ["#x", "#y"]}}, "x": {"id": "x"}, "y": {"id": "y"}},
    }
    assert value_after(config, "GO") == "x"


def test_guards_of_all_regions_see_the_context_before_the_event() -> None:
    region = {
        "initial": "s",
        "states": {
            "s": {
                "on": {
                    "GO": {
                        "target": "t",
                        "guard": lambda a, p: a.context["n"] == 0,
                        "actions": assign({"n": lambda a, p: a.context["n"] + 1}),
                    }
                }
            },
            "t": {},
        },
    }
    config = {"context": {"n": 0}, "type": "parallel", "states": {"a": region, "b": region}}
    assert value_after(config, "GO") == {"a": "t", "b": "t"}


def test_reserved_events_are_taken_by_no_wildcard() -> None:
    config = {"initial": "a", "states": {"a": {"on": {"*": "b"}}, "b": {}}}
    for event_type in ("xstate.init", "xstate.stop"):
        assert not started(config).get_snapshot().can({"type": event_type})


def test_no_candidate_passes_and_the_event_is_ignored() -> None:
    config = {"on": {"GO": [{"guard": lambda args, params: False, "actions": "never"}]}}
    actor = started(config, actions={"never": lambda args, params: None})
    before = actor.get_snapshot()
    actor.send({"type": "GO"})
    assert actor.get_snapshot() is before


def test_a_guard_that_raises_is_named_with_event_and_state() -> None:
    def broken(args: Any, params: Any) -> bool:
        raise ValueError("no")

    for guard, guards in (("broken", {"broken": broken}), (broken, {})):
        machine = create_machine({"id": "m", "on": {"GO": {"guard": guard}}}, {"guards": guards})
        errors: list[Any] = []
        actor = create_actor(machine)
        actor.subscribe(error=errors.append)
        actor.start().send({"type": "GO"})
        assert isinstance(errors[0], GuardError)
        assert "GO" in str(errors[0])


def test_regions_choose_for_themselves_and_their_parent_only_if_none_does() -> None:
    trace: list[str] = []
    even = {"guard": lambda args, params: args.event["n"] % 2 == 0, "actions": note(trace, "even")}
    inner = {"type": "parallel", "states": {"c": {"on": {"N": even}}, "d": {"on": {"N": even}}}}
    three = {"guard": lambda args, params: args.event["n"] == 3, "actions": note(trace, "three")}
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "on": {"N": three},
                "states": {"a": {"on": {"N": even}}, "b": inner},
            }
        },
    }
    actor = started(config)
    for n, said in ((2, ["even"] * 3), (3, ["three"]), (5, [])):
        actor.send({"type": "N", "n": n})
        assert trace == said
        trace.clear()


def test_eventless_candidates_are_tried_from_the_leaf_up() -> None:
    config = {
        "context": {"n": 0},
        "initial": "p",
        "states": {
            "p": {
                "initial": "a",
                "always": {"target": "over", "guard": lambda args, params: args.context["n"] > 2},
                "on": {"ADD": {"actions": assign(lambda a, p: {"n": a.context["n"] + 1})}},
                "states": {
                    "a": {
                        "always": {"target": "b", "guard": lambda a, p: a.context["n"] > 1},
                    },
                    "b": {},
                },
            },
            "over": {},
        },
    }
    assert value_after(config, "ADD") == {"p": "a"}
    assert value_after(config, "ADD", "ADD") == {"p": "b"}
    assert value_after(config, "ADD", "ADD", "ADD") == "over"


def test_a_target_that_depends_on_history_is_chosen_anew_each_time() -> None:
    passes = {"guard": lambda args, params: True, "target": "p.h"}
    config = {
        "initial": "off",
        "states": {
            "off": {"on": {"ON": passes, "SURE": "p.h"}},
            "p": {
                "initial": "a",
                "on": {"OFF": "off"},
                "states": {"a": {"on": {"B": "b"}}, "b": {}, "h": {"type": "history"}},
            },
        },
    }
    for back in ("ON", "SURE"):
        assert value_after(config, back) == {"p": "a"}
        assert value_after(config, back, "B", "OFF", back) == {"p": "b"}


def test_what_could_be_next_is_told_leaves_first_each_before_its_ancestors() -> None:
    config = {
        "type": "parallel",
        "on": {"ROOT": {}},
        "states": {
            "a": {"initial": "x", "on": {"A": {}}, "states": {"x": {"on": {"X": {}}}}},
            "b": {"always": {"guard": lambda args, params: False}, "on": {"B": {}}},
        },
    }
    found = get_next_transitions(started(config).get_snapshot())
    assert [transition.event_type for transition in found] == ["X", "A", "ROOT", "B", ""]


def test_a_guarded_candidate_keeps_its_plan() -> None:
    even = {"guard": lambda args, params: True, "target": "b"}
    config = {"initial": "a", "states": {"a": {"on": {"GO": even}}, "b": {"on": {"BACK": "a"}}}}
    assert value_after(config, "GO", "BACK", "GO") == "b"
