"""Effects, and letters to other rooms."""

from __future__ import annotations

from itertools import count
from typing import Any

from rooms.effects import Attempt
from rooms.host import courier, marks, room, waking
from rooms.host.ask import Delivery
from rooms.host.neighbours import PREFIX
from rooms.host.outbox import Outbox
from rooms.host.turn import Performed
from tests.sim.mutants.registry import mutant


@mutant
def outbox_not_restored(swap: Any) -> None:
    """A room that wakes knows nothing of what its session owes."""
    swap(waking, "Outbox", lambda stored, **options: Outbox({}, **options))


@mutant
def owed_in_a_later_commit(swap: Any) -> None:
    """What a transition declares isn't written with it, but with the next commit."""
    changes = Outbox.changes

    def changed_before(self: Any) -> Any:
        before, self.late = getattr(self, "late", {}), changes(self)
        return before

    swap(Outbox, "changes", changed_before)


@mutant
def effects_settled_as_they_begin(swap: Any) -> None:
    """An effect is taken out of the outbox before it has been performed."""
    attempt = courier.Courier._attempt

    async def settle_first(self: Any, entry: Any) -> None:
        self._report(Performed(entry, "done", None))
        await attempt(self, entry)

    swap(courier.Courier, "_attempt", settle_first)


@mutant
def letters_not_marked(swap: Any) -> None:
    """That a room has taken another one's letter isn't stored with what it did of it."""
    settle = marks.Marks.settle

    def settle_viewers(self: Any, key: str, seq: int, outcome: Any, *more: Any) -> None:
        before = self._changed.get(key)
        settle(self, key, seq, outcome, *more)
        if key.startswith(PREFIX) and before is None:
            del self._changed[key]

    swap(marks.Marks, "settle", settle_viewers)


@mutant
def effects_before_commit(swap: Any) -> None:
    """Durable effects are performed before the commit that they stand in."""
    proceed = room.LiveRoom._proceed

    def perform(self: Any) -> None:
        self._opening.owes()
        proceed(self)

    swap(room.LiveRoom, "_proceed", perform)


@mutant
def effect_keys_change(swap: Any) -> None:
    """Each attempt at an effect has a key of its own."""
    swap(
        courier,
        "Attempt",
        lambda key, number, epoch: Attempt(f"{key}.{epoch}.{number}", number, epoch),
    )


@mutant
def letters_not_numbered(swap: Any) -> None:
    """A room takes every letter of another one for a new one."""
    begin, letters = Delivery.__init__, count(1)

    def renumber(self: Any, letter: Any) -> None:
        begin(self, letter)
        self.key, self.seq = f"{letter.generation} {next(letters)}", 1

    swap(Delivery, "__init__", renumber)


@mutant
def effects_at_once(swap: Any) -> None:
    """Effects of one name don't wait for each other."""
    swap(courier, "heads", lambda entries: {str(n): e for n, e in entries.items() if not e.dead})
