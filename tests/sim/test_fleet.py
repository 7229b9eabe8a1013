"""Worlds of fleets: whatever goes wrong between routers, hosts and their store, every promise is
kept; and each guard of theirs, switched off, comes to a harm that somebody sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.host.lease import Lease
from rooms.router.channels import Channel
from rooms.router.dialing import Dialing
from rooms.router.routing import Routing
from tests.histories import rules
from tests.rooms.link.test_guards import (
    credit_not_given_back,
    pieces_are_messages,
    silence_is_borne,
    small_ones_overtake,
)
from tests.sim.fleet import Fleet
from tests.sim.fleet_scripts import (
    answered_late,
    away_from_its_place,
    half_alone,
    pointed_at_the_end,
)
from tests.sim.mutants import applied
from tests.sim.mutants.ownership import living_owner_ignored

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.world import Script

SEEDS = 40
AT_ONCE = 10
WITHIN = 30


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_whatever_goes_wrong_in_a_fleet_every_promise_is_kept(first: int) -> None:
    # [LINK1] [LINK3] [LINK4] [LINK5] [LINK7] [PLACE4] [PLACE5] [ROUTE1] [ROUTE3] [ROUTE5]
    # [ROUTE7] [ROUTE8] [ROUTE10] [STORE10]
    for seed in range(first, first + AT_ONCE):
        told = "\n  ".join(map(str, Fleet(seed).play()[:10]))
        assert not told, f"python -m tests.sim --fleet --seed {seed}\n  {told}"


def former_numbers_heard(swap: Any) -> None:
    """A connection keeps its number, so that it hears what a former host still says of it."""
    unname, close = Routing._unname, Routing.close

    def keep_number(self: Any, channel: Any) -> None:
        number = channel.number
        unname(self, channel)
        if channel.number != number:
            self._channels[number] = channel

    def close_all(self: Any, channel: Any) -> None:
        close(self, channel)
        for number in [number for number, one in self._channels.items() if one is channel]:
            del self._channels[number]

    swap(Routing, "_unname", keep_number)
    swap(Routing, "close", close_all)


def moved_not_attached(swap: Any) -> None:
    """Nobody brings a session that has moved its connections."""
    swap(Routing, "_live", lambda self, host, name, epoch: None)
    swap(Routing, "lost", lambda self, host: self._hosts.remove(host))


def unanswered_stay(swap: Any) -> None:
    """What was unanswered isn't said again after a move."""
    swap(Channel, "unanswered", lambda self: [])


def shared_is_lost(swap: Any) -> None:
    """What somebody shares goes with the host that knew of it."""
    swap(Channel, "share_again", lambda self: None)


def given_back_is_lost(swap: Any) -> None:
    """What a host that leaves gives back is dropped."""
    swap(Routing, "_unheard", lambda self, host, number, message: None)


def owner_not_looked_for(swap: Any) -> None:
    """Where the owner of a session is, isn't listened to."""
    elsewhere = Routing._elsewhere
    swap(Routing, "_elsewhere", lambda self, host, number, _: elsewhere(self, host, number, None))


def lease_goes_on(swap: Any) -> None:
    """An incarnation goes on after its lease."""
    swap(Lease, "stands", lambda self: True)
    swap(Lease, "_expire", lambda self: None)


def dialled_once(swap: Any) -> None:
    """Hosts that come later, or come back, aren't dialled."""
    look = Dialing._look

    def look_once(self: Any, hosts: Any) -> None:
        if not self._hosts:
            look(self, hosts)

    swap(Dialing, "_look", look_once)


def pauses_for_ever(swap: Any) -> None:
    """A place that didn't work out isn't tried again."""
    swap(Routing, "_again", lambda self, session, number: None)


def early_said_again(swap: Any) -> None:
    """What was said before a connection was let in is said again to the next host."""
    swap(Channel, "forget_early", lambda self: None)


def waited_for_after_its_lease(swap: Any) -> None:
    """Who waits at a host that the store doesn't list any more goes on waiting there."""
    swap(Routing, "listed", lambda self, host, info: host.listed(info))


HARM: dict[Callable[[Any], None], tuple[dict[str, Any], Script | None, set[str]]] = {
    former_numbers_heard: ({}, answered_late, {"final view", "unanswered"}),
    moved_not_attached: ({}, None, {"final view", "unanswered", "unavailable"}),
    unanswered_stay: ({}, None, {"unanswered"}),
    shared_is_lost: (
        {"machines": {"kill": 4.0}, "kinds": ["table/a"], "people": {"share": 8.0}},
        None,
        {"presence"},
    ),
    given_back_is_lost: ({}, pointed_at_the_end, {"pointer"}),
    owner_not_looked_for: ({}, away_from_its_place, {"socket"}),
    living_owner_ignored: ({}, None, {"stolen"}),
    lease_goes_on: ({}, half_alone, {"stale", "went back"}),
    pauses_for_ever: ({"machines": {"kill": 8.0}}, None, {"unavailable", "unanswered"}),
    early_said_again: ({"kinds": ["table/a"], "people": {"share": 8.0}}, None, {"pointer"}),
    silence_is_borne: (
        {"machines": {"kill": 5.0, "cut link": 5.0}},
        None,
        {"unanswered", "final view"},
    ),
    small_ones_overtake: ({}, None, {"unanswered", "unavailable"}),
    credit_not_given_back: ({}, None, {"unanswered", "unavailable"}),
    pieces_are_messages: ({}, None, {"unanswered", "unavailable"}),
    waited_for_after_its_lease: (
        {"machines": {"time out": 3.0}, "lasting": 32.0},
        None,
        {"socket"},
    ),
    dialled_once: ({}, half_alone, {"final view", "unavailable", "unanswered"}),
}
"""For each guard the faults or the script of worlds in which it is needed, and what it keeps away:
one of these has to be seen.
"""


@pytest.mark.parametrize(
    "script", [answered_late, half_alone, pointed_at_the_end, away_from_its_place]
)
def test_whatever_somebody_arranges_in_a_fleet_every_promise_is_kept(script: Script) -> None:
    # [LINK7] [PLACE4] [ROUTE2] [ROUTE9]
    for seed in range(5):
        told = list(map(str, Fleet(seed, script=script).play()[:10]))
        assert not told, (seed, told)


def test_what_was_once_broken_in_a_fleet_is_kept() -> None:  # [OPEN5]
    """A lost connection was put before a room that its page's next one, at another router, woke."""
    assert not Fleet(22, {"machines": {"slow store": 5.0}}).play()


@pytest.mark.parametrize("make", HARM, ids=lambda make: str(make.__name__))
def test_a_mutant_of_a_fleet_is_caught(make: Callable[[Any], None]) -> None:
    weather, script, harm = HARM[make]
    seen: set[str] = set()
    for seed in range(WITHIN):
        with applied(make):
            seen |= set(rules(Fleet(seed, weather, script).play()))
        if harm & seen:
            return
    pytest.fail(f"{make.__name__} survived {WITHIN} worlds: {seen}")
