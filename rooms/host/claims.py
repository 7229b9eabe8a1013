"""What this host owns: sessions acquired from the store and woken, and given back when they rest.

In: sessions that somebody wants here. Out: a room that isn't begun yet; or whose the session is, or
why nobody may have it now. Safety is the store's: whoever lost a session can't write it.
Next inward: `rooms/host/waking.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.errors import CloseCode, Closing, StoreError
from rooms.host.commits import Claim
from rooms.host.hooks.session import HookSession
from rooms.host.neighbours import NotHere
from rooms.host.waking import Waking
from rooms.placement.ring import place
from rooms.store.port import Held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.host.kinds import Kind
    from rooms.host.lease import Lease
    from rooms.host.room import Keeper, LiveRoom
    from rooms.store.port import Acquired, SessionId, Store
    from runtime import Effect

logger = logging.getLogger(__name__)

AT_ONCE: Final = 64
"""How many sessions are acquired at once. Where a host takes over a thousand, the first are at work
while the last are acquired, and live rooms have turns between them.
"""
REACHED_WITHIN: Final = 12_000
"""How long who needs a session waits for a store that can't be reached (ms)."""
FIRST_PAUSE: Final = 125
LONGEST_PAUSE: Final = 1_000


class Claims:
    """The sessions of one host, as the store knows them."""

    def __init__(
        self, keeper: Keeper, kinds: Mapping[str, Kind], store: Store, lease: Lease
    ) -> None:
        self.orphans: set[SessionId] = set()
        """Those that may be this host's without a room: to be brought back."""
        self._unsure: dict[SessionId, tuple[Claim, bytes | None]] = {}
        """Releases that weren't answered: each may still arrive."""
        self._keeper = keeper
        self._kinds = kinds
        self._store = store
        self._lease = lease
        self._some = asyncio.Semaphore(AT_ONCE)

    async def acquire(self, id: SessionId, *, careful: bool) -> tuple[LiveRoom, tuple[Effect, ...]]:
        """A live room, and the effects to `begin` it with. `careful`: its state is looked at after
        each event, because one of before couldn't be stored.

        Raises Closing: 1013, the store can't say; 4409. NotHere: another host has it, or
        is needed for it.
        """
        incarnation, acquired = await self._acquired(id)
        self.orphans.discard(id)
        if isinstance(acquired, Held):
            raise NotHere(acquired.address)
        claim = Claim(id, incarnation, acquired.epoch, acquired.generation)
        try:
            waking = Waking(self._keeper, self._kinds[id.kind], claim, acquired)
            room, effects = waking.awaken(careful=careful)
            if isinstance(room.session, HookSession):
                await room.start(room.session)
            return room, effects
        except Exception as error:
            activation = None if acquired.record is None else acquired.record.activation
            await self.release(claim, activation)
            if isinstance(error, Closing):
                if acquired.record is not None:
                    await self._find_version(id, acquired.record.version)
                raise
            logger.exception("%s can't be read", id)
            reason = "what is stored of this room can't be read"
            raise Closing(CloseCode.UNRESTORABLE, reason) from error

    async def _acquired(self, id: SessionId) -> tuple[str, Acquired | Held]:
        """What the store says, and which incarnation of this host asked. One that doesn't answer is
        asked again: to repeat it is harmless.

        Raises Closing: 1013, it didn't answer for too long. NotHere: nor may this host wait for it,
        which leaves.
        """
        lease, clock = self._lease, self._keeper.clock
        give_up, pause = clock.elapsed() + REACHED_WITHIN, FIRST_PAUSE
        while True:
            try:
                await lease.standing(max(give_up - clock.elapsed(), 0))
                incarnation = lease.incarnation
                async with self._some:
                    if id in self._unsure:  # else it could end what is acquired now
                        await self._release_again(id)
                    acquired = await self._store.acquire(id, incarnation)
            except StoreError as error:
                if lease.info.leaving:
                    raise NotHere(None) from error  # others may reach it
                if clock.elapsed() + pause > give_up:
                    logger.warning("%s can't be acquired: %s", id, error)
                    raise Closing(CloseCode.OVERLOADED, "this room is out of reach") from error
            else:
                if incarnation == lease.incarnation:
                    return incarnation, acquired
            await asyncio.sleep(pause / 1000)  # noqa: TID251 - before another attempt
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _find_version(self, id: SessionId, version: str) -> None:
        """Raises NotHere: a living host announces this machine version, which this one can't
        restore.
        """
        own = self._lease.info
        if version == own.versions[id.kind]:
            return
        try:
            hosts = await self._store.hosts()
        except StoreError as error:
            logger.warning("%s: who has version %s can't be asked: %s", id, version, error)
            return
        able = [host for host in hosts if host.versions.get(id.kind) == version]
        there = place(*id, [host for host in able if host.address != own.address])
        if there is not None:
            raise NotHere(there.address)

    async def release(self, claim: Claim, activation: bytes | None) -> bool:
        """Give a session back, with what the next incarnation is told of this one. False: the
        store doesn't know of it (yet).
        """
        try:
            return await self._store.release(claim.id, *claim.owner, activation)
        except StoreError as error:
            logger.warning("%s can't be released: %s", claim, error)
            self.orphans.add(claim.id)
            self._unsure[claim.id] = claim, activation
            return False

    async def _release_again(self, id: SessionId) -> None:
        """Once this is answered the session has another epoch when it is acquired, for which a
        release that comes later is nobody's. Raises StoreError.
        """
        claim, left = self._unsure[id]
        await self._store.release(id, claim.incarnation, claim.epoch, left)
        self._unsure.pop(id, None)
