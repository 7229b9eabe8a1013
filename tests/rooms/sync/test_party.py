"""The dialect of partysocket: our operations as RFC 6902, and what such clients say."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooms.errors import BadMessage
from rooms.sync import party
from rooms.sync.diff import diff

Json = Any

KEYS = st.sampled_from(["a", "b", "a/b", "~", "tags", "0"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
VIEWS = st.fixed_dictionaries(
    {"status": st.sampled_from(["active", "done"])},
    optional={
        "value": st.sampled_from(["on", {"on": "deep"}]),
        "context": st.dictionaries(KEYS, DATA, min_size=1, max_size=4),
        "tags": st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, unique=True),
        "children": st.dictionaries(KEYS, st.dictionaries(KEYS, DATA), min_size=1, max_size=2),
        "output": DATA,
    },
)


def told(payload: bytes) -> Json:
    """What a client of the dialect is told."""
    assert payload[:1] == party.TEXT
    return json.loads(payload[1:])


def patched(document: Json, operations: list[Json]) -> Json:
    """RFC 6902, 4: `add`, `remove` and `replace`, strictly; in place, as browsers' libraries do."""
    document = copy.deepcopy(document)
    for op in operations:
        *steps, last = [
            part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:]
        ]
        target = document
        for step in steps:
            target = target[int(step)] if isinstance(target, list) else target[step]
        if isinstance(target, list):
            index = int(last)
            match op["op"]:
                case "add":
                    assert 0 <= index <= len(target)
                    target.insert(index, op["value"])
                case "replace":
                    assert 0 <= index < len(target)
                    target[index] = op["value"]
                case "remove":
                    assert 0 <= index < len(target)
                    del target[index]
        elif op["op"] == "remove":
            del target[last]
        else:
            assert op["op"] == "add" or last in target
            target[last] = op["value"]
    return document


@given(VIEWS, VIEWS)
@settings(max_examples=300)
def test_a_patch_leads_from_one_view_to_the_next(one: Json, other: Json) -> None:  # [PARTY1]
    before = told(party.update(party.encode_view(one)))["snapshot"]
    ops = diff(one, other)
    message = told(party.patch(ops, other))
    if message["type"] == "party.snapshot.update":
        after = message["snapshot"]
    else:
        assert message["type"] == "party.snapshot.patch"
        after = patched(before, message["operations"])
    assert after == {"value": {}, "context": {}, "tags": [], "children": {}, **other}


def test_tags_are_told_whole() -> None:  # [PARTY1]
    one = {"status": "active", "tags": ["a", "b", "c"], "context": {"n": 1}}
    other = {**one, "tags": ["a", "c"], "context": {"n": 2}}
    assert told(party.patch(diff(one, other), other))["operations"] == [
        {"op": "add", "path": "/context/n", "value": 2},
        {"op": "add", "path": "/tags", "value": ["a", "c"]},
    ]


def test_an_item_of_an_array_is_replaced_in_place() -> None:  # [PARTY1]
    items = [{"id": 1, "n": 1, "m": 0}, {"id": 2, "n": 1, "m": 0}]
    one: Json = {"context": {"list": items, "few": [1, 2]}}
    other: Json = {"context": {"list": [items[0], {"id": 2, "n": 2, "m": 0}, 7], "few": [1, 3]}}
    operations = told(party.patch(diff(one, other), other))["operations"]
    assert {"op": "replace", "path": "/context/few/1", "value": 3} in operations
    assert patched(one, operations) == other


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ({"type": "increment", "by": 2}, {"type": "increment", "by": 2}),
        ({"type": "party.snapshot.get"}, {"type": "room.get"}),
        (
            {"type": "party.sendTo", "actorId": "p", "event": {"type": "e"}},
            {"type": "party.sendTo", "child": "p", "event": {"type": "e"}},
        ),
    ],
)
def test_what_a_client_says(said: Json, means: Json) -> None:  # [PARTY2]
    assert party.read(json.dumps(said)) == means
    assert party.read(json.dumps(said).encode()) == means


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"no":"type"}',
        '{"type":"party.unknown"}',
        '{"type":"xstate.init"}',
        '{"type":"room.joined"}',
        '{"type":"room.send","seq":1,"event":{"type":"e"}}',
        '{"type":"e","sender":"me"}',
        '{"type":"e","__proto__":1}',
        '{"type":"party.sendTo","event":{"type":"e"}}',
        '{"type":"party.sendTo","actorId":"p"}',
        '{"type":"party.sendTo","actorId":"p","event":{}}',
        '{"type":"party.sendTo","actorId":"p","event":{"type":"xstate.stop"}}',
    ],
)
def test_what_is_refused(said: str) -> None:  # [PARTY2]
    with pytest.raises(BadMessage):
        party.read(said)
