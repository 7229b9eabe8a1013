"""What answers are worth (PURE): a question and everybody's answers in, points out.

Points are floats with two decimals at most: partly right answers get fractions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .questions import fold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .questions import Question


def grade(question: Question, answers: Mapping[str, Any]) -> dict[str, float]:
    """The points of each player's answer; `answers` is player → accepted value."""
    given = {player: value for player, value in answers.items() if value is not None}
    if question.type == "poll":
        points = _grade_poll(question, given)
    else:
        points = {
            player: share(question, value) * question.points for player, value in given.items()
        }
    return {player: round(points.get(player, 0.0), 2) for player in answers}


def share(question: Question, value: Any) -> float:
    """How right an answer is, from 0 to 1. Not for polls, which have no right answer."""
    match question.type:
        case "text":
            return float(fold(value) in {fold(answer) for answer in question.answers})
        case "checkboxes":
            right: int = len(set(value) & set(question.answers))
            wrong: int = len(value) - right
            return max(0, right - wrong) / len(question.answers)
        case "sortable":
            placed: int = sum(a == b for a, b in zip(value, question.answers, strict=True))
            return placed / len(question.answers)
        case _:
            return float(value in question.answers)


def settle(question: Question, automatic: float, votes: Mapping[str, bool]) -> float:
    """The points of a free answer after the players' votes: the majority decides, a tie keeps the
    automatic result."""
    margin = sum(1 if right else -1 for right in votes.values())
    if margin == 0:
        return automatic
    return float(question.points) if margin > 0 else 0.0


def rank(scores: Mapping[str, float]) -> list[tuple[int, str]]:
    """(rank, player), best first. Equal points share a rank, and the next rank is left out."""
    ordered = sorted(scores, key=lambda player: -scores[player])
    points = [scores[player] for player in ordered]
    return [(points.index(scores[player]) + 1, player) for player in ordered]


def _grade_poll(question: Question, answers: Mapping[str, Any]) -> dict[str, float]:
    """Points for taking part, or for choosing what most chose (any of them on a tie), or none."""
    ballots = Counter(answers.values())
    most = max(ballots.values(), default=0)
    return {
        player: float(question.points)
        for player, option in answers.items()
        if question.scoring == "part"
        or (question.scoring == "majority" and ballots[option] == most)
    }
