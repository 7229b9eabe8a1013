"""The link between processes: a Unix socket, or TCP with or without TLS.

The same face as the pair of queues in one process (`memory.py`): `send` never waits, messages come
out in order, `close` is heard once on the other side. What is said of bytes, credits and the
handshake is in `framing.py`; here are the sockets. The same stream carries the store's protocol,
which brings messages of its own (`rooms/store/remote.py`).

An address is `unix:/path`, `tcp:host:port` or `tls:host:port`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar, cast

from rooms.errors import LinkError, UsageError
from rooms.link import protocol
from rooms.link.framing import MISSED, Framing
from rooms.tasks import resolve

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from rooms.link.protocol import Message

logger = logging.getLogger(__name__)

M = TypeVar("M")

PING_EVERY: Final = 1.0  # s
OPEN_WITHIN: Final = 5.0  # s
SETTLED_WITHIN: Final = 2.0  # s


class Speech(NamedTuple, Generic[M]):
    """How the messages of one protocol become bytes. `decode` raises ValueError."""

    encode: Callable[[M], bytes]
    decode: Callable[[bytes], M]


LINK: Final[Speech[Message]] = Speech(protocol.encode, protocol.decode)
"""What routers and hosts say."""


class Traffic:
    """Bytes that went over links, all of them that were given this."""

    def __init__(self) -> None:
        self.sent = 0
        self.received = 0


class Tls(NamedTuple):
    """Certificate, key and the authority that both sides' certificates are of: PEM files."""

    certificate: str
    key: str
    authority: str

    def context(self, *, dials: bool) -> ssl.SSLContext:
        """Mutual: either side shows a certificate of the authority, which is this fleet's alone, so
        that no name has to be looked at. Raises UsageError.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if dials else ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.authority)
        except OSError as error:
            raise UsageError(f"the link's certificates can't be used: {error}") from error
        return context


class StreamEnd(asyncio.Protocol, Generic[M]):
    """One end of a link over a socket; made by `dial` and `listen`."""

    def __init__(
        self,
        framing: Framing,
        speech: Speech[M],
        on_open: Callable[[StreamEnd[M]], None],
        on_refused: Callable[[Exception], None],
        traffic: Traffic | None = None,
    ) -> None:
        self._traffic = traffic or Traffic()
        self._framing = framing
        self._encode, self._decode = speech
        self._on_open = on_open
        self._on_refused = on_refused
        self._on_message: Callable[[M], None] | None = None
        self._on_close: Callable[[], None] | None = None
        self._inbox: deque[M] = deque()
        self._settling: list[tuple[int, asyncio.Future[None]]] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._flushing = False
        self._writable = True
        self._opened = False
        self._closed = False  # by this side
        self._lost = False

    # ------------------------------------------------------------------ an End

    def send(self, message: M) -> None:
        """Queue a message for the other side. Lost when the link has ended."""
        if self._closed or self._lost:
            return
        try:
            self._framing.send(self._encode(message))
        except LinkError as error:
            self._fail(error)
        else:
            self._flush_soon()

    @property
    def under_way(self) -> int:
        """How many bytes were sent that the other side hasn't said it has taken."""
        return self._framing.under_way

    @property
    def lost(self) -> bool:
        """Whether the link has ended."""
        return self._lost

    def listen(
        self, on_message: Callable[[M], None], on_close: Callable[[], None] | None = None
    ) -> None:
        """Say who gets the other side's messages, and who hears of the link's end."""
        self._on_message = on_message
        self._on_close = on_close
        if self._inbox:
            self._loop.call_soon(self._deliver)
        if self._lost and not self._closed and on_close is not None:
            self._loop.call_soon(on_close)

    def close(self) -> None:
        """End the link once what was sent is written; the other side's `on_close` is called."""
        if not self._closed:
            self._flush()
            self._closed = True
            self._inbox.clear()
            if self._transport is not None:
                self._transport.close()

    async def settle(self) -> None:
        """Wait until the other side has had what was sent, and until what it said before that has
        come; not for ever, nor where the link has ended.
        """
        if self._lost or self._closed:
            return
        self._framing.ping()
        settled = self._loop.create_future()
        self._settling.append((self._framing.pings, settled))
        self._flush()
        await asyncio.wait([settled], timeout=SETTLED_WITHIN)

    def pause(self) -> None:
        """Take nothing more of the other side for now, which has to wait when a link is full."""
        if self._transport is not None and not self._lost:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take on."""
        if self._transport is not None and not self._lost:
            self._transport.resume_reading()

    # ------------------------------------------------------------------ the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._flush()
        self._ticking = self._loop.call_later(PING_EVERY, self._tick)

    def data_received(self, data: bytes) -> None:
        if self._closed or self._lost:
            return
        self._traffic.received += len(data)
        try:
            for whole in self._framing.receive(data):
                self._inbox.append(self._decode(whole))
        except (LinkError, ValueError) as error:
            self._fail(error)
            return
        if self._framing.open and not self._opened:
            self._opened = True
            self._on_open(self)
        self._flush_soon()
        if self._on_message is not None:
            self._deliver()
        for pings, settled in self._settling[:]:
            if pings <= self._framing.pongs:
                self._settling.remove((pings, settled))
                settled.set_result(None)

    def pause_writing(self) -> None:
        self._writable = False  # `framing` keeps, and bounds, what comes meanwhile

    def resume_writing(self) -> None:
        self._writable = True
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        if self._ticking is not None:
            self._ticking.cancel()
        for _, settled in self._settling:
            settled.set_result(None)
        self._settling.clear()
        if not self._opened:
            self._on_refused(exc or LinkError("the other side hung up"))
        elif self._on_close is not None and not self._closed:
            self._on_close()

    def _deliver(self) -> None:
        """Hand over what has come; a message whose handling fails is its own trouble."""
        inbox = self._inbox
        while inbox and self._on_message is not None:
            try:
                self._on_message(inbox.popleft())
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a link message failed", "exception": error}
                )

    def _flush_soon(self) -> None:
        """Whatever is sent in this step of the loop is written at once."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or not self._writable or self._lost or self._closed:
            return
        if data := self._framing.take():
            self._transport.write(data)
            self._traffic.sent += len(data)

    def _tick(self) -> None:
        try:
            self._framing.tick()
        except LinkError as error:
            self._fail(error)
            return
        self._flush()
        self._ticking = self._loop.call_later(PING_EVERY, self._tick)

    def _fail(self, error: Exception) -> None:
        """The other side can't be used: to both, that is the link's end."""
        if self._lost or self._closed:
            return
        if self._opened:
            logger.warning("a link was cut: %s", error)
        self._loop.call_soon(self.connection_lost, error)  # before the transport says so
        if self._transport is not None:
            self._transport.abort()


# ---------------------------------------------------------------------- dial and listen


async def join(
    pair: socket.socket, speech: Speech[M], *, dials: bool, missed: int = MISSED
) -> StreamEnd[M]:
    """The link over one end of a socket pair, which a process and its child have from birth. The
    other side is gone after so many `missed` pings.

    Raises LinkError: it is gone already.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[StreamEnd[M]] = loop.create_future()

    def made() -> StreamEnd[M]:
        framing = Framing(dials=dials, secret=b"born", nonce=os.urandom(16), missed=missed)
        return StreamEnd(framing, speech, opened.set_result, partial(resolve, opened))

    try:
        await loop.create_unix_connection(made, sock=pair)
        return await opened
    except OSError as error:
        raise LinkError(f"the other process is gone: {error}") from error


async def dial(
    address: str,
    secret: bytes,
    speech: Speech[M],
    *,
    tls: Tls | None = None,
    traffic: Traffic | None = None,
) -> StreamEnd[M]:
    """Connect to who listens at `address`; the link once both sides have proved themselves.

    Raises:
        LinkError: nobody is there, or not within 5 s, or it isn't one of ours.
        UsageError: the address or the certificates can't be used.
    """
    loop = asyncio.get_running_loop()
    opened: asyncio.Future[StreamEnd[M]] = loop.create_future()

    def made() -> StreamEnd[M]:
        framing = Framing(dials=True, secret=secret, nonce=os.urandom(16))
        return StreamEnd(framing, speech, opened.set_result, partial(resolve, opened), traffic)

    way, host, port = parse(address)
    end: StreamEnd[M] | None = None
    try:
        async with asyncio.timeout(OPEN_WITHIN):  # noqa: TID251 - bounds a connect
            if way == "unix":
                _, end = await loop.create_unix_connection(made, host)
            else:
                context = _context(tls, dials=True) if way == "tls" else None
                _, end = await loop.create_connection(made, host, port, ssl=context)
            return await opened
    except TimeoutError:
        if end is not None:
            end.close()
        raise LinkError(f"{address}: nothing within {OPEN_WITHIN:g} s") from None
    except (OSError, LinkError) as error:
        raise LinkError(f"{address}: {error}") from error


class Listener:
    """Where others dial; made by `listen`. `address` is what they have to know."""

    def __init__(self, address: str, server: asyncio.Server, path: str | None) -> None:
        self.address = address
        self._server = server
        self._path = path

    def close(self) -> None:
        """Take no more links; those that are there stay."""
        self._server.close()
        if self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


async def listen(
    address: str,
    secret: bytes,
    accept: Callable[[StreamEnd[M]], None],
    speech: Speech[M],
    *,
    tls: Tls | None = None,
    traffic: Traffic | None = None,
) -> Listener:
    """Let others dial `address` (port 0: a free one); `accept` gets each link that has proved
    itself, and has to `listen` to it.

    Raises:
        UsageError: it can't be listened at.
    """
    loop = asyncio.get_running_loop()

    def made() -> StreamEnd[M]:
        framing = Framing(dials=False, secret=secret, nonce=os.urandom(16))
        return StreamEnd(framing, speech, accept, _say_refused, traffic)

    way, host, port = parse(address)
    try:
        if way == "unix":
            with contextlib.suppress(FileNotFoundError):
                os.unlink(host)  # of one that was killed
            before = os.umask(0o177)  # nobody else's process may dial
            try:
                server = await loop.create_unix_server(made, host)
            finally:
                os.umask(before)
            return Listener(address, server, host)
        context = _context(tls, dials=False) if way == "tls" else None
        server = await loop.create_server(made, host, port, ssl=context)
    except OSError as error:
        raise UsageError(f"can't listen at {address}: {error.strerror or error}") from error
    port = server.sockets[0].getsockname()[1]
    return Listener(f"{way}:{host}:{port}", server, None)


def parse(address: str) -> tuple[str, str, int]:
    """Way, host or path, and port of an address. Raises UsageError."""
    way, _, rest = address.partition(":")
    host, _, port = rest.rpartition(":")
    if way == "unix" and rest:
        return way, rest, 0
    if way in ("tcp", "tls") and host and port.isdecimal() and int(port) < 65_536:
        return way, host.strip("[]"), int(port)
    raise UsageError(
        f"{address!r} is no link's address: unix:/path, tcp:host:port or tls:host:port"
    )


def _context(tls: Tls | None, *, dials: bool) -> ssl.SSLContext:
    if tls is None:
        raise UsageError("a tls: link needs ROOMS_LINK_TLS: certificate, key and authority files")
    return tls.context(dials=dials)


def _say_refused(error: Exception) -> None:
    logger.warning("a link was refused: %s", error)
