"""The door of `/parties` over a real socket, before a host that a test speaks for."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed

from rooms.link.protocol import Asleep, Attach, Close, Fanout, Request, Tell
from rooms.router import parties
from rooms.router.limits import Limits
from rooms.sync import party
from tests.rooms.router.doors import open_door
from tests.wire import WITHIN

if TYPE_CHECKING:
    from tests.rooms.router.doors import Door

PK = "0f8fad5b-d9cb-469f-a165-70867728950e"


async def dial(door: Door, path: str = "counter/x", pk: str = PK) -> websockets.ClientConnection:
    url = f"ws://127.0.0.1:{door.port}/parties/{path}?_pk={pk}&a=b"
    return await websockets.connect(url, proxy=None)


async def test_what_it_says_goes_to_the_host_as_it_came(door: Door) -> None:  # [PARTY3]
    async with await dial(door) as socket:
        await socket.send("not json")
        await socket.send(b"\x00\xff")
        await door.host.until(lambda heard: len(door.host.said) == 2)
    assert door.host.said == [
        {"type": party.SAID, "data": "not json"},
        {"type": party.SAID, "data": b"\x00\xff"},
    ]


async def test_text_and_binary_come_as_such_and_nothing_as_nothing(door: Door) -> None:  # [PARTY3]
    async with await dial(door) as socket:
        await door.host.until(lambda heard: bool(door.host.all(Attach)))
        (attach,) = door.host.all(Attach)
        assert attach.codec == "party"
        for payload in (party.raw("text"), b"", party.raw(b"\x00")):
            door.host.end.send(Tell(attach.channel, payload))
        door.host.end.send(Fanout(2, None, None, party.raw("all")))
        got = [await asyncio.wait_for(socket.recv(), WITHIN) for _ in range(3)]
        assert got == ["text", b"\x00", "all"]


async def test_an_anonymous_viewer_follows_from_pk(door: Door) -> None:  # [PARTY4]
    async with contextlib.AsyncExitStack() as tabs:
        for pk in (PK, PK, "alice", "alice"):
            await tabs.enter_async_context(await dial(door, pk=pk))
        await door.host.until(lambda heard: len(door.host.all(Attach)) == 4)
    one, other, *named = door.host.all(Attach)
    assert one.viewer == other.viewer
    assert len({each.viewer["id"] for each in (one, *named)}) == 3, "names are guessed"
    assert PK not in str(one)
    assert (one.client, one.params) == (None, {"a": "b"}), "no client: none takes over"


async def test_who_may_not_come_back_is_let_go_slowly(  # [PARTY5]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parties, "HELD", 0.2)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for path in ("nothing/x", "counter/x"):
        async with await dial(door, path) as socket:
            if path == "counter/x":
                await door.host.until(lambda heard: bool(door.host.all(Attach)))
                (attach,) = door.host.all(Attach)
                door.host.end.send(Close(attach.channel, 4403, "not you", None))
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(socket.recv(), WITHIN)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == (4404 if path == "nothing/x" else 4403)
    assert loop.time() - begun > 0.4


async def test_one_that_is_held_is_heard_no_more(door: Door) -> None:  # [PARTY5]
    async with await dial(door) as held, await dial(door):
        await door.host.until(lambda heard: len(door.host.all(Attach)) == 2)
        door.host.end.send(Asleep("counter", "x", 0))
        door.host.end.send(Close(door.host.all(Attach)[0].channel, 4403, "not you", None))
        await door.host.gone()
        await held.send("wake up")
        await asyncio.wait_for(await held.ping(), WITHIN)
    assert len(door.host.all(Attach)) == 2, "the other one's room sleeps on"
    assert door.host.said == []


@pytest.mark.parametrize("code", [1013, 4401, 4000])
async def test_others_are_closed_at_once(door: Door, code: int) -> None:  # [PARTY5]
    async with await dial(door) as socket:
        await door.host.until(lambda heard: bool(door.host.all(Attach)))
        door.host.end.send(Close(door.host.all(Attach)[0].channel, code, "so", None))
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), WITHIN)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "so")


async def test_one_that_is_held_and_hangs_up_is_gone(door: Door) -> None:  # [PARTY5]
    async with await dial(door, "nothing/x"):
        pass
    await asyncio.wait_for(door.router.close(), WITHIN)


async def test_its_limits_are_the_doors() -> None:  # [DOOR8]
    async with open_door(limits=Limits(rate=0.001, burst=2)) as door, await dial(door) as socket:
        for _ in range(3):
            await socket.send("x")
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), WITHIN)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4429


async def test_plain_requests_are_those_of_the_room(door: Door) -> None:  # [PARTY6]
    async with httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=WITHIN) as client:
        answer = await client.get("/parties/counter/x/about?_pk=y&a=b")
        assert answer.json() == {"method": "GET", "path": "/about"}
        assert (await client.get("/parties/nothing/x")).status_code == 404
        assert (await client.get("/parties")).status_code == 404
    (request,) = door.host.all(Request)
    assert request.params == {"a": "b"}
