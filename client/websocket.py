"""One WebSocket, with as little around it as a thousand in one process need.

In: an address. Out, to a listener: that it is open, each message whole, and once, how it ended. The
protocol itself is `websockets`' sans-I/O one; here are a TCP connection and its end. A message is
handed over in the step of the loop in which its bytes came, and sent in the one in which it is
said: no task, no queue. Next: `client/link.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

MAX_BYTES: Final = 64 * 1024 * 1024
"""The largest message that is taken."""

_GOODBYE: Final = 2.0  # seconds that the other side has to answer our close
_DATA: Final = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Listener(Protocol):
    """Who is told what happens to a socket."""

    def opened(self) -> None:
        """Messages can be sent."""

    def received(self, data: bytes) -> None:
        """One message."""

    def ended(self, code: int, reason: str) -> None:
        """It is over, by whatever cause: the last call."""


class Socket(Protocol):
    """What a link needs of a socket."""

    @property
    def unsent(self) -> int:
        """Bytes that wait to go out."""

    def send(self, data: bytes) -> bool:
        """One message; False: the socket isn't open."""

    def close(self) -> None:
        """Say goodbye. The listener hears nothing any more."""

    async def wait_closed(self) -> None:
        """Until nothing of it is left; bounded by the time that the other side has to answer."""


Dial = Callable[[str, str | None, Listener], Socket]
"""Begins to connect to an address with a subprotocol. Raises ValueError: no address of a socket."""


class WebSocket(asyncio.Protocol):
    """A socket of the running loop: the usual `Dial`."""

    def __init__(self, url: str, subprotocol: str | None, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        self._listener: Listener | None = listener
        self._text = subprotocol is None or subprotocol.endswith(".json")
        try:
            uri = parse_uri(url)
        except InvalidURI as error:
            raise ValueError(str(error)) from None
        self._protocol = ClientProtocol(
            uri,
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=MAX_BYTES,
        )
        self._parts: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] = loop.create_future()
        self._dialing = loop.create_task(
            loop.create_connection(
                lambda: self, uri.host, uri.port, ssl=_tls() if uri.secure else None
            )
        )
        self._dialing.add_done_callback(self._dialed)

    # -------------------------------------------------------------- ours

    @property
    def unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def send(self, data: bytes) -> bool:
        if self._protocol.state is not OPEN or self._listener is None:
            return False
        if self._text:
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)
        self._flush()
        return True

    def close(self) -> None:
        self._listener = None
        if self._transport is None:
            self._dialing.cancel()
        elif self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
        elif self._protocol.state is CONNECTING:
            self._transport.abort()

    async def wait_closed(self) -> None:
        await asyncio.shield(self._gone)

    # -------------------------------------------------------------- the network's

    def _dialed(self, dialing: asyncio.Task[object]) -> None:
        if self._transport is None:
            error = None if dialing.cancelled() else dialing.exception()
            self._end(1006, str(error))
            self._gone.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one by its face alone
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._react()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._react()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._end(1006, str(error or "the connection was lost"))
        if self._farewell is not None:
            self._farewell.cancel()
        self._gone.set_result(None)

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                if self._protocol.handshake_exc is None and self._listener is not None:
                    self._listener.opened()
            elif not isinstance(event, Frame):
                continue
            elif event.opcode in _DATA:
                self._take(event)
            elif event.opcode is Opcode.CLOSE:
                close = self._protocol.close_rcvd
                assert close is not None
                self._end(close.code, close.reason)
        refused = self._protocol.handshake_exc or self._protocol.parser_exc
        if refused is not None:
            self._end(1006, str(refused))
        self._flush()

    def _take(self, frame: Frame) -> None:
        if not frame.fin:
            self._parts.append(bytes(frame.data))
            return
        data = bytes(frame.data)
        if self._parts:
            data = b"".join([*self._parts, data])
            self._parts = []
        if self._listener is not None:
            self._listener.received(data)

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        if self._farewell is None and self._protocol.close_expected():
            loop = asyncio.get_running_loop()
            self._farewell = loop.call_later(_GOODBYE, self._transport.abort)

    def _end(self, code: int, reason: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended(code, reason)


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One for all: making one reads all certificates of the system."""
    return ssl.create_default_context()
