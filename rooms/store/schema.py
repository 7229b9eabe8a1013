"""The tables of a store's SQLite file, and how a file becomes one that this version can use.

In: a path whose lock is held. Out: an open connection with the newest tables. `records.py` reads
and writes them.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from rooms.errors import StoreError
from rooms.store.records import disown, secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

APPLICATION_ID = 0x524F4F4D  # "ROOM": tells our files from other people's databases
OLDEST_SQLITE = (3, 35, 0)  # UPDATE … FROM, multi-row upserts

# One entry a schema version, oldest first; a released one is never changed, only followed.
# `sessions` keeps its rowid: with WITHOUT ROWID a state of 1 KB spills into overflow pages, and
# groups of commits took a fifth to two thirds longer. The two indexes are partial so that a commit,
# which only an owner makes, touches neither: `asleep` changes when a session falls asleep or wakes.
# `entries` are the marks and the like of a record, by its generation.
#
# 2: `expires`, before the blobs, so that an index that looks at it needn't read them; listings by
# themselves, so that looking for them passes nothing else and a commit without one touches no index
# of them; the log.
#
# 3: when sessions were deleted, by name; `forgotten` in `meta` is the last of those that no longer
# are in it.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        """
        CREATE TABLE sessions (
            row INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            session TEXT NOT NULL,
            generation TEXT NOT NULL,
            owner TEXT,
            epoch INTEGER NOT NULL,
            revision INTEGER NOT NULL DEFAULT 0,
            version TEXT,
            due INTEGER,
            changed INTEGER NOT NULL DEFAULT 0,
            activation BLOB,
            seats BLOB,
            snapshot BLOB,
            UNIQUE (kind, session)
        )
        """,
        "CREATE INDEX asleep ON sessions (due) WHERE owner IS NULL AND due IS NOT NULL",
        "CREATE INDEX owned ON sessions (owner) WHERE owner IS NOT NULL",
        """
        CREATE TABLE entries (
            generation TEXT, part TEXT, key TEXT, value BLOB NOT NULL,
            PRIMARY KEY (generation, part, key)
        ) WITHOUT ROWID
        """,
    ),
    (
        """
        CREATE TABLE sessions_2 (
            row INTEGER PRIMARY KEY,
            kind TEXT NOT NULL,
            session TEXT NOT NULL,
            generation TEXT NOT NULL,
            owner TEXT,
            epoch INTEGER NOT NULL,
            revision INTEGER NOT NULL DEFAULT 0,
            version TEXT,
            due INTEGER,
            expires INTEGER,
            changed INTEGER NOT NULL DEFAULT 0,
            activation BLOB,
            seats BLOB,
            snapshot BLOB,
            UNIQUE (kind, session)
        )
        """,
        """
        INSERT INTO sessions_2
        SELECT row, kind, session, generation, owner, epoch, revision, version, due, NULL, changed,
            activation, seats, snapshot
        FROM sessions
        """,
        "DROP TABLE sessions",
        "ALTER TABLE sessions_2 RENAME TO sessions",
        "CREATE INDEX asleep ON sessions (due) WHERE owner IS NULL AND due IS NOT NULL",
        "CREATE INDEX owned ON sessions (owner) WHERE owner IS NOT NULL",
        "CREATE INDEX expiring ON sessions (expires) WHERE owner IS NULL AND expires IS NOT NULL",
        """
        CREATE TABLE listings (
            kind TEXT, session TEXT, value BLOB NOT NULL, PRIMARY KEY (kind, session)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE log (
            generation TEXT, revision INTEGER, at INTEGER NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (generation, revision)
        ) WITHOUT ROWID
        """,
    ),
    (
        """
        CREATE TABLE deleted (
            kind TEXT, session TEXT, at INTEGER NOT NULL, PRIMARY KEY (kind, session)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX deleted_at ON deleted (at)",
    ),
)


def connect(path: Path, random_bytes: Callable[[int], bytes]) -> sqlite3.Connection:
    """Open the file, made (mode 0600) or migrated where needed; sessions of former processes sleep.

    Transactions are the caller's; the connection may be used by one thread, not only this one.

    Raises:
        StoreError: it isn't a store, is of a newer version, or can't be opened.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"SQLite {sqlite3.sqlite_version} is too old: take a Python with SQLite 3.35 or newer"
        )
    # Made here and not by SQLite, whose files everybody may read; -wal and -shm take its mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        _prepare(db, path, random_bytes)
    except BaseException:
        db.close()
        raise
    return db


def read_secret(path: Path) -> bytes:
    """The secret of a store that a server may have open; whoever may read the file may ask.

    Raises:
        StoreError: it isn't a store, or can't be read.
    """
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return secret(db)
        finally:
            db.close()
    except (sqlite3.Error, TypeError) as error:
        raise StoreError(f"{path} can't be read as a store: {error}") from error


def _prepare(db: sqlite3.Connection, path: Path, random_bytes: Callable[[int], bytes]) -> None:
    known = _schema_version(db, path)
    db.execute("PRAGMA busy_timeout = 5000")  # somebody's sqlite3 shell may hold a lock
    if db.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise StoreError(
            f"{path}: this file system can't keep SQLite's write-ahead log; name a file on a local "
            "disk with --store"
        )
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA fullfsync = ON")  # macOS only: there fsync alone doesn't reach the disk
    db.execute("BEGIN IMMEDIATE")
    try:
        for migration in MIGRATIONS[known:]:
            for statement in migration:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (random_bytes(32),))
        db.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', 0)")
        # Whoever holds the lock is alone: every owner of before is dead.
        owners = db.execute("SELECT DISTINCT owner FROM sessions WHERE owner IS NOT NULL")
        disown(db, [owner for (owner,) in owners.fetchall()])
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _schema_version(db: sqlite3.Connection, path: Path) -> int:
    """Which version of the tables the file has; 0: it is empty."""
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} can't be read as a store: {error}") from error
    if application != APPLICATION_ID and tables:
        raise StoreError(f"{path} is a database of something else; name another file with --store")
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer version (schema {version}, this one knows "
            f"{len(MIGRATIONS)}): upgrade skyrooms, or name another file with --store"
        )
    return int(version) if tables else 0
