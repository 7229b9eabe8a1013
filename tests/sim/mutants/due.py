"""What happens at its time, once, and after a sleep too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.host import room
from rooms.host.alarms import Alarms
from rooms.host.session import Session
from rooms.store import memory
from tests.sim.mutants.registry import mutant

if TYPE_CHECKING:
    from rooms.store.port import Commit


@mutant
def timer_index_late(swap: Any) -> None:
    """The store's index says later than the truth."""
    write = memory.MemoryStore._write

    def write_late(self: Any, row: Any, commit: Commit) -> None:
        write(self, row, commit)
        if row.due is not None:
            row.due += 60_000

    swap(memory.MemoryStore, "_write", write_late)


@mutant
def timer_fires_twice(swap: Any) -> None:
    """A timer that has fired stays."""
    expire = Session.expire

    def twice(self: Any, turn: Any, *, entering: bool) -> None:
        timer = self._due_timer(turn.now)
        if timer is not None:
            fired = self._system.fire(self.snapshot, timer, now=turn.now)
            self._advance(fired, timer.event, turn)
            again = self.snapshot.timers
            if timer not in again:
                step = self._system.step(self.snapshot, timer.event, now=turn.now)
                self._advance(step, timer.event, turn)
        expire(self, turn, entering=entering)

    swap(Session, "expire", twice)


@mutant
def nobody_wakes_for_timers(swap: Any) -> None:
    """Sleeping sessions aren't woken when they are due."""
    swap(Alarms, "look", lambda self: None)
    swap(Alarms, "note", lambda self, id, due: None)


@mutant
def coroutines_not_started_again(swap: Any) -> None:
    """A room that wakes doesn't start what ran when it was lost."""
    begin = room.LiveRoom.begin
    swap(room.LiveRoom, "begin", lambda self, effects: begin(self, ()))
