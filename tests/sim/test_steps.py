"""Whatever step a server is struck at, every promise is kept; and a kill lands at every await."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sim.steps import STRIKES, Day, killed_at_each_await, struck

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

STRIDE = 23
"""Of so many steps one is struck in CI; `python -m tests.sim --steps` strikes all of them."""

PATH = ("alarms", "claims", "courier", "gate", "host", "keeper", "lease", "room")
"""The files of the host on the way of an event and of what it owes. Others wait for operators, or
for what an author wrote."""

SELDOM = {
    "self.gate.quiet()",  # a commit of a room that was dropped while its server drains
    "asyncio.wait(self._flights[-1:])",  # as above
    "self.release(claim, activation)",  # of a session that can't be restored
    "self._find_version(id, acquired.record.version)",  # that another host can run
    "self._store.hosts()",  # as above
    "self._release_again(id)",  # a release that wasn't answered, of a room that is wanted again
    "self._store.release(id, claim.incarnation, claim.epoch, left)",  # as above
    "room.start(room.session)",  # rooms without a machine
    "hooks.start(turn)",  # as above
    "self.gatherings.wait(id, epoch)",  # as above
    "asyncio.gather(self._rest_all(), self.processes.drain())",  # rooms in processes of their own
    "self.until_settled(id)",  # as above
    "self._lease.standing(REACHED_WITHIN)",  # as above
    "asyncio.wait(asked)",  # rooms without a machine, while their author is asked who somebody is
    "self._alarms.stop()",  # somebody looks for what is due while the server begins to drain
    "self._sweep.stop()",  # as above
    "asyncio.wait([self._looking])",  # as above
    "asyncio.sleep(between / 1000)",  # more rooms than other hosts take over at once
    "self._others(ripe - self._left)",  # whose place is another host
    "self.post.send(to, letter)",  # as above
    "waiting.over.wait()",  # an operator, for a room that is waking
}
"""Awaits that no day comes to, and when one would."""

OPERATORS = {"replace", "_plant"}
"""Functions of the keeper's that only an operator asks for."""


@pytest.mark.parametrize("strike", STRIKES)
def test_whatever_step_it_happens_at_every_promise_is_kept(strike: str) -> None:
    # [SEND2] [SEND3] [TURN3] [TURN5] [SLEEP2] [SLEEP3] [STORE2] [STORE4]
    for day in struck(strike, stride=STRIDE):
        _keeps(day)


def test_a_kill_lands_at_every_await_between_a_room_and_its_store() -> None:
    reached: set[str] = set()
    for day, waits in killed_at_each_await():
        reached |= waits
        _keeps(day)
    assert [await_ for place, await_ in _awaits() if place not in reached] == []


def _keeps(day: Day) -> None:
    told = "\n  ".join(map(str, day.play()[:10]))
    assert not told, f"python -m tests.sim --steps {day}\n  {told}"


def _awaits() -> Iterator[tuple[str, str]]:
    """Every await on that way but for what is seldom: file and line, text."""
    for name in PATH:
        path = f"rooms/host/{name}.py"
        for function in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(function, ast.AsyncFunctionDef) and function.name not in OPERATORS:
                for node in ast.walk(function):
                    if isinstance(node, ast.Await) and ast.unparse(node.value) not in SELDOM:
                        yield f"{path}:{node.lineno}", ast.unparse(node.value)
