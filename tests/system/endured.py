"""The app that endures: a counter, rooms that log what they accept, a quick game of trivia, and a
room of 16 KB that sleeps whenever nobody asks it something.
"""

from __future__ import annotations

from typing import Any, ClassVar

from examples.counter.counter import Counter
from examples.trivia.app import Trivia
from rooms import App, Room, everything
from runtime import assign, setup
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


_VALUES: list[Any] = [
    0,
    -0.0,
    0.1,
    1e-300,
    1e22,
    2**53,
    None,
    True,
    "",
    "kä🧀\\ud800\n",
    [],
    {},
    [[1], {"": 2}],
]

_DREAM = setup(
    actions={"turn": assign({"turned": lambda args, params: not args.context["turned"]})}
).create_machine(
    {
        "id": "dream",
        "context": {
            "turned": False,
            "kept": {
                f"{n:x}": {f"{i} {j}": value for j, value in enumerate(_VALUES) for i in range(3)}
                for n in range(24)
            },
        },
        "type": "parallel",
        "states": {
            "side": {
                "initial": "left",
                "states": {
                    "left": {"on": {"turn": {"target": "right", "actions": "turn"}}},
                    "right": {"on": {"turn": {"target": "left", "actions": "turn"}}},
                },
            },
            "clock": {
                "initial": "ticking",
                "states": {"ticking": {"after": {86_400_000: "over"}}, "over": {}},
            },
        },
    }
)


class Dream(Room):
    """A state of every sort of value, with a timer; two turns lead back to it."""

    machine = _DREAM
    view = everything
    sleep_after = 25


app = App(counter=Counter, ledger=Ledger, table=Table, quick=Quick, long=Long, dream=Dream)
