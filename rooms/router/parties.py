"""A connection at `/parties`: partysocket's, which speaks no wire of ours.

In: its frames, text or binary, within the same limits; they go to the host as they came, which
knows what kind of room they are for. Out: frames of the host's codec `party` alone: such a client
has no ear for `room.error` or `room.closing`. It comes back after every close, whatever the code,
so who is refused is let go slowly. Next inward: `rooms/router/routing.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rooms.errors import CloseCode, Closing
from rooms.router.admission import CLIENT_PATTERN
from rooms.router.connections import Connection
from rooms.sync import party

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from rooms.router.admission import Admission
    from rooms.router.connections import Connections
    from rooms.router.limits import Bucket
    from rooms.router.sockets import Socket
    from rooms.sync.codec import Codec

HOLDING: Final = (
    CloseCode.POLICY,
    CloseCode.FORBIDDEN,
    CloseCode.NOT_FOUND,
    CloseCode.UNRESTORABLE,
    CloseCode.TAKEN_OVER,
)
"""Codes that say: don't come back. This client would do so at once, for nothing …"""
HELD: Final = 30.0
"""… so it is kept for as long (s), and heard no more."""


class PartyConnection(Connection):
    """One open socket of the dialect, and its channel."""

    __slots__ = ()

    def __init__(
        self, others: Connections, socket: Socket, codec: Codec, bucket: Bucket | None
    ) -> None:
        super().__init__(others, socket, "party", bucket)

    def admit(self, websocket: WebSocket, *, operator: bool) -> Admission:
        """`_pk` is whom an anonymous viewer follows from, where it can't be guessed. Several
        connections may have the same one: none takes over from another.
        """
        path, pk = websocket.path_params, websocket.query_params.get("_pk", "")
        admission = self._others.admissions.admit(
            path["kind"],
            path["session"],
            websocket.query_params,
            websocket.headers,
            socket=True,
            client=pk if CLIENT_PATTERN.fullmatch(pk) else None,
        )
        return replace(admission, client=None, since=None, cursor=None)

    def on_frame(self, data: bytes, text: bool) -> None:
        channel = self._channel
        if channel is None:
            return
        if self._bucket is not None and not self._bucket.take(self._loop.time()):
            self._end(Closing(CloseCode.TOO_MANY, "too many messages"))
            return
        try:
            said = data.decode() if text else bytes(data)
        except UnicodeDecodeError:
            self._end(Closing(CloseCode.BAD_MESSAGE, "a text frame is UTF-8"))
            return
        self._others.routing.say(channel, {"type": party.SAID, "data": said}, len(data))

    def close(self, closing: Closing) -> None:
        self._channel = None
        code = closing.code
        if code not in HOLDING:
            self._socket.close(code, closing.reason, b"")
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry = self._loop.call_later(
            HELD, self._socket.close, code, closing.reason, b""
        )  # until then nothing that it says is heard

    def _end(self, closing: Closing) -> None:
        self._log(closing)
        if self._channel is not None:
            self._others.routing.end(self._channel, closing)
