"""Rooms that mustn't be made (`create=0`), and rooms that are full, whichever way one comes."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.errors import CloseCode
from tests.rooms.host.machines import Counter, Lobby
from tests.rooms.host.stage import Stage


class Pair(Lobby):
    max_viewers = 2


class Closed(Counter):
    """A machine that hears of no seats, and nobody may make one."""

    max_viewers = 1


async def stage(kind: Any = Counter) -> Stage:
    return await Stage(counter=kind).start()


# ------------------------------------------------------------------ create=0


async def test_nothing_is_made_where_it_must_not_be() -> None:  # [NAME4]
    on = await stage()
    ann = await on.connect(create=False)
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.NOT_FOUND
    assert (await on.request("GET", create=False)).status == 404
    assert (await on.request("POST", body={"type": "increment"}, create=False)).status == 404
    key = {"idempotency-key": "k"}
    once = await on.request("POST", body={"type": "increment"}, create=False, headers=key)
    assert once.status == 404
    await on.advance(10_000)
    assert await on.record() is None
    assert not on.awake()
    assert await on.inner.scan() == []


async def test_what_exists_is_entered_live_and_asleep() -> None:  # [NAME4]
    on = await stage()
    await on.request("POST", body={"type": "increment"})
    assert (await on.connect(create=False)).view["context"] == {"count": 1}
    assert (await on.request("GET", create=False)).status == 200
    await on.advance(20_000)
    assert (await on.request("POST", body={"type": "increment"}, create=False)).status == 200


async def test_a_room_that_only_somebody_looks_at_does_not_exist() -> None:  # [NAME3] [NAME4]
    on = await stage()
    ann = await on.connect("ann")
    assert ann.view["context"] == {"count": 0}
    bob = await on.connect("bob", create=False)
    assert bob.closing is not None
    await ann.send("nothing that it hears")
    cat = await on.connect("cat", create=False)
    assert cat.closing is not None
    await ann.send("increment")
    assert (await on.connect("dan", create=False)).closing is None


async def test_who_comes_at_the_moment_of_the_first_event_is_in_or_out_by_order() -> (
    None
):  # [NAME4]
    on = await stage()
    ann = await on.connect("ann")
    with on.store.holding():
        await ann.send("increment")  # taken, but not durable yet
        bob = await on.connect("bob", create=False)
        assert bob.inbox == []
        assert bob.closing is None
    await on.settle()
    assert bob.view["context"] == {"count": 1}


async def test_a_first_event_that_was_lost_lets_nobody_in() -> None:  # [NAME4] [TURN3]
    on = await stage()
    ann = await on.connect("ann")
    on.store.fail_next(written=False)
    with on.store.holding():
        await ann.say("increment")
        bob = await on.connect("bob", create=False)
    await on.advance(5_000)
    assert bob.view is None
    assert bob.closing is not None
    assert bob.closing.code == CloseCode.NOT_FOUND


# ------------------------------------------------------------------ max_viewers


async def test_of_two_who_come_at_once_for_the_last_seat_one_is_let_in() -> None:  # [SEAT7]
    on = await stage(Pair)
    ann = await on.connect("ann")
    await ann.send("ping")
    await on.advance(20_000)
    with on.store.holding("acquire"):
        bob = await on.connect("bob")
        cat = await on.connect("cat")
        assert bob.inbox == cat.inbox == []
    await on.settle()
    assert bob.view is not None
    assert cat.closing is not None
    assert cat.closing.code == CloseCode.FORBIDDEN
    assert (await on.stored())["context"]["seats"] == {"ann": "here", "bob": "here"}


async def test_two_first_viewers_at_the_limit_of_a_new_room() -> None:  # [SEAT7]
    on = await stage(Closed)
    with on.store.holding("acquire"):
        ann = await on.connect("ann")
        bob = await on.connect("bob")
    await on.settle()
    assert ann.view is not None
    assert bob.closing is not None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_plain_request_to_a_full_room_is_for_those_who_sit_there(method: str) -> None:
    # [SEAT7]
    on = await stage(Closed)
    ann = await on.connect("ann")
    await ann.send("increment")
    body = {"type": "increment"}
    assert (await on.request(method, body=body, who="ann")).status == 200
    assert (await on.request(method, body=body, who="bob")).status == 403
    await on.advance(20_000)
    assert not on.awake()
    assert (await on.request(method, body=body, who="bob")).status == 403


async def test_plain_requests_take_no_seat() -> None:  # [SEAT7]
    on = await stage(Closed)
    for who in ("ann", "bob", "cat"):
        assert (await on.request("POST", body={"type": "increment"}, who=who)).status == 200
    assert (await on.connect("dan")).closing is None


async def test_a_second_tab_of_who_sits_there_is_let_in() -> None:  # [SEAT7]
    on = await stage(Closed)
    tabs = [await on.connect("ann") for _ in range(3)]
    assert all(tab.closing is None for tab in tabs)


@pytest.mark.parametrize("how", ["sleep", "restart", "crash"])
async def test_a_seat_is_kept_through_whatever_happens_to_the_room(how: str) -> None:  # [SEAT7]
    on = await stage(Pair)
    ann = await on.connect("ann")
    bob = await on.connect("bob")
    await ann.send("ping")
    if how == "sleep":
        await on.advance(20_000)
    elif how == "restart":
        await on.restart()
    else:
        await on.crash()
    cat = await on.connect("cat")
    assert cat.closing is not None
    again = await on.connect("bob", client=bob.client)
    assert again.closing is None


async def test_a_seat_is_free_when_its_grace_is_over() -> None:  # [SEAT7]
    on = await stage(Pair)
    ann = await on.connect("ann")
    await ann.send("ping")
    bob = await on.connect("bob")
    await bob.leave()
    await on.advance(14_999)
    assert (await on.connect("cat")).closing is not None
    await on.advance(1)
    assert (await on.connect("cat")).closing is None
