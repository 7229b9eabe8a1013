"""What there is to be seen of a room without a machine: its storage, in the shape of a snapshot.

In: what is kept, and which keys of it changed. Out: the next snapshot, which shares with the one
before whatever didn't change, as diffs and views expect it. `session.py` calls it after each hook
that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from runtime import Timer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rooms.hooks.storage import Kept
    from rooms.sync.messages import Json

ALARM: Final = "on_alarm"
"""What the alarm is called among timers."""


class Shown:
    """The state of a room without a machine, as views see it: its storage is the context."""

    value: Json = None
    status = "active"
    tags: frozenset[str] = frozenset()
    output: Json = None
    error: Json = None
    children: Mapping[str, Any] = {}

    def __init__(self, context: dict[str, Json]) -> None:
        self.context = context

    def matches(self, value: Any, /) -> bool:
        """There are no states to match."""
        return False

    def has_tag(self, tag: str, /) -> bool:
        """Nor tags."""
        return False

    def can(self, event: Any, /) -> bool:
        """Whatever is sent may do something."""
        return True


class HookSnapshot(NamedTuple):
    """What `SystemSnapshot` is to a machine: what can be seen, and its one timer, the alarm."""

    root: Shown
    timers: tuple[Timer, ...]
    next_due: int | None


_NOTHING: Final = Shown({})


def first(kept: Kept, shows: bool) -> HookSnapshot:
    """The state of a room that wakes; without its storage, unless it is to be seen."""
    if not shows:
        return _snapshot(_NOTHING, kept.alarm)
    return _snapshot(Shown({k: orjson.loads(v) for k, v in kept.entries.items()}), kept.alarm)


def following(
    snapshot: HookSnapshot, kept: Kept, changed: Iterable[str], shows: bool
) -> HookSnapshot:
    """The next state: what didn't change is shared with the one before."""
    if not shows:
        return snapshot if kept.alarm == snapshot.next_due else _snapshot(_NOTHING, kept.alarm)
    context = dict(snapshot.root.context)
    for key in changed:
        if key in kept.entries:
            context[key] = orjson.loads(kept.entries[key])
        else:
            context.pop(key, None)
    return _snapshot(Shown(context), kept.alarm)


def _snapshot(root: Shown, alarm: int | None) -> HookSnapshot:
    if alarm is None:
        return HookSnapshot(root, (), None)
    return HookSnapshot(root, (Timer(alarm, "", "", {"type": ALARM}, ALARM, alarm),), alarm)


class _System:
    """What `System` is to a machine, as far as a room is stored by it."""

    def persist(self, snapshot: Any) -> dict[str, Json]:
        """All that there is to keep is in the storage."""
        return {"status": "active"}

    share = persist


SYSTEM: Final[Any] = _System()
