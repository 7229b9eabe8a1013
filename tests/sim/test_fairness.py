"""Rooms that have to wait, for their turn or for a router, keep every promise all the same."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rooms.budgets import Budgets
from rooms.host import crowding
from rooms.pace import Pace
from tests.sim.servers import Tapped
from tests.sim.world import NOTHING, World

SEEDS = 5


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whoever_has_to_wait_nothing_is_lost(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # [FAIR3] [FAIR4] [SEND2] [SEND5] [TURN1] [TURN3]
    chance, waited = random.Random(seed), {"_hold": 0, "_next": 0}

    def counting(name: str) -> None:
        call = getattr(Pace, name)

        def counted(self: Pace, *args: Any) -> None:
            waited[name] += 1
            call(self, *args)

        monkeypatch.setattr(Pace, name, counted)

    spend = Budgets.spend
    # In a world no work takes time, and no link is ever behind: here chance says so.
    monkeypatch.setattr(
        Budgets,
        "spend",
        lambda self, account, ms, now: spend(self, account, ms + chance.random() * 8, now),
    )
    monkeypatch.setattr(crowding, "SHARE", 200)
    behind = property(lambda self: chance.choice([0, 2 * crowding.BEHIND, 2 * crowding.BEHIND]))
    monkeypatch.setattr(Tapped, "under_way", behind)
    counting("_hold")
    counting("_next")
    told = "\n  ".join(map(str, World(seed, NOTHING).play()[:10]))
    assert not told
    assert min(waited.values()) > 0
