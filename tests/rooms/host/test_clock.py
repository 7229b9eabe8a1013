"""The host's time is the store's, as well as it is known."""

from __future__ import annotations

from rooms.host.clock import Clock


def test_a_long_journey_moves_no_time() -> None:  # [TIME2]
    clock = Clock(lambda: 0.0)
    clock.measured(1_000, asked=0, answered=2)
    known = clock.now()
    clock.measured(1_000 + 8_000, asked=10, answered=12_010)  # said at its end: 2 s off the middle
    assert clock.now() == known


def test_a_store_whose_time_is_another_one_is_believed() -> None:  # [TIME2]
    clock = Clock(lambda: 0.0)
    clock.measured(1_000, asked=0, answered=12_000)
    clock.measured(1_000, asked=20_000, answered=20_002)
    assert clock.now() == 1_000 - 20_001
