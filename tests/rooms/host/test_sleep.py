"""Sleep and wake: when a room sleeps, what wakes it, and that nobody notices; timers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import CloseCode
from rooms.host.commits import MAX_AHEAD
from rooms.link.protocol import Attach
from rooms.store.port import SessionId
from runtime import create_machine
from tests.rooms.host import machines
from tests.rooms.host.machines import Clock, Counter, Stubborn, Worker
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room


@pytest.fixture(autouse=True)
def _fresh() -> None:
    machines.STARTED.clear()


async def stage(kind: type[Room] = Counter) -> Stage:
    return await Stage(counter=kind).start()


# ------------------------------------------------------------------ sleep


async def test_a_room_sleeps_after_ten_quiet_seconds_and_sockets_stay() -> None:  # [SLEEP1]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(9_999)
    assert on.awake()
    await on.advance(1)
    assert not on.awake()
    assert ann.closing is None
    (listed,) = await on.inner.scan()
    assert listed.owner is None


@pytest.mark.parametrize("whose", ["the room", "somebody"])
async def test_who_stayed_connected_hears_what_a_waking_room_emits(whose: str) -> None:  # [VIEW9]
    on = await stage(machines.Bell)
    ann = await on.connect("ann")
    on.add_router()
    ben = await on.connect("ben")
    if whose == "the room":
        await ann.say("wind")
    await on.advance(60_000)
    assert not on.awake()
    ann.took(), ben.took()
    if whose == "the room":
        await on.advance(31_000)
    else:
        await ann.say("ring")
    eve = await on.connect("eve")
    for tab in (ann, ben):
        told = tab.types()
        assert told.count("room.emitted") == 1
        assert told[-1] == "room.emitted", "after the view it belongs to"
    assert "room.emitted" not in eve.types(), "who comes anew wasn't here"


async def test_what_happens_puts_sleep_off() -> None:  # [SLEEP1]
    on = await stage()
    ann = await on.connect()
    for _ in range(5):
        await on.advance(9_000)
        await ann.say("increment")
    assert on.store.calls["acquire"] == 1, "it was never woken again"


async def test_a_gap_that_nobody_fills_keeps_no_room_awake() -> None:  # [SEND4] [SLEEP1]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment", seq=1)
    await ann.send("increment", seq=3)
    await on.advance(10_000)
    await on.settle()
    assert not on.awake()
    await ann.send("increment", seq=2)
    await ann.send("increment", seq=3)
    assert dict(ann.outcomes()) == {1: "accepted", 2: "accepted", 3: "accepted"}
    assert ann.view["context"] == {"count": 3}


async def test_a_room_where_nothing_was_accepted_is_forgotten_at_once() -> None:  # [SLEEP1]
    on = await stage()
    await on.request("GET")
    await on.advance(1)
    assert not on.awake()


async def test_a_message_wakes_it_and_only_what_changed_is_told() -> None:  # [SLEEP2] [VIEW8]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("increment")
    await on.advance(30_000)
    ann.took(), ben.took()
    await ann.send("increment")
    assert ann.types() == ["room.patch", "room.outcome"]
    assert ben.types() == ["room.patch"]
    assert ann.view == ben.view


async def test_a_reconnect_to_a_sleeping_room_is_told_that_nothing_changed() -> None:  # [VIEW8]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await ann.leave()
    await on.advance(30_000)
    again = await on.connect("ann", client=ann.client, cursor=ann.cursor)
    assert again.types() == ["room.you", "room.unchanged"]


async def test_a_restart_is_a_sleep_and_a_crash_is_not() -> None:  # [VIEW8]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.restart()
    again = await on.connect("ann", client=ann.client, cursor=ann.cursor)
    assert again.types() == ["room.you", "room.unchanged"]
    await on.crash()
    again = await on.connect("ann", client=ann.client, cursor=ann.cursor)
    assert again.types() == ["room.you", "room.view"]


async def test_a_request_wakes_it() -> None:  # [SLEEP2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(30_000)
    answer = await on.request("POST", body={"type": "increment"})
    assert answer.status == 200
    assert ann.view["context"] == {"count": 2}


async def test_however_many_come_at_once_it_is_woken_once() -> None:  # [SLEEP2]
    on = await stage()
    tabs = [await on.connect(f"v{n}") for n in range(20)]
    await tabs[0].send("increment")
    await on.advance(30_000)
    with on.store.holding("acquire"):
        for tab in tabs:
            tab.put({"type": "increment"})
        looks = [on.ask("GET") for _ in range(5)]
        await on.settle()
    await on.settle()
    assert {tab.view["context"]["count"] for tab in tabs} == {21}
    assert all(look() is not None for look in looks)
    assert on.store.calls["acquire"] == 2


async def test_a_thousand_sleeps_change_nothing() -> None:  # [SLEEP3]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    before = await on.record()
    assert before is not None
    for _ in range(50):
        await on.advance(11_000)
        assert not on.awake()
        await on.request("GET")
        assert on.awake()
    await on.advance(11_000)
    after = await on.record()
    assert after is not None
    assert (after.snapshot, after.revision) == (before.snapshot, before.revision)


async def test_a_store_that_is_away_for_a_while_costs_no_socket() -> None:  # [STORE10] [STATUS1]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(11_000)
    assert not on.awake()
    for _ in range(5):
        on.store.break_next("acquire")
    ben = await on.connect("ben")
    await ann.say("increment")
    answer = on.ask("GET")
    await on.advance(5_000)
    assert (ann.closing, ben.closing) == (None, None)
    assert ann.view["context"] == ben.view["context"] == {"count": 2}
    response = answer()
    assert response is not None
    assert response.status == 200


async def test_who_waits_too_long_for_the_store_is_told_to_come_back() -> None:  # [STORE10]
    on = await stage()
    for _ in range(50):
        on.store.break_next("acquire")
    ann = await on.connect()
    answer = on.ask("GET")
    await on.advance(10_000)
    assert (ann.closing, answer()) == (None, None)
    await on.advance(2_000)
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.OVERLOADED
    assert ann.closing.retry_after is not None
    response = answer()
    assert response is not None
    assert response.status == 503


# ------------------------------------------------------------------ running coroutines


async def test_a_coroutine_starts_when_the_gate_opens_and_its_result_is_an_event() -> None:
    # [TURN3]
    on = await stage(Worker)
    ann = await on.connect()
    with on.store.holding():
        await ann.say("go")
        assert machines.STARTED == []
    await on.settle()
    (call,) = machines.STARTED
    call.set_result(42)
    await on.settle()
    assert ann.view["context"] == {"answer": 42}
    assert (await on.stored())["context"] == {"answer": 42}


async def test_a_running_coroutine_keeps_its_room_awake() -> None:  # [SLEEP1]
    on = await stage(Worker)
    ann = await on.connect()
    await ann.say("go")
    await on.advance(60_000)
    assert on.awake()
    machines.STARTED[0].set_result(1)
    await on.advance(30_000)
    assert not on.awake()


async def test_a_coroutine_of_a_room_that_nobody_visits_is_waited_for_in_peace() -> None:
    class Busy(Worker):
        machine = machines.BUSY

    on = await stage(Busy)
    await on.request("GET")
    await on.advance(5_000)
    assert on.awake()
    machines.STARTED[0].set_result(5)
    await on.settle()
    assert (await on.stored())["context"] == {"answer": 5}


async def test_after_a_crash_it_is_started_again() -> None:
    on = await stage(Worker)
    ann = await on.connect()
    await ann.say("go")
    await on.crash()
    ann = await on.connect("ann", client=ann.client)
    assert len(machines.STARTED) == 2
    assert machines.STARTED[0].cancelled() or not machines.STARTED[0].done()
    machines.STARTED[1].set_result(7)
    await on.settle()
    assert ann.view["context"] == {"answer": 7}


async def test_a_dropped_room_ends_what_it_started() -> None:
    on = await stage(Worker)
    ann = await on.connect()
    await ann.say("go")
    on.store.fail_next(written=False)
    await ann.send("go")
    ben = await on.connect("ben")
    await on.settle()
    assert machines.STARTED[0].cancelled() or len(machines.STARTED) == 1
    assert ben.view["value"] == "busy"


# ------------------------------------------------------------------ timers


async def test_a_timer_fires_on_time_in_a_live_room() -> None:  # [TIME1]
    on = await stage(Clock)
    ann = await on.connect()
    started = on.loop.now()
    await ann.say("start")
    for _ in range(7):
        await on.advance(8_000)
        await ann.say("nothing")
    await on.advance(3_999)
    assert ann.view["value"] == "running"
    await on.advance(1)
    assert ann.view["value"] == "over"
    assert ann.view["context"] == {"at": started + 60_000}
    assert (await on.stored())["value"] == "over"


async def test_a_due_timer_wakes_a_sleeping_room_and_everybody_sees_it() -> None:
    # [TIME1] [SLEEP2] [TIME3]
    on = await stage(Clock)
    ann = await on.connect()
    await ann.say("start")
    record = await on.record()
    assert record is not None
    assert record.due == on.loop.now() + 60_000
    await on.advance(59_999)
    assert not on.awake()
    ann.took()
    await on.advance(1)
    assert ann.view["value"] == "over"
    assert ann.types() == ["room.patch"]


async def test_a_timer_that_comes_due_while_the_store_is_slow_fires_afterwards() -> None:
    on = await stage(Clock)
    ann = await on.connect()
    await ann.say("start")
    await on.advance(55_000)
    with on.store.holding():
        for _ in range(MAX_AHEAD):
            await ann.send("nothing")
        await on.advance(6_000)
    await on.settle()
    assert ann.view["value"] == "over"


async def test_a_timer_that_came_due_while_nothing_ran_fires_at_once() -> None:  # [TIME1]
    on = await stage(Clock)
    ann = await on.connect()
    await ann.say("start")
    due = on.loop.now() + 60_000
    on.store.die()
    await on.advance(90_000)
    await on.crash()
    await on.settle()
    snapshot = await on.stored()
    assert snapshot["value"] == "over"
    assert snapshot["context"]["at"] >= due


async def test_a_timer_whose_event_fails_is_tried_again_later() -> None:
    on = await stage(Stubborn)
    ann = await on.connect()
    await ann.say("start")
    await on.advance(2_999)
    assert ann.view["value"] == "running"
    await on.advance(6_000)
    assert ann.view["value"] == "over"


async def test_who_waits_for_a_timer_of_an_unstored_room_gets_it() -> None:
    class Egg(Clock):
        machine = create_machine(
            {
                "initial": "raw",
                "states": {"raw": {"after": {60_000: "done"}}, "done": {}},
            }
        )

    on = await stage(Egg)
    ann = await on.connect()
    await on.advance(30_000)
    assert not on.awake()
    await on.advance(30_000)
    assert ann.view["value"] == "done"


# ------------------------------------------------------------------ versions, names


def renamed(version: str, **states: Any) -> Any:
    return create_machine(
        {
            "id": "counter",
            "version": version,
            "context": {"count": 0},
            "initial": "new",
            "states": states,
        }
    )


async def stored_by_counter() -> Stage:
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(30_000)
    await ann.leave()
    return on


async def test_another_version_is_migrated_and_stored_as_such() -> None:  # [SLEEP4]
    on = await stored_by_counter()

    class Next(Counter):
        machine = renamed("2", new={"on": {"nothing": {}, "go": "new"}})

        def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
            assert from_version == "1"
            return {**persisted, "value": "new", "context": {"count": 100}}

    on.kinds = {"counter": Next}
    await on.restart()
    ann = await on.connect()
    assert ann.view["context"] == {"count": 100}
    await ann.send("go")
    record = await on.record()
    assert record is not None
    assert record.version == "2"
    assert (await on.stored())["value"] == "new"


async def test_what_is_migrated_is_stored_with_the_next_commit_whatever_it_is_for() -> None:
    on = await stored_by_counter()

    class Next(Counter):
        machine = renamed("2", new={})

        def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
            return {**persisted, "value": "new", "context": {"count": 100}}

    on.kinds = {"counter": Next}
    await on.restart()
    ann = await on.connect()
    await ann.send("nonsense")
    record = await on.record()
    assert record is not None
    assert record.version == "2"
    assert (await on.stored())["context"] == {"count": 100}


async def test_the_author_may_count_versions_without_the_machine() -> None:
    on = await stored_by_counter()
    migrated: list[str] = []

    class Next(Counter):
        @classmethod
        def version(cls) -> str:
            return "1b"

        def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
            migrated.append(from_version)
            return persisted

    on.kinds = {"counter": Next}
    await on.restart()
    ann = await on.connect()
    assert ann.view["context"] == {"count": 1}
    assert migrated == ["1"]


async def test_what_migrate_stumbles_over_is_for_the_log_alone(  # [SLEEP4] [DOOR10]
    caplog: pytest.LogCaptureFixture,
) -> None:
    on = await stored_by_counter()

    class Next(Counter):
        machine = renamed("2", new={})

        def migrate(self, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
            raise KeyError(f"stored was {persisted['context']}")

    on.kinds = {"counter": Next}
    await on.restart()
    ann = await on.connect()
    assert ann.closing is not None
    assert ann.closing.reason == "this room can't be restored"
    assert "stored was" in caplog.text


async def test_a_room_that_cant_be_started_says_so_and_not_why(  # [DOOR10]
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Counter):
        def input(self) -> Any:
            raise KeyError("the password")

    on = await stage(Broken)
    ann = await on.connect()
    assert ann.closing is not None
    assert (ann.closing.code, ann.closing.reason) == (4409, "this room can't be started")
    assert "the password" in caplog.text


@pytest.mark.parametrize("version", ["1", "2"])
async def test_without_a_way_to_this_version_it_stays_untouched(version: str) -> None:  # [SLEEP4]
    on = await stored_by_counter()
    before = await on.record()

    class Next(Counter):
        machine = renamed(version, new={})

    on.kinds = {"counter": Next}
    await on.restart()
    ann = await on.connect()
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.UNRESTORABLE
    assert "migrate" in ann.closing.reason
    assert await on.record() == before
    assert (await on.request("GET")).status == 409
    (listed,) = await on.inner.scan()
    assert listed.owner is None


async def test_a_room_that_is_deleted_and_made_again_is_another_one() -> None:  # [NAME5]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(30_000)
    await on.inner.delete(SessionId("counter", "x"))
    await ann.send("increment")
    assert ann.view["context"] == {"count": 1}
    last = next(m for m in reversed(ann.inbox) if m["type"] == "room.view")
    assert last is not None


async def test_the_host_asks_for_nothing_twice() -> None:
    """A wake by message: the router attaches; the host's `Live` makes it attach nobody again."""
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(30_000)
    sent: list[Any] = []
    on.watch_router(sent.append)
    await ann.send("increment")
    assert len([m for m in sent if isinstance(m, Attach)]) == 1


async def test_a_room_that_wakes_slowly_is_said_to_move() -> None:  # [STATUS1]
    on = await stage()
    ann = await on.connect("ann")
    await ann.send("increment")
    await on.advance(Counter.sleep_after + 100)
    assert not on.awake()
    ann.took()
    with on.store.holding("acquire"):
        seq = await ann.send("increment")
        await on.advance(2_000)
        assert ann.took() == [{"type": "room.status", "status": "moving"}]
    await on.settle()
    assert ann.took()[0] == {"type": "room.status", "status": "live"}
    assert ann.view["context"] == {"count": 2}
    assert seq == 2


async def test_all_rooms_of_a_host_keep_so_many_steps_together() -> None:  # [CURSOR4]
    on = await Stage(counter=Counter).start()
    on.host._rooms.budget._most = 300
    cursors = {}
    for room in ("counter/a", "counter/b"):
        tab = await on.connect("ann", room)
        cursors[room] = tab.cursor, tab.view
        for _ in range(3):
            await tab.send("increment")
        await tab.leave()
    told = {}
    for room, (cursor, view) in cursors.items():
        tab = await on.connect("ann", room, cursor=cursor, view=view)
        told[room] = tab.inbox[-1]["type"]
        assert tab.view["context"] == {"count": 3}
    assert told == {"counter/a": "room.view", "counter/b": "room.patch"}
    await on.advance(Counter.sleep_after + 100)
    await on.advance(Counter.sleep_after + 100)
    assert on.host._rooms.budget._sizes == {}
