"""Patches lead from one view to the next, say little, and are never trusted."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import PatchError
from rooms.sync import messages
from rooms.sync.codec import encode
from rooms.sync.diff import apply, diff

VECTORS = Path(__file__).parents[2] / "vectors"
PATCHES: list[dict[str, Any]] = json.loads((VECTORS / "patches.json").read_text())


def strict(value: Any) -> str:
    """Equal exactly for equal JSON: True isn't 1, and 1.0 isn't 1."""
    return json.dumps(value, sort_keys=True)


# ------------------------------------------------------------------ apply


@pytest.mark.parametrize("vector", PATCHES, ids=lambda vector: str(vector["name"]))
def test_a_shared_vector(vector: dict[str, Any]) -> None:  # [VIEW3] [PATCH1] [PATCH2]
    before = copy.deepcopy(vector["view"])
    ops = copy.deepcopy(vector["ops"])
    if vector.get("refused"):
        with pytest.raises(PatchError):
            apply(vector["view"], ops)
    else:
        assert strict(apply(vector["view"], ops)) == strict(vector["result"])
    assert strict(vector["view"]) == strict(before)
    assert strict(ops) == strict(vector["ops"])


@pytest.mark.parametrize(
    "ops",
    [
        "abc",
        {"0": []},
        [None],
        [[]],
        [[["a"], 1, 2]],
        [[["a"], 1, 2, [], 5]],
        [[["list"], True, 0, []]],
        [[["list"], 0, 0, "ab"]],
        [[["list", -1], 1]],
        [[["list", True], 1]],
        [[["list", 0.0], 1]],
        [[[None], 1]],
        [[[["a"]], 1]],
        [[[{"a": 1}], 1]],
        [[["list", 10**30], 1]],
    ],
    ids=repr,
)
def test_nonsense_is_refused(ops: Any) -> None:  # [PATCH2]
    with pytest.raises(PatchError):
        apply({"a": 1, "list": [1, 2]}, ops)


def test_what_no_operation_touches_keeps_its_identity() -> None:  # [PATCH3]
    view: Any = {"a": {"x": [1]}, "b": {"y": {"z": 1}, "w": [2]}, "c": [{"n": 1}, {"n": 2}]}
    after = apply(view, [[["b", "y", "z"], 2], [["c", 1, "n"], 3], [["b", "y", "new"], 1]])
    assert after == {
        "a": {"x": [1]},
        "b": {"y": {"z": 2, "new": 1}, "w": [2]},
        "c": [{"n": 1}, {"n": 3}],
    }
    assert after["a"] is view["a"]
    assert after["b"]["w"] is view["b"]["w"]
    assert after["c"][0] is view["c"][0]


def test_an_operations_value_is_never_written_to() -> None:
    value = {"n": 1}
    view = apply({}, [[["a"], value], [["a", "n"], 2], [["b"], value]])
    assert view == {"a": {"n": 2}, "b": {"n": 1}}
    assert value == {"n": 1}


# ------------------------------------------------------------------ diff

KEYS = st.sampled_from(["a", "b", "id", "list", ""])
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, 0.5, "x", "y"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def mutated(value: Any, roll: random.Random) -> Any:
    """A later version of `value` that shares most of it, as machines make them."""
    if isinstance(value, dict) and value and roll.random() < 0.8:
        key = roll.choice(list(value))
        match roll.randrange(4):
            case 0:
                return {k: v for k, v in value.items() if k != key}
            case 1:
                return {**value, roll.choice("abcd"): roll.randrange(4)}
            case _:
                return {**value, key: mutated(value[key], roll)}
    if isinstance(value, list) and value and roll.random() < 0.8:
        at = roll.randrange(len(value))
        match roll.randrange(6):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value[:at], {"id": roll.randrange(5), "x": roll.random()}, *value[at:]]
            case 2:
                return [*value[1:], roll.randrange(9)]
            case 3:
                return roll.sample(value, len(value))
            case _:
                return [*value[:at], mutated(value[at], roll), *value[at + 1 :]]
    return roll.choice([None, 0, 1, True, 1.0, "x", [], {}, [1, 2, 3], {"id": 1, "a": {"b": 1}}])


@given(old=JSON, new=JSON)
def test_a_patch_leads_to_the_next_view(old: Any, new: Any) -> None:  # [VIEW3]
    assert strict(apply(old, diff(old, new))) == strict(new)


@given(old=JSON, seed=st.integers(0, 2**32), steps=st.integers(1, 4))
def test_a_patch_leads_to_a_view_that_shares_parts(old: Any, seed: int, steps: int) -> None:
    roll = random.Random(seed)
    new = old
    for _ in range(steps):
        new = mutated(new, roll)
    for held in (old, copy.deepcopy(old)):  # the other side shares nothing with us
        assert strict(apply(held, diff(old, new))) == strict(new)


def shuffled(value: Any, roll: random.Random) -> Any:
    """The same JSON with the keys of some objects in another order; the other parts are shared."""
    if isinstance(value, list) and roll.random() < 0.7:
        return [shuffled(item, roll) for item in value]
    if isinstance(value, dict) and roll.random() < 0.7:
        items = [(key, shuffled(item, roll)) for key, item in value.items()]
        return dict(roll.sample(items, len(items)))
    return value


@given(old=JSON, seed=st.integers(0, 2**32), steps=st.integers(0, 4))
def test_an_ordered_patch_keeps_the_order_of_keys(old: Any, seed: int, steps: int) -> None:
    roll = random.Random(seed)
    new = old
    for _ in range(steps):
        new = mutated(new, roll)
    new = shuffled(new, roll)
    ops = diff(old, new, ordered=True)
    assert json.dumps(apply(old, ops)) == json.dumps(new)
    assert json.dumps(apply(copy.deepcopy(old), ops)) == json.dumps(new)


@given(old=JSON, seed=st.integers(0, 2**32))
def test_the_order_of_keys_says_nothing(old: Any, seed: int) -> None:  # [VIEW3]
    assert diff(old, shuffled(old, random.Random(seed))) == []


def test_a_key_that_moves_to_the_end_costs_itself() -> None:
    old = {"a": 1, "b": {"x": 1}, "c": 3}
    new = {"b": old["b"], "c": 4, "a": 1}
    ops = diff({"q": old}, {"q": new}, ordered=True)
    assert ops == [[["q", "a"]], [["q", "c"], 4], [["q", "a"], 1]]
    assert diff({"q": old}, {"q": new}) == [[["q", "c"], 4]]


def test_what_is_forbidden_is_the_callers_to_say() -> None:
    ops = diff({}, {"constructor": 1})
    with pytest.raises(PatchError):
        apply({}, ops)
    assert apply({}, ops, forbidden=()) == {"constructor": 1}


@given(view=JSON)
def test_equal_views_have_no_difference(view: Any) -> None:  # [VIEW5]
    assert diff(view, view) == []
    assert diff(view, copy.deepcopy(view)) == []


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), (0, False), ([], {}), ("1", 1)])
def test_what_python_calls_equal_isnt_always(old: Any, new: Any) -> None:
    assert diff({"a": old}, {"a": new}) == [[["a"], new]]
    assert strict(apply([old, "x"], diff([old, "x"], [new, "x"]))) == strict([new, "x"])


PLAYERS = {f"player-{i}": {f"field{j}": i * j for j in range(20)} for i in range(100)}


def test_one_field_among_a_hundred_players_is_one_short_frame() -> None:
    view = {"value": "playing", "status": "active", "context": {"players": PLAYERS}}
    players = {**PLAYERS, "player-57": {**PLAYERS["player-57"], "field3": 120}}
    ops = diff(view, {**view, "context": {"players": players}})
    assert ops == [[["context", "players", "player-57", "field3"], 120]]
    frame = encode(messages.patch("aB3dE5gH.1012", "aB3dE5gH.1013", ops), "json")
    assert len(frame) <= 130


class Unseen(dict[str, Any]):
    """A part that must not be looked into."""

    def items(self) -> Any:
        raise AssertionError("looked into a shared part")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared a shared part")

    __hash__ = None


def test_what_two_views_share_is_never_looked_into() -> None:
    shared = Unseen(a=1)
    old = {"context": {"shared": shared, "list": [shared, 1], "n": 1}}
    new = {"context": {"shared": shared, "list": [shared, 2], "n": 2}}
    assert diff(old, new) == [[["context", "list", 1], 2], [["context", "n"], 2]]


ITEMS = [{"id": f"m{i}", "text": "a" * 50} for i in range(30)]


@pytest.mark.parametrize(
    ("new", "ops"),
    [
        ([*ITEMS, {"id": "new"}], [[["log"], 30, 0, [{"id": "new"}]]]),
        ([{"id": "new"}, *ITEMS], [[["log"], 0, 0, [{"id": "new"}]]]),
        (
            [*ITEMS[1:], {"id": "new"}],
            [[["log"], 30, 0, [{"id": "new"}]], [["log"], 0, 1, []]],
        ),
        (
            [*ITEMS[1:20], *ITEMS[21:], {"id": "new"}],
            [[["log"], 30, 0, [{"id": "new"}]], [["log"], 20, 1, []], [["log"], 0, 1, []]],
        ),
        (ITEMS[:10] + ITEMS[12:], [[["log"], 10, 2, []]]),
        (
            [*ITEMS[:10], {**ITEMS[10], "text": "b"}, *ITEMS[11:], {"id": "new"}],
            [[["log"], 30, 0, [{"id": "new"}]], [["log", 10, "text"], "b"]],
        ),
        (
            [*ITEMS[:5], ITEMS[20], *ITEMS[5:20], *ITEMS[21:]],
            [[["log"], 20, 1, []], [["log"], 5, 0, [ITEMS[20]]]],
        ),
        ([], [[["log"], 0, 30, []]]),
        ([*ITEMS[:4], {"id": "new"}, *ITEMS[5:]], [[["log", 4], {"id": "new"}]]),
    ],
    ids=[
        "append",
        "prepend",
        "shift",
        "shift and remove",
        "remove",
        "change and append",
        "move",
        "empty",
        "replace",
    ],
)
@pytest.mark.parametrize("rebuilt", [False, True])
def test_an_array_is_aligned_by_its_items(new: Any, ops: Any, rebuilt: bool) -> None:  # [PATCH4]
    old = {"log": ITEMS, "more": 1}
    changed = {"log": copy.deepcopy(new) if rebuilt else new, "more": 1}
    assert diff(old, changed) == ops
    assert apply(old, ops) == changed


def test_items_without_an_id_are_known_by_identity() -> None:
    items = [[i, i] for i in range(20)]
    assert diff({"a": items}, {"a": [*items[3:], [9, 9]]}) == [
        [["a"], 20, 0, [[9, 9]]],
        [["a"], 0, 3, []],
    ]


def test_scalars_are_known_by_value() -> None:
    assert diff({"a": list("abcdef")}, {"a": list("abXcdf")}) == [
        [["a"], 4, 1, []],
        [["a"], 2, 0, ["X"]],
    ]


def test_a_row_of_changed_scalars_is_one_splice() -> None:
    assert diff({"a": [0, 1, 2, 3, 0]}, {"a": [0, 7, 8, 9, 0]}) == [[["a"], 1, 3, [7, 8, 9]]]


def test_an_object_of_which_nothing_stayed_is_set_once() -> None:
    old = {"q": {"text": "a", "left": 1, "more": 1}, "n": 1}
    new = {"q": {"text": "b", "left": 2}, "n": 1}
    assert diff(old, new) == [[["q"], {"text": "b", "left": 2}]]
    assert diff(old, {"q": {}, "n": 1}) == [[["q"], {}]]
    kept = {"q": {"text": "b", "left": 2, "more": 1}, "n": 1}
    assert diff(old, kept) == [[["q", "text"], "b"], [["q", "left"], 2]]
