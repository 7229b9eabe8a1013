"""Turns and the gate: one event at a time, nothing seen before it is stored."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from rooms import replicated
from rooms.errors import CloseCode, StoreError, UsageError
from rooms.host.commits import MAX_EVENTS
from rooms.link.protocol import Fanout
from rooms.store.port import SessionId
from tests.rooms.host import machines
from tests.rooms.host.machines import Clock, Counter, Parent, Private, Strict, Volatile
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room


@pytest.fixture(autouse=True)
def _fresh() -> None:
    machines.DONE.clear()
    machines.SENDERS.clear()
    machines.SEEN.clear()


async def stage(kind: type[Room] = Counter) -> Stage:
    return await Stage(counter=kind).start()


# ------------------------------------------------------------------ who is told what


async def test_the_first_message_says_who_you_are_then_comes_the_view() -> None:  # [OPEN2]
    on = await stage()
    ann = await on.connect("ann", role="host")
    you, view = ann.took()
    assert you["type"] == "room.you"
    assert {"id": "ann", "role": "host"}.items() <= you["me"].items()
    assert (you["seq"], you["now"]) == (0, on.loop.now())
    assert view["type"] == "room.view"
    assert view["view"]["context"] == {"count": 0}


async def test_an_accepted_event_is_stored_shown_and_settled_in_this_order() -> None:
    # [SEND2] [SEND5] [TURN2]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    ann.took(), ben.took()
    seq = await ann.send("increment")
    assert ann.view["context"] == ben.view["context"] == {"count": 1}
    assert ben.types() == ["room.patch"]
    assert [m["type"] for m in ann.inbox] == ["room.patch", "room.outcome"]
    assert ann.outcome(seq) == {
        "type": "room.outcome",
        "seq": 1,
        "outcome": "accepted",
        "cursor": ann.cursor,
    }
    assert (await on.stored())["context"] == {"count": 1}


async def test_an_event_sent_plainly_has_no_outcome() -> None:  # [SEND1]
    on = await stage()
    ann = await on.connect()
    ann.took()
    await ann.say("increment")
    assert ann.types() == ["room.patch"]


async def test_a_fan_out_crosses_the_link_once_for_all_who_see_the_same() -> None:
    on = await stage()
    tabs = [await on.connect(f"v{n}") for n in range(5)]
    on.told.clear()
    await tabs[0].say("increment")
    assert len(on.fanouts()) == 1
    assert all(tab.view["context"] == {"count": 1} for tab in tabs)


async def test_events_of_one_moment_are_one_commit_and_one_frame() -> None:  # [TURN1]
    on = await stage()
    ann = await on.connect()
    ann.took()
    for seq in range(1, 11):
        ann.put({"type": "room.send", "seq": seq, "event": {"type": "increment"}})
    await on.settle()
    assert ann.types() == ["room.patch"] + ["room.outcome"] * 10
    assert ann.view["context"] == {"count": 10}
    assert [(commit.prev, commit.new) for commit in on.store.commits] == [(0, 10)]


async def test_more_than_a_turn_holds_is_done_in_several() -> None:
    on = await stage()
    ann = await on.connect()
    for _ in range(200):
        ann.put({"type": "increment"})
    await on.settle()
    assert ann.view["context"] == {"count": 200}
    spans = [(commit.prev, commit.new) for commit in on.store.commits]
    assert spans[0] == (0, MAX_EVENTS)
    assert all(before[1] == after[0] for before, after in pairwise(spans))
    assert spans[-1][1] == 200


# ------------------------------------------------------------------ outcomes


async def test_an_event_that_nobody_takes_is_ignored_and_makes_no_revision() -> None:
    # [SEND2] [TURN2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    for type in ("nonsense", "forbidden"):
        seq = await ann.send(type)
        assert ann.outcome(seq)["outcome"] == "ignored"
    record = await on.record()
    assert record is not None
    assert record.revision == 1


async def test_the_authors_no_rejects_with_the_reason() -> None:  # [SEND7]
    on = await stage()
    watcher = await on.connect("wim", role="spectator")
    seq = await watcher.send("increment")
    assert watcher.outcome(seq)["reason"] == "spectators only watch"
    ann = await on.connect("ann")
    seq = await ann.send("secret")
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert ann.view["context"] == {"count": 0}


async def test_a_refused_plain_event_gets_an_error_and_the_connection_stays() -> None:  # [DOOR10]
    on = await stage()
    watcher = await on.connect("wim", role="spectator")
    watcher.took()
    await watcher.say("increment")
    (error,) = watcher.took()
    assert (error["type"], error["code"]) == ("room.error", "forbidden")
    assert watcher.closing is None


@pytest.mark.parametrize("type", ["broken", "guarded"])
async def test_an_exception_drops_the_whole_step_and_the_room_goes_on(
    type: str, caplog: pytest.LogCaptureFixture
) -> None:  # [SEND8]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    seq = await ann.send(type)
    outcome = ann.outcome(seq)
    assert outcome["outcome"] == "rejected"
    assert "secret" not in outcome["reason"]
    assert "secret of the stack" in caplog.text
    assert "Traceback" not in caplog.text
    await ann.send("increment")
    assert ann.view["context"] == {"count": 2}


async def test_a_room_that_is_done_shows_its_view_and_rejects() -> None:  # [SEND9]
    on = await stage()
    ann = await on.connect()
    await ann.send("finish")
    assert ann.view["status"] == "done"
    seq = await ann.send("increment")
    assert ann.outcome(seq)["reason"] == "this room is done"
    ben = await on.connect("ben")
    assert ben.view["value"] == "closed"


async def test_what_the_machine_replies_is_the_result() -> None:  # [SEND10]
    on = await stage()
    ann = await on.connect()
    seq = await ann.send("ask", by=5)
    assert ann.outcome(seq)["result"] == {"count": 5}


async def test_an_event_that_fails_its_schema_is_rejected() -> None:  # [DOOR7] [DOOR9]
    on = await stage(Strict)
    ann = await on.connect()
    ann.took()
    wrong: list[dict[str, Any]] = [{"by": "1"}, {"by": 1, "more": 2}, {}]
    for seq, fields in enumerate(wrong, start=1):
        await ann.send("add", seq=seq, **fields)
        error, outcome = ann.took()
        assert (error["type"], error["code"], error["seq"]) == ("room.error", "schema", seq)
        assert (outcome["type"], outcome["outcome"]) == ("room.outcome", "rejected")
    await ann.say("add", by=None)
    (error,) = ann.took()
    assert error["code"] == "schema"
    assert "seq" not in error
    await ann.send("add", seq=4, by=2)
    assert ann.view["context"] == {"count": 2}


async def test_a_view_that_isnt_json_leaves_everybody_with_what_they_see(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Counter):
        def view(self, snapshot: Any, viewer: Any) -> Any:
            count = snapshot.context["count"]
            return {"context": {"count": {count} if count == 1 else count}}

    on = await stage(Odd)
    ann = await on.connect()
    await ann.send("increment")
    assert ann.view["context"] == {"count": 0}
    assert ann.outcomes() == [(1, "accepted")]
    await ann.send("increment")
    assert ann.view["context"] == {"count": 2}


async def test_the_sender_is_stamped() -> None:  # [ID5]
    seen: list[Any] = []

    class Sees(Counter):
        def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> bool | str:
            seen.append(("sender" in event, viewer.id))
            return True

    on = await stage(Sees)
    ann = await on.connect("ann")
    await ann.send("noted")
    assert seen == [(False, "ann")]
    assert machines.SENDERS == ["ann"]


async def test_an_event_for_a_child_needs_the_authors_yes() -> None:  # [SEND7]
    on = await stage(Parent)
    ann, ben = await on.connect("ann"), await on.connect("ben")
    for tab, seq, child, outcome in (
        (ann, 1, "one", "accepted"),
        (ann, 2, "two", "rejected"),
        (ben, 1, "one", "rejected"),
    ):
        event = {"type": "score"}
        tab.put({"type": "room.send_to", "seq": seq, "child": child, "event": event})
        await on.settle()
        assert tab.outcome(seq)["outcome"] == outcome
    await ann.send("shout", seq=3)
    ann.put({"type": "room.send_to", "seq": 4, "child": "one", "event": {"type": "shout"}})
    await on.settle()
    assert [m["event"] for m in ann.inbox if m["type"] == "room.emitted"] == [{"type": "mine"}]
    assert ann.view["children"]["one"]["context"] == {"score": 1}


async def test_nobody_sends_to_children_unless_the_author_says_so() -> None:  # [SEND7]
    class Closed(Counter):
        machine = machines.PARENT

    on = await stage(Closed)
    ann = await on.connect("ann")
    ann.put({"type": "room.send_to", "seq": 1, "child": "one", "event": {"type": "score"}})
    await on.settle()
    assert ann.outcome(1)["outcome"] == "rejected"


async def test_views_per_viewer_are_told_apart() -> None:
    on = await stage(Private)
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.say("increment")
    assert ann.view["context"] == {"count": 1, "you": "ann"}
    assert ben.view["context"] == {"count": 1, "you": "ben"}


async def test_a_view_that_raises_concerns_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    class Picky(Counter):
        def view(self, snapshot: Any, viewer: Any) -> Any:
            if viewer.id == "bad" and snapshot.context["count"]:
                raise ValueError("no")
            return {"context": snapshot.context}

    on = await stage(Picky)
    ann, bad = await on.connect("ann"), await on.connect("bad")
    bad.took()
    seq = await ann.send("increment")
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert bad.took() == [], "it keeps what it saw"
    assert on.store.calls["acquire"] == 1, "the room goes on"
    late = await on.connect("bad")
    assert late.closing is not None
    assert late.closing.code == CloseCode.OVERLOADED


async def test_a_views_deadlines_have_names() -> None:
    on = await stage(Clock)
    ann = await on.connect()
    await ann.say("start")
    assert ann.view["timers"] == {"clock.running": on.loop.now() + 60_000}


# ------------------------------------------------------------------ the gate


async def test_nothing_leaves_a_room_before_it_is_stored() -> None:  # [TURN3]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    ann.took(), ben.took()
    with on.store.holding():
        await ann.send("noted")
        await ann.send("nonsense")
        late = await on.connect("cyd")
        look = on.ask("GET")
        await on.settle()
        assert ann.took() == ben.took() == late.took() == []
        assert look() is None
        assert machines.DONE == []
        assert await on.record() is None
    await on.settle()
    assert machines.DONE == [("noted", 1)]
    assert ann.outcomes() == [(1, "accepted"), (2, "ignored")]
    assert late.view["context"] == ann.view["context"] == {"count": 1}
    assert look() is not None


async def test_while_a_commit_is_written_the_next_turns_run() -> None:
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        for _ in range(10):
            await ann.send("increment")
        assert ann.outcomes() == []
    await on.settle()
    assert [outcome for _, outcome in ann.outcomes()] == ["accepted"] * 10
    assert ann.view["context"] == {"count": 10}
    assert len(on.store.commits) < 10


async def test_a_view_shows_no_more_than_is_stored() -> None:  # [TURN3]
    on = await stage()
    ann = await on.connect()
    with ExitStack() as later:
        with on.store.answering_late():
            await ann.send("increment")
            later.enter_context(on.store.holding())
            await ann.send("increment")
        await on.settle()
        assert ann.outcomes() == [(1, "accepted")]
        assert ann.view["context"] == {"count": 1}
        ben = await on.connect("ben")
        assert ben.took() == []
    await on.settle()
    assert ann.view["context"] == ben.view["context"] == {"count": 2}


async def test_commits_are_answered_in_their_order() -> None:  # [TURN3]
    on = await stage()
    ann = await on.connect()
    ann.took()
    with on.store.answering_late():
        await ann.send("noted")
        await ann.send("increment")
        assert len(on.store.commits) == 2, "the second is written while the first isn't answered"
        assert ann.took() == []
        assert machines.DONE == []
    await on.settle()
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert machines.DONE == [("noted", 1)]


async def test_effects_see_the_snapshot_of_their_place() -> None:  # [TURN4]
    on = await stage()
    ann = await on.connect()
    for seq in range(1, 4):
        ann.put({"type": "room.send", "seq": seq, "event": {"type": "noted"}})
    await on.settle()
    assert machines.DONE == [("noted", 1), ("noted", 2), ("noted", 3)]
    assert machines.SEEN == [1, 2, 3]


async def test_an_action_that_throws_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    # [TURN4]
    on = await stage()
    ann = await on.connect()
    seq = await ann.send("thrown")
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert machines.DONE == [("thrown", 1)]
    assert "secret of the stack" in caplog.text


async def test_an_emitted_event_follows_the_frame_of_its_revision() -> None:  # [VIEW9]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    ann.took(), ben.took()
    await ann.send("shout")
    assert ben.types() == ["room.patch", "room.emitted"]
    assert [m["type"] for m in ann.inbox] == ["room.patch", "room.emitted", "room.outcome"]
    assert ann.inbox[1]["event"] == {"type": "shouted", "count": 1}


async def test_at_level_memory_nothing_waits_and_sleep_stores() -> None:
    on = await stage(Volatile)
    ann = await on.connect()
    with on.store.holding():
        seq = await ann.send("increment")
        assert ann.outcome(seq)["outcome"] == "accepted"
    assert await on.record() is None
    await on.advance(30_000)
    assert not on.awake()
    assert (await on.stored())["context"] == {"count": 1}


@pytest.mark.parametrize(
    ("level", "durable", "replicas"),
    [("fsync", True, 0), ("primary", False, 0), (replicated(2), False, 2)],
)
async def test_a_commit_says_how_durable_it_has_to_be(
    level: Any, durable: bool, replicas: int
) -> None:  # [STORE8]
    class Kind(Counter):
        durability = level

    on = await stage(Kind)
    ann = await on.connect()
    await ann.say("increment")
    said = [(commit.durable, commit.replicas) for commit in on.store.commits]
    assert said == [(durable, replicas)]


@pytest.mark.parametrize("level", ["replicated", "replicated(1)", 1, None])
def test_a_durability_is_one_of_the_levels(level: Any) -> None:
    with pytest.raises(UsageError, match=r"durability is .* take .* or fsync or replicated"):
        type("Kind", (Counter,), {"durability": level})


@pytest.mark.parametrize("replicas", [0, -1, True, "1", 1.5])
def test_replicas_are_counted_from_one(replicas: Any) -> None:
    with pytest.raises(UsageError, match="take how many replicas, from 1"):
        replicated(replicas)


# ------------------------------------------------------------------ commits that fail


@pytest.mark.parametrize("written", [False, True])
async def test_an_unknown_outcome_drops_the_room_and_each_event_is_applied_once(
    written: bool,
) -> None:  # [TURN5] [SEND3]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("noted")
    machines.DONE.clear()
    on.store.fail_next(written=written)
    seq = await ann.send("noted")
    await ann.send("increment")
    assert ann.view["context"] == ben.view["context"] == {"count": 3}
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted"), (3, "accepted")]
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert (await on.stored())["context"] == {"count": 3}
    assert ann.closing is None


async def test_all_that_follows_a_failed_commit_fails_with_it() -> None:  # [TURN5]
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        on.store.fail_next(written=False, error=StoreError("disk full"))
        for _ in range(4):
            await ann.send("noted")
        looks = [on.ask("POST", body={"type": "noted"}) for _ in range(2)]
        await on.settle()
    await on.settle()
    assert ann.outcomes() == [(seq, "accepted") for seq in range(1, 5)]
    assert ann.view["context"] == {"count": 4}
    assert [count for _, count in machines.DONE] == [1, 2, 3, 4]
    assert [answer.status for look in looks if (answer := look())] == [503, 503]


async def test_a_room_of_somebody_else_is_let_go() -> None:
    """Its session was deleted under it: what follows is another one."""
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.inner.delete(SessionId("counter", "x"))
    seq = await ann.send("noted")
    await on.settle()
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert ann.view["context"] == {"count": 1}, "the former session is gone, and its count"
    assert machines.DONE == [("noted", 1)]


async def test_a_state_that_cant_be_stored_is_one_events_fault() -> None:  # [SEND8]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ben.send("increment")
    for seq, type in enumerate(("increment", "spoilt", "increment"), start=1):
        ann.put({"type": "room.send", "seq": seq, "event": {"type": type}})
    await on.settle()
    await on.advance(1_000)
    assert [outcome for _, outcome in ann.outcomes()] == ["accepted", "rejected", "accepted"]
    assert ann.view["context"] == ben.view["context"] == {"count": 3}
    assert (await on.stored())["context"] == {"count": 3}


async def test_too_much_at_once_is_refused_only_where_it_is_sent_plainly() -> None:  # [SEND6]
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        for _ in range(1_500):
            ann.put({"type": "increment"})
        ann.put({"type": "room.send", "seq": 1, "event": {"type": "increment"}})
        await on.settle()
    await on.settle()
    errors = [m for m in ann.inbox if m["type"] == "room.error"]
    assert errors
    assert {error["code"] for error in errors} == {"busy"}
    assert ann.outcomes() == [(1, "accepted")]
    assert ann.view["context"] == {"count": 1_501 - len(errors)}


async def test_every_fan_out_says_what_it_follows() -> None:
    on = await stage()
    ann = await on.connect()
    on.told.clear()
    await ann.say("increment")
    await ann.say("increment")
    first, second = [m for m in on.told if isinstance(m, Fanout)]
    assert first.cursor == second.base
