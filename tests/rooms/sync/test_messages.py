"""The door reads what is well-formed, says what isn't, and lets nothing dangerous by."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import BadMessage, CloseCode, Closing
from rooms.sync import messages
from rooms.sync.messages import MAX_DEPTH, MAX_KEYS, MAX_SAFE_INTEGER, read


def nested(depth: int) -> Any:
    """Data that many levels deep."""
    value: Any = {}
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "data", [None, 1, "a", [], True, {}, {"type": 1}, {"type": None}], ids=repr
)
def test_what_is_no_message_closes(data: Any) -> None:  # [DOOR1]
    with pytest.raises(Closing) as refused:
        read(data)
    assert refused.value.code is CloseCode.BAD_MESSAGE


@pytest.mark.parametrize(
    "message",
    [
        {"type": "increment"},
        {"type": "a", "x": [1, 1.5, None, True, "é", {"y": {}}]},
        {"type": ""},
        {"type": "room"},
        {"type": "roomy.thing"},
        {"type": "a", "x": MAX_SAFE_INTEGER, "y": -MAX_SAFE_INTEGER},
        {"type": "a", "x": nested(MAX_DEPTH - 1)},
        {"type": "a", "x": [0] * (MAX_KEYS - 2)},
        {"type": "room.send", "seq": 1, "event": {"type": "a"}},
        {"type": "room.send", "seq": 7, "acked": 0, "event": {"type": "a", "seq": "mine"}},
        {"type": "room.send_to", "seq": 7, "child": "p", "event": {"type": "a"}},
        {"type": "room.presence", "data": {"x": 1}},
        {"type": "room.presence", "data": None},
        {"type": "room.get"},
        {"type": "room.token", "token": "t"},
        {"type": "room.ping", "t": 12},
        {"type": "room.ping", "t": 12.5},
        {"type": "room.ping", "t": None},
    ],
    ids=lambda message: str(message)[:60],
)
def test_what_is_well_formed_is_read_as_it_is(message: dict[str, Any]) -> None:
    assert read(message) == message


def test_of_our_own_messages_only_what_is_known_is_kept() -> None:
    assert read({"type": "room.get", "more": 1}) == {"type": "room.get"}
    sent = {"type": "room.send", "seq": 1, "event": {"type": "a"}}
    assert read({**sent, "child": "p", "sender": "bob", "acked": None}) == sent


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "room.unheard_of"}, "unknown_type"),
    ({"type": "room.you"}, "unknown_type"),
    ({"type": "room."}, "unknown_type"),
    ({"type": "room.joined"}, "reserved"),
    ({"type": "room.effect.done", "key": "k"}, "reserved"),
    ({"type": "room.left", "viewer": {}}, "reserved"),
    ({"type": "xstate.init"}, "reserved"),
    ({"type": "*"}, "reserved"),
    ({"type": "xstate.after.1000.a"}, "reserved"),
    ({"type": "party.snapshot.get"}, "reserved"),
    ({"type": "a", "sender": "bob"}, "sender"),
    ({"type": "a", "sender": None}, "sender"),
    ({"type": "a", "x": nested(MAX_DEPTH)}, "too_deep"),
    ({"type": "a", "x": [0] * MAX_KEYS}, "too_many_keys"),
    ({"type": "a", **{f"k{i}": 0 for i in range(MAX_KEYS)}}, "too_many_keys"),
    ({"type": "a", "x": [[0] * 600, [0] * 600]}, "too_many_keys"),
    ({"type": "a", "x": {"__proto__": 1}}, "forbidden_key"),
    ({"type": "a", "constructor": 1}, "forbidden_key"),
    ({"type": "a", "x": [{"prototype": 1}]}, "forbidden_key"),
    ({"type": "a", "x": math.nan}, "bad_number"),
    ({"type": "a", "x": [math.inf]}, "bad_number"),
    ({"type": "a", "x": MAX_SAFE_INTEGER + 1}, "bad_number"),
    ({"type": "a", "x": b"bytes"}, "bad_value"),
    ({"type": "a", "x": msgpack.Timestamp(1)}, "bad_value"),
    ({"type": "a", b"x": 1}, "bad_key"),  # type: ignore[dict-item]
    ({"type": "room.send", "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": 0, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": -1, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": True, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": 1.0, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": "1", "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": 2**60, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": 1, "acked": -1, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send", "seq": 1, "acked": "1", "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send_to", "seq": 1, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send_to", "seq": 1, "child": "", "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.send_to", "seq": 1, "child": 5, "event": {"type": "a"}}, "bad_message"),
    ({"type": "room.presence", "data": {"__proto__": 1}}, "forbidden_key"),
    ({"type": "room.token"}, "bad_message"),
    ({"type": "room.token", "token": 5}, "bad_message"),
    ({"type": "room.ping", "t": "now"}, "bad_message"),
    ({"type": "room.ping", "t": [1]}, "bad_message"),
    ({"type": "room.ping", "t": math.nan}, "bad_message"),
    ({"type": "room.ping", "t": 2**60}, "bad_message"),
]


@pytest.mark.parametrize(("message", "code"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_is_refused_is_said_by_a_word(message: dict[str, Any], code: str) -> None:
    with pytest.raises(BadMessage) as refused:  # [DOOR3] [DOOR4] [DOOR5] [DOOR6]
        read(message)
    assert refused.value.code == code
    assert refused.value.reason
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (None, "bad_event"),
        ([], "bad_event"),
        ({}, "bad_event"),
        ({"type": 5}, "bad_event"),
        ({"type": "xstate.init"}, "reserved"),
        ({"type": "room.get"}, "reserved"),
        ({"type": "a", "sender": "bob"}, "sender"),
        ({"type": "a", "x": {"__proto__": 1}}, "forbidden_key"),
        ({"type": "a", "x": nested(MAX_DEPTH)}, "too_deep"),
        ({"type": "a", "x": math.nan}, "bad_number"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_numbered_message_keeps_its_number_when_its_event_is_refused(
    event: Any, code: str
) -> None:  # [DOOR9]
    message = read({"type": "room.send", "seq": 7, "acked": 3, "event": event})
    refused = message.pop("refused")
    assert refused["code"] == code
    assert message == {"type": "room.send", "seq": 7, "acked": 3}


def test_data_may_be_as_deep_as_it_likes_without_costing_us_our_stack() -> None:
    with pytest.raises(BadMessage):
        read({"type": "a", "x": nested(100_000)})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["type", "seq"]), inner)
    ),
    max_leaves=20,
)
TYPES = st.sampled_from(["room.send", "room.send_to", "room.presence", "room.token", "room.ping"])


@given(data=ANYTHING, kind=TYPES | st.text(), event=ANYTHING)
def test_nothing_else_comes_of_anything(data: Any, kind: str, event: Any) -> None:
    if isinstance(data, dict):
        data = {**data, "type": kind, "event": event}
    try:
        message = read(data)
    except (BadMessage, Closing):
        return
    assert isinstance(message["type"], str)


def test_what_the_server_says_leaves_out_what_there_isnt() -> None:
    assert messages.outcome(1, "ignored", None) == {
        "type": "room.outcome",
        "seq": 1,
        "outcome": "ignored",
    }
    assert messages.outcome(1, "rejected", "n.1", "no", 0) == {
        "type": "room.outcome",
        "seq": 1,
        "outcome": "rejected",
        "cursor": "n.1",
        "reason": "no",
        "result": 0,
    }
    assert "seq" not in messages.error("code", "reason")
    assert messages.error("code", "reason", 5)["seq"] == 5
