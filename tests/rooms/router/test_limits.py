"""Limits of the door: arithmetic, with the time as we like."""

from __future__ import annotations

import pytest

from rooms.router.limits import Addresses, Bucket, is_loopback


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


def test_an_address_has_so_many_connections() -> None:
    addresses = Addresses(2)
    assert addresses.enter("203.0.113.7")
    assert addresses.enter("203.0.113.7")
    assert not addresses.enter("203.0.113.7")
    assert addresses.enter("203.0.113.8")
    addresses.leave("203.0.113.7")
    assert addresses.enter("203.0.113.7")


def test_an_address_that_left_is_forgotten() -> None:
    addresses = Addresses(2)
    addresses.enter("203.0.113.7")
    addresses.leave("203.0.113.7")
    assert addresses._counts == {}


def test_loopback_is_exempt_and_no_limit_is_none() -> None:
    addresses = Addresses(1)
    assert all(addresses.enter("127.0.0.1") for _ in range(5))
    assert all(Addresses(None).enter("203.0.113.7") for _ in range(5))


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
