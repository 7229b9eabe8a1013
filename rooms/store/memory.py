"""The store that forgets everything when its process ends: the same rules, in a dict.

For tests, and for `--store memory:`. Several hosts of one process may share it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from rooms.errors import StoreError
from rooms.store.ownership import Leases, not_alive, refusal
from rooms.store.port import REMEMBERED, Acquired, Due, Found, Held, Listed, Record, SessionId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rooms.store.port import Commit, HostInfo, Logged, Owner


@dataclass(slots=True)
class _Row:
    generation: str
    owner: str | None
    epoch: int
    revision: int = 0
    version: str | None = None  # None until the first commit
    snapshot: bytes | None = None
    seats: bytes | None = None
    marks: dict[str, bytes] = field(default_factory=dict)
    outbox: dict[str, bytes] = field(default_factory=dict)
    patches: dict[str, bytes] = field(default_factory=dict)
    storage: dict[str, bytes] = field(default_factory=dict)
    log: list[Logged] = field(default_factory=list)
    listing: bytes | None = None
    activation: bytes | None = None
    due: int | None = None
    expires: int | None = None
    changed: int = 0

    def record(self) -> Record | None:
        if self.version is None:
            return None
        return Record(
            generation=self.generation,
            version=self.version,
            revision=self.revision,
            snapshot=self.snapshot,
            seats=self.seats,
            marks=dict(self.marks),
            outbox=dict(self.outbox),
            patches=dict(self.patches),
            storage=dict(self.storage),
            listing=self.listing,
            activation=self.activation,
            due=self.due,
            expires=self.expires,
            changed=self.changed,
            logged=bool(self.log),
        )


class MemoryStore:
    """A `Store` in a dict. `now` is its time in ms since 1970; `elapsed` (ms) measures leases,
    `now` does unless given. `random_bytes(n)` makes generations and the secret.
    """

    def __init__(
        self,
        now: Callable[[], int],
        *,
        elapsed: Callable[[], float] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._now = now
        self._random_bytes = random_bytes
        self._leases = Leases(now, elapsed or now)
        self._secret = random_bytes(32)
        self._rows: dict[SessionId, _Row] = {}
        self._deleted: dict[SessionId, int] = {}  # when, the oldest first
        self._forgotten: int | None = None  # the last of those that are no longer among them
        self._epoch = 0
        self._disowned: frozenset[str] = frozenset()
        self._closed = False

    async def now(self) -> int:
        self._check_open()
        return self._now()

    async def secret(self) -> bytes:
        self._check_open()
        return self._secret

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        self._check_open()
        return self._leases.renew(host, ttl)

    async def retire(self, incarnation: str) -> None:
        self._check_open()
        self._leases.end(incarnation)

    async def hosts(self) -> Sequence[HostInfo]:
        self._check_open()
        return list(self._leases.living().values())

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        living = self._disown()
        if incarnation not in living:
            raise not_alive(incarnation)
        row = self._rows.get(id)
        if row is None:
            self._epoch += 1
            row = _Row(self._random_bytes(8).hex(), incarnation, self._epoch)
            self._rows[id] = row
            return Acquired(row.epoch, row.generation, None, self._when_deleted(id))
        if row.owner is not None and row.owner != incarnation:
            return Held(row.owner, row.epoch, living[row.owner].address)
        record = row.record()
        if row.owner is None:
            self._epoch += 1
            row.owner, row.epoch, row.activation = incarnation, self._epoch, None
        deleted = self._when_deleted(id) if record is None else None
        return Acquired(row.epoch, row.generation, record, deleted)

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        self._check_open()
        refused: dict[SessionId, StoreError] = {}
        answers: list[StoreError | None] = []
        for commit in commits:
            error = refused.get(commit.id) or self._refusal(commit)
            answers.append(error)
            if error is not None:
                refused[commit.id] = error
            else:
                self._write(self._rows[commit.id], commit)
        return answers

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        self._check_open()
        row = self._rows.get(id)
        if row is None or row.owner != incarnation or row.epoch != epoch:
            return False
        if row.version is None:
            del self._rows[id]
        else:
            row.owner, row.activation = None, activation
        return True

    async def load(self, id: SessionId) -> Record | None:
        self._check_open()
        row = self._rows.get(id)
        return None if row is None or row.snapshot is None else row.record()

    async def due(self, before: int, limit: int) -> Sequence[Due]:
        self._disown()
        found = [
            Due(id, row.due)
            for id, row in self._rows.items()
            if row.owner is None and row.due is not None and row.due <= before
        ]
        return sorted(found, key=lambda one: (one.due, one.id))[:limit]

    async def scan(
        self, kind: str | None = None, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        self._disown()
        return [
            Listed(id, row.revision, row.version, row.changed, row.due, row.owner, len(snapshot))
            for id, row in sorted(self._rows.items(), key=lambda item: item[0])
            if (snapshot := row.snapshot) is not None
            and row.version is not None
            and (kind is None or id.kind == kind)
            and (after is None or id > after)
        ][:limit]

    async def history(self, id: SessionId, after: int = 0, limit: int = 100) -> Sequence[Logged]:
        self._check_open()
        row = self._rows.get(id)
        return [] if row is None else [one for one in row.log if one.revision > after][:limit]

    async def find(
        self, kind: str, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Found]:
        self._disown()
        return [
            Found(id, row.listing)
            for id, row in sorted(self._rows.items(), key=lambda item: item[0])
            if row.listing is not None
            and id.kind == kind
            and (after is None or id.session > after.session)
        ][:limit]

    async def expired(self, before: int, limit: int) -> Sequence[SessionId]:
        self._disown()
        found = [
            (row.expires, id)
            for id, row in self._rows.items()
            if row.owner is None and row.expires is not None and row.expires <= before
        ]
        return [id for _, id in sorted(found)[:limit]]

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        self._check_open()
        row = self._rows.get(id)
        if row is None or (owner is not None and owner != (row.owner, row.epoch)):
            return False
        self._delete(id, row)
        return True

    def _delete(self, id: SessionId, row: _Row) -> None:
        del self._rows[id]
        now = self._now()
        if row.snapshot is not None:
            self._deleted.pop(id, None)
            self._deleted[id] = now
        for name, at in list(islice(self._deleted.items(), 2)):  # more than come
            if at <= now - REMEMBERED:
                del self._deleted[name]
                self._forgotten = at

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed; open another one")

    def _when_deleted(self, id: SessionId) -> int | None:
        """Until when there may have been a session of this name."""
        return self._deleted.get(id, self._forgotten)

    def _disown(self) -> Mapping[str, HostInfo]:
        """Let the sessions of the dead sleep, forget what they only claimed; who lives?"""
        self._check_open()
        dead = self._leases.dead()
        if dead != self._disowned:
            self._disowned = dead
            for id, row in list(self._rows.items()):
                if row.owner in dead:
                    row.owner = None
                    if row.version is None:
                        del self._rows[id]
        return self._leases.living()

    def _refusal(self, commit: Commit) -> StoreError | None:
        row = self._rows.get(commit.id)
        if row is None:
            return refusal(commit, None, None, "", 0)
        return refusal(commit, row.owner, row.epoch, row.generation, row.revision)

    def _write(self, row: _Row, commit: Commit) -> None:
        if commit.anew is not None:
            self._delete(commit.id, row)
            row = self._rows[commit.id] = _Row(commit.anew, row.owner, row.epoch)
        row.revision, row.version = commit.new, commit.version
        row.due, row.expires, row.changed = commit.due, commit.expires, self._now()
        if commit.snapshot is not None:
            row.snapshot = commit.snapshot
        if commit.seats is not None:
            row.seats = commit.seats
        _merge(row.marks, commit.marks)
        _merge(row.outbox, commit.outbox)
        _merge(row.patches, commit.patches)
        _merge(row.storage, commit.storage)
        if commit.listing is not None:
            row.listing = commit.listing or None
        row.log += commit.log
        if (trim := commit.trim) is not None:
            row.log = [one for one in row.log if one.revision > trim.revision or one.at >= trim.at]


def _merge(kept: dict[str, bytes], changed: Mapping[str, bytes | None]) -> None:
    for key, value in changed.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
