"""State values and paths."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.statechart.values import (
    javascript_order,
    matches_state,
    path_to_state_value,
    text_keys,
    to_state_path,
    to_state_value,
)


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("a", "a", True),
        ("a", {"a": "b"}, True),
        ("a.b", {"a": "b"}, True),
        ({"a": "b"}, {"a": {"b": "c"}}, True),
        ({"a": "b", "x": "y"}, {"a": "b", "x": "y", "z": {}}, True),
        ("b", {"a": "b"}, False),
        ("a.b.c", {"a": "b"}, False),
        ({"a": {"b": "c"}}, {"a": "b"}, False),
        ({"x": "y"}, {"a": "b"}, False),
    ],
)
def test_a_value_lies_within_a_pattern(pattern: Any, value: Any, matches: bool) -> None:
    assert matches_state(pattern, value) is matches


def test_paths_split_at_dots_unless_escaped() -> None:
    assert to_state_path("a.b.c") == ["a", "b", "c"]
    assert to_state_path(r"a\.b.c") == ["a.b", "c"]
    assert to_state_path(["a", "b"]) == ["a", "b"]
    assert to_state_path("a\\") == ["a"]


def test_paths_become_values() -> None:
    assert path_to_state_value(["a"]) == "a"
    assert path_to_state_value(["a", "b", "c"]) == {"a": {"b": "c"}}
    assert to_state_value("a.b") == {"a": "b"}
    assert to_state_value({"a": "b"}) == {"a": "b"}


def test_keys_come_as_javascript_enumerates_them() -> None:
    assert javascript_order(["b", "10", "a", "9"]) == ["9", "10", "b", "a"]
    assert javascript_order(["01", "4294967295", "2"]) == ["2", "01", "4294967295"]
    assert javascript_order(["b", "a"]) == ["b", "a"]
    assert list(text_keys({1000: 1, "x": 2, 10.0: 3, 0.5: 4})) == ["10", "1000", "x", "0.5"]
