"""How sessions end: deleted or replaced by an operator, or because nobody came by for too long.

In: wishes, and what has expired. Out: a session that is gone, or another one of its name; nothing
of the former is stored or told any more, and whoever comes meanwhile waits. Only what this host
owns is deleted: ownership is what the store compares. Next: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import CloseCode, Closing, StoreError
from rooms.host.commits import Claim
from rooms.host.expiry import wake_in_time
from rooms.host.neighbours import NotHere
from rooms.store.port import Commit, Held

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from rooms.host.channels import Channel
    from rooms.host.clock import Clock
    from rooms.host.links import Links
    from rooms.host.room import LiveRoom
    from rooms.store.port import Logged, Record, SessionId, Store

TOLD: Final = {
    "DELETE": Closing(CloseCode.NOT_FOUND, "this room was deleted"),
    "PUT": Closing(CloseCode.GOING_AWAY, "this room was replaced"),
}
"""What the connections of a session are told that an operator has ended, by the method."""


class Keeper(Protocol):
    """What this needs of the host that has the rooms."""

    @property
    def clock(self) -> Clock: ...
    @property
    def incarnation(self) -> str: ...
    def chance(self, size: int) -> bytes: ...
    def asleep(self, id: SessionId) -> bool: ...
    def between(self, id: SessionId) -> AbstractAsyncContextManager[LiveRoom | None]: ...
    def wake(self, id: SessionId) -> None: ...
    def bring_back(self, id: SessionId) -> None: ...
    def dropped(self, room: LiveRoom, error: Exception) -> None: ...
    def forget(self, id: SessionId) -> None: ...
    def shut(self, channel: Channel, refused: Closing) -> None: ...


class Endings:
    """The ends of the sessions of one host."""

    def __init__(self, rooms: Keeper, store: Store, links: Links) -> None:
        self._rooms = rooms
        self._store = store
        self._links = links

    # ------------------------------------------------------------------ what expires

    def postpone(self, room: LiveRoom) -> None:
        """A room falls asleep to which somebody stays connected."""
        id, ttl = room.claim.id, room.ttl

        def wake() -> None:
            if self._links.of(id):
                self._rooms.wake(id)

        if ttl is not None:
            wake_in_time(self._rooms.clock, ttl, wake)

    async def expire(self, id: SessionId) -> bool:
        """Delete a session that has expired, unless somebody has woken it or it changed.

        Raises StoreError.
        """
        if not self._rooms.asleep(id):
            return False
        async with self._rooms.between(id):
            try:
                claim, record = await self._acquire(id)
                expires = None if record is None else record.expires
                if expires is not None and expires <= self._rooms.clock.now():
                    return await self._store.delete(id, claim.owner)
                activation = None if record is None else record.activation
                await self._store.release(id, *claim.owner, activation)
            except NotHere:
                return False
            except StoreError:
                self._rooms.bring_back(id)  # it may be ours, and nobody's else
                raise
        return False

    # ------------------------------------------------------------------ the operator's

    async def replace(
        self,
        id: SessionId,
        record: Record | None,
        told: Closing,
        log: Sequence[Logged] = (),
    ) -> bool:
        """Delete a session, or put `record` with its `log` in its place, in one commit: a session
        of another generation. Its connections are closed as `told` says. False: there was none.

        Raises:
            StoreError: it can't be; the room goes on from what is stored.
            NotHere: another host has it.
        """
        async with self._rooms.between(id) as room:
            if room is not None:
                room.stop(told)
            try:
                if record is None:
                    existed = await self._delete(id)
                else:
                    existed = await self._plant(id, record, log)
            except BaseException as error:
                if room is not None:
                    self._rooms.dropped(room, StoreError(f"it wasn't deleted: {error!r}"))
                elif isinstance(error, StoreError):
                    self._rooms.bring_back(id)  # it may be ours, and nobody's else
                raise
            self._rooms.forget(id)
            for channel in self._links.of(id):
                self._rooms.shut(channel, told)
                self._links.forget(channel)
        return existed

    async def _delete(self, id: SessionId) -> bool:
        claim, record = await self._acquire(id)
        if not await self._store.delete(id, claim.owner):
            raise StoreError("another host has taken it over")
        return record is not None and record.snapshot is not None

    async def _plant(self, id: SessionId, record: Record, log: Sequence[Logged]) -> bool:
        """Store a session, asleep. Raises StoreError, and what was there is there."""
        claim, before = await self._acquire(id)
        expires = record.expires
        if expires is not None:  # it has as long as it had when it fell asleep
            expires = self._rooms.clock.now() + max(expires - record.changed, 0)
        commit = Commit(
            *claim,
            prev=0 if before is None else before.revision,
            new=record.revision,
            version=record.version,
            due=record.due,
            snapshot=record.snapshot,
            seats=record.seats,
            marks=record.marks,
            outbox=record.outbox,
            patches=record.patches,
            storage=record.storage,
            log=log,
            listing=record.listing,
            expires=expires,
            anew=None if before is None else self._rooms.chance(8).hex(),
        )
        [error] = await self._store.commit_many([commit])
        if error is not None:
            raise error
        await self._store.release(id, *claim.owner, None)
        return before is not None

    async def _acquire(self, id: SessionId) -> tuple[Claim, Record | None]:
        """Become the owner; what is stored. Raises StoreError, NotHere."""
        incarnation = self._rooms.incarnation
        acquired = await self._store.acquire(id, incarnation)
        if isinstance(acquired, Held):
            raise NotHere(acquired.address)
        return Claim(id, incarnation, acquired.epoch, acquired.generation), acquired.record
