"""Sessions that lie asleep for too long are deleted; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.errors import CloseCode, Closing, UsageError
from rooms.host.expiry import EVERY
from rooms.store.port import REMEMBERED, SessionId
from runtime import create_machine
from tests.rooms.host.machines import Counter, Lobby
from tests.rooms.host.stage import Stage

MINUTE = 60_000
HOUR = 60 * MINUTE


class Brief(Counter):
    ttl = HOUR
    ttl_done = 5 * MINUTE


async def stage(kind: Any = Brief) -> Stage:
    return await Stage(counter=kind).start()


async def made(on: Stage, event: str = "increment") -> None:
    await on.request("POST", body={"type": event})
    await on.advance(10_000)
    assert not on.awake()


async def test_a_session_is_deleted_when_its_time_is_over() -> None:  # [TTL1]
    on = await stage()
    await made(on)
    await on.advance(HOUR - 1)
    assert await on.record() is not None
    await on.advance(EVERY + 5_000)
    assert await on.record() is None
    assert not on.awake()


async def test_a_session_whose_machine_is_done_has_another_time() -> None:  # [TTL1]
    on = await stage()
    await made(on, "finish")
    await on.advance(5 * MINUTE - 1)
    assert await on.record() is not None
    await on.advance(EVERY + 5_000)
    assert await on.record() is None


async def test_without_a_time_of_its_own_it_stays() -> None:  # [TTL1]
    class Brief(Counter):
        ttl_done = MINUTE

    on = await stage(Brief)
    await made(on)
    await on.advance(24 * HOUR)
    assert await on.record() is not None


@pytest.mark.parametrize("value", [1.5, "1h", True])
def test_a_time_is_milliseconds(value: Any) -> None:
    with pytest.raises(UsageError, match="ttl is"):
        type("Odd", (Counter,), {"ttl": value})


async def test_a_look_begins_its_time_anew() -> None:  # [TTL2]
    on = await stage()
    await made(on)
    await on.advance(HOUR - MINUTE)
    await on.request("GET")
    await on.advance(10_000 + HOUR - 1)
    assert await on.record() is not None
    await on.advance(EVERY + 5_000)
    assert await on.record() is None


async def test_what_was_acknowledged_within_its_time_is_there() -> None:  # [TTL2]
    on = await stage()
    await made(on)
    for _ in range(3):
        await on.advance(HOUR - 11_000)
        ann = await on.connect()
        await ann.send("increment")
        assert ann.outcomes() == [(1, "accepted")]
        await ann.leave()
        await on.advance(10_000)
    assert (await on.stored())["context"] == {"count": 4}


async def test_a_timer_keeps_its_session_until_it_fires() -> None:  # [TTL2]
    class Slow(Counter):
        ttl = MINUTE
        machine = create_machine(
            {
                "initial": "a",
                "states": {"a": {"on": {"go": "b"}}, "b": {"after": {"3600000": "c"}}, "c": {}},
            }
        )

    on = await stage(Slow)
    await on.request("POST", body={"type": "go"})
    await on.advance(HOUR + 5_000)
    assert (await on.stored())["value"] == "c"
    await on.advance(10_000 + MINUTE + EVERY + 5_000)
    assert await on.record() is None


async def test_an_open_connection_keeps_its_session() -> None:  # [TTL2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(10 * HOUR)
    assert not on.awake()
    assert (await on.stored())["context"] == {"count": 1}
    ann.took()
    await ann.send("increment")
    assert ann.view["context"] == {"count": 2}
    await ann.leave()
    await on.advance(2 * HOUR)
    assert await on.record() is None


async def test_a_room_that_is_awake_is_not_deleted() -> None:  # [TTL3]
    class Awake(Brief):
        ttl = MINUTE
        sleep_after = HOUR

    on = await stage(Awake)
    await on.request("POST", body={"type": "increment"})
    await on.advance(HOUR - 1)
    assert on.awake()
    await on.request("POST", body={"type": "increment"})
    assert (await on.stored())["context"] == {"count": 2}


async def test_who_comes_while_it_is_deleted_finds_a_new_one() -> None:  # [TTL3]
    on = await stage()
    await made(on)
    with on.store.holding("delete"):
        await on.advance(HOUR + EVERY)
        ann = await on.connect()
        assert not ann.inbox
    await on.settle()
    assert ann.view["context"] == {"count": 0}
    await ann.send("increment")
    assert (await on.stored())["context"] == {"count": 1}


async def test_who_comes_first_keeps_it() -> None:  # [TTL3]
    on = await stage()
    await made(on)
    await on.advance(HOUR - 1)
    with on.store.answering_late("expired"):
        await on.advance(EVERY)
        ann = await on.connect()
        await ann.send("increment")
        await on.advance(9_000)
    await on.settle()
    assert (await on.stored())["context"] == {"count": 2}
    await on.advance(10_000)
    assert (await on.stored())["context"] == {"count": 2}


async def test_what_was_read_as_expired_and_changed_meanwhile_is_kept() -> None:  # [TTL3]
    on = await stage()
    await made(on)
    await on.advance(HOUR - 1)
    with on.store.answering_late("expired"):
        await on.advance(EVERY)
        await on.request("POST", body={"type": "increment"})
        await on.advance(10_000)
        assert not on.awake()
    await on.settle()
    record = await on.record()
    assert record is not None
    assert record.activation is not None  # cursors stay good
    assert (await on.stored())["context"] == {"count": 2}


async def test_another_hosts_session_is_not_deleted() -> None:  # [TTL3]
    on = await stage()
    await made(on)
    with on.store.holding("delete"):
        await on.advance(HOUR + EVERY)
        await on.inner.retire(on.host.incarnation)  # it hangs, and is taken for dead
        first = on.store
        on.link.close()
        on.routing.leave(lambda: Closing(CloseCode.OVERLOADED, "the server was lost"))
        await on.start()
        await on.request("POST", body={"type": "increment"})
    await on.settle()
    assert first.calls["delete"] == 1
    assert (await on.stored())["context"] == {"count": 2}


async def test_many_are_deleted_a_bounded_number_at_a_time() -> None:  # [TTL1]
    on = await stage()
    for number in range(150):
        await on.request("POST", f"counter/{number}", {"type": "increment"})
    await on.advance(10_000)
    await on.advance(HOUR + EVERY + 5_000)
    assert await on.inner.scan() == []
    assert on.store.calls["expired"] < HOUR / EVERY + 8


@pytest.mark.parametrize("call", ["expired", "acquire", "delete"])
async def test_a_store_that_fails_is_asked_again_later(call: str) -> None:
    on = await stage()
    await made(on)
    await on.advance(HOUR - 5_000)
    on.store.break_next(call)
    await on.advance(EVERY + 5_000)
    assert await on.record() is not None
    await on.advance(2 * HOUR)
    assert await on.record() is None


async def test_nothing_is_deleted_by_a_host_that_drains() -> None:
    on = await stage()
    await made(on)
    await on.advance(HOUR - 5_000)
    await on.restart()
    await on.advance(EVERY - 5_000)  # who was there before is given time to come back
    assert await on.record() is not None
    await on.advance(10_000)
    assert await on.record() is None


async def test_an_import_of_long_ago_has_its_time_before_it() -> None:  # [TTL1] [ADMIN6]
    on = await stage()
    await made(on)
    _, export = await on.operated("GET", path="/export")
    await on.advance(3 * HOUR)
    assert await on.record() is None
    assert (await on.operated("PUT", body=export))[0] == 200
    await on.advance(HOUR - 1)
    assert await on.record() is not None
    await on.advance(EVERY + 5_000)
    assert await on.record() is None


# ------------------------------------------------------------------ and those of the same name


@pytest.mark.parametrize("how", ["expired", "deleted"])
async def test_a_repeat_of_before_is_not_applied_to_the_next_session(how: str) -> None:  # [NAME6]
    on = await stage()
    ann = await on.connect()
    since = on.now()
    with on.store.holding():
        await ann.send("increment")
    await on.settle()  # it was applied; say that its outcome was lost on the way
    await ann.leave()
    if how == "expired":
        await on.advance(2 * HOUR)
    else:
        await on.operated("DELETE")
    assert await on.record() is None
    await on.request("POST", body={"type": "increment"})
    again = await on.connect(client=ann.client, since=since, cursor=ann.cursor, view=ann.view)
    assert "room.view" in again.types()
    await again.send("increment", seq=1)
    assert again.closing is not None
    assert again.closing.code == CloseCode.UNRESTORABLE
    assert (await on.stored())["context"] == {"count": 1}
    await on.advance(1)
    fresh = await on.connect("bob", since=on.now())
    await fresh.send("increment")
    assert fresh.view["context"] == {"count": 2}


async def test_the_first_of_the_next_session_is_refused_too() -> None:  # [NAME6]
    on = await stage()
    ann = await on.connect(since=on.now())
    await ann.send("increment")
    await ann.leave()
    await on.advance(2 * HOUR)
    again = await on.connect(client=ann.client, since=on.now() - 2 * HOUR)
    await again.send("increment", seq=1)
    assert again.closing is not None
    assert await on.record() is None


async def test_it_is_remembered_through_sleep_and_crash() -> None:  # [NAME6]
    on = await stage()
    since = on.now()
    await made(on)
    await on.advance(2 * HOUR)
    await made(on)
    await on.crash()
    late = await on.connect(since=since)
    await late.send("increment")
    assert late.closing is not None
    assert (await on.stored())["context"] == {"count": 1}


async def test_after_a_day_it_is_held_against_all_names() -> None:  # [NAME6]
    on = await stage()
    since = on.now()
    await made(on)
    await on.operated("DELETE")
    await on.advance(REMEMBERED)
    await on.request("POST", "counter/other", {"type": "increment"})
    await on.operated("DELETE", "counter/other")
    late = await on.connect(since=since)
    await late.send("increment")
    assert late.closing is not None
    young = await on.connect(since=on.now())
    await young.send("increment")
    assert young.outcomes() == [(1, "accepted")]


async def test_where_nothing_was_ever_deleted_nobody_is_too_old() -> None:  # [NAME6]
    on = await stage(Lobby)
    ann = await on.connect(since=1)
    await ann.send("ping")
    assert ann.outcomes() == [(1, "accepted")]
    assert SessionId("counter", "x") in on.host.live()
