"""The questions: read from `questions.json` once, checked, and asked by id ever after.

A game keeps only ids, so its state stays small and holds no right answer. An id therefore names its
question for ever: change the wording, never the meaning."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["text", "select", "radio", "checkboxes", "sortable", "poll"]
PollScoring = Literal["part", "majority", "none"]

LONGEST_TEXT = 120
"""Characters of a free answer."""


class QuestionError(ValueError):
    """A question that can't be asked; the message names it and says what to mend."""

    def __init__(self, question: str, hint: str) -> None:
        super().__init__(f"{question}: {hint}")


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `answers` are the right ones: any of them for `text`, `select` and `radio`, all
    of them for `checkboxes`, in their order for `sortable`, none for `poll`."""

    id: str
    category: str
    type: Kind
    prompt: str
    seconds: int
    points: int
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    scoring: PollScoring | None = None

    def accepts(self, value: Any) -> bool:
        """Whether `value` is an answer at all, right or wrong. None is "no idea"."""
        if value is None:
            return True
        match self.type:
            case "text":
                return isinstance(value, str) and len(value) <= LONGEST_TEXT
            case "select" | "radio" | "poll":
                return isinstance(value, str) and value in self.options
            case "checkboxes":
                return (
                    isinstance(value, list)
                    and len(value) <= len(self.options)
                    and len(set(map(str, value))) == len(value)
                    and all(item in self.options for item in value)
                )
            case "sortable":
                return (
                    isinstance(value, list)
                    and all(isinstance(item, str) for item in value)
                    and sorted(value) == sorted(self.options)
                )


@dataclass(frozen=True, slots=True)
class Category:
    """A category and its questions, in the file's order."""

    id: str
    name: str
    questions: tuple[Question, ...]


def fold(text: str) -> str:
    """What is compared of a free answer: no case, no accents, no outer and single inner spaces."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(bare.split())


def parse(data: Any) -> tuple[Category, ...]:
    """The categories of a question file's JSON.

    Raises:
        QuestionError: for the first question that is incomplete, ambiguous or there twice.
    """
    categories = []
    prompts: dict[str, str] = {}
    ids: set[str] = set()
    for raw in data["categories"]:
        questions = tuple(_question(item, raw["name"]) for item in raw["questions"])
        for question in questions:
            other = prompts.setdefault(fold(question.prompt), question.id)
            if question.id in ids or other != question.id:
                raise QuestionError(question.id, f"is there twice, also as {other}")
            ids.add(question.id)
        categories.append(Category(raw["id"], raw["name"], questions))
    return tuple(categories)


def _question(raw: dict[str, Any], category: str) -> Question:
    name = str(raw.get("id") or raw.get("prompt"))
    try:
        question = Question(
            id=raw["id"],
            category=category,
            type=raw["type"],
            prompt=raw["prompt"],
            seconds=raw["seconds"],
            points=raw["points"],
            options=tuple(raw.get("options", ())),
            answers=tuple(raw.get("answers", ())),
            scoring=raw.get("scoring"),
        )
    except KeyError as missing:
        raise QuestionError(name, f"has no {missing}") from missing
    if hint := _fault(question):
        raise QuestionError(name, hint)
    return question


def _fault(question: Question) -> str | None:
    options, answers = question.options, question.answers
    folded = {fold(option) for option in options}
    checks = {
        f"type is none of {get_args(Kind)}": question.type not in get_args(Kind),
        "prompt is empty": not question.prompt.strip(),
        "seconds must be from 5 to 120": not 5 <= question.seconds <= 120,
        "points must be from 0 to 500": not 0 <= question.points <= 500,
        "two options are alike": len(folded) != len(options),
        "a poll has options, a scoring and no right answer": question.type == "poll"
        and not (len(options) >= 2 and question.scoring in get_args(PollScoring) and not answers),
        "only a poll has a scoring": question.type != "poll" and question.scoring is not None,
        "has no right answer": question.type != "poll" and not answers,
        "text has no options": question.type == "text" and bool(options),
        "two spellings fold to the same": question.type == "text"
        and len({fold(answer) for answer in answers}) != len(answers),
        "needs three options or more": question.type not in ("text", "poll") and len(options) < 3,
        "a right answer is none of the options": question.type != "text"
        and not set(answers) <= set(options),
        "every option is right": question.type in ("select", "radio", "checkboxes")
        and len(answers) >= len(options),
        "sortable answers are all options, in order": question.type == "sortable"
        and sorted(answers) != sorted(options),
    }
    return next((hint for hint, wrong in checks.items() if wrong), None)


CATEGORIES: tuple[Category, ...] = parse(
    json.loads((Path(__file__).parent / "questions.json").read_text("utf-8"))
)
QUESTIONS: dict[str, Question] = {
    question.id: question for category in CATEGORIES for question in category.questions
}
