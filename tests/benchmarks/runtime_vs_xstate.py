"""The runtime beside XState 5 on Node: the same six machines, turn about, in one run.

In: `machines.json`. Out: a table on stdout: events (or actors, or round trips) a second, our ratio
to XState for each machine, and the geometric mean. XState's half is `xstate.js`, kept running as a
child process so that its compiler is warm; Python neighbours that happen to be installed get a
column each (`neighbours.py`). How to run it: README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import orjson

from runtime import assign, create_actor, setup
from tests.benchmarks import neighbours

HERE = Path(__file__).parent
UNITS: dict[str, Any] = json.loads((HERE / "machines.json").read_text())
ROUND = 0.25
"""Seconds that one side works on one unit before the other gets its turn."""

Work: TypeAlias = Callable[[int], float]
"""Does so many units of work and returns the seconds they took."""


def inc(args: Any, params: Any) -> dict[str, Any]:
    key = params["key"]
    return {key: args.context[key] + 1}


def next_question(args: Any, params: Any) -> dict[str, Any]:
    return {"question": args.context["question"] + 1, "answered": 0}


def score(args: Any, params: Any) -> dict[str, Any]:
    context, event = args.context, args.event
    player = context["players"][event["player"]]
    scored = {
        **player,
        "score": player["score"] + event["points"],
        "answers": player["answers"] + 1,
    }
    return {
        "answered": context["answered"] + 1,
        "players": {**context["players"], event["player"]: scored},
    }


IMPLEMENTATIONS = setup(
    actions={
        "inc": assign(inc),
        "enter": assign(lambda a, p: {"entered": a.context["entered"] + 1}),
        "leave": assign(lambda a, p: {"left": a.context["left"] + 1}),
        "nextQuestion": assign(next_question),
        "score": assign(score),
    },
    guards={
        "lt": lambda a, p: a.context[p["key"]] < p["value"],
        "odd": lambda a, p: a.context[p["key"]] % 2 == 1,
        "allAnswered": lambda a, p: a.context["answered"] >= 29,
    },
)


def machine_of(unit: str) -> Any:
    config = UNITS[unit]["machine"]
    return IMPLEMENTATIONS.create_machine(
        UNITS[config]["machine"] if isinstance(config, str) else config
    )


def events(unit: str) -> Work:
    """Checks the machine against `check`, then sends pass after pass of the unit's events."""
    script, check = UNITS[unit]["events"], UNITS[unit]["check"]
    machine = machine_of(unit)
    actor = create_actor(machine).start()
    for event in script * check["rounds"]:
        actor.send(event)
    snapshot = actor.get_snapshot()
    if snapshot.value != check["value"] or snapshot.context != check["context"]:
        raise SystemExit(f"{unit}: {snapshot.value} {snapshot.context}, not {check}")

    def work(count: int) -> float:
        send = create_actor(machine).start().send
        passes, rest = divmod(count, len(script))
        begun = perf_counter()
        for _ in range(passes):
            for event in script:
                send(event)
        for event in script[:rest]:
            send(event)
        return perf_counter() - begun

    return work


def actors() -> Work:
    machine = machine_of("actors")

    def work(count: int) -> float:
        begun = perf_counter()
        for _ in range(count):
            create_actor(machine).start().stop()
        return perf_counter() - begun

    return work


def persist() -> Work:
    machine = machine_of("persist")
    actor = create_actor(machine).start()
    for event in UNITS[UNITS["persist"]["machine"]]["events"][:7]:
        actor.send(event)

    def work(count: int) -> float:
        begun = perf_counter()
        for _ in range(count):
            text = orjson.dumps(actor.get_persisted_snapshot())
            create_actor(machine, snapshot=orjson.loads(text)).start().stop()
        return perf_counter() - begun

    return work


class XState:
    """XState in its own process."""

    def __init__(self) -> None:
        if not (HERE / "node_modules" / "xstate").exists():
            raise SystemExit(f"XState isn't installed yet: npm ci --prefix {HERE}")
        self.node = subprocess.Popen(
            ["node", str(HERE / "xstate.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def work(self, unit: str) -> Work:
        def ask(count: int) -> float:
            assert self.node.stdin is not None
            assert self.node.stdout is not None
            print(json.dumps({"unit": unit, "count": count}), file=self.node.stdin, flush=True)
            answer = self.node.stdout.readline()
            if not answer:
                raise SystemExit("XState's process ended: see its message above")
            return float(json.loads(answer)["seconds"])

        return ask

    def close(self) -> None:
        assert self.node.stdin is not None
        self.node.stdin.close()
        self.node.wait()


def fit(work: Work) -> int:
    """How many units fill one round (found by doing them: it is the warm-up as well)."""
    count = 100
    while (seconds := work(count)) < ROUND / 2:
        count = max(2 * count, int(count * ROUND / max(seconds, 1e-6) / 2))
    return max(1, int(count * ROUND / seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("units", nargs="*", help=f"some of: {' '.join(UNITS)}")
    parser.add_argument("--rounds", type=int, default=7, help="the best of so many counts")
    options = parser.parse_args()
    units: list[str] = options.units or list(UNITS)
    if unknown := set(units) - set(UNITS):
        parser.error(f"no such unit: {' '.join(sorted(unknown))}")

    xstate = XState()
    ours: dict[str, Work] = {
        unit: actors() if unit == "actors" else persist() if unit == "persist" else events(unit)
        for unit in units
    }
    sides: dict[str, dict[str, Work]] = {
        "xstate": {unit: xstate.work(unit) for unit in units},
        "runtime": ours,
        **neighbours.installed(UNITS),
    }
    counts = {
        (side, unit): fit(work)
        for side, works in sides.items()
        for unit, work in works.items()
        if unit in units
    }
    best = dict.fromkeys(counts, math.inf)
    for _ in range(options.rounds):
        for unit in units:
            for side in sides:
                if (side, unit) in counts:
                    seconds = sides[side][unit](counts[side, unit])
                    best[side, unit] = min(best[side, unit], seconds / counts[side, unit])
    xstate.close()
    report(units, list(sides), best)


def report(units: list[str], sides: list[str], best: dict[tuple[str, str], float]) -> None:
    """One line a machine: rates a second, and ours divided by XState's."""
    print(f"Python {sys.version.split()[0]}; a second, best round")
    print(f"{'':10}" + "".join(f"{side:>22}" for side in sides) + f"{'ratio':>8}")
    ratios = []
    for unit in units:
        rates = [1 / best[side, unit] if (side, unit) in best else None for side in sides]
        ratio = best["xstate", unit] / best["runtime", unit]
        ratios.append(ratio)
        cells = "".join(f"{rate:>22,.0f}" if rate else f"{'–':>22}" for rate in rates)
        print(f"{unit:10}{cells}{ratio:>8.2f}")
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    print(f"{'geometric mean':{10 + 22 * len(sides)}}{mean:>8.2f}")


if __name__ == "__main__":
    main()
