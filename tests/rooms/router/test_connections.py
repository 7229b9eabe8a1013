"""The WebSocket door over a real socket, before a host that a test speaks for."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import jwt
import msgpack
import pytest
from websockets.exceptions import ConnectionClosed

from rooms.link.protocol import Attach, Close, Fanout, Tell
from rooms.router import router, sockets
from rooms.router.limits import Limits
from rooms.sync import codec, messages
from tests.rooms.router.doors import NOW, SECRET, open_door
from tests.wire import WITHIN, Wire, dial

if TYPE_CHECKING:
    from tests.rooms.router.doors import Door

CLIENT = "c" * 22
EVENT = {"type": "increment"}


async def enter(door: Door, **query: str) -> Wire:
    """A socket that has got `room.you` and its view."""
    wire = await dial(door.room(), query)
    await wire.expect("room.you")
    await wire.expect("room.view")
    return wire


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    """Whatever a peer does is one line of the log at most; and no token is ever in it."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        if record.name == "asyncio" and record.levelno <= logging.DEBUG:
            continue
        assert record.exc_info is None, record.getMessage()
        assert "\n" not in record.getMessage()
        if not record.name.startswith("websockets.client"):
            assert CLIENT not in record.getMessage()


# ---------------------------------------------------------------------- opening


async def test_a_connection_is_attached_and_hears_the_host(door: Door) -> None:  # [OPEN2]
    async with await dial(
        door.room(), {"client": CLIENT, "since": "17", "cursor": "n.0", "create": "0"}
    ) as wire:
        you = await wire.expect("room.you")
        await wire.expect("room.view")
    (attach,) = door.host.all(Attach)
    assert (attach.kind, attach.session, attach.codec) == ("counter", "x", "json")
    assert (attach.client, attach.since, attach.cursor) == (CLIENT, 17, "n.0")
    assert (attach.create, attach.greeted) == (False, False)
    assert (attach.params, attach.headers) == ({}, {})
    assert you["me"]["id"] == attach.viewer["id"]
    await door.host.gone()


async def test_without_a_client_it_is_a_fresh_viewer_each_time(door: Door) -> None:  # [ID1]
    for _ in range(2):
        await (await enter(door)).socket.close()
    one, two = door.host.all(Attach)
    assert one.viewer["id"] != two.viewer["id"]
    assert one.client != two.client


async def test_the_same_client_is_the_same_viewer(door: Door) -> None:  # [ID1]
    for _ in range(2):
        await (await enter(door, client=CLIENT)).socket.close()
    one, two = door.host.all(Attach)
    assert one.viewer == two.viewer


async def test_the_token_makes_any_client_the_same_viewer(door: Door) -> None:  # [ID2]
    async with await dial(door.room(), {"client": CLIENT}) as wire:
        you = await wire.expect("room.you")
    async with await dial(door.room(), {"client": "d" * 22, "token": you["token"]}) as wire:
        again = await wire.expect("room.you")
    assert again["me"]["id"] == you["me"]["id"]
    assert again["token"]


async def test_subprotocols_choose_the_codec(door: Door) -> None:  # [OPEN1]
    async with await dial(door.room(), protocols=["rooms.v1.msgpack", "rooms.v1.json"]) as wire:
        assert wire.socket.subprotocol == "rooms.v1.msgpack"
        assert msgpack.unpackb(await wire.socket.recv(decode=False))["type"] == "room.you"
        await wire.socket.recv()
        await wire.socket.send(msgpack.packb(EVENT))
        await wire.socket.send(msgpack.packb({"type": "room.ping", "t": 1}))
        pong = await wire.socket.recv(decode=False)
        assert msgpack.unpackb(pong) == {"type": "room.pong", "t": 1, "now": NOW}
    async with await dial(door.room(), protocols=["rooms.v1.json"]) as wire:
        assert wire.socket.subprotocol == "rooms.v1.json"
        await wire.expect("room.you")
    assert door.host.said == [EVENT]


REFUSED = {
    "unknown kind": ("chess/x", {}, 4404),
    "bad session": ("counter/-x", {}, 4404),
    "session with a space": ("counter/a%20b", {}, 4404),
    "session too long": ("counter/" + "s" * 129, {}, 4404),
    "below a room": ("counter/x/y", {}, 4404),
    "no room at all": ("counter", {}, 4404),
    "short client": ("counter/x", {"client": "c"}, 4400),
    "odd client": ("counter/x", {"client": "ä" * 22}, 4400),
    "odd cursor": ("counter/x", {"cursor": "n 1"}, 4400),
    "long cursor": ("counter/x", {"cursor": "n" * 65}, 4400),
    "odd since": ("counter/x", {"since": "-1"}, 4400),
    "huge since": ("counter/x", {"since": "9" * 16}, 4400),
    "odd create": ("counter/x", {"create": "yes"}, 4400),
    "no token": ("counter/x", {"token": "rubbish"}, 4401),
    "forged token": (
        "counter/x",
        {"token": jwt.encode({"sub": "a"}, b"t" * 32, algorithm="HS256")},
        4401,
    ),
    "expired token": (
        "counter/x",
        {"token": jwt.encode({"sub": "a", "exp": NOW // 1000}, SECRET, algorithm="HS256")},
        4401,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_who_may_not_come_in_is_told_why(  # [OPEN3] [OPEN4] [NAME2] [ID3]
    door: Door, case: str
) -> None:
    path, query, code = REFUSED[case]
    closing = await (await dial(door.room(path), query)).refused()
    assert closing["code"] == code
    assert closing["retry_after"] is None
    assert closing["reason"]
    assert door.host.heard == []


async def test_other_paths_are_told_too(door: Door) -> None:  # [OPEN3]
    assert (await (await dial(f"{door.url}/else/where")).refused())["code"] == 4404


@pytest.mark.parametrize(
    ("origin", "code"),
    [("http://evil.example", 4403), ("null", 4403), ("http://[", 4403), ("http://{host}", None)],
)
async def test_pages_of_another_origin_are_refused(  # [OPEN7]
    door: Door, origin: str, code: int | None
) -> None:
    headers = {"Origin": origin.replace("{host}", f"127.0.0.1:{door.port}")}
    async with await dial(door.room(), headers=headers) as wire:
        if code is None:
            await wire.expect("room.you")
        else:
            assert (await wire.refused())["code"] == code


async def test_a_kind_with_its_own_authenticate_gets_everything_raw() -> None:  # [ID4]
    async with open_door() as door:
        async with await dial(
            door.room("club/x"),
            {"token": "theirs", "watch": "1", "client": CLIENT},
            headers={"X-Seen": "yes"},
        ) as wire:
            you = await wire.expect("room.you")
        (attach,) = door.host.all(Attach)
        assert attach.token == "theirs"
        assert attach.params == {"watch": "1"}
        assert attach.headers["x-seen"] == "yes"
        assert you["token"] is None
        async with await dial(door.room("club/x"), {"client": CLIENT}) as wire:
            ours = (await wire.expect("room.you"))["token"]
        async with await dial(door.room("club/x"), {"token": ours}) as wire:
            again = await wire.expect("room.you")
        assert again["me"]["id"] == attach.viewer["id"]
        assert again["token"]


# ---------------------------------------------------------------------- messages


async def test_pings_are_answered_at_the_door(door: Door) -> None:  # [OPEN6]
    async with await enter(door) as wire:
        for t in (12, 1.5):
            await wire.send({"type": "room.ping", "t": t})
            assert await wire.receive() == {"type": "room.pong", "t": t, "now": NOW}
    assert door.host.said == []


CLOSING: dict[str, tuple[Any, int]] = {
    "not JSON": ("{", 4400),
    "empty": ("", 4400),
    "an array": ("[1]", 4400),
    "a number": ("1", 4400),
    "null": ("null", 4400),
    "no type": ('{"event":1}', 4400),
    "type isn't text": ('{"type":1}', 4400),
    "2,000 deep": ('{"type":"a","x":' + "[" * 2000 + "]" * 2000 + "}", 4400),
    "NaN": ('{"type":"a","x":NaN}', 4400),
    "half a surrogate": ('{"type":"a","x":"\\ud800"}', 4400),
    "binary": (b'{"type":"increment"}', 4400),
    "binary rubbish": (bytes(range(256)), 4400),
    "too big": ('{"type":"a","x":"' + "x" * 65_536 + '"}', 1009),
    "1 MB": ('{"type":"a","x":"' + "x" * 1_000_000 + '"}', 1009),
    "1 MB binary": (b"\x00" * 1_000_000, 1009),
}


@pytest.mark.parametrize("case", CLOSING)
async def test_what_is_no_message_closes_its_connection_alone(  # [DOOR1] [DOOR2] [DOOR10]
    door: Door, case: str
) -> None:
    frame, code = CLOSING[case]
    async with await enter(door) as other, await enter(door) as wire:
        await wire.socket.send(frame)
        closing = await wire.refused()
        assert closing["code"] == code
        assert closing["retry_after"] is None
        await other.quiet()
        await door.host.gone()
    assert door.host.said == []


STAYING: dict[str, tuple[dict[str, Any], str]] = {
    "unknown room.*": ({"type": "room.nonsense"}, "unknown_type"),
    "a server's message": ({"type": "room.view", "view": {}}, "unknown_type"),
    "room.joined": ({"type": "room.joined", "viewer": {"id": "x"}}, "reserved"),
    "xstate.*": ({"type": "xstate.done.actor.x"}, "reserved"),
    "sender": ({"type": "increment", "sender": "eve"}, "sender"),
    "33 deep": ({"type": "a", "x": eval("[" * 32 + "]" * 32)}, "too_deep"),
    "1,001 keys": ({"type": "a", "x": {str(n): n for n in range(1000)}}, "too_many_keys"),
    "__proto__": ({"type": "a", "x": {"__proto__": 1}}, "forbidden_key"),
    "a large integer": ({"type": "a", "x": 2**53 + 1}, "bad_number"),
    "no seq": ({"type": "room.send", "event": EVENT}, "bad_message"),
    "no child": ({"type": "room.send_to", "seq": 1, "event": EVENT}, "bad_message"),
    "much presence": ({"type": "room.presence", "data": "x" * 2048}, "too_big"),
    "a ping of much": ({"type": "room.ping", "t": "x" * 65}, "bad_message"),
    "a deep ping": ({"type": "room.ping", "t": eval("[" * 90 + "]" * 90)}, "bad_message"),
}


async def test_who_is_refused_early_is_told_first_who_they_are(  # [OPEN2] [OPEN6]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Attach] = []
    with monkeypatch.context() as later:
        later.setattr(door.host, "let_in", asked.append)
        wire = await dial(door.room())
        await wire.send({"type": "room.nonsense"})
        await wire.quiet()  # its answer needs no room
    async with wire:
        door.host.let_in(asked[0])
        for type in ("room.you", "room.error", "room.view"):
            await wire.expect(type)


@pytest.mark.parametrize("path", ["", "rooms/counter", "elsewhere/x", "rooms/counter/x/deeper"])
async def test_where_no_room_is_there_is_no_socket(door: Door, path: str) -> None:  # [OPEN3]
    closing = await (await dial(f"{door.url}/{path}")).refused()
    assert (closing["code"], closing["reason"]) == (4404, "there is no socket at this path")


@pytest.mark.parametrize("case", STAYING)
async def test_what_is_refused_leaves_the_connection(  # [DOOR3] [DOOR4] [DOOR5] [DOOR6] [DOOR10]
    door: Door, case: str
) -> None:
    message, code = STAYING[case]
    async with await enter(door) as other, await enter(door) as wire:
        await wire.send(message)
        error = await wire.expect("room.error")
        assert error["code"] == code
        assert error["reason"]
        assert "seq" not in error
        await wire.send(EVENT)
        await door.host.until(lambda heard: len(door.host.said) == 1)
        await other.quiet()
    assert door.host.said == [EVENT]


async def test_a_numbered_message_of_a_bad_event_goes_on_to_be_settled(door: Door) -> None:
    async with await enter(door) as wire:  # [DOOR9]
        await wire.send({"type": "room.send", "seq": 1, "event": {"type": "room.left"}})
        error = await wire.expect("room.error")
        assert (error["code"], error["seq"]) == ("reserved", 1)
        await door.host.until(lambda heard: len(door.host.said) == 1)
    (message,) = door.host.said
    assert message["refused"]["code"] == "reserved"
    assert "event" not in message


async def test_a_message_may_come_in_fragments(door: Door) -> None:
    async with await enter(door) as wire:
        await wire.socket.send(iter(['{"type":', '"incre', 'ment"}']))
        await door.host.until(lambda heard: len(door.host.said) == 1)
    assert door.host.said == [EVENT]


async def test_more_than_the_rate_allows_closes() -> None:  # [DOOR8]
    async with open_door(limits=Limits(rate=0.001)) as door, await enter(door) as wire:
        try:
            for _ in range(1000):
                await wire.socket.send('{"type":"increment"}')
        except ConnectionClosed:
            pass
        closing = await wire.refused()
        assert closing["code"] == 4429
        assert closing["retry_after"] > 0
        assert len(door.host.said) == Limits().burst


async def test_limits_can_be_off() -> None:
    async with open_door(limits=Limits.off()) as door, await enter(door) as wire:
        for _ in range(1000):
            await wire.socket.send('{"type":"increment"}')
        await wire.quiet()
        assert len(door.host.said) == 1000


async def test_an_address_has_so_many_connections_at_a_time() -> None:  # [DOOR11]
    headers = {"X-Forwarded-For": "203.0.113.7"}  # from loopback, a proxy's word counts
    async with open_door(limits=Limits(connections=2)) as door:
        first = await dial(door.room(), headers=headers)
        await first.expect("room.you")
        async with await dial(door.room(), headers=headers) as second:
            await second.expect("room.you")
            closing = await (await dial(door.room(), headers=headers)).refused()
            assert closing["code"] == 4429
            assert closing["retry_after"] > 0
            await first.socket.close()
            await door.host.gone()
            async with await dial(door.room(), headers=headers) as third:
                await third.expect("room.you")


# ---------------------------------------------------------------------- tokens of a connection


async def test_a_fresh_token_of_the_same_viewer_is_passed_on(door: Door) -> None:
    async with await dial(door.room(), {"client": CLIENT}) as wire:
        token = (await wire.expect("room.you"))["token"]
        await wire.expect("room.view")
        await wire.send({"type": "room.token", "token": token})
        await door.host.until(lambda heard: len(door.host.said) == 1)
        (said,) = door.host.said
        assert said["viewer"]["id"] == door.host.all(Attach)[0].viewer["id"]

        other = jwt.encode({"sub": "eve"}, SECRET, algorithm="HS256")
        await wire.send({"type": "room.token", "token": other})
        assert (await wire.expect("room.error"))["code"] == "token"

        await wire.send({"type": "room.token", "token": "rubbish"})
        assert (await wire.refused())["code"] == 4401


async def test_an_operators_token_ends_its_connection_when_it_expires(door: Door) -> None:  # [ID6]
    door.now = NOW + 999
    token = jwt.encode({"sub": "ada", "exp": NOW // 1000 + 1}, SECRET, algorithm="HS256")
    async with await dial(door.room(), {"token": token}) as wire:
        assert (await wire.refused())["code"] == 4401
    (attach,) = door.host.all(Attach)  # it was let in; a slow machine may close it before its view
    assert attach.renewed is None


async def test_a_fresh_token_in_time_keeps_the_connection(door: Door) -> None:
    short = jwt.encode({"sub": "ada", "exp": NOW // 1000 + 60}, SECRET, algorithm="HS256")
    long = jwt.encode({"sub": "ada", "exp": NOW // 1000 + 600}, SECRET, algorithm="HS256")

    def ends_in() -> int:
        """How long the only connection has (minutes)."""
        (connection,) = door.router._connections._open
        assert connection._expiry is not None
        return round((connection._expiry.when() - connection._loop.time()) / 60)

    async with await enter(door, token=short) as wire:
        assert ends_in() == 1
        await wire.send({"type": "room.token", "token": long})
        await wire.quiet()
        assert ends_in() == 10


# ---------------------------------------------------------------------- ends


async def test_the_hosts_close_is_told_first(door: Door) -> None:  # [OPEN3] [CLOSE1]
    async with await enter(door) as wire:
        (attach,) = door.host.all(Attach)
        door.host.end.send(Close(attach.channel, 4429, "later", 3_000))
        closing = await wire.refused()
        assert (closing["code"], closing["retry_after"]) == (4429, 3_000)
        await door.host.gone()


async def test_a_closing_server_says_when_to_come_back(  # [CLOSE1]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "_GONE_WITHIN", 60.0)  # it goes as soon as they are gone
    wires = [await enter(door) for _ in range(3)]
    closing = asyncio.create_task(door.router.close())
    told = [await wire.refused() for wire in wires]
    assert {message["code"] for message in told} == {1001}
    assert all(200 <= message["retry_after"] <= 1500 for message in told)
    await asyncio.wait_for(closing, WITHIN)


async def test_who_still_comes_to_a_closing_server_is_told_the_same(door: Door) -> None:
    """Its handshake was under way when the server began to close."""  # [CLOSE1]
    await door.router.close()
    wire = await dial(door.room())
    assert (await wire.refused())["code"] == 1001
    assert not door.host.all(Attach)


@pytest.mark.parametrize("end", ["abort", "close", "close frame"])
async def test_a_connection_that_ends_this_moment_spoils_no_fan_out(  # [DOOR10]
    door: Door, end: str
) -> None:
    async with await enter(door) as dying, await enter(door) as other:
        first = next(iter(door.router._routing._channels.values()))
        assert first.host is not None
        hers = first.host
        socket = first.peer._socket  # type: ignore[attr-defined]
        if end == "close frame":
            socket.data_received(b"\x88\x80\x00\x00\x00\x00")
        else:
            getattr(socket.transport, end)()
        for _ in range(10):
            patch = Fanout(1, None, None, b'{"type":"room.emitted","event":{"type":"e"}}')
            door.router._routing.receive(hers, patch)
        for _ in range(10):
            await other.expect("room.emitted")
        await door.host.gone()
        with pytest.raises(ConnectionClosed):
            await dying.receive()


# ---------------------------------------------------------------------- slow connections


async def test_a_slow_reader_is_skipped_then_caught_up(  # [VIEW10]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await enter(door) as wire:
        (attach,) = door.host.all(Attach)
        wire.socket.transport.pause_reading()
        big = codec.encode(messages.view("n.2", NOW, {"value": "x" * 300_000}), "json")
        sent = 0
        while not any(type(m).__name__ == "Want" for m in door.host.heard) and sent < 200:
            door.host.end.send(Tell(attach.channel, big, cursor="n.2"))
            sent += 1
            await asyncio.wait_for(_turn(), WITHIN)
            if sent == 100:
                wire.socket.transport.resume_reading()
        assert sent < 200
        wire.socket.transport.resume_reading()  # it has drained into the kernel's buffers, perhaps
        received = 0
        door.host.end.send(
            Tell(attach.channel, codec.encode(messages.view("n.3", NOW, {}), "json"), cursor="n.3")
        )
        while (await wire.expect("room.view"))["cursor"] == "n.2":
            received += 1
        assert 0 < received < sent


async def _turn() -> None:
    """A few steps of the loop, and what the kernel has for it."""
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.005, done.set_result, None)
    await done


async def test_who_takes_nothing_for_too_long_is_cut_off(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_STALLED_AFTER", 0.2)
    monkeypatch.setattr(sockets, "_LOOK_EVERY", 0.05)
    async with await enter(door) as wire:
        (attach,) = door.host.all(Attach)
        wire.socket.transport.pause_reading()
        big = codec.encode(messages.view("n.2", NOW, {"value": "x" * 8_000_000}), "json")
        door.host.end.send(Tell(attach.channel, big, cursor="n.2"))
        await door.host.gone()


async def test_the_socket_isnt_read_with_too_many_unanswered(door: Door) -> None:  # [SEND6]
    async with await enter(door) as wire:
        (attach,) = door.host.all(Attach)
        for seq in range(1, 301):
            message = {"type": "room.send", "seq": seq, "event": {"type": "a"}, "acked": 0}
            await wire.send(message)
        await door.host.until(lambda heard: len(door.host.said) == 256)
        await asyncio.wait_for(_turn(), WITHIN)
        assert len(door.host.said) == 256
        outcome = codec.encode(messages.outcome(1, "accepted", "n.1"), "json")
        for seq in range(1, 101):
            door.host.end.send(Tell(attach.channel, outcome, seq=seq))
        await door.host.until(lambda heard: len(door.host.said) == 300)
        assert [message["seq"] for message in door.host.said] == list(range(1, 301))
