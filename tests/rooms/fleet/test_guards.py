"""Guards of the supervisor, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms import fleet
from rooms.fleet import Fleet
from tests.guards import Guards
from tests.rooms.fleet import test_fleet as supervision
from tests.sim.mutants import edited

GUARDS = Guards()


@GUARDS.seen_by(supervision.test_hosts_are_there_before_routers_and_both_before_anybody_is_told)
def told_before_they_are_ready(swap: Any) -> None:
    """One that is ready counts for all."""
    edited(swap, Fleet, "_all_ready", "for member in members))", "for member in members[:1]))")


@GUARDS.seen_by(supervision.test_what_cant_be_started_at_first_ends_all_of_them)
def tried_for_ever_at_first(swap: Any) -> None:
    """An App that can't be started is started again and again."""
    edited(
        swap, Fleet, "_watch", "if not member.ready.is_set() and not member.failures:", "if False:"
    )


@GUARDS.seen_by(supervision.test_what_cant_be_started_at_first_ends_all_of_them)
def failure_without_status(swap: Any) -> None:
    """An App that can't be started ends as if it had served."""
    edited(swap, Fleet, "_all_ready", "self._status = next", "next")


@GUARDS.seen_by(supervision.test_what_ends_unasked_is_started_again_with_growing_pauses)
def not_started_again(swap: Any) -> None:
    """What ends is gone."""
    edited(swap, Fleet, "_watch", "member.stopped or ", "True or ")


@GUARDS.seen_by(supervision.test_what_ends_unasked_is_started_again_with_growing_pauses)
def no_pauses_between(swap: Any) -> None:
    """What ends again and again is started as often as the machine can."""
    edited(swap, Fleet, "_watch", "if failures > 1:", "if False:")


@GUARDS.seen_by(supervision.test_what_ends_unasked_is_started_again_with_growing_pauses)
def pauses_without_bound(swap: Any) -> None:
    """The pauses before what ends again and again grow for ever."""
    swap(fleet, "LONGEST_PAUSE", 1e9)


@GUARDS.seen_by(supervision.test_what_ends_unasked_is_started_again_with_growing_pauses)
def every_failure_counts_for_ever(swap: Any) -> None:
    """What ran well for long is paused for as if it had just failed."""
    edited(swap, Fleet, "_watch", "elapsed() - begun > WELL_AFTER * 1000", "False")


@GUARDS.seen_by(supervision.test_one_that_cant_be_started_later_is_tried_again)
def given_up_later(swap: Any) -> None:
    """What can't be started at once in the place of another one isn't tried again."""
    edited(swap, Fleet, "_watch", "another.failures = max(failures, 1)", "another.failures = 0")


@GUARDS.seen_by(supervision.test_a_host_that_ended_is_dead_for_the_store_at_once)
def deaths_not_certified(swap: Any) -> None:
    """The store hears of no host's end."""
    edited(swap, Fleet, "_watch", "await self._certify(member)", "member")


@GUARDS.seen_by(supervision.test_a_host_that_ended_is_dead_for_the_store_at_once)
def everybody_certified_dead(swap: Any) -> None:
    """When a host ends, the store is told that all of them are dead."""
    edited(swap, Fleet, "_certify", "info.address == host.settings.listen", "True")


@GUARDS.seen_by(supervision.test_it_is_ready_while_a_host_and_a_router_are)
def ready_without_a_host(swap: Any) -> None:
    """A fleet is ready while any of its processes is."""
    edited(swap, Fleet, "_state", "some = all(", "some = any(")


@GUARDS.seen_by(supervision.test_it_is_ready_while_a_host_and_a_router_are)
def ready_when_all_are(swap: Any) -> None:
    """A fleet isn't ready while one of its hosts is started again."""
    edited(swap, Fleet, "_state", "any(one.up for one in team)", "all(one.up for one in team)")


@GUARDS.seen_by(supervision.test_it_is_ready_while_a_host_and_a_router_are)
def ready_as_it_ends(swap: Any) -> None:
    """A fleet that was told to end is ready until it has."""
    edited(swap, Fleet, "_state", "if self._stopping.is_set():", "if False:")


@GUARDS.seen_by(supervision.test_each_host_is_replaced_by_one_that_the_routers_know)
def replaced_before_it_is_known(swap: Any) -> None:
    """A host gives its rooms over before routers know its successor."""
    edited(swap, Fleet, "_roll", "await router.knows(new.settings.listen, LINKED_WITHIN)", "router")


@GUARDS.seen_by(supervision.test_each_host_is_replaced_by_one_that_the_routers_know)
def replaced_before_it_is_ready(swap: Any) -> None:
    """A host gives its rooms over before its successor is ready."""
    waits = "await first_of(new.ready.wait(), new.ended.wait(), within=READY_WITHIN)\n        "
    edited(swap, Fleet, "_roll", f"{waits}if not new.ready.is_set() or ", "if ")


@GUARDS.seen_by(supervision.test_where_none_can_be_started_the_old_ones_stay)
def replaced_by_nobody(swap: Any) -> None:
    """A host gives its rooms over though its successor has ended."""
    edited(swap, Fleet, "_roll", "if not new.ready.is_set() or new.ended.is_set():", "if False:")


@GUARDS.seen_by(supervision.test_a_host_that_ended_meanwhile_is_replaced_once)
def replaced_twice(swap: Any) -> None:
    """A host that ends while it is being replaced has two successors."""
    edited(swap, Fleet, "_roll", "if old not in self._hosts:", "if self._hosts.append(old):")


@GUARDS.seen_by(supervision.test_routers_end_first_then_hosts_and_the_status_is_0)
def all_end_at_once(swap: Any) -> None:
    """Hosts are told to end while routers still have to tell their connections."""
    edited(swap, Fleet, "_stop", "(self._routers, [*self._hosts, *arriving])",
           "([*self._routers, *self._hosts, *arriving],)")  # fmt: skip


@GUARDS.seen_by(supervision.test_routers_end_first_then_hosts_and_the_status_is_0)
def started_again_at_the_end(swap: Any) -> None:
    """What was asked to end is to be started again."""
    edited(swap, Fleet, "_watch", "member.stopped or self._stopping.is_set() or ", "")


@GUARDS.seen_by(supervision.test_a_second_signal_waits_for_nobody)
def no_way_to_hurry(swap: Any) -> None:
    """Whoever signals again waits as long."""
    edited(swap, Fleet, "_on_stop", "if self._stopping.is_set():", "if False:")


@GUARDS.seen_by(supervision.test_one_that_is_about_to_take_over_ends_with_the_others)
def newcomers_outlive_it(swap: Any) -> None:
    """A host that is about to take over stays when all others end."""
    edited(swap, Fleet, "_stop", "[] if self._arriving is None else [self._arriving]", "[]")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
