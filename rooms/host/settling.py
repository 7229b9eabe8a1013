"""Settling: what a session does in its turns about the durable effects that it owes.

In: `Begin` and `Performed` of the courier. Out: the outbox as it is then, and what the machine
hears of it, in one turn and so in one commit. Next inward: `rooms/host/outbox.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rooms.host.turn import Begin, Performed
from runtime.statechart.events import matches_descriptor

if TYPE_CHECKING:
    from rooms.host.outbox import Entry, Outbox
    from rooms.host.turn import Turn
    from rooms.logs import Logged
    from runtime import Event

logger = logging.getLogger(__name__)

DONE: Final = "room.effect.done"
FAILED: Final = "room.effect.failed"

Step = Callable[["Event", "Turn", "str | None"], "Exception | None"]
"""One event for the system, to an address; what it raised."""


class Settling:
    """For one session, as whom logs know it. `actor` gives the snapshot of who is at an address
    now, or None.
    """

    __slots__ = ("_actor", "_outbox", "_session", "_step")

    def __init__(
        self, session: Logged, outbox: Outbox, *, step: Step, actor: Callable[[str], Any]
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._step = step
        self._actor = actor

    def handle(self, item: Begin | Performed, turn: Turn) -> None:
        """An effect is due again, or an attempt at one has ended."""
        if self._outbox.entries.get(item.entry.number) is not item.entry:
            return  # it was settled meanwhile
        match item:
            case Begin(entry):
                if not self._outbox.begin(entry):
                    self._fail(entry, "it was interrupted too often", turn)
            case Performed(entry, "done", output):
                error = self._tell(entry, DONE, "output", output, turn)
                if error is None:
                    self._outbox.settle(entry)
                else:
                    why = f"what was done of it failed: {error!r}"
                    self._fail(entry, why, turn)
            case Performed(entry, "unreachable", why):
                self._outbox.postpone(entry, why, turn.now)
            case Performed(entry, "rejected", why):
                self._reject(entry, why, turn)
            case Performed(entry, _, why):
                self._fail(entry, why, turn)

    def _fail(self, entry: Entry, why: str, turn: Turn) -> None:
        """It is tried again later; the machine hears when it isn't."""
        if self._outbox.fail(entry, why, turn.now):
            logger.error("%s: effect %r failed for good: %s", self._session, entry.name, why)
            self._tell(entry, FAILED, "error", why, turn)

    def _reject(self, entry: Entry, why: str, turn: Turn) -> None:
        """Another room said no: that is an answer, and trouble only where nobody hears it."""
        heard = self._hears(entry, FAILED)
        if heard and self._tell(entry, FAILED, "error", why, turn) is None:
            self._outbox.settle(entry)
        else:
            logger.error("%s: %s rejected its event: %s", self._session, entry.to, why)
            self._outbox.fail(entry, why, turn.now, final=True)

    def _tell(
        self, entry: Entry, type: str, what: str, value: object, turn: Turn
    ) -> Exception | None:
        """Tell whoever declared an effect what became of it, if they name that event."""
        if not self._hears(entry, type):
            return None
        event = {"type": type, "name": entry.name, "params": entry.params, "key": entry.key}
        return self._step({**event, what: value}, turn, entry.actor or None)

    def _hears(self, entry: Entry, type: str) -> bool:
        machine = getattr(self._actor(entry.actor), "machine", None)
        named = getattr(machine, "events", ())
        return any(word != "*" and matches_descriptor(type, word) for word in named)
