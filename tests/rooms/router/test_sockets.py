"""Sockets, by hand: what a peer does that no WebSocket library would let us do."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import socket
import struct
import weakref
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from rooms.link.protocol import Attach, Close
from rooms.router import channels, listening, sockets
from tests.rooms.router.doors import open_door
from tests.wire import WITHIN, dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.rooms.router.doors import Door

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SMALL = 16_384
"""Bytes that the kernel keeps for who reads, and for who writes, where it keeps little."""


def frame(opcode: int, data: bytes = b"", *, first: int = 0x80, mask: bool = True) -> bytes:
    """A client's frame; `first` has its FIN and reserved bits."""
    size = len(data)
    head = bytes([first | opcode])
    bit = 0x80 if mask else 0
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + b"\x00\x00\x00\x00" + data if mask else head + data


class Raw:
    """A TCP connection that speaks WebSocket as badly as we like."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def upgrade(self, path: str = "/rooms/counter/x", **headers: str) -> bytes:
        """Ask for a WebSocket; the status line of the answer."""
        fields = {
            "Host": "x",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            "Sec-WebSocket-Version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WITHIN)
        return head.split(b"\r\n")[0]

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and data."""
        first, size = await asyncio.wait_for(self.reader.readexactly(2), WITHIN)
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await asyncio.wait_for(self.reader.readexactly(size), WITHIN)

    async def message(self) -> dict[str, Any]:
        opcode, data = await self.frame()
        while opcode == PING:  # of the server's own, on a slow machine
            opcode, data = await self.frame()
        assert opcode == TEXT
        message: dict[str, Any] = json.loads(data)
        return message

    async def closed(self) -> int:
        """`room.closing`, a close frame of the same code, then the end; gives the code."""
        closing = await self.message()
        assert closing["type"] == "room.closing"
        opcode, data = await self.frame()
        assert opcode == CLOSE
        (code,) = struct.unpack("!H", data[:2])
        assert isinstance(code, int)
        assert closing["code"] == code
        assert await asyncio.wait_for(self.reader.read(), WITHIN) == b""
        return code


@asynccontextmanager
async def raw(door: Door, *, upgraded: bool = True, small: bool = False) -> AsyncIterator[Raw]:
    here = socket.socket()
    if small:  # from the first: packets beyond a window that shrinks are lost, and sent again later
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    here.setblocking(False)
    await asyncio.get_running_loop().sock_connect(here, ("127.0.0.1", door.port))
    reader, writer = await asyncio.open_connection(sock=here)
    connection = Raw(reader, writer)
    if upgraded:
        assert await connection.upgrade() == b"HTTP/1.1 101 Switching Protocols"
        assert (await connection.message())["type"] == "room.you"
        assert (await connection.message())["type"] == "room.view"
    try:
        yield connection
    finally:
        writer.transport.abort()


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO)
    yield
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.exc_info] == []
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


WRONG = {
    "unmasked": (frame(TEXT, b"{}", mask=False), 1002),
    "a reserved bit": (frame(TEXT, b"{}", first=0xC0), 1002),
    "a reserved opcode": (frame(3, b"{}"), 1002),
    "a continuation of nothing": (frame(0, b"{}"), 1002),
    "a large ping": (frame(PING, b"x" * 126), 1002),
    "a ping in pieces": (frame(PING, b"x", first=0), 1002),
    "a close of one byte": (frame(CLOSE, b"x"), 1002),
    "a close of a reserved code": (frame(CLOSE, b"\x03\xed"), 1002),
    "a close of broken text": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "broken UTF-8": (frame(TEXT, b'{"type":"\xff"}'), 4400),
    "not a frame at all": (b"GET / HTTP/1.1\r\n\r\n", 1002),
    "random bytes": (bytes([0xFF] * 64), 1002),
    "an announced terabyte": (b"\x81\xff" + struct.pack("!Q", 1 << 40) + b"\0\0\0\0", 1009),
    "a negative length": (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
    "too much in pieces": (
        frame(TEXT, b"x" * 40_000, first=0) + frame(0, b"x" * 40_000),
        1009,
    ),
    "nothing in too many pieces": (frame(TEXT, first=0) + frame(0, first=0) * 2_000, 1009),
}


@pytest.mark.parametrize("case", WRONG)
async def test_who_breaks_the_protocol_is_told_and_closed(  # [DOOR1] [DOOR2] [DOOR10]
    door: Door, case: str
) -> None:
    data, code = WRONG[case]
    async with raw(door) as other, raw(door) as connection:
        connection.writer.write(data)
        if code >= 4000:  # ours to close in the ordinary way: the peer has to agree
            connection.writer.write(frame(CLOSE, struct.pack("!H", code)))
        assert await connection.closed() == code
        await door.host.gone()
        other.writer.write(frame(TEXT, b'{"type":"room.ping","t":1}'))
        assert (await other.message())["type"] == "room.pong"
    assert door.host.said == []


async def test_a_flood_after_the_end_doesnt_hide_why(door: Door) -> None:  # [DOOR2]
    async with raw(door) as connection:
        connection.writer.write(frame(TEXT, b"x" * 8_000_000))
        assert await connection.closed() == 1009


async def test_whoever_never_answers_a_close_is_hung_up_on(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_CLOSE_WITHIN", 0.05)
    async with raw(door) as connection:
        (attach,) = door.host.all(Attach)
        door.host.end.send(Close(attach.channel, 4403, "no", None))
        assert (await connection.message())["type"] == "room.closing"
        assert (await connection.frame())[0] == CLOSE
        assert await asyncio.wait_for(connection.reader.read(), WITHIN) == b""


async def test_a_peer_may_close_with_or_without_a_reason(door: Door) -> None:
    for number, data in enumerate((b"", b"\x03\xe8", b"\x03\xe8bye", b"\x0f\xa0"), 1):
        async with raw(door) as connection:
            connection.writer.write(frame(CLOSE, data))
            assert await connection.frame() == (CLOSE, data)
            assert await connection.reader.read() == b""
            await door.host.gone(number)


async def test_a_peer_may_just_vanish(door: Door) -> None:
    async with raw(door) as connection:
        connection.writer.write(frame(TEXT, b'{"type":')[:-3])
        connection.writer.transport.abort()
        await door.host.gone()


async def test_pings_of_the_protocol_are_answered(door: Door) -> None:
    async with raw(door) as connection:
        connection.writer.write(frame(PING, b"hello"))
        assert await connection.frame() == (PONG, b"hello")


async def test_pongs_dont_pile_up_for_who_doesnt_read(  # [VIEW10]
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sockets.Socket.connection_made

    def made_small(self: sockets.Socket, transport: Any) -> None:
        made(self, transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)

    monkeypatch.setattr(sockets.Socket, "connection_made", made_small)
    async with raw(door, small=True) as connection:
        reading = connection.writer.transport
        reading.pause_reading()  # type: ignore[attr-defined]
        connection.writer.write(frame(PING, b"x" * 125) * 10_000)
        connection.writer.write(frame(TEXT, b'{"type":"said"}'))
        await door.host.until(lambda heard: len(door.host.said) == 1)
        connection.writer.write(frame(TEXT, b'{"type":"room.ping","t":1}'))
        reading.resume_reading()  # type: ignore[attr-defined]
        pongs = 0
        while (got := await connection.frame())[0] == PONG:
            pongs += 1
        assert got[0] == TEXT
        assert 1_000 < pongs < 5_000
        connection.writer.write(frame(PING, b"again"))
        assert await connection.frame() == (PONG, b"again")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /rooms/counter/x HT",
        b"POST /rooms/counter/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ],
)
async def test_who_never_ends_a_request_is_hung_up_on(  # [DOOR12]
    door: Door, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(listening, "_REQUEST_WITHIN", 0.3)  # enough for the first to be upgraded
    async with raw(door) as open_already, raw(door, upgraded=False) as connection:
        connection.writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(connection.reader.read(), WITHIN) == b""
        open_already.writer.write(frame(PING, b"here"))
        assert await open_already.frame() == (PONG, b"here")


async def test_many_frames_in_one_packet_are_heard_in_order(door: Door) -> None:
    async with raw(door) as connection:
        frames = [frame(TEXT, b'{"type":"e%d"}' % n) for n in range(50)]
        connection.writer.write(b"".join(frames))
        await door.host.until(lambda heard: len(door.host.said) == 50)
        assert [said["type"] for said in door.host.said] == [f"e{n}" for n in range(50)]


HANDSHAKES: dict[str, tuple[str, dict[str, str], int]] = {
    "no key": ("/rooms/counter/x", {"Sec_WebSocket_Key": ""}, 400),
    "another version": ("/rooms/counter/x", {"Sec_WebSocket_Version": "12"}, 400),
    "another upgrade": ("/rooms/counter/x", {"Upgrade": "h2c"}, 200),
    "a long line": ("/rooms/counter/x?token=" + "x" * 20_000, {}, 431),
    "a large cookie": ("/rooms/counter/x", {"Cookie": "x" * 9000}, 431),
    "many headers": ("/rooms/counter/x", {f"X{n}": "x" for n in range(130)}, 431),
}


@pytest.mark.parametrize("case", HANDSHAKES)
async def test_a_bad_handshake_gets_a_status(door: Door, case: str) -> None:  # [DOOR14]
    path, headers, status = HANDSHAKES[case]
    async with raw(door, upgraded=False) as connection:
        answer = await connection.upgrade(path, **headers)
        assert answer.startswith(f"HTTP/1.1 {status}".encode())
        if status == 431:
            assert len(await asyncio.wait_for(connection.reader.read(), WITHIN)) == 66


async def test_keepalive_cuts_off_who_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PING_EVERY", 0.05)
    monkeypatch.setattr(listening, "_PONG_WITHIN", 0.05)
    async with open_door() as door, raw(door, upgraded=False) as connection:
        await connection.upgrade()
        opcodes = [(await connection.frame())[0] for _ in range(3)]
        assert sorted(opcodes) == [TEXT, TEXT, PING]  # who it is, its view, and at some time this
        await door.host.gone()


async def test_keepalive_is_patient_while_we_dont_read(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "STOP_READING", 1)
    async with raw(door) as connection:
        connection.writer.write(frame(TEXT, b'{"type":"room.send","seq":1,"event":{"type":"a"}}'))
        await door.host.until(lambda heard: len(door.host.said) == 1)
        (channel,) = door.router._routing._channels.values()
        there: Any = channel.peer._socket  # type: ignore[attr-defined]
        there.ping_interval = there.ping_timeout = 0.02  # only now, for a slow machine's sake
        there.stop_keepalive()
        there.schedule_ping()
        for _ in range(5):  # five pings without a pong, and it is still there
            assert (await connection.frame())[0] == PING
        (attach,) = door.host.all(Attach)
        door.host.end.send(Close(attach.channel, 4403, "still there", None))
        while (message := await connection.frame())[0] == PING:
            pass
        assert json.loads(message[1])["reason"] == "still there"


async def test_not_reading_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PING_EVERY", 0.02)
    monkeypatch.setattr(listening, "_PONG_WITHIN", 0.02)
    monkeypatch.setattr(sockets, "_PAUSED_AT_MOST", 0.1)
    monkeypatch.setattr(channels, "STOP_READING", 1)
    async with open_door() as door, raw(door) as connection:
        numbered = frame(TEXT, b'{"type":"room.send","seq":1,"event":{"type":"a"}}')
        connection.writer.write(numbered + frame(TEXT, b'{"type":"more"}') * 100)
        await door.host.gone()


async def test_memory_of_the_handshake_is_given_back(door: Door) -> None:
    async with await dial(door.room(), {"client": "c" * 22}) as wire:
        await wire.expect("room.you")
        (channel,) = door.router._routing._channels.values()
        socket = channel.peer._socket  # type: ignore[attr-defined]
        assert not {"scope", "request", "response"} & set(vars(socket))
        assert socket.queue is sockets._NOWHERE


async def test_a_connection_that_is_gone_leaves_no_cycles(door: Door) -> None:
    gc.disable()
    try:
        async with raw(door):
            (channel,) = door.router._routing._channels.values()
            socket: Any = channel.peer._socket  # type: ignore[attr-defined]
            freed = [weakref.ref(socket), weakref.ref(socket.conn)]
            del channel, socket
        await door.host.gone()
        async with raw(door):  # by then the loop has let go of it, too
            assert [ref() for ref in freed] == [None, None]
    finally:
        gc.enable()


async def test_random_bytes_never_raise(door: Door) -> None:
    for seed in range(30):
        async with raw(door) as connection:
            connection.writer.write(Random(seed).randbytes(300))
            connection.writer.write_eof()
            await asyncio.wait_for(connection.reader.read(), WITHIN)
    await door.host.gone(30)
