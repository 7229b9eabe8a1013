"""The door of a room: whether an event may be handled at all. It decides, and changes nothing.

In: an event, who sends it, and the newest snapshot. Out: the outcome that refuses it, or None. What
a well-formed message is was decided at the router's door (`rooms/sync/messages.py`). Next:
`rooms/host/session.py` stamps and steps.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from rooms.errors import CloseCode, Closing
from rooms.host.marks import Outcome
from rooms.host.neighbours import PREFIX, Neighbour
from rooms.logs import named
from rooms.sync.views import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.definition import Room
    from rooms.host.seats import Seats
    from rooms.sync.views import Seen

logger = logging.getLogger(__name__)

OPERATOR: Final = Viewer("room.operator", "operator")
"""Who runs the server. It is this very object that may do what no viewer may: a viewer of the same
name isn't it."""

FORBIDDEN: Final = "forbidden"
SCHEMA: Final = "schema"
FAILED: Final = "failed"
ENDED: Final = "ended"
TOO_BIG: Final = "too_big"
VOLATILE: Final = "volatile"

_ENDED: Final = {
    "done": Outcome("rejected", ENDED, "this room is done"),
    "error": Outcome("rejected", ENDED, "this room has failed"),
    "stopped": Outcome("rejected", ENDED, "this room is stopped"),
}


def judge(
    room: Room,
    viewer: Viewer,
    event: Mapping[str, Any],
    child: str | None,
    snapshot: Seen,
    validate: Callable[[Mapping[str, Any]], str | None],
) -> Outcome | None:
    """Why this event isn't handled, or None. `validate` gives what is wrong with its shape.

    The shape comes first, so that the author's `allow_…` can rely on it.
    """
    if snapshot.status != "active":
        return _ENDED[snapshot.status]
    if child is None and event["type"] in room.volatile:
        return Outcome("rejected", VOLATILE, f"{event['type']!r} is volatile: cast it")
    return judge_volatile(room, viewer, event, snapshot, validate, child)


def judge_volatile(
    room: Room,
    viewer: Viewer,
    event: Mapping[str, Any],
    snapshot: Seen,
    validate: Callable[[Mapping[str, Any]], str | None],
    child: str | None = None,
) -> Outcome | None:
    """Why this event isn't told to others, or None. That the machine has ended is no reason."""
    if viewer.role in room.read_only and viewer is not OPERATOR:
        return Outcome("rejected", FORBIDDEN, only_watches(viewer))
    wrong = validate(event) if child is None else None
    if wrong is not None:
        return Outcome("rejected", SCHEMA, wrong)
    if viewer is OPERATOR:
        return None
    try:
        if child is not None:
            allowed = room.allow_send_to(viewer, child, event, snapshot)
        elif isinstance(viewer, Neighbour):
            allowed = room.allow_room(*viewer.room, event, snapshot)
        else:
            allowed = room.allow_send(viewer, event, snapshot)
    except Exception:
        logger.exception("%s: allow_send raised", named(room))
        return Outcome("rejected", FAILED, "whether this is allowed can't be told")
    if allowed is True:
        return None
    return Outcome("rejected", FORBIDDEN, allowed or "you may not send this now")


def only_watches(viewer: Viewer) -> str:
    """The reason that a read-only role is given."""
    return f"who is a {viewer.role} here watches, and can send nothing"


def admit(
    room: Room, viewer: Viewer, seats: Seats, snapshot: Seen, *, exists: bool, create: bool
) -> None:
    """Let a viewer watch, or raise.

    Raises:
        Closing: 4404 nothing was ever accepted under this name, and it isn't to be made; 4403 the
            author says no, the room is full, or their name is a room's or the operator's.
    """
    if viewer.id.startswith(PREFIX):
        raise Closing(CloseCode.FORBIDDEN, f"{PREFIX!r} begins the names of rooms, not of viewers")
    if viewer.id == OPERATOR.id and viewer is not OPERATOR:
        raise Closing(CloseCode.FORBIDDEN, f"{OPERATOR.id!r} is who runs the server, and no viewer")
    if not exists and not create:
        raise Closing(CloseCode.NOT_FOUND, f"there is no session {named(room)}")
    if viewer is OPERATOR:
        return
    limit = None if viewer.role in room.read_only else room.max_viewers
    if limit is not None and viewer.id not in seats and len(seats) >= limit:
        raise Closing(CloseCode.FORBIDDEN, "this room is full")
    try:
        allowed = exists or room.allow_create(viewer)
        if allowed is True:
            allowed = room.allow_join(viewer, snapshot)
    except Exception as error:
        logger.exception("%s: allow_create or allow_join raised", named(room))
        raise Closing(CloseCode.FORBIDDEN, "whether you may join can't be told") from error
    if allowed is not True:
        raise Closing(CloseCode.FORBIDDEN, allowed or "you may not join this room")


def look_back(room: Room, viewer: Viewer, snapshot: Seen) -> None:
    """Let a viewer see what the room was, or raise.

    Raises:
        Closing: 4403 the author says no.
    """
    try:
        allowed = room.allow_history(viewer, snapshot)
    except Exception as error:
        logger.exception("%s: allow_history raised", named(room))
        raise Closing(CloseCode.FORBIDDEN, "whether you may look back can't be told") from error
    if allowed is not True:
        raise Closing(CloseCode.FORBIDDEN, allowed or "you may not see this room's history")
