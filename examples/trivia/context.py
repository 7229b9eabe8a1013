"""The game's whole memory, and the questions that are asked of it everywhere (PURE).

It is plain JSON and never mutated: `players.py` and `play.py` return what changes, `machine.py`
says when. What others may see of it: `view.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict

from .questions import CATEGORIES, QUESTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from .questions import Question

SEATS = 16
"""Players in one room."""

Presence = Literal["here", "away", "left"]


class Player(TypedDict):
    """A seat at the table. `viewer` is the device that has it now, and stays a secret."""

    viewer: str
    name: str
    seat: int
    ready: bool
    presence: Presence
    since: int
    waited: bool


class Answer(TypedDict, total=False):
    """What a player entered. Points, once the question has ended, and the others' votes on it."""

    value: Any
    confirmed: bool
    automatic: float
    points: float
    votes: dict[str, bool]


class Timer(TypedDict):
    """A countdown, in ms. While paused, `due` is None and `left` is what remains."""

    due: int | None
    left: int | None
    total: int


class Ask(TypedDict):
    """A question of this game, with its options in the order in which all are shown them."""

    question: str
    options: list[str]


class Chapter(TypedDict):
    """A category of this game."""

    category: str
    asks: list[Ask]


class Settings(TypedDict):
    """What the host may change: how many categories, and how many questions in each."""

    categories: int
    questions: int


class Timing(TypedDict):
    """Durations in ms. `answer` overrides every question's own time when it isn't None."""

    countdown: int
    prepare: int
    recap: int
    patience: int
    code: int
    answer: int | None


class Code(TypedDict):
    """A one-time code that moves a seat to another device."""

    code: str
    until: int


class Context(TypedDict):
    """`chapter` and `ask` say where the game is, in the round and in the recap alike. `takers` are
    the players who take part in the open question: None before it is shown."""

    settings: Settings
    timing: Timing
    players: dict[str, Player]
    seated: int
    host: str | None
    codes: dict[str, Code]
    chapters: list[Chapter]
    chapter: int
    ask: int
    takers: list[str] | None
    answers: dict[str, dict[str, Answer]]
    timer: Timer | None
    resuming: list[str]
    asked: list[str]


class Args(Protocol):
    """What the runtime hands to actions, guards and delays, as far as the game uses it."""

    @property
    def context(self) -> Context: ...
    @property
    def event(self) -> Mapping[str, Any]: ...
    @property
    def input(self) -> Any: ...
    @property
    def now(self) -> int: ...
    @property
    def random(self) -> Random: ...


SETTINGS: Settings = {"categories": 3, "questions": 4}
MOST: Settings = {
    "categories": len(CATEGORIES),
    "questions": min(len(category.questions) for category in CATEGORIES),
}
TIMING: Timing = {
    "countdown": 5_000,
    "prepare": 5_000,
    "recap": 30_000,
    "patience": 3_000,
    "code": 600_000,
    "answer": None,
}


def new_context(args: Args) -> Context:
    """An empty lobby. Input: any of `settings` and `timing`."""
    given = args.input or {}
    return {
        "settings": {**SETTINGS, **given.get("settings", {})},
        "timing": {**TIMING, **given.get("timing", {})},
        "players": {},
        "seated": 0,
        "host": None,
        "codes": {},
        "chapters": [],
        "chapter": 0,
        "ask": 0,
        "takers": None,
        "answers": {},
        "timer": None,
        "resuming": [],
        "asked": [],
    }


def player_of(context: Context, viewer: str | None) -> str | None:
    """The player whose seat this viewer's device has."""
    for id, player in context["players"].items():
        if player["viewer"] == viewer:
            return id
    return None


def sender(args: Args) -> str | None:
    """The player who sent the event."""
    return player_of(args.context, args.event.get("sender"))


def waited(context: Context) -> list[str]:
    """The players who are waited for: those connected, or gone for a moment only."""
    return [id for id, player in context["players"].items() if player["waited"]]


def question(context: Context) -> Question:
    """The question that the game is at. Only while there are chapters."""
    return QUESTIONS[asks(context)[context["ask"]]["question"]]


def asks(context: Context) -> list[Ask]:
    """The questions of the category that the game is at."""
    return context["chapters"][context["chapter"]]["asks"]
