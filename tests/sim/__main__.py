"""`python -m tests.sim`: plays worlds, and says which seeds broke a promise and how to play them
again.

    python -m tests.sim --seeds 500            # seeds 0 to 499
    python -m tests.sim --seed 57              # this one
    python -m tests.sim --mutant gate_off      # with a guard switched off: until it is caught
"""

from __future__ import annotations

import argparse
import sys

from tests.sim.mutants import MUTANTS, SCRIPTS, WEATHER, mutated
from tests.sim.world import NOTHING, World


def main() -> int:
    """0: every promise was kept (or the mutant was caught); 1: not."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many worlds")
    parser.add_argument("--seed", type=int, help="one world, or the first of --seeds")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="a guard to switch off")
    asked = parser.parse_args()
    first = asked.seed or 0
    one = asked.seed is not None and "--seeds" not in " ".join(sys.argv)
    failed = 0
    for seed in range(first, first + (1 if one else asked.seeds)):
        with mutated(asked.mutant):
            weather = WEATHER.get(asked.mutant, NOTHING)
            world = World(seed, weather, SCRIPTS.get(asked.mutant))
            violations = world.play()
        if violations:
            failed += 1
            again = f"python -m tests.sim --seed {seed}"
            again += f" --mutant {asked.mutant}" if asked.mutant else ""
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


if __name__ == "__main__":
    sys.exit(main())
