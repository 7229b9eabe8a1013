"""Time that is ours: an event loop whose clock moves only when a test says so.

Nothing waits for real: `advance` goes from one timer to the next up to the moment it was given, and
lets everything finish that is ready in between. `tests/rooms/host/conftest.py` puts the tests of a
folder on this loop.
"""

from __future__ import annotations

import asyncio
import math
from types import coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

EPOCH = 1_800_000_000_000
"""The store's time (ms since 1970) when a loop begins."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own, in whole milliseconds."""

    def __init__(self) -> None:
        self.ms = 0
        super().__init__()

    def time(self) -> float:
        """The loop's clock (s)."""
        return self.ms / 1000

    def elapsed(self) -> float:
        """The same in ms: what a host takes for CLOCK_BOOTTIME."""
        return float(self.ms)

    def now(self) -> int:
        """What a store takes for the time (ms since 1970)."""
        return EPOCH + self.ms

    async def settle(self) -> None:
        """Let everything finish that is ready, and what follows from it, at this moment."""
        await step()
        while self._ready_now():
            await step()

    async def advance(self, ms: int) -> None:
        """Move time on, stopping at each timer on the way."""
        end = self.ms + ms
        await self.settle()
        while (due := self._next_timer()) is not None and due <= end:
            self.ms = max(self.ms, due)
            await self.settle()
        self.ms = end
        await self.settle()

    def forget(self) -> None:
        """Whatever waits on this loop never goes on, but for who calls: a process has died."""
        for task in asyncio.all_tasks(self) - {asyncio.current_task(self)}:
            task.cancel()
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        for handle in scheduled:
            handle.cancel()

    def _ready_now(self) -> int:
        return len(self._ready)  # type: ignore[attr-defined]

    def _next_timer(self) -> int | None:
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        dues = [handle.when() for handle in scheduled if not handle.cancelled()]
        return math.ceil(min(dues) * 1000 - 1e-6) if dues else None


@coroutine
def step() -> Generator[None, Any, None]:
    """One round of the loop."""
    yield


def virtual() -> VirtualLoop:
    """The virtual loop that runs this test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
