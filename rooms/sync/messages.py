"""Every message of the wire, version 1: what a client may say, and what it is told (PURE).

`read` is the door: it takes what the codec decoded and gives a well-formed client message, or says
how it is refused (SPEC, DOOR). The functions below it make the server's messages. Used by the
router on the way in, and by the host on the way out.

Next inward: `rooms/router/routing.py` sends what was read over the link.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, Literal, TypeGuard

from rooms.errors import BadMessage, CloseCode, Closing

Json = Any
View = dict[str, Json]
Op = list[Json]
OutcomeWord = Literal["accepted", "ignored", "rejected"]

SESSION_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}")
KIND_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
CURSOR_PATTERN: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_KEYS: Final = 1000
MAX_PRESENCE_BYTES: Final = 2048
MAX_UNANSWERED: Final = 64
MAX_SAFE_INTEGER: Final = 2**53

NUMBERED: Final = frozenset({"room.send", "room.send_to"})
"""What has a number, and an outcome."""
FORBIDDEN_KEYS: Final = frozenset({"__proto__", "constructor", "prototype"})
_NOT_FOR_CLIENTS: Final = ("xstate.", "room.", "party.")


def read(data: Json) -> dict[str, Json]:
    """The client message in `data`, checked: a plain event or one of the `room.*` messages.

    A numbered message whose event is refused is still a message: its `event` is replaced by
    `"refused": {"code", "reason"}`, so that its number gets an outcome (SPEC DOOR9).

    Raises:
        Closing: 4400, not an object or without a string `type`.
        BadMessage: refused, the connection stays.
    """
    if not isinstance(data, dict):
        raise Closing(CloseCode.BAD_MESSAGE, "a message is one JSON object")
    kind = data.get("type")
    if not isinstance(kind, str):
        raise Closing(CloseCode.BAD_MESSAGE, "a message has a string `type`")
    if not kind.startswith("room."):
        check_event(data)
        return data
    match kind:
        case "room.send":
            return _numbered({"type": kind}, data)
        case "room.send_to":
            child = data.get("child")
            if not isinstance(child, str) or not child:
                raise BadMessage("bad_message", "`room.send_to` names its `child`")
            return _numbered({"type": kind, "child": child}, data)
        case "room.presence":
            check_data(data.get("data"))
            return {"type": kind, "data": data.get("data")}
        case "room.get":
            return {"type": kind}
        case "room.token":
            if not isinstance(data.get("token"), str):
                raise BadMessage("bad_message", "`room.token` carries a string `token`")
            return {"type": kind, "token": data["token"]}
        case "room.ping":
            t = data.get("t")
            if not (t is None or _is_number(t) or (type(t) is float and math.isfinite(t))):
                raise BadMessage("bad_message", "`t` is a number")
            return {"type": kind, "t": t}
        case _:
            raise BadMessage(_unknown(kind), f"a client can't send {kind!r}")


def _unknown(kind: str) -> str:
    """`reserved` for what the server makes, `unknown_type` for what nobody knows."""
    known = ("room.joined", "room.away", "room.back", "room.left", "room.effect.")
    return "reserved" if kind.startswith(known) else "unknown_type"


def _numbered(message: dict[str, Json], data: dict[str, Json]) -> dict[str, Json]:
    seq, acked = data.get("seq"), data.get("acked")
    if not _is_number(seq) or seq < 1:
        raise BadMessage("bad_message", f"`{message['type']}` has an integer `seq` from 1")
    if acked is not None and (not _is_number(acked) or acked < 0):
        raise BadMessage("bad_message", "`acked` is an integer")
    message["seq"] = seq
    if acked is not None:
        message["acked"] = acked
    event = data.get("event")
    try:
        check_event(event)
    except BadMessage as refused:
        message["refused"] = {"code": refused.code, "reason": refused.reason}
    else:
        message["event"] = event
    return message


def _is_number(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SAFE_INTEGER


def check_event(event: Json) -> None:
    """Refuse what is no event, and an event that no client may send: reserved types, a `sender` of
    its own, unsafe data."""
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise BadMessage("bad_event", "an event is an object with a string `type`")
    if reserved(event["type"]):
        raise BadMessage("reserved", f"a client can't send {event['type'][:80]!r}")
    if "sender" in event:
        raise BadMessage("sender", "`sender` is stamped by the server")
    check_data(event)


def reserved(type: str) -> bool:
    """Whether events of this type are the server's to make, or stand for all types."""
    return type.startswith(_NOT_FOR_CLIENTS) or type == "*"


def check_data(data: Json) -> None:
    """Refuse data that is too deep, has too many or dangerous keys, NaN, or an unsafe integer.

    Iterative: a message can't choose how deep our own stack gets.
    """
    keys = 0
    todo: list[tuple[Json, int]] = [(data, 1)]
    while todo:
        value, depth = todo.pop()
        kind = type(value)
        if kind is dict or kind is list:
            if depth > MAX_DEPTH:
                raise BadMessage("too_deep", f"data may be nested {MAX_DEPTH} deep")
            keys += len(value)
            if keys > MAX_KEYS:
                raise BadMessage("too_many_keys", f"a message may have {MAX_KEYS} keys and items")
            if kind is dict:
                for key in value:
                    if type(key) is not str:
                        raise BadMessage("bad_key", "keys are strings")
                    if key in FORBIDDEN_KEYS:
                        raise BadMessage("forbidden_key", f"the key {key!r} is refused")
                todo.extend((item, depth + 1) for item in value.values())
            else:
                todo.extend((item, depth + 1) for item in value)
        elif kind is float:
            if not math.isfinite(value):
                raise BadMessage("bad_number", "NaN and infinities aren't JSON")
        elif kind is int:
            if abs(value) > MAX_SAFE_INTEGER:
                raise BadMessage("bad_number", "integers are within 2^53")
        elif not (value is None or kind is str or kind is bool):
            raise BadMessage("bad_value", f"{kind.__name__} isn't JSON")


# ------------------------------------------------------------------ what the server says


def you(
    *, id: str, role: str, connection: str, token: str | None, seq: int, now: int
) -> dict[str, Json]:
    """Who you are here; always the first message. `seq`: the highest number settled for this
    client."""
    me = {"id": id, "role": role, "connection": connection}
    return {"type": "room.you", "me": me, "token": token, "seq": seq, "now": now}


def view(cursor: str, now: int, view: View) -> dict[str, Json]:
    """The whole view."""
    return {"type": "room.view", "cursor": cursor, "now": now, "view": view}


def patch(base: str, cursor: str, ops: list[Op]) -> dict[str, Json]:
    """What changed from the view at `base` to the one at `cursor`."""
    return {"type": "room.patch", "base": base, "cursor": cursor, "ops": ops}


def unchanged(cursor: str, now: int) -> dict[str, Json]:
    """On resume: what you hold is the newest."""
    return {"type": "room.unchanged", "cursor": cursor, "now": now}


def outcome(
    seq: int, word: OutcomeWord, cursor: str | None, reason: str | None = None, result: Json = None
) -> dict[str, Json]:
    """What became of event `seq`; it follows the frame that brings the view to `cursor`."""
    message: dict[str, Json] = {"type": "room.outcome", "seq": seq, "outcome": word}
    if cursor is not None:
        message["cursor"] = cursor
    if reason is not None:
        message["reason"] = reason
    if result is not None:
        message["result"] = result
    return message


def resend(first: int) -> dict[str, Json]:
    """A gap: send again from this number on."""
    return {"type": "room.resend", "from": first}


def emitted(event: dict[str, Json]) -> dict[str, Json]:
    """An event that the machine emitted."""
    return {"type": "room.emitted", "event": event}


def present(
    viewers: dict[str, Json], count: int | None = None, *, all: bool = False
) -> dict[str, Json]:
    """Who is here and their presence data, by viewer id; None for one who went. `count` stands for
    everybody where they are too many. `all`: who isn't named isn't here, whatever was told before.
    """
    message: dict[str, Json] = {"type": "room.present"}
    if viewers or count is None:
        message["viewers"] = viewers
    if count is not None:
        message["count"] = count
    if all:
        message["all"] = True
    return message


def status(word: Literal["live", "moving"]) -> dict[str, Json]:
    """The room's incarnation changes; keep your state on screen."""
    return {"type": "room.status", "status": word}


def pong(t: Json, now: int) -> dict[str, Json]:
    """The door's answer to a ping."""
    return {"type": "room.pong", "t": t, "now": now}


def error(code: str, reason: str, seq: int | None = None) -> dict[str, Json]:
    """A message was refused; the connection stays. `seq` when it was a numbered one."""
    message: dict[str, Json] = {"type": "room.error", "code": code, "reason": reason}
    if seq is not None:
        message["seq"] = seq
    return message


def closing(code: int, reason: str, retry_after: int | None) -> dict[str, Json]:
    """The connection is about to be closed; `retry_after` in ms, None: don't come back."""
    return {"type": "room.closing", "code": code, "reason": reason, "retry_after": retry_after}
