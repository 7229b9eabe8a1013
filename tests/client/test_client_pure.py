"""The parts of the façade that know neither time, chance nor the network."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.address import located, with_query
from client.backoff import delay
from client.clock import Clock
from client.outbox import WAITING, WINDOW, Outbox
from client.replica import Replica, share
from client.value import matches
from rooms.errors import PatchError

ROOT = Path(__file__).parents[2]


def vectors(name: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((ROOT / f"tests/vectors/{name}.json").read_text())
    return loaded


@pytest.mark.parametrize(
    "name", ["address", "backoff", "clock", "outbox", "replica", "shown", "value"]
)
def test_pure_files_know_neither_time_chance_nor_the_network(name: str) -> None:
    tree = ast.parse((ROOT / f"client/{name}.py").read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & {"asyncio", "time", "random", "secrets", "socket", "websockets", "os"}


@pytest.mark.parametrize("vector", vectors("backoff"), ids=lambda vector: str(vector["name"]))
def test_backoff(vector: dict[str, Any]) -> None:  # [CLOSE1]
    assert delay(vector["attempt"], vector["roll"], vector["after"]) == vector["delay"]


@pytest.mark.parametrize("vector", vectors("clock"), ids=lambda vector: str(vector["name"]))
def test_clock(vector: dict[str, Any]) -> None:
    clock = Clock()
    for sample in vector["samples"]:
        clock.sample(**sample)
    assert clock.offset == vector["offset"]


@pytest.mark.parametrize("vector", vectors("matches"), ids=json.dumps)
def test_matches(vector: dict[str, Any]) -> None:
    assert matches(vector["value"], vector["wanted"]) is vector["matches"]


def test_nothing_matches_before_there_is_a_value() -> None:
    assert not matches(None, "a")
    assert not matches(None, {})


# ------------------------------------------------------------------ replica


def held(view: Any) -> Replica:
    replica = Replica()
    replica.replace("n.1", view)
    return replica


def test_a_patch_shares_all_that_it_doesnt_change() -> None:  # [PATCH3]
    replica = held({"context": {"a": {"x": 1}, "b": {"y": [1, {"z": 1}]}}})
    before: Any = replica.view
    replica.patch("n.1", "n.2", [[["context", "b", "y", 0], 2]])
    after: Any = replica.view
    assert after == {"context": {"a": {"x": 1}, "b": {"y": [2, {"z": 1}]}}}
    assert after["context"]["a"] is before["context"]["a"]
    assert after["context"]["b"]["y"][1] is before["context"]["b"]["y"][1]
    assert before["context"]["b"]["y"][0] == 1


def test_operations_that_change_nothing_give_the_same_view() -> None:
    replica = held({"context": {"a": [1, {"b": 2}]}})
    before = replica.view
    replica.patch("n.1", "n.2", [[["context", "a", 0], 1], [["context", "a"], [1, {"b": 2}]]])
    assert replica.view is before
    assert replica.cursor == "n.2"


def test_a_whole_view_keeps_the_parts_that_are_equal() -> None:
    replica = held({"value": "a", "context": {"same": {"x": [1]}, "other": 1, "list": [{"n": 1}]}})
    before: Any = replica.view
    list_after = [{"n": 1}, {"n": 2}]
    replica.replace(
        "m.1", {"value": "a", "context": {"same": {"x": [1]}, "other": 2, "list": list_after}}
    )
    after: Any = replica.view
    assert after["context"]["same"] is before["context"]["same"]
    assert after["context"]["list"][0] is before["context"]["list"][0]
    assert after["context"]["list"] == list_after
    replica.replace("m.2", copy.deepcopy(after))
    assert replica.view is after


LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([1.0, 0.0, "x"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=15,
)


@given(old=JSON, new=JSON)
def test_what_is_shared_is_equal_to_what_came(old: Any, new: Any) -> None:
    before = json.dumps(old)
    shared = share(old, new)
    assert json.dumps(shared, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert json.dumps(old) == before
    assert share(old, copy.deepcopy(old)) is old


@pytest.mark.parametrize(
    ("base", "ops"), [("n.0", []), ("n.1", [[["nothing"]]]), ("n.1", None), ("n.1", [[[], 5]])]
)
def test_a_refused_patch_leaves_view_and_cursor(base: str, ops: Any) -> None:  # [PATCH2]
    replica = held({"value": "a"})
    with pytest.raises(PatchError):
        replica.patch(base, "n.2", ops)
    assert (replica.view, replica.cursor) == ({"value": "a"}, "n.1")


def test_nothing_is_patched_or_confirmed_before_it_is_held() -> None:
    replica = Replica()
    with pytest.raises(PatchError):
        replica.patch("n.1", "n.2", [[[], {}]])
    with pytest.raises(PatchError):
        replica.confirm("n.1")
    assert (replica.view, replica.cursor) == (None, None)


# ------------------------------------------------------------------ outbox


def sent(outbox: Outbox[str]) -> list[int]:
    return [seq for seq, _ in outbox.take()]


def filled(count: int) -> Outbox[str]:
    outbox: Outbox[str] = Outbox()
    for number in range(1, count + 1):
        assert outbox.add(f"event {number}")
    return outbox


def test_64_may_be_unanswered_and_the_others_wait_their_turn() -> None:  # [SEND6]
    outbox = filled(100)
    assert sent(outbox) == list(range(1, WINDOW + 1))
    assert sent(outbox) == []
    assert outbox.settle(2) == "event 2"
    assert sent(outbox) == []  # numbers run no further ahead of the oldest unanswered one
    assert outbox.settle(1) == "event 1"
    assert sent(outbox) == [65, 66]


def test_a_thousand_may_wait() -> None:
    outbox = filled(WAITING)
    assert not outbox.add("one more")
    assert len(sent(outbox)) == WINDOW
    assert outbox.add("now there is room")


def test_acked_has_no_holes() -> None:
    outbox = filled(4)
    assert outbox.acked == 0
    outbox.take()
    for seq, acked in [(2, 0), (4, 0), (1, 2), (3, 4)]:
        outbox.settle(seq)
        assert outbox.acked == acked
    assert outbox.settle(3) is None


def test_what_is_unanswered_keeps_its_number_and_may_be_sent_again() -> None:
    outbox = filled(4)
    outbox.take()
    outbox.settle(2)
    assert outbox.again() == [(1, "event 1"), (3, "event 3"), (4, "event 4")]
    assert outbox.again(3) == [(3, "event 3"), (4, "event 4")]
    outbox.add("event 5")
    assert outbox.take() == [(5, "event 5")]


def test_as_somebody_else_nothing_that_was_sent_is_sent_again() -> None:
    outbox = filled(2)
    outbox.take()
    outbox.add("later")
    assert outbox.disown(9) == ["event 1", "event 2"]
    assert outbox.again() == []
    assert outbox.take() == [(10, "later")]
    assert outbox.acked == 9


def test_clearing_gives_all_back() -> None:
    outbox = filled(WINDOW + 2)
    outbox.take()
    assert len(outbox.clear()) == WINDOW + 2
    assert outbox.again() == outbox.take() == []


# ------------------------------------------------------------------ address


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ("http://a.b:1999/rooms/c/d", "ws://a.b:1999/rooms/c/d"),
        ("https://a.b/rooms/c/d#x", "wss://a.b/rooms/c/d"),
        ("ws://a.b/rooms/c/d?x=1", "ws://a.b/rooms/c/d?x=1"),
        ("wss://a.b/rooms/c/d", "wss://a.b/rooms/c/d"),
    ],
)
def test_https_is_wss_and_http_is_ws(given: str, where: str) -> None:
    assert located(given, {}) == where


@pytest.mark.parametrize("given", ["/rooms/c/d", "a.b/rooms", "ftp://a.b/c", "http:///rooms", ""])
def test_what_is_no_address_is_refused_at_once(given: str) -> None:
    with pytest.raises(ValueError, match="begins with http"):
        located(given, {})


def test_the_query_says_what_is_said_and_nothing_of_what_isnt() -> None:
    url = located("http://a.b/c?x=1&y=", {"watch": True, "n": 1, "none": None, "t": "a&b=ä"})
    assert url == "ws://a.b/c?x=1&y=&watch=true&n=1&t=a%26b%3D%C3%A4"
    assert with_query(url, {"x": "2"}).startswith("ws://a.b/c?x=2&y=&")
    for ours in ("client", "since", "cursor", "token", "create"):
        with pytest.raises(ValueError, match="the façade's own"):
            located("http://a.b/c", {ours: "x"})
