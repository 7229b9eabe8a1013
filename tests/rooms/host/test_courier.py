"""Durable effects in a room: written with their transition, performed after it, at least once."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from rooms.host import outbox
from rooms.host.outbox import shown
from rooms.store.port import SessionId
from tests.rooms.host import effects
from tests.rooms.host.effects import CALLS, Deaf, Eager, Parent, Shop, VolatileShop
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room
    from tests.rooms.host.stage import Tab

AT = "shop/x"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()


async def stage(kind: type[Room] = Shop) -> Stage:
    return await Stage(shop=kind).start()


async def opened(kind: type[Room] = Shop) -> tuple[Stage, Tab]:
    on = await stage(kind)
    return on, await on.connect(room=AT)


async def dead(on: Stage) -> list[Any]:
    record = await on.record(AT)
    assert record is not None
    return [entry for entry in shown(record.outbox) if entry["dead"] is not None]


async def owed(on: Stage) -> list[Any]:
    record = await on.record(AT)
    assert record is not None
    return [entry for entry in shown(record.outbox) if entry["dead"] is None]


# ------------------------------------------------------------------ when


async def test_it_is_written_with_its_transition_and_performed_after_the_commit() -> None:
    # [OUTBOX1]
    on, ann = await opened()
    with on.store.holding():
        await ann.send("buy", n=1)
        assert CALLS == []
    await on.settle()
    (commit,) = on.store.commits
    assert commit.snapshot is not None
    assert [json.loads(blob)["name"] for key, blob in commit.outbox.items() if key and blob] == [
        "charge"
    ]
    (call,) = CALLS
    assert (call.name, call.params) == ("charge", {"n": 1})
    assert call.attempt.number == 1


async def test_what_was_never_stored_is_never_performed() -> None:  # [OUTBOX1]
    on, ann = await opened()
    on.store.fail_next(written=False)
    await ann.send("buy", n=1)
    await on.advance(5_000)
    assert [call.params for call in CALLS] == [{"n": 1}]  # said again by the router, after the drop
    assert len(await owed(on)) == 1


async def test_the_machine_hears_of_it_in_the_turn_that_takes_it_out() -> None:  # [OUTBOX6]
    on, ann = await opened()
    await ann.send("buy", n=1)
    on.store.commits.clear()
    CALLS[0].end.set_result({"paid": True})
    await on.settle()
    (commit,) = on.store.commits
    assert list(commit.outbox.values()) == [None]
    assert commit.snapshot is not None
    heard = json.loads(commit.snapshot)["context"]["heard"]
    assert heard == [
        {
            "type": "room.effect.done",
            "name": "charge",
            "params": {"n": 1},
            "output": {"paid": True},
        }
    ]
    assert ann.view["context"]["heard"] == heard


async def test_who_doesnt_name_it_isnt_told() -> None:  # [OUTBOX6]
    on, ann = await opened(Deaf)
    await ann.send("buy")
    CALLS[0].end.set_result(1)
    await on.settle()
    assert ann.view["context"] == {"other": []}
    assert await owed(on) == []
    await ann.send("something")
    assert ann.view["context"] == {"other": ["something"]}


async def test_a_child_that_declared_it_is_told() -> None:  # [OUTBOX6]
    on, ann = await opened(Parent)
    ann.put({"type": "room.send_to", "seq": 1, "child": "one", "event": {"type": "buy", "n": 3}})
    await on.settle()
    CALLS[0].end.set_result("paid")
    await on.settle()
    (heard,) = ann.view["children"]["one"]["context"]["heard"]
    assert heard["output"] == "paid"


async def test_a_client_cant_say_what_became_of_an_effect() -> None:  # [DOOR4]
    ann = (await opened())[1]
    await ann.send("buy")
    seq = await ann.send("room.effect.done", name="charge", key="1", output="free")
    assert ann.outcome(seq)["outcome"] == "rejected"


async def test_effects_of_the_initial_state_wait_for_the_first_commit() -> None:  # [OUTBOX8]
    on, ann = await opened(Eager)
    await on.advance(5_000)
    assert CALLS == []
    await ann.send("note")
    assert [call.params for call in CALLS] == [{"n": 0}]
    assert len(await owed(on)) == 1


async def test_what_waits_for_the_first_commit_keeps_no_room_awake() -> None:  # [SLEEP1] [OUTBOX8]
    on, ann = await opened(Eager)
    await ann.leave()
    await on.advance(12_000)
    assert not on.awake(AT)


async def test_a_room_in_memory_stores_what_it_owes() -> None:  # [OUTBOX9]
    on, ann = await opened(VolatileShop)
    await ann.send("note")
    assert on.store.commits == []
    await ann.send("buy", n=1)
    assert len(on.store.commits) == 1
    await on.crash()
    await on.advance(2_000)
    assert [call.attempt.key for call in CALLS] == [CALLS[0].attempt.key] * 2
    CALLS[1].end.set_result(1)
    await on.settle()
    assert await owed(on) == []


# ------------------------------------------------------------------ what can't be


@pytest.mark.parametrize("type", ["spoil", "huge", "steal"])
async def test_an_effect_that_cant_be_fails_its_event(type: str) -> None:  # [OUTBOX7]
    ann = (await opened())[1]
    seq = await ann.send(type)
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert "x" not in ann.view["context"]
    assert CALLS == []


async def test_too_many_that_wait_fail_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # [OUTBOX7]
    monkeypatch.setattr(outbox, "MAX_WAITING", 2)
    on, ann = await opened()
    for n in range(3):
        await ann.send("buy", n=n)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted"), (3, "rejected")]
    CALLS[0].end.set_result(1)
    await on.settle()
    await ann.send("buy", n=4)
    assert ann.outcomes()[-1] == (4, "accepted")


async def test_what_isnt_json_is_no_output() -> None:
    on, ann = await opened()
    await ann.send("buy")
    CALLS[0].end.set_result({1, 2})
    await on.settle()
    (entry,) = await owed(on)
    assert "not JSON serializable" in entry["error"]


# ------------------------------------------------------------------ order


async def test_those_of_one_name_go_in_order_and_dont_wait_for_others() -> None:  # [OUTBOX3]
    on, ann = await opened()
    for type, n in (("buy", 1), ("ship", None), ("buy", 2)):
        await ann.send(type, n=n)
    assert [call.name for call in CALLS] == ["charge", "ship"]
    with on.store.holding():
        CALLS[0].end.set_result(1)
        await on.settle()
        assert len(CALLS) == 2  # until it is stored that the first one was performed
    await on.settle()
    assert CALLS[2].params == {"n": 2}


async def test_the_next_waits_while_one_is_tried_again() -> None:  # [OUTBOX3] [OUTBOX4]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await ann.send("buy", n=2)
    CALLS[0].end.set_exception(OSError("the line is busy"))
    await on.settle()
    assert len(CALLS) == 1
    await on.advance(499)
    assert len(CALLS) == 1
    await on.advance(501)
    assert [call.params for call in CALLS] == [{"n": 1}, {"n": 1}]
    assert [call.attempt.number for call in CALLS] == [1, 2]
    assert CALLS[0].attempt.key == CALLS[1].attempt.key
    CALLS[1].end.set_result(1)
    await on.settle()
    assert CALLS[2].params == {"n": 2}
    assert CALLS[2].attempt.key != CALLS[1].attempt.key


# ------------------------------------------------------------------ sleep, crash


async def test_a_room_sleeps_until_the_next_attempt_is_due() -> None:  # [OUTBOX1] [SLEEP2]
    on, ann = await opened()
    await ann.send("buy", n=1)
    for attempt in range(6):  # then it is half a minute or more until the next
        await on.advance(40_000)
        CALLS[attempt].end.set_exception(OSError("busy"))
        await on.settle()
    record = await on.record(AT)
    assert record is not None
    assert record.due is not None
    await on.advance(12_000)
    assert not on.awake(AT)
    await on.advance(record.due - on.now() - 1)
    assert not on.awake(AT)
    await on.advance(1)
    assert [call.attempt.number for call in CALLS] == [1, 2, 3, 4, 5, 6, 7]
    assert CALLS[6].attempt.epoch > CALLS[0].attempt.epoch
    CALLS[6].end.set_result("at last")
    await on.settle()
    assert ann.view["context"]["heard"][0]["output"] == "at last"


async def test_a_running_effect_keeps_its_room_awake() -> None:  # [SLEEP1]
    on, ann = await opened()
    await ann.send("buy")
    await on.advance(60_000)
    assert on.awake(AT)
    CALLS[0].end.set_result(1)
    await on.advance(20_000)
    assert not on.awake(AT)


async def test_after_a_crash_it_is_performed_again_under_its_key() -> None:  # [OUTBOX2] [OUTBOX4]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await ann.send("ship")
    await on.crash()
    await on.advance(1_000)
    assert sorted((call.name, call.attempt.number) for call in CALLS) == [
        ("charge", 1), ("charge", 2), ("ship", 1), ("ship", 2),
    ]  # fmt: skip
    keys = {call.name: call.attempt.key for call in CALLS[:2]}
    assert {call.name: call.attempt.key for call in CALLS[2:]} == keys
    assert CALLS[2].attempt.epoch > CALLS[0].attempt.epoch


async def test_a_crash_between_the_end_and_its_commit_tells_the_machine_once() -> None:
    # [OUTBOX6]
    on, ann = await opened()
    await ann.send("buy", n=1)
    with on.store.holding():
        CALLS[0].end.set_result("first")
        await on.settle()
        await on.crash()
    await on.advance(1_000)
    CALLS[1].end.set_result("second")
    await on.settle()
    again = await on.connect(room=AT, client=ann.client)
    assert [event["output"] for event in again.view["context"]["heard"]] == ["second"]


async def test_dropping_a_room_ends_its_attempts() -> None:  # [INVOKE3]
    on, ann = await opened()
    await ann.send("buy", n=1)
    on.store.fail_next(written=False)
    await ann.send("note")
    assert CALLS[0].end.cancelled()
    await on.advance(1_000)
    assert [call.attempt.number for call in CALLS] == [1, 2]


async def test_an_attempt_that_a_restart_ended_counts() -> None:  # [OUTBOX4]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await on.restart()
    await on.settle()
    assert [call.attempt.number for call in CALLS] == [1, 2]


async def test_one_that_brings_its_host_down_doesnt_for_ever() -> None:  # [OUTBOX4] [OUTBOX5]
    on, ann = await opened()
    await ann.send("buy", n=1)
    for _ in range(12):
        await on.crash()
        await on.advance(400_000)
    assert len(CALLS) == 8
    (entry,) = await dead(on)
    assert entry["attempts"] == 8
    assert "interrupted" in entry["error"]


async def test_no_other_generation_has_its_keys() -> None:  # [OUTBOX2]
    on, ann = await opened()
    await ann.send("buy", n=1)
    CALLS[0].end.set_result(1)
    await on.advance(30_000)
    await on.inner.delete(SessionId("shop", "x"))
    await ann.send("buy", n=1)
    assert len({call.attempt.key for call in CALLS}) == len(CALLS) == 2


async def test_what_a_store_has_lost_leaves_its_keys_behind() -> None:  # [OUTBOX2]
    on, ann = await opened()
    await ann.send("note")
    before = copy.deepcopy(on.inner._rows[SessionId("shop", "x")])
    await ann.send("buy", n=1)
    await on.crash()
    on.inner._rows[SessionId("shop", "x")] = before  # a replica was promoted that hadn't heard
    await on.advance(20_000)
    again = await on.connect(room=AT)
    await again.send("buy", n=2)
    assert [call.params for call in CALLS] == [{"n": 1}, {"n": 2}]
    assert CALLS[0].attempt.key != CALLS[1].attempt.key


async def test_a_dropped_room_cancels_its_attempts() -> None:
    on, ann = await opened()
    await ann.send("buy", n=1)
    on.store.fail_next(written=False)
    await ann.send("note")
    await on.settle()
    assert CALLS[0].end.cancelled()
    await on.advance(1_000)
    assert [call.attempt.number for call in CALLS] == [1, 2]


async def test_an_effect_whose_result_comes_as_the_room_is_done_is_settled() -> None:
    on, ann = await opened()
    await ann.send("buy", n=1)
    await ann.send("close")
    CALLS[0].end.set_result(1)
    await on.settle()
    assert await owed(on) == []
    assert await dead(on) == []


# ------------------------------------------------------------------ dead letters


async def fails(on: Stage, times: int) -> None:
    for _ in range(times):
        CALLS[-1].end.set_exception(OSError("busy"))
        await on.advance(400_000)


async def test_after_eight_attempts_it_is_a_dead_letter_and_the_next_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # [OUTBOX5] [OUTBOX6]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await ann.send("buy", n=2)
    await fails(on, 7)
    assert await dead(on) == []
    await fails(on, 1)
    (entry,) = await dead(on)
    assert (entry["name"], entry["params"], entry["attempts"]) == ("charge", {"n": 1}, 8)
    assert entry["error"] == "OSError: busy"
    [told] = [line for line in caplog.messages if "failed for good" in line]
    assert re.search(r"OSError: busy \(`rooms retry \w+/\w+` tries it again\)$", told)
    assert CALLS[-1].params == {"n": 2}
    (heard,) = ann.view["context"]["heard"]
    assert heard == {
        "type": "room.effect.failed",
        "name": "charge",
        "params": {"n": 1},
        "error": "OSError: busy",
    }
    await on.crash()
    await on.advance(1_000)
    assert await dead(on) == [entry]


async def test_a_dead_letter_wakes_nobody() -> None:
    on, ann = await opened()
    await ann.send("buy", n=1)
    await fails(on, 8)
    assert not on.awake(AT)
    record = await on.record(AT)
    assert record is not None
    assert record.due is None


async def test_an_operator_may_have_it_tried_again_under_its_key() -> None:  # [OUTBOX5]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await fails(on, 8)
    assert await on.operated("POST", AT, "/retry") == (200, {"retried": 1})
    assert await dead(on) == []
    assert CALLS[-1].attempt.key == CALLS[0].attempt.key
    CALLS[-1].end.set_result("late")
    await on.settle()
    assert ann.view["context"]["heard"][-1]["output"] == "late"


async def test_of_too_many_dead_letters_the_newest_stay(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:  # [OUTBOX5]
    monkeypatch.setattr(outbox, "MAX_WAITING", 2)
    monkeypatch.setattr(Shop, "effect_attempts", 1)
    on, ann = await opened()
    for n in range(3):
        await ann.send("buy", n=n)
        CALLS[-1].end.set_exception(OSError("busy"))
        await on.settle()
    assert [entry["params"]["n"] for entry in await dead(on)] == [1, 2]
    assert "too many" in caplog.text


async def test_what_its_handling_raises_fails_the_attempt() -> None:  # [OUTBOX6]
    on, ann = await opened()
    await ann.send("buy", n=1)
    CALLS[0].end.set_result("bad")
    await on.settle()
    (entry,) = await owed(on)
    assert "no use for that" in entry["error"]
    await on.advance(1_000)
    CALLS[1].end.set_result("good")
    await on.settle()
    assert [event["output"] for event in ann.view["context"]["heard"]] == ["good"]
    assert await owed(on) == []


async def test_an_effect_that_the_author_has_taken_away_fails() -> None:
    on, ann = await opened()
    await ann.send("ship")

    class Smaller(Shop):
        effects: ClassVar[Any] = {"charge": effects.performs("charge")}

    on.kinds = {"shop": Smaller}
    await on.crash()
    await on.advance(1_000)
    (entry,) = await owed(on)
    assert entry["error"] == "the room has no effect 'ship'"


async def test_what_an_operator_sees_and_retries() -> None:  # [ADMIN8] [OUTBOX5]
    on, ann = await opened()
    await ann.send("buy", n=1)
    await fails(on, 8)
    assert not on.awake(AT)
    status, shown_to_them = await on.operated("GET", AT)
    assert status == 200
    (entry,) = shown_to_them["outbox"]
    assert (entry["name"], entry["error"]) == ("charge", "OSError: busy")
    other = await on.operated("POST", AT, "/retry", params={"name": "ship"})
    assert other == (200, {"retried": 0})
    its_own = await on.operated("POST", AT, "/retry", params={"name": "charge"})
    assert its_own == (200, {"retried": 1})
    assert await on.operated("POST", AT, "/retry") == (200, {"retried": 0})
    assert (await on.operated("POST", "shop/none", "/retry"))[0] == 404
    assert (await on.operated("POST", "none/x", "/retry"))[0] == 422


async def test_one_that_waits_through_crashes_keeps_its_attempts() -> None:  # [OUTBOX4]
    on, ann = await opened()
    await ann.send("buy", n=1)
    for attempt in range(5):  # then it is at least 8 s until the next
        CALLS[attempt].end.set_exception(OSError("busy"))
        await on.advance(20_000 if attempt < 4 else 0)
    for _ in range(3):
        await on.crash()
        await on.advance(1_000)
    await on.advance(20_000)
    assert [call.attempt.number for call in CALLS] == [1, 2, 3, 4, 5, 6]
