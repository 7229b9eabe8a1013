"""A room's storage: what a hook writes is its own until all of it is taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import UsageError
from rooms.hooks.storage import MAX_KEY, MAX_VALUE, Kept, Storage


def fresh(**entries: Any) -> Kept:
    kept = Kept({})
    with_entries = Storage(kept, None)
    for key, value in entries.items():
        with_entries.put(key, value)
    kept.take(with_entries)
    kept.changes()
    return kept


def test_what_is_written_is_seen_by_the_writer_alone() -> None:  # [HOOK2]
    kept = fresh(a=1, b=2)
    one, other = Storage(kept, None), Storage(kept, None)
    one.put("c", {"deep": [1]})
    assert one.delete("a")
    assert not one.delete("a")
    assert (one.get("a"), one.get("c"), one.get("none", 7)) == (None, {"deep": [1]}, 7)
    assert one.list() == {"b": 2, "c": {"deep": [1]}}
    assert other.list() == {"a": 1, "b": 2}
    assert kept.changes() == {}
    kept.take(one)
    assert Storage(kept, None).list() == {"b": 2, "c": {"deep": [1]}}
    assert kept.changes() == {"a": None, "c": b'{"deep":[1]}'}
    assert kept.changes() == {}


def test_values_are_copied_in_and_out() -> None:
    kept = fresh()
    storage, value = Storage(kept, None), {"list": [1]}
    storage.put("a", value)
    value["list"].append(2)
    got = storage.get("a")
    assert got == {"list": [1]}
    got["list"].append(3)
    assert storage.get("a") == {"list": [1]}


def test_a_list_is_in_the_order_of_its_keys() -> None:
    kept = fresh(**{"line/2": "b", "line/1": "a", "other": "x", "line/3": "c"})
    storage = Storage(kept, None)
    assert list(storage.list("line/")) == ["line/1", "line/2", "line/3"]
    assert list(storage.list("line/", limit=2)) == ["line/1", "line/2"]
    assert list(storage.list("line/", limit=2, reverse=True)) == ["line/3", "line/2"]
    storage.put("line/0", None)
    assert storage.list("line/", limit=1) == {"line/0": None}


def test_what_was_there_already_changes_nothing() -> None:  # [HOOK8]
    kept = fresh(a=1)
    storage = Storage(kept, None)
    storage.put("a", 1)
    storage.delete("b")
    storage.put("c", 1)
    storage.delete("c")
    assert kept.take(storage) == {}
    assert kept.changes() == {}


def test_an_alarm_is_kept_beside_the_entries() -> None:  # [HOOK9]
    kept = fresh(a=1)
    storage = Storage(kept, kept.alarm)
    assert storage.get_alarm() is None
    storage.set_alarm(5_000)
    assert storage.get_alarm() == 5_000
    assert kept.take(storage)
    stored = {"a": b"1", **{k: v for k, v in kept.changes().items() if v is not None}}
    again = Kept(stored)
    assert again.alarm == 5_000
    assert Storage(again, None).list() == {"a": 1}, "it is no entry"
    storage = Storage(again, again.alarm)
    storage.delete_alarm()
    assert again.take(storage) == {"": None}


def test_the_bounds_are_stated_and_kept() -> None:
    storage = Storage(fresh(), None)
    storage.put("k" * MAX_KEY, "x" * (MAX_VALUE - 2))
    for key, value in (("k" * (MAX_KEY + 1), 1), ("é" * MAX_KEY, 1), ("k", "x" * (MAX_VALUE - 1))):
        with pytest.raises(UsageError):
            storage.put(key, value)


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 2)), max_size=4),
        max_size=8,
    ),
    st.data(),
)
def test_a_room_keeps_what_its_whole_calls_wrote(calls: Any, data: Any) -> None:  # [HOOK2]
    kept, model, stored = Kept({}), dict[str, int](), dict[str, bytes]()
    for writes in calls:
        storage = Storage(kept, kept.alarm)
        for key, value in writes:
            if value is None:
                storage.delete(key)
            else:
                storage.put(key, value)
        if data.draw(st.booleans()):
            continue  # it raised
        kept.take(storage)
        for key, value in writes:
            model.pop(key, None) if value is None else model.update({key: value})
        for entry, packed in kept.changes().items():
            stored.pop(entry, None) if packed is None else stored.update({entry: packed})
        assert Storage(kept, None).list() == dict(sorted(model.items()))
        assert Kept(stored).entries == kept.entries
