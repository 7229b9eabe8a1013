"""The app that is killed: a counter, rooms that log what they accept, a quick game of trivia."""

from __future__ import annotations

from typing import Any, ClassVar

from examples.counter.counter import Counter
from examples.trivia.app import Trivia
from rooms import App
from tests.sim.machines import Ledger, Table


class Quick(Trivia):
    """A game whose countdowns are short: two questions, each over when all have confirmed."""

    categories: ClassVar = 1
    questions: ClassVar = 2

    def input(self) -> Any:
        """What the machine begins with."""
        return {
            "settings": {"categories": self.categories, "questions": self.questions},
            "timing": {"countdown": 1_500, "prepare": 1_000, "recap": 1_500, "patience": 60_000},
        }


class Long(Quick):
    """Ten questions."""

    categories = 2
    questions = 5


app = App(counter=Counter, ledger=Ledger, table=Table, quick=Quick, long=Long)
