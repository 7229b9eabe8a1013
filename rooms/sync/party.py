"""The dialect of `/parties`, for clients that don't speak ours: whole snapshots, RFC 6902 patches,
or a room's own text and bytes (PURE).

In: what such a client says; on the way out views, and their steps as operations. A payload for a
connection of this dialect begins with the first byte of its frame, so that text and binary travel
alike (`rooms/router/frames.py`). Codec `party` is for rooms with a machine; `raw` for the others,
whose connections hear nothing but what their hooks say. Next inward: `rooms/host/host.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rooms.errors import BadMessage, Closing
from rooms.sync import messages
from rooms.sync.codec import decode, encode

if TYPE_CHECKING:
    from rooms.sync.messages import Json, Op, View

SAID: Final = "party.message"
"""The type under which the router forwards what such a client says, as it came: `data`."""
SEND_TO: Final = "party.sendTo"

TEXT: Final = b"\x81"  # FIN and opcode of a text frame (RFC 6455, 5.2)
BINARY: Final = b"\x82"

_FIELDS: Final[View] = {"value": {}, "context": {}, "tags": [], "children": {}}
"""What is always there: façades of this dialect ask `tags.has(…)` without looking."""


def read(data: str | bytes) -> dict[str, Json]:
    """What a client of this dialect says to a room with a machine, checked as all events are: a
    plain event, `room.get`, or an event for a child (`party.sendTo`).

    Raises:
        BadMessage: refused; nothing of it is handled.
    """
    try:
        said = decode(data, "json")
    except Closing as closing:
        raise BadMessage("bad_message", closing.reason) from closing
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise BadMessage("bad_message", "a message is an object with a string `type`")
    match said["type"]:
        case "party.snapshot.get":
            return {"type": "room.get"}
        case "party.sendTo":
            child, event = said.get("actorId"), said.get("event")
            if not isinstance(child, str) or not isinstance(event, dict):
                raise BadMessage("bad_message", "`party.sendTo` has an `actorId` and an `event`")
            messages.check_event(event)
            return {"type": SEND_TO, "child": child, "event": event}
    messages.check_event(said)
    return said


def update(view: bytes) -> bytes:
    """The whole view, which is encoded already by `encode_view`."""
    return b'%b{"type":"party.snapshot.update","snapshot":%b}' % (TEXT, view)


def encode_view(view: View) -> bytes:
    """A view as this dialect has it."""
    return encode({**_FIELDS, **view}, "json")


def patch(ops: list[Op], view: View) -> bytes:
    """What led to `view`, as an RFC 6902 patch; as an update where all of it is another one, which
    no patch can do to an object in place.
    """
    if any(not op[0] for op in ops):
        return update(encode_view(view))
    message = {"type": "party.snapshot.patch", "operations": operations(ops, view)}
    return TEXT + encode(message, "json")


def operations(ops: list[Op], view: View) -> list[Json]:
    """Our operations (SPEC, VIEW3) in the words of RFC 6902. None of them is of the root.

    Tags are always told whole: façades make a set of them, which no index leads into.
    """
    told: list[Json] = []
    for op in ops:
        path = op[0]
        pointer = "".join(f"/{_escaped(part)}" for part in path)
        if path[0] == "tags":
            continue
        if len(op) == 4:
            told += _splice(pointer, *op[1:])
        elif len(op) == 2:
            word = "replace" if type(path[-1]) is int else "add"  # `add` sets a field in any case
            told.append({"op": word, "path": pointer, "value": op[1]})
        elif len(path) == 1 and path[0] in _FIELDS:
            told.append({"op": "add", "path": pointer, "value": _FIELDS[path[0]]})
        else:
            told.append({"op": "remove", "path": pointer})
    if any(op[0][0] == "tags" for op in ops):
        told.append({"op": "add", "path": "/tags", "value": view.get("tags", [])})
    return told


def _splice(pointer: str, start: int, count: int, items: list[Json]) -> list[Json]:
    """Items in the place of others: replaced as far as both go, then removed or added."""
    both = min(count, len(items))
    told: list[Json] = [
        {"op": "replace", "path": f"{pointer}/{start + at}", "value": items[at]}
        for at in range(both)
    ]
    told += [{"op": "remove", "path": f"{pointer}/{start + both}"}] * (count - both)
    told += [
        {"op": "add", "path": f"{pointer}/{start + at}", "value": items[at]}
        for at in range(both, len(items))
    ]
    return told


def _escaped(part: str | int) -> str:
    """One part of a JSON pointer (RFC 6901)."""
    return str(part).replace("~", "~0").replace("/", "~1")


def raw(said: str | bytes) -> bytes:
    """A room's own text or bytes, as they are."""
    return TEXT + said.encode() if isinstance(said, str) else BINARY + said
