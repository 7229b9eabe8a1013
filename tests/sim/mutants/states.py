"""States that are stored as what changed, and the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from rooms.host import record
from rooms.host.history import Keeps
from rooms.host.journal import Journal
from rooms.store import memory
from rooms.sync.diff import apply
from tests.sim.mutants.registry import mutant

if TYPE_CHECKING:
    from rooms.store.port import Commit


@mutant
def patch_of_older_state(swap: Any) -> None:
    """A patch says what changed since the snapshot, not since the patch before it."""
    make = Journal._patch

    def since_the_snapshot(self: Any, snapshot: Any, revision: int) -> Any:
        shape = self._shape
        made = make(self, snapshot, revision)
        self._shape = shape
        return made

    swap(Journal, "_patch", since_the_snapshot)


@mutant
def patches_of_another_snapshot(swap: Any) -> None:
    """A new snapshot leaves the patches of the old one, and nobody sees whose they are."""
    write = Journal.write

    def write_and_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = write(self, *args, **kwargs)
        patches = {key: patch for key, patch in written.patches.items() if patch is not None}
        return written._replace(patches=patches)

    def state_of_any(kept: Any) -> Any:
        ops = [orjson.loads(kept.patches[key])[2] for key in sorted(kept.patches, key=int)]
        return apply(orjson.loads(kept.snapshot), [op for each in ops for op in each])

    swap(Journal, "write", write_and_leave)
    swap(record, "state", state_of_any)


@mutant
def fold_loses_a_patch(swap: Any) -> None:
    """Patches are taken away, and the snapshot is as it was before the last of them."""
    write = Journal.write

    def write_late(self: Any, snapshot: Any, *args: Any, **kwargs: Any) -> Any:
        folds = self.patched
        written = write(self, snapshot, *args, **kwargs)
        before, self.newest = getattr(self, "newest", None), snapshot
        if folds and written.snapshot is not None and before is not None:
            return written._replace(snapshot=record.dump(self._system, before))
        return written

    swap(Journal, "write", write_late)


@mutant
def log_trimmed_short(swap: Any) -> None:
    """The log loses what is still to be shown."""
    trim = Keeps.trim
    swap(Keeps, "trim", lambda self, newest, now: trim(self, newest + 3, now))


@mutant
def refused_log_stays(swap: Any) -> None:
    """Of a refused commit the log is kept."""
    refusal = memory.MemoryStore._refusal

    def leave(self: Any, commit: Commit) -> Any:
        error = refusal(self, commit)
        row = self._rows.get(commit.id)
        if error is not None and row is not None:
            row.log = sorted([*row.log, *commit.log])
        return error

    swap(memory.MemoryStore, "_refusal", leave)
