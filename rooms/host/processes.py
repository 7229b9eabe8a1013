"""Rooms that have a process each: when it begins and ends, and what it asks of the store. What ends
such a process ends nothing else (SPEC, ISOLATE).

To the routers, and to the store, the room is this host's: it has the links, the lease and the
claims. In: sessions that somebody wants, from `guests.py`; what their processes say. Out: what they
say to routers; calls to the store. Next inward: `rooms/alone.py`.
"""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import CloseCode, Closing, LinkError, StoreError
from rooms.host.deaths import Deaths
from rooms.host.expiry import wake_in_time
from rooms.host.guests import Guests
from rooms.host.isolated import Called, Counted, Drain, Passed, Resting, Returned, Wake
from rooms.host.tenant import Tenant
from rooms.store.port import Acquired
from rooms.store.remote import answer
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rooms.host.clock import Clock
    from rooms.host.deaths import Died
    from rooms.host.gathering import Gatherings
    from rooms.host.isolated import Line
    from rooms.host.kinds import Kind
    from rooms.host.tenant import Nursery
    from rooms.store.port import SessionId, Store
    from rooms.tally import HostTally

logger = logging.getLogger(__name__)

MOST: Final = 512
"""How many processes one host has at most."""
STABLE: Final = 10_000
"""A process that lived for so long, and for twice what it may compute at a stretch, has lived well:
when it dies another follows at once (ms)."""
PATIENCE: Final = 2_000
"""Who would have to wait for longer than this is told when to come back (ms)."""


class Keeper(Protocol):
    """What this needs of the host's other half."""

    @property
    def incarnation(self) -> str: ...
    @property
    def draining(self) -> bool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def tally(self) -> HostTally: ...
    @property
    def gatherings(self) -> Gatherings: ...
    def stands(self) -> bool: ...
    def rested(self, id: SessionId) -> None: ...
    async def standing(self) -> None: ...
    async def until_settled(self, id: SessionId) -> None: ...


class Processes:
    """All such rooms of one host."""

    def __init__(
        self, keeper: Keeper, kinds: Mapping[str, Kind], nursery: Nursery, store: Store
    ) -> None:
        self.deaths = Deaths()
        self.guests = Guests(self, kinds)
        self._keeper = keeper
        self._kinds = kinds
        self._nursery = nursery
        self._store = store
        self._numbers = count(1)
        self._tenants: dict[SessionId, Tenant] = {}
        self._unreleased: dict[SessionId, int] = {}
        self._tasks = Tasks()

    def __len__(self) -> int:
        return len(self._tenants)

    @property
    def tenants(self) -> Collection[Tenant]:
        """The sessions whose rooms have processes."""
        return self._tenants.values()

    @property
    def draining(self) -> bool:
        """Whether none is to begin any more."""
        return self._keeper.draining

    def live(self) -> list[SessionId]:
        """Their names."""
        return list(self._tenants)

    def owed(self) -> tuple[int, int]:
        """How many durable effects these owe: those that wait, and those that failed for good."""
        return sum(one.owed[0] for one in self.tenants), sum(one.owed[1] for one in self.tenants)

    def warm(self) -> None:
        """Rooms may begin from now on."""
        self._nursery.warm()

    def has(self, kind: str) -> bool:
        """Whether rooms of this kind have processes of their own."""
        known = self._kinds.get(kind)
        return known is not None and known.room.isolation == "process"

    # ------------------------------------------------------------------ find, or begin

    def find(self, id: SessionId) -> Tenant | None:
        """The session, if its room has a process."""
        return self._tenants.get(id)

    def enter(self, id: SessionId) -> Tenant | None:
        """The session, whose room gets a process if need be; None: not here any more.

        Raises Closing: it can't have one now.
        """
        tenant = self._tenants.get(id)
        if tenant is not None or self._keeper.draining:
            return tenant
        pause = self.deaths.pause(id, self._keeper.clock.elapsed())
        if pause > PATIENCE:
            reason = "this room's process ended again and again"
            raise Closing(CloseCode.OVERLOADED, reason, int(pause))
        if len(self._tenants) >= MOST:
            raise Closing(CloseCode.OVERLOADED, "too many rooms compute here", 5_000)
        tenant = self._tenants[id] = Tenant(id, next(self._numbers))
        self.guests.introduce(tenant)
        if self._kinds[id.kind].hooks:  # what it says first is for the routers that find this host
            pause = max(pause, self._keeper.gatherings.unknown)
        self._tasks.begin(self._keep(tenant, pause))
        return tenant

    def wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""
        try:
            tenant = self.enter(id)
        except Closing as refused:
            logger.warning("%s isn't woken: %s", id, refused)
            return
        if tenant is not None:
            tenant.send(Wake())

    async def _keep(self, tenant: Tenant, pause: float) -> None:
        """A process, from its start to its end."""
        id, keeper = tenant.id, self._keeper
        if pause:
            await asyncio.sleep(pause / 1000)  # noqa: TID251 - before another attempt
        try:
            await keeper.standing()
            process = await self._nursery.start(self._kinds[id.kind].room.max_cpu)
        except (StoreError, LinkError) as error:
            logger.warning("%s has no process: %s", id, error)
            del self._tenants[id]
            refused = Closing(CloseCode.OVERLOADED, "this room can't begin now")
            self.guests.turn_away(tenant, refused)
            return
        process.listen(lambda line: self._hear(tenant, line), tenant.over.set)
        tenant.begun = keeper.clock.elapsed()
        condemned, careful = self.deaths.condemned(id), id in self.deaths
        tenant.move_in(process, keeper.incarnation, condemned, careful=careful)
        await tenant.over.wait()
        await tenant.calls.ended()
        if not tenant.rested:
            process.kill()
            self._died(tenant, await process.died())

    # ------------------------------------------------------------------ what they say

    def _hear(self, tenant: Tenant, line: Line) -> None:
        """What a process says; nothing of it counts once the lease is over."""
        if not self._keeper.stands() or tenant.evicted:
            return
        match line:
            case Passed(router, message):
                self.guests.pass_back(tenant, router, message)
            case Called():
                tenant.calls.begin(self._answer(tenant, line))
            case Counted(grown, waiting, dead):
                self._keeper.tally.add(grown)
                tenant.owed = waiting, dead
            case Resting(taken) if taken == tenant.passed:
                tenant.rested = True
                del self._tenants[tenant.id]
                self.deaths.forget(tenant.id)
                assert tenant.process is not None
                tenant.process.close()
                tenant.over.set()
                self._keeper.rested(tenant.id)
                self._postpone(tenant.id)

    async def _answer(self, tenant: Tenant, called: Called) -> None:
        """What the store says to a room's process."""
        number, method, arguments, named = called
        if method == "acquire":
            await self._keeper.until_settled(tenant.id)
            await self._give_back(tenant.id)
        value = await answer(self._store, method, arguments, named)
        if isinstance(value, Acquired):
            tenant.epoch = value.epoch
        tenant.send(Returned(number, value))

    async def _give_back(self, id: SessionId) -> None:
        """Whoever has it next has a higher epoch than the process that died."""
        epoch = self._unreleased.pop(id, None)
        if epoch is not None:
            await answer(self._store, "release", [id, self._keeper.incarnation, epoch, None], {})

    # ------------------------------------------------------------------ their end

    def _died(self, tenant: Tenant, died: Died) -> None:
        """What was with it goes to the next one."""
        id, now = tenant.id, self._keeper.clock.elapsed()
        del self._tenants[id]
        if tenant.epoch is not None:
            self._unreleased[id] = tenant.epoch
        again = True
        if not tenant.evicted:
            logger.error("%s: its process ended (%s) at %r", id, died.cause, died.doing)
            stable = now - tenant.begun > STABLE + 2 * self._kinds[id.kind].room.max_cpu
            again = self.deaths.note(id, died, now, stable=stable) == 1
        self.guests.send_on(tenant, again=again)
        if self._keeper.draining:
            self._tasks.begin(self._give_back(id))
        elif (pause := self.deaths.pause(id, now)) > PATIENCE:
            asyncio.get_running_loop().call_later(pause / 1000, self.wake, id)
        else:
            self.wake(id)

    def _postpone(self, id: SessionId) -> None:
        """A room has fallen asleep; perhaps somebody stays connected."""
        room = self._kinds[id.kind].room
        ttls = [ttl for ttl in (room.ttl, room.ttl_done) if ttl is not None]

        def wake() -> None:
            if id not in self._tenants and self.guests.anybody(id):
                self.wake(id)

        if ttls and self.guests.anybody(id):
            wake_in_time(self._keeper.clock, min(ttls), wake)

    def evict(self) -> None:
        """The lease is over: whatever these rooms hadn't stored never happened."""
        self._unreleased.clear()
        for tenant in self.tenants:
            if tenant.process is not None:  # else it begins as the next incarnation's
                tenant.evicted = True
                tenant.epoch = None
                tenant.process.kill()

    async def drain(self) -> None:
        """Let every room finish what it has, store it and give it back."""
        for tenant in self.tenants:
            tenant.send(Drain())
        await self._tasks.ended()
        await self._nursery.close()
