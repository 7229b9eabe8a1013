"""The last steps of one view, so that who missed some of them gets just those (PURE).

A view key has one backlog: the newest view, its cursor, and the steps before it. A cursor is
`<name>.<number>`: the name belongs to one view key of one incarnation, so that a cursor of another
key, or of an incarnation that crashed, is never mistaken for one of ours. Next:
`rooms/sync/codec.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.sync.diff import diff

if TYPE_CHECKING:
    from rooms.sync.messages import Op, View

STEPS: Final = 64
"""How many steps are kept."""
ALL_BYTES: Final = 64 * 1024 * 1024
"""Bytes of steps that the view keys of one host keep together."""


class Step(NamedTuple):
    """What brought the view from the cursor `base` to the one after it."""

    base: str
    ops: list[Op]


class Backlog:
    """The newest view of one view key, and how it came about.

    `cursor` is what a sleep before this incarnation left for exactly this view, or None.
    """

    __slots__ = ("_name", "_number", "_sizes", "_steps", "cursor", "view")

    def __init__(self, name: str, view: View, cursor: str | None = None) -> None:
        self._name = name
        self._number = 0
        self._steps: deque[Step] = deque(maxlen=STEPS)
        self._sizes: deque[int] = deque(maxlen=STEPS)
        self.view = view
        self.cursor = f"{name}.0" if cursor is None else cursor

    def step(self, view: View) -> Step | None:
        """Go on to `view`. None when nothing in it changed: then the cursor stays, too."""
        ops = diff(self.view, view)
        self.view = view  # an equal one as well: the next step shares its parts
        if not ops:
            return None
        step = Step(self.cursor, ops)
        self._steps.append(step)
        self._sizes.append(0)
        self._number += 1
        self.cursor = f"{self._name}.{self._number}"
        return step

    def back(self, view: View) -> None:
        """Take the newest step back to `view`: nobody was told of it."""
        self.view = view
        self.cursor = self._steps.pop().base
        self._sizes.pop()

    def weigh(self, size: int, most: int) -> int:
        """The newest step takes `size` bytes: forget the oldest ones until all take at most `most`,
        the size of the whole view. Who is further behind is better off with that.

        The answer is what all take now.
        """
        self._sizes[-1] = size
        total = sum(self._sizes)
        while total > most and self._steps:
            total -= self._sizes.popleft()
            self._steps.popleft()
        return total

    def forget(self) -> None:
        """Give up the steps, not the view and its cursor."""
        self._steps.clear()
        self._sizes.clear()

    def since(self, cursor: str | None) -> list[Op] | None:
        """The operations from the view at `cursor` to the newest; [] for the newest itself.

        None when that isn't known here: only the whole view helps.
        """
        if cursor == self.cursor:
            return []
        parts: list[list[Op]] = []
        for step in reversed(self._steps):
            parts.append(step.ops)
            if step.base == cursor:
                return [op for part in reversed(parts) for op in part]
        return None


class Budget:
    """What the steps of many backlogs may take together: those used longest ago give theirs up."""

    __slots__ = ("_most", "_sizes", "_total")

    def __init__(self, most: int = ALL_BYTES) -> None:
        self._most = most
        self._sizes: dict[Backlog, int] = {}  # the one used last at the end
        self._total = 0

    def use(self, backlog: Backlog, size: int | None = None) -> None:
        """A backlog was used, and takes `size` bytes now, or what it took before."""
        before = self._sizes.pop(backlog, 0)
        now = before if size is None else size
        self._sizes[backlog] = now
        self._total += now - before
        while self._total > self._most:
            oldest = next(iter(self._sizes))
            self._total -= self._sizes.pop(oldest)
            oldest.forget()

    def drop(self, backlog: Backlog) -> None:
        """A backlog is no more. Harmless for one that was never used."""
        self._total -= self._sizes.pop(backlog, 0)
