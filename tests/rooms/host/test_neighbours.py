"""From room to room: exactly once in effect, in order, by a sender nobody else can be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from rooms.definition import Room
from rooms.errors import CloseCode, Closing
from rooms.host import marks
from rooms.host.neighbours import Letter
from rooms.host.outbox import shown
from rooms.store.port import HostInfo, SessionId
from tests.clock import step
from tests.rooms.host.effects import Mute, Peer
from tests.rooms.host.machines import Strict
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.host.marks import Outcome
    from tests.rooms.host.stage import Tab

A, B = "peer/a", "peer/b"


async def stage(**more: Any) -> tuple[Stage, Tab]:
    """Two rooms, and somebody in the first."""
    on = await Stage(peer=Peer, **more).start()
    return on, await on.connect(room=A)


async def tell(ann: Tab, n: int, to: str = "b", kind: str = "peer") -> None:
    await ann.send("tell", n=n, to=to, kind=kind)


async def log(on: Stage, room: str = B) -> list[Any]:
    if await on.record(room) is None:
        return []
    entries: list[Any] = (await on.stored(room))["context"]["log"]
    return [n for _, n in entries]


async def outbox(on: Stage, room: str = A) -> list[Any]:
    record = await on.record(room)
    assert record is not None
    return shown(record.outbox)


async def test_it_makes_the_other_session_and_says_who_sent_it() -> None:
    # [ROOM1] [ROOM3] [ROOM5] [NAME3]
    on, ann = await stage()
    await tell(ann, 1)
    assert (await on.stored(B))["context"]["log"] == [["room:peer/a", 1]]
    assert await outbox(on) == []


async def test_what_isnt_stored_here_doesnt_arrive_there() -> None:  # [ROOM1]
    on, ann = await stage()
    with on.store.holding():
        await tell(ann, 1)
        assert not on.awake(B)
    await on.settle()
    assert await log(on) == [1]


async def test_the_sender_hears_what_was_answered() -> None:  # [ROOM4]
    _, ann = await stage()
    await tell(ann, 7)
    (heard,) = ann.view["context"]["heard"]
    assert heard == {
        "type": "room.effect.done",
        "name": "send_to_room",
        "params": {"kind": "peer", "session": "b", "event": {"type": "hello", "n": 7}},
        "output": 1,
    }


async def test_it_wakes_a_sleeping_room() -> None:  # [ROOM5]
    on, ann = await stage()
    await tell(ann, 1)
    await on.advance(30_000)
    assert not on.awake(A)
    assert not on.awake(B)
    await tell(ann, 2)
    assert await log(on) == [1, 2]


async def test_a_rejection_is_told_and_not_tried_again() -> None:  # [ROOM4]
    on, _ = await stage()
    stranger = await on.connect(room="peer/stranger")
    await tell(stranger, 1)
    (heard,) = stranger.view["context"]["heard"]
    assert (heard["type"], heard["error"]) == ("room.effect.failed", "we don't know them")
    assert await log(on) == []
    assert await outbox(on, "peer/stranger") == []


async def test_a_rejection_that_nobody_hears_is_a_dead_letter() -> None:  # [ROOM4] [OUTBOX5]
    on, _ = await stage(mute=Mute)
    stranger = await on.connect(room="mute/stranger")
    await stranger.send("tell", n=1)
    (entry,) = await outbox(on, "mute/stranger")
    assert (entry["dead"], entry["error"]) == (on.now(), "we don't know them")


async def test_it_passes_the_other_machines_schema() -> None:  # [ROOM4]
    on, ann = await stage(strict=Strict)
    await tell(ann, 1, kind="strict")
    (heard,) = ann.view["context"]["heard"]
    assert heard["type"] == "room.effect.failed"
    assert "hello" in heard["error"]
    assert await on.record("strict/b") is None


@pytest.mark.parametrize(
    ("to", "kind"), [("b", "no kind"), ("b", 7), ("", "peer"), ("x" * 200, "peer"), (None, "peer")]
)
async def test_a_name_that_cant_be_fails_its_event(to: Any, kind: Any) -> None:  # [OUTBOX7]
    on, ann = await stage()
    await ann.send("tell", n=1, to=to, kind=kind)
    assert ann.outcomes() == [(1, "rejected")]
    assert await on.record(A) is None


async def test_a_kind_that_isnt_there_is_a_dead_letter_in_the_end() -> None:  # [ROOM4] [OUTBOX5]
    on, ann = await stage()
    await tell(ann, 1, kind="nobody")
    await on.advance(600_000)
    (entry,) = await outbox(on)
    assert entry["dead"] is not None
    assert ann.view["context"]["heard"][0]["error"] == "there is no kind 'nobody'"


async def test_a_room_may_send_to_itself() -> None:
    on, ann = await stage()
    await tell(ann, 1, to="a")
    assert ann.view["context"]["log"] == [["room:peer/a", 1]]
    assert await outbox(on) == []


# ------------------------------------------------------------------ exactly once


@pytest.mark.parametrize("steps", range(12))
async def test_a_crash_at_any_step_loses_nothing_and_repeats_nothing(steps: int) -> None:
    # [ROOM1] [ROOM2]
    on, ann = await stage()
    for n in range(3):
        ann.put({"type": "room.send", "seq": n + 1, "event": {"type": "tell", "n": n, "to": "b"}})
    for _ in range(steps * 2):
        await step()
    await on.crash()
    await on.settle()
    again = await on.connect(room=A, client=ann.client)
    for n in range(3):
        again.put({"type": "room.send", "seq": n + 1, "event": {"type": "tell", "n": n, "to": "b"}})
    await on.advance(5_000)
    assert await log(on) == [0, 1, 2]
    assert [heard["params"]["event"]["n"] for heard in again.view["context"]["heard"]] == [0, 1, 2]


async def test_a_repeat_is_answered_from_the_mark() -> None:  # [ROOM1] [SEND3]
    on, ann = await stage()
    await tell(ann, 1)
    record = await on.record(A)
    assert record is not None
    event = {"type": "hello", "n": 1}
    seq = int(record.outbox[""])  # the number of the letter that it has sent
    letter = Letter(SessionId("peer", "a"), record.generation, seq, on.now(), event)
    outcome = await delivered(on, letter)
    assert (outcome.word, outcome.result) == ("accepted", 1)
    assert await log(on) == [1]


async def test_one_letter_at_a_time_between_two_rooms() -> None:  # [ROOM2]
    on, ann = await stage()
    with on.store.holding("acquire"):
        for n in range(3):
            await tell(ann, n)
    await on.settle()
    assert await log(on) == [0, 1, 2]
    assert await outbox(on) == []


async def test_another_room_isnt_waited_for() -> None:  # [ROOM2]
    on, ann = await stage()
    await tell(ann, 0, kind="nobody")
    await tell(ann, 1)
    assert await log(on) == [1]


async def test_a_room_out_of_reach_is_tried_for_as_long_as_it_takes() -> None:  # [ROOM6]
    on, ann = await stage()
    theirs = HostInfo("theirs", "", {}, 0)
    await on.inner.heartbeat(theirs, 2_000_000)
    await on.inner.acquire(SessionId("peer", "b"), "theirs")
    await tell(ann, 1)
    await on.advance(1_000_000)
    (entry,) = await outbox(on)
    assert (entry["attempts"], entry["dead"]) == (0, None)
    assert entry["error"] == "whoever has this room doesn't answer"
    assert len(on.routing._requests._asked) <= 1  # the router doesn't try for ever
    await on.inner.retire("theirs")
    await on.advance(60_000)
    assert await log(on) == [1]


async def test_a_receiver_that_crashed_in_memory_goes_on_with_the_next() -> None:
    class Careless(Peer):
        durability = "memory"

    on, ann = await stage(careless=Careless)
    await tell(ann, 1, kind="careless")
    await on.crash()
    again = await on.connect(room=A, client=ann.client)
    await again.send("tell", seq=2, n=2, to="b", kind="careless")
    there = await on.connect(room="careless/b")
    assert there.view["context"]["log"] == [["room:peer/a", 2]]


async def test_what_may_have_been_forgotten_is_never_applied_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # [SEND3]
    monkeypatch.setattr(marks, "MAX_MARKS", 1)
    on, ann = await stage()
    written = on.now()
    await tell(ann, 1)
    record = await on.record(A)
    assert record is not None
    other = await on.connect(room="peer/other")
    await on.advance(1_000)
    await tell(other, 2)
    await on.advance(30_000)  # asleep: peer/a is forgotten there
    event = {"type": "hello", "n": 1}
    letter = Letter(SessionId("peer", "a"), record.generation, 1, written, event)
    with pytest.raises(Closing, match="too old to be safe"):
        await delivered(on, letter)
    assert await log(on) == [1, 2]


async def delivered(on: Stage, letter: Letter) -> Outcome:
    """The outcome of a letter to the second room."""
    task = asyncio.ensure_future(on.host._rooms.deliver(SessionId("peer", "b"), letter))
    await on.settle()
    return task.result()


# ------------------------------------------------------------------ who it is


async def test_no_viewer_is_called_like_a_room() -> None:  # [ROOM3]
    on, _ = await stage()
    liar = await on.connect("room:peer/a", room=B)
    assert liar.closing is not None
    assert liar.closing.code == CloseCode.FORBIDDEN
    answer = await on.request("POST", B, {"type": "tell"}, who="room:peer/a")
    assert answer.status == 403


async def test_allow_send_isnt_asked_of_rooms() -> None:  # [ROOM4]
    on, ann = await stage()
    there = await on.connect(room=B)
    await there.send("hello", n=0)
    assert there.outcomes() == [(1, "rejected")]
    await tell(ann, 1)
    assert await log(on) == [1]


async def test_a_room_without_a_machine_hears_it_too() -> None:  # [ROOM1] [ROOM3] [HOOK4]
    class Inbox(Room):
        def on_message(self, connection: Any, message: Any) -> Any:
            self.storage.put("last", message)
            return message["n"]

    on, ann = await stage(inbox=Inbox)
    await tell(ann, 5, kind="inbox")
    (heard,) = ann.view["context"]["heard"]
    assert (heard["type"], heard["output"]) == ("room.effect.done", 5)
    record = await on.record("inbox/b")
    assert record is not None
    assert b"room:peer/a" in record.storage["last"]
