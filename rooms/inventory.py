"""What lies in a store's file: `rooms list`, `show`, `delete`, `export`, and what `check` finds.

In: a store's URL and names. Out: text, by `say`, a line at a time. A file that a server has open is
locked, and refused.
"""

from __future__ import annotations

import base64
import json
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rooms.errors import Closing, StoreError, UsageError
from rooms.host.clock import elapsed
from rooms.host.record import restore
from rooms.store import file_of
from rooms.store.port import SessionId
from rooms.store.sqlite import SqliteStore
from runtime import System
from runtime.clock import LoopClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from rooms.app import App
    from rooms.store.port import Listed, Record

PAGE = 200
LOCK_WAIT = 300  # ms: a server doesn't let go of its file in 5 s either


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SqliteStore]:
    """The store of this URL, if it is there and nobody has it open.

    Raises:
        UsageError: it isn't a file, or there is none.
        StoreError: it can't be opened; StoreLocked: a server has it.
    """
    path = file_of(url)
    if path is None:
        raise UsageError(
            "memory: keeps nothing once its server has ended; name a file with --store"
        )
    if not path.is_file():
        raise UsageError(f"there is no store {path} yet; name another with --store")
    wall = LoopClock()
    store = await SqliteStore.open(
        path, now=lambda: int(wall.now()), elapsed=elapsed, lock_wait=LOCK_WAIT
    )
    try:
        yield store
    finally:
        await store.close()


def named(text: str) -> SessionId:
    """`kind/session`. Raises UsageError."""
    kind, slash, session = text.partition("/")
    if not (kind and slash and session):
        raise UsageError(f"{text}: a session is named kind/session, as in counter/shared-counter")
    return SessionId(kind, session)


async def list_sessions(url: str, kind: str | None, say: Callable[[str], None]) -> None:
    """A line each: name, revision, bytes, last change, when it wakes."""
    async with opened(url) as store:
        rows = [("SESSION", "REVISION", "BYTES", "CHANGED", "DUE")]
        async for line in _all(store, kind):
            numbers = (str(line.id), str(line.revision), str(line.bytes))
            rows.append((*numbers, _when(line.changed), _when(line.due)))
    if len(rows) == 1:
        say("no sessions")
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(
            row, widths, (str.ljust, str.rjust, str.rjust, str.ljust, str.ljust), strict=True
        )
        say("  ".join(pad(cell, width) for cell, width, pad in cells).rstrip())


async def show(url: str, id: SessionId, say: Callable[[str], None]) -> None:
    """A session as JSON for people: its state, and how much stands beside it."""
    async with opened(url) as store:
        record = await _record(store, id)
    shown = {
        **_head(id, record),
        "changed": _when(record.changed),
        "due": _when(record.due) or None,
        "generation": record.generation,
        "marks": len(record.marks),
        "outbox": len(record.outbox),
        "snapshot": json.loads(record.snapshot or b"null"),
    }
    say(json.dumps(shown, indent=2, ensure_ascii=False))


async def delete(url: str, id: SessionId, say: Callable[[str], None]) -> None:
    """Forget a session."""
    async with opened(url) as store:
        if not await store.delete(id):
            raise StoreError(f"there is no session {id}")
    say(f"deleted {id}")


async def export(url: str, id: SessionId | None, say: Callable[[str], None]) -> None:
    """Everything that is kept of a session, or of all, as one line of JSON each.

    Bytes that aren't JSON are in base64.
    """
    async with opened(url) as store:
        if id is not None:
            say(_exported(id, await _record(store, id)))
            return
        async for line in _all(store):
            say(_exported(line.id, await _record(store, line.id)))


async def check(app: App, url: str, say: Callable[[str], None]) -> int:
    """Say of each kind what it is, and of each stored session that this App can't restore why.

    Returns how many problems there are.
    """
    problems = 0
    for name, room in app.kinds.items():
        version = room.version()
        say(f"{name}: {room.__name__}, machine {room.machine.id}, version {version or '(none)'}")
    try:
        async with opened(url) as store:
            async for line in _all(store):
                record = await _record(store, line.id)
                problem = _problem(app, line, record, await store.now())
                if problem is not None:
                    problems += 1
                    say(f"{line.id}: {problem}")
    except UsageError:
        say("nothing is stored yet")
    return problems


def _problem(app: App, line: Listed, record: Record, now: int) -> str | None:
    room = app.kinds.get(line.id.kind)
    if room is None:
        return "the App has no such kind; nobody can open it"
    logging.getLogger("rooms.host.record").disabled = True  # we say it ourselves
    try:
        system = System(room.machine, on_error=room.on_error)
        restore(room(line.id.kind, line.id.session), system, record, record.snapshot or b"", now)
    except Closing as closing:
        return closing.reason
    return None


async def _all(store: SqliteStore, kind: str | None = None) -> AsyncIterator[Listed]:
    after: SessionId | None = None
    while page := await store.scan(kind, after, PAGE):
        for line in page:
            yield line
        after = page[-1].id


async def _record(store: SqliteStore, id: SessionId) -> Record:
    record = await store.load(id)
    if record is None:
        raise StoreError(f"there is no session {id}")
    return record


def _head(id: SessionId, record: Record) -> dict[str, Any]:
    return {
        "kind": id.kind,
        "session": id.session,
        "revision": record.revision,
        "version": record.version,
    }


def _exported(id: SessionId, record: Record) -> str:
    whole = {
        **_head(id, record),
        "changed": record.changed,
        "due": record.due,
        "snapshot": json.loads(record.snapshot or b"null"),
        "seats": _base64(record.seats),
        "activation": _base64(record.activation),
        "marks": _entries(record.marks),
        "outbox": _entries(record.outbox),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def _entries(entries: Mapping[str, bytes]) -> dict[str, str | None]:
    return {key: _base64(value) for key, value in entries.items()}


def _base64(blob: bytes | None) -> str | None:
    return None if blob is None else base64.b64encode(blob).decode()


def _when(ms: int | None) -> str:
    """A time in ms as text, to the second, UTC; empty for none."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).strftime("%F %TZ")
