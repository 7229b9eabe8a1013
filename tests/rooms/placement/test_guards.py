"""Guards of where sessions wake, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.placement import ring
from tests.guards import Guards
from tests.rooms.placement import test_ring as placed
from tests.sim.mutants import edited

GUARDS = Guards()


def _placed(swap: Any, old: str, new: str) -> None:
    edited(swap, ring, "place", old, new)
    swap(placed, "place", ring.place)


@GUARDS.seen_by(placed.test_every_router_says_the_same_in_whatever_order_it_knows_the_hosts)
def first_one_known(swap: Any) -> None:
    """A session wakes at the host that a router has known for longest."""
    _placed(swap, "_score(name, host)", "0")


@GUARDS.seen_by(placed.test_every_router_says_the_same_in_whatever_order_it_knows_the_hosts)
def another_place_after_a_restart(swap: Any) -> None:
    """A host that starts again has other sessions than before."""
    edited(swap, ring, "_score", "host.address.encode()", "host.incarnation.encode()")


@GUARDS.seen_by(placed.test_shares_are_in_proportion_to_weights)
def weights_ignored(swap: Any) -> None:
    """Every host has the same share."""
    edited(swap, ring, "_score", "-host.weight", "-1")


@GUARDS.seen_by(placed.test_a_host_that_comes_or_goes_moves_only_what_it_has)
def counted_off(swap: Any) -> None:
    """Sessions are dealt out by how many hosts there are."""

    def place(kind: str, session: str, hosts: Any) -> Any:
        able = sorted(hosts, key=lambda host: str(host.address))
        return able[int(session.removeprefix("session-")) % len(able)]

    swap(placed, "place", place)


@GUARDS.seen_by(placed.test_who_is_leaving_or_hasnt_the_kind_gets_nothing)
def who_leaves_is_given_more(swap: Any) -> None:
    """A session wakes at a host that is leaving."""
    _placed(swap, "not host.leaving and ", "")


@GUARDS.seen_by(placed.test_who_is_leaving_or_hasnt_the_kind_gets_nothing)
def who_doesnt_live_is_given_more(swap: Any) -> None:
    """A session wakes at a host that has no weight, as the dead have."""
    _placed(swap, "host.weight > 0 and ", "")


@GUARDS.seen_by(placed.test_who_is_leaving_or_hasnt_the_kind_gets_nothing)
def whatever_kinds_it_has(swap: Any) -> None:
    """A session wakes at a host that has no such kind."""
    _placed(swap, " and kind in host.versions", "")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
