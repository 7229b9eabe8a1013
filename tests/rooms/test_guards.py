"""Guards of processes, of who starts and who operates them, each switched off: the test of its rule
sees it.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from rooms import access, alone, logs, meeting, metrics, operations, server
from rooms.children import Parent
from rooms.host.watched import OUT_OF_MEMORY
from rooms.nursery import Nursery, RoomProcess
from rooms.router import refusals
from rooms.settings import Settings
from rooms.store import lockfile
from tests.guards import Guards
from tests.rooms import test_alone as limits
from tests.rooms import test_children as children
from tests.rooms import test_inventory as stored
from tests.rooms import test_logs as logged
from tests.rooms import test_meeting as folders
from tests.rooms import test_metrics as measured
from tests.rooms import test_nursery as nurseries
from tests.rooms import test_operations as operated
from tests.rooms import test_server as timed
from tests.rooms.test_alone import process  # noqa: F401 - a fixture
from tests.sim.mutants import edited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

GUARDS = Guards()


# -------------------------------------------------------------------------------- what it may use


def _turns_limited(swap: Any, old: str, new: str) -> None:
    edited(swap, alone, "_limit_turns", old, new)
    swap(limits, "_limit_turns", alone._limit_turns)


@GUARDS.seen_by(limits.test_who_computes_for_too_long_at_a_stretch_is_ended, before=0.3)
def computes_for_ever(swap: Any) -> None:
    """A process may compute for as long as it likes."""
    _turns_limited(swap, "signal.setitimer(signal.ITIMER_VIRTUAL, ms / 800)", "ms")


@GUARDS.seen_by(limits.test_who_computes_for_too_long_at_a_stretch_is_ended, before=0.9)
def ended_by_what_it_computed_before(swap: Any) -> None:
    """What a process computed before its last turn counts."""
    _turns_limited(swap, "loop.call_soon_threadsafe(begin)", "loop")


@GUARDS.seen_by(limits.test_who_computes_for_ever_and_lets_others_have_their_turn_is_not)
def ended_for_all_that_it_computes(swap: Any) -> None:
    """A process may compute for so long in its whole life."""
    _turns_limited(swap, "signal.setitimer(signal.ITIMER_PROF, ms / 4000)", "ms")


@GUARDS.seen_by(limits.test_more_memory_than_it_may_take_is_not_to_be_had)
def takes_what_there_is(swap: Any) -> None:
    """A process may take all the memory that there is."""
    edited(swap, alone, "_limit_memory", "(taken + most, hard)", "(hard, hard)")
    swap(limits, "_limit_memory", alone._limit_memory)


@GUARDS.seen_by(limits.test_more_memory_than_it_may_take_is_not_to_be_had)
def begins_in_debt(swap: Any) -> None:
    """What a process began with counts against what it may take."""
    edited(swap, alone, "_limit_memory", "(taken + most, hard)", "(most, hard)")
    swap(limits, "_limit_memory", alone._limit_memory)


@GUARDS.seen_by(
    nurseries.test_one_that_may_compute_for_long_may_be_silent_for_longer, max_cpu=60_000
)
def silent_as_it_computes(swap: Any) -> None:
    """A process that computes for as long as it may is taken for dead."""
    edited(swap, Nursery, "start", "SILENT_FOR + max_cpu // 500", "SILENT_FOR")


# -------------------------------------------------------------------------------- how it ended


@GUARDS.seen_by(
    nurseries.test_how_it_ended_is_known_by_its_status, status=OUT_OF_MEMORY, cause="memory"
)
def whatever_it_died_of(swap: Any) -> None:
    """That a process found no more memory isn't known."""
    edited(swap, RoomProcess, "died", "status == OUT_OF_MEMORY", "False")


@GUARDS.seen_by(nurseries.test_nobody_is_killed_by_a_number_that_may_be_anothers)
def reaped_ones_killed(swap: Any) -> None:
    """A process is killed by a number that may be another one's by now."""
    edited(
        swap,
        RoomProcess,
        "kill",
        "not status.done() or (status.cancelled() and not self._over)",
        "True",
    )


@GUARDS.seen_by(nurseries.test_nobody_is_killed_by_a_number_that_may_be_anothers)
def unnursed_ones_live(swap: Any) -> None:
    """A process whose nursery is gone can't be ended."""
    edited(swap, RoomProcess, "kill", " or (status.cancelled() and not self._over)", "")


# -------------------------------------------------------------------------------- who started it


@GUARDS.seen_by(children.test_a_child_ends_with_its_parent)
def orphans_live_on(swap: Any) -> None:
    """A process goes on when the one that started it is gone."""
    edited(swap, Parent, "_watch", "os._exit(1)", "self")


@GUARDS.seen_by(folders.test_whose_owner_is_gone_is_cleared_away)
def folders_stay(swap: Any) -> None:
    """What a killed fleet left stays for ever."""
    swap(meeting, "_clear", lambda folder: None)


@GUARDS.seen_by(folders.test_what_lives_or_isnt_a_fleets_is_left_alone)
def folders_of_the_living_cleared(swap: Any) -> None:
    """A fleet takes away the sockets of others that live."""
    edited(swap, meeting, "_locked", "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)", "lock")


# -------------------------------------------------------------------------------- for operators


@GUARDS.seen_by(
    operated.test_an_address_may_be_a_port_alone, address="9100", parsed=("127.0.0.1", 9100)
)
def doors_for_everybody(swap: Any) -> None:
    """The operator's door is open to all machines where no address was named."""
    edited(swap, operations, "parse", '"127.0.0.1"', '"0.0.0.0"')


@GUARDS.seen_by(operated.test_it_says_metrics_health_and_why_it_is_not_ready)
def ready_whatever_it_is(swap: Any) -> None:
    """A process that drains says so with the status of one that is ready."""
    edited(swap, refusals, "readiness", "200 if state == READY else 503", "200")
    swap(operations, "readiness", refusals.readiness)


@GUARDS.seen_by(measured.test_the_pages_of_several_processes_are_one)
def numbers_of_anybody(swap: Any) -> None:
    """Which of several processes has counted something isn't said."""
    edited(swap, metrics, "of_fleet", '{**sample.labels, "process": process}', "sample.labels")


@GUARDS.seen_by(logged.test_a_line_of_one_of_several_processes_says_which)
def lines_of_anybody(swap: Any) -> None:
    """Which of several processes has written a line isn't said."""
    edited(swap, logs.JsonFormatter, "format", "**self._whose,", "")


@GUARDS.seen_by(logged.test_a_line_about_a_session_says_so_in_a_field)
def lines_about_anything(swap: Any) -> None:
    """A line says in words alone what it is about."""
    edited(swap, logs.JsonFormatter, "format", "if isinstance(argument, Loggable):", "if False:")


@GUARDS.seen_by(logged.test_what_others_sent_stays_in_its_line)
def lines_broken(swap: Any) -> None:
    """What others have sent writes lines of its own."""
    edited(swap, logs.TextFormatter, "formatMessage", "line.isprintable()", "True")


@GUARDS.seen_by(timed.test_a_step_of_the_wall_clock_moves_no_timer)
def time_steps(swap: Any) -> None:
    """A store's time is the wall's, whoever sets that."""
    edited(swap, server, "store_time", "int(begun + elapsed())", "int(_WALL.now())")


# -------------------------------------------------------------------------------- on a store's file


def with_a_store(test: Callable[..., Awaitable[None]]) -> Callable[[Path], Awaitable[None]]:
    """A test that needs a store's file, which somebody has open."""

    async def play(tmp_path: Path) -> None:
        url = await stored.made(tmp_path)
        async with access.operator(Settings(store=url)) as alone:
            every = {"url": url, "alone": alone, "tmp_path": tmp_path}
            names = inspect.signature(test).parameters
            await test(**{name: every[name] for name in names})

    play.__name__ = test.__name__
    return play


@GUARDS.seen_by(with_a_store(stored.test_a_file_in_use_is_asked_of_who_says_where))
def servers_unfound(swap: Any) -> None:
    """A server that has the store open isn't asked."""
    swap(lockfile, "announced", lambda path: None)


@GUARDS.seen_by(stored.test_looking_makes_no_store)
def made_by_looking(swap: Any) -> None:
    """A store that isn't there is made, whatever it was wanted for."""
    edited(swap, access, "operator", "if create else _existing(settings.store)", "")
    swap(stored, "operator", access.operator)


@GUARDS.seen_by(with_a_store(stored.test_an_import_makes_a_store))
def nowhere_to_import(swap: Any) -> None:
    """What was exported can only be imported where something is."""
    edited(swap, access, "operator", "_file(settings.store) if create else ", "")
    swap(stored, "operator", access.operator)


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
