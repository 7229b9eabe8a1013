"""The store of one machine: a SQLite file, one writing process, one writing thread.

A commit is answered when it is in the write-ahead log; with `durable=True` when the log is synced
to disk, which a power cut survives. Either survives the end of the process. Reads go through the
same thread, so that an answer is never older than what was answered before.

Next: `writer.py` (groups and transactions), then `records.py` (the statements).
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rooms.errors import StoreError
from rooms.store import records
from rooms.store.lockfile import LockFile
from rooms.store.ownership import Leases, not_alive
from rooms.store.schema import connect
from rooms.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rooms.store.port import (
        Acquired,
        Commit,
        Due,
        Found,
        Held,
        HostInfo,
        Listed,
        Logged,
        Owner,
        Record,
        SessionId,
    )

T = TypeVar("T")

LOCK_WAIT = 5000  # ms: a restart right after a kill finds the lock free in time


class SqliteStore:
    """A `Store` in a file; made by `open`."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], int],
        elapsed: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        lock_wait: int,
        pause: Callable[[float], None],
    ) -> None:
        path = path.absolute()
        lock = LockFile(path)

        def open_file() -> sqlite3.Connection:
            try:
                lock.acquire(lock_wait, elapsed, pause)
                return connect(path, random_bytes)
            except (OSError, sqlite3.Error) as error:
                raise StoreError(f"{path} can't be opened as a store: {error}") from error

        self._now = now
        self._random_bytes = random_bytes
        self._leases = Leases(now, elapsed)
        self._disowned: set[str] = set()
        self._writer = Writer(path.name, open_file, lock.release)
        self._secret = b""

    @classmethod
    async def open(
        cls,
        path: str | Path,
        *,
        now: Callable[[], int],
        elapsed: Callable[[], float] | None = None,
        lock_wait: int = LOCK_WAIT,
        random_bytes: Callable[[int], bytes] = os.urandom,
        pause: Callable[[float], None] = time.sleep,
    ) -> SqliteStore:
        """Open the file for this process alone; it is made if it isn't there.

        `now` is the store's time, ms since 1970; `elapsed` (ms) measures leases and waiting, `now`
        does unless given. `pause` waits some seconds, in the store's own thread, between two looks
        at the lock.

        Raises:
            StoreLocked: another process kept the file for all of `lock_wait` ms.
            StoreError: the file can't be opened, or isn't a store this version can use.
        """
        store = cls(
            Path(path),
            now=now,
            elapsed=elapsed or now,
            random_bytes=random_bytes,
            lock_wait=lock_wait,
            pause=pause,
        )
        await store._writer.open()
        store._secret = await store._writer.do(records.secret)
        return store

    async def now(self) -> int:
        self._writer.check_open()
        return self._now()

    async def secret(self) -> bytes:
        self._writer.check_open()
        return self._secret

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        self._writer.check_open()
        return self._leases.renew(host, ttl)

    async def retire(self, incarnation: str) -> None:
        self._writer.check_open()
        self._leases.end(incarnation)

    async def hosts(self) -> Sequence[HostInfo]:
        self._writer.check_open()
        return list(self._leases.living().values())

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        self._writer.check_open()
        living = self._leases.living()
        if incarnation not in living:
            raise not_alive(incarnation)
        generation = self._random_bytes(8).hex()
        return await self._with_the_dead_disowned(
            lambda db: records.acquire(db, id, incarnation, living, generation), durable=True
        )

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        return await self._writer.commit_many(commits, self._now())

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        return await self._writer.do(
            lambda db: records.release(db, id, incarnation, epoch, activation)
        )

    async def load(self, id: SessionId) -> Record | None:
        record = await self._writer.do(lambda db: records.load(db, id))
        return None if record is None or record.snapshot is None else record

    async def due(self, before: int, limit: int) -> Sequence[Due]:
        return await self._with_the_dead_disowned(lambda db: records.due(db, before, limit))

    async def scan(
        self, kind: str | None = None, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        return await self._with_the_dead_disowned(lambda db: records.scan(db, kind, after, limit))

    async def history(self, id: SessionId, after: int = 0, limit: int = 100) -> Sequence[Logged]:
        return await self._writer.do(lambda db: records.history(db, id, after, limit))

    async def find(
        self, kind: str, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Found]:
        return await self._with_the_dead_disowned(lambda db: records.find(db, kind, after, limit))

    async def expired(self, before: int, limit: int) -> Sequence[SessionId]:
        return await self._with_the_dead_disowned(lambda db: records.expired(db, before, limit))

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        now = self._now()
        return await self._writer.do(lambda db: records.delete(db, id, owner, now), durable=True)

    async def close(self) -> None:
        await self._writer.close()

    async def _with_the_dead_disowned(
        self, run: Callable[[sqlite3.Connection], T], *, durable: bool | None = None
    ) -> T:
        """Answer a question that depends on who lives. The dead are disowned once; again where that
        wasn't written.
        """
        dead = self._leases.dead() - self._disowned

        def disown_and_run(db: sqlite3.Connection) -> T:
            records.disown(db, dead)
            return run(db)

        answer = await self._writer.do(disown_and_run, durable=durable)
        self._disowned |= dead
        return answer
