"""Sessions that lay asleep for too long: when that is, and a sweep that deletes them (SPEC, TTL).

In: heartbeats, with which it looks at the store's index now and then, a bounded number at a time.
Out: calls to `expire`, which sees to it that nobody has woken the session meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rooms.definition import Room
    from rooms.host.clock import Clock
    from rooms.store.port import SessionId, Store

logger = logging.getLogger(__name__)

EVERY: Final = 60_000
"""How often the index is looked at (ms). The first time is as long after the start, so that who was
there when a server ended is back before."""
AT_ONCE: Final = 64
"""How many sessions are read from the index before some are deleted."""


def ttl_of(room: Room, status: str) -> int | None:
    """How long a session may lie asleep and unchanged (ms) whose machine has this status."""
    return room.ttl if status == "active" or room.ttl_done is None else room.ttl_done


def wake_in_time(clock: Clock, ttl: int, wake: Callable[[], None]) -> None:
    """Whoever stays connected to a sleeping session keeps it: it is to wake in good time, and
    expires that much later (`ttl`, ms) when it sleeps again.
    """
    at = clock.now() + ttl // 2

    def look() -> None:
        if clock.now() < at:
            clock.call_at(at, look)
        else:
            wake()

    look()


class Sweep:
    """Looks for sessions that have expired. `expire` deletes one, or says False."""

    def __init__(
        self, store: Store, clock: Clock, expire: Callable[[SessionId], Awaitable[bool]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._expire = expire
        self._looked = clock.elapsed()
        self._sweeping: asyncio.Task[None] | None = None
        self._stopped = False

    def look(self) -> None:
        """The store answers: look, if it is time to."""
        now = self._clock.elapsed()
        if not self._stopped and self._sweeping is None and now - self._looked >= EVERY:
            self._looked = now
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def stop(self) -> None:
        """Delete nothing any more."""
        self._stopped = True
        if self._sweeping is not None:
            await asyncio.wait([self._sweeping])

    async def _sweep(self) -> None:
        try:
            full = True
            while full and not self._stopped:
                found = await self._store.expired(self._clock.now(), AT_ONCE)
                deleted = [await self._expire(id) for id in found if not self._stopped]
                full = len(found) == AT_ONCE and any(deleted)
        except StoreError as error:
            logger.warning("what has expired can't be deleted: %s", error)
        finally:
            self._sweeping = None
