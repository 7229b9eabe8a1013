"""Seats: who joins, is away, comes back and leaves; over sleep and crash."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rooms.host.seats import MISSING_AFTER, SEAT_EVENTS, Seats
from rooms.sync.views import Viewer

ANN, BEN = Viewer("ann"), Viewer("ben", role="host")
GRACE = 15_000


def seats(heard: Any = SEAT_EVENTS, grace: int = GRACE) -> Seats:
    return Seats(grace, frozenset(heard))


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_the_first_connection_joins_with_id_and_role() -> None:  # [SEAT1]
    assert seats().connect(BEN) == [
        {"type": "room.joined", "viewer": {"id": "ben", "role": "host"}}
    ]


def test_two_connections_are_one_seat() -> None:  # [SEAT2]
    here = seats()
    here.connect(ANN)
    assert here.connect(ANN) == []
    assert here.disconnect("ann", 0) == []
    assert types(here.disconnect("ann", 0)) == ["room.away"]
    assert len(here) == 1


def test_back_within_the_grace_left_after_it() -> None:  # [SEAT2]
    here = seats()
    here.connect(ANN)
    here.disconnect("ann", 1_000)
    assert here.next_due == 1_000 + GRACE
    assert here.expire(999 + GRACE) == []
    assert types(here.connect(ANN)) == ["room.back"]
    assert here.next_due is None
    here.disconnect("ann", 2_000)
    assert types(here.expire(2_000 + GRACE)) == ["room.left"]
    assert len(here) == 0
    assert types(here.connect(ANN)) == ["room.joined"]


def test_only_what_the_machine_names_is_told() -> None:  # [SEAT1]
    here = seats(heard=["room.left"])
    assert here.connect(ANN) == []
    assert here.disconnect("ann", 0) == []
    assert types(here.expire(GRACE)) == ["room.left"]


def test_a_sleeping_room_wakes_for_a_leave_only_where_it_is_heard() -> None:  # [SEAT4]
    for heard, wakes in ((SEAT_EVENTS, GRACE), (["room.joined"], None)):
        here = seats(heard=heard)
        here.connect(ANN)
        here.disconnect("ann", 0)
        assert here.wakes_at == wakes
        assert here.next_due == GRACE, "in memory it ends in any case"


def test_after_a_sleep_seats_are_as_they_were() -> None:  # [SEAT3]
    here = seats()
    here.connect(ANN)
    here.connect(BEN)
    here.disconnect("ben", 1_000)
    blob = here.dump()
    again = seats()
    again.restore(blob, 9_000, slept=True)
    assert not again.settled
    assert again.connect(ANN) == [], "she was here all the time"
    assert again.settled
    assert types(again.expire(1_000 + GRACE)) == ["room.left"]
    assert "ben" not in again


def test_who_went_while_it_slept_is_away_then_left() -> None:  # [SEAT3]
    here = seats()
    here.connect(ANN)
    again = seats()
    again.restore(here.dump(), 50_000, slept=True)
    assert again.expire(50_000 + MISSING_AFTER - 1) == []
    assert types(again.expire(50_000 + MISSING_AFTER)) == ["room.away"]
    assert types(again.expire(50_000 + GRACE)) == ["room.left"]


def test_after_a_crash_every_grace_starts_again() -> None:  # [SEAT3]
    here = seats()
    here.connect(ANN)
    here.connect(BEN)
    here.disconnect("ben", 1_000)
    again = seats()
    again.restore(here.dump(), 50_000, slept=False)
    assert types(again.connect(BEN)) == ["room.back"]
    assert again.connect(ANN) == [], "the machine was never told that she was away"
    third = seats()
    third.restore(here.dump(), 50_000, slept=False)
    assert third.expire(49_999 + GRACE) != []
    assert sorted(types(third.expire(50_000 + GRACE))) == ["room.left", "room.left"]


def test_a_grace_shorter_than_the_wait_leaves_at_once() -> None:
    here = seats(grace=1_000)
    here.connect(ANN)
    again = seats(grace=1_000)
    again.restore(here.dump(), 0, slept=False)
    assert types(again.expire(1_000)) == ["room.left"]


def test_a_new_role_is_kept() -> None:
    here = seats()
    here.connect(ANN)
    here.dump()
    here.connect(Viewer("ann", role="host"))
    assert here.changed
    here.disconnect("ann", 0)
    assert here.disconnect("ann", 0)[0]["viewer"] == {"id": "ann", "role": "host"}


def test_coming_back_to_where_one_was_changes_nothing() -> None:
    here = seats()
    here.connect(ANN)
    again = seats()
    again.restore(here.dump(), 0, slept=True)
    again.connect(ANN)
    assert not again.changed


@given(st.lists(st.tuples(st.sampled_from(["+", "-", "t"]), st.sampled_from("ab")), max_size=40))
def test_each_seat_alternates_and_what_is_dumped_is_restored(steps: list[tuple[str, str]]) -> None:
    """joined (away back)* [away] left, whatever connections do."""
    here, open_, now = seats(), {"a": 0, "b": 0}, 0
    heard: dict[str, list[str]] = {"a": [], "b": []}
    for what, who in steps:
        now += 4_000
        events = here.expire(now)
        if what == "+":
            open_[who] += 1
            events += here.connect(Viewer(who))
        elif what == "-" and open_[who]:
            open_[who] -= 1
            events += here.disconnect(who, now)
        for event in events:
            heard[event["viewer"]["id"]].append(event["type"].removeprefix("room."))
    follows = {
        "": {"joined"},
        "joined": {"away"},
        "away": {"back", "left"},
        "back": {"away"},
        "left": {"joined"},
    }
    for words in heard.values():
        for before, after in pairwise(["", *words]):
            assert after in follows[before]
    for who, count in open_.items():
        last = (heard[who] or [""])[-1]
        assert (last in ("joined", "back")) == (count > 0)
    again = seats()
    again.restore(here.dump(), now, slept=True)
    assert again.dump() == here.dump()
