"""Rooms that are looked up: what the list shows, to whom, and what it costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from rooms import own, policy, role, shown
from rooms.host import listing
from rooms.host.listing import fits
from rooms.store.port import SessionId
from runtime import assign, create_machine
from tests.rooms.host.machines import Counter, Full
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.sync.views import Viewer

GAME = create_machine(
    {
        "context": {"public": {"language": "de", "round": {"no": 0}}, "deck": ["secret"]},
        "initial": "lobby",
        "states": {
            "lobby": {"tags": ["open", "waiting"], "on": {"start": "game"}},
            "game": {"initial": "round", "states": {"round": {}}, "on": {"end": "over"}},
            "over": {"type": "final"},
        },
        "on": {
            "next": {
                "actions": assign(
                    lambda a, p: {"public": {**a.context["public"], "round": {"no": a.event["no"]}}}
                )
            },
            "draw": {"actions": assign({"deck": []})},
        },
    }
)


class Game(Counter):
    machine = GAME
    listed = True


async def stage(kind: Any = Game) -> Stage:
    return await Stage(game=kind, counter=Counter).start()


async def look(on: Stage, **params: str) -> tuple[int, Any]:
    answer = await on.request("GET", "game/", params=params)
    return answer.status, json.loads(answer.body) if answer.body else None


async def names(on: Stage, **params: str) -> list[str]:
    status, said = await look(on, **params)
    assert status == 200
    assert said["next"] is None
    return [room["session"] for room in said["rooms"]]


async def test_rooms_show_what_the_default_view_does_and_none_wakes() -> None:  # [LIST1] [LIST3]
    on = await stage()
    await on.request("POST", "game/a", {"type": "draw"})
    made = on.now()
    await on.advance(10_000)
    assert await look(on) == (
        200,
        {
            "rooms": [
                {
                    "session": "a",
                    "value": "lobby",
                    "tags": ["open", "waiting"],
                    "status": "active",
                    "public": {"language": "de", "round": {"no": 0}},
                    "changed": made,
                }
            ],
            "next": None,
        },
    )
    assert not on.host.live()


async def test_a_kind_that_is_not_listed_has_no_list() -> None:  # [LIST1]
    on = await stage()
    for room in ("counter/", "nosuch/"):
        assert (await on.request("GET", room)).status == 404


async def test_a_kind_that_asks_who_you_are_asks_here_too() -> None:  # [LIST1]
    class Club(Game):
        @classmethod
        async def authenticate(cls, door: Any) -> Viewer | None:
            return door.viewer if door.viewer.id == "ann" else None

    on = await stage(Club)
    assert (await on.request("GET", "game/", who="ann")).status == 200
    assert (await on.request("GET", "game/", who="bob")).status == 401


async def test_the_list_changes_with_the_commit_that_changes_it() -> None:  # [LIST4]
    on = await stage()
    await on.request("POST", "game/a", {"type": "draw"})
    before = await on.request("GET", "game/")
    known = {"if-none-match": before.headers["etag"]}
    assert (await on.request("GET", "game/", headers=known)).status == 304
    await on.advance(1)
    await on.request("POST", "game/a", {"type": "draw"})  # nothing that it shows
    assert (await on.request("GET", "game/", headers=known)).status == 304
    with on.store.holding():
        on.ask("POST", "game/a", {"type": "start"})
        await on.settle()
        assert (await on.request("GET", "game/", headers=known)).status == 304
    await on.settle()
    _, said = await look(on)
    assert said["rooms"][0]["value"] == {"game": "round"}
    assert said["rooms"][0]["changed"] == on.now()
    assert "tags" not in said["rooms"][0]


async def test_only_what_changed_is_written() -> None:  # [LIST4]
    on = await stage()
    await on.request("POST", "game/a", {"type": "draw"})
    await on.request("POST", "game/a", {"type": "draw"})
    await on.advance(10_000)
    await on.request("POST", "game/a", {"type": "draw"})
    assert [bool(commit.listing) for commit in on.store.commits] == [True, False, False]


async def test_rooms_are_found_by_state_tags_and_public_fields() -> None:  # [LIST2]
    on = await stage()
    for name, event in [
        ("a", {"type": "draw"}),
        ("b", {"type": "next", "no": 2}),
        ("c", {"type": "start"}),
        ("d", {"type": "start"}),
        ("d", {"type": "end"}),
    ]:
        await on.request("POST", f"game/{name}", event)
    assert await names(on) == ["a", "b", "c", "d"]
    assert await names(on, state="lobby") == ["a", "b"]
    assert await names(on, state="game") == await names(on, state="game.round") == ["c"]
    assert await names(on, tag="open") == await names(on, tag="open,waiting") == ["a", "b"]
    assert await names(on, tag="open,closed") == []
    assert await names(on, **{"where.language": "de"}) == ["a", "b", "c", "d"]
    assert await names(on, **{"where.language": "d"}) == []
    assert await names(on, **{"where.round.no": "2", "state": "lobby"}) == ["b"]
    assert await names(on, **{"where.nothing": "null", "state": "lobby"}) == []
    assert await names(on, **{"where.deck": "[]"}) == []


@pytest.mark.parametrize(
    ("field", "wanted", "same"),
    [(True, "true", True), (1, "1", True), (1.0, "1", False), ("1", "1", True), ([1], "[1]", True)],
)
def test_fields_are_compared_as_json(field: Any, wanted: str, same: bool) -> None:  # [LIST2]
    assert fits({"public": {"x": field}}, {"where.x": wanted}) is same


async def test_pages_are_bounded_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:  # [LIST2]
    monkeypatch.setattr(listing, "PAGE", 3)
    monkeypatch.setattr(listing, "LOOKED_AT", 6)
    on = await stage()
    for number in range(8):
        await on.request("POST", f"game/{number}", {"type": "next", "no": number})
    _, said = await look(on, limit="2", after="1")
    assert ([room["session"] for room in said["rooms"]], said["next"]) == (["2", "3"], "3")
    on.store.calls.clear()
    _, said = await look(on, **{"where.round.no": "7"})
    assert (said["rooms"], said["next"]) == ([], "5")
    assert on.store.calls["find"] == 2
    _, said = await look(on, **{"where.round.no": "7"}, after="5")
    assert ([room["session"] for room in said["rooms"]], said["next"]) == (["7"], None)
    for limit in ("0", "4", "x", ""):
        assert (await look(on, limit=limit))[0] == 400


async def test_a_room_says_itself_what_is_listed_and_whether() -> None:  # [LIST3]
    class Private(Game):
        def listing(self, snapshot: Any) -> Any:
            if snapshot.context["public"]["round"]["no"]:
                return None
            return {"public": {"name": self.id.upper()}, "tags": ["mine"]}

    on = await stage(Private)
    await on.request("POST", "game/a", {"type": "draw"})
    _, said = await look(on, tag="mine", **{"where.name": "A"})
    assert said["rooms"][0]["public"] == {"name": "A"}
    await on.request("POST", "game/a", {"type": "next", "no": 1})
    assert await names(on) == []
    await on.request("POST", "game/a", {"type": "next", "no": 0})
    assert await names(on) == ["a"]


async def test_a_policy_hides_from_the_list_what_it_hides_from_anybody() -> None:  # [LIST3] [VIEW4]
    class Closed(Game):
        view = policy(
            {
                "value": role("dealer"),
                "tags": shown,
                "context.public.language": shown,
                "context.public.round.*": own,
            }
        )

    on = await stage(Closed)
    await on.request("POST", "game/a", {"type": "draw"})
    _, said = await look(on)
    (room,) = said["rooms"]
    assert room["public"] == {"language": "de"}
    assert room["tags"] == ["open", "waiting"]
    assert not {"value", "status"} & room.keys()


async def test_a_listing_that_fails_leaves_the_room_and_the_list_as_they_were() -> None:  # [LIST3]
    class Odd(Game):
        def listing(self, snapshot: Any) -> Any:
            if snapshot.matches("game"):
                raise ValueError("odd")
            return {"public": {1} if not snapshot.context["deck"] else 1}

    on = await stage(Odd)
    await on.request("POST", "game/a", {"type": "next", "no": 1})
    for event in ("draw", "start"):
        answer = await on.request("POST", "game/a", {"type": event})
        assert answer.status == 200
    _, said = await look(on)
    assert said["rooms"][0]["public"] == 1


async def test_seats_are_counted_where_they_are_kept() -> None:  # [LIST3]
    class Table(Full):
        listed = True
        max_viewers = 2

    on = await Stage(game=Table).start()
    ann = await on.connect("ann", "game/a")
    await ann.send("ping")
    bob = await on.connect("bob", "game/a")
    _, said = await look(on)
    assert (said["rooms"][0]["viewers"], said["rooms"][0]["max_viewers"]) == (2, 2)
    await bob.leave()
    await on.advance(20_000)
    _, said = await look(on)
    assert said["rooms"][0]["viewers"] == 1


async def test_a_deleted_room_is_not_listed() -> None:  # [LIST4]
    on = await stage()
    await on.request("POST", "game/a", {"type": "draw"})
    await on.operated("DELETE", "game/a")
    assert await names(on) == []


async def test_a_store_that_fails_is_said_so() -> None:
    on = await stage()
    on.store.break_next("find")
    assert (await look(on))[0] == 503


async def test_what_is_listed_comes_with_an_import() -> None:  # [ADMIN6]
    on = await stage()
    await on.request("POST", "game/a", {"type": "draw"})
    _, export = await on.operated("GET", "game/a", "/export")
    await on.operated("PUT", "game/a", body=export, params={"replace": "1"})
    assert await names(on) == ["a"]
    [found] = await on.inner.find("game")
    assert found.id == SessionId("game", "a")
    assert orjson.loads(found.listing)["value"] == "lobby"
