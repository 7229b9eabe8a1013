"""Dialling the wire by hand: raw frames to a real socket, and what comes back, as the tables of the
wire have it. Every wait has a bound and says what it waited for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WITHIN = 20.0
Message = dict[str, Any]


async def dial(
    url: str,
    query: Mapping[str, str] | None = None,
    *,
    protocols: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> Wire:
    """Open a socket at `url` (http or ws), with this query and nothing else."""
    address = url.replace("http", "ws", 1) + (f"?{urlencode(query)}" if query else "")
    socket = await connect(
        address,
        subprotocols=[Subprotocol(name) for name in protocols] or None,
        additional_headers=headers,
        compression=None,
        max_size=None,
        ping_interval=None,
        close_timeout=1,
        proxy=None,
    )
    return Wire(socket)


class Wire:
    """One open socket. Messages are read in order; none is skipped."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def __aenter__(self) -> Wire:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def send(self, message: Any) -> None:
        """One JSON message in a text frame."""
        await self.socket.send(json.dumps(message))

    async def receive(self) -> Message:
        """The next message."""
        try:
            frame = await asyncio.wait_for(self.socket.recv(), WITHIN)
        except TimeoutError:
            raise AssertionError(f"no message within {WITHIN} s") from None
        message: Message = json.loads(frame)
        return message

    async def expect(self, type: str) -> Message:
        """The next message, which is of this type."""
        message = await self.receive()
        assert message["type"] == type, message
        return message

    async def quiet(self) -> None:
        """Nothing has come: what is sent now is answered next. The door answers pings."""
        await self.send({"type": "room.ping", "t": 1})
        assert (await self.expect("room.pong"))["t"] == 1

    async def closed(self) -> tuple[int, list[Message]]:
        """The close code, and all messages that came before it."""
        messages: list[Message] = []
        try:
            while True:
                messages.append(await self.receive())
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise AssertionError("the connection was cut without a close frame") from closed
            return closed.rcvd.code, messages

    async def refused(self) -> Message:
        """The `room.closing` that came last, whose code is that of the close frame."""
        code, messages = await self.closed()
        assert messages, f"closed with {code} and not a word"
        closing = messages[-1]
        assert closing["type"] == "room.closing"
        assert closing["code"] == code
        return closing
