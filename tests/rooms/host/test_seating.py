"""Seats as the machine hears of them, in turns that are stored; who is let in at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import CloseCode
from rooms.sync.views import Viewer
from runtime import assign, create_machine
from tests.rooms.host.machines import Counter, Full, Lobby
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room


async def stage(kind: type[Room] = Lobby) -> Stage:
    return await Stage(lobby=kind).start()


async def test_the_first_view_of_who_joins_shows_the_join() -> None:  # [SEAT1]
    on = await stage()
    ann = await on.connect("ann", "lobby/x")
    assert [m["type"] for m in ann.inbox] == ["room.you", "room.view"]
    assert ann.view["context"]["seats"] == {"ann": "here"}
    assert (await on.stored("lobby/x"))["context"]["seats"] == {"ann": "here"}


async def test_away_back_and_left_after_the_grace() -> None:  # [SEAT2]
    on = await stage()
    ann = await on.connect("ann", "lobby/x")
    ben = await on.connect("ben", "lobby/x")
    await ben.leave()
    assert ann.view["context"]["seats"]["ben"] == "away"
    ben = await on.connect("ben", "lobby/x")
    assert ann.view["context"]["seats"]["ben"] == "back"
    await ben.leave()
    await on.advance(14_999)
    assert ann.view["context"]["seats"]["ben"] == "away"
    await on.advance(1)
    assert ann.view["context"]["seats"]["ben"] == "left"


async def test_two_tabs_of_a_viewer_are_one_seat() -> None:  # [SEAT2]
    on = await stage()
    ann = await on.connect("ann", "lobby/x")
    one, two = await on.connect("ben", "lobby/x"), await on.connect("ben", "lobby/x")
    await one.leave()
    assert ann.view["context"]["seats"]["ben"] == "here"
    await two.leave()
    assert ann.view["context"]["seats"]["ben"] == "away"


async def test_other_machines_get_no_turn_and_no_commit_from_seats() -> None:  # [SEAT1]
    on = await stage(Counter)
    ann = await on.connect("ann", "lobby/x")
    await ann.send("increment")
    commits = len(on.store.commits)
    ben = await on.connect("ben", "lobby/x")
    await ben.leave()
    await on.advance(9_000)
    assert len(on.store.commits) == commits


async def test_a_leave_that_is_due_wakes_a_sleeping_room() -> None:  # [SEAT4]
    class Patient(Lobby):
        grace = 60_000

    on = await stage(Patient)
    ann, ben = await on.connect("ann", "lobby/x"), await on.connect("ben", "lobby/x")
    await ben.leave()
    await on.advance(59_999)
    assert not on.awake("lobby/x")
    await on.advance(1)
    assert on.awake("lobby/x")
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "left"}


async def test_over_a_sleep_nobody_leaves_who_stays() -> None:  # [SEAT3]
    on = await stage()
    ann = await on.connect("ann", "lobby/x")
    await on.advance(60_000)
    assert not on.awake("lobby/x")
    await ann.say("ping")
    await on.advance(9_000)
    assert ann.view["context"] == {"seats": {"ann": "here"}, "pinged": True}


async def test_who_closes_the_tab_of_a_sleeping_room_is_away_soon() -> None:  # [SEAT3]
    on = await stage()
    ann, ben = await on.connect("ann", "lobby/x"), await on.connect("ben", "lobby/x")
    await on.advance(60_000)
    await ben.leave()
    await on.advance(5_000)
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "away"}
    await on.advance(15_000)
    assert ann.view["context"]["seats"]["ben"] == "left"


async def test_after_a_crash_who_comes_back_in_time_was_never_away() -> None:  # [SEAT3]
    on = await stage()
    ann, ben = await on.connect("ann", "lobby/x"), await on.connect("ben", "lobby/x")
    await on.crash()
    ann = await on.connect("ann", "lobby/x", client=ann.client)
    await on.advance(1_000)
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "here"}
    await on.advance(4_000)
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "away"}
    await on.advance(10_000)
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "left"}
    assert ben.closing is not None


async def test_the_loss_of_a_router_makes_its_seats_away() -> None:
    on = await stage()
    ann = await on.connect("ann", "lobby/x")
    assert ann.view is not None
    on.link.close()
    await on.settle()
    on.add_router()
    ben = await on.connect("ben", "lobby/x")
    assert ben.view["context"]["seats"] == {"ann": "away", "ben": "here"}


async def test_a_star_doesnt_match_seat_events() -> None:  # [SEAT1]
    class Star(Lobby):
        machine = create_machine(
            {
                "context": {"seen": []},
                "initial": "one",
                "states": {"one": {"on": {"*": {"actions": assign(_seen)}}}},
                "on": {"room.joined": {"actions": assign({"joined": True})}},
            }
        )

    on = await stage(Star)
    ann = await on.connect("ann", "lobby/x")
    assert ann.view["context"] == {"seen": [], "joined": True}
    await ann.say("hello")
    assert ann.view["context"]["seen"] == ["hello"]


def _seen(args: Any, params: Any) -> dict[str, list[str]]:
    return {"seen": [*args.context["seen"], args.event["type"]]}


# ------------------------------------------------------------------ who is let in


async def refusal(on: Stage, who: str = "ann", **options: Any) -> int | None:
    tab = await on.connect(who, "lobby/x", **options)
    return None if tab.closing is None else int(tab.closing.code)


async def test_without_create_a_session_has_to_exist() -> None:  # [NAME4]
    on = await stage(Counter)
    assert await refusal(on, create=False) == CloseCode.NOT_FOUND
    ann = await on.connect("ann", "lobby/x")
    assert await refusal(on, "ben", create=False) == CloseCode.NOT_FOUND, "nothing was accepted"
    await ann.send("increment")
    assert await refusal(on, "ben", create=False) is None


async def test_nothing_is_stored_before_the_first_accepted_event() -> None:  # [NAME3]
    on = await stage(Counter)
    ann = await on.connect("ann", "lobby/x")
    await ann.say("nonsense")
    await on.request("POST", "lobby/x", {"type": "nonsense"})
    await on.advance(60_000)
    assert not on.awake("lobby/x")
    assert on.store.commits == []
    assert not await on.inner.scan()


async def test_the_author_says_who_may_make_a_room() -> None:
    class Kind(Lobby):
        def allow_create(self, viewer: Viewer) -> bool | str:
            return viewer.id == "ann" or "only Ann makes rooms"

    on = await stage(Kind)
    assert await refusal(on, "ben") == CloseCode.FORBIDDEN
    assert await refusal(on, "ann") is None
    assert await refusal(on, "ben") is None


async def test_the_author_says_who_may_join_and_who_is_in_stays_in() -> None:
    class Kind(Lobby):
        def allow_join(self, viewer: Viewer, snapshot: Any) -> bool | str:
            return not snapshot.context.get("pinged") or "it has begun"

    on = await stage(Kind)
    ann = await on.connect("ann", "lobby/x")
    await ann.say("ping")
    ben = await on.connect("ben", "lobby/x")
    assert ben.closing is not None
    assert ben.closing.reason == "it has begun"
    await on.advance(60_000)
    await ann.say("ping")
    assert ann.closing is None


async def test_a_full_room_takes_nobody_new() -> None:
    on = await stage(Full)
    assert await refusal(on, "ann") is None
    assert await refusal(on, "ann") is None
    assert await refusal(on, "ben") == CloseCode.FORBIDDEN
    on = await stage(Full)


async def test_the_authors_authenticate_decides_who_it_is() -> None:  # [ID4]
    class Kind(Lobby):
        @classmethod
        async def authenticate(cls, door: Any) -> Any:
            if door.token is None:
                return None
            return replace(door.viewer, id=door.token, role=door.params.get("as", "player"))

    on = await stage(Kind)
    assert await refusal(on) == CloseCode.UNAUTHENTICATED
    assert not on.awake("lobby/x")
    tab = await on.connect("nobody", "lobby/x", token="eve", params={"as": "host"})
    assert tab.inbox[0]["me"] == {"id": "eve", "role": "host", "connection": "2"}
    assert tab.view["context"]["seats"] == {"eve": "here"}


NOBODY: list[Any] = ["ann", Viewer(7), Viewer(""), Viewer("ann", None)]  # type: ignore[arg-type]


@pytest.mark.parametrize("given", NOBODY)
async def test_who_can_be_no_viewer_is_refused_and_disturbs_nobody(  # [ID4]
    given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Kind(Lobby):
        @classmethod
        async def authenticate(cls, door: Any) -> Any:
            return door.viewer if door.token is None else given

    on = await stage(Kind)
    ben = await on.connect("ben", "lobby/x")
    tab = await on.connect("ann", "lobby/x", token="a database's")
    assert tab.closing is not None
    assert tab.closing.code == CloseCode.UNAUTHENTICATED
    assert "UsageError" in caplog.text
    assert on.host.tally.drops == 0
    assert ben.closing is None


async def test_an_unknown_kind_is_refused() -> None:  # [NAME2]
    on = await stage()
    tab = await on.connect("ann", "nothing/x")
    assert tab.closing is not None
    assert tab.closing.code == CloseCode.NOT_FOUND


async def test_a_fresh_token_may_bring_another_role() -> None:
    class Kind(Counter):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return {"context": {"role": viewer.role}}

        def view_key(self, snapshot: Any, viewer: Viewer) -> Any:
            return viewer.role

    on = await stage(Kind)
    ann = await on.connect("ann", "lobby/x", role="player")
    assert ann.view["context"] == {"role": "player"}
    host = {"id": "ann", "role": "host", "claims": {}}
    await ann.renew("fresh", host)
    assert ann.view["context"] == {"role": "host"}
    await ann.renew("stolen", {**host, "id": "ben"})
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.UNAUTHENTICATED


async def test_a_fresh_token_is_judged_by_the_authors_rule_where_there_is_one() -> None:  # [ID4]
    class Kind(Counter):
        @classmethod
        async def authenticate(cls, door: Any) -> Any:
            return None if door.token == "bad" else replace(door.viewer, role=door.token)

        def allow_send(self, viewer: Viewer, event: Any, snapshot: Any) -> bool | str:
            return viewer.role == "host" or "only hosts"

    on = await stage(Kind)
    ann = await on.connect("ann", "lobby/x", token="player")
    await ann.send("increment")
    await ann.renew("host")
    await ann.send("increment")
    assert ann.outcomes() == [(1, "rejected"), (2, "accepted")]
    await ann.renew("bad")
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.UNAUTHENTICATED


class Table(Lobby):
    """One player; who only watches is a guest."""

    max_viewers = 1
    read_only = ("guest",)
    presence = True


async def test_who_only_watches_can_send_nothing() -> None:  # [SEAT5]
    on = await stage(Table)
    guest = await on.connect("gus", "lobby/x", role="guest")
    for child in (None, "child"):
        numbered: dict[str, Any] = {"type": "room.send", "seq": 1, "event": {"type": "ping"}}
        if child is not None:
            numbered |= {"type": "room.send_to", "seq": 2, "child": child}
        guest.put(numbered)
    await on.settle()
    assert guest.outcomes() == [(1, "rejected"), (2, "rejected")]
    assert "watches" in guest.outcome(1)["reason"]
    guest.took()
    await guest.say("ping")
    guest.put({"type": "room.presence", "data": {"x": 1}})
    await on.advance(17)
    errors = [m["code"] for m in guest.took() if m["type"] == "room.error"]
    assert errors == ["forbidden"] * 2
    ann = await on.connect("ann", "lobby/x")
    await on.advance(17)
    present = next(m for m in ann.inbox if m["type"] == "room.present")
    assert present["viewers"] == {"gus": {}, "ann": {}}


async def test_who_only_watches_takes_no_seat() -> None:  # [SEAT5]
    on = await stage(Table)
    guests = [await on.connect(f"g{n}", "lobby/x", role="guest") for n in range(3)]
    ann = await on.connect("ann", "lobby/x")
    late = await on.connect("late", "lobby/x", role="guest")
    ben = await on.connect("ben", "lobby/x")
    assert [each.closing for each in (*guests, ann, late)] == [None] * 5
    assert ben.closing is not None
    assert ben.closing.code == CloseCode.FORBIDDEN
    await late.leave()
    assert ann.view["context"]["seats"] == {"ann": "here"}


async def test_a_fresh_token_in_another_role_takes_or_leaves_the_seat() -> None:  # [SEAT5]
    on = await stage(Table)
    ann = await on.connect("ann", "lobby/x")
    ben = await on.connect("ben", "lobby/x", role="guest")

    async def become(tab: Any, who: str, role: str) -> None:
        await tab.renew("token", {"id": who, "role": role, "claims": {}})

    await become(ann, "ann", "guest")
    assert ann.view["context"]["seats"] == {"ann": "away"}
    await ann.say("ping")
    assert "pinged" not in ann.view["context"]
    await on.advance(15_000)
    await become(ben, "ben", "player")
    assert ben.view["context"]["seats"] == {"ann": "left", "ben": "here"}
    await become(ann, "ann", "player")
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.FORBIDDEN
    await ben.leave()
    record = await on.stored("lobby/x")
    assert record["context"]["seats"]["ben"] == "away"


async def test_where_a_viewer_has_one_connection_a_newer_one_takes_over() -> None:  # [SEAT6]
    class Alone(Lobby):
        several = "takeover"

    on = await stage(Alone)
    other = await on.connect("ben", "lobby/x")
    one, two = await on.connect("ann", "lobby/x"), await on.connect("ann", "lobby/x")
    assert (one.closing.code, other.closing, two.closing) == (CloseCode.TAKEN_OVER, None, None)  # type: ignore[union-attr]
    assert two.view["context"]["seats"] == {"ben": "here", "ann": "here"}
    assert two.outcome(await two.send("ping"))["outcome"] == "accepted"
    await two.leave()
    assert other.view["context"]["seats"]["ann"] == "away"
