"""The checker sees what it is for: a good history passes, and each bad one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.histories import History, rules

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE = "life"


def accepted(history: History, client: str, n: int, place: int, seen: int | None = None) -> None:
    """A client sends, and is told that it was accepted at this place."""
    history.sent(client, n, "ledger/a")
    shows = None if seen is None else (LIFE, seen)
    history.answered(client, n, "accepted", {"life": LIFE, "place": place}, shows=shows)


def view(*log: str, **more: Any) -> dict[str, Any]:
    """A view of a log."""
    return {"context": {"life": LIFE, "log": list(log), **more}}


def owned(history: History) -> None:
    """A host owns a session, and has committed its first revision."""
    history.heartbeat("h", True, 0, 10_000)
    history.acquired("s", "h", 1, "g", 0, 0)
    history.committed("s", "h", 1, "g", 0, 1)


def test_a_good_history_passes() -> None:
    history = History()
    accepted(history, "a", 1, 1, seen=1)
    accepted(history, "b", 1, 2)
    history.sent("a", 2, "ledger/a")
    history.answered("a", 2, "ignored")
    history.sent("a", 3, "ledger/a")
    history.lost("a", 3)
    history.asked("a")
    history.shown("a", view("a:1", "b:1>500"), "x.1")
    history.shown("b", view("a:1", "b:1>500"), "x.1")
    history.told("a", 1, "accepted", 1)
    history.told("a", 1, "accepted", 1)
    owned(history)
    history.released("s", "h", 1)
    history.acquired("s", "i", 2, "g", 1, 5)
    history.committed("s", "i", 2, "g", 1, 3)
    history.ended(LIFE, ["a:1", "b:1>500", "b:1!500"], 90_000)
    history.holds("a", {"log": 1}, {"log": 1})
    history.performed("s", "k", "b:1", (1, 1))
    history.performed("s", "k", "b:1", (1, 2))
    history.done("s", (1, 2))
    history.performed("s", "l", "a:1", (1, 1))
    history.handed(["x", "y"], ["x", "z", "y"], all=True)
    history.handed(["x", "y"], ["y"], all=False)
    assert history.check() == []


def _acknowledged_twice(history: History) -> None:
    history.sent("b", 1, "ledger/a")
    accepted(history, "a", 1, 1)
    history.answered("b", 1, "accepted", {"life": LIFE, "place": 1})
    history.ended(LIFE, ["a:1"], 0)


def _earlier_place(history: History) -> None:
    accepted(history, "a", 1, 2)
    accepted(history, "b", 1, 1)
    history.ended(LIFE, ["b:1", "a:1"], 0)


def _acknowledged_and_gone(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.ended(LIFE, [], 0)


def _another_in_its_place(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.sent("b", 1, "ledger/a")
    history.lost("b", 1)
    history.ended(LIFE, ["b:1", "a:1"], 0)


def _gone_with_its_life(history: History) -> None:
    accepted(history, "a", 1, 1)


def _applied_twice(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.ended(LIFE, ["a:1", "a:1"], 0)


def _applied_in_two_lives(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.ended(LIFE, ["a:1"], 0)
    history.ended("another", ["a:1"], 0)


def _nobody_sent_it(history: History) -> None:
    history.ended(LIFE, ["a:1"], 0)


def _ignored_but_there(history: History) -> None:
    history.sent("a", 1, "ledger/a")
    history.answered("a", 1, "ignored")
    history.ended(LIFE, ["a:1"], 0)


def _out_of_order(history: History) -> None:
    for n in (1, 2):
        history.sent("a", n, "ledger/a")
        history.lost("a", n)
    history.ended(LIFE, ["a:2", "a:1"], 0)


def _never_answered(history: History) -> None:
    history.sent("a", 1, "ledger/a")


def _answered_twice(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.answered("a", 1, "accepted", {"life": LIFE, "place": 1})
    history.ended(LIFE, ["a:1"], 0)


def _told_otherwise(history: History) -> None:
    history.told("a", 1, "ignored", None)
    history.told("a", 1, "accepted", None)


def _outcome_first(history: History) -> None:
    accepted(history, "a", 1, 1, seen=0)
    history.ended(LIFE, ["a:1"], 0)


def _seen_and_gone(history: History) -> None:
    history.shown("a", view("a:1"), "x.1")
    history.ended(LIFE, [], 0)


def _seen_otherwise(history: History) -> None:
    history.shown("a", view("a:1", "b:1"), "x.1")
    for client, n in (("a", 1), ("b", 1), ("a", 2)):
        history.sent(client, n, "ledger/a")
        history.lost(client, n)
    history.ended(LIFE, ["b:1", "a:1", "a:2"], 0)


def _seen_in_no_life(history: History) -> None:
    history.shown("a", view("a:1"), "x.1")


def _back_in_time(history: History) -> None:
    history.sent("a", 1, "ledger/a")
    history.lost("a", 1)
    history.shown("a", view("a:1"), "x.1")
    history.shown("a", view(), "x.0")
    history.ended(LIFE, ["a:1"], 0)


def _older_than_known(history: History) -> None:
    accepted(history, "a", 1, 1)
    history.asked("b")
    history.shown("b", view(), "x.0")
    history.ended(LIFE, ["a:1"], 0)


def _one_cursor_two_views(history: History) -> None:
    history.shown("a", view(seats={}), "x.0")
    history.shown("b", view(seats={"a": "here"}), "x.0")


def _other_than_stored(history: History) -> None:
    history.holds("a", {"log": ["a:1"]}, {"log": []})


def _timer(history: History, *log: str) -> None:
    history.sent("a", 1, "ledger/a")
    history.lost("a", 1)
    history.ended(LIFE, ["a:1>1000", *log], 9_000)


def _effects(history: History, *fired: int) -> None:
    """So many effects, of which each waits for the one before it."""
    numbers = range(1, len(fired) + 1)
    for n in numbers:
        history.sent("a", n, "ledger/a")
        history.lost("a", n)
    ends = [f"a:{n}!{at}" for n, at in zip(numbers, fired, strict=True)]
    history.ended(LIFE, [*(f"a:{n}~1000" for n in numbers), *ends], 9_000)


def _undead_session(history: History) -> None:
    history.ended(LIFE, [], 0, deleted=True)
    history.ended(LIFE, [], 0)


def _undead_incarnation(history: History) -> None:
    history.heartbeat("h", True, 0, 10_000)
    history.heartbeat("h", True, 10_000, 10_000)


def _retired_and_alive(history: History) -> None:
    history.heartbeat("h", True, 0, 10_000)
    history.retired("h", 5)
    history.heartbeat("h", True, 6, 10_000)


def _by_a_former_owner(history: History) -> None:
    owned(history)
    history.acquired("s", "i", 2, "g", 1, 10_000)
    history.committed("s", "h", 1, "g", 1, 2)


def _after_giving_back(history: History) -> None:
    owned(history)
    history.released("s", "h", 1)
    history.committed("s", "h", 1, "g", 1, 2)


def _by_nobody(history: History) -> None:
    owned(history)
    history.forgotten("s")
    history.committed("s", "h", 1, "g", 1, 2)


def _with_a_gap(history: History) -> None:
    owned(history)
    history.committed("s", "h", 1, "g", 2, 3)


def _twice_the_same(history: History) -> None:
    owned(history)
    history.committed("s", "h", 1, "g", 0, 1)


def _from_the_living(history: History) -> None:
    owned(history)
    history.acquired("s", "i", 2, "g", 1, 9_999)


def _epoch_again(history: History) -> None:
    owned(history)
    history.acquired("s", "i", 1, "g", 1, 10_000)


def _at_an_older_revision(history: History) -> None:
    owned(history)
    history.acquired("s", "i", 2, "g", 0, 10_000)


def _other_than_the_host_made(history: History) -> None:
    history.made(view("a:1"), "x.1")
    history.shown("a", view("a:2"), "x.1")


def _heard_first(history: History) -> None:
    history.heard("a", {"life": LIFE, "place": 1, "entry": "b:1"}, view())


def _heard_of_another_life(history: History) -> None:
    history.heard("a", {"life": "another", "place": 1, "entry": "b:1"}, view("b:1"))


def _heard_twice(history: History) -> None:
    for _ in range(2):
        history.heard("a", {"life": LIFE, "place": 1, "entry": "b:1"}, view("b:1"))


def _one_key_for_two(history: History) -> None:
    history.performed("s", "k", "a:1", (1, 1))
    history.performed("s", "k", "a:2", (1, 2))


def _two_keys_for_one(history: History) -> None:
    history.performed("s", "k", "a:1", (1, 1))
    history.performed("s", "l", "a:1", (1, 2))


def _an_attempt_twice(history: History) -> None:
    for _ in range(2):
        history.performed("s", "k", "a:1", (1, 1))


def _two_at_once(history: History) -> None:
    history.performed("s", "k", "a:1", (1, 1))
    history.performed("s", "l", "a:2", (1, 1))


def _performed_in_vain(history: History) -> None:
    history.performed("s", "k", "a:1", (1, 1))
    history.ended(LIFE, [], 0)


def _awake_otherwise(history: History) -> None:
    history.restored("s", {"context": {"log": ["a:1"]}}, {"context": {"log": []}})


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        ("acknowledged twice", _acknowledged_twice),
        ("order", _earlier_place),
        ("lost", _acknowledged_and_gone),
        ("lost", _another_in_its_place),
        ("lost", _gone_with_its_life),
        ("twice", _applied_twice),
        ("twice", _applied_in_two_lives),
        ("phantom", _nobody_sent_it),
        ("phantom", _ignored_but_there),
        ("client order", _out_of_order),
        ("unanswered", _never_answered),
        ("answered twice", _answered_twice),
        ("two outcomes", _told_otherwise),
        ("outcome before view", _outcome_first),
        ("undurable", _seen_and_gone),
        ("undurable", _seen_otherwise),
        ("undurable", _seen_in_no_life),
        ("went back", _back_in_time),
        ("stale", _older_than_known),
        ("cursor", _one_cursor_two_views),
        ("cursor", _other_than_the_host_made),
        ("heard before view", _heard_first),
        ("heard before view", _heard_of_another_life),
        ("heard twice", _heard_twice),
        ("final view", _other_than_stored),
        ("timer missing", _timer),
        ("timer early", lambda history: _timer(history, "a:1!999")),
        ("timer late", lambda history: _timer(history, "a:1!2001")),
        ("timer late", lambda history: _effects(history, 2_001)),
        ("timer late", lambda history: _effects(history, 1_900, 2_901)),
        ("timer twice", lambda history: _timer(history, "a:1!1000", "a:1!1000")),
        ("undead session", _undead_session),
        ("undead incarnation", _undead_incarnation),
        ("undead incarnation", _retired_and_alive),
        ("committer", _by_a_former_owner),
        ("committer", _after_giving_back),
        ("committer", _by_nobody),
        ("gapless", _with_a_gap),
        ("gapless", _twice_the_same),
        ("stolen", _from_the_living),
        ("epoch", _epoch_again),
        ("revision lost", _at_an_older_revision),
        ("restored", _awake_otherwise),
        ("effect key", _one_key_for_two),
        ("effect key", _two_keys_for_one),
        ("attempt twice", _an_attempt_twice),
        ("effects at once", _two_at_once),
        ("effect undurable", _performed_in_vain),
        ("handed twice", lambda history: history.handed(["a"], ["a", "a"], all=True)),
        ("handed in another order", lambda h: h.handed(["a", "b"], ["b", "a"], all=True)),
        ("not handed", lambda history: history.handed(["a", "b"], ["a", "c"], all=True)),
    ],
)
def test_a_bad_history_is_named(rule: str, make: Callable[[History], None]) -> None:
    history = History()
    make(history)
    assert rule in list(rules(history.check()))


def test_effects_that_wait_for_each_other_are_in_time() -> None:
    history = History()
    _effects(history, 1_900, 2_900, 3_800)
    assert history.check() == []


def test_what_a_store_may_lose_may_be_gone_and_its_place_taken() -> None:
    history = History()
    accepted(history, "a", 1, 1)
    accepted(history, "b", 1, 2)
    history.told("b", 1, "accepted", 2)
    history.shown("a", view("a:1", "b:1"), "x.2")
    history.lost_by_store(LIFE, ["a:1", "b:1"], ["a:1"], outcomes={"b:1"}, received=set())
    history.told("b", 1, "ignored", None)
    history.asked("a")
    history.shown("a", view("a:1"), "y.1")
    accepted(history, "b", 2, 2)
    history.ended(LIFE, ["a:1", "b:2"], 0)
    assert history.check() == []


def test_what_it_has_not_lost_may_not() -> None:
    history = History()
    accepted(history, "a", 1, 1)
    accepted(history, "b", 1, 2)
    history.shown("a", view("a:1"), "x.1")
    history.lost_by_store(LIFE, ["a:1", "b:1"], ["a:1"], outcomes=set(), received=set())
    history.ended(LIFE, [], 0)
    assert set(rules(history.check())) == {"lost", "undurable"}


def test_who_is_shown_less_is_told_that_it_is_another_incarnations() -> None:
    history = History()
    accepted(history, "a", 1, 1)
    history.shown("a", view("a:1"), "x.1")
    history.lost_by_store(LIFE, ["a:1"], [], outcomes=set(), received=set())
    history.shown("a", view(), "x.0")
    history.ended(LIFE, [], 0)
    assert list(rules(history.check())) == ["went back"]


def test_another_server_has_its_own_owners_revisions_and_leases() -> None:
    history = History()
    owned(history)
    history.rewound({"s": ("h", 1, "g", 0)}, {"h": 100})
    history.committed("s", "h", 1, "g", 0, 1)
    history.acquired("s", "i", 2, "g", 1, 101)
    assert history.check() == []
    history.rewound({"s": ("i", 2, "g", 3)}, {"i": 200})
    history.acquired("s", "h", 3, "g", 2, 150)
    assert list(rules(history.violations)) == ["revision lost", "stolen"]
