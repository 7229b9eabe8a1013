"""A socket against a real server: what is said arrives whole, and its end is heard once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.typing import Subprotocol

from client.websocket import WebSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

T = TypeVar("T")

WITHIN = 20.0
JSON = Subprotocol("rooms.v1.json")
MSGPACK = Subprotocol("rooms.v1.msgpack")


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()
        self.end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def opened(self) -> None:
        self.is_open.set()

    def received(self, data: bytes) -> None:
        self.messages.put_nowait(data)

    def ended(self, code: int, reason: str) -> None:
        self.end.set_result((code, reason))


async def within(waiting: Awaitable[T], what: str) -> T:
    done, _ = await asyncio.wait({asyncio.ensure_future(waiting)}, timeout=WITHIN)
    assert done, f"waited {WITHIN} s for {what}"
    return done.pop().result()


@asynccontextmanager
async def server(handler: Any, **options: Any) -> AsyncIterator[str]:
    speaks = {"subprotocols": [JSON, MSGPACK], "compression": None, **options}
    async with serve(handler, "127.0.0.1", 0, **speaks) as serving:
        port = next(iter(serving.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/rooms/counter/abc?client=x"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def test_it_runs_on_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def talk() -> None:
        async with server(echo) as url:
            ear = Ear()
            socket = WebSocket(url, JSON, ear)
            await within(ear.is_open.wait(), "the socket")
            assert socket.send(b"hello")
            assert await within(ear.messages.get(), "an echo") == b"hello"
            socket.close()
            await within(socket.wait_closed(), "the end")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())


@pytest.mark.parametrize(("subprotocol", "kind"), [(JSON, str), (MSGPACK, bytes), (None, str)])
async def test_messages_come_and_go_whole_and_in_order(subprotocol: Any, kind: type) -> None:
    seen: list[Any] = []

    async def handler(connection: ServerConnection) -> None:
        seen.append((connection.subprotocol, connection.request and connection.request.path))
        async for message in connection:
            assert type(message) is kind
            await connection.send(message)

    async with server(handler, subprotocols=[subprotocol] if subprotocol else None) as url:
        ear = Ear()
        socket = WebSocket(url, subprotocol, ear)
        assert not socket.send(b"too early")
        await within(ear.is_open.wait(), "the socket")
        messages = [b"a" * size for size in (1, 0, 125, 126, 65_535, 65_536, 300_000)]
        for message in messages:
            assert socket.send(message)
        for message in messages:
            assert await within(ear.messages.get(), "an echo") == message
        socket.close()
        assert not socket.send(b"too late")
        await within(socket.wait_closed(), "the end")
        assert socket._farewell is not None
        assert socket._farewell.cancelled()
        assert not ear.end.done()
    assert seen == [(subprotocol, "/rooms/counter/abc?client=x")]


async def test_fragments_are_one_message() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(["in ", "three ", "parts"])
        await connection.send("in one")
        await connection.wait_closed()

    async with server(handler) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        assert await within(ear.messages.get(), "the first") == b"in three parts"
        assert await within(ear.messages.get(), "the second") == b"in one"
        socket.close()
        await within(socket.wait_closed(), "the end")


async def test_pings_are_answered_by_themselves() -> None:
    answered = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await (await connection.ping())
        answered.set()
        await connection.wait_closed()

    async with server(handler, ping_interval=None) as url:
        socket = WebSocket(url, JSON, Ear())
        await within(answered.wait(), "a pong")
        socket.close()
        await within(socket.wait_closed(), "the end")


async def test_the_servers_close_is_heard_with_its_code_after_what_came_before() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("last")
        await connection.close(4403, "full")

    async with server(handler) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        assert await within(ear.end, "the close") == (4403, "full")
        assert ear.messages.get_nowait() == b"last"
        await within(socket.wait_closed(), "the end")


async def test_a_connection_that_breaks_is_1006() -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with server(handler) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        code, _ = await within(ear.end, "the loss")
        assert code == 1006
        await within(socket.wait_closed(), "the end")


async def test_a_server_that_breaks_the_protocol_is_left() -> None:
    async def handler(connection: ServerConnection) -> None:
        masked = Frame(Opcode.TEXT, b"x").serialize(mask=True, extensions=[])
        connection.transport.write(masked)
        await connection.wait_closed()

    async with server(handler) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        code, reason = await within(ear.end, "the loss")
        assert (code, reason) == (1006, "incorrect masking")
        await within(socket.wait_closed(), "the end")


async def test_what_isnt_a_socket_is_1006() -> None:
    async def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(502, "no\n")

    async with server(echo, process_request=refuse) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        code, reason = await within(ear.end, "the refusal")
        assert code == 1006
        assert "502" in reason
        await within(socket.wait_closed(), "the end")


async def test_nobody_there_is_1006() -> None:
    ear = Ear()
    socket = WebSocket("ws://127.0.0.1:1/rooms/counter/abc", JSON, ear)
    assert (await within(ear.end, "the refusal"))[0] == 1006
    await within(socket.wait_closed(), "the end")


async def test_closing_at_once_leaves_nothing_behind() -> None:
    async with server(echo) as url:
        for turns in range(6):
            ear = Ear()
            socket = WebSocket(url, JSON, ear)
            for _ in range(turns):
                turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(turn.set_result, None)
                await turn
            socket.close()
            await within(socket.wait_closed(), "the end")
            assert not ear.end.done()


async def test_a_server_that_doesnt_answer_our_close_is_left_after_a_while() -> None:
    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with server(deaf, close_timeout=0.1) as url:
        ear = Ear()
        socket = WebSocket(url, JSON, ear)
        await within(ear.is_open.wait(), "the socket")
        socket.close()
        await within(socket.wait_closed(), "the end")


async def test_what_is_no_address_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="isn't a valid URI"):
        WebSocket("http://127.0.0.1/", JSON, Ear())
