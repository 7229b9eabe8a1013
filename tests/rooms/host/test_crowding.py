"""A room and a router that is behind: it waits, its neighbours don't (SPEC, FAIR4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rooms.host.crowding import BEHIND, SHARE, Crowding
from rooms.link.memory import MemoryEnd
from rooms.pace import LONGEST
from rooms.store.port import SessionId
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.link.memory import End


class Cursors(Counter):
    volatile = ("cursor",)


HOT, QUIET = SessionId("counter", "hot"), SessionId("counter", "quiet")


def test_a_router_that_keeps_up_is_filled_by_nobody() -> None:  # [FAIR4]
    crowding, end = Crowding(), MemoryEnd()
    crowding.sent(end, HOT, 100 * SHARE)
    assert not crowding.full(HOT)


def test_whoever_adds_to_what_waits_is_stopped_until_it_is_taken() -> None:  # [FAIR4]
    crowding, end, other = Crowding(), MemoryEnd(), MemoryEnd()
    end.under_way = BEHIND + 1
    crowding.sent(end, HOT, SHARE)
    crowding.sent(end, QUIET, 100)
    assert not crowding.full(HOT)
    crowding.sent(end, HOT, 1)
    crowding.sent(other, HOT, 1)  # that this one keeps up says nothing of the other
    assert crowding.full(HOT)
    assert not crowding.full(QUIET)
    end.under_way = BEHIND
    assert not crowding.full(HOT)
    end.under_way = BEHIND + 1
    assert not crowding.full(HOT)  # it is behind again, with none of this room's


def test_a_link_that_has_ended_stops_nobody() -> None:  # [FAIR4]
    crowding, end = Crowding(), MemoryEnd()
    end.under_way = BEHIND + 1
    crowding.sent(end, HOT, SHARE + 1)
    crowding.forget(end)
    assert not crowding.full(HOT)


@pytest.fixture
async def on() -> Stage:
    return await Stage(counter=Counter).start()


def behind(on: Stage) -> End:
    """The router has stopped taking what it is sent; a host only learns that by this."""
    (end,) = on.host._links._ends
    end.under_way = 2 * BEHIND  # type: ignore[misc]
    return end


async def test_what_is_said_to_it_meanwhile_is_one_step_later(on: Stage) -> None:  # [FAIR4]
    ann, ben = await on.connect("ann", "counter/hot"), await on.connect("ben", "counter/quiet")
    end = behind(on)
    on.host._links.crowding.sent(end, HOT, SHARE + 1)
    ann.took(), ben.took()
    for seq in range(1, 33):
        ann.put({"type": "room.send", "seq": seq, "event": {"type": "increment"}})
        await on.advance(10)
        await ben.say("increment")
    assert ann.types() == []
    assert ben.view["context"] == {"count": 32}
    end.under_way = 0  # type: ignore[misc]
    await on.advance(20)
    assert ann.types() == ["room.patch"] + ["room.outcome"] * 32
    assert ann.view["context"] == {"count": 32}


async def test_a_router_that_stays_behind_slows_it_and_no_more(on: Stage) -> None:  # [FAIR4]
    ann = await on.connect("ann", "counter/hot")
    on.host._links.crowding.sent(behind(on), HOT, SHARE + 1)
    for count in range(1, 4):
        await ann.say("increment")
        await on.advance(LONGEST - 100)
        assert ann.view["context"] == {"count": count - 1}
        await on.advance(120)
        assert ann.view["context"] == {"count": count}


async def test_what_is_of_the_moment_is_told_seldom_the_latest() -> None:  # [FAIR4]
    on = await Stage(counter=Cursors).start()
    ann = await on.connect("ann", "counter/hot")
    await on.advance(20)
    ann.took()
    end = behind(on)
    on.host._links.crowding.sent(end, HOT, SHARE + 1)
    for x in range(10):
        await ann.say("cursor", x=x)
        await on.advance(20)
    assert ann.types() == []
    await on.advance(1_000)
    assert [message["event"]["x"] for message in ann.inbox] == [9]
    ann.took()
    end.under_way = 0  # type: ignore[misc]
    await ann.say("cursor", x=10)
    await on.advance(20)
    assert [message["event"]["x"] for message in ann.inbox] == [10]


async def test_what_a_room_sends_counts_where_it_is_behind(on: Stage) -> None:  # [FAIR4]
    ann = await on.connect("ann", "counter/hot")
    on.host._links.crowding.sent(behind(on), QUIET, 1)
    for _ in range(20):
        await ann.say("increment")
    (added,) = on.host._links.crowding._added.values()
    told = sum(len(message.data) for message in on.fanouts()[-20:])
    assert added[HOT] == told > 0
