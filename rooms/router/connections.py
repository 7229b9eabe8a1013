"""Connections: what a socket says becomes messages, or is refused at the door; streams only listen.

In: frames from `rooms/router/sockets.py`. Decoded, checked and within the limits they go on to
routing; pings are answered here. Refused is said so, logged as one line, and nobody else notices.
Out: `room.closing`, `room.error`, `room.pong`; everything else is written by routing.

Next inward: `rooms/router/routing.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from starlette.websockets import WebSocketDisconnect

from rooms import tracing
from rooms.errors import BadMessage, CloseCode, Closing
from rooms.link.protocol import Attach
from rooms.router.channels import Session
from rooms.router.frames import framed
from rooms.router.limits import Bucket, Limits, Visits
from rooms.router.refusals import refused
from rooms.router.sockets import EXTENSION, Socket
from rooms.router.streams import EventStream
from rooms.sync import messages
from rooms.sync.codec import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from rooms.link.protocol import Json
    from rooms.router.admission import Admission, Admissions
    from rooms.router.channels import Channel
    from rooms.router.intake import Intake
    from rooms.router.routing import Routing
    from rooms.router.tokens import Identity
    from rooms.sync.codec import Codec

logger = logging.getLogger(__name__)

_STRANGERS: Final = Session(("", ""))  # all that aren't let in are read as one room's
_PROTOCOLS: Final[dict[str, Codec]] = {"rooms.v1.json": "json", "rooms.v1.msgpack": "msgpack"}


class Connections:
    """The WebSocket side of the door: opens connections, and keeps their common rules."""

    def __init__(
        self,
        routing: Routing,
        admissions: Admissions,
        limits: Limits,
        now: Callable[[], int],
        intake: Intake,
    ) -> None:
        self.routing = routing
        self.admissions = admissions
        self.now = now
        self._limits = limits
        self.visits = Visits(limits)
        self.intake = intake
        self._open: set[Connection] = set()
        self._empty = asyncio.Event()
        self._closing: Callable[[], Closing] | None = None

    async def serve(
        self,
        websocket: WebSocket,
        *,
        make: type[Connection] | None = None,
        operator: bool = False,
    ) -> None:
        """Accept a WebSocket, and let it in or tell it why not. Returns as soon as that is done.

        `make` is a connection of another dialect; an `operator` watches a session.
        """
        socket: Socket = websocket.scope["extensions"][EXTENSION]
        offered = [name for name in websocket.scope["subprotocols"] if name in _PROTOCOLS]
        subprotocol = offered[0] if offered else None
        try:
            await websocket.accept(subprotocol=subprotocol)
        except WebSocketDisconnect:
            return
        codec = _PROTOCOLS[subprotocol] if subprotocol else "json"
        connection = (make or Connection)(self, socket, codec, self._bucket())
        self._open.add(connection)
        try:
            self._let_in(connection, websocket, operator=operator)
        except Closing as closing:
            self.routing.tally.refused += 1
            logger.info("refused %.200r: %s", websocket.url.path, closing)
            socket.adopt(connection, self.intake, _STRANGERS)
            connection.close(closing)
        else:
            socket.adopt(connection, self.intake, connection.session or _STRANGERS)

    def stream(self, admission: Admission, address: str) -> EventStream:
        """A connection that only listens, let in as it was admitted.

        Raises Closing: 4429, or the server is closing.
        """
        self._check_open()
        self.visits.enter(address)
        stream = EventStream(asyncio.get_running_loop())
        connection = Connection(self, stream, "json", None)
        self._open.add(connection)
        stream.adopt(connection)
        connection.enter(address, admission)
        return stream

    def gone(self, connection: Connection, address: str | None) -> None:
        """A connection is no more; `address` is where it was counted."""
        self._open.discard(connection)
        if not self._open:
            self._empty.set()
        if address is not None:
            self.visits.leave(address)

    async def close(self, closing: Callable[[], Closing], within: float) -> None:
        """Close every connection, each with a `closing` of its own, and those that still come;
        wait so many seconds for them to go.
        """
        self._closing = closing
        self.routing.leave(closing)
        self._empty.clear()
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), within)

    def _check_open(self) -> None:
        """Raises Closing: its handshake was under way when the server began to close."""
        if self._closing is not None:
            raise self._closing()

    def _let_in(self, connection: Connection, websocket: WebSocket, *, operator: bool) -> None:
        self._check_open()
        address = websocket.client.host if websocket.client else ""
        self.visits.request(address, asyncio.get_running_loop().time())
        self.admissions.check_origin(websocket.headers)
        admission = connection.admit(websocket, operator=operator)
        self.visits.enter(address)
        connection.enter(address, admission)

    def _bucket(self) -> Bucket | None:
        rate = self._limits.rate
        now = asyncio.get_running_loop().time()
        return None if rate is None else Bucket(rate, self._limits.burst, now)


class Transport(Protocol):
    """What a connection needs of its socket or stream."""

    loop: asyncio.AbstractEventLoop

    @property
    def write(self) -> Callable[[bytes], object]: ...
    def close(self, code: int, reason: str, last_words: bytes) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Connection:
    """One open socket or stream and its channel: a `Listener` of the one, the `Peer` of the
    other.
    """

    __slots__ = (
        "_address",
        "_bucket",
        "_channel",
        "_codec",
        "_expiry",
        "_loop",
        "_others",
        "_socket",
        "_text",
        "write",
    )

    def __init__(
        self, others: Connections, socket: Transport, codec: Codec, bucket: Bucket | None
    ) -> None:
        self._others = others
        self._socket = socket
        self._codec = codec
        self._text = codec == "json"
        self._bucket = bucket
        self._loop = socket.loop
        self._address: str | None = None
        self._channel: Channel | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.write = socket.write

    def admit(self, websocket: WebSocket, *, operator: bool) -> Admission:
        """Who comes in where, by the request. Raises Closing."""
        path, admissions = websocket.path_params, self._others.admissions
        if path.get("rest") or not path.get("session"):
            raise Closing(CloseCode.NOT_FOUND, "there is no socket at this path")
        asked = path["kind"], path["session"], websocket.query_params, websocket.headers
        if operator:
            return admissions.admit_operator(*asked)
        return admissions.admit(*asked, socket=True)

    def enter(self, address: str, admission: Admission) -> None:
        """It is let in: ask the host for its session."""
        self._address = address
        routing = self._others.routing
        attach = Attach(
            channel=routing.number(),
            kind=admission.kind,
            session=admission.session,
            viewer=admission.identity.viewer(),
            client=admission.client,
            since=admission.since,
            cursor=admission.cursor,
            codec=self._codec,
            create=admission.create,
            token=admission.token,
            renewed=admission.renewed,
            params=admission.params,
            headers=admission.headers,
            operator=admission.operator,
            opened=self._others.now(),
        )
        self._channel = routing.open(attach, self)
        self._expire_with(admission.identity)

    # ------------------------------------------------------------------ what the socket says

    @property
    def session(self) -> Session | None:
        """Where it is; None: it isn't let in."""
        return None if self._channel is None else self._channel.session

    @property
    def cursor(self) -> str | None:
        """The view that is held, as far as it was written."""
        return None if self._channel is None else self._channel.cursor

    def on_frame(self, data: bytes, text: bool) -> None:
        channel = self._channel
        if channel is None:
            return
        try:
            if text is not self._text:
                expected = "text" if self._text else "binary"
                raise Closing(CloseCode.BAD_MESSAGE, f"messages come in {expected} frames here")
            if self._bucket is not None and not self._bucket.take(self._loop.time()):
                raise Closing(CloseCode.TOO_MANY, "too many messages")
            message = messages.read(decode(data, self._codec))
            match message["type"]:
                case "room.ping":
                    pong = messages.pong(message["t"], self._others.now())
                    self._others.routing.tell(channel, framed(pong, self._codec), early=True)
                    return
                case "room.token":
                    self._renew(channel, message)
                case "room.presence" if len(data) > messages.MAX_PRESENCE_BYTES:
                    most = messages.MAX_PRESENCE_BYTES
                    raise BadMessage("too_big", f"presence has at most {most} bytes")
                case "room.send" | "room.send_to" if "refused" in message:
                    self._refuse(channel, BadMessage(**message["refused"]), message["seq"])
            if tracing.tracer is None:
                self._others.routing.say(channel, message, len(data))
                return
            with tracing.received(channel, message["type"]):
                self._others.routing.say(channel, message, len(data))
        except BadMessage as refused:
            self._refuse(channel, refused)
        except Closing as closing:
            self._log(closing)
            self._others.routing.end(channel, closing)

    def on_slow(self) -> None:
        if self._channel is not None:
            self._others.routing.slow(self._channel)

    def on_drained(self) -> None:
        if self._channel is not None:
            self._others.routing.drained(self._channel)

    def on_gone(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        if self._channel is not None:
            self._others.routing.close(self._channel)
            self._channel = None
        self._others.gone(self, self._address)

    def last_words(self, code: int, reason: str) -> bytes:
        if self._channel is not None:
            self._others.routing.close(self._channel)
        closing = messages.closing(code, reason, None)
        logger.info("closed %s: %d: %s", self._name(), code, reason)
        return framed(closing, self._codec)

    def refusal(self, code: int, reason: str, retry_after: int | None) -> Response:
        return refused(Closing(CloseCode(code), reason, retry_after))

    # ------------------------------------------------------------------ what routing asks

    def close(self, closing: Closing) -> None:
        code, reason = closing.code, closing.reason
        told = framed(messages.closing(code, reason, closing.retry_after), self._codec)
        self._channel = None
        self._socket.close(code, reason, told)

    def pause(self) -> None:
        self._socket.pause()

    def resume(self) -> None:
        self._socket.resume()

    # ------------------------------------------------------------------ small things

    def _refuse(self, channel: Channel, refused: BadMessage, seq: int | None = None) -> None:
        self._log(refused)
        error = messages.error(refused.code, refused.reason, seq)
        self._others.routing.tell(channel, framed(error, self._codec))

    def _log(self, refused: Exception) -> None:
        self._others.routing.tally.refused += 1
        logger.info("refused of %s: %s", self._name(), refused)

    def _renew(self, channel: Channel, message: dict[str, Json]) -> None:
        """A fresh token: of the same viewer, whose role and claims may have changed."""
        attach, token = channel.attach, message["token"]
        identity = self._others.admissions.again(attach.kind, token, attach.viewer["id"])
        if identity is not None:
            message["viewer"] = identity.viewer()
            self._expire_with(identity)
        viewer = message.get("viewer", attach.viewer)
        channel.attach = replace(attach, token=token, viewer=viewer)

    def _expire_with(self, identity: Identity) -> None:
        """Close when a token that isn't ours to renew expires, and no fresh one came."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        if identity.expires is not None and not identity.own:
            left = (identity.expires - self._others.now()) / 1000
            self._expiry = self._loop.call_later(max(left, 0), self._expired)

    def _expired(self) -> None:
        if self._channel is not None:
            closing = Closing(CloseCode.UNAUTHENTICATED, "the token has expired")
            self._others.routing.end(self._channel, closing)

    def _name(self) -> Channel | str:
        return self._channel or "a connection"
