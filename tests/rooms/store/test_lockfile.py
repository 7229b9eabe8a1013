"""The lock of a store's file, and where its holder says it can be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rooms.errors import StoreLocked
from rooms.store.lockfile import LockFile, announce, announced

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.db"


def taken(path: Path) -> LockFile:
    lock = LockFile(path)
    lock.acquire(0, lambda: 0.0, lambda seconds: None)
    return lock


def test_who_has_the_lock_may_say_where_it_is_reached(path: Path) -> None:  # [ADMIN7]
    assert announced(path) is None
    lock = taken(path)
    assert announced(path) is None
    announce(path, "http://127.0.0.1:1999")
    assert announced(path) == "http://127.0.0.1:1999"
    with pytest.raises(StoreLocked):
        taken(path)
    assert announced(path) == "http://127.0.0.1:1999"
    lock.release()


def test_where_nobody_has_the_lock_nobody_is_reached(path: Path) -> None:  # [ADMIN7]
    lock = taken(path)
    announce(path, "http://127.0.0.1:1999")
    lock.release()  # or killed: what it said stays in the file
    assert announced(path) is None
    again = taken(path)
    assert announced(path) is None  # what the one before said isn't this one's
    again.release()


def test_what_is_no_text_is_no_address(path: Path) -> None:
    lock = taken(path)
    path.with_name("rooms.db.lock").write_bytes(b"\xff\xfe")
    assert announced(path) is None
    lock.release()
