"""What was acknowledged survives SIGKILL at any moment, whole."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rooms.store.port import SessionId
from rooms.store.sqlite import SqliteStore
from tests.contracts import Clock
from tests.rooms.store.committing import (
    AHEAD,
    MARK,
    log,
    named,
    outbox,
    patches,
    state,
    whole,
)

if TYPE_CHECKING:
    from rooms.store.port import Record

ROOT = Path(__file__).parents[3]
KILLS = 10


def commit_until_killed(path: Path, acknowledgements: int) -> dict[str, int]:
    """Kill it after so many acknowledgements; the last that it printed, by session."""
    command = [sys.executable, "-m", "tests.rooms.store.committing", str(path)]
    last: dict[str, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, start=1):
            session, revision = line.split()
            if line.endswith(b"\n"):
                last[session.decode()] = int(revision)
            if count == acknowledgements:
                process.kill()
    assert process.returncode == -9, "it ended before it was killed"
    return last


def assert_whole(record: Record) -> None:
    """All parts are of one revision."""
    now = record.revision
    parts = (record.seats, record.listing, *record.marks.values(), *record.storage.values())
    assert set(parts) == {named(now)}, "a commit was torn"
    assert list(record.marks) == [MARK]
    assert (record.due, record.expires) == (now, now)
    assert record.snapshot == state(whole(now)), "not the snapshot of these patches"
    assert record.patches == patches(now), "patches are missing, or stayed"
    assert record.outbox == outbox(now)


@pytest.mark.system
@pytest.mark.parametrize("seed", [1])
async def test_nothing_acknowledged_is_missing_after_kill(
    tmp_path: Path, seed: int
) -> None:  # [STORE3]
    path, chance = tmp_path / "rooms.db", random.Random(seed)
    before: dict[str, int] = {}
    for _ in range(KILLS):
        acknowledged = commit_until_killed(path, chance.randrange(1, 3000))
        store = await SqliteStore.open(path, now=Clock().now)
        for session, revision in acknowledged.items():
            assert revision > before.get(session, 0), "a revision was acknowledged twice"
            id = SessionId("test", session)
            record = await store.load(id)
            assert record is not None
            assert revision <= record.revision <= revision + AHEAD
            assert_whole(record)
            assert list(await store.history(id)) == log(record.revision)
            before[session] = record.revision
        found = {one.id.session: one.listing for one in await store.find("test")}
        for session in acknowledged:
            assert found[session] == named(before[session])
        await store.close()
    assert min(before.values()) > KILLS
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        orphans = (
            "SELECT count(*) FROM {} WHERE generation NOT IN (SELECT generation FROM sessions)"
        )
        for table in ("entries", "log"):
            assert db.execute(orphans.format(table)).fetchone() == (0,)
    db.close()
