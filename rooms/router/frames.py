"""A message as a WebSocket frame (PURE): made once, written to as many transports as want it.

RFC 6455, 5.2: one unfragmented, unmasked frame without extensions, so the same bytes do for every
connection of a codec. What comes in is parsed by `rooms/router/sockets.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.sync.codec import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rooms.sync.codec import Codec
    from rooms.sync.messages import Json

_TEXT = 0x81  # FIN, opcode 1
_BINARY = 0x82  # FIN, opcode 2


def frame(payload: bytes, codec: Codec) -> bytes:
    """The frame around an encoded message: text for `json`, binary for `msgpack`; in a dialect that
    has both, the payload itself begins with which. Nothing around nothing.
    """
    if codec == "json":
        first = _TEXT
    elif codec == "msgpack":
        first = _BINARY
    elif payload:
        first, payload = payload[0], payload[1:]
    else:
        return b""
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def payloads(frames: bytes) -> Iterator[bytes]:
    """What was put into these frames, for who wants the messages without them."""
    start = 0
    while start < len(frames):
        size, after = frames[start + 1], start + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, after = int.from_bytes(frames[after : after + width], "big"), after + width
        start = after + size
        yield frames[after:start]


def framed(message: dict[str, Json], codec: Codec) -> bytes:
    """A message of the door itself, encoded and framed."""
    return frame(encode(message, codec), codec)
