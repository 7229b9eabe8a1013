"""The host's lease: it says that this incarnation lives, and notices when it can't be sure.

Heartbeats go to the store every 2.5 s and are good for 10 s. The lease is counted from the moment a
heartbeat was *sent*, by a clock that goes on while the machine is suspended; at 0.9 of it the host
stops, before another may take its sessions. An expired incarnation is dead for ever: the host goes
on as a new one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rooms.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.host.clock import Clock
    from rooms.store.port import HostInfo, Store

logger = logging.getLogger(__name__)

TTL: Final = 10_000
EVERY: Final = 2_500
SAFE: Final = 0.9


class Lease:
    """One lease after the other, each a new incarnation's.

    `name` names one. `lost` is called when an incarnation ended against its will, after which
    `incarnation` is the next one; `beaten` after each heartbeat that was good.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        info: HostInfo,
        *,
        name: Callable[[], str],
        lost: Callable[[], None],
        beaten: Callable[[], None],
    ) -> None:
        self.info = replace(info, incarnation=name())
        """What this host announces."""
        self._store = store
        self._clock = clock
        self._finished = False
        self._name = name
        self._lost = lost
        self._beaten = beaten
        self._sent = clock.elapsed()
        self._beat: asyncio.Task[None] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._stands = asyncio.Event()
        self._former: list[str] = []

    @property
    def incarnation(self) -> str:
        """The one that the lease is of."""
        return self.info.incarnation

    def leave(self) -> None:
        """Announce from now on that it takes no session any more."""
        self.info = replace(self.info, leaving=True)
        self._beat_now()

    async def standing(self, within: float) -> None:
        """Wait until the store has this incarnation. Raises StoreError after so long (ms)."""
        if not self._stands.is_set():
            try:
                await asyncio.wait_for(self._stands.wait(), within / 1000)
            except TimeoutError:
                raise StoreError("the store gave this host no lease") from None

    async def begin(self) -> None:
        """The first heartbeat. Raises StoreError."""
        await self._heartbeat()
        self._again()

    async def finish(self) -> None:
        """No more heartbeats; every incarnation is dead, its sessions may be taken at once."""
        self._finished = True
        if self._beat is not None:
            await asyncio.wait([self._beat])  # it may lose the lease, and set timers again
        for handle in (self._next, self._end):
            if handle is not None:
                handle.cancel()
        try:
            for incarnation in (*self._former, self.incarnation):
                await self._store.retire(incarnation)
        except StoreError as error:
            logger.warning("the incarnation can't be retired, and expires: %s", error)

    @property
    def holds(self) -> bool:
        """Whether it stood when it was last looked at."""
        return self._stands.is_set()

    def stands(self) -> bool:
        """Whether nobody else can be the owner of what this incarnation owned; if not, it's lost.

        Timers don't run while a machine is suspended: who answers from memory asks here.
        """
        self._expire()
        return self._stands.is_set()

    async def _heartbeat(self) -> None:
        while self._former:  # what it owned may be taken by the next one, without its lease's time
            await self._store.retire(self._former[0])
            del self._former[0]
        info = self.info
        sent = self._clock.elapsed()
        alive = await self._store.heartbeat(info, TTL)
        answered = self._clock.elapsed()
        if info.incarnation != self.incarnation:
            return  # it was lost meanwhile
        if not alive:
            self._lose("its lease has expired")
            return
        self._sent = sent
        self._stands.set()
        self._clock.measured(await self._store.now(), answered, self._clock.elapsed())
        if self._end is not None:
            self._end.cancel()
        left = (sent + TTL * SAFE - self._clock.elapsed()) / 1000
        self._end = asyncio.get_running_loop().call_later(max(left, 0), self._expire)
        self._beaten()

    def _again(self) -> None:
        self._next = asyncio.get_running_loop().call_later(EVERY / 1000, self._start)

    def _start(self) -> None:
        self._expire()
        self._beat_now()
        self._again()

    def _beat_now(self, *, instead: bool = False) -> None:
        """Send a heartbeat unless one is on its way; `instead` of that, where it is its end."""
        if not self._finished and (instead or self._beat is None or self._beat.done()):
            self._beat = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._heartbeat()
        except StoreError as error:
            logger.warning("a heartbeat failed: %s", error)

    def _expire(self) -> None:
        if self._stands.is_set() and self._clock.elapsed() - self._sent >= TTL * SAFE:
            self._lose("the store hasn't answered its heartbeats in time")

    def _lose(self, why: str) -> None:
        logger.error("incarnation %s is over: %s; going on as a new one", self.incarnation, why)
        self._former.append(self.incarnation)
        self.info = replace(self.info, incarnation=self._name())
        self._sent = self._clock.elapsed()
        self._stands.clear()
        self._lost()
        self._beat_now(instead=asyncio.current_task() is self._beat)
