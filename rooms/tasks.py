"""Work under way, held on to until it has ended, as the event loop itself wouldn't; and the answers
that somebody waits for.
"""

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


def resolve(waiting: asyncio.Future[Any], answer: Any) -> None:
    """Give the answer to whoever waits for it, or raise it there if it is an error. Harmless when
    they have it, or are gone.
    """
    if waiting.done():
        return
    if isinstance(answer, BaseException):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
