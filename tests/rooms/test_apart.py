"""A host as a process of its own: when it is one of those that rooms go to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NoReturn

from rooms import App, Room, apart
from rooms.errors import LinkError
from rooms.host.clock import elapsed
from rooms.server import first_of
from rooms.settings import Settings
from rooms.store.memory import MemoryStore
from runtime import create_machine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from rooms.store.port import Store


class Alone(Room):
    machine = create_machine({})
    isolation = "process"


class Cold:
    """A nursery that is still importing the App."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.imported = asyncio.Event()

    def warm(self) -> None:
        pass

    async def warmed(self) -> None:
        self.asked.set()
        await self.imported.wait()

    async def start(self, max_cpu: int) -> NoReturn:
        raise LinkError("there can't be any")

    async def close(self) -> None:
        pass


async def test_no_room_comes_to_a_host_whose_rooms_would_wait_for_the_app_to_be_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # [ISOLATE9]
    kept = MemoryStore(lambda: int(elapsed()), elapsed=elapsed)

    async def shared(*_: object) -> Store:
        return kept

    monkeypatch.setattr(apart, "_shared_store", shared)
    nursery, told = Cold(), asyncio.Event()
    serving = asyncio.create_task(
        apart.serve_host(
            App(alone=Alone),
            Settings(listen=f"unix:{tmp_path}/host"),
            ready=lambda address: told.set(),
            watched=lambda url: None,
            nursery=nursery,
        )
    )
    await first_of(nursery.asked.wait(), told.wait())
    assert not told.is_set()
    assert await kept.hosts() == []
    nursery.imported.set()
    await told.wait()
    assert len(await kept.hosts()) == 1
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving
