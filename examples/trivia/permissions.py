"""Who may send what, and the sentence that tells the others why not (PURE).

The machine ignores what doesn't fit its state; this is for what a client should never have sent:
it answers with a reason. Comes in: the viewer, the event, the snapshot. Next: `machine.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .context import SEATS
from .view import SPECTATOR, seat_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.sync.views import Seen, Viewer

FIELDS: dict[str, frozenset[str]] = {
    "join": frozenset({"name"}),
    "rename": frozenset({"name"}),
    "ready": frozenset(),
    "unready": frozenset(),
    "configure": frozenset({"categories", "questions"}),
    "remove": frozenset({"player"}),
    "quit": frozenset(),
    "code": frozenset(),
    "claim": frozenset({"code"}),
    "pause": frozenset(),
    "resume": frozenset(),
    "answer": frozenset({"value"}),
    "confirm": frozenset({"value"}),
    "unconfirm": frozenset(),
    "next": frozenset(),
    "vote": frozenset({"player", "correct"}),
    "again": frozenset(),
}
"""Every event that a client may send, and the fields it may have besides `type`."""

HOST_ONLY = frozenset({"configure", "remove", "next"})
STAMPED = frozenset({"type", "sender"})


def refusal(viewer: Viewer, event: Mapping[str, Any], snapshot: Seen) -> str | None:
    """Why the viewer may not send this event; None where they may."""
    kind = event["type"]
    if kind not in FIELDS:
        return f"{kind!r} is not for players to send"
    if viewer.role == SPECTATOR:
        return "spectators watch; they can't send anything"
    if extra := sorted(event.keys() - STAMPED - FIELDS[kind]):
        return f"{kind!r} has no field {extra[0]!r}: everybody acts for themselves only"
    context = snapshot.context
    me = seat_of(context, viewer)
    if kind in ("join", "claim"):
        return _newcomer_refusal(kind, me, snapshot)
    if me is None:
        return "join the game first"
    if kind in HOST_ONLY and me != context["host"]:
        return "only the host can do that"
    if kind == "vote" and event.get("player") == me:
        return "nobody votes on their own answer"
    if kind in ("answer", "confirm", "unconfirm") and _sits_out(me, context):
        return "you joined during this question; you play from the next one"
    return None


def _newcomer_refusal(kind: str, me: str | None, snapshot: Seen) -> str | None:
    if me is not None:
        return "you have a seat already"
    if kind == "join" and len(snapshot.context["players"]) >= SEATS:
        return f"this room is full: {SEATS} players"
    return None


def _sits_out(me: str, context: Any) -> bool:
    return context["takers"] is not None and me not in context["takers"]
