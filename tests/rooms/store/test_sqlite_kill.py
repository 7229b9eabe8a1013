"""What was acknowledged survives SIGKILL at any moment, whole."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rooms.store.port import SessionId
from rooms.store.sqlite import SqliteStore
from tests.contracts import Clock
from tests.rooms.store.committing import AHEAD, MARK, named

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
            record = await store.load(SessionId("test", session))
            assert record is not None
            assert record.snapshot is not None
            assert revision <= record.revision <= revision + AHEAD
            parts = (record.snapshot.split()[0], record.seats, *record.marks.values())
            assert set(parts) == {named(record.revision)}, "a commit was torn"
            assert list(record.marks) == [MARK]
            assert record.outbox == {"latest": named(record.revision)}
            assert record.due == record.revision
            before[session] = record.revision
        await store.close()
    assert min(before.values()) > KILLS
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
