"""What a viewer may see of the game, by phase (PURE). Comes in: a snapshot and a player (or None
for those who only watch). Goes out: the view that their screen shows.

What must stay hidden is never put in: before a question ends nobody's answer but one's own, no
right answer, no later question. A category's points become visible with its recap, item by item,
because points tell what was right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import scoring
from .context import MOST, Context, asks, player_of, question
from .play import scores
from .questions import QUESTIONS

if TYPE_CHECKING:
    from rooms.sync.views import Seen, Viewer

SPECTATOR = "spectator"


def seat_of(context: Context, viewer: Viewer) -> str | None:
    """The player whom this viewer plays; None for spectators and those who haven't joined."""
    return None if viewer.role == SPECTATOR else player_of(context, viewer.id)


def view(snapshot: Seen, me: str | None, everybody: dict[str, Any]) -> dict[str, Any]:
    """The whole view for the player `me`, or for those who only watch. `everybody` is what
    `public(snapshot)` shows: made once for all."""
    context: Context = snapshot.context
    shown = everybody
    if me is not None:
        shown = everybody | {"me": me, "code": context["codes"].get(me)}
        if context["takers"] is not None:
            mine = context["answers"][question(context).id].get(me)
            shown["answer"] = mine and {"value": mine["value"], "confirmed": mine["confirmed"]}
    return {
        "value": snapshot.value,
        "tags": sorted(snapshot.tags),
        "status": snapshot.status,
        "context": shown,
    }


def public(snapshot: Seen) -> dict[str, Any]:
    """What everybody may see now."""
    context: Context = snapshot.context
    shown: dict[str, Any] = {
        "settings": context["settings"],
        "most": MOST,
        "timer": context["timer"],
        "host": context["host"],
        "players": _players(snapshot),
        "resuming": context["resuming"],
    }
    if snapshot.matches({"game": "round"}):
        shown |= {"round": _round(context), "question": _open_question(context)}
    elif snapshot.matches({"game": "recap"}):
        shown |= {"round": _round(context), "recap": _entry(context, _so_far(context)[-1])}
    elif snapshot.matches("ranking"):
        shown |= {
            "ranking": [
                {"player": id, "rank": rank}
                for rank, id in scoring.rank(scores(context, _all(context)))
            ],
            "review": [_entry(context, id) for id in _all(context)],
        }
    return shown


def _players(snapshot: Seen) -> dict[str, Any]:
    context: Context = snapshot.context
    visible = scores(context, _revealed(snapshot))
    takers = context["takers"]
    given = {} if takers is None else context["answers"][question(context).id]
    return {
        id: {
            "name": player["name"],
            "seat": player["seat"],
            "ready": player["ready"],
            "presence": player["presence"],
            "score": visible[id],
            "plays": takers is None or id in takers,
            "confirmed": id in given and given[id]["confirmed"],
        }
        for id, player in context["players"].items()
    }


def _round(context: Context) -> dict[str, Any]:
    """Where the game is, and what the question is worth: nothing of the question itself."""
    now = question(context)
    return {
        "category": now.category,
        "points": now.points,
        "seconds": now.seconds,
        "chapter": context["chapter"] + 1,
        "chapters": len(context["chapters"]),
        "number": context["ask"] + 1,
        "of": len(asks(context)),
    }


def _open_question(context: Context) -> dict[str, Any] | None:
    if context["takers"] is None:
        return None
    now = question(context)
    return {
        "id": now.id,
        "type": now.type,
        "prompt": now.prompt,
        "options": asks(context)[context["ask"]]["options"],
        "scoring": now.scoring,
    }


def _entry(context: Context, id: str) -> dict[str, Any]:
    """A question that is over: the right answers, and everybody's."""
    over = QUESTIONS[id]
    return {
        "id": id,
        "category": over.category,
        "type": over.type,
        "prompt": over.prompt,
        "options": list(over.options) if over.type == "poll" else [],
        "answers": list(over.answers),
        "points": over.points,
        "scoring": over.scoring,
        "results": {
            player: {"value": given["value"], "points": given["points"], "votes": given["votes"]}
            for player, given in context["answers"].get(id, {}).items()
        },
    }


def _revealed(snapshot: Seen) -> list[str]:
    """The questions whose points may be seen: those that a recap has come to."""
    context: Context = snapshot.context
    if snapshot.matches("ranking"):
        return _all(context)
    if snapshot.matches({"game": "recap"}):
        return _so_far(context)
    return _before(context)


def _before(context: Context) -> list[str]:
    """The questions of earlier categories."""
    return _ids(context["chapters"][: context["chapter"]])


def _so_far(context: Context) -> list[str]:
    """Those, and the recap's from its first to where it is."""
    return _before(context) + [ask["question"] for ask in asks(context)[: context["ask"] + 1]]


def _all(context: Context) -> list[str]:
    return _ids(context["chapters"])


def _ids(chapters: list[Any]) -> list[str]:
    return [ask["question"] for chapter in chapters for ask in chapter["asks"]]
