"""Plain connections, and how long they may take: a head to be whole, a body to get on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import ServerState

from rooms.router.listening import Requests
from tests.clock import virtual

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Transport(asyncio.Transport):
    """Of a client who is hung up on, or not yet."""

    aborted = False
    protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def abort(self) -> None:
        self.aborted = True

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def reads(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads a request, and has no answer for it."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Socket(asyncio.Protocol):
    """Where a connection goes on."""

    def __init__(self, **_: Any) -> None: ...


class Client:
    """Who sends a byte now and then."""

    def __init__(self) -> None:
        config = uvicorn.Config(reads, ws=Socket, log_config=None, lifespan="off")
        self.transport = Transport()
        self.connection = Requests(config, ServerState(), {}, virtual())
        self.connection.connection_made(self.transport)

    async def sends(self, data: bytes, *, every: int) -> bool:
        """Whether it was hung up on, as it sent one byte after the other (`every` so many s)."""
        for at in range(len(data)):
            self.connection.data_received(data[at : at + 1])
            await virtual().advance(every * 1000)
            if self.transport.aborted:
                return True
        return False

    async def gone(self) -> None:
        self.connection.connection_lost(None)
        await virtual().settle()


async def test_a_byte_now_and_then_makes_no_head_whole() -> None:  # [DOOR12]
    client = Client()
    assert await client.sends(b"GET / HTTP/1.1\r\nX: " + b"x" * 20, every=1)
    await client.gone()


async def test_a_body_that_gets_on_may_take_its_time() -> None:  # [DOOR12]
    client = Client()
    client.connection.data_received(HEAD)
    assert not await client.sends(b"x" * 20, every=4)
    assert await client.sends(b"x" * 2, every=21)
    await client.gone()


async def test_who_has_gone_over_to_a_socket_is_watched_no_more() -> None:  # [DOOR12]
    client = Client()
    client.connection.data_received(UPGRADE)
    assert client.transport.protocol is not None
    watch = client.connection._watch
    assert watch is not None
    assert watch.cancelled(), "for its connection goes on for long"
