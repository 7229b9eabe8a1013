"""The question file is whole, and a broken one is refused by name."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.trivia.questions import (
    CATEGORIES,
    QUESTIONS,
    Question,
    QuestionError,
    fold,
    parse,
)

FILE = Path(__file__).parents[2] / "examples" / "trivia" / "questions.json"
TYPES = ("text", "select", "radio", "checkboxes", "sortable", "poll")


def test_at_least_a_hundred_questions_in_ten_categories() -> None:  # rule 1
    assert len(CATEGORIES) == 10
    assert len(QUESTIONS) >= 100
    assert all(len(category.questions) >= 10 for category in CATEGORIES)


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.id)
def test_every_category_has_all_six_types(category: Any) -> None:  # rule 2
    assert {question.type for question in category.questions} == set(TYPES)


def test_no_two_questions_are_alike() -> None:  # rule 1
    prompts = Counter(fold(q.prompt) for q in QUESTIONS.values())
    assert max(prompts.values()) == 1


def test_questions_have_their_own_times_and_points() -> None:  # rule 2
    assert len({question.seconds for question in QUESTIONS.values()}) >= 5
    assert len({question.points for question in QUESTIONS.values()}) >= 5


def test_some_questions_have_several_right_answers() -> None:  # rule 2
    assert all(len(q.answers) > 1 for q in QUESTIONS.values() if q.type == "checkboxes")
    texts = [q for q in QUESTIONS.values() if q.type == "text"]
    assert sum(len(q.answers) > 1 for q in texts) >= len(texts) // 2


def test_polls_of_all_three_scorings() -> None:  # rule 3
    assert {q.scoring for q in QUESTIONS.values() if q.type == "poll"} == {
        "part",
        "majority",
        "none",
    }


def test_the_file_gives_nothing_away_by_its_order() -> None:
    """Options lie in alphabetical order: they are shuffled for a game, but not by this file."""
    for question in QUESTIONS.values():
        if question.type in ("select", "radio", "checkboxes", "sortable"):
            assert list(question.options) == sorted(question.options), question.id


def test_no_question_gives_away_what_another_asks_to_write() -> None:
    """Who has to write an answer hasn't seen it among the options of another question."""
    offered = {option: q.id for q in QUESTIONS.values() for option in q.options}
    named = {category.name for category in CATEGORIES}
    for question in QUESTIONS.values():
        if question.type == "text":
            for answer in question.answers:
                assert answer not in offered, (question.id, offered[answer])
                assert answer not in named, question.id


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.id)
def test_every_right_answer_is_accepted_as_an_answer(question: Question) -> None:
    match question.type:
        case "checkboxes" | "sortable":
            assert question.accepts(list(question.answers))
        case "poll":
            assert all(question.accepts(option) for option in question.options)
        case _:
            assert all(question.accepts(answer) for answer in question.answers)


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("geography-01", 7),
        ("geography-01", "x" * 121),
        ("geography-04", "Narnia"),
        ("geography-04", ["France"]),
        ("geography-08", "Kenya"),
        ("geography-08", ["Kenya", "Kenya"]),
        ("geography-08", ["Kenya", "Narnia"]),
        ("geography-08", [["Kenya"]]),
        ("geography-10", ["Oslo", "Berlin"]),
        ("geography-10", ["Oslo", "Oslo", "Rome", "Cairo", "Nairobi"]),
        ("geography-10", [1, 2, 3, 4, 5]),
        ("geography-12", {"By the sea": True}),
    ],
)
def test_what_can_be_no_answer_is_not_accepted(id: str, value: Any) -> None:
    assert not QUESTIONS[id].accepts(value)


def broken(change: dict[str, Any], id: str = "geography-04") -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(json.loads(FILE.read_text("utf-8")))
    for category in data["categories"]:
        for question in category["questions"]:
            if question["id"] == id:
                question.update(change)
                for key in [key for key, value in question.items() if value is ...]:
                    del question[key]
    return data


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"prompt": ...}, "has no 'prompt'"),
        ({"prompt": " "}, "prompt is empty"),
        ({"type": "essay"}, "type is none of"),
        ({"seconds": 0}, "seconds"),
        ({"points": 1000}, "points"),
        ({"answers": []}, "has no right answer"),
        ({"answers": ["Narnia"]}, "none of the options"),
        ({"options": ["France", "france", "Spain"]}, "two options are alike"),
        ({"options": ["France", "Spain"]}, "three options"),
        ({"answers": ["France", "Russia", "United States", "United Kingdom"]}, "every option"),
        ({"scoring": "part"}, "only a poll"),
        ({"id": "geography-05"}, "there twice"),
        (
            {
                "prompt": "Which is the smallest country in the world by area?",
                "options": ["Liechtenstein", "Monaco", "San Marino", "Vatican City"],
                "answers": ["Monaco"],
            },
            "there twice",
        ),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(change: dict[str, Any], hint: str) -> None:
    with pytest.raises(QuestionError, match=hint):
        parse(broken(change))


@pytest.mark.parametrize(
    ("id", "change", "hint"),
    [
        ("geography-01", {"answers": ["Danube", " danübe"]}, "fold to the same"),
        ("geography-01", {"options": ["a", "b"]}, "text has no options"),
        ("geography-10", {"answers": ["Oslo", "Rome"]}, "all options, in order"),
        ("geography-12", {"scoring": "guess"}, "a poll has"),
        ("geography-12", {"answers": ["At home"]}, "a poll has"),
    ],
)
def test_each_type_has_its_own_rules(id: str, change: dict[str, Any], hint: str) -> None:
    with pytest.raises(QuestionError, match=hint):
        parse(broken(change, id))
