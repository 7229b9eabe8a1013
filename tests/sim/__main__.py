"""`python -m tests.sim`: plays worlds, and says which seeds broke a promise and how to play them
again.

    python -m tests.sim --seeds 500            # seeds 0 to 499
    python -m tests.sim --seed 57              # this one
    python -m tests.sim --fleet --seeds 100    # of several hosts and routers
    python -m tests.sim --redis --seeds 100    # … on Redis whose servers fail, or whose slots move
    python -m tests.sim --isolated --seeds 100 # … whose rooms have processes of their own
    python -m tests.sim --mutant gate_off      # with a guard switched off: until it is caught
    python -m tests.sim --steps                # a day, struck at every step of both its servers
    python -m tests.sim --steps slow kill      # … of this weather, with this strike
    python -m tests.sim --steps fair kill 0 57 # … of this server, at this step
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from tests.sim.fleet import Fleet
from tests.sim.isolated import IsolatedFleet
from tests.sim.mutants import MUTANTS, SCRIPTS, WEATHER, mutated
from tests.sim.redis.worlds import RedisFleet
from tests.sim.steps import STRIKES, Day, struck
from tests.sim.world import NOTHING, World

if TYPE_CHECKING:
    from collections.abc import Iterator


KINDS: Final[dict[str, type[World]]] = {
    "fleet": Fleet,
    "redis": RedisFleet,
    "isolated": IsolatedFleet,
}


def main() -> int:
    """0: every promise was kept (or the mutant was caught); 1: not."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many worlds")
    parser.add_argument("--seed", type=int, help="one world, or the first of --seeds")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="a guard to switch off")
    parser.add_argument("--fleet", action="store_true", help="several hosts and routers")
    parser.add_argument("--redis", action="store_true", help="such a fleet on simulated servers")
    parser.add_argument("--isolated", action="store_true", help="… with a process for each room")
    parser.add_argument("--steps", nargs="*", metavar="DAY", help="strike at every step")
    asked = parser.parse_args()
    if asked.steps is not None:
        return _steps(*asked.steps)
    first = asked.seed or 0
    one = asked.seed is not None and "--seeds" not in " ".join(sys.argv)
    failed = 0
    for seed in range(first, first + (1 if one else asked.seeds)):
        with mutated(asked.mutant):
            weather = WEATHER.get(asked.mutant, NOTHING)
            kind = _kind(asked)
            world = kind(seed, weather, SCRIPTS.get(asked.mutant))
            violations = world.play()
        if violations:
            failed += 1
            again = f"python -m tests.sim --seed {seed}"
            again += f" --mutant {asked.mutant}" if asked.mutant else ""
            again += "".join(f" --{name}" for name in KINDS if getattr(asked, name))
            print(f"seed {seed} broke {len(violations)} promises; again: {again}")  # noqa: T201
            for violation in violations[:10]:
                print(f"  {violation}")  # noqa: T201
            if asked.mutant:
                return 0
        elif one:
            print(f"seed {seed}: every promise was kept; {world.digest.hexdigest()}")  # noqa: T201
    if asked.mutant or not one:
        print(f"{failed} worlds broke a promise")  # noqa: T201
    return 1 if failed or asked.mutant else 0


def _kind(asked: argparse.Namespace) -> type[World]:
    return next((kind for name, kind in KINDS.items() if getattr(asked, name)), World)


def _steps(*day: str) -> int:
    """Days that are struck at every step, or one of them."""
    failed = 0
    for one in _days(*day):
        violations = one.play()
        if violations:
            failed += 1
            print(f"struck by {one}; again: python -m tests.sim --steps {one}")  # noqa: T201
            for violation in violations[:10]:
                print(f"  {violation}")  # noqa: T201
    print(f"{failed} days broke a promise")  # noqa: T201
    return 1 if failed else 0


def _days(
    weather: str = "fair", strike: str | None = None, place: str = "", step: str = ""
) -> Iterator[Day]:
    if strike and place and step:
        yield Day(weather, strike, int(place), int(step))
    else:
        for name in [strike] if strike else STRIKES:
            yield from struck(name, weather)


if __name__ == "__main__":
    sys.exit(main())
