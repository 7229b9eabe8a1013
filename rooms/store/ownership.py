"""Who may write a session: leases of incarnations, and the compare-and-swap of a commit.

For the stores that live in one process. In: heartbeats and the two clocks; a commit and the record
that it meets. Out: who lives, and why a commit is refused. `memory.py` and `sqlite.py` keep the
records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rooms.errors import Fenced, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import Commit, HostInfo


class Leases:
    """The incarnations that live, and those that are dead for ever.

    `now` is the store's time (ms since 1970), which only dates what is told; `elapsed` (ms)
    decides, so that a step of the wall clock kills nobody. Kept in memory: when the process that
    keeps them ends, every incarnation that could have used them ends with it.
    """

    def __init__(self, now: Callable[[], int], elapsed: Callable[[], float]) -> None:
        self._now = now
        self._elapsed = elapsed
        self._hosts: dict[str, HostInfo] = {}
        self._ends: dict[str, float] = {}
        self._dead: set[str] = set()

    def renew(self, host: HostInfo, ttl: int) -> bool:
        """Let this incarnation live for `ttl` ms from now. False: it is dead."""
        self._bury()
        if host.incarnation in self._dead:
            return False
        self._hosts[host.incarnation] = replace(host, expires=self._now() + ttl)
        self._ends[host.incarnation] = self._elapsed() + ttl
        return True

    def end(self, incarnation: str) -> None:
        """This incarnation is dead, known or not."""
        self._dead.add(incarnation)
        self._hosts.pop(incarnation, None)
        self._ends.pop(incarnation, None)

    def living(self) -> dict[str, HostInfo]:
        """The incarnations that live now."""
        self._bury()
        return dict(self._hosts)

    def dead(self) -> frozenset[str]:
        """Every incarnation that was seen to die."""
        self._bury()
        return frozenset(self._dead)

    def _bury(self) -> None:
        elapsed = self._elapsed()
        for incarnation in [i for i, end in self._ends.items() if end <= elapsed]:
            self.end(incarnation)


def not_alive(incarnation: str) -> StoreError:
    """The answer to an acquire by an incarnation without a lease."""
    return StoreError(
        f"incarnation {incarnation} has no lease (never announced, or expired): it may take no "
        "session; start again as a new incarnation"
    )


def refusal(
    commit: Commit, owner: str | None, epoch: int | None, generation: str, revision: int
) -> StoreError | None:
    """Why a commit may not be written onto the record it meets; None: it may.

    `epoch` None means that there is no record.
    """
    if epoch is None or generation != commit.generation:
        return Fenced(*commit.id, commit.epoch, None)
    if owner != commit.incarnation or epoch != commit.epoch:
        return Fenced(*commit.id, commit.epoch, epoch)
    if revision != commit.prev:
        return StoreError(
            f"{commit.id}: a commit that follows revision {commit.prev} meets revision {revision}; "
            "drop the room and load it again"
        )
    return None
