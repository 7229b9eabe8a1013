"""Limits of the door: arithmetic, with the time as we like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rooms.errors import Closing
from rooms.router.limits import MOST_KNOWN, Bucket, Buckets, Limits, Visits, is_loopback, network_of

if TYPE_CHECKING:
    from collections.abc import Callable

HERE, THERE = "203.0.113.7", "203.0.113.8"


def refused(ask: Callable[[], object]) -> bool:
    """Whether it is, and told when to come back."""
    try:
        ask()
    except Closing as closing:
        return (closing.code, closing.retry_after) == (4429, 1000)
    return False


def test_a_burst_is_allowed_then_the_rate() -> None:  # [DOOR8]
    bucket = Bucket(rate=200, burst=400, now=50.0)
    assert all(bucket.take(50.0) for _ in range(400))
    assert not bucket.take(50.0)
    assert bucket.take(50.005)
    assert not bucket.take(50.005)


def test_waiting_never_gives_more_than_the_burst() -> None:  # [DOOR8]
    bucket = Bucket(rate=200, burst=3, now=0.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(rate=1, burst=1, now=0.0)
    assert bucket.take(0.0)
    assert not any(bucket.take(0.9) for _ in range(10))
    assert bucket.take(1.0)


def test_an_address_has_so_many_connections() -> None:  # [DOOR11]
    visits = Visits(Limits(connections=2))
    for _ in range(2):
        visits.enter(HERE)
    assert refused(lambda: visits.enter(HERE))
    visits.enter(THERE)
    visits.leave(HERE)
    visits.enter(HERE)


def test_an_address_that_left_is_forgotten() -> None:
    visits = Visits(Limits())
    visits.enter(HERE)
    visits.leave(HERE)
    assert visits._connections == {}


def test_loopback_is_exempt_and_no_limit_is_none() -> None:  # [DOOR11] [DOOR13]
    visits, free = Visits(Limits(connections=1, visits=1, visits_burst=1)), Visits(Limits.off())
    for _ in range(5):
        visits.enter("127.0.0.1")
        visits.request("::1", 0.0)
        free.enter(HERE)
        free.request(HERE, 0.0)
        free.ask("ann", 0.0)


def test_a_viewer_asks_and_an_address_comes_only_so_often() -> None:  # [DOOR13]
    visits = Visits(Limits())
    assert not any(refused(lambda: visits.ask("ann", 9.0)) for _ in range(400))
    assert refused(lambda: visits.ask("ann", 9.0))
    assert not refused(lambda: visits.ask("bob", 9.0))
    assert not refused(lambda: visits.ask("ann", 9.005))
    assert not any(refused(lambda: visits.request(HERE, 9.0)) for _ in range(2000))
    assert refused(lambda: visits.request(HERE, 9.0))
    assert not refused(lambda: visits.request(THERE, 9.0))
    assert not refused(lambda: visits.request(HERE, 9.002))


def test_only_so_many_are_known_and_who_comes_often_is_one_of_them() -> None:  # [DOOR13]
    buckets = Buckets(rate=1, burst=1)
    assert buckets.take("often", 0.0)
    for number in range(2 * MOST_KNOWN):
        assert buckets.take(f"once-{number}", 0.0)
        assert not buckets.take("often", 0.0)
    assert len(buckets._buckets) == MOST_KNOWN


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::7", "2001:0db8:0001:0002:"),
        ("2001:db8:1:2:ffff::8", "2001:0db8:0001:0002:"),
        ("2001:db8:1:3::7", "2001:0db8:0001:0003:"),
        ("fe80::1%eth0", "fe80:0000:0000:0000:"),
        ("", ""),
        ("a:b", "a:b"),
    ],
)
def test_a_network_of_many_addresses_is_one(address: str, network: str) -> None:  # [DOOR11]
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        ("203.0.113.7", False),
        ("::ffff:203.0.113.7", False),
        ("2001:db8::1", False),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
