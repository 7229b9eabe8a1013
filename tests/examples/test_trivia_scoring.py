"""Rule 3, case by case."""

from __future__ import annotations

import pytest

from examples.trivia.questions import QUESTIONS, Question, fold
from examples.trivia.scoring import grade, rank, settle, share

TEXT = QUESTIONS["food-03"]  # Netherlands, The Netherlands, Holland
BOXES = QUESTIONS["geography-08"]  # Ecuador, Indonesia, Kenya; 150 points
SORT = QUESTIONS["geography-10"]  # Oslo, Berlin, Rome, Cairo, Nairobi; 200 points


@pytest.mark.parametrize(
    "given", ["Netherlands", "  the   NETHERLANDS ", "holland", "Ñetherländs", "\tThe\nNetherlands"]
)
def test_text_is_compared_without_case_accents_and_spaces(given: str) -> None:
    assert share(TEXT, given) == 1


@pytest.mark.parametrize("given", ["", "Netherland", "Germany", "TheNetherlands"])
def test_text_is_all_or_nothing(given: str) -> None:
    assert share(TEXT, given) == 0


def test_fold_takes_compatibility_forms_apart() -> None:
    assert fold("CO₂") == fold("co2")
    assert fold("STRASSE") == fold("straße")


@pytest.mark.parametrize(
    ("given", "points"),
    [
        (["Ecuador", "Indonesia", "Kenya"], 150),
        (["Kenya", "Ecuador"], 100),
        (["Kenya"], 50),
        (["Kenya", "Ecuador", "India"], 50),
        (["Kenya", "India"], 0),
        (["Bolivia", "India", "Nigeria"], 0),
        (["Ecuador", "Indonesia", "Kenya", "Bolivia", "India", "Nigeria"], 0),
        ([], 0),
    ],
)
def test_checkboxes_wrong_picks_cost_right_ones(given: list[str], points: float) -> None:
    assert grade(BOXES, {"a": given}) == {"a": points}


@pytest.mark.parametrize(
    ("given", "points"),
    [
        (["Oslo", "Berlin", "Rome", "Cairo", "Nairobi"], 200),
        (["Berlin", "Oslo", "Rome", "Cairo", "Nairobi"], 120),
        (["Nairobi", "Cairo", "Rome", "Berlin", "Oslo"], 40),
        (["Berlin", "Oslo", "Cairo", "Nairobi", "Rome"], 0),
    ],
)
def test_sortable_counts_items_in_their_place(given: list[str], points: float) -> None:
    assert grade(SORT, {"a": given}) == {"a": points}


def test_points_are_rounded_to_two_decimals() -> None:
    thirds = Question("x", "X", "checkboxes", "?", 20, 100, ("a", "b", "c", "d"), ("a", "b", "c"))
    assert grade(thirds, {"a": ["a"], "b": ["a", "b"]}) == {"a": 33.33, "b": 66.67}


@pytest.mark.parametrize("id", ["geography-04", "geography-06"])
def test_radio_and_select_are_all_or_nothing(id: str) -> None:
    question = QUESTIONS[id]
    wrong = next(option for option in question.options if option not in question.answers)
    points = grade(question, {"a": question.answers[0], "b": wrong})
    assert points == {"a": question.points, "b": 0}


def test_any_of_several_right_answers_will_do() -> None:
    assert share(QUESTIONS["geography-03"], "paraguay") == 1
    assert share(QUESTIONS["geography-03"], "bolivia") == 1


def poll(scoring: str) -> Question:
    return Question("x", "X", "poll", "?", 20, 50, ("a", "b", "c"), (), scoring)  # type: ignore[arg-type]


def test_a_poll_gives_points_for_taking_part() -> None:
    assert grade(poll("part"), {"x": "a", "y": "b", "z": None}) == {"x": 50, "y": 50, "z": 0}


def test_a_poll_gives_points_for_the_majority() -> None:
    votes = {"v": "a", "w": "a", "x": "b", "y": "c", "z": None}
    assert grade(poll("majority"), votes) == {"v": 50, "w": 50, "x": 0, "y": 0, "z": 0}


def test_a_poll_with_a_tie_gives_points_to_both_sides() -> None:
    assert grade(poll("majority"), {"x": "a", "y": "b"}) == {"x": 50, "y": 50}


def test_nobody_makes_no_majority() -> None:
    assert grade(poll("majority"), {"x": None, "y": None}) == {"x": 0, "y": 0}


def test_a_poll_may_give_no_points() -> None:
    assert grade(poll("none"), {"x": "a"}) == {"x": 0}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.id)
def test_no_idea_is_worth_nothing(question: Question) -> None:
    assert grade(question, {"a": None}) == {"a": 0}


@pytest.mark.parametrize(
    ("automatic", "votes", "points"),
    [
        (0, {}, 0),
        (60, {}, 60),
        (0, {"a": True}, 60),
        (60, {"a": False}, 0),
        (0, {"a": True, "b": False}, 0),
        (60, {"a": True, "b": False}, 60),
        (0, {"a": True, "b": True, "c": False}, 60),
        (60, {"a": True, "b": False, "c": False}, 0),
    ],
)
def test_votes_settle_a_free_answer(
    automatic: float, votes: dict[str, bool], points: float
) -> None:  # rule 8
    assert settle(TEXT, automatic, votes) == points


def test_equal_points_share_a_rank() -> None:  # rule 9
    scores = {"a": 10.0, "b": 30.0, "c": 10.0, "d": 0.0}
    assert rank(scores) == [(1, "b"), (2, "a"), (2, "c"), (4, "d")]


def test_nobody_has_no_rank() -> None:
    assert rank({}) == []
