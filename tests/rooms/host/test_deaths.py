"""What is remembered of processes that died."""

from __future__ import annotations

from rooms.host.deaths import LONGEST_PAUSE, MOST, Deaths, Died
from rooms.store.port import SessionId

X, Y = SessionId("counter", "x"), SessionId("counter", "y")
EVENT = "event ann client 1"


def test_the_first_is_followed_at_once_and_each_further_one_later() -> None:  # [ISOLATE2]
    deaths, pauses = Deaths(), []
    for _ in range(8):
        deaths.note(X, Died("crashed", ""), 0)
        pauses.append(deaths.pause(X, 0))
    assert pauses == [0, 250, 1_000, 4_000, 16_000, *[LONGEST_PAUSE] * 3]
    assert deaths.pause(X, 10_000) == LONGEST_PAUSE - 10_000
    assert deaths.pause(Y, 0) == 0
    assert deaths.counts == {"cpu": 0, "memory": 0, "crashed": 8}


def test_one_that_had_lived_long_is_followed_at_once() -> None:  # [ISOLATE2]
    deaths = Deaths()
    for _ in range(3):
        deaths.note(X, Died("crashed", ""), 0)
    assert deaths.note(X, Died("crashed", ""), 0, stable=True) == 1
    assert deaths.pause(X, 0) == 0


def test_what_two_were_at_is_condemned_whoever_died_between_them() -> None:  # [ISOLATE4]
    deaths = Deaths()
    deaths.note(X, Died("cpu", EVENT), 0)
    deaths.note(X, Died("crashed", "event bob client 1"), 0)
    deaths.note(Y, Died("cpu", EVENT), 0)
    assert deaths.condemned(X) == {}
    deaths.note(X, Died("memory", EVENT), 0)
    assert deaths.condemned(X) == {EVENT: "memory"}
    assert deaths.pause(X, 0) == 0  # what did it won't happen again
    assert deaths.condemned(Y) == {}


def test_what_is_condemned_stays_so_whoever_lived_well_meanwhile() -> None:  # [ISOLATE4]
    """Who sent it may be away for that long; then it comes again."""
    deaths = Deaths()
    for _ in range(2):
        deaths.note(X, Died("cpu", EVENT), 0)
    deaths.note(X, Died("crashed", "event bob client 1"), 0, stable=True)
    assert deaths.condemned(X) == {EVENT: "cpu"}
    deaths.forget(X)
    assert deaths.condemned(X) == {}


def test_two_in_a_row_condemn_it_though_the_second_had_lived_well() -> None:  # [ISOLATE4]
    deaths = Deaths()
    deaths.note(X, Died("cpu", EVENT), 0)
    deaths.note(X, Died("cpu", EVENT), 0, stable=True)
    assert deaths.condemned(X) == {EVENT: "cpu"}


def test_what_one_died_of_long_before_another_had_lived_well_is_no_suspect() -> None:
    # [ISOLATE5]
    deaths = Deaths()
    deaths.note(X, Died("crashed", "enter ann client"), 0)
    deaths.note(X, Died("crashed", EVENT), 0, stable=True)
    deaths.note(X, Died("crashed", "enter ann client"), 0)
    assert deaths.condemned(X) == {}


def test_what_was_condemned_first_goes_when_there_is_too_much() -> None:
    deaths = Deaths()
    for seq in range(MOST + 1):
        for _ in range(2):
            deaths.note(X, Died("cpu", f"event ann client {seq}"), 0)
    assert list(deaths.condemned(X)) == [f"event ann client {seq}" for seq in range(1, MOST + 1)]


def test_what_nobody_repeats_is_never_condemned() -> None:  # [ISOLATE4]
    deaths = Deaths()
    for doing in ("wake", "Heard", "wake", "Heard", ""):
        deaths.note(X, Died("cpu", doing), 0)
    assert deaths.condemned(X) == {}
    assert X in deaths
    deaths.forget(X)
    assert X not in deaths
