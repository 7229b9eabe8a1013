"""The SQLite store keeps the rules of its port, and those of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rooms.store.sqlite import SqliteStore
from tests.contracts import Clock, StoreContract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, clock: Clock, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(tmp_path / "rooms.db", now=clock.now)
        yield store
        await store.close()
