"""Which transitions an event takes."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import assign
from tests.runtime.play import started, value_after


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
