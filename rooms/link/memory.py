"""The link inside one process: two ends, each a queue that the other fills.

What is put in at one end comes out at the other in a later step of the loop, in order; nobody calls
the other side back from inside its own work. The same face as the link between processes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Message


class End(Protocol):
    """One side of a link: what a router or a host holds of the other."""

    @property
    def under_way(self) -> int:
        """How many bytes were sent that the other side hasn't said it has taken."""

    def send(self, message: Message) -> None:
        """Queue a message for the other side; never waits, never calls back. Lost when the link is
        closed.
        """

    def listen(
        self, on_message: Callable[[Message], None], on_close: Callable[[], None] | None = None
    ) -> None:
        """Say who gets the other side's messages, one call a message, and who hears of the link's
        end.
        """

    def close(self) -> None:
        """End the link; the other side's `on_close` is called once."""


class MemoryEnd:
    """One end of an in-memory link; made in pairs by `pair()`."""

    def __init__(self) -> None:
        self.under_way = 0  # all of it is taken in the next step of the loop
        self._other: MemoryEnd = self
        self._inbox: deque[Message] = deque()
        self._scheduled = False
        self._closed = False
        self._on_message: Callable[[Message], None] | None = None
        self._on_close: Callable[[], None] | None = None

    def send(self, message: Message) -> None:
        other = self._other
        if other._closed:
            return
        other._inbox.append(message)
        other._schedule()

    def listen(
        self, on_message: Callable[[Message], None], on_close: Callable[[], None] | None = None
    ) -> None:
        self._on_message = on_message
        self._on_close = on_close
        self._schedule()

    def close(self) -> None:
        for end in (self, self._other):
            if not end._closed:
                end._closed = True
                end._inbox.clear()
                if end._on_close is not None and end is not self:
                    asyncio.get_running_loop().call_soon(end._on_close)

    def _schedule(self) -> None:
        if self._inbox and not self._scheduled and self._on_message is not None:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        """Hand over what has come so far; what comes meanwhile waits for the next step."""
        self._scheduled = False
        assert self._on_message is not None
        try:
            for _ in range(len(self._inbox)):
                if not self._inbox:
                    break
                self._on_message(self._inbox.popleft())
        finally:
            self._schedule()


def pair() -> tuple[MemoryEnd, MemoryEnd]:
    """Two ends of one link: the router's and the host's."""
    one, two = MemoryEnd(), MemoryEnd()
    one._other, two._other = two, one
    return one, two
