"""Alarms: wakes sleeping sessions when they are due. One timer of the loop, no polling.

In: the store's index of due times, asked again when it may have changed. Out: calls to wake.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.errors import StoreError
from rooms.placement.ring import place

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.host.clock import Clock
    from rooms.store.port import SessionId, Store

logger = logging.getLogger(__name__)

AT_ONCE: Final = 64
"""How many sessions are woken before the index is asked again."""
HORIZON: Final = 3_600_000
"""How far ahead the index is read (ms)."""
RETRY: Final = 30_000
"""When a session is tried again that is due and couldn't be woken (ms)."""
LEFT_FOR: Final = 1_000
"""How long a session that is due is left to the host where it is placed (ms)."""


class Alarms:
    """The earliest due time of all sleeping sessions. `wake` is called for each that is due, and
    whose place is this host, at `address`; for others' when nobody has woken them in time.
    """

    def __init__(
        self, store: Store, clock: Clock, address: str, wake: Callable[[SessionId], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._address = address
        self._wake = wake
        self._left: set[SessionId] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._tried: dict[SessionId, int] = {}
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        self._stopped = False

    def note(self, id: SessionId, due: int | None) -> None:
        """A session fell asleep that is due then (ms of the store), None: never."""
        self._tried.pop(id, None)
        if due is not None and (self._due is None or due < self._due):
            self._set(due)

    def look(self) -> None:
        """The index may have changed: see what is due, and when the next one is."""
        if self._stopped:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        else:
            self._again = True

    async def stop(self) -> None:
        """Wake nobody any more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None and not self._looking.done():
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        again = True
        while again and not self._stopped:
            self._again = False
            now = self._clock.now()
            self._tried = {id: retry for id, retry in self._tried.items() if retry > now}
            try:
                found = await self._store.due(now + HORIZON, AT_ONCE + len(self._tried))
                ripe = {one.id for one in found if one.due <= now} - self._tried.keys()
                others = await self._others(ripe - self._left) if ripe else frozenset()
            except StoreError as error:
                logger.warning("what is due can't be read: %s", error)
                return
            self._left = {*others, *(self._left & self._tried.keys())}
            next_due = now + HORIZON
            again = self._again
            for id, due in ((one.id, one.due) for one in found):
                if id in others:
                    self._tried[id] = now + LEFT_FOR
                if id not in ripe or id in others:
                    next_due = min(next_due, max(due, self._tried.get(id, due)))
                else:
                    self._tried[id] = now + RETRY  # once awake it has an owner, and isn't listed
                    self._wake(id)
                    again = True
            self._set(next_due)

    async def _others(self, ids: set[SessionId]) -> frozenset[SessionId]:
        """Those of these sessions whose place is another host. Raises StoreError."""
        hosts = await self._store.hosts() if ids else ()
        where = {id: place(id.kind, id.session, hosts) for id in ids}
        return frozenset(
            id for id, host in where.items() if host is not None and host.address != self._address
        )

    def _set(self, due: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        if not self._stopped:
            self._timer = self._clock.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = self._due = None
        self.look()
