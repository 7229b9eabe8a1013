"""The composition root: what time an embedded store tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms import server
from runtime import SimulatedClock

if TYPE_CHECKING:
    import pytest


class Wall(SimulatedClock):
    """A wall clock that somebody sets."""

    def set(self, time: float) -> None:
        self._now = time


def test_a_step_of_the_wall_clock_moves_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    # [TIME6]
    wall, elapsed = Wall(1_800_000_000_000), Wall(5_000)
    monkeypatch.setattr(server, "_WALL", wall)
    monkeypatch.setattr(server, "elapsed", elapsed.now)
    now = server.store_time()
    assert now() == 1_800_000_000_000
    for step in (3_600_000, -7_200_000):
        wall.set(wall.now() + step)
        elapsed.increment(100)
    assert now() == 1_800_000_000_200
