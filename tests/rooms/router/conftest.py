"""Fixtures of the door's tests, which run on both loops: transports are where these differ. Where
there are none, time is the test's own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import uvloop

from tests.clock import VirtualLoop
from tests.rooms.router.doors import Door, open_door

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from typing import Any

BOTH = ("test_sockets.py", "test_connections.py", "test_intake.py")
TIMED = ("test_listening.py", "test_listening_guards.py")


def pytest_asyncio_loop_factories(config: Any, item: Any) -> Mapping[str, Callable[[], Any]]:
    if item.path.name in BOTH:
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    if item.path.name in TIMED:
        return {"virtual": VirtualLoop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened
