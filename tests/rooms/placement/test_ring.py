"""The ring: where sessions wake, how evenly, and what moves."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from rooms.placement.ring import place
from rooms.store.port import HostInfo

SESSIONS = [f"session-{n}" for n in range(4_000)]


def hosts(count: int) -> list[HostInfo]:
    return [
        HostInfo(f"i{n}", f"tcp:10.0.0.{n}:7000", {"quiz": "1"}, expires=0) for n in range(count)
    ]


def placed(among: list[HostInfo]) -> dict[str, str]:
    """Session → address."""
    found = {}
    for session in SESSIONS:
        host = place("quiz", session, among)
        assert host is not None
        found[session] = host.address
    return found


def test_every_router_says_the_same_in_whatever_order_it_knows_the_hosts() -> None:  # [PLACE1]
    ten = hosts(10)
    assert placed(ten) == placed(ten[::-1])
    restarted = [replace(host, incarnation="another") for host in ten]
    assert placed(ten) == placed(restarted)


def test_hosts_get_about_the_same_share() -> None:  # [PLACE1]
    counts = Counter(placed(hosts(10)).values())
    assert len(counts) == 10
    assert all(320 < count < 480 for count in counts.values()), counts  # 400, four sigma


def test_shares_are_in_proportion_to_weights() -> None:  # [PLACE1]
    one, two, none = hosts(3)
    counts = Counter(placed([one, replace(two, weight=3), replace(none, weight=0)]).values())
    assert none.address not in counts
    assert 2.6 < counts[two.address] / counts[one.address] < 3.5


def test_a_host_that_comes_or_goes_moves_only_what_it_has() -> None:  # [PLACE2]
    eleven = hosts(11)
    *ten, last = eleven
    before, after = placed(ten), placed(eleven)
    moved = {session for session in SESSIONS if before[session] != after[session]}
    assert all(after[session] == last.address for session in moved)
    assert len(moved) == Counter(after.values())[last.address]
    assert 0.06 < len(moved) / len(SESSIONS) < 0.12  # 1/11


def test_who_is_leaving_or_hasnt_the_kind_gets_nothing() -> None:  # [PLACE3]
    one, two = hosts(2)
    leaving = replace(two, leaving=True)
    assert set(placed([one, leaving]).values()) == {one.address}
    assert place("chat", "x", [one, two]) is None
    assert place("quiz", "x", [leaving]) is None
    assert place("quiz", "x", [replace(one, weight=0)]) is None  # it doesn't live
    assert place("quiz", "x", []) is None
