"""Worlds on servers that fail: whatever happens to them, every promise of their level is kept."""

from __future__ import annotations

import pytest

from tests.sim.redis.worlds import RedisFleet

SEEDS = 18
AT_ONCE = 6


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_goes_wrong_with_its_servers_every_promise_is_kept(first: int) -> None:
    # [STORE2] [STORE4] [STORE8] [STORE9] [OUTBOX2] [CURSOR3] [ROUTE1] [ROUTE6]
    for seed in range(first, first + AT_ONCE):
        told = "\n  ".join(map(str, RedisFleet(seed).play()[:10]))
        assert not told, f"python -m tests.sim --redis --seed {seed}\n  {told}"


def test_a_seed_is_the_same_world_again() -> None:
    one, two = RedisFleet(4), RedisFleet(4)
    one.play()
    two.play()
    assert one.digest.digest() == two.digest.digest()
