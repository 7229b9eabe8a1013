"""Work under way, held on to until it has ended: the event loop itself wouldn't."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Tasks(set["asyncio.Task[None]"]):
    """Those that haven't ended."""

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have this done."""
        task = asyncio.get_running_loop().create_task(work)
        self.add(task)
        task.add_done_callback(self.discard)
        return task

    async def ended(self) -> None:
        """Wait for all, and for what begins meanwhile."""
        while self:
            await asyncio.wait(self)
