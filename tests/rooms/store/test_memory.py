"""The in-memory store keeps the rules of its port."""

from __future__ import annotations

import pytest

from rooms.store.memory import MemoryStore
from tests.contracts import Clock, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self, clock: Clock) -> MemoryStore:
        return MemoryStore(clock.now)
