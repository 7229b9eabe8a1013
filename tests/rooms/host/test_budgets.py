"""Budgets: a room that wants more than its share waits, and nobody else does (SPEC, FAIR)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.budgets import BURST, HALF, LONGEST_PAUSE, MUCH, OF_LATE, WINDOW, Account, Budgets
from rooms.definition import Room
from rooms.host.room import MAX_WAITING
from rooms.sync.views import everything
from runtime import assign, setup
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLED: list[str] = []
"""The kinds of rooms that handled an event, in order."""
WORKING: list[Callable[[int], None]] = []
"""How a transition of the hot room lets time pass."""


@pytest.fixture(autouse=True)
def _fresh() -> None:
    HANDLED.clear()
    WORKING.clear()


def work(args: Any, params: Any) -> Any:
    WORKING[0](1)
    HANDLED.append("hot")
    return [*args.context["said"], args.event["n"]]


def note(args: Any, params: Any) -> Any:
    HANDLED.append("quiet")
    return [*args.context["said"], args.event["n"]]


class Quiet(Room):
    machine = setup(actions={"note": assign({"said": note})}).create_machine(
        {"context": {"said": []}, "on": {"say": {"actions": "note"}}}
    )
    view = everything


class Hot(Room):
    machine = setup(actions={"note": assign({"said": work})}).create_machine(
        {"context": {"said": []}, "on": {"say": {"actions": "note"}}}
    )
    view = everything
    sleep_after = 600_000


# ------------------------------------------------------------------ who has to wait


def test_a_room_within_its_share_never_waits() -> None:  # [FAIR1]
    budgets, account, now = Budgets(), Account(0), 0.0
    for _ in range(1_000):
        now += 10
        budgets.spend(account, 2, now)
        assert account.credit >= 0
    assert budgets.resumes < now


def test_who_works_more_is_in_debt_and_no_more_than_a_burst() -> None:  # [FAIR1]
    budgets, hot, now = Budgets(), Account(0), 0.0
    for _ in range(500):
        now += 2
        budgets.spend(hot, 2, now)
    assert hot.credit == pytest.approx(-BURST)
    assert budgets.credit(hot, now + 2 * BURST / HALF * 2 + 1) > 0  # and is soon out of it


def test_the_more_rooms_work_much_the_smaller_each_ones_share() -> None:  # [FAIR1]
    budgets, now = Budgets(), 0.0
    hot = [Account(0) for _ in range(8)]
    while now < 2 * WINDOW:
        for account in hot:
            now += 2
            budgets.spend(account, 2, now)
    assert max(account.credit for account in hot) < 0  # though each has an eighth of the time
    quiet = Account(now)
    for _ in range(100):
        now += WINDOW
        budgets.spend(quiet, MUCH - 1, now)
    assert quiet.credit > 0


def test_many_that_work_much_are_in_debt_at_once() -> None:  # [FAIR1]
    budgets, now = Budgets(), 0.0
    hot = [Account(0) for _ in range(8)]
    while now < WINDOW - 20:
        for account in hot:
            now += 2
            budgets.spend(account, 2, now)
    assert max(account.credit for account in hot) < 0


def test_a_share_is_a_half_again_when_the_others_have_stopped() -> None:  # [FAIR1]
    budgets, now = Budgets(), 0.0
    hot = [Account(0) for _ in range(8)]
    while now < 2 * WINDOW:
        for account in hot:
            now += 2
            budgets.spend(account, 2, now)
    now += 2 * WINDOW
    budgets.spend(hot[0], MUCH / 2, now)
    assert budgets.credit(hot[0], now + 4) == hot[0].credit + 4 * HALF


def test_nobody_pauses_for_nobody() -> None:  # [FAIR2]
    budgets, hot, quiet, now = Budgets(), Account(0), Account(0), 0.0
    while hot.credit >= 0:
        now += 2
        budgets.spend(hot, 2, now)
    budgets.spend(hot, 2, now)
    assert budgets.resumes < now
    budgets.spend(quiet, 0.1, now)
    budgets.spend(hot, 2, now)
    assert budgets.resumes == now + 2  # as long again
    budgets.spend(hot, 1_000, now)
    assert budgets.resumes == now + LONGEST_PAUSE
    now += OF_LATE + 1
    budgets.spend(hot, 500, now)
    assert budgets.resumes < now


def test_of_those_in_debt_whoever_owes_least_is_first() -> None:  # [FAIR1]
    budgets, one, other = Budgets(), Account(0), Account(0)
    budgets.spend(one, 60, 60)
    budgets.spend(other, 30, 60)
    assert budgets.first([one, other], 60) is other
    budgets.spend(other, 60, 120)
    assert budgets.first([one, other], 120) is one


# ------------------------------------------------------------------ on a host


async def test_a_hot_room_waits_its_neighbour_doesnt_and_nothing_is_lost() -> None:
    # [FAIR1] [FAIR2] [TURN1]
    on = await Stage(hot=Hot, quiet=Quiet).start()
    WORKING.append(on.suspend)
    ann, ben = await on.connect("ann", "hot/x"), await on.connect("ben", "quiet/x")
    await ben.say("say", n=0)
    for n in range(400):
        ann.put({"type": "say", "n": n})
    await on.settle()
    assert HANDLED.count("hot") < 2 * BURST
    begun, before = on.elapsed(), HANDLED.count("hot")
    for n in range(1, 50):
        await ben.say("say", n=n)
        assert HANDLED[-5:].count("quiet") >= 1  # it was handled as it came
        await on.advance(5)
    share = (HANDLED.count("hot") - before) / (on.elapsed() - begun)
    assert 0.3 < share <= HALF
    for _ in range(400):
        await on.advance(5)
    assert ann.view["context"]["said"] == list(range(400))
    assert ben.view["context"]["said"] == list(range(50))


async def test_alone_it_has_all_the_time_there_is() -> None:  # [FAIR2]
    on = await Stage(hot=Hot).start()
    WORKING.append(on.suspend)
    ann = await on.connect("ann", "hot/x")
    for n in range(400):
        ann.put({"type": "say", "n": n})
    await on.settle()
    assert ann.view["context"]["said"] == list(range(400))


async def test_hot_rooms_have_their_turns_one_after_the_other() -> None:  # [FAIR1]
    on = await Stage(hot=Hot, quiet=Quiet).start()
    WORKING.append(on.suspend)
    ben = await on.connect("ben", "quiet/x")
    tabs = [await on.connect(f"v{n}", f"hot/{n}") for n in range(4)]
    for tab in tabs:
        for n in range(300):
            tab.put({"type": "say", "n": n})
    for n in range(60):
        await ben.say("say", n=n)
        await on.advance(10)
    done = [len(tab.view["context"]["said"]) for tab in tabs]
    assert min(done) > 40
    assert max(done) - min(done) <= 10


async def test_a_room_in_debt_takes_what_is_numbered_and_so_much_that_is_plain() -> None:
    # [FAIR3] [SEND6]
    on = await Stage(hot=Hot, quiet=Quiet).start()
    WORKING.append(on.suspend)
    ann, eve = await on.connect("ann", "hot/x"), await on.connect("eve", "hot/x")
    ben = await on.connect("ben", "quiet/x")
    ann.took(), eve.took()
    await ben.say("say", n=0)
    for n in range(MAX_WAITING + 200):
        eve.put({"type": "say", "n": n})
    for seq in range(1, 65):
        ann.put({"type": "room.send", "seq": seq, "event": {"type": "say", "n": -seq}})
    await on.settle()
    for _ in range(800):
        await ben.say("say", n=0)
        await on.advance(5)
    said = ann.view["context"]["said"]
    busy = [message for message in eve.inbox if message.get("code") == "busy"]
    assert busy
    assert len(said) == MAX_WAITING + 200 - len(busy) + 64
    assert [n for n in said if n < 0] == [-seq for seq in range(1, 65)]
    assert [n for n in said if n >= 0] == sorted(n for n in said if n >= 0)
    assert [message["seq"] for message in ann.inbox if message["type"] == "room.outcome"] == [
        *range(1, 65)
    ]
