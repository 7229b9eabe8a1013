"""A record as a line of JSON, and back to the bit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import UsageError
from rooms.store.export import exported, imported
from rooms.store.port import Record, SessionId

ID = SessionId("trivia", "table-1")
entries = st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=2)
blobs = st.none() | st.binary(max_size=5)
times = st.none() | st.integers(0, 2**53)
snapshots = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"null", b'{"a":1}', b'{ "a":1}', b'{"a":1.0}', b'"\xc3\xa9"', b"[1e400]"]),
)


@given(
    st.builds(
        Record,
        generation=st.text(max_size=5),
        version=st.text(max_size=5),
        revision=st.integers(1, 2**53),
        snapshot=snapshots,
        seats=blobs,
        marks=entries,
        outbox=entries,
        patches=entries,
        storage=entries,
        listing=blobs,
        activation=blobs,
        due=times,
        expires=times,
        changed=st.integers(0, 2**53),
        logged=st.booleans(),
    )
)
def test_what_was_exported_is_imported_to_the_bit(record: Record) -> None:  # [ADMIN6]
    line = json.dumps(exported(ID, record))
    assert imported(line) == (ID, record, [])


def test_a_state_that_is_json_can_be_read_by_people() -> None:
    record = Record(generation="g", version="1", revision=3, snapshot=b'{"context":{"count":3}}')
    assert exported(ID, record)["snapshot"] == {"context": {"count": 3}}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": None}, "expected string"),
        ({"session": "a/b"}, "can't name a session"),
        ({"revision": "3"}, "`revision` is a number from 1 on"),
        ({"snapshot": None}, "`snapshot` is missing"),
        ({"marks": {"a": 1}}, "this is no line of an export"),
        ({"marks": []}, "this is no line of an export"),
        ({"seats": "%"}, "this is no line of an export"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(change: Any, what: str) -> None:  # [ADMIN6]
    line = exported(ID, Record(generation="g", version="1", revision=3, snapshot=b"{}"))
    with pytest.raises(UsageError, match=what):
        imported(json.dumps({**line, **change}))
