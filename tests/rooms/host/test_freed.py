"""A room that ended is freed when nobody uses it any more, without the collector of garbage."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from rooms import Room
from rooms.store.port import SessionId
from tests.rooms.host.machines import Clock, Counter, Lobby, Parent, Private
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sharing(Counter):
    presence = True


class Listed(Counter):
    listed = True
    history = 10


class Chat(Room):
    async def on_message(self, connection: Any, message: Any) -> Any:
        self.storage.put("said", message)
        self.broadcast(message)


@pytest.fixture(autouse=True)
def _uncollected() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", [Counter, Private, Clock, Lobby, Parent, Sharing, Listed, Chat])
async def test_a_room_that_sleeps_leaves_no_cycles(kind: type[Room]) -> None:  # [SLEEP1]
    on = await Stage(room=kind).start()
    ann = await on.connect("ann", "room/x")
    for type in ("increment", "start", "ping", "shout"):
        await ann.send(type)
    live = on.host.rooms[SessionId("room", "x")]
    parts = [live, live.session, live.audience, live.session.room, live.session.outbox]
    freed = [weakref.ref(part) for part in parts]
    del live, parts
    await on.advance(30_000)
    assert not on.awake("room/x")
    assert ann.closing is None
    assert [ref() for ref in freed] == [None] * len(freed)


async def test_a_room_that_is_lost_leaves_no_cycles() -> None:
    on = await Stage(room=Counter).start()
    ann = await on.connect("ann", "room/x")
    await ann.send("increment")
    lost = on.host.rooms[SessionId("room", "x")]
    lost.drop(ValueError("a fault"))
    freed = weakref.ref(lost)
    del lost
    await on.settle()
    await ann.send("increment")
    assert on.awake("room/x")
    assert freed() is None


@pytest.mark.parametrize("kind", [Counter, Lobby, Sharing, Chat])
async def test_who_leaves_a_room_leaves_no_cycles(kind: type[Room]) -> None:
    on = await Stage(room=kind).start()
    ann, bob = await on.connect("ann", "room/x"), await on.connect("bob", "room/x")
    await ann.send("increment")
    await bob.send("increment")
    gc.collect()
    await bob.leave()
    await on.advance(1)
    await ann.send("increment")
    assert on.awake("room/x")
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        ours = [type(one).__qualname__ for one in gc.garbage if _is_ours(one)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert ours == []


def _is_ours(one: object) -> bool:
    return type(one).__module__.partition(".")[0] in ("rooms", "runtime")
