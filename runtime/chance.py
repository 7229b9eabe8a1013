"""Chance: a generator whose whole state is one number, so that it can be persisted with a machine.

`args.random` is one of these: everything of `random.Random` works on it, and a run can be repeated
from its seed.
"""

from __future__ import annotations

from random import Random

_MASK = (1 << 64) - 1


class SeededRandom(Random):
    """SplitMix64 (Steele, Lea and Flood 2014) behind Python's interface: `state` is all there is to
    it.
    """

    def __init__(self, state: int) -> None:
        self.state = state & _MASK
        super().__init__()

    def seed(self, a: object = None, version: int = 2) -> None:
        """Start again from an integer; anything else leaves the state alone."""
        if isinstance(a, int):
            self.state = a & _MASK
        self.gauss_next = None

    def getrandbits(self, k: int, /) -> int:
        """`k` random bits."""
        bits = 0
        for _ in range((k + 63) // 64):
            bits = bits << 64 | self._next()
        return bits >> (-k % 64)

    def random(self) -> float:
        """A number in [0, 1)."""
        return (self._next() >> 11) / 9007199254740992.0

    def _next(self) -> int:
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self.state
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _MASK
        return mixed ^ mixed >> 31
