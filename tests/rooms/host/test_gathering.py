"""Which routers a room without a machine waits for when it wakes, so that nobody misses a word."""

from __future__ import annotations

import asyncio
from typing import Any

from rooms.host.gathering import FOUND_WITHIN
from tests.rooms.host.hooks.test_session import Chat, events
from tests.rooms.host.test_fleet import Fleet, fleet


class Told(Chat):
    """What is said is told to everybody, who said it included."""

    def on_message(self, connection: Any, message: Any) -> Any:
        self.broadcast(message)


async def two_routers(room: type[Chat] = Told) -> tuple[Fleet, Any, Any]:
    """Hosts a and b that every router has found, and somebody at each of two routers."""
    on = await fleet(chat=room)
    on.add_router()
    await on.advance(FOUND_WITHIN)
    bob = await on.connect("bob", "chat/x")
    on.routing = on.routers[0]
    ann = await on.connect("ann", "chat/x")
    await ann.send("said", text=1)
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[1], [1]]
    return on, ann, bob


async def all_killed_but_a_new_one(on: Fleet) -> None:
    """No host is left but c, which only the first router has found."""
    for name in ("a", "b"):
        await on.kill(name)
    late = on.routers.pop()
    await on.add_host("c")
    on.routers.append(late)


async def test_a_router_that_finds_a_new_host_later_misses_nothing() -> None:  # [HOOK13]
    on, ann, bob = await two_routers()
    await all_killed_but_a_new_one(on)
    seq = await ann.send("said", text=2)
    await on.advance(FOUND_WITHIN - 10)
    assert not ann.outcomes()[1:]
    on._link(on.routers[1], "c")
    await on.advance(20)
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[2], [2]]


async def test_a_router_that_finds_it_too_late_hears_what_is_said_then() -> None:  # [HOOK13]
    on, ann, bob = await two_routers()
    await all_killed_but_a_new_one(on)
    seq = await ann.send("said", text=2)
    await on.advance(FOUND_WITHIN + 1)
    assert ann.outcome(seq)["outcome"] == "accepted"
    on._link(on.routers[1], "c")
    await on.advance(100)
    await ann.send("said", text=3)
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[2, 3], [3]]


async def test_on_a_host_that_all_have_found_a_room_wakes_at_once() -> None:  # [HOOK13]
    on, ann, bob = await two_routers()
    first = on.where("chat/x")
    assert first is not None
    await on.kill(first)
    await ann.send("said", text=2)
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[2], [2]]


async def test_who_has_to_be_identified_anew_misses_nothing() -> None:  # [HOOK13]
    known = asyncio.Event()
    known.set()

    class Named(Told):
        @classmethod
        async def authenticate(cls, door: Any) -> Any:
            if door.viewer.id == "bob":
                await known.wait()
            return door.viewer

    on = await fleet(chat=Named)
    await on.advance(FOUND_WITHIN)
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    first = on.where("chat/x")
    assert first is not None
    ann.took(), bob.took()
    known.clear()
    await on.kill(first)
    await ann.send("said", text=1)
    assert not ann.outcomes()
    known.set()
    await on.settle()
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[1], [1]]


async def test_what_was_under_way_when_a_link_broke_isnt_said_again() -> None:  # [HOOK14]
    on, ann, bob = await two_routers()
    first = on.where("chat/x")
    assert first is not None
    on.members[first].links[1].close()
    seq = await ann.send("said", text=2)
    assert ann.outcome(seq)["outcome"] == "accepted"
    await on.kill(first)
    await on.advance(5_000)
    await ann.send("said", text=3)
    assert [[event["text"] for event in events(tab)] for tab in (ann, bob)] == [[2, 3], [3]]
