"""Timers whose event failed: when each is tried again, and which are given up (SPEC, TIME5).

The timers themselves are the machine's, and stay in its snapshot; here is only what went wrong with
them. In: a timer, its error, the time. Out: when it is to fire, and what the next commit writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from runtime import Timer

ATTEMPTS: Final = 8
"""After how many attempts a timer is a dead letter."""
FIRST_WAIT: Final = 1_000
LONGEST_WAIT: Final = 300_000
MAX_ERROR: Final = 500
"""How much of an error's text is kept (characters)."""


def wait_after(attempts: int) -> int:
    """How long after so many failed attempts the next one comes (ms)."""
    return min(FIRST_WAIT << min(attempts - 1, 20), LONGEST_WAIT)


@dataclass(frozen=True, slots=True)
class FailedTimer:
    """One failed timer. `due` is when the machine set it for, `next` when it is tried again, `dead`
    since when nobody tries (ms).
    """

    timer: str
    target: str
    due: int
    next: int
    attempts: int
    error: str
    dead: int | None = None


class Retries:
    """The failed timers of one session. Changes go into `changed`, under keys with `prefix`."""

    __slots__ = ("_changed", "_failed", "_prefix")

    def __init__(
        self,
        stored: Mapping[str, bytes],
        changed: MutableMapping[str, bytes | None],
        *,
        prefix: str,
    ) -> None:
        self._changed = changed
        self._prefix = prefix
        self._failed: dict[str, FailedTimer] = {
            key: FailedTimer(**orjson.loads(blob)) for key, blob in stored.items()
        }

    def __len__(self) -> int:
        return len(self._failed)

    def when(self, timer: Timer) -> int | None:
        """When a timer is to fire (ms); None: it was given up."""
        failed = self._failed.get(self._key(timer))
        if failed is None:
            return timer.due
        return None if failed.dead is not None else failed.next

    def fail(self, timer: Timer, error: str, now: int) -> FailedTimer:
        """Its event failed: try it again later, or give it up."""
        key = self._key(timer)
        attempts = 1 + (self._failed[key].attempts if key in self._failed else 0)
        failed = FailedTimer(
            timer=timer.id,
            target=timer.target,
            due=timer.due,
            next=now + wait_after(attempts),
            attempts=attempts,
            error=error[:MAX_ERROR],
            dead=now if attempts >= ATTEMPTS else None,
        )
        self._put(key, failed)
        return failed

    def give_up(self, timer: Timer, error: str, now: int) -> None:
        """It isn't to be tried again."""
        failed = self.fail(timer, error, now)
        self._put(self._key(timer), replace(failed, dead=now))

    def keep(self, timers: Iterable[Timer]) -> None:
        """Forget timers that are no more: they fired, or were cancelled."""
        kept = {self._key(timer) for timer in timers}
        for key in self._failed.keys() - kept:
            del self._failed[key]
            self._changed[key] = None

    def retry(self, name: str | None, now: int) -> int:
        """Try those with this id again that were given up; all for None. Returns how many there
        are.
        """
        dead = [
            (key, one)
            for key, one in self._failed.items()
            if one.dead is not None and name in (None, one.timer)
        ]
        for key, one in dead:
            self._put(key, replace(one, next=now, attempts=0, dead=None))
        return len(dead)

    def shift(self, ms: int) -> None:
        """All timers are due so much later now."""
        failed, self._failed = self._failed, {}
        self._changed.update(dict.fromkeys(failed))
        for one in failed.values():
            moved = replace(one, due=one.due + ms, next=one.next + ms)
            self._put(self._name(moved.target, moved.timer, moved.due), moved)

    def _put(self, key: str, failed: FailedTimer) -> None:
        self._failed[key] = failed
        self._changed[key] = orjson.dumps(failed)

    def _key(self, timer: Timer) -> str:
        return self._name(timer.target, timer.id, timer.due)

    def _name(self, target: str, id: str, due: int) -> str:
        return f"{self._prefix}{due} {target} {id}"
