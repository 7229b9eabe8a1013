"""The journal: in what form a session's next commit stores its state, and its past where that is
kept.

In: each snapshot that is to be written, and in a room that keeps its history each revision on the
way to it. Out: of a small state the whole; of a large one what changed, until that outweighs it;
and an entry of the log a revision, which leads back from it to the one before. What changed is
found by identity, so that it costs what it is, however large the state.

How it is read again: `rooms/host/record.py`, `rooms/host/history.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.host import record as stored
from rooms.host.history import FOR_EVER, Keeps, dump_entry
from rooms.store.port import Logged, Trim

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rooms.store.port import Record
    from rooms.sync.messages import Json
    from runtime import System, SystemSnapshot

SMALL: Final = 8 * 1024
"""Up to so many bytes a state is always stored whole."""
WORTH_IT: Final = 4
"""A patch is stored when the state is more than so many times its size."""
MAX_PATCHES: Final = 256
"""After so many patches the state is stored whole again."""


class Revision(NamedTuple):
    """A revision as it came about. `event` is the type of what made it, where that is known."""

    number: int
    at: int
    event: str | None
    snapshot: SystemSnapshot


class Written(NamedTuple):
    """What a commit stores of a state and its past: the port's fields of these names."""

    snapshot: bytes | None
    patches: Mapping[str, bytes | None]
    log: Sequence[Logged]
    trim: Trim | None


class Journal:
    """Of one incarnation of a room. `record` is what is stored, None: nothing yet; `persisted` the
    state that it holds, or that the session begins with; `rewrite`: it is another version's. Where
    a state may have more than `limit` bytes it is stored whole, so that its size is known.

    What is stored may differ from the snapshot that was made of it: restoring starts outside actors
    again. So it is compared with what is stored, once after each wake.
    """

    def __init__(
        self,
        system: System,
        keeps: Keeps,
        persisted: dict[str, Json],
        record: Record | None,
        limit: int,
        *,
        rewrite: bool = False,
    ) -> None:
        self.rewrite = rewrite
        self._limit = limit
        self._system = system
        self._keeps = keeps
        self._patches: list[str] = []
        self._weight = 0
        self._size = 0
        self._mark = 0
        self._known: Json = None  # what was written last
        self._shape: Json = None  # the same, of large states: what patches lead from
        self._before: Json = None
        self._forget = rewrite or (not keeps and record is not None and record.logged)
        if keeps:
            self._before = persisted
        if record is not None and record.snapshot is not None:
            self._patches = list(record.patches)
            self._weight = sum(map(len, record.patches.values()))
            self._stored(record.snapshot, persisted)

    @property
    def patched(self) -> bool:
        """Whether what is stored is a snapshot with patches."""
        return bool(self._patches)

    @property
    def size(self) -> int:
        """The bytes of the state as written last: exactly where that was whole, else no less."""
        return self._size + self._weight

    def write(
        self,
        snapshot: SystemSnapshot,
        revision: int,
        past: Sequence[Revision],
        now: int,
        *,
        whole: bool = False,
    ) -> Written:
        """What the commit that ends at `revision` stores; `past` are the revisions it covers, in a
        room that keeps its history. Once this was called, it counts as written.

        Raises Unstorable: something in the state isn't JSON data.
        """
        blob, patches = None, None
        shape = self._system.share(snapshot)
        if self._size > SMALL and not whole and not self.rewrite:
            patches = self._patch(shape, revision)
        if patches is None:
            blob = stored.dump_shared(shape, self._known)
            patches = dict.fromkeys(self._patches) if self._patches else {}
            self._patches, self._weight = [], 0
            self._stored(blob, shape)
        self._known = shape
        log, trim = self._log(past, revision, now)
        self.rewrite = self._forget = False
        return Written(blob, patches, log, trim)

    def _stored(self, blob: bytes, shape: Json) -> None:
        """This is the stored snapshot now; what patches need is kept for large ones only."""
        self._size = len(blob)
        large = self._size > SMALL
        self._mark = stored.mark(blob) if large else 0
        self._shape = shape if large else None

    def _patch(self, shape: Json, revision: int) -> dict[str, bytes | None] | None:
        """The patch that leads here from what was written last; None where the whole is better."""
        if len(self._patches) >= MAX_PATCHES:
            return None
        ops = stored.operations(self._shape, shape)
        patch = stored.dump_patch(self._mark, len(self._patches), ops)
        weight = self._weight + len(patch)
        if (
            WORTH_IT * len(patch) >= self._size
            or weight > self._size
            or self._size + weight > self._limit
        ):
            return None
        key = str(revision)
        self._patches.append(key)
        self._weight = weight
        self._shape = shape
        return {key: patch}

    def _log(
        self, past: Sequence[Revision], revision: int, now: int
    ) -> tuple[list[Logged], Trim | None]:
        log: list[Logged] = []
        for one in past:
            shape = self._system.share(one.snapshot)
            ops = stored.operations(shape, self._before)
            log.append(Logged(one.number, one.at, dump_entry(one.event, ops)))
            self._before = shape
        if self._forget:
            return log, Trim(revision - len(past), FOR_EVER)
        return log, self._keeps.trim(revision, now) if past else None


UNCHANGED: Final = Written(None, {}, (), None)
"""What a commit stores that leaves the state as it is."""
