"""Where sessions live while nobody needs them. What lies where:

what is asked of a store  port  ownership  merging
in memory                 memory
in a SQLite file          sqlite  writer  records  schema  lockfile
in another process        remote
in Redis or Valkey        redis/
as text                   export
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.store.port import Store


def file_of(url: str) -> Path | None:
    """The file that a store's URL names: `sqlite:///rooms.db` (relative to the current folder),
    `sqlite:////var/lib/rooms.db`. None for `memory:`, and for a store that other processes keep.

    Raises:
        UsageError: no store has such a URL.
    """
    if url == "memory:" or url.startswith("unix:/") or is_redis(url):
        return None
    path = url.removeprefix("sqlite:///")
    if path in (url, ""):
        raise UsageError(
            f"{url!r} names no store: take sqlite:///rooms.db, sqlite:////full/path, "
            "redis://localhost/0 or memory:"
        )
    return Path(path)


def is_redis(url: str) -> bool:
    """Whether a store's URL names Redis or Valkey (`rooms/store/redis/servers.py`)."""
    return url.partition("://")[0] in (
        "redis", "rediss", "redis+unix", "redis+sentinel", "rediss+sentinel", "redis+cluster",
        "rediss+cluster",
    )  # fmt: skip


async def open_store(
    url: str, *, now: Callable[[], int], elapsed: Callable[[], float], replicas: int = 0
) -> Store:
    """Open the store that a URL names.

    `now` is ms since 1970; `elapsed` is ms by a clock that is never stepped; a store of several
    machines has its own time. `replicas` is what the strictest of the commits to come wants.

    Raises:
        UsageError: no store has such a URL, or none with replicas.
        StoreError: it can't be opened (StoreLocked: another process has it).
    """
    if is_redis(url):
        from rooms.store.redis.store import RedisStore

        return await RedisStore.open(url, replicas=replicas)
    path = file_of(url)
    if replicas:
        raise UsageError(
            f"durability replicated({replicas}) needs a store with replicas: {url} has none, take "
            "redis://… or another durability"
        )
    if url.startswith("unix:/"):
        from rooms.store.remote import RemoteStore

        return await RemoteStore.open(url)
    if path is None:
        from rooms.store.memory import MemoryStore

        return MemoryStore(now, elapsed=elapsed)
    from rooms.store.sqlite import SqliteStore

    return await SqliteStore.open(path, now=now, elapsed=elapsed)
