"""Exactly once: numbered events over repeats, gaps, reconnects, takeovers, crashes and sleep."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from rooms.definition import Room
from rooms.effects import effect
from rooms.errors import CloseCode
from rooms.host.marks import FORGET_AFTER
from rooms.store.port import SessionId
from runtime import setup
from tests.rooms.host import machines
from tests.rooms.host.machines import Counter, Lobby, Volatile
from tests.rooms.host.stage import Stage


@pytest.fixture(autouse=True)
def _fresh() -> None:
    machines.DONE.clear()


async def stage(kind: type[Room] = Counter) -> Stage:
    return await Stage(counter=kind).start()


async def test_a_repeat_gets_the_stored_outcome_and_changes_nothing() -> None:  # [SEND3]
    on = await stage()
    ann = await on.connect()
    await ann.send("ask", seq=1)
    first = ann.outcome(1)
    ann.took()
    await ann.send("ask", seq=1)
    assert ann.took() == [first]
    assert ann.view["context"] == {"count": 1}


async def test_a_repeat_while_it_is_being_stored_is_answered_once() -> None:  # [SEND3]
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        await ann.send("increment", seq=1)
        await ann.send("increment", seq=1)
    await on.settle()
    assert ann.outcomes() == [(1, "accepted")]
    assert ann.view["context"] == {"count": 1}


async def test_a_gap_is_asked_for_and_nothing_is_applied() -> None:  # [SEND4]
    on = await stage()
    ann = await on.connect()
    ann.took()
    await ann.send("increment", seq=2)
    assert ann.took() == [{"type": "room.resend", "from": 1}]
    await ann.send("increment", seq=1)
    await ann.send("increment", seq=2)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]


async def test_a_refused_event_takes_its_number_and_the_next_goes_on() -> None:  # [DOOR9]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment", sender="ben")
    await ann.send("increment")
    assert ann.outcomes() == [(1, "rejected"), (2, "accepted")]
    assert ann.outcome(1)["reason"] == "`sender` is stamped by the server"


@pytest.mark.parametrize("how", ["crash", "restart", "sleep"])
async def test_every_kind_of_outcome_outlives_the_room(how: str) -> None:  # [SEND3]
    on = await stage()
    ann = await on.connect()
    for type in ("increment", "nonsense", "secret", "broken", "ask"):
        await ann.send(type)
    before = [ann.outcome(seq) for seq in range(1, 6)]
    if how == "sleep":
        await on.advance(30_000)
        assert not on.awake()
        await ann.leave()
    else:
        await getattr(on, how)()
    again = await on.connect("ann", client=ann.client)
    assert again.inbox[0]["seq"] == 5
    for seq in range(1, 6):
        await again.send("increment", seq=seq)
    told = [again.outcome(seq) for seq in range(1, 6)]
    for one in (*before, *told):
        one.pop("cursor")
    assert told == before
    assert again.view["context"] == {"count": 2}


async def test_an_ignored_event_is_marked_in_the_store() -> None:  # [SEND3]
    """Otherwise its repeat, in a state that takes it, would be applied after it was answered."""
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await ann.send("nonsense")
    commit = on.store.commits[-1]
    assert (commit.prev, commit.new, commit.snapshot) == (1, 1, None)
    assert list(commit.marks) == [f"ann\x00{ann.client}"]


async def test_an_acknowledged_event_survives_a_crash_and_an_unanswered_one_is_applied_once() -> (
    None
):  # [STORE3] [SEND2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding():
        await ann.send("increment")
        assert ann.outcomes() == [(1, "accepted")]
        await on.crash()
    again = await on.connect("ann", client=ann.client)
    assert again.view["context"] == {"count": 1}
    await again.send("increment", seq=2)
    await again.send("increment", seq=3)
    assert again.view["context"] == {"count": 3}


async def test_what_the_client_has_the_outcome_of_is_neither_kept_nor_answered() -> None:
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    event = {"type": "increment"}
    ann.put({"type": "room.send", "seq": 2, "event": event, "acked": 1})
    await on.settle()
    again = await on.connect("ann", client=ann.client)
    await again.send("increment", seq=1)
    await again.send("increment", seq=2)
    assert again.outcomes() == [(2, "accepted")]
    assert again.view["context"] == {"count": 2}


async def test_who_asks_for_an_outcome_that_is_no_longer_kept_cant_go_on() -> None:
    on = await stage()
    ann = await on.connect()
    for _ in range(65):
        await ann.send("increment")
    again = await on.connect("ann", client=ann.client)
    await again.send("increment", seq=1)
    assert again.closing is not None
    assert again.closing.code == CloseCode.UNRESTORABLE
    assert again.view["context"] == {"count": 65}


async def test_a_newer_connection_of_the_client_takes_over() -> None:  # [OPEN5]
    on = await stage(Lobby)
    old = await on.connect("ann", client="same")
    with on.store.holding():
        await old.send("ping", seq=1)
        new = await on.connect("ann", client="same")
        await new.send("ping", seq=1)
    await on.settle()
    assert old.closing is not None
    assert old.closing.code == CloseCode.TAKEN_OVER
    assert old.outcomes() == []
    assert new.outcomes() == [(1, "accepted")]
    assert new.view["context"]["seats"] == {"ann": "here"}, "its end was no leave"


@pytest.mark.parametrize(("opened", "stays"), [(4_000, True), (4_950, False)])
async def test_of_two_connections_of_a_client_the_one_opened_later_stays(
    opened: int, *, stays: bool
) -> None:  # [OPEN5]
    on = await stage(Lobby)
    old = await on.connect("ann", client="same", opened=opened)
    await on.advance(60_000)
    assert not on.awake()
    on.add_router()
    new = await on.connect("ann", client="same", opened=5_000)  # the other router puts `old`, too
    shut, let_in = (old, new) if stays else (new, old)  # by two clocks nobody knows it better
    assert shut.closing is not None
    assert shut.closing.code == CloseCode.TAKEN_OVER
    assert let_in.closing is None
    await let_in.send("ping", seq=1)
    assert let_in.outcomes() == [(1, "accepted")]
    assert let_in.view["context"]["seats"] == {"ann": "here"}


async def test_who_opens_a_connection_takes_over_whatever_clocks_say() -> None:  # [OPEN5]
    on = await stage(Lobby)
    old = await on.connect("ann", client="same", opened=5_000)
    new = await on.connect("ann", client="same", opened=1_000)  # a clock was set back meanwhile
    assert old.closing is not None
    assert new.closing is None


async def test_the_same_client_of_another_subject_is_another_one() -> None:  # [OPEN5]
    on = await stage()
    ann, ben = await on.connect("ann", client="same"), await on.connect("ben", client="same")
    await ann.send("increment", seq=1)
    await ben.send("increment", seq=1)
    assert ann.closing is None
    assert ann.view["context"] == {"count": 2}


async def test_at_level_memory_a_client_goes_on_after_a_crash() -> None:
    on = await stage(Volatile)
    ann = await on.connect()
    for _ in range(3):
        await ann.send("increment")
    await on.crash()
    again = await on.connect("ann", client=ann.client)
    assert again.inbox[0]["seq"] == 0
    event = {"type": "increment"}
    again.put({"type": "room.send", "seq": 4, "event": event, "acked": 3})
    await on.settle()
    assert again.outcomes() == [(4, "accepted")]


async def test_who_may_have_been_forgotten_is_refused_never_applied_again() -> None:
    on = await stage()
    since = on.loop.now()
    ann = await on.connect("ann", since=since)
    await ann.send("increment")
    await ann.leave()
    await on.advance(FORGET_AFTER)
    ben = await on.connect("ben")
    await ben.send("increment")
    await on.advance(30_000)
    assert not on.awake()
    again = await on.connect("ann", client=ann.client, since=since)
    await again.send("increment", seq=1)
    assert again.closing is not None
    assert again.closing.code == CloseCode.UNRESTORABLE
    assert ben.view["context"] == {"count": 2}
    new = await on.connect("ann", since=on.loop.now())
    await new.send("increment")
    assert new.outcomes() == [(1, "accepted")]


@pytest.mark.parametrize("numbered", [False, True])
async def test_what_crosses_with_falling_asleep_is_not_lost(numbered: bool) -> None:  # [SLEEP2]
    """Said when the router still took the room for awake."""
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding("release"):
        await on.advance(15_000)
        assert not on.awake()
        event = {"type": "increment"}
        ann.put({"type": "room.send", "seq": 2, "event": event} if numbered else event)
        await on.settle()
    await on.settle()
    assert ann.view["context"] == {"count": 2}
    assert len(ann.outcomes()) == 1 + numbered


# ------------------------------------------------------------------ where nothing was accepted


@pytest.mark.parametrize("how", ["crash", "sleep"])
async def test_before_the_first_accepted_event_outcomes_outlive_the_room(how: str) -> None:
    # [SEND3] [SEND11]
    on = await stage()
    ann = await on.connect()
    await ann.send("unknown")
    assert ann.outcomes() == [(1, "ignored")]
    await ann.leave()
    await (on.crash() if how == "crash" else on.advance(20_000))
    assert not on.awake()
    await (await on.connect("bob")).send("increment")
    again = await on.connect(client=ann.client)
    await again.send("increment", seq=1)  # the same number: the outcome that it had
    assert again.outcomes() == [(1, "ignored")]
    assert again.view["context"] == {"count": 1}


async def _ring(room: Room, params: Any, attempt: Any) -> None:
    """Nobody hears it."""


class Full(Room):
    """Of everything that a session may have, something from the start."""

    listed = True
    max_viewers = 8
    effects: ClassVar[Any] = {"bell": _ring}
    machine = setup(actions={"ring": effect("bell")}).create_machine(
        {
            "initial": "quiet",
            "entry": "ring",
            "states": {"quiet": {"after": {"60000": "late"}}, "late": {}},
            "on": {"go": {}},
        }
    )


async def test_the_outcomes_of_no_session_make_none() -> None:  # [SEND11] [NAME3] [NAME4]
    on = await stage(Full)
    ann = await on.connect()
    await ann.send("unknown")
    (commit,) = on.store.commits
    assert list(commit.marks) == [f"ann\x00{ann.client}"]
    assert (commit.due, commit.seats, commit.listing, commit.snapshot) == (None,) * 4
    assert (commit.outbox, commit.log) == ({}, ())
    await ann.leave()
    await on.advance(20_000)
    assert not on.awake()
    assert await on.record() is None
    assert (await on.operated("DELETE"))[0] == 404
    late = await on.connect("bob", create=False)
    assert late.closing is not None
    assert late.closing.code == CloseCode.NOT_FOUND


@pytest.mark.parametrize(("ttl", "kept"), [(None, FORGET_AFTER), (3_600_000, 3_600_000)])
async def test_the_outcomes_of_no_session_are_kept_for_a_day(ttl: int | None, kept: int) -> None:
    # [SEND11] [TTL1]
    on = await stage(type("Kind", (Counter,), {"ttl": ttl}))
    ann = await on.connect()
    await ann.send("unknown")
    await ann.leave()
    where = SessionId("counter", "x")
    await on.advance(kept - 60_000)
    assert where in on.inner._rows
    await on.advance(180_000)
    assert where not in on.inner._rows
    again = await on.connect(client=ann.client, since=1)
    await again.send("increment", seq=1)
    assert again.outcomes() == [(1, "accepted")]
