"""The gate: one committer for all rooms of a host. Nothing leaves a room before it has passed.

A room that has something to store says so; when the store is free, the gate takes the commits of
all such rooms at once, whatever turns they cover, and hands them over together. A second group may
follow while the first is being written, so that the store never waits for us; groups are answered
in order. Next: `rooms/store/`, then each room opens what its commit covered.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import StoreError, UnknownOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rooms.host.clock import Clock
    from rooms.store.port import Commit, Store
    from rooms.tally import HostTally

FLIGHTS: Final = 2


class Committing(Protocol):
    """What the gate needs of a room."""

    def take(self) -> Commit | None:
        """The commit of everything since the last one; None when the room has been dropped."""

    def written(self, error: StoreError | None) -> None:
        """The commit taken first, of those not yet answered, is written, or isn't."""


class Gate:
    """Group commit for the rooms of one host."""

    def __init__(self, store: Store, clock: Clock, tally: HostTally) -> None:
        self._store = store
        self._clock = clock
        self._tally = tally
        self._waiting: dict[Committing, None] = {}
        self._flights: list[asyncio.Task[None]] = []
        self._scheduled = False

    def wait(self, room: Committing) -> None:
        """Commit this room soon: together with whoever else asks in this step of the loop."""
        self._waiting[room] = None
        if not self._scheduled and len(self._flights) < FLIGHTS:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)

    async def quiet(self) -> None:
        """Wait until everything that was handed over is answered."""
        while self._flights:
            await asyncio.wait(self._flights[-1:])

    def _start(self) -> None:
        self._scheduled = False
        taken = [(room, commit) for room in self._waiting if (commit := room.take()) is not None]
        self._waiting.clear()
        if not taken:
            return
        before = self._flights[-1] if self._flights else None
        flight = asyncio.get_running_loop().create_task(self._fly(taken, before))
        self._flights.append(flight)

    async def _fly(
        self, taken: list[tuple[Committing, Commit]], before: asyncio.Task[None] | None
    ) -> None:
        answers: Sequence[StoreError | None]
        clock, tally = self._clock, self._tally
        begun = clock.elapsed()
        try:
            answers = await self._store.commit_many([commit for _, commit in taken])
        except StoreError as error:
            answers = [error] * len(taken)
        except Exception as error:  # a store's own fault tells nothing about what it wrote
            answers = [UnknownOutcome(f"the store failed: {error!r}")] * len(taken)
        tally.commits.add(clock.elapsed() - begun)
        tally.groups.add(len(taken))
        if before is not None and not before.done():
            await asyncio.wait([before])
        self._flights.pop(0)
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._start)
        for (room, _), answer in zip(taken, answers, strict=True):
            tally.failed_commits += answer is not None
            room.written(answer)
