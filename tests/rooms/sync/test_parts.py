"""Parts that are made of the same are the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from rooms import Viewer, map_values, omit, pick, show
from rooms.sync import parts
from rooms.sync.diff import diff

if TYPE_CHECKING:
    import pytest

PLAYER = {"name": "Ann", "score": 1, "hand": [1, 2]}


def open_part(player: Any) -> Any:
    return pick(player, "name", "score")


def test_picked_and_omitted() -> None:
    assert pick(PLAYER, "score", "name", "nothing") == {"score": 1, "name": "Ann"}
    assert omit(PLAYER, "hand", "nothing") == {"name": "Ann", "score": 1}
    assert map_values({"ann": PLAYER, "n": 3}, lambda value: [value]) == {"ann": [PLAYER], "n": [3]}


def test_the_same_of_the_same_is_the_same_object() -> None:
    assert pick(PLAYER, "name") is pick(PLAYER, "name")
    assert pick(PLAYER, "name") is not pick(dict(PLAYER), "name")
    assert omit(PLAYER, "name") is omit(PLAYER, "name")
    assert omit(PLAYER, "name") != pick(PLAYER, "name")
    players = {"ann": PLAYER}
    assert map_values(players, open_part) is map_values(players, open_part)
    assert map_values(players, open_part) != map_values(players, len)


def test_one_change_among_many_leaves_the_others() -> None:
    before = {f"p{n}": {"name": f"n{n}", "score": 0, "hand": []} for n in range(100)}
    after = {**before, "p7": {"name": "n7", "score": 1, "hand": []}}
    one, two = map_values(before, open_part), map_values(after, open_part)
    assert [key for key in one if one[key] is not two[key]] == ["p7"]
    assert diff(one, two) == [[["p7", "score"], 1]]


def test_numbers_and_words_are_not_known_by_where_they_lie() -> None:
    assert map_values({"a": 1, "b": "x", "c": 1.0, "d": True}, repr) == {
        "a": "1",
        "b": "'x'",
        "c": "1.0",
        "d": "True",
    }


def test_what_is_gone_is_not_mistaken_for_what_lies_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sources that nobody else keeps: their ids would come again."""
    monkeypatch.setattr(parts, "REMEMBERED", 8)
    for n in range(5000):
        assert pick({"n": n, "m": 0}, "n") == {"n": n}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "REMEMBERED", 8)
    monkeypatch.setattr(parts, "recent", parts._Recent())
    kept = {"n": -1}
    first = pick(kept, "n")
    for n in range(100):
        pick({"n": n}, "n")
        assert pick(kept, "n") is first, "what is used stays"
        assert len(parts.recent._young) + len(parts.recent._old) <= 16


def test_in_a_view() -> None:
    seen = SimpleNamespace(
        value="on",
        status="active",
        tags=frozenset(),
        error=None,
        context={"players": {"ann": PLAYER}},
    )

    def view(snapshot: Any, viewer: Viewer) -> Any:
        return show(
            snapshot, context={"players": map_values(snapshot.context["players"], open_part)}
        )

    one, two = view(seen, Viewer("ann")), view(seen, Viewer("bob"))
    assert one["context"]["players"] is two["context"]["players"]
