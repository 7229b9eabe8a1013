"""Whoever missed some steps gets just those, and never steps of another view."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rooms.sync.backlog import STEPS, Backlog, Budget
from rooms.sync.diff import apply


def counted(count: int) -> dict[str, Any]:
    return {"context": {"count": count, "same": [1, 2, 3]}}


def test_a_view_that_didnt_change_keeps_its_cursor() -> None:  # [VIEW5]
    backlog = Backlog("aaaaaaaa", counted(1))
    assert backlog.cursor == "aaaaaaaa.0"
    equal = counted(1)
    assert backlog.step(equal) is None
    assert backlog.cursor == "aaaaaaaa.0"
    assert backlog.view is equal  # so that the next step is compared with the newest parts


def test_a_step_has_a_base_and_moves_the_cursor_by_one() -> None:  # [CURSOR1]
    backlog = Backlog("aaaaaaaa", counted(1))
    step = backlog.step(counted(2))
    assert step == ("aaaaaaaa.0", [[["context", "count"], 2]])
    assert backlog.cursor == "aaaaaaaa.1"


@given(held=st.integers(0, 90), newest=st.integers(0, 90))
def test_the_missing_steps_lead_to_the_newest_view(held: int, newest: int) -> None:  # [VIEW7]
    backlog = Backlog("aaaaaaaa", counted(0))
    for number in range(1, newest + 1):
        backlog.step(counted(number))
    ops = backlog.since(f"aaaaaaaa.{held}")
    if held > newest or held < newest - STEPS:
        assert ops is None
    else:
        assert ops is not None
        assert len(ops) == newest - held
        assert apply(counted(held), ops) == counted(newest)


def test_a_cursor_of_somebody_else_is_never_ours() -> None:  # [CURSOR2]
    backlog = Backlog("aaaaaaaa", counted(0))
    backlog.step(counted(1))
    for other in ("bbbbbbbb.0", "bbbbbbbb.1", "aaaaaaaa.2", "aaaaaaaa", "", None):
        assert backlog.since(other) is None


def test_a_saved_cursor_is_the_base_of_the_first_step() -> None:  # [VIEW8]
    backlog = Backlog("bbbbbbbb", counted(1), "aaaaaaaa.7")
    assert backlog.since("aaaaaaaa.7") == []
    step = backlog.step(counted(2))
    assert step is not None
    assert (step.base, backlog.cursor) == ("aaaaaaaa.7", "bbbbbbbb.1")
    assert backlog.since("aaaaaaaa.7") == step.ops
    assert backlog.since("aaaaaaaa.8") is None  # what a crashed incarnation may have said


def test_steps_weigh_no_more_than_the_view() -> None:  # [CURSOR4]
    backlog = Backlog("aaaaaaaa", counted(0))
    for number in range(1, 6):
        backlog.step(counted(number))
        backlog.weigh(400, 1000)
    assert backlog.since("aaaaaaaa.3") is not None
    assert backlog.since("aaaaaaaa.2") is None
    backlog.step(counted(6))
    backlog.weigh(2000, 1000)
    assert backlog.since("aaaaaaaa.5") is None
    assert backlog.since("aaaaaaaa.6") == []


def test_those_used_longest_ago_give_up_their_steps_first() -> None:  # [CURSOR4]
    budget = Budget(100)
    one, two, three = (Backlog(name, {"n": 0}) for name in ("one", "two", "three"))
    for backlog in (one, two, three):
        assert backlog.step({"n": 1}) is not None
        budget.use(backlog, backlog.weigh(40, 1_000))
        if backlog is two:
            budget.use(one)  # somebody came back
    assert two.since("two.0") is None
    assert one.since("one.0") == three.since("three.0") == [[["n"], 1]]
    assert (two.cursor, two.view) == ("two.1", {"n": 1})
    budget.drop(one)
    assert two.step({"n": 2}) is not None
    budget.use(two, two.weigh(60, 1_000))
    assert two.since("two.1") == [[["n"], 2]]
    assert three.since("three.0") == [[["n"], 1]]
    budget.use(three, 101)  # one that is too big alone
    assert three.since("three.0") is two.since("two.1") is None
    budget.drop(three)
