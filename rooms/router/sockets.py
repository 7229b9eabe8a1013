"""One WebSocket: uvicorn's protocol for handshake and framing, its transport kept for writing.

In: bytes of a peer, parsed by websockets' sans-I/O core inside uvicorn's class; of what came at
once only so much until others have their turn. Out: whole frames that others made, written straight
to the transport, so that a fan-out awaits nothing. Starlette does the request and `accept`; then a
`Listener` adopts the socket, the ASGI side ends, and every frame is one plain call. What we lean on
in uvicorn is listed in tests/rooms/router/test_uvicorn.py.

Next inward: `rooms/router/connections.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from rooms.errors import CloseCode
from rooms.router.intake import AT_ONCE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, MutableMapping

    from websockets.frames import Frame

    from rooms.router.channels import Session
    from rooms.router.intake import Intake

SLOW_ABOVE: Final = 256 * 1024
"""Unsent bytes above which a connection gets no more frames …"""
DRAINED_BELOW: Final = 64 * 1024
"""… until so few are left."""

MAX_PIECES: Final = 1024
"""Frames of one message: empty ones would cost nothing of its bytes."""

_TOO_MUCH: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 66\r\n"
    b"Content-Type: text/plain\r\n\r\n"
    b"a WebSocket's request has at most 128 lines, of at most 8 KiB each"
)
_SLICE: Final = 512  # bytes parsed until it is asked how long that took: at most 85 frames

_STALLED_AFTER: Final = 30.0  # s without a byte of progress
_LOOK_EVERY: Final = 5.0
_PAUSED_AT_MOST: Final = 60.0
_CLOSE_WITHIN: Final = 5.0
_LINGER: Final = 2.0
_MAX_REASON: Final = 123  # bytes of a close frame's reason (RFC 6455, 5.5)

EXTENSION: Final = "rooms.socket"
"""Where the ASGI scope's extensions have the socket."""


class Listener(Protocol):
    """Who hears a socket once it is open."""

    def on_frame(self, data: bytes, text: bool) -> None:
        """A whole message came."""

    def on_slow(self) -> None:
        """More than SLOW_ABOVE is unsent."""

    def on_drained(self) -> None:
        """Less than DRAINED_BELOW is unsent again."""

    def on_gone(self) -> None:
        """The connection is no more. Called once, and last."""

    def last_words(self, code: int, reason: str) -> bytes:
        """The frame that comes before a close frame which the protocol itself has decided on."""


class _Nowhere:
    """Takes the place of queue and event that only the ASGI side reads."""

    def put_nowait(self, item: object) -> None:
        pass

    def set(self) -> None:
        pass

    def clear(self) -> None:
        pass


_NOWHERE: Final[Any] = _Nowhere()


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket connection of uvicorn's, which a `Listener` can adopt."""

    listener: Listener | None = None
    write: Callable[[bytes], object]
    _intake: Intake
    _session: Session
    _paused_at: float | None = None
    _held: deque[tuple[bytes, bool]] | None = None
    _unread = b""  # came, and isn't parsed yet; until it is, nothing more is read
    _waits = False  # for its turn to be read on
    _watch: asyncio.TimerHandle | None = None
    _lingering = False

    # ------------------------------------------------------------------ for the listener

    def adopt(self, listener: Listener, intake: Intake, session: Session) -> None:
        """From now on `listener` hears this socket; what came before is heard first. The time that
        reading it takes is this session's.

        Called by the ASGI application right after it accepted; it may then return.
        """
        self.queue = self.writable = _NOWHERE
        self._intake, self._session = intake, session
        self.listener = listener
        if self.disconnected:
            listener.on_gone()
            return
        self.transport.set_write_buffer_limits(high=SLOW_ABOVE, low=DRAINED_BELOW)
        self._go_on()

    def close(self, code: int, reason: str, last_words: bytes) -> None:
        """Write `last_words`, then a close frame; hang up when the peer answers, or soon."""
        if self.close_sent or self.transport.is_closing():
            return
        self.transport.write(last_words)
        if self.conn.state is OPEN:  # else the peer said goodbye in the same packet: its echo waits
            self.conn.send_close(code, reason.encode()[:_MAX_REASON].decode(errors="ignore"))
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._held = None
        self.resume()
        self._hang_up_within(_CLOSE_WITHIN)

    def pause(self) -> None:
        """Read no more for now."""
        if self._paused_at is None:
            self._paused_at = self.loop.time()
            self.transport.pause_reading()

    def resume(self) -> None:
        """Hear what was read already, then read on."""
        if self._paused_at is None:
            return
        self._paused_at = None
        while self._held and self._paused_at is None:
            self._hear(*self._held.popleft())
        if self._paused_at is None:
            self._held = None
            self._go_on()

    def _hear(self, data: bytes, text: bool) -> None:
        if self.close_sent or self.listener is None:
            return
        if self._paused_at is None:
            self.listener.on_frame(data, text)
            return
        if self._held is None:
            self._held = deque()
        self._held.append((data, text))

    # ------------------------------------------------------------------ reading

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        if not self.handshake_initiated:
            super().data_received(data)
            if self.conn.handshake_exc is not None and not self.handshake_initiated:
                self.transport.write(_TOO_MUCH)  # the one fault that uvicorn itself didn't find
                self.transport.close()
            return
        if (
            self._unread
            or self.listener is None
            or self._paused_at is not None
            or self._intake.owes(self._session.account)
            or self._session.full
        ):
            self._unread += data
            self.transport.pause_reading()
            if self.listener is not None:
                self._go_on()
        else:
            self._read(data)

    def read_on(self) -> None:
        """It is this socket's turn."""
        self._waits = False
        if self._paused_at is None:
            data, self._unread = self._unread, b""
            self._read(data)
            if not self._unread:
                self._go_on()

    def _read(self, data: bytes) -> None:
        """Parse what has come, for as long as may be at once, and keep the rest."""
        intake, size, at = self._intake, len(data), 0
        begun = intake.elapsed()
        parse = super().data_received
        while at < size and not (self._lingering or self.transport.is_closing()):
            if self._paused_at is not None or (at and intake.elapsed() - begun > AT_ONCE):
                self._unread = data[at:]
                self.transport.pause_reading()
                self._go_on()
                break
            parse(data[at : at + _SLICE])
            at += _SLICE
        intake.worked(self._session.account, begun)

    def _go_on(self) -> None:
        """Read what has come when it is its turn, then from the network."""
        if self._paused_at is not None or self.transport.is_closing():
            return
        if not self._unread:
            self.transport.resume_reading()
        elif not self._waits:
            self._waits = True
            self._intake.wait(self._session, self)

    # ------------------------------------------------------------------ uvicorn's hooks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.write = self.transport.write

    async def run_asgi(self) -> None:
        """Serve the handshake. An adopted socket lives on when the application has returned."""
        scope = cast("MutableMapping[str, Any]", self.scope)
        scope["extensions"][EXTENSION] = self
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except Exception:
            self.logger.exception("a WebSocket request failed")
            self.send_500_response()
        if self.listener is None and self.close_timer is None:
            self.transport.close()
        self.request.headers.clear()  # the core's parser holds on to the request
        del self.scope, self.request, self.response  # nobody needs them for the rest of its life

    def send_receive_event_to_app(self) -> None:
        frames, self.frames = self.frames, []
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        self._hear(data, self.curr_msg_data_type == "text")

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) < MAX_PIECES:
            super().handle_cont(event)
        else:
            self.conn.fail(CloseCode.TOO_BIG, f"a message has at most {MAX_PIECES} frames")
            self.handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer, unless so much is unsent that pongs would only pile up: who pings without reading
        has the next one answered (RFC 6455, 5.5.3).
        """
        pongs = self.conn.data_to_send()
        if self.transport.get_write_buffer_size() <= SLOW_ABOVE:
            self.transport.write(b"".join(pongs))

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._hang_up_within(_CLOSE_WITHIN)

    def handle_parser_exception(self) -> None:
        """The peer broke the protocol, or sent more than it may: say so, and hang up.

        What it still sends is read and dropped for a while. Closed at once, with bytes of the peer
        unread, TCP would reset the connection, and the peer never see why.
        """
        if not self.close_sent and self.conn.close_sent is not None:
            closing = self.conn.close_sent
            if self.listener is not None:
                self.transport.write(self.listener.last_words(closing.code, closing.reason))
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._held = self._paused_at = None
        self._unread, self._lingering = b"", True
        self._go_on()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._hang_up_within(_LINGER)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._watch is not None:
            self._watch.cancel()
        self._unread = b""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.on_gone()
        self.conn.parser.close()  # it refers to its owner: nobody would be freed at once

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.listener is not None and self._watch is None:
            self._watch_progress(self.transport.get_write_buffer_size(), self.loop.time())
            self.listener.on_slow()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self.listener is not None and not self.close_sent:
            self.listener.on_drained()

    def keepalive_timeout(self) -> None:
        """No pong came. That proves nothing while we don't read, or can't write."""
        paused = self._paused_at is not None
        if (
            self._watch is not None
            or (self._unread and not paused)
            or (paused and self.loop.time() - cast("float", self._paused_at) < _PAUSED_AT_MOST)
        ):
            self.stop_keepalive()
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    def _watch_progress(self, unsent: int, since: float) -> None:
        """While it is slow: whoever takes nothing for too long isn't there any more."""
        size = self.transport.get_write_buffer_size()
        now = self.loop.time()
        if size < unsent:
            unsent, since = size, now
        if now - since >= _STALLED_AFTER:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(_LOOK_EVERY, self._watch_progress, unsent, since)

    def _hang_up_within(self, seconds: float) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, self.transport.abort)
