"""Settling: what a session does in its turns about the durable effects that it owes.

In: `Begin` and `Performed` of the courier. Out: the outbox as it is then, and what the machine
hears of it, in one turn and so in one commit. Next inward: `rooms/host/outbox.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

from rooms.host.turn import Begin, Performed
from runtime.statechart.events import matches_descriptor

if TYPE_CHECKING:
    from rooms.host.outbox import Entry, Outbox
    from rooms.host.turn import Turn
    from runtime import Event, SystemSnapshot

logger = logging.getLogger(__name__)

DONE: Final = "room.effect.done"
FAILED: Final = "room.effect.failed"


class Owing(Protocol):
    """What this needs of a session."""

    @property
    def outbox(self) -> Outbox: ...
    @property
    def snapshot(self) -> SystemSnapshot: ...

    def step(self, event: Event, turn: Turn, target: str | None = None) -> Exception | None:
        """One event of the room's own, for the machine or a child; what it raised."""


def handle(session: Owing, item: Begin | Performed, turn: Turn) -> None:
    """An effect is due again, or an attempt at one has ended."""
    if session.outbox.entries.get(item.entry.number) is not item.entry:
        return  # it was settled meanwhile
    match item:
        case Begin(entry):
            if not session.outbox.begin(entry):
                _fail(session, entry, "it was interrupted too often", turn)
        case Performed(entry, "done", output):
            error = _tell(session, entry, DONE, "output", output, turn)
            if error is None:
                session.outbox.settle(entry)
            else:
                why = f"what was done of it failed: {error!r}"
                _fail(session, entry, why, turn)
        case Performed(entry, "unreachable", why):
            session.outbox.postpone(entry, why, turn.now)
        case Performed(entry, "rejected", why):
            _reject(session, entry, why, turn)
        case Performed(entry, _, why):
            _fail(session, entry, why, turn)


def _fail(session: Owing, entry: Entry, why: str, turn: Turn) -> None:
    """It is tried again later; the machine hears when it isn't."""
    if session.outbox.fail(entry, why, turn.now):
        says = "%s: effect %r failed for good: %s (`rooms retry %s` tries it again)"
        logger.error(says, session, entry.name, why, session)
        _tell(session, entry, FAILED, "error", why, turn)


def _reject(session: Owing, entry: Entry, why: str, turn: Turn) -> None:
    """Another room said no: that is an answer, and trouble only where nobody hears it."""
    heard = _hears(session, entry, FAILED)
    if heard and _tell(session, entry, FAILED, "error", why, turn) is None:
        session.outbox.settle(entry)
    else:
        logger.error("%s: %s rejected its event: %s", session, entry.to, why)
        session.outbox.fail(entry, why, turn.now, final=True)


def _tell(
    session: Owing, entry: Entry, type: str, what: str, value: object, turn: Turn
) -> Exception | None:
    """Tell whoever declared an effect what became of it, if they name that event."""
    if not _hears(session, entry, type):
        return None
    event = {"type": type, "name": entry.name, "params": entry.params, "key": entry.key}
    return session.step({**event, what: value}, turn, entry.actor or None)


def _hears(session: Owing, entry: Entry, type: str) -> bool:
    machine = getattr(session.snapshot.actor(entry.actor), "machine", None)
    named = getattr(machine, "events", ())
    return any(word != "*" and matches_descriptor(type, word) for word in named)
