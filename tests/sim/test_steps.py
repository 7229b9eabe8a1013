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

AUTHORS = {"rooms/host/ask.py", "rooms/host/requests.py", "rooms/host/kinds.py"}
"""Files that wait for what an author wrote: their hooks have nothing that a kill could break."""

SELDOM = {
    "rooms/host/keeper.py": {
        "self.gate.quiet()",  # a commit of a room that was dropped while its server drains
        "self._release(claim, activation)",  # of a session that can't be restored
    },
    "rooms/host/gate.py": {"asyncio.wait(self._flights[-1:])"},  # as above
}
"""Awaits that no day comes to, and when one would."""


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
    """Every await of the host, but for authors' hooks and what is seldom: file and line, text."""
    for path in sorted((ROOT / "rooms" / "host").glob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Await) and name not in AUTHORS:
                text = ast.unparse(node.value)
                if text not in SELDOM.get(name, ()):
                    yield f"{name}:{node.lineno}", text
