"""What is read and written of sessions in SQLite, each inside a transaction that the caller holds.

In: an open connection and what is wanted. Out: rows as the port's values. `writer.py` makes the
transactions, `sqlite.py` asks.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from rooms.store.ownership import refusal
from rooms.store.port import (
    REMEMBERED,
    Acquired,
    Due,
    Found,
    Held,
    Listed,
    Logged,
    Owner,
    Record,
    SessionId,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from rooms.errors import StoreError
    from rooms.store.port import Commit, HostInfo

T = TypeVar("T")

ROWS = 128  # the most that one statement writes
INLINE = 8192  # bytes: a larger snapshot is an entry, so that nobody else's write has to copy it


# -------------------------------------------------------------------------------- commits


def write(db: sqlite3.Connection, commits: Sequence[tuple[Commit, int]]) -> bool:
    """Write commits of different sessions, each with its time. False: some were refused, some may
    be written; roll back.

    Statements write many rows each, because each gives up Python's lock, and may wait for a busy
    loop's thread to get it back: 64 commits by 64 statements took 400 ms beside a busy thread, by
    one 15.
    """
    changes: list[tuple[Any, ...]] = []
    kept: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    rare: list[Commit] = []
    for commit, now in commits:
        if commit.anew is not None:
            if why_refused(db, commit) is not None:
                return False
            commit = _made_anew(db, commit, commit.anew, now)
        snapshot, generation = commit.snapshot, commit.generation
        if snapshot is not None and not 0 < len(snapshot) <= INLINE:
            kept.append((generation, "snapshot", "", snapshot))
            snapshot = _ELSEWHERE
        changes.append(
            (
                *commit.id,
                commit.incarnation,
                commit.epoch,
                generation,
                commit.prev,
                commit.new,
                commit.version,
                commit.due,
                commit.expires,
                now,
                commit.seats,
                snapshot,
            )
        )
        for part, entries in (
            ("mark", commit.marks),
            ("outbox", commit.outbox),
            ("patch", commit.patches),
            ("storage", commit.storage),
        ):
            if entries:
                for key, value in entries.items():
                    if value is None:
                        gone.append((generation, part, key))
                    else:
                        kept.append((generation, part, key, value))
        if commit.log or commit.listing is not None or commit.trim is not None:
            rare.append(commit)
    for rows in _chunks(changes):
        if _execute(db, _UPDATE, rows).rowcount != len(rows):
            return False
    for rows in _chunks(kept):
        _execute(db, _UPSERT, rows)
    for rows in _chunks(gone):
        _execute(db, _REMOVE, rows)
    if rare:
        _write_logs_and_listings(db, rare)
    return True


def _made_anew(db: sqlite3.Connection, commit: Commit, generation: str, now: int) -> Commit:
    """Put an empty record in the place of the one that this commit follows on: the commit that
    fills it.
    """
    owner = Owner(commit.incarnation, commit.epoch)
    delete(db, commit.id, owner, now)
    _claim(db, commit.id, generation, owner)
    return replace(commit, generation=generation, prev=0, anew=None)


def _write_logs_and_listings(db: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    logged = [(commit.generation, *one) for commit in commits for one in commit.log]
    trims = [(commit.generation, *commit.trim) for commit in commits if commit.trim is not None]
    listed = [(*commit.id, commit.listing) for commit in commits if commit.listing]
    unlisted = [commit.id for commit in commits if commit.listing == b""]
    changes: tuple[tuple[str, Sequence[tuple[Any, ...]]], ...] = (
        (_LOG, logged), (_TRIM, trims), (_LIST, listed), (_UNLIST, unlisted),
    )  # fmt: skip
    for statement, all_rows in changes:
        for rows in _chunks(all_rows):
            _execute(db, statement, rows)


def why_refused(db: sqlite3.Connection, commit: Commit) -> StoreError | None:
    """Why this commit may not be written now; None: it may."""
    row = db.execute(
        "SELECT owner, epoch, generation, revision FROM sessions WHERE kind = ? AND session = ?",
        commit.id,
    ).fetchone()
    return refusal(commit, None, None, "", 0) if row is None else refusal(commit, *row)


_UPDATE = """
UPDATE sessions SET
    revision = b.new, version = b.version, due = b.due, expires = b.expires, changed = b.now,
    seats = coalesce(b.seats, sessions.seats), snapshot = coalesce(b.snapshot, sessions.snapshot)
FROM (
    SELECT column1 kind, column2 session, column3 owner, column4 epoch, column5 generation,
        column6 prev, column7 new, column8 version, column9 due, column10 expires, column11 now,
        column12 seats, column13 snapshot
    FROM (VALUES ROWS)
) AS b
WHERE sessions.kind = b.kind AND sessions.session = b.session AND sessions.owner = b.owner
    AND sessions.epoch = b.epoch AND sessions.generation = b.generation
    AND sessions.revision = b.prev
"""

_UPSERT = """
INSERT INTO entries SELECT * FROM (VALUES ROWS) WHERE column1 IS NOT NULL
ON CONFLICT DO UPDATE SET value = excluded.value
"""

_REMOVE = "DELETE FROM entries WHERE (generation, part, key) IN (VALUES ROWS)"

_LOG = "INSERT INTO log SELECT * FROM (VALUES ROWS) WHERE column1 IS NOT NULL"

_TRIM = """
DELETE FROM log WHERE (generation, revision) IN (
    SELECT log.generation, log.revision
    FROM (VALUES ROWS) AS b CROSS JOIN log ON log.generation = b.column1
    WHERE log.revision <= b.column2 AND log.at < b.column3
)
"""

_LIST = """
INSERT INTO listings SELECT * FROM (VALUES ROWS) WHERE column1 IS NOT NULL
ON CONFLICT DO UPDATE SET value = excluded.value
"""

_UNLIST = "DELETE FROM listings WHERE (kind, session) IN (VALUES ROWS)"

_ELSEWHERE = b""  # in place of a snapshot that is an entry


def _execute(
    db: sqlite3.Connection, statement: str, rows: Sequence[tuple[Any, ...]]
) -> sqlite3.Cursor:
    """Run a statement about all these rows, filled up with rows of NULL, which match nothing: so
    that few texts have to be parsed.
    """
    size = 1 << (len(rows) - 1).bit_length()
    values = [value for row in rows for value in row]
    values += [None] * (len(rows[0]) * (size - len(rows)))
    return db.execute(_with_rows(statement, size, len(rows[0])), values)


@cache
def _with_rows(statement: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return statement.replace("ROWS", ", ".join([row] * rows))


def _chunks(things: Sequence[T]) -> Iterable[Sequence[T]]:
    return (things[start : start + ROWS] for start in range(0, len(things), ROWS))


# -------------------------------------------------------------------------------- ownership


def disown(db: sqlite3.Connection, dead: Iterable[str]) -> None:
    """Let the sessions of the dead sleep, and forget what they only claimed."""
    for incarnation in dead:
        claimed = db.execute(
            "SELECT kind, session, generation FROM sessions WHERE owner = ? AND version IS NULL",
            (incarnation,),
        )
        for kind, session, generation in claimed.fetchall():
            _forget(db, SessionId(kind, session), generation)
        db.execute("UPDATE sessions SET owner = NULL WHERE owner = ?", (incarnation,))


def acquire(
    db: sqlite3.Connection,
    id: SessionId,
    incarnation: str,
    living: Mapping[str, HostInfo],
    generation: str,
) -> Acquired | Held:
    """Make a living incarnation the owner unless another has it; `generation` is for a new record.

    Whose owner has died was disowned before.
    """
    found = db.execute(
        "SELECT owner, epoch, generation FROM sessions WHERE kind = ? AND session = ?", id
    ).fetchone()
    if found is None:
        epoch = _next_epoch(db)
        _claim(db, id, generation, Owner(incarnation, epoch))
        return Acquired(epoch, generation, None, _when_deleted(db, id))
    owner, epoch, generation = found
    if owner is not None and owner != incarnation:
        return Held(owner, epoch, living[owner].address)
    record = load(db, id)
    if owner is None:
        epoch = _next_epoch(db)
        db.execute(
            "UPDATE sessions SET owner = ?, epoch = ?, activation = NULL"
            " WHERE kind = ? AND session = ?",
            (incarnation, epoch, *id),
        )
    return Acquired(epoch, generation, record, None if record else _when_deleted(db, id))


def _claim(db: sqlite3.Connection, id: SessionId, generation: str, owner: Owner) -> None:
    """Make an empty record."""
    db.execute(
        "INSERT INTO sessions (kind, session, generation, owner, epoch) VALUES (?, ?, ?, ?, ?)",
        (*id, generation, *owner),
    )


def release(
    db: sqlite3.Connection, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
) -> bool:
    """Let a session sleep if it is this owner's; forget it if it was only claimed."""
    found = db.execute(
        "SELECT version IS NULL, generation FROM sessions"
        " WHERE kind = ? AND session = ? AND owner = ? AND epoch = ?",
        (*id, incarnation, epoch),
    ).fetchone()
    if found is None:
        return False
    claimed, generation = found
    if claimed:
        _forget(db, id, generation)
    else:
        db.execute(
            "UPDATE sessions SET owner = NULL, activation = ? WHERE kind = ? AND session = ?",
            (activation, *id),
        )
    return True


def delete(db: sqlite3.Connection, id: SessionId, owner: Owner | None, now: int) -> bool:
    """Forget a session, whoever owns it, or only if `owner` does; remember that there was one."""
    found = db.execute(
        "SELECT generation, owner, epoch, snapshot IS NULL FROM sessions"
        " WHERE kind = ? AND session = ?",
        id,
    ).fetchone()
    if found is None or (owner is not None and owner != found[1:3]):
        return False
    _forget(db, id, found[0])
    if not found[3]:
        db.execute(
            "INSERT INTO deleted VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
            (*id, now),
        )
    _forget_deleted(db, now - REMEMBERED)
    return True


def _when_deleted(db: sqlite3.Connection, id: SessionId) -> int | None:
    """Until when there may have been a session of this name."""
    (at,) = db.execute(
        "SELECT max(at) FROM (SELECT at FROM deleted WHERE kind = ? AND session = ?"
        " UNION ALL SELECT value FROM meta WHERE key = 'forgotten')",
        id,
    ).fetchone()
    return None if at is None else int(at)


def _forget_deleted(db: sqlite3.Connection, before: int) -> None:
    """Of names that were deleted up to then, keep only when the last one was; two at a time, which
    is more than come.
    """
    old = db.execute(
        "SELECT kind, session, at FROM deleted WHERE at <= ? ORDER BY at LIMIT 2", (before,)
    ).fetchall()
    if old:
        db.executemany("DELETE FROM deleted WHERE kind = ? AND session = ?", [o[:2] for o in old])
        db.execute("INSERT OR REPLACE INTO meta VALUES ('forgotten', ?)", (old[-1][2],))


def _forget(db: sqlite3.Connection, id: SessionId, generation: str) -> None:
    db.execute("DELETE FROM sessions WHERE kind = ? AND session = ?", id)
    db.execute("DELETE FROM listings WHERE kind = ? AND session = ?", id)
    db.execute("DELETE FROM entries WHERE generation = ?", (generation,))
    db.execute("DELETE FROM log WHERE generation = ?", (generation,))


def _next_epoch(db: sqlite3.Connection) -> int:
    """Grows over the whole file, so that an epoch means one ownership even when a session is
    deleted and made again.
    """
    grow = "UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value"
    [(epoch,)] = db.execute(grow).fetchall()
    return int(epoch)


# -------------------------------------------------------------------------------- reading


def secret(db: sqlite3.Connection) -> bytes:
    """The secret that was made with the file."""
    (value,) = db.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()
    return bytes(value)


def load(db: sqlite3.Connection, id: SessionId) -> Record | None:
    """All that is kept of a session; None before its first commit."""
    row = db.execute(
        "SELECT s.generation, version, revision, snapshot, seats, listings.value, activation, due,"
        " expires, changed, EXISTS (SELECT 1 FROM log WHERE log.generation = s.generation)"
        " FROM sessions AS s LEFT JOIN listings USING (kind, session)"
        " WHERE kind = ? AND session = ? AND version IS NOT NULL",
        id,
    ).fetchone()
    if row is None:
        return None
    generation, version, revision, snapshot, seats, listing, activation, *rest = row
    due, expires, changed, logged = rest
    entries: dict[str, dict[str, bytes]] = {part: {} for part in _PARTS}
    found = db.execute("SELECT part, key, value FROM entries WHERE generation = ?", (generation,))
    for part, key, value in found.fetchall():
        entries[part][key] = value
    if snapshot == _ELSEWHERE:
        snapshot = entries["snapshot"][""]
    elif entries["snapshot"]:  # it was large once
        _execute(db, _REMOVE, [(generation, "snapshot", "")])
    return Record(
        generation=generation,
        version=version,
        revision=revision,
        snapshot=snapshot,
        seats=seats,
        marks=entries["mark"],
        outbox=entries["outbox"],
        patches=entries["patch"],
        storage=entries["storage"],
        listing=listing,
        activation=activation,
        due=due,
        expires=expires,
        changed=changed,
        logged=bool(logged),
    )


_PARTS = ("mark", "outbox", "patch", "storage", "snapshot")


def due(db: sqlite3.Connection, before: int, limit: int) -> list[Due]:
    """Sleeping sessions due by `before`, earliest first."""
    rows = db.execute(
        "SELECT kind, session, due FROM sessions WHERE owner IS NULL AND due <= ?"
        " ORDER BY due, kind, session LIMIT ?",
        (before, limit),
    )
    return [Due(SessionId(kind, session), due) for kind, session, due in rows.fetchall()]


def scan(
    db: sqlite3.Connection, kind: str | None, after: SessionId | None, limit: int
) -> list[Listed]:
    """A page of the sessions that hold something, in order of their names."""
    where, values = "", list[Any]()
    if kind is not None:
        where, values = " AND kind = ?", [kind]
    if after is not None:
        where, values = where + " AND (kind, session) > (?, ?)", [*values, *after]
    rows = db.execute(
        "SELECT kind, session, revision, version, changed, due, owner, CASE snapshot WHEN x'' THEN"
        " (SELECT length(value) FROM entries AS e WHERE e.generation = sessions.generation"
        " AND part = 'snapshot' AND key = '') ELSE length(snapshot) END"
        f" FROM sessions WHERE snapshot IS NOT NULL{where} ORDER BY kind, session LIMIT ?",
        (*values, limit),
    )
    return [Listed(SessionId(kind, session), *rest) for kind, session, *rest in rows.fetchall()]


def history(db: sqlite3.Connection, id: SessionId, after: int, limit: int) -> list[Logged]:
    """A page of a session's log, the oldest first."""
    rows = db.execute(
        "SELECT log.revision, log.at, log.data FROM sessions JOIN log USING (generation)"
        " WHERE kind = ? AND session = ? AND log.revision > ? ORDER BY log.revision LIMIT ?",
        (*id, after, limit),
    )
    return [Logged(*row) for row in rows.fetchall()]


def find(db: sqlite3.Connection, kind: str, after: SessionId | None, limit: int) -> list[Found]:
    """A page of the listings of a kind, in order of their names."""
    rows = db.execute(
        "SELECT kind, session, value FROM listings"
        " WHERE kind = ? AND session > ? ORDER BY session LIMIT ?",
        (kind, "" if after is None else after.session, limit),
    )
    return [Found(SessionId(kind, session), value) for kind, session, value in rows.fetchall()]


def expired(db: sqlite3.Connection, before: int, limit: int) -> list[SessionId]:
    """Sleeping sessions that expire by `before`, earliest first."""
    rows = db.execute(
        "SELECT kind, session FROM sessions WHERE owner IS NULL AND expires <= ?"
        " ORDER BY expires, kind, session LIMIT ?",
        (before, limit),
    )
    return [SessionId(*row) for row in rows.fetchall()]
