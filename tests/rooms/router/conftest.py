"""Fixtures of the door's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rooms.router.doors import Door, open_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened
