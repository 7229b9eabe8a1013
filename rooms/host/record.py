"""What is stored of a room, as bytes, and how a stored session becomes a live one again.

In: the store's record and the kind's machine. Out: a system step, whose effects start again what
runs outside of turns; or `Closing` 4409, and then nothing was touched.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from rooms.errors import CloseCode, Closing, Unstorable
from runtime import RestoreError, RuntimeFault

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.store.port import Record
    from runtime import Step, System, SystemSnapshot

logger = logging.getLogger(__name__)


class Restored(NamedTuple):
    """A session brought to life. `rewrite`: the stored bytes are another version's. `begun`: it
    isn't what was stored: its timers were moved, or what was interrupted has failed.
    """

    step: Step
    rewrite: bool
    begun: bool = False


def dump(system: System, snapshot: SystemSnapshot) -> bytes:
    """A snapshot as stored.

    Raises Unstorable: something in it isn't JSON data.
    """
    try:
        return orjson.dumps(system.persist(snapshot))
    except (RuntimeFault, TypeError) as error:
        raise Unstorable(str(error)) from error


def restore(
    room: Room,
    system: System,
    record: Record,
    blob: bytes,
    now: int,
    *,
    asleep_since: int | None = None,
) -> Restored:
    """The system as it was stored, by this version of the machine or, migrated, by another.

    `asleep_since` (ms): its timers' clock has stood still since then.

    Raises:
        Closing: 4409, it doesn't fit this machine and nothing makes it fit; the reason says why.
    """
    persisted = orjson.loads(blob)
    version = room.version()

    def begin(persisted: dict[str, Any], *, rewrite: bool) -> Restored:
        invoked = room.restore_invoked
        step = system.restore(persisted, now=now, invoked=invoked, asleep_since=asleep_since)
        moved = asleep_since is not None and asleep_since != now and bool(step.snapshot.timers)
        return Restored(step, rewrite, moved or (invoked == "fail" and bool(step.taken)))

    try:
        if record.version == version:
            try:
                return begin(persisted, rewrite=False)
            except RestoreError as misfit:
                logger.info("%s/%s: %s; trying `migrate`", room.kind, room.id, misfit)
        migrated = room.migrate(persisted, record.version)
        for name in ("machine", "version"):  # who wrote it; it's this machine's now
            migrated.pop(name, None)
        return begin(migrated, rewrite=True)
    except Exception as error:  # `migrate` is the author's, and may raise what it likes
        logger.warning("%s/%s can't be restored: %r", room.kind, room.id, error)
        reason = f"this room can't be restored: {error}"
        raise Closing(CloseCode.UNRESTORABLE, reason) from error
