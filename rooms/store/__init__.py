"""Where sessions live while nobody needs them: `port.py` says what is asked of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import Store


def file_of(url: str) -> Path | None:
    """The file that a store's URL names: `sqlite:///rooms.db` (relative to the current folder),
    `sqlite:////var/lib/rooms.db`. None for `memory:`, and for a store that another process keeps.

    Raises:
        UsageError: no store has such a URL.
    """
    if url == "memory:" or url.startswith("unix:/"):
        return None
    path = url.removeprefix("sqlite:///")
    if path in (url, ""):
        raise UsageError(
            f"{url!r} names no store: take sqlite:///rooms.db, sqlite:////full/path or memory:"
        )
    return Path(path)


async def open_store(url: str, *, now: Callable[[], int], elapsed: Callable[[], float]) -> Store:
    """Open the store that a URL names.

    `now` is ms since 1970; `elapsed` is ms by a clock that is never stepped.

    Raises:
        UsageError: no store has such a URL.
        StoreError: it can't be opened (StoreLocked: another process has it).
    """
    path = file_of(url)
    if url.startswith("unix:/"):
        from rooms.store.remote import RemoteStore

        return await RemoteStore.open(url)
    if path is None:
        from rooms.store.memory import MemoryStore

        return MemoryStore(now, elapsed=elapsed)
    from rooms.store.sqlite import SqliteStore

    return await SqliteStore.open(path, now=now, elapsed=elapsed)
