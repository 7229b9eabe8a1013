"""Messages to bytes and back: JSON text and msgpack (PURE).

In: plain JSON data, in which an actor's reference may stand for itself. Out: bytes for one frame.
What comes from outside is parsed within bounds, and refused as a whole when it can't be; what a
well-formed message may say is `rooms/sync/messages.py`. Next inward: `rooms/sync/messages.py`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgpack
import orjson

from rooms.errors import CloseCode, Closing

Json = Any
Codec = Literal["json", "msgpack", "party", "raw"]
"""The last two are the dialect of `/parties` (`rooms/sync/party.py`): it has views and what rooms
say themselves, but no words for the messages of the wire."""

_MAX_CLAIM: Final = 4096
"""Items that a client's msgpack array or map may announce. The parser makes room for what is
announced before it has read it, at up to 1,024 levels at once."""

_JSON_OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def encode(message: Json, codec: Codec) -> bytes:
    """The bytes of one message; none where the codec has no word for it. An actor's reference
    becomes `{"id": …}`.

    Raises:
        TypeError: something in it isn't JSON data, or is nested over 254 deep.
    """
    try:
        if codec == "json":
            return orjson.dumps(message, default=_reference, option=_JSON_OPTIONS)
        if codec != "msgpack":
            return b""
        packed: bytes = msgpack.packb(message, default=_reference)
        return packed
    except (ValueError, OverflowError) as error:  # msgpack's words for what orjson calls TypeError
        raise TypeError(str(error)) from error


def encode_sorted(value: Json) -> bytes:
    """JSON with sorted keys: equal data, equal bytes. For comparing, never for sending."""
    return orjson.dumps(value, default=_reference, option=_JSON_OPTIONS | orjson.OPT_SORT_KEYS)


def embed(message: dict[str, Json], name: str, encoded: bytes, codec: Codec) -> bytes:
    """The bytes of `message` with one field more, whose value is encoded already.

    `message` has 1 to 14 fields. This is how a view is encoded once for many `room.view` messages
    that differ in their time.
    """
    head = encode(message, codec)
    if codec == "json":
        return b'%b,"%b":%b}' % (head[:-1], name.encode(), encoded)
    fields = 0x80 | len(message) + 1  # msgpack's fixmap
    return b"%c%b%b%b" % (fields, head[1:], encode(name, codec), encoded)


def decode(data: str | bytes, codec: Codec, *, max_claim: int = _MAX_CLAIM) -> Json:
    """What a frame says. JSON may come as text or bytes; which frame it was is the socket's rule.

    `max_claim` bounds msgpack's announced lengths: a client that trusts its server raises it.

    Raises:
        Closing: 4400, it can't be parsed: not JSON, incomplete, too deep, keys that aren't text,
            bytes or extension types.
    """
    try:
        if codec == "json":
            return orjson.loads(data)
        if isinstance(data, str):
            raise Closing(CloseCode.BAD_MESSAGE, "msgpack comes in binary frames")
        return msgpack.unpackb(
            data,
            strict_map_key=True,
            ext_hook=_no_extension,
            max_array_len=max_claim,
            max_map_len=max_claim,
            max_bin_len=0,
            max_ext_len=0,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Closing(CloseCode.BAD_MESSAGE, f"a frame holds one message of {codec}") from error


def _reference(value: Any) -> Json:
    """An actor's reference as a view shows it; nothing else is let through."""
    if hasattr(value, "session_id"):
        return {"id": value.id}
    raise TypeError(f"{type(value).__name__} isn't JSON data")


def _no_extension(code: int, data: bytes) -> Json:
    raise ValueError(f"extension type {code}")
