"""Trivia's answers can't be told from what anybody is sent before the recap that shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from examples.trivia.app import Trivia
from examples.trivia.questions import QUESTIONS, Question
from examples.trivia.view import SPECTATOR
from rooms import Viewer
from rooms.errors import Leak
from rooms.testing import prove_no_leak

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from rooms.definition import Room
    from rooms.testing import Player

TABLE = ("ann", "bob", Viewer("eve", SPECTATOR))


def other_answers(asked: Question) -> Question:
    """The same question, but for which answers are right."""
    match asked.type:
        case "select" | "radio":
            wrong = [option for option in asked.options if option not in asked.answers]
            return replace(asked, answers=(wrong[0],))
        case "checkboxes":
            wrong = [option for option in asked.options if option not in asked.answers]
            return replace(asked, answers=tuple(wrong) or asked.options[:1])
        case "text":
            return replace(asked, answers=("something else",))
        case _:  # a poll has none; a sortable is never shown in its right order, which all may know
            return asked


SETS = (dict(QUESTIONS), {id: other_answers(asked) for id, asked in QUESTIONS.items()})


def table(questions: dict[str, Question]) -> type[Room]:
    """A room whose questions have these answers."""
    QUESTIONS.update(questions)

    class Short(Trivia):
        def input(self) -> Any:
            return {
                "settings": {"categories": 1, "questions": 3},
                "timing": {"countdown": 100, "prepare": 100},
            }

    return Short


@pytest.fixture(autouse=True)
def _questions_as_they_were() -> Iterator[None]:
    before = dict(QUESTIONS)
    yield
    QUESTIONS.update(before)


def plays(player: Player) -> dict[str, Any] | None:
    """Whatever a player's screen offers now."""
    seen = player.view.get("context", {})
    if "me" not in seen:
        return (
            {"type": "join", "name": player.viewer.id} if player.viewer.role == "player" else None
        )
    if player.view["value"] == {"lobby": "waiting"}:
        return {"type": "ready"}
    if "paused" in player.view["tags"]:
        return {"type": "resume"}
    asked = seen.get("question")
    if asked is None:
        return {"type": "pause"} if player.chance.random() < 0.05 else None
    type = player.chance.choice(["answer", "confirm", "confirm"])
    return {"type": type, "value": value(asked, player.chance)}


def value(asked: dict[str, Any], chance: Random) -> Any:
    """Any answer that fits the question."""
    options = asked["options"]
    match asked["type"]:
        case "text":
            return chance.choice(["something else", "other"])
        case "checkboxes":
            return chance.sample(options, chance.randint(1, len(options)))
        case "sortable":
            return chance.sample(options, len(options))
        case _:
            return chance.choice(options)


def recap(view: dict[str, Any]) -> bool:
    """Where the answers are shown to all."""
    return view["value"] in ({"game": {"recap": "item"}}, "ranking")


def prove(**more: Any) -> None:
    given = {"secrets": SETS, "plays": plays, "viewers": TABLE, "runs": 12, "steps": 120}
    prove_no_leak(table, **{**given, "until": recap, **more})


def test_which_answers_are_right_is_told_by_nothing_before_the_recap() -> None:
    prove()


def test_the_recap_tells() -> None:
    with pytest.raises(Leak, match="recap"):
        prove(until=None)


def test_points_that_are_seen_at_once_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.trivia import view

    monkeypatch.setattr(view, "_revealed", lambda snapshot: list(snapshot.context["answers"]))
    with pytest.raises(Leak):
        prove()
