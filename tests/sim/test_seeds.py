"""Worlds from seeds: whatever goes wrong in them, every promise is kept."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sim.scripts import (
    asked_again,
    asked_again_after_sleep,
    asked_again_of_none,
    cut_off_and_asked,
    overtaken,
    released_late,
    suspended_and_asked,
)
from tests.sim.world import Script, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = 500
AT_ONCE = 20


def play(seed: int) -> None:
    """Play one world, and say how to play it again if it breaks a promise."""
    violations = World(seed).play()
    told = "\n  ".join(map(str, violations[:10]))
    assert not violations, f"python -m tests.sim --seed {seed}\n  {told}"


@pytest.fixture(scope="module")
def players() -> Iterator[Executor]:
    """A process for each core: a world waits for nothing but its processor."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_goes_wrong_every_promise_is_kept(first: int, players: Executor) -> None:
    # [SEND2] [SEND3] [SEND5] [VIEW5] [TURN2] [TURN3] [TURN5] [TIME1] [SLEEP2] [SLEEP3] [STORE2]
    for _ in players.map(play, range(first, first + AT_ONCE)):
        """Raises what playing it did."""


@pytest.mark.parametrize(
    "script",
    [
        cut_off_and_asked,
        suspended_and_asked,
        overtaken,
        released_late,
        asked_again,
        asked_again_of_none,
        asked_again_after_sleep,
    ],
)
def test_whatever_somebody_arranges_every_promise_is_kept(script: Script) -> None:
    # [STORE2] [STORE4] [STORE9] [SEND3] [SEND11]
    for seed in range(5):
        assert not World(seed, script=script).play()


@pytest.mark.parametrize("seed", [2298])  # an older connection was put again after the newer one
def test_what_was_once_broken_is_kept(seed: int) -> None:  # [OPEN5]
    play(seed)


@pytest.mark.parametrize("world", ["--seed 31", "--fleet --seed 7", "--redis --seed 2"])
def test_a_seed_is_the_same_world_in_every_process(world: str) -> None:
    told = {_in_another_process(world, hashes) for hashes in ("1", "2")}
    assert len(told) == 1, told


def _in_another_process(world: str, hashes: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "tests.sim", *world.split()],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hashes},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout
