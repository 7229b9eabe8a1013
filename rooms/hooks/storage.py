"""What a room without a machine keeps: entries by key, one alarm; changed by whole hooks (PURE).

`Kept` is the room's newest state, durable or not. Each call of a hook is given a `Storage` over it:
what the hook writes is seen by itself alone, until `Kept.take` makes all of it the room's at once,
or nobody ever does. Values are JSON data; they are copied in and out. `rooms/host/hooks/session.py`
calls hooks; `rooms/host/commits.py` commits `Kept.changes()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.sync.messages import Json

MAX_KEY: Final = 2048
"""Bytes of a key."""
MAX_VALUE: Final = 128 * 1024
"""Bytes of a value, as JSON."""

_ALARM: Final = ""  # the alarm's place among the entries: no key is empty
_OVER: Final = "storage is there while the hook that it was given to runs"


class Kept:
    """All that one room keeps. `stored` is what its store has of it."""

    def __init__(self, stored: Mapping[str, bytes]) -> None:
        self.entries = dict(stored)
        alarm = self.entries.pop(_ALARM, None)
        self.alarm = None if alarm is None else int(alarm)
        """When `on_alarm` is called (ms)."""
        self.size = sum(len(key) + len(value) for key, value in self.entries.items())
        """About how many bytes the entries have."""
        self._changed: dict[str, bytes | None] = {}

    def size_with(self, storage: Storage) -> int:
        """About how many bytes there were with what a hook has written."""
        size = self.size
        for key, value in storage.written.items():
            before = self.entries.get(key)
            size += 0 if value is None else len(key) + len(value)
            size -= 0 if before is None else len(key) + len(before)
        return size

    def take(self, storage: Storage) -> dict[str, bytes | None]:
        """Everything that a hook has written becomes the room's; what that changed, by key."""
        self.size = self.size_with(storage)
        changed = {
            key: value for key, value in storage.written.items() if self.entries.get(key) != value
        }
        for key, value in changed.items():
            if value is None:
                del self.entries[key]
            else:
                self.entries[key] = value
        if storage.alarm != self.alarm:
            self.alarm = storage.alarm
            changed[_ALARM] = None if self.alarm is None else str(self.alarm).encode()
        self._changed |= changed
        return changed

    def changes(self) -> dict[str, bytes | None]:
        """What changed since the last call, as a commit takes it."""
        changed, self._changed = self._changed, {}
        return changed


class Storage:
    """A room's storage, as one call of a hook sees it: what it writes is stored with all else that
    the hook did, or none of it is.

    Everything is in memory: nothing here is awaited. Keys are text of at most 2,048 bytes; values
    are JSON data of at most 128 KiB, and are copied: what `get` gave is the caller's own.
    """

    def __init__(self, kept: Kept, alarm: int | None) -> None:
        self._kept = kept
        self.written: dict[str, bytes | None] = {}
        self.alarm = alarm
        self.over = False

    def get(self, key: str, default: Json = None) -> Json:
        """The value of a key, or `default`."""
        self._check()
        value = self.written[key] if key in self.written else self._kept.entries.get(key)
        return default if value is None else orjson.loads(value)

    def put(self, key: str, value: Json) -> None:
        """Keep a value under a key.

        Raises:
            UsageError: a key that can't be one, a value that isn't JSON, or is too big.
        """
        self._check()
        if not isinstance(key, str) or not 0 < len(key.encode()) <= MAX_KEY:
            raise UsageError(f"a key is text of 1 to {MAX_KEY} bytes, not {str(key)[:80]!r}")
        try:
            data = orjson.dumps(value)
        except TypeError as error:
            raise UsageError(f"the value of {key[:80]!r} isn't JSON data: {error}") from error
        if len(data) > MAX_VALUE:
            raise UsageError(
                f"the value of {key[:80]!r} has {len(data)} bytes; {MAX_VALUE} is the most"
            )
        self.written[key] = data

    def delete(self, key: str) -> bool:
        """Forget a key. False: it wasn't there."""
        self._check()
        before = self.written[key] if key in self.written else self._kept.entries.get(key)
        self.written[key] = None
        return before is not None

    def list(
        self, prefix: str = "", *, limit: int | None = None, reverse: bool = False
    ) -> dict[str, Any]:
        """Keys that begin with `prefix` and their values, in order of the keys; with `limit` the
        first so many, from the other end with `reverse`.
        """
        self._check()
        entries = {**self._kept.entries, **self.written} if self.written else self._kept.entries
        keys = sorted(
            (key for key, value in entries.items() if value is not None and key.startswith(prefix)),
            reverse=reverse,
        )
        return {key: orjson.loads(entries[key] or b"null") for key in keys[:limit]}

    def set_alarm(self, due: int) -> None:
        """Have `on_alarm` called at `due` (ms of the store, as `room.now` is), also out of sleep.
        There is one alarm a room: this one replaces it.
        """
        self._check()
        if isinstance(due, bool) or not isinstance(due, int):
            raise UsageError(f"an alarm is set to a time in whole ms, not {due!r}")
        self.alarm = due

    def get_alarm(self) -> int | None:
        """When `on_alarm` will be called (ms), or None. While it runs there is none."""
        self._check()
        return self.alarm

    def delete_alarm(self) -> None:
        """Have no alarm."""
        self._check()
        self.alarm = None

    def _check(self) -> None:
        if self.over:
            raise UsageError(_OVER)
