"""Where sessions live while nobody needs them: `port.py` says what is asked of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import Store


async def open_store(
    url: str,
    *,
    now: Callable[[], int],
    elapsed: Callable[[], float],
    lock_wait: int | None = None,
) -> Store:
    """Open the store that a URL names: `sqlite:///rooms.db` (relative to the current folder),
    `sqlite:////var/lib/rooms.db`, or `memory:`.

    `now` is ms since 1970; `elapsed` is ms by a clock that isn't stepped; `lock_wait` (ms) is how
    long to wait for a file that is in use.

    Raises:
        UsageError: it isn't the URL of a store.
        StoreError: the store can't be opened; StoreLocked: another process has it.
    """
    if url == "memory:":
        from rooms.store.memory import MemoryStore

        return MemoryStore(now, elapsed=elapsed)
    path = url.removeprefix("sqlite:///")
    if path in (url, ""):
        raise UsageError(f"--store {url}: take sqlite:///rooms.db, sqlite:////full/path or memory:")
    from rooms.store.sqlite import LOCK_WAIT, SqliteStore

    wait = LOCK_WAIT if lock_wait is None else lock_wait
    return await SqliteStore.open(Path(path), now=now, elapsed=elapsed, lock_wait=wait)
