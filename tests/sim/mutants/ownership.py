"""One owner for each session, and one committer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.host import marks, waking
from rooms.host.claims import Claims
from rooms.host.keeper import RoomKeeper
from rooms.host.lease import Lease
from rooms.store import memory, ownership
from tests.sim.mutants.registry import edited, mutant

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import Commit


def _refusing(swap: Any, judge: Callable[..., Any]) -> None:
    def refusal(
        commit: Commit, owner: str | None, epoch: int | None, generation: str, revision: int
    ) -> Any:
        if epoch is None or generation != commit.generation:
            return ownership.refusal(commit, owner, epoch, generation, revision)
        return judge(commit, owner, epoch, generation, revision)

    swap(memory, "refusal", refusal)


@mutant
def deletion_forgotten(swap: Any) -> None:
    """A session made again takes what was said to the one before it of that name."""
    swap(waking, "Marks", lambda stored, deleted=None: marks.Marks(stored))


@mutant
def no_compare_and_swap(swap: Any) -> None:
    """Whatever is committed is written, by whomever, onto whatever is there."""
    _refusing(swap, lambda *_: None)


@mutant
def epoch_ignored(swap: Any) -> None:
    """A commit of a former owner is written when its revision is the next one."""
    _refusing(
        swap,
        lambda commit, owner, epoch, generation, revision: ownership.refusal(
            commit, commit.incarnation, commit.epoch, generation, revision
        ),
    )


@mutant
def revision_ignored(swap: Any) -> None:
    """An owner's commit is written whatever it follows."""
    _refusing(
        swap,
        lambda commit, owner, epoch, generation, revision: ownership.refusal(
            commit, owner, epoch, generation, commit.prev
        ),
    )


@mutant
def generation_ignored(swap: Any) -> None:
    """A commit to a session that was deleted makes it again."""
    refused = memory.MemoryStore._refusal

    def refusal(self: Any, commit: Commit) -> Any:
        row = self._rows.get(commit.id)
        if row is None:
            self._rows[commit.id] = memory._Row(
                commit.generation, commit.incarnation, commit.epoch, commit.prev
            )
        elif row.generation != commit.generation:
            return ownership.refusal(commit, row.owner, row.epoch, commit.generation, row.revision)
        return refused(self, commit)

    swap(memory.MemoryStore, "_refusal", refusal)


@mutant
def expired_renews(swap: Any) -> None:
    """An incarnation that has expired lives again with its next heartbeat."""
    renew = ownership.Leases.renew

    def revive(self: Any, host: Any, ttl: int) -> bool:
        self._dead.discard(host.incarnation)
        self._ends.pop(host.incarnation, None)
        return renew(self, host, ttl)

    swap(ownership.Leases, "renew", revive)


@mutant
def dead_unburied(swap: Any) -> None:
    """An incarnation whose death is certain lives again with a heartbeat that was under way."""
    edited(swap, ownership.Leases, "end", "self._dead.add(incarnation)", "self")


@mutant
def release_not_repeated(swap: Any) -> None:
    """A session is acquired again though its release may still arrive."""
    edited(swap, Claims, "_acquired", "if id in self._unsure:", "if False:")


@mutant
def living_owner_ignored(swap: Any) -> None:
    """A session is given to whoever asks, though its owner lives."""
    acquire = memory.MemoryStore.acquire

    async def take(self: Any, id: Any, incarnation: str) -> Any:
        row = self._rows.get(id)
        if row is not None and row.owner != incarnation:
            row.owner = None
        return await acquire(self, id, incarnation)

    swap(memory.MemoryStore, "acquire", take)


@mutant
def reads_without_lease(swap: Any) -> None:
    """Who answers from memory waits for a timer to say that the lease is over."""
    swap(RoomKeeper, "stands", lambda self: True)


@mutant
def lease_never_over(swap: Any) -> None:
    """A host answers from memory whether or not its lease stands."""
    swap(Lease, "stands", lambda self: True)
    swap(Lease, "_expire", lambda self: None)
