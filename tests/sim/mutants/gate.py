"""What may not be told before it is stored."""

from __future__ import annotations

from typing import Any

from rooms.errors import UnknownOutcome
from rooms.host import room
from rooms.host.audience import Audience
from rooms.host.commits import Commits, Flight
from rooms.host.opening import Opening
from tests.sim.mutants.registry import mutant


@mutant
def gate_off(swap: Any) -> None:
    """What a turn did is told before it is stored."""

    def proceed(self: Any) -> None:
        turns, self._commits.pending = self._commits.pending, []
        if turns:
            self._open(Flight(turns, self.session.snapshot))
        if self._commits.unstored():
            self._keeper.gate.wait(self)

    swap(room.LiveRoom, "_proceed", proceed)


@mutant
def view_of_uncommitted(swap: Any) -> None:
    """Views are of the newest state, not of the one that was written."""
    opened = room.LiveRoom._open

    def open_newest(self: Any, flight: Any) -> None:
        opened(self, flight._replace(snapshot=self.session.snapshot))

    swap(room.LiveRoom, "_open", open_newest)


@mutant
def unknown_is_written(swap: Any) -> None:
    """A commit whose outcome nobody knows counts as written."""
    written = room.LiveRoom.written

    def believe(self: Any, error: Any) -> None:
        written(self, None if isinstance(error, UnknownOutcome) else error)

    swap(room.LiveRoom, "written", believe)


@mutant
def outcome_before_view(swap: Any) -> None:
    """Outcomes are told before the view that shows them."""
    opened = Opening.open

    def tell_first(self: Any, flight: Any, *, resting: bool) -> None:
        for turn in flight.turns:
            for told in turn.told:
                self._teller.tell(told, self._clock.now())
            turn.told = []
        opened(self, flight, resting=resting)

    swap(Opening, "open", tell_first)


@mutant
def emitted_before_view(swap: Any) -> None:
    """What the machine emits is told before the view that it belongs to."""
    opened, shown, opening = Opening.open, Audience.show, []

    def open_noted(self: Any, flight: Any, *, resting: bool) -> None:
        opening.append(self._outside)
        opened(self, flight, resting=resting)
        opening.pop()

    def emit_first(self: Any, snapshot: Any, now: int) -> None:
        for outside in opening:
            emitted, outside.emitted = outside.emitted, []
            for event in emitted:
                self.emit(event, now)
        shown(self, snapshot, now)

    swap(Opening, "open", open_noted)
    swap(Audience, "show", emit_first)


@mutant
def memory_level_sleeps_unstored(swap: Any) -> None:
    """A room of level `memory` isn't stored when it sleeps or its server drains either."""
    unstored = Commits.unstored

    def never(self: Any) -> bool:
        return self._room.durability != "memory" and unstored(self)

    swap(Commits, "unstored", never)
