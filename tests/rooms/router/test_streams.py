"""Server-sent events on a real port, before a host that a test speaks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from rooms.link.protocol import Attach, Close, Detach, Fanout, Moment, Tell, Want
from rooms.router import streams
from rooms.sync import codec, messages
from tests.rooms.router.doors import NOW, SECRET, open_door
from tests.rooms.router.test_connections import enter
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rooms.router.doors import Door

STREAM = {"Accept": "text/event-stream"}


class Stream:
    """What an EventSource reads, field by field."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def block(self) -> dict[str, str]:
        """The next event or comment: its fields."""
        fields: dict[str, str] = {}
        while line := await self._line():
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        return fields

    async def _line(self) -> str:
        try:
            return await asyncio.wait_for(anext(self._lines), WITHIN)
        except TimeoutError:
            raise AssertionError(f"no event within {WITHIN} s") from None
        except StopAsyncIteration:
            raise EOFError from None

    async def message(self, type: str) -> Any:
        """The next message, which is of this type."""
        message = json.loads((await self.block())["data"])
        assert message["type"] == type, message
        return message


@asynccontextmanager
async def listening(
    door: Door, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Stream]:
    url = door.room() + query
    async with (
        httpx.AsyncClient(trust_env=False, timeout=WITHIN) as client,
        client.stream("GET", url, headers={**STREAM, **(headers or {})}) as response,
    ):
        yield Stream(response)


def emitted(**fields: Any) -> bytes:
    return codec.encode(messages.emitted({"type": "e", **fields}), "json")


async def test_messages_are_events_whose_id_is_the_cursor(
    door: Door,
) -> None:  # [STREAM1] [STREAM2]
    async with listening(door) as stream:
        response = stream.response
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        you = await stream.block()
        assert json.loads(you["data"])["type"] == "room.you"
        assert set(you) == {"data"}
        view = await stream.block()
        assert json.loads(view["data"])["view"] == {"value": "on"}
        assert view["id"] == "n.1"
        patch = codec.encode(messages.patch("n.1", "n.2", []), "json")
        door.host.end.send(Fanout(1, "n.1", "n.2", patch))
        assert (await stream.block())["id"] == "n.2"
        door.host.end.send(Fanout(1, None, None, emitted(text="a\nb")))
        assert (await stream.message("room.emitted"))["event"]["text"] == "a\nb"
        door.host.end.send(Moment(1, None, {"a": emitted(n=1), "b": emitted(n=2, pad="x" * 300)}))
        told = [(await stream.message("room.emitted"))["event"]["n"] for _ in range(2)]
        assert told == [1, 2]
    await door.host.gone()


async def test_what_it_holds_is_told_to_the_host(door: Door) -> None:  # [STREAM2]
    async with listening(door, "?cursor=n.1", {"Last-Event-ID": "n.7"}):
        pass
    async with listening(door, "?cursor=n.1&create=0", {"Last-Event-ID": "?"}):
        pass
    first, second = door.host.all(Attach)
    assert (first.cursor, first.codec, first.create) == ("n.7", "json", True)
    assert (second.cursor, second.create) == ("n.1", False)


REFUSED: dict[str, tuple[str, dict[str, str], int]] = {
    "odd cursor": ("?cursor=%20", {}, 400),
    "bad token": ("?token=x", {}, 401),
    "foreign origin": ("", {"Origin": "http://evil.example"}, 403),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_who_is_refused_gets_the_status(door: Door, name: str) -> None:  # [STREAM3] [OPEN7]
    query, headers, status = REFUSED[name]
    async with listening(door, query, headers) as stream:
        assert stream.response.status_code == status
    assert door.host.heard == []


async def test_a_refusal_of_the_host_before_the_first_word_is_a_status(  # [STREAM3]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(attach: Attach) -> None:
        door.host.end.send(Close(attach.channel, 4403, "this room is full", None))

    monkeypatch.setattr(door.host, "let_in", full)
    async with listening(door) as stream:
        assert stream.response.status_code == 403
        assert json.loads(await stream.response.aread())["reason"] == "this room is full"


async def test_a_refusal_right_after_the_first_word_is_an_event(  # [STREAM3]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in = door.host.let_in

    def shut(attach: Attach) -> None:
        let_in(attach)
        door.host.end.send(Close(attach.channel, 1013, "later", 3_000))

    monkeypatch.setattr(door.host, "let_in", shut)
    async with listening(door) as stream:
        assert stream.response.status_code == 200
        for type in ("room.you", "room.view", "room.closing"):
            await stream.message(type)
        with pytest.raises(EOFError):
            await stream.block()


@pytest.mark.parametrize("retry_after", [None, 3_000])
async def test_a_later_end_is_told_and_when_to_come_back(  # [STREAM3]
    door: Door, retry_after: int | None
) -> None:
    async with listening(door) as stream:
        await stream.message("room.you")
        await stream.message("room.view")
        (attach,) = door.host.all(Attach)
        code = 4403 if retry_after is None else 1013
        door.host.end.send(Close(attach.channel, code, "later", retry_after))
        last = await stream.block()
        assert json.loads(last["data"])["type"] == "room.closing"
        assert last.get("retry") == (None if retry_after is None else "3000")
        with pytest.raises(EOFError):
            await stream.block()


async def test_where_the_server_goes_so_does_a_streams_connection(door: Door) -> None:  # [STREAM3]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    ask = b"GET /rooms/counter/x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
    with contextlib.closing(writer):
        writer.write(ask)
        await asyncio.wait_for(reader.readuntil(b"room.view"), WITHIN)
        door.listening.close()
        await door.router.close()
        last = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), WITHIN)
        assert b"room.closing" in last
        with contextlib.suppress(ConnectionError):
            writer.write(ask)  # as a browser does on a connection that is still there
            assert await asyncio.wait_for(reader.read(1), WITHIN) == b""


async def test_a_comment_after_silence(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:  # [STREAM4]
    monkeypatch.setattr(streams, "_COMMENT_EVERY", 0.01)
    async with listening(door) as stream:
        await stream.message("room.you")
        await stream.message("room.view")
        assert await stream.block() == {"": ""}
        assert await stream.block() == {"": ""}


async def test_it_counts_among_its_addresses_and_ends_with_the_server(  # [STREAM5] [CLOSE1]
    door: Door,
) -> None:
    async with listening(door) as stream, await enter(door):
        await stream.message("room.you")
        await stream.message("room.view")
        closing = asyncio.create_task(door.router.close())
        told = await stream.message("room.closing")
        assert told["code"] == 1001
        await asyncio.wait_for(closing, WITHIN)


async def test_an_operators_token_ends_it_when_it_expires() -> None:  # [STREAM5] [ID6]
    async with open_door() as door:
        door.now = NOW + 999
        token = jwt.encode({"sub": "ada", "exp": NOW // 1000 + 1}, SECRET, algorithm="HS256")
        async with listening(door, headers={"Authorization": f"Bearer {token}"}) as stream:
            if stream.response.status_code == 401:  # a slow machine: before its first message
                return
            with pytest.raises(EOFError):
                while True:
                    last = await stream.block()
            assert json.loads(last["data"])["code"] == 4401


@asynccontextmanager
async def unread(door: Door) -> AsyncIterator[asyncio.StreamReader]:
    """A stream that holds its first view, and of which nothing more is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, limit=1 << 12)
    writer.write(b"GET /rooms/counter/x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
    try:
        await asyncio.wait_for(reader.readuntil(b"room.view"), WITHIN)
        yield reader
    finally:
        writer.close()


def big(door: Door, number: int) -> None:
    """A step of 64 KiB from this number of view to the next."""
    base, cursor = f"n.{number}", f"n.{number + 1}"
    patch = messages.patch(base, cursor, [[["value"], "x" * 65_536]])
    door.host.end.send(Fanout(1, base, cursor, codec.encode(patch, "json")))


async def test_a_slow_stream_misses_frames_and_asks_when_it_has_drained(  # [STREAM5] [VIEW10]
    door: Door,
) -> None:
    async with unread(door) as reader:
        (attach,) = door.host.all(Attach)
        for number in range(1, 21):  # all at once: more than may be unsent
            big(door, number)

        async def read_until(what: bytes) -> bool:
            read = b""
            while what not in read and not reader.at_eof():
                read = read[-len(what) :] + await reader.read(1 << 16)
            return what in read

        reading = asyncio.create_task(read_until(b"id: n.last"))
        await door.host.until(lambda heard: bool(door.host.all(Want)))
        (want,) = door.host.all(Want)
        assert want.channel == attach.channel
        assert want.cursor in {f"n.{number}" for number in range(4, 8)}
        view = codec.encode(messages.view("n.last", NOW, {"value": "end"}), "json")
        door.host.end.send(Tell(attach.channel, view, cursor="n.last"))
        assert await asyncio.wait_for(reading, WITHIN)
    await door.host.gone()
    assert [message.channel for message in door.host.all(Detach)] == [attach.channel]


async def test_one_that_takes_nothing_for_long_is_let_go(  # [STREAM5]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_STALLED_AFTER", 0.05)
    async with unread(door):
        patch = messages.patch("n.1", "n.2", [[["value"], "x" * 8_000_000]])
        door.host.end.send(Fanout(1, "n.1", "n.2", codec.encode(patch, "json")))
        await door.host.gone()
