"""What is stored of a room: the same bytes however they are made, and nothing that isn't JSON."""

from __future__ import annotations

from enum import Enum
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import Unstorable
from rooms.host import record
from rooms.host.record import dump, dump_patch, dump_shared, operations
from runtime import System, assign, setup

NOW = 1_800_000_000_000


class Suit(Enum):
    """What orjson would write without being asked."""

    HEARTS = "hearts"


machine = setup(actions={"put": assign(lambda args, params: args.event["put"])}).create_machine(
    {
        "id": "kept",
        "version": "1",
        "context": {"deep": {"er": [{"a": 1}, {"b": 2}]}, "flat": 1},
        "on": {"put": {"actions": "put"}},
    }
)
system = System(machine)
first = system.initial(now=NOW, seed=1).snapshot


def put(value: Any) -> Any:
    """The snapshot after this was put into the context."""
    return system.step(first, {"type": "put", "put": value}, now=NOW).snapshot


json_data = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_data)
def test_what_is_shared_is_stored_as_what_is_copied(value: Any) -> None:
    snapshot = put({"new": value})
    whole = orjson.dumps(system.persist(snapshot))
    assert dump(system, snapshot) == whole
    assert dump_shared(system.share(snapshot), system.share(first)) == whole


@pytest.mark.parametrize("value", [(1, 2), {1}, Suit.HEARTS, b"x", {1: "a"}, 2**80, object()])
def test_what_cant_be_stored_is_refused_wherever_it_is(value: Any) -> None:
    known = system.share(first)
    for where in ({"new": value}, {"deep": {"er": [{"a": 1}, {"b": value}]}}, {"flat": [value]}):
        with pytest.raises(Unstorable):
            dump_shared(system.share(put(where)), known)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"new": float("nan")}, "context.new: nan"),
        ({"deep": {"er": [{"a": 1}, {"b": -float("inf")}]}}, "context.deep.er.1.b: -inf"),
        ({"flat": [0.5, {1, 2}]}, "context.flat.1: {1, 2}"),
        ({"flat": {"x": {1: "a"}}}, "context.flat.x.1: "),
    ],
)
def test_who_keeps_what_is_no_json_is_told_where(value: Any, place: str) -> None:
    snapshot = put(value)
    for known in (system.share(first), None):
        with pytest.raises(Unstorable) as told:
            dump_shared(system.share(snapshot), known)
        assert str(told.value).startswith(place)


def test_a_patch_tells_it_too() -> None:
    ops = operations(system.share(first), system.share(put({"deep": {"er": [1, float("nan")]}})))
    with pytest.raises(Unstorable, match=r"^context\.deep\.er.*: nan is not plain JSON data"):
        dump_patch(1, 0, ops)


def test_what_was_stored_before_isnt_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Any] = []
    check = record._check

    def watched(value: Any, known: Any) -> None:
        looked.append(value)
        check(value, known)

    monkeypatch.setattr(record, "_check", watched)
    dump_shared(system.share(put({"flat": {"new": []}})), system.share(first))
    assert {"new": []} in looked
    assert {"er": [{"a": 1}, {"b": 2}]} not in looked
