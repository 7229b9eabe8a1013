"""What crosses a link between processes, as bytes (PURE): handshake, frames, pieces, credit, pings.

In: messages to send, bytes that came, and that a second has passed. Out: bytes to write, messages
that are whole, and a `LinkError` where the other side can't be used. `rooms/link/stream.py` is the
shell around it.

A frame is its length (4 bytes, big-endian, what follows), its kind (1 byte) and its content.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

import msgpack

from rooms.errors import LinkError

VERSION: Final = 1
"""Both sides speak the same, or there is no link."""
PIECE: Final = 64 * 1024
"""The most content that one frame has."""
WINDOW: Final = 4 * 1024 * 1024
"""How many bytes of messages may be under way, that the other side hasn't taken."""
GRANT: Final = WINDOW // 256
"""How many bytes are taken until the other side is told so."""
MAX_MESSAGE: Final = 64 * 1024 * 1024
MAX_WAITING: Final = 64 * 1024 * 1024
"""How many bytes may wait for credit; a side that takes so little is as good as gone."""
MISSED: Final = 3
"""So many pings in a row without a byte from the other side, and it is gone."""

_HELLO, _PROOF, _WHOLE, _PIECE, _CREDIT, _PING, _PONG = range(7)
_HEADER: Final = 5


class Framing:
    """One side of one link.

    `dials` says which side it is. Both know `secret` and prove it over the other's `nonce`, which
    is random and used once. After so many `missed` pings the other side is gone.
    """

    def __init__(self, *, dials: bool, secret: bytes, nonce: bytes, missed: int = MISSED) -> None:
        self._role, self._other = (b"dials", b"listens") if dials else (b"listens", b"dials")
        self._secret = secret
        self._nonce = nonce
        self._theirs: bytes | None = None
        self.open = False  # the other side has proved itself: messages may be sent and taken
        self._came = bytearray()
        self._pieces: list[bytes] = []
        self._pieces_size = 0
        self._taken = 0
        self._credit = WINDOW
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._may_miss = missed
        self._missed = 0
        self.pings = 0
        self.pongs = 0  # how many of them the other side has answered
        hello: bytes = msgpack.packb([VERSION, nonce])
        self._out: list[bytes] = [_frame(_HELLO, hello)]

    # ------------------------------------------------------------------ out

    @property
    def under_way(self) -> int:
        """How many bytes were sent, or wait, that the other side hasn't said it has taken."""
        return WINDOW - self._credit + self._waiting_size

    def send(self, message: bytes) -> None:
        """Queue a message. What the other side has no room for waits.

        Raises:
            LinkError: it is too big, or too much waits.
        """
        size = len(message)
        if size <= PIECE:
            self._put(_frame(_WHOLE, message))
            return
        if size > MAX_MESSAGE:
            raise LinkError(f"a message of {size} bytes is too big for a link")
        last = (size - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            self._put(_frame(_PIECE, message[start : start + PIECE]))
        self._put(_frame(_WHOLE, message[last:]))  # ends the pieces before it

    def take(self) -> bytes:
        """What may be written now."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def _put(self, frame: bytes) -> None:
        if self.open and not self._waiting and len(frame) <= self._credit:
            self._credit -= len(frame)
            self._out.append(frame)
            return
        self._waiting.append(frame)
        self._waiting_size += len(frame)
        if self._waiting_size > MAX_WAITING:
            raise LinkError(f"the other side leaves {self._waiting_size} bytes waiting")

    def _let_go(self) -> None:
        waiting = self._waiting
        while waiting and len(waiting[0]) <= self._credit:
            frame = waiting.popleft()
            self._credit -= len(frame)
            self._waiting_size -= len(frame)
            self._out.append(frame)

    # ------------------------------------------------------------------ in

    def receive(self, data: bytes) -> list[bytes]:
        """The messages that are whole with these bytes.

        Raises:
            LinkError: the other side speaks another version, doesn't know the secret, or talks
                nonsense. Nothing of it counts from then on.
        """
        self._missed = 0
        came = self._came
        came += data
        messages: list[bytes] = []
        start = 0
        while len(came) - start >= _HEADER:
            size = int.from_bytes(came[start : start + 4], "big")
            if not 1 <= size <= PIECE + 1:
                raise LinkError(f"a frame of {size} bytes can't be")
            end = start + 4 + size
            if end > len(came):
                break
            self._frame(came[start + 4], bytes(came[start + _HEADER : end]), messages)
            start = end
        del came[:start]
        return messages

    def _frame(self, kind: int, content: bytes, messages: list[bytes]) -> None:
        match kind:
            case _ if kind in (_HELLO, _PROOF):
                self._shake(kind, content)
            case _ if not self.open:
                raise LinkError("the other side didn't prove that it knows the store's secret")
            case _ if kind == _WHOLE:
                self._count(content)
                if self._pieces:
                    content = b"".join([*self._pieces, content])
                    self._pieces, self._pieces_size = [], 0
                messages.append(content)
            case _ if kind == _PIECE:
                self._count(content)
                self._pieces.append(content)
                self._pieces_size += len(content)
                if self._pieces_size > MAX_MESSAGE:
                    raise LinkError("a message is too big for a link")
            case _ if kind == _CREDIT:
                self._credit += int.from_bytes(content, "big")
                self._let_go()
            case _ if kind == _PING:
                self._out.append(_frame(_PONG, b""))
            case _ if kind == _PONG:
                self.pongs += 1
            case _:
                raise LinkError(f"a frame of kind {kind} can't be")

    def _count(self, content: bytes) -> None:
        """So much was taken: the other side may send as much again, once that is worth a frame."""
        self._taken += _HEADER + len(content)
        if self._taken >= GRANT:
            self._out.append(_frame(_CREDIT, self._taken.to_bytes(8, "big")))
            self._taken = 0

    def _shake(self, kind: int, content: bytes) -> None:
        if kind == _HELLO and self._theirs is None:
            try:
                version, theirs = msgpack.unpackb(content)
            except (ValueError, msgpack.UnpackException) as error:
                raise LinkError("the other side isn't a link of ours") from error
            if version != VERSION:
                raise LinkError(f"the other side speaks version {version}, this one {VERSION}")
            if not isinstance(theirs, bytes) or len(theirs) < 16:
                raise LinkError("the other side isn't a link of ours")
            self._theirs = theirs
            self._out.append(_frame(_PROOF, self._proof(self._role, theirs, self._nonce)))
        elif kind == _PROOF and self._theirs is not None and not self.open:
            if not hmac.compare_digest(
                content, self._proof(self._other, self._nonce, self._theirs)
            ):
                raise LinkError("the other side doesn't know this store's secret")
            self.open = True
            self._let_go()
        else:
            raise LinkError("the other side shakes hands twice")

    def _proof(self, role: bytes, asked: bytes, own: bytes) -> bytes:
        """That this role knows the secret: over the asker's nonce, so that it is of no use twice,
        and over its own, so that it can't be had by asking back.
        """
        return hmac.digest(self._secret, b"rooms link" + role + asked + own, hashlib.sha256)

    # ------------------------------------------------------------------ time

    def tick(self) -> None:
        """A second has passed: ping.

        Raises:
            LinkError: nothing has come for too long.
        """
        if self._missed >= self._may_miss:
            raise LinkError(f"nothing came for {self._missed} pings")
        self._missed += 1
        self.ping()

    def ping(self) -> None:
        """Have the other side answer, after whatever it has sent so far."""
        if self.open:
            self._out.append(_frame(_PING, b""))
            self.pings += 1


def _frame(kind: int, content: bytes) -> bytes:
    return (len(content) + 1).to_bytes(4, "big") + bytes((kind,)) + content
