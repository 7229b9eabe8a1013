"""What is stored of a room, as bytes, and how a stored session becomes a live one again.

In: the store's record and the kind's machine. Out: a system step, whose effects start again what
runs outside of turns; or `Closing` 4409, and then nothing was touched.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import orjson

from rooms.errors import CloseCode, Closing, Unstorable
from runtime import RestoreError, RuntimeFault

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.store.port import Record
    from runtime import Step, System, SystemSnapshot

logger = logging.getLogger(__name__)


class Restored(NamedTuple):
    """A session brought to life. `rewrite`: the stored bytes are another version's."""

    step: Step
    rewrite: bool


def dump(system: System, snapshot: SystemSnapshot) -> bytes:
    """A snapshot as stored.

    Raises Unstorable: something in it isn't JSON data.
    """
    try:
        return orjson.dumps(system.persist(snapshot))
    except (RuntimeFault, TypeError) as error:
        raise Unstorable(str(error)) from error


def restore(room: Room, system: System, record: Record, blob: bytes, now: int) -> Restored:
    """The system as it was stored, by this version of the machine or, migrated, by another.

    Raises:
        Closing: 4409, it doesn't fit this machine and nothing makes it fit; the reason says why.
    """
    persisted = orjson.loads(blob)
    version = room.version()
    try:
        if record.version == version:
            try:
                return Restored(system.restore(persisted, now=now), rewrite=False)
            except RestoreError as misfit:
                logger.info("%s/%s: %s; trying `migrate`", room.kind, room.id, misfit)
        migrated = room.migrate(persisted, record.version)
        for name in ("machine", "version"):  # who wrote it; it's this machine's now
            migrated.pop(name, None)
        return Restored(system.restore(migrated, now=now), rewrite=True)
    except Exception as error:  # `migrate` is the author's, and may raise what it likes
        logger.warning("%s/%s can't be restored: %r", room.kind, room.id, error)
        reason = f"this room can't be restored: {error}"
        raise Closing(CloseCode.UNRESTORABLE, reason) from error
