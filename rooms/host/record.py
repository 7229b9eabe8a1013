"""What is stored of a room, as bytes, and how a stored session becomes a live one again.

In: the store's record and the kind's machine. Out: a system step, whose effects start again what
runs outside of turns; or `Closing` 4409, and then nothing was touched. When a state is stored whole
and when as a patch is `rooms/host/journal.py`'s to say.
"""

from __future__ import annotations

import logging
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

import orjson

from rooms.errors import CloseCode, Closing, Unstorable, UsageError
from rooms.logs import named
from rooms.sync.diff import apply, diff
from runtime import RestoreError, RuntimeFault
from runtime.statechart.snapshot import SURELY_PLAIN, plain

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.store.port import Record
    from rooms.sync.messages import Json, Op
    from runtime import Step, System, SystemSnapshot

logger = logging.getLogger(__name__)

ANY_KEY: Final = frozenset[str]()
"""Keys that a state may not have: none. What a client must not set was refused at the door."""


class Restored(NamedTuple):
    """A session brought to life. `persisted` is what was stored, as this version's; `rewrite`: the
    stored bytes are another version's. `begun`: it isn't what was stored: its timers were moved, or
    what was interrupted has failed.
    """

    step: Step
    persisted: dict[str, Any]
    rewrite: bool
    begun: bool = False


# ------------------------------------------------------------------ to bytes


def dump(system: System, snapshot: SystemSnapshot) -> bytes:
    """A snapshot as stored.

    Raises Unstorable: something in it isn't JSON data.
    """
    return dump_shared(system.share(snapshot), None)


def dump_shared(shared: dict[str, Any], known: Json) -> bytes:
    """A snapshot as stored, from its shared form. `known` is another one that was dumped before:
    what they have in common isn't looked at again.

    Raises Unstorable: something in it isn't JSON data.
    """
    try:
        _check(shared, known)
        return orjson.dumps(shared, default=plain)
    except (RuntimeFault, TypeError) as error:
        raise Unstorable(f"{_place(shared)}: {error.__cause__ or error}") from error


def _check(value: Json, known: Json) -> None:
    """Raise RuntimeFault for what isn't JSON data, though it could be written as if it were."""
    if value.__class__ is dict:
        had = known if known.__class__ is dict else {}
        for key, inner in value.items():
            if inner.__class__ not in SURELY_PLAIN and inner is not (was := had.get(key)):
                _check(inner, was)
    elif value.__class__ is list:
        held = known[: len(value)] if known.__class__ is list else []
        for inner, was in zip_longest(value, held):
            if inner.__class__ not in SURELY_PLAIN and inner is not was:
                _check(inner, was)
    else:
        plain(value)


def _place(value: Json, path: str = "") -> str:
    """Where in data the first thing is that isn't JSON: a path of keys; empty if there is none."""
    if value.__class__ is dict or value.__class__ is list:
        for key, inner in value.items() if value.__class__ is dict else enumerate(value):
            here = f"{path}.{key}" if path else str(key)
            if value.__class__ is dict and not isinstance(key, str):
                return here
            if found := _place(inner, here):
                return found
        return ""
    try:
        orjson.dumps(plain(value))
    except (RuntimeFault, TypeError):
        return path
    return ""


def operations(old: Json, new: Json) -> list[Op]:
    """What leads from one shared form of a snapshot to another. Raises Unstorable."""
    try:
        return diff(old, new, ordered=True)
    except TypeError as error:
        raise Unstorable(str(error)) from error


def dump_operations(*head: object, ops: list[Op]) -> bytes:
    """Operations as stored, behind what is to be known of them.

    Raises Unstorable: something in them isn't JSON data.
    """
    try:
        return orjson.dumps([*head, plain(ops)])
    except (RuntimeFault, TypeError) as error:
        places = (_place(value, ".".join(map(str, path))) for path, *_, value in ops)
        raise Unstorable(f"{next(filter(None, places), '')}: {error}") from error


def dump_patch(snapshot: int, place: int, ops: list[Op]) -> bytes:
    """The `place`-th patch (from 0) of the stored snapshot with this `mark`. Raises Unstorable."""
    return dump_operations(snapshot, place, ops=ops)


def mark(snapshot: bytes) -> int:
    """By which its patches know a stored snapshot again."""
    return crc32(snapshot)


# ------------------------------------------------------------------ and back


def state(record: Record) -> dict[str, Any]:
    """The persisted state that a record holds, its patches applied.

    Raises:
        ValueError: it holds none, or the patches aren't all there, or are another snapshot's.
        PatchError: a patch doesn't fit.
    """
    whole: dict[str, Any] = orjson.loads(record.snapshot or b"")
    if not record.patches:
        return whole
    base = mark(record.snapshot or b"")
    ops: list[Op] = []
    revisions = sorted(map(int, record.patches))
    for place, revision in enumerate(revisions):
        snapshot, at, more = orjson.loads(record.patches[str(revision)])
        if (snapshot, at) != (base, place):
            raise ValueError(f"its patch of revision {revision} isn't one of its snapshot's")
        ops += more
    if revisions[-1] != record.revision:
        raise ValueError(f"its patches end at revision {revisions[-1]}, it at {record.revision}")
    patched: dict[str, Any] = apply(whole, ops, forbidden=ANY_KEY)
    return patched


def restore(
    room: Room,
    system: System,
    record: Record,
    now: int,
    *,
    asleep_since: int | None = None,
) -> Restored:
    """The system as it was stored, by this version of the machine or, migrated, by another.

    `asleep_since` (ms): its timers' clock has stood still since then.

    Raises:
        Closing: 4409, it doesn't fit this machine and nothing makes it fit; the reason says why.
    """
    version = room.version()

    def begin(persisted: dict[str, Any], *, rewrite: bool) -> Restored:
        invoked = room.restore_invoked
        step = system.restore(persisted, now=now, invoked=invoked, asleep_since=asleep_since)
        moved = asleep_since is not None and asleep_since != now and bool(step.snapshot.timers)
        changed = moved or (invoked == "fail" and bool(step.taken))
        return Restored(step, persisted, rewrite, changed)

    try:
        persisted = state(record)
        if record.version == version:
            try:
                return begin(persisted, rewrite=False)
            except RestoreError as misfit:
                logger.info("%s: %s; trying `migrate`", named(room), misfit)
        migrated = room.migrate(persisted, record.version)
        for name in ("machine", "version"):  # who wrote it; it's this machine's now
            migrated.pop(name, None)
        return begin(migrated, rewrite=True)
    except Exception as error:  # `migrate` is the author's, and may raise what it likes
        says = "%s can't be restored: %r (`migrate` may change it, `rooms delete %s` ends it)"
        logger.warning(says, named(room), error, named(room))
        reason = "this room can't be restored"
        if isinstance(error, RestoreError | UsageError):  # any other may quote what is stored
            reason = f"{reason}: {error}"
        raise Closing(CloseCode.UNRESTORABLE, reason) from error
