"""A game without a server: the machine in a pure system, with a clock of ours, devices by name."""

from __future__ import annotations

import json
from typing import Any

from examples.trivia.app import Trivia
from examples.trivia.machine import machine
from examples.trivia.permissions import refusal
from examples.trivia.questions import QUESTIONS, Question
from examples.trivia.view import seat_of
from rooms.sync.views import Viewer
from runtime import System

START = 1_700_000_000_000


class Table:
    """One room of the game. Viewers are devices: Ann plays on `"ann"`, until she moves."""

    def __init__(
        self, categories: int = 2, questions: int = 2, *, seed: int = 7, **timing: int
    ) -> None:
        self.room = Trivia("trivia", "table")
        self.system = System(machine)
        self.now = START
        first = self.system.initial(
            input={
                "settings": {"categories": categories, "questions": questions},
                "timing": timing,
            },
            now=self.now,
            seed=seed,
        )
        assert first.error is None
        self.snapshot = first.snapshot

    # ------------------------------------------------------------------ what is so

    @property
    def context(self) -> Any:
        return self.snapshot.root.context

    @property
    def question(self) -> Question:
        """The question that the game is at."""
        asks = self.context["chapters"][self.context["chapter"]]["asks"]
        return QUESTIONS[asks[self.context["ask"]]["question"]]

    @property
    def left(self) -> int:
        """What the running timer has left, ms."""
        return int(self.context["timer"]["due"]) - self.now

    def matches(self, value: Any) -> bool:
        return bool(self.snapshot.root.matches(value))

    @property
    def phase(self) -> str:
        """The innermost state, which has a name of its own in every phase."""
        value = self.snapshot.root.value
        while not isinstance(value, str):
            [value] = value.values()
        return value

    def player(self, viewer: str) -> Any:
        """The seat that a device has."""
        seat = seat_of(self.context, Viewer(viewer))
        assert seat is not None, f"{viewer} has no seat"
        return {"id": seat, **self.context["players"][seat]}

    def id(self, viewer: str) -> str:
        return str(self.player(viewer)["id"])

    def sees(self, viewer: str, role: str = "player") -> Any:
        """The view of a device, as it would be told."""
        seen = self.room.view(self.snapshot.root, Viewer(viewer, role))
        return json.loads(json.dumps(seen))

    def refused(self, viewer: str, type: str, /, role: str = "player", **fields: Any) -> str | None:
        """Why the room would reject this event."""
        event = {"type": type, "sender": viewer, **fields}
        return refusal(Viewer(viewer, role), event, self.snapshot.root)

    # ------------------------------------------------------------------ what happens

    def send(self, viewer: str, type: str, /, **fields: Any) -> bool:
        """A device's event, as the room hands it on. Whether it did something."""
        return self._step({"type": type, "sender": viewer, **fields})

    def join(self, *viewers: str) -> None:
        for viewer in viewers:
            self.tell("joined", viewer)
            assert self.send(viewer, "join", name=viewer.title())

    def tell(self, what: str, viewer: str) -> bool:
        """The room says that a viewer joined, is away, is back, or left."""
        return self._step({"type": f"room.{what}", "viewer": {"id": viewer, "role": "player"}})

    def advance(self, ms: int) -> None:
        """Let time pass; due timers fire in their order, each at its time."""
        until = self.now + ms
        while self.snapshot.next_due is not None and self.snapshot.next_due <= until:
            timer = min(self.snapshot.timers, key=lambda each: each.due)
            self.now = max(self.now, timer.due)
            step = self.system.fire(self.snapshot, timer, now=self.now)
            assert step.error is None, step.error
            self.snapshot = step.snapshot
        self.now = until

    def restart(self, after: int = 0) -> None:
        """The host dies, and another one restores what was stored as JSON, `after` ms later."""
        stored = json.loads(json.dumps(self.system.persist(self.snapshot)))
        self.system = System(machine)
        self.now += after
        step = self.system.restore(stored, now=self.now)
        assert step.error is None
        self.snapshot = step.snapshot

    def _step(self, event: dict[str, Any]) -> bool:
        step = self.system.step(self.snapshot, event, now=self.now)
        assert step.error is None, step.error
        self.snapshot = step.snapshot
        return bool(step.taken)

    # ------------------------------------------------------------------ shortcuts

    def begin(self, *viewers: str) -> None:
        """Everybody ready, the countdown over: the first prepare timer runs."""
        for viewer in viewers:
            assert self.send(viewer, "ready")
        assert self.phase == "countdown"
        self.advance(self.left)
        assert self.phase == "prepare"

    def open(self, type: str | None = None) -> Question:
        """Through the prepare timer to the next question that is shown; of this type, if any."""
        for _ in range(200):
            if self.phase == "answering" and (type is None or self.question.type == type):
                return self.question
            self.advance(self.left)
        raise AssertionError(f"no question of type {type} came")

    def to_recap(self, type: str | None = None) -> Question:
        """To the recap of the category, or of its next question of this type."""
        for _ in range(200):
            if self.phase == "item" and (type is None or self.question.type == type):
                return self.question
            self.advance(self.left)
        raise AssertionError(f"no recap of type {type} came")


def right(question: Question) -> Any:
    """A right answer; for a poll the first option."""
    match question.type:
        case "checkboxes" | "sortable":
            return list(question.answers)
        case "poll":
            return question.options[0]
        case _:
            return question.answers[0]


def wrong(question: Question) -> Any:
    """An answer that is worth nothing."""
    match question.type:
        case "text":
            return "surely not this"
        case "checkboxes":
            return [option for option in question.options if option not in question.answers]
        case "sortable":
            return [*question.answers[1:], question.answers[0]]
        case _:
            return next(option for option in question.options if option not in question.answers)
