"""How a game goes: dealing, the timers, answers, points, pauses, the recap and its votes (PURE).

Each function is an action's `assign`, a guard or a delay of `machine.py`. A countdown is a due time
on the server's clock, never a number that is counted down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import scoring
from .context import MOST, asks, question, sender, waited
from .players import is_host
from .questions import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from .context import Answer, Args, Chapter, Context, Timer
    from .questions import Category, Question


# --------------------------------------------------------------------------- timers


def time_left(args: Args, params: Any) -> int:
    """The delay until the current timer is due, in ms."""
    timer = args.context["timer"]
    assert timer is not None, "every timed state sets its timer first"
    return max(0, (timer["due"] or 0) - args.now)


def start_timer(args: Args, params: Any) -> dict[str, Any]:
    """The timer of the state that is entered: `params["of"]` names it in the timing."""
    timing: Mapping[str, Any] = args.context["timing"]
    total: int = timing[params["of"]]
    return {"timer": _running(args.now, total, total)}


def clear_timer(args: Args, params: Any) -> dict[str, Any]:
    """No countdown."""
    return {"timer": None}


def freeze(args: Args, params: Any) -> dict[str, Any]:
    """The pause begins: keep exactly what is left of the timer."""
    timer = args.context["timer"]
    assert timer is not None
    frozen: Timer = {"due": None, "left": time_left(args, params), "total": timer["total"]}
    return {"timer": frozen, "resuming": []}


def thaw(args: Args, params: Any) -> dict[str, Any]:
    """The pause ends: what was left is due from now."""
    timer = args.context["timer"]
    assert timer is not None
    assert timer["left"] is not None
    return {"timer": _running(args.now, timer["left"], timer["total"]), "resuming": []}


def vote_resume(args: Args, params: Any) -> dict[str, Any]:
    """The sender wants to go on."""
    votes = [id for id in args.context["resuming"] if id != sender(args)]
    return {"resuming": [*votes, sender(args)]}


def everyone_resumes(args: Args, params: Any) -> bool:
    """All who are waited for voted; the votes of those who left are no matter."""
    here = waited(args.context)
    return bool(here) and all(id in args.context["resuming"] for id in here)


def _running(now: int, left: int, total: int) -> Timer:
    return {"due": now + left, "left": None, "total": total}


# --------------------------------------------------------------------------- dealing


def may_configure(args: Args, params: Any) -> bool:
    """The host, to a length of game that there is."""
    return is_host(args, params) and all(
        type(args.event.get(key)) is int and 1 <= args.event[key] <= most
        for key, most in (("categories", MOST["categories"]), ("questions", MOST["questions"]))
    )


def configure(args: Args, params: Any) -> dict[str, Any]:
    """The length of the next game."""
    keys = ("categories", "questions")
    return {"settings": {key: args.event[key] for key in keys}}


def deal(args: Args, params: Any) -> dict[str, Any]:
    """A new game: categories and questions by chance, unasked ones in this room first."""
    context = args.context
    settings, asked, chance = context["settings"], context["asked"], args.random
    chapters: list[Chapter] = [
        {
            "category": category.name,
            "asks": [
                {"question": chosen.id, "options": shuffled(chosen, chance)}
                for chosen in _choose(category, settings["questions"], asked, chance)
            ],
        }
        for category in chance.sample(CATEGORIES, settings["categories"])
    ]
    dealt = [ask["question"] for chapter in chapters for ask in chapter["asks"]]
    return {
        "chapters": chapters,
        "chapter": 0,
        "ask": 0,
        "answers": {},
        "asked": [*(id for id in asked if id not in dealt), *dealt],
    }


def _choose(category: Category, count: int, asked: list[str], chance: Random) -> list[Question]:
    mixed = chance.sample(category.questions, len(category.questions))
    return sorted(mixed, key=lambda each: each.id in asked)[:count]


def shuffled(asked: Question, chance: Random) -> list[str]:
    """The options in the order in which all are shown them."""
    options = list(asked.options)
    if asked.type != "poll":
        options = chance.sample(options, len(options))
    if asked.type == "sortable" and tuple(options) == asked.answers:
        options.reverse()  # nobody gets points for leaving it as it lies
    return options


# --------------------------------------------------------------------------- a question


def show(args: Args, params: Any) -> dict[str, Any]:
    """The question is open to those at the table now; who joins later plays from the next one."""
    context = args.context
    asked = question(context)
    override = context["timing"]["answer"]
    total = asked.seconds * 1000 if override is None else override
    return {
        "takers": list(context["players"]),
        "answers": {**context["answers"], asked.id: {}},
        "timer": _running(args.now, total, total),
    }


def my_answer(args: Args) -> Answer | None:
    """What the sender has entered for the open question."""
    given = args.context["answers"].get(question(args.context).id, {})
    return given.get(sender(args) or "")


def may_answer(args: Args, params: Any) -> bool:
    """One who takes part, hasn't confirmed, and enters what can be an answer."""
    mine = my_answer(args)
    return (
        sender(args) in (args.context["takers"] or ())
        and not (mine and mine["confirmed"])
        and "value" in args.event
        and question(args.context).accepts(args.event["value"])
    )


def answer(args: Args, params: Any) -> dict[str, Any]:
    """What the sender entered: counts as it stands when time is up."""
    return _answered(args, {"value": args.event["value"], "confirmed": False})


def may_confirm(args: Args, params: Any) -> bool:
    """One who has an answer, or brings it with the event."""
    if "value" in args.event:
        return may_answer(args, params)
    mine = my_answer(args)
    return mine is not None and not mine["confirmed"]


def confirm(args: Args, params: Any) -> dict[str, Any]:
    """The sender's answer is locked."""
    mine = my_answer(args) or {}
    value = args.event["value"] if "value" in args.event else mine["value"]
    return _answered(args, {"value": value, "confirmed": True})


def may_unconfirm(args: Args, params: Any) -> bool:
    """One who has confirmed."""
    mine = my_answer(args)
    return mine is not None and mine["confirmed"]


def unconfirm(args: Args, params: Any) -> dict[str, Any]:
    """The sender's answer can be changed again."""
    mine = my_answer(args)
    assert mine is not None
    return _answered(args, {"value": mine["value"], "confirmed": False})


def everyone_confirmed(args: Args, params: Any) -> bool:
    """All who take part and are waited for have confirmed, and there is at least one."""
    context = args.context
    given = context["answers"].get(question(context).id, {})
    here = [id for id in waited(context) if id in (context["takers"] or ())]
    return bool(here) and all(id in given and given[id]["confirmed"] for id in here)


def _answered(args: Args, mine: Answer) -> dict[str, Any]:
    me = sender(args)
    assert me is not None, "the guard lets only players through"
    answers, id = args.context["answers"], question(args.context).id
    return {"answers": {**answers, id: {**answers[id], me: mine}}}


# --------------------------------------------------------------------------- points and recap


def grade(args: Args, params: Any) -> dict[str, Any]:
    """The question has ended: what everybody's answer is worth."""
    context = args.context
    asked = question(context)
    given = context["answers"][asked.id]
    points = scoring.grade(asked, {id: mine["value"] for id, mine in given.items()})
    graded: dict[str, Answer] = {
        id: {**mine, "automatic": points[id], "points": points[id], "votes": {}}
        for id, mine in given.items()
    }
    return {"answers": {**context["answers"], asked.id: graded}, "timer": None, "takers": None}


def more_asks(args: Args, params: Any) -> bool:
    """Whether the category goes on."""
    return args.context["ask"] + 1 < len(asks(args.context))


def more_chapters(args: Args, params: Any) -> bool:
    """Whether another category follows."""
    return args.context["chapter"] + 1 < len(args.context["chapters"])


def next_ask(args: Args, params: Any) -> dict[str, Any]:
    """On to the category's next question."""
    return {"ask": args.context["ask"] + 1}


def first_ask(args: Args, params: Any) -> dict[str, Any]:
    """Back to the category's first question, to walk through it again."""
    return {"ask": 0}


def next_chapter(args: Args, params: Any) -> dict[str, Any]:
    """On to the next category."""
    return {"chapter": args.context["chapter"] + 1, "ask": 0}


def may_vote(args: Args, params: Any) -> bool:
    """A player, on another's free answer to the question that the recap is at."""
    context, event, me = args.context, args.event, sender(args)
    asked, judged = question(context), event.get("player")
    return (
        me is not None
        and asked.type == "text"
        and isinstance(judged, str)
        and judged != me
        and context["answers"][asked.id].get(judged, {}).get("value") is not None
        and isinstance(event.get("correct"), bool)
    )


def vote(args: Args, params: Any) -> dict[str, Any]:
    """The sender's vote, in place of an earlier one, and the points that follow from all votes."""
    context, event, me = args.context, args.event, sender(args)
    assert me is not None
    asked = question(context)
    given = context["answers"][asked.id]
    judged = given[event["player"]]
    votes = {**judged["votes"], me: event["correct"]}
    points = scoring.settle(asked, judged["automatic"], votes)
    now: Answer = {**judged, "votes": votes, "points": points}
    return {"answers": {**context["answers"], asked.id: {**given, event["player"]: now}}}


# --------------------------------------------------------------------------- the end


def scores(context: Context, questions: list[str]) -> dict[str, float]:
    """Everybody's points in these questions."""
    given = [context["answers"].get(id, {}) for id in questions]
    return {
        player: round(sum(each[player].get("points", 0) for each in given if player in each), 2)
        for player in context["players"]
    }


def reset(args: Args, params: Any) -> dict[str, Any]:
    """The same players, back in the lobby."""
    context = args.context
    players = {id: {**player, "ready": False} for id, player in context["players"].items()}
    clean: dict[str, Any] = {"chapters": [], "chapter": 0, "ask": 0, "answers": {}}
    return {"players": players, **clean}
