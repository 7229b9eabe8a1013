"""One-time codes, with time and chance as we like."""

from __future__ import annotations

import random

from rooms.router.codes import ALPHABET, LENGTH, LIFETIME, Codes

NOW = 1_700_000_000_000


def test_a_code_is_good_once() -> None:
    codes = Codes(random.Random(1))
    code, expires = codes.make("ada", NOW)
    assert len(code) == LENGTH
    assert set(code) <= set(ALPHABET)
    assert expires == NOW + LIFETIME
    assert codes.take(code.lower(), NOW + 1) == "ada"
    assert codes.take(code, NOW + 1) is None


def test_a_code_expires() -> None:
    codes = Codes(random.Random(1))
    early, _ = codes.make("ada", NOW)
    late, _ = codes.make("bob", NOW + 1)
    assert codes.take(early, NOW + LIFETIME) is None
    assert codes.take(late, NOW + LIFETIME) == "bob"


def test_codes_in_memory_are_bounded() -> None:
    codes = Codes(random.Random(1))
    first, _ = codes.make("ada", NOW)
    for _ in range(10_000):
        codes.make("bob", NOW)
    assert len(codes._codes) == 10_000
    assert codes.take(first, NOW) is None


def test_an_address_has_a_few_tries_a_minute() -> None:
    codes = Codes(random.Random(1))
    address = "203.0.113.7"
    assert [codes.allowed(address, NOW) for _ in range(11)] == [True] * 10 + [False]
    assert codes.allowed("203.0.113.8", NOW)
    assert codes.allowed(address, NOW + 6_000)
    assert not codes.allowed(address, NOW + 6_000)
    assert all(codes.allowed("127.0.0.1", NOW) for _ in range(20))
