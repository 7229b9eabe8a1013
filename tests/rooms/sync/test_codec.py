"""The codec says everything that is JSON, and parses nothing that is out of bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.errors import CloseCode, Closing
from rooms.sync.codec import Codec, decode, embed, encode, encode_sorted

if TYPE_CHECKING:
    from collections.abc import Callable

CODECS: tuple[Codec, ...] = ("json", "msgpack")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text()
)
JSON = st.recursive(
    LEAVES.filter(lambda leaf: leaf not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@dataclass
class Ref:
    """What an actor's reference looks like from outside; a dataclass, so that nothing of it leaks
    by the encoder's own knowledge of dataclasses.
    """

    id: str
    session_id: str
    secret: str = "hidden"


@pytest.mark.parametrize("codec", CODECS)
@given(value=JSON)
def test_both_codecs_carry_all_json(codec: Codec, value: Any) -> None:  # [OPEN1]
    data = encode({"type": "room.emitted", "event": value}, codec)
    assert decode(data, codec, max_claim=2**31) == {"type": "room.emitted", "event": value}


@pytest.mark.parametrize("codec", CODECS)
def test_an_actors_reference_is_shown_by_its_id_alone(codec: Codec) -> None:
    data = encode({"context": {"players": [Ref("player-3", "x:1")]}}, codec)
    assert decode(data, codec) == {"context": {"players": [{"id": "player-3"}]}}


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("value", [{1, 2}, object(), 2**70, "\ud800"], ids=repr)
def test_what_isnt_json_is_refused_by_its_sender(codec: Codec, value: Any) -> None:
    with pytest.raises(TypeError):
        encode({"a": value}, codec)


@pytest.mark.parametrize("codec", CODECS)
@given(value=JSON, now=st.integers(0, 2**53))
def test_embedding_is_encoding(codec: Codec, value: Any, now: int) -> None:
    whole = {"type": "room.view", "now": now, "view": value}
    parts = embed({"type": "room.view", "now": now}, "view", encode(value, codec), codec)
    assert parts == encode(whole, codec)


def test_sorted_bytes_are_equal_for_equal_data() -> None:
    one = {"b": 1, "a": {"y": [Ref("p", "s")], "x": 2}}
    other = {"a": {"x": 2, "y": [Ref("p", "t")]}, "b": 1}
    assert encode_sorted(one) == encode_sorted(other)
    assert encode_sorted(one) != encode_sorted({**one, "b": 2})


def nested(depth: int, wrap: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


REFUSED: dict[str, tuple[str | bytes, Codec]] = {
    "nothing": ("", "json"),
    "half of it": ('{"type":', "json"),
    "two of them": ("{}{}", "json"),
    "NaN": ('{"type":"a","x":NaN}', "json"),
    "infinity by exponent": ('{"x":1e400}', "json"),
    "half a surrogate pair": ('"\\ud800"', "json"),
    "broken UTF-8": (b'{"type":"\xff"}', "json"),
    "2,000 arrays": ("[" * 2000 + "]" * 2000, "json"),
    "2,000 objects": ('{"a":' * 2000 + "1" + "}" * 2000, "json"),
    "2,000 open arrays": ("[" * 2000, "json"),
    "no msgpack": (b"", "msgpack"),
    "text as msgpack": ("{}", "msgpack"),
    "half of msgpack": (msgpack.packb({"type": "a"})[:-1], "msgpack"),
    "two of msgpack": (msgpack.packb(1) * 2, "msgpack"),
    "a byte that means nothing": (b"\xc1", "msgpack"),
    "keys that are numbers": (msgpack.packb({1: 2}), "msgpack"),
    "bytes": (msgpack.packb({"type": b"abc"}), "msgpack"),
    "a time": (msgpack.packb({"type": msgpack.Timestamp(1)}), "msgpack"),
    "an extension": (msgpack.packb({"type": msgpack.ExtType(5, b"abc")}), "msgpack"),
    "an empty extension": (b"\xc7\x00\x05", "msgpack"),
    "broken UTF-8 in msgpack": (b"\xa1\xff", "msgpack"),
    "2,000 msgpack arrays": (b"\x91" * 2000 + b"\x01", "msgpack"),
    "a huge promise": (b"\xdd\xff\xff\xff\xff", "msgpack"),
    "many promises": (b"\xdc\xff\xff" * 1000, "msgpack"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cant_be_parsed_closes(name: str) -> None:  # [DOOR1] [DOOR6]
    data, codec = REFUSED[name]
    with pytest.raises(Closing) as refused:
        decode(data, codec)
    assert refused.value.code is CloseCode.BAD_MESSAGE
    assert refused.value.retry_after is None


def test_a_promise_is_bounded_before_it_is_believed() -> None:
    within = msgpack.packb(list(range(4096)))
    assert len(decode(within, "msgpack")) == 4096
    beyond = msgpack.packb(list(range(4097)))
    with pytest.raises(Closing):
        decode(beyond, "msgpack")
    assert len(decode(beyond, "msgpack", max_claim=10_000)) == 4097


def test_deep_data_within_the_parsers_bounds_is_for_the_door_to_refuse() -> None:  # [DOOR6]
    deep = nested(500, lambda inner: [inner])
    assert decode(orjson.dumps(nested(200, lambda inner: {"a": inner})), "json")
    assert decode(msgpack.packb(deep), "msgpack") == deep
    assert decode("[" * 500 + "1" + "]" * 500, "json") == deep


def test_a_dialect_has_no_words_for_the_wires_messages() -> None:  # [PARTY1] [PARTY3]
    assert encode({"type": "room.outcome"}, "party") == encode({"type": "room.you"}, "raw") == b""
