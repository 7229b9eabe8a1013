"""The history of a session: which revisions are kept, and what the state was at one of them.

In: the store's record and its log, whose entries lead from each revision back to the one before.
Out: persisted states, and what is known of revisions. Who may look at them is the room's
`allow_history`; how they are written is `rooms/host/journal.py`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from rooms.host import record as stored
from rooms.store.port import Trim
from rooms.sync.diff import apply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rooms.definition import Room
    from rooms.store.port import Logged, SessionId, Store
    from rooms.sync.messages import Op

FOR_EVER: Final = 1 << 62
PAGE: Final = 200
"""How many entries of a log are read at once."""


class Keeps(NamedTuple):
    """How much a kind keeps: so many revisions before the newest, and those younger than `age`
    (ms). False where that is nothing.
    """

    revisions: int
    age: int

    @classmethod
    def of(cls, room: Room | type[Room]) -> Keeps:
        """What this kind says of itself."""
        return cls(room.history, room.history_age)

    def __bool__(self) -> bool:
        return self.revisions > 0 or self.age > 0

    def trim(self, newest: int, now: int) -> Trim:
        """What its log loses once it is at this revision."""
        return Trim(newest - self.revisions - 1, now - self.age if self.age else FOR_EVER)

    def has(self, entry: Logged, newest: int, now: int) -> bool:
        """Whether a revision counts as kept, though its entry may be there for longer."""
        last, since = self.trim(newest, now)
        return entry.revision > last or entry.at >= since


class Kept(NamedTuple):
    """A revision that can be shown: when it came about (ms), and the type of the event that made
    it, where that is known.
    """

    revision: int
    at: int
    event: str | None


class Past(NamedTuple):
    """A session's state as it was, in persisted form, as `version` of its machine wrote it."""

    kept: Kept
    version: str
    persisted: dict[str, Any]


def dump_entry(event: str | None, ops: list[Op]) -> bytes:
    """What the log keeps of a revision: `ops` lead back to the one before. Raises Unstorable."""
    return stored.dump_operations(event, ops=ops)


async def kept(
    store: Store,
    id: SessionId,
    keeps: Keeps | None = None,
    now: int = 0,
    *,
    after: int = 0,
    limit: int = 1000,
) -> list[Kept]:
    """The revisions that can be shown beyond `after`, the oldest first. Without `keeps`, whatever
    is still there. Raises StoreError.
    """
    record = await store.load(id)
    if record is None:
        return []
    entries = await read_log(store, id, after, record.revision, limit)
    newest = record.revision
    return [_kept(entry) for entry in entries if keeps is None or keeps.has(entry, newest, now)]


async def past(
    store: Store, id: SessionId, revision: int, keeps: Keeps | None = None, now: int = 0
) -> Past | None:
    """The state at a revision; None: it isn't kept. Without `keeps`, whatever is still there is.

    Raises:
        StoreError: the store can't be read.
        ValueError, PatchError: what is stored doesn't fit together.
    """
    record = await store.load(id)
    if record is None or not 0 < revision <= record.revision:
        return None
    entries = await read_log(store, id, revision - 1, record.revision)
    if [entry.revision for entry in entries] != list(range(revision, record.revision + 1)):
        return None  # what leads back to it is no longer there, or never was
    if keeps is not None and not keeps.has(entries[0], record.revision, now):
        return None
    ops: list[Op] = []
    for entry in reversed(entries[1:]):
        ops += orjson.loads(entry.data)[1]
    state: dict[str, Any] = apply(stored.state(record), ops, forbidden=stored.ANY_KEY)
    return Past(_kept(entries[0]), record.version, state)


async def read_log(
    store: Store, id: SessionId, after: int, last: int, limit: int | None = None
) -> list[Logged]:
    """The log beyond `after` up to `last`, a record's revision: what came since isn't the record's.
    Raises StoreError.
    """
    found: list[Logged] = []
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page: Sequence[Logged] = await store.history(id, after, size)
        found += [entry for entry in page if entry.revision <= last]
        if len(page) < size:
            break
        after = page[-1].revision
    return found


def _kept(entry: Logged) -> Kept:
    return Kept(entry.revision, entry.at, orjson.loads(entry.data)[0])
