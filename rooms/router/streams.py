"""A connection that only listens: server-sent events over plain HTTP (SPEC, STREAM).

In: the same frames that sockets are written; they are taken off again, for streams are few and a
lane's bytes are made for sockets. Out: one event a message, whose `id` is the cursor that is held
after it. The ASGI side waits for room, not who writes: what is unsent waits here, and above a bound
the connection is slow, as a socket would be.

Next inward: `rooms/router/connections.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from starlette.responses import Response

from rooms.router.frames import payloads
from rooms.router.sockets import DRAINED_BELOW, SLOW_ABOVE

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_COMMENT_EVERY: Final = 15.0  # s of silence after which proxies are told that somebody is there
_STALLED_AFTER: Final = 30.0  # s without room for one more chunk
_CHUNK: Final = 16 * 1024
_HEADERS: Final = {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx would wait for more
}


class Listener(Protocol):
    """Whose stream it is."""

    @property
    def cursor(self) -> str | None: ...
    def on_slow(self) -> None: ...
    def on_drained(self) -> None: ...
    def on_gone(self) -> None: ...
    def refusal(self, code: int, reason: str, retry_after: int | None) -> Response:
        """The answer instead of a stream that never began."""


class EventStream(Response):
    """One response that doesn't end by itself. `write` never waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.background = None
        self._listener: Listener | None = None
        self._unsent = bytearray()
        self._news = asyncio.Event()
        self._begun = self._slow = self._ended = self._gone = False
        self._refused: dict[str, Any] | None = None

    # ------------------------------------------------------------------ for the connection

    def adopt(self, listener: Listener) -> None:
        """From now on `listener` hears of this stream."""
        self._listener = listener

    def write(self, frames: bytes) -> None:
        """Put whole frames into the stream, an event each."""
        for payload in payloads(frames):
            self._put(payload)

    def close(self, code: int, reason: str, last_words: bytes) -> None:
        """End the stream with `last_words`; where it hasn't begun, answer with a status instead."""
        self._ended = True
        for payload in payloads(last_words):
            closing = orjson.loads(payload)
            if not self._begun and not self._unsent:
                self._refused = closing
            elif closing["retry_after"] is not None:
                self._put(payload, b"retry: %d\n" % closing["retry_after"])
            else:
                self._put(payload)
        self._news.set()

    def pause(self) -> None:
        """Nothing is read of a stream."""

    def resume(self) -> None:
        """Nothing is read of a stream."""

    def _put(self, payload: bytes, fields: bytes = b"") -> None:
        assert self._listener is not None
        cursor = self._listener.cursor
        if cursor is not None:
            fields = b"%bid: %b\n" % (fields, cursor.encode())
        self._unsent += b"%bdata: %b\n\n" % (fields, payload)
        self._news.set()
        if not self._slow and len(self._unsent) > SLOW_ABOVE:
            self._slow = True
            self._listener.on_slow()

    # ------------------------------------------------------------------ the response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what is written until it is closed, or nobody takes it any more."""
        listener = self._listener
        assert listener is not None
        leaving = self.loop.create_task(self._until_gone(receive))
        try:
            await self._something()
            if self._refused is not None:
                closing = self._refused
                refusal = listener.refusal(
                    closing["code"], closing["reason"], closing["retry_after"]
                )
                await refusal(scope, receive, send)
                return
            self._begun = True
            headers = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while not self._gone:
                await self._send_unsent(send)
                if self._ended:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await self._something()
        except TimeoutError:
            pass  # it stalled
        finally:
            leaving.cancel()
            listener.on_gone()
            self._listener = None

    async def _something(self) -> None:
        """Until there is something to send; a comment, when it has been silent for long."""
        try:
            await asyncio.wait_for(self._news.wait(), _COMMENT_EVERY)
        except TimeoutError:
            self._unsent += b":\n\n"
        self._news.clear()

    async def _send_unsent(self, send: Send) -> None:
        """Raises TimeoutError: it takes nothing any more."""
        while self._unsent and not self._gone:
            chunk = bytes(self._unsent[:_CHUNK])
            del self._unsent[:_CHUNK]
            body = {"type": "http.response.body", "body": chunk, "more_body": True}
            await asyncio.wait_for(send(body), _STALLED_AFTER)
            if self._slow and len(self._unsent) < DRAINED_BELOW and self._listener is not None:
                self._slow = False
                self._listener.on_drained()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._news.set()
