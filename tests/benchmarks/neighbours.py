"""The benchmark's flat machines in other Python libraries, where those are installed.

Each library does them in its own idiom: conditions for guards, methods for actions, a model that
changes in place for context. Neither can say the hierarchy machine in comparable form, so they get
toggle, counter and trivia only.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def installed(units: dict[str, Any]) -> dict[str, dict[str, Callable[[int], float]]]:
    """Library → machine → work, for what can be imported here."""
    found: dict[str, dict[str, Callable[[int], float]]] = {}
    if importlib.util.find_spec("transitions"):
        found["transitions"] = _transitions(units)
    if importlib.util.find_spec("statemachine"):
        found["python-statemachine"] = _statemachine(units)
    return found


def _repeat(triggers: list[Callable[[], Any]]) -> Callable[[int], float]:
    def work(count: int) -> float:
        passes = -(-count // len(triggers))  # whole ones: the model has to end where it began
        begun = perf_counter()
        for _ in range(passes):
            for trigger in triggers:
                trigger()
        return (perf_counter() - begun) * count / (passes * len(triggers))

    return work


class Game:
    """Trivia's context and actions, as a model that changes in place."""

    def __init__(self, context: dict[str, Any]) -> None:
        self.players: dict[str, Any] = copy.deepcopy(context["players"])
        self.question = 1
        self.answered = 0

    def all_answered(self, player: str = "", points: int = 0) -> bool:
        return self.answered >= 29

    def score(self, player: str, points: int) -> None:
        self.answered += 1
        self.players[player]["score"] += points
        self.players[player]["answers"] += 1

    def next_question(self, *args: Any, **kwargs: Any) -> None:
        self.question += 1
        self.answered = 0


def _script(units: dict[str, Any], machine: Any) -> list[Callable[[], Any]]:
    def answer(player: str, points: int) -> Callable[[], Any]:
        return lambda: machine.answer(player=player, points=points)

    return [
        answer(event["player"], event["points"]) if event["type"] == "ANSWER" else machine.next
        for event in units["trivia"]["events"]
    ]


def _transitions(units: dict[str, Any]) -> dict[str, Callable[[int], float]]:
    machine_type = importlib.import_module("transitions").Machine

    toggle = machine_type(states=["off", "on"], initial="off", auto_transitions=False)
    toggle.add_transition("toggle", "off", "on")
    toggle.add_transition("toggle", "on", "off")

    class Counter:
        n = 0

        def inc_n(self) -> None:
            self.n += 1

    counter: Any = Counter()
    run = machine_type(counter, states=["run"], initial="run", auto_transitions=False)
    run.add_transition("inc", "run", None, after="inc_n")

    game: Any = Game(units["trivia"]["machine"]["context"])
    trivia = machine_type(
        game, states=["asking", "reveal"], initial="asking", auto_transitions=False
    )
    trivia.add_transition("answer", "asking", "reveal", conditions="all_answered", before="score")
    trivia.add_transition("answer", "asking", None, before="score")
    trivia.add_transition("next", "reveal", "asking", after="next_question")
    return {
        "toggle": _repeat([toggle.toggle]),
        "counter": _repeat([counter.inc]),
        "trivia": _repeat(_script(units, game)),
    }


def _statemachine(units: dict[str, Any]) -> dict[str, Callable[[int], float]]:
    library = importlib.import_module("statemachine")
    state = library.State
    base: Any = library.StateMachine

    class Toggle(base):  # type: ignore[misc]
        off = state(initial=True)
        on = state()
        toggle = off.to(on) | on.to(off)

    class Counter(base):  # type: ignore[misc]
        run = state(initial=True)
        inc = run.to.itself(internal=True, on="inc_n")
        n = 0

        def inc_n(self) -> None:
            self.n += 1

    class Trivia(base):  # type: ignore[misc]
        asking = state(initial=True)
        reveal = state()
        answer = asking.to(reveal, cond="all_answered", on="score") | asking.to.itself(
            internal=True, on="score"
        )
        next = reveal.to(asking, on="next_question")

        def __init__(self, game: Game) -> None:
            self.all_answered = game.all_answered
            self.score = game.score
            self.next_question = game.next_question
            super().__init__()

    game = Game(units["trivia"]["machine"]["context"])
    return {
        "toggle": _repeat([Toggle().toggle]),
        "counter": _repeat([Counter().inc]),
        "trivia": _repeat(_script(units, Trivia(game))),
    }
