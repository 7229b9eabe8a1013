"""The façade and a real server: whatever breaks in between, each event has its effect once."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest

from client import Room, RoomClosed, connect
from rooms import App, everything
from rooms import Room as Kind
from rooms.server import serve
from rooms.settings import Settings
from runtime import assign, setup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from client.websocket import WebSocket

WITHIN = 20_000
"""ms, in which even a busy machine does it."""

counter = setup(
    actions={"add": assign({"count": lambda a, p: a.context["count"] + a.event["by"]})},
).create_machine(
    {"id": "counter", "context": {"count": 0}, "on": {"add": {"actions": "add"}}},
)


class Counter(Kind):
    machine = counter
    view = everything


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The address of a room on a server of our own."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(port=0, store="memory:")
    server = asyncio.create_task(serve(App(counter=Counter), settings, ready=url.set_result))
    await asyncio.wait_for(url, WITHIN / 1000)
    try:
        yield f"{url.result()}/rooms/counter/a"
    finally:
        server.cancel()
        await asyncio.wait({server})


def cut(room: Room) -> None:
    """The network breaks: nobody says goodbye."""
    socket = cast("WebSocket | None", room._link._socket)
    if socket is not None and socket._transport is not None:
        socket._transport.abort()


async def leave(*rooms: Room) -> None:
    for room in rooms:
        room.close()
    await asyncio.gather(*(room.wait_closed() for room in rooms))


@pytest.mark.parametrize("seed", range(3))
async def test_each_event_counts_once_whatever_breaks(seed: int) -> None:  # [SEND2] [SEND3]
    roll = random.Random(seed)
    async with served() as address:
        codecs = ["rooms.v1.json", "rooms.v1.msgpack", None]
        rooms = [connect(address, protocol=codecs[n % 3], roll=lambda: 0.01) for n in range(9)]
        await asyncio.gather(*(room.ready() for room in rooms))

        async def player(room: Room) -> None:
            for _ in range(15):
                outcomes = [room.send({"type": "add", "by": 1}) for _ in range(2)]
                match roll.randrange(4):
                    case 0:
                        room.reconnect()
                    case 1:
                        cut(room)
                assert {(await outcome).outcome for outcome in outcomes} == {"accepted"}

        await asyncio.gather(*map(player, rooms))
        total = len(rooms) * 30
        for room in rooms:
            await room.wait_for(lambda room: room.context["count"] == total, timeout=WITHIN)
        assert len({room.cursor for room in rooms}) == 1
        await leave(*rooms)


async def test_who_comes_back_gets_what_is_missing_and_no_more() -> None:  # [VIEW7]
    async with served() as address:
        ann, bob = await connect(address), await connect(address, roll=lambda: 40)
        views: list[Any] = []
        receive = bob.receive
        kinds: list[str] = []

        def listen(message: dict[str, Any], first: bool) -> None:
            kinds.append(message["type"])
            receive(message, first)

        cast("Any", bob).receive = listen
        bob.subscribe(lambda room: views.append(room.context["count"]))
        cut(bob)
        await bob.wait_for(lambda room: room.connection == "waiting", timeout=WITHIN)
        await ann.send({"type": "add", "by": 1})
        await ann.send({"type": "add", "by": 1})
        bob.reconnect()
        await bob.wait_for(lambda room: room.context["count"] == 2, timeout=WITHIN)
        cut(bob)
        await bob.wait_for(lambda room: room.connection == "waiting", timeout=WITHIN)
        await ann.send({"type": "nobody knows this"})
        bob.reconnect()
        await bob.wait_for(lambda room: room.connection == "open", timeout=WITHIN)
        await bob.send({"type": "add", "by": 1})
        assert views == [0, 2, 3]
        told = [kind for kind in kinds if kind in ("room.view", "room.patch", "room.unchanged")]
        assert told == ["room.patch", "room.unchanged", "room.patch"]
        await leave(ann, bob)


async def test_the_same_token_is_the_same_viewer_and_a_refusal_is_for_good() -> None:  # [ID2]
    async with served() as address:
        async with connect(address) as ann, connect(address, token=ann.token) as again:
            assert ann.me is not None
            assert again.me is not None
            assert ann.me["connection"] != again.me["connection"]
            assert ann.me["id"] == again.me["id"]
            assert abs(ann.now() - again.now()) < 1_000
        with pytest.raises(RoomClosed) as refused:
            await connect(address.replace("/a", "/nobody-made-it"), create=False)
        assert refused.value.code == 4404
