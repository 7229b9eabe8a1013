"""Marks: what is remembered of each client, stored and read again, and when it is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rooms.host.marks import (
    ACCEPTED,
    FORGET_AFTER,
    IGNORED,
    MAX_MARKS,
    Mark,
    Marks,
    Outcome,
    clients_of,
)

ALICE, BOB = "alice\x00a", "bob\x00b"


def stored(marks: Marks, before: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """What the store has after a commit of these changes."""
    kept = dict(before or {})
    for key, value in marks.changes().items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
    return kept


def test_a_settled_number_is_known_after_a_restart() -> None:  # [SEND3]
    marks = Marks({})
    refused = Outcome("rejected", "forbidden", "not now")
    replied = Outcome("accepted", result={"id": 7})
    for seq, outcome in enumerate((ACCEPTED, IGNORED, refused, replied), start=1):
        marks.settle(ALICE, seq, outcome, now=5)
    again = Marks(stored(marks)).get(ALICE)
    assert again is not None
    assert again.settled == 4
    assert again.outcomes == {1: ACCEPTED, 2: IGNORED, 3: refused, 4: replied}


def test_only_what_changed_is_stored() -> None:
    marks = Marks({})
    marks.settle(ALICE, 1, ACCEPTED, now=5)
    kept = stored(marks)
    assert not marks.changed()
    marks.settle(BOB, 1, ACCEPTED, now=6)
    assert list(marks.changes()) == [BOB]
    assert list(kept) == [ALICE]


def test_the_last_64_outcomes_are_kept() -> None:  # [SEND3]
    mark = Mark(0)
    for seq in range(1, 101):
        mark.settle(seq, ACCEPTED, now=seq)
    assert list(mark.outcomes) == list(range(37, 101))
    assert mark.settled == 100


def test_what_has_arrived_is_not_kept() -> None:  # [SEND3]
    mark = Mark(0)
    for seq in range(1, 6):
        mark.settle(seq, ACCEPTED, now=seq)
    mark.ack(3)
    mark.ack(2)
    assert list(mark.outcomes) == [4, 5]


def replied(seq: int) -> Outcome:
    return Outcome("accepted", result=f"{seq} " + "x" * 1_000)


def test_an_event_writes_its_own_outcome_and_none_of_those_before() -> None:  # [SEND3]
    marks, kept = Marks({}), dict[str, bytes]()
    for seq in range(1, 101):
        marks.settle(ALICE, seq, replied(seq), now=5)
        before, kept = kept, stored(marks, kept)
        written = sum(len(kept[key]) for key in kept if kept[key] is not before.get(key))
        assert written < 2_000
    assert sum(map(len, kept.values())) < 64 * 1_100
    again = Marks(kept).get(ALICE)
    assert again is not None
    assert again.outcomes == {seq: replied(seq) for seq in range(37, 101)}


def test_what_has_arrived_is_stored_no_more() -> None:  # [SEND3]
    marks = Marks({})
    for seq in range(1, 5):
        marks.settle(ALICE, seq, replied(seq), now=5)
    marks = Marks(kept := stored(marks))
    mark = marks.get(ALICE)
    assert mark is not None
    mark.ack(4)
    assert not marks.changed(), "that alone is nothing to commit"
    marks.settle(ALICE, 5, ACCEPTED, now=6)
    kept = stored(marks, kept)
    assert list(kept) == [ALICE]


def test_of_who_is_forgotten_nothing_is_stored() -> None:
    marks = Marks({})
    marks.settle(ALICE, 1, replied(1), now=0)
    kept = stored(marks)
    marks = Marks(kept)
    marks.forget(FORGET_AFTER, keep=())
    marks.settle(ALICE, 1, replied(2), now=FORGET_AFTER)
    again = Marks(stored(marks, kept)).get(ALICE)
    assert again is not None
    assert again.outcomes == {1: replied(2)}
    marks.forget(FORGET_AFTER * 2, keep=())
    assert list(stored(marks, kept)) == [""]


def test_no_name_of_a_viewer_is_taken_for_an_outcome() -> None:
    marks, key = Marks({}), "a\x00outcome 1\x00c"
    marks.settle(key, 1, replied(1), now=0)
    kept = stored(marks)
    assert clients_of(kept) == 1
    again = Marks(kept).get(key)
    assert again is not None
    assert again.outcomes == {1: replied(1)}


def test_who_was_not_seen_for_a_day_is_forgotten_and_then_refused() -> None:
    marks = Marks({})
    marks.settle(ALICE, 1, ACCEPTED, now=1_000)
    marks.settle(BOB, 1, ACCEPTED, now=2_000)
    kept = stored(marks)
    marks.forget(1_000 + FORGET_AFTER, keep=())
    again = Marks(stored(marks, kept))
    assert again.get(ALICE) is None
    assert again.get(BOB) is not None
    assert again.forgotten == 1_000
    assert again.stale(ALICE, since=900)
    assert not again.stale("new\x00n", since=1_001), "who came later can't have been forgotten"
    assert not again.stale("new\x00n", since=None)
    assert not again.stale(BOB, since=900)


def test_who_is_here_is_never_forgotten() -> None:
    marks = Marks({})
    marks.settle(ALICE, 1, ACCEPTED, now=0)
    marks.forget(FORGET_AFTER * 2, keep={ALICE})
    assert marks.get(ALICE) is not None
    assert marks.forgotten == -1


def test_above_4096_the_oldest_go() -> None:
    marks = Marks({})
    for number in range(MAX_MARKS + 3):
        marks.settle(f"v\x00{number}", 1, ACCEPTED, now=number)
    marks.forget(MAX_MARKS, keep=())
    assert len(marks) == MAX_MARKS
    assert marks.forgotten == 2
    assert marks.get("v\x002") is None


def test_however_many_are_here_they_are_looked_through_now_and_then() -> None:
    marks, here = Marks({}), [f"v\x00{number}" for number in range(MAX_MARKS + 100)]
    looked = 0
    for now, key in enumerate([*here, *here, *here]):
        marks.settle(key, 1, ACCEPTED, now)
        if marks.many:
            marks.forget(now, keep=here)
            looked += 1
    assert len(marks) == len(here)
    assert looked == 1


def test_a_client_that_comes_back_after_it_was_forgotten_is_stored_again() -> None:
    marks = Marks({})
    marks.settle(ALICE, 1, ACCEPTED, now=0)
    kept = stored(marks)
    marks.forget(FORGET_AFTER, keep=())
    marks.settle(ALICE, 1, ACCEPTED, now=FORGET_AFTER + 1)
    assert Marks(stored(marks, kept)).get(ALICE) is not None


@given(
    st.dictionaries(
        st.integers(1, 2**53),
        st.builds(
            Outcome,
            st.sampled_from(["accepted", "ignored", "rejected"]),
            st.none() | st.text(max_size=5),
            st.none() | st.text(max_size=5),
            st.none() | st.integers(-(2**53), 2**53) | st.dictionaries(st.text(), st.text()),
        ),
        max_size=64,
    ),
    st.integers(0, 2**53),
)
def test_what_is_dumped_is_loaded(outcomes: dict[int, Outcome], acked: int) -> None:
    mark = Mark(3)
    mark.acked = acked
    for seq, outcome in outcomes.items():
        mark.settle(seq, outcome, now=3)
    mark.settled = 9
    apart = {seq: packed for seq, packed in mark.apart().items() if packed is not None}
    again = Mark.load(mark.dump(), apart)
    assert (again.seen, again.settled, again.acked) == (3, 9, acked)
    assert again.outcomes == outcomes
