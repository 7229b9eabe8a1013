"""Guards of the stores on one machine, each switched off: the test of its rule sees it. Those of
the store in memory that worlds need are in `tests/sim/mutants/`, those of Redis beside its worlds.
"""

from __future__ import annotations

import fcntl
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from rooms.store import export, lockfile, records
from rooms.store.memory import MemoryStore
from rooms.store.ownership import Leases
from rooms.store.port import Record
from rooms.store.writer import Writer
from tests.contracts import Clock, StoreContract
from tests.guards import Guards
from tests.rooms.store import test_export as lines
from tests.rooms.store import test_lockfile as locks
from tests.rooms.store import test_sqlite as sqlite
from tests.rooms.store.test_lockfile import path  # noqa: F401 - a fixture
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Test = Callable[..., Awaitable[None]]

GUARDS = Guards()


def _arguments(test: Test, **fixtures: Any) -> dict[str, Any]:
    every = {"self": StoreContract(), **fixtures}
    return {name: every[name] for name in inspect.signature(test).parameters if name in every}


def in_memory(test: Test) -> Callable[[], Awaitable[None]]:
    """A test of the contract, on the store in memory."""

    async def play() -> None:
        clock = Clock()
        await test(**_arguments(test, store=MemoryStore(clock.now), clock=clock))

    return play


def in_a_file(test: Test, **given: Any) -> Callable[[Path], Awaitable[None]]:
    """A test of the contract, or of SQLite alone, on a new file."""

    async def play(tmp_path: Path) -> None:
        clock = Clock()
        async with sqlite.opened(tmp_path, clock) as store:
            await test(**_arguments(test, store=store, clock=clock, tmp_path=tmp_path), **given)

    return play


# -------------------------------------------------------------------------------- who may write


def _unwritten(swap: Any, what: str) -> None:
    assert records._UPDATE.count(what) == 1
    swap(records, "_UPDATE", records._UPDATE.replace(what, ""))


@GUARDS.seen_by(in_a_file(StoreContract.test_another_incarnation_cannot_use_the_owners_epoch))
def owner_not_compared(swap: Any) -> None:
    """In a file anybody's commit is written that has the owner's epoch."""
    _unwritten(swap, " AND sessions.owner = b.owner")


@GUARDS.seen_by(in_a_file(StoreContract.test_an_owner_is_fenced_by_its_own_next_ownership))
def epoch_not_compared(swap: Any) -> None:
    """In a file a commit of an owner's former life is written."""
    _unwritten(swap, "sessions.epoch = b.epoch AND ")


@GUARDS.seen_by(in_a_file(StoreContract.test_a_commit_to_another_generation_is_refused))
def generation_not_compared(swap: Any) -> None:
    """In a file a commit to a session that was deleted is written to the next one."""
    _unwritten(swap, " AND sessions.generation = b.generation")


@GUARDS.seen_by(in_a_file(StoreContract.test_a_commit_that_follows_another_revision_is_refused))
def revision_not_compared(swap: Any) -> None:
    """In a file a commit is written whatever it follows."""
    _unwritten(swap, "AND sessions.revision = b.prev")


@GUARDS.seen_by(
    in_memory(StoreContract.test_a_refused_commit_refuses_also_a_later_one_that_would_fit)
)
def later_ones_written(swap: Any) -> None:
    """Of a session's commits the later ones are written though an earlier one was refused."""
    edited(swap, MemoryStore, "commit_many", "refused.get(commit.id) or ", "")


@GUARDS.seen_by(in_memory(StoreContract.test_only_the_announced_may_acquire))
def taken_without_a_lease(swap: Any) -> None:
    """Who has no lease takes a session."""
    edited(swap, MemoryStore, "acquire", "if incarnation not in living:", "if False:")


@GUARDS.seen_by(in_a_file(StoreContract.test_a_held_session_says_by_whom_and_where))
def taken_from_the_living(swap: Any) -> None:
    """In a file a session is given to whoever asks."""
    edited(swap, records, "acquire", "if owner is not None and owner != incarnation:", "if False:")


@GUARDS.seen_by(in_a_file(StoreContract.test_only_its_owner_at_its_epoch_releases))
def released_by_anybody(swap: Any) -> None:
    """In a file a session is given back by whoever says so."""
    edited(swap, records, "release", "AND owner = ? AND epoch = ?", "AND ? != 1 AND ? != 'none'")


@GUARDS.seen_by(in_a_file(StoreContract.test_an_owner_deletes_only_what_is_still_theirs))
def deleted_by_a_former_owner(swap: Any) -> None:
    """In a file a session is deleted by who owned it once."""
    edited(swap, records, "delete", "or (owner is not None and owner != found[1:3])", "or False")


# -------------------------------------------------------------------------------- who lives


@GUARDS.seen_by(in_memory(StoreContract.test_an_expired_incarnation_is_dead_for_ever))
def expired_unburied(swap: Any) -> None:
    """An incarnation whose lease is over lives until somebody says that it is dead."""
    swap(Leases, "_bury", lambda self: None)


@GUARDS.seen_by(in_memory(StoreContract.test_a_retired_incarnation_is_dead_for_ever))
def retired_renews(swap: Any) -> None:
    """An incarnation whose death was certified lives again with its next heartbeat."""
    edited(swap, Leases, "end", "self._dead.add(incarnation)", "self")


@GUARDS.seen_by(sqlite.test_a_clock_step_kills_no_lease)
def leases_by_the_wall_clock(swap: Any) -> None:
    """A step of the machine's clock ends leases."""
    edited(swap, Leases, "__init__", "self._elapsed = elapsed", "self._elapsed = now")


# -------------------------------------------------------------------------------- names


@GUARDS.seen_by(in_memory(StoreContract.test_a_deletion_is_remembered_by_its_name_for_a_day))
def deletions_forgotten(swap: Any) -> None:
    """Nobody knows when a session of this name was deleted."""
    swap(MemoryStore, "_when_deleted", lambda self, id: None)


@GUARDS.seen_by(in_a_file(StoreContract.test_a_deletion_is_remembered_for_all_names_after_a_day))
def deletions_of_long_ago_forgotten(swap: Any) -> None:
    """In a file what was deleted a day ago was never there."""
    edited(
        swap,
        records,
        "_when_deleted",
        "SELECT value FROM meta WHERE key = 'forgotten'",
        "SELECT NULL",
    )


@GUARDS.seen_by(in_a_file(sqlite.test_a_forgotten_session_leaves_no_rows, how="deleted"))
def rows_left(swap: Any) -> None:
    """In a file a deleted session leaves what it has logged."""
    edited(
        swap,
        records,
        "_forget",
        'db.execute("DELETE FROM log WHERE generation = ?", (generation,))',
        "db",
    )


# -------------------------------------------------------------------------------- one file


@GUARDS.seen_by(in_a_file(sqlite.test_a_second_process_waits_5_s_for_the_lock_and_then_says_so))
def several_writers(swap: Any) -> None:
    """Two processes write one file."""
    swap(fcntl, "flock", lambda file, how: None)


@GUARDS.seen_by(in_a_file(sqlite.test_taking_a_session_is_synced_to_disk))
def taken_unsynced(swap: Any) -> None:
    """That a session was taken may be lost with the machine's power."""
    edited(swap, Writer, "_write", "'FULL' if durable else 'NORMAL'", "'NORMAL'")


# -------------------------------------------------------------------------------- who has it


def _announced(swap: Any) -> None:
    swap(locks, "announced", lockfile.announced)


@GUARDS.seen_by(locks.test_where_nobody_has_the_lock_nobody_is_reached)
def dead_ones_reached(swap: Any) -> None:
    """Who had the lock and is gone is asked."""
    edited(swap, lockfile, "announced", "return None  #", "return file.read(_LONGEST)  #")
    _announced(swap)


@GUARDS.seen_by(locks.test_where_nobody_has_the_lock_nobody_is_reached)
def former_ones_reached(swap: Any) -> None:
    """What the one before said is taken for what this one says."""
    edited(swap, lockfile.LockFile, "acquire", "os.ftruncate(file, 0)", "os.fstat(file)")


# -------------------------------------------------------------------------------- on its way


@GUARDS.seen_by(
    lines.test_what_was_exported_is_imported_to_the_bit.hypothesis.inner_test,  # type: ignore[attr-defined]
    record=Record(generation="g", version="1", revision=1, snapshot=b'{ "a":1.0}'),
)
def exported_for_people(swap: Any) -> None:
    """A state that is JSON is exported as such, whatever its bytes."""
    edited(swap, export, "_is_json", " and orjson.dumps(orjson.loads(blob)) == blob", "")


@GUARDS.seen_by(
    lines.test_anything_else_is_refused_with_what_is_wrong,
    change={"session": "a/b"},
    what="can't name a session",
)
def imported_under_any_name(swap: Any) -> None:
    """What can't name a session is imported under that name."""
    edited(swap, export, "imported", "if not (KIND_PATTERN", "if None and (KIND_PATTERN")
    swap(lines, "imported", export.imported)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
