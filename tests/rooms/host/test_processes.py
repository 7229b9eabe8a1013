"""Rooms with processes of their own, as their host sees them: what it passes on, and what becomes
of those who were with a process that died.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rooms.definition import Room
from rooms.effects import send_to_room
from rooms.errors import CloseCode, UsageError
from rooms.host import processes, watched
from rooms.host.clock import Clock
from rooms.host.crowding import BEHIND
from rooms.host.host import Host
from rooms.host.isolated import Resting
from rooms.link.protocol import Said, Unheard
from rooms.metrics import of_process
from rooms.store.port import SessionId
from rooms.sync.views import everything
from runtime import assign, setup
from tests.faults import FaultyStore
from tests.rooms.host.machines import Counter, Lobby
from tests.rooms.host.nursery import Bodies, Body
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rooms.host.isolated import Line
    from rooms.host.processes import Processes


class Alone(Counter):
    isolation = "process"


class Seated(Lobby):
    isolation = "process"


class Expiring(Counter):
    isolation = "process"
    ttl = 100_000


class Isolated(Stage):
    """A stage whose host has a nursery."""

    cause = "crashed"
    address = ""

    async def start(self) -> Isolated:
        self.store = FaultyStore(self.inner)
        self.bodies = Bodies(self.kinds, Clock(self.elapsed), self.chance.randbytes)
        self.host = Host(
            self.kinds,
            self.store,
            clock=Clock(self.elapsed),
            chance=self.chance.randbytes,
            address=self.address,
            nursery=self.bodies,
        )
        await self.host.start()
        self.add_router()
        return self

    @property
    def processes(self) -> Processes:
        found = self.host.processes
        assert found is not None
        return found

    def body(self) -> Body:
        """The only process that lives."""
        (body,) = self.bodies.living
        return body

    async def die(self, cause: str = "crashed") -> None:
        """The only process ends of this."""
        self.body().end(cause)
        await self.settle()


async def stage(**kinds: type[Room]) -> Isolated:
    return await Isolated(**(kinds or {"counter": Alone, "shared": Counter})).start()


def _leak(args: Any, params: Any) -> Any:
    raise MemoryError


class Deadly(Room):
    """One whose process ends when it leaks, at an event, at a timer, or as somebody comes."""

    isolation = "process"
    view = everything
    machine = setup(
        actions={
            "add": assign({"count": lambda args, params: args.context["count"] + 1}),
            "leak": assign({"count": _leak}),
        },
        guards={"mallory": lambda args, params: args.event["viewer"]["id"] == "mallory"},
    ).create_machine(
        {
            "context": {"count": 0},
            "initial": "calm",
            "states": {
                "calm": {"on": {"arm": "armed"}},
                "armed": {"after": {"1000": {"target": "calm", "actions": "leak"}}},
            },
            "on": {
                "add": {"actions": "add"},
                "leak": {"actions": "leak"},
                "room.joined": {"guard": "mallory", "actions": "leak"},
            },
        }
    )


@asynccontextmanager
async def dying() -> AsyncIterator[Isolated]:
    """What leaks ends its process."""
    on = await stage(deadly=Deadly)
    on.cause = "memory"

    class Exhausted(watched.Exhaustion):
        def end(self) -> None:
            on.body().end(on.cause)

    handler = Exhausted()
    logging.getLogger().addHandler(handler)
    try:
        yield on
    finally:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
async def deadly() -> AsyncIterator[Isolated]:
    async with dying() as on:
        yield on


async def test_each_room_has_its_own_and_others_none() -> None:  # [ISOLATE1]
    on = await stage()
    ann, bob = await on.connect("ann", "counter/x"), await on.connect("bob", "counter/y")
    eve = await on.connect("eve", "shared/x")
    for tab in (ann, bob, eve):
        assert tab.outcome(await tab.send("increment"))["outcome"] == "accepted"
    assert len(on.bodies.born) == len(on.bodies.living) == 2
    assert set(on.host.live()) == {
        SessionId(*room.split("/")) for room in ("counter/x", "counter/y", "shared/x")
    }
    assert list(on.host.rooms) == [SessionId("shared", "x")]


async def test_without_a_nursery_they_live_among_others() -> None:  # [ISOLATE7]
    on = await Stage(counter=Alone).start()
    ann = await on.connect()
    assert ann.outcome(await ann.send("increment"))["outcome"] == "accepted"
    assert on.awake()


async def test_its_process_ends_with_a_rooms_sleep_and_another_wakes_it() -> None:  # [ISOLATE6]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(12_000)
    assert (on.bodies.living, len(on.processes)) == ([], 0)
    assert ann.outcome(await ann.send("increment"))["outcome"] == "accepted"
    assert ann.view["context"] == {"count": 2}
    assert len(on.bodies.born) == 2


async def test_what_they_count_is_their_hosts(deadly: Isolated) -> None:  # [METRIC1] [ISOLATE1]
    on = deadly
    ann = await on.connect("ann", "deadly/x")
    await ann.send("add")
    await on.advance(1_000)
    for type in ("leak", "unknown"):
        await ann.send(type)
    await on.advance(3_000)
    assert on.host.tally.events == {"accepted": 1, "ignored": 1, "rejected": 1}
    page = of_process(on.host)().decode()
    for line in (
        'rooms_live{kind="deadly"} 1.0',
        "rooms_isolated 1.0",
        'rooms_isolated_died_total{cause="memory"} 2.0',
        'rooms_events_total{outcome="accepted"} 1.0',
    ):
        assert f"\n{line}\n" in page


async def test_who_watches_sees_the_next_one_at_once() -> None:  # [ISOLATE2]
    on = await stage()
    ann, bob = await on.connect("ann"), await on.connect("bob")
    await ann.send("increment")
    bob.took()
    await on.die()
    await on.advance(50)
    assert len(on.bodies.born) == 2
    assert bob.types() == ["room.view"]
    await ann.send("increment")
    assert bob.view["context"] == {"count": 2}
    assert (ann.closing, bob.closing) == (None, None)


async def test_an_unanswered_event_is_handled_by_the_next_one() -> None:  # [ISOLATE2] [SEND2]
    on = await stage()
    ann = await on.connect()
    with on.store.holding():
        await ann.send("increment")
        on.body().end("crashed")
    await on.advance(50)
    assert ann.outcomes() == [(1, "accepted")]
    record = await on.record()
    assert record is not None
    assert (record.revision, ann.view["context"]) == (1, {"count": 1})


async def test_its_epoch_is_higher_than_that_of_the_one_before() -> None:  # [ISOLATE2] [STORE2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    before = ann.channel.session.epoch
    await on.die()
    await on.advance(50)
    assert before is not None
    assert ann.channel.session.epoch == before + 1


@pytest.mark.parametrize("cause", ["cpu", "memory", "crashed"])
async def test_an_event_that_two_ended_with_is_rejected(  # [ISOLATE4]
    deadly: Isolated, cause: str
) -> None:
    on, deadly.cause = deadly, cause
    ann, bob = await on.connect("ann", "deadly/x"), await on.connect("bob", "deadly/x")
    for type in ("add", "leak", "add"):
        await ann.send(type)
    await bob.send("leak")
    await on.advance(1_000)
    assert ann.outcomes() == [(1, "accepted"), (2, "rejected"), (3, "accepted")]
    assert bob.outcomes() == [(1, "rejected")]
    assert len(on.bodies.born) == 5
    reason = {"cpu": "too long", "memory": "too much memory", "crashed": "crashed"}[cause]
    assert reason in ann.outcome(2)["reason"]
    assert ann.view["context"] == {"count": 2}


async def test_a_post_is_answered_when_its_process_ends(  # [ISOLATE4] [ISOLATE5] [ROUTE5]
) -> None:
    on = await stage()
    with on.store.holding("acquire"):
        posted = on.ask("POST", body={"type": "increment"})
        seen = on.ask("GET")
        keyed = on.ask("POST", body={"type": "increment"}, headers={"idempotency-key": "k" * 20})
        await on.settle()
        on.body().end("crashed")
    await on.advance(200)
    answers = [posted(), seen(), keyed()]
    assert [answer and answer.status for answer in answers] == [503, 200, 200]
    assert json.loads(answers[2].body)["view"]["context"] == {"count": 1}  # type: ignore[union-attr]


async def test_what_an_authors_hook_answers_is_not_repeated_for_its_key() -> None:  # [ISOLATE4]
    class Hooked(Alone):
        def on_request(self, request: Any) -> Any:
            raise AssertionError("it is asked once")

    on = await stage(counter=Hooked)
    with on.store.holding("acquire"):
        asked = on.ask("POST", path="/export", headers={"idempotency-key": "k" * 20})
        await on.settle()
        on.body().end("crashed")
    await on.advance(200)
    answer = asked()
    assert answer is not None
    assert answer.status == 503


async def test_a_post_that_ends_processes_is_answered_at_once_or_after_two(  # [ISOLATE4]
    deadly: Isolated,
) -> None:
    on, leak = deadly, {"type": "leak"}
    posted = on.ask("POST", "deadly/x", leak)
    await on.advance(100)
    keyed = on.ask("POST", "deadly/x", leak, headers={"idempotency-key": "k" * 20})
    await on.advance(1_000)
    answers = [posted(), keyed()]
    assert [answer and answer.status for answer in answers] == [503, 422]
    assert len(on.bodies.born) == 4
    assert (await on.request("POST", "deadly/x", {"type": "add"})).status == 200


async def test_a_look_that_a_second_one_ended_with_is_answered(  # [ISOLATE5]
    deadly: Isolated, monkeypatch: pytest.MonkeyPatch
) -> None:
    on = deadly
    await on.request("POST", "deadly/x", {"type": "add"})
    await on.advance(12_000)
    monkeypatch.setattr(Deadly, "view", lambda self, snapshot, viewer: _leak(snapshot, viewer))
    seen = on.ask("GET", "deadly/x")
    await on.advance(1_000)
    answer = seen()
    assert answer is not None
    assert (answer.status, len(on.bodies.born)) == (503, 4)


async def test_a_timer_that_two_ended_with_is_given_up(deadly: Isolated) -> None:  # [ISOLATE5]
    # [TIME5]
    on = deadly
    ann = await on.connect(room="deadly/x")
    await ann.send("arm")
    await on.advance(20_000)
    assert len(on.bodies.born) == 3
    await ann.send("add")
    assert (ann.view["value"], ann.view["context"]) == ("armed", {"count": 1})
    status, shown = await on.operated("GET", "deadly/x")
    assert status == 200
    assert "took too much memory" in json.dumps(shown["outbox"])


async def test_who_ends_two_as_they_come_is_turned_away(deadly: Isolated) -> None:  # [ISOLATE5]
    on = deadly
    ann = await on.connect("ann", "deadly/x")
    await ann.send("add")
    mallory = await on.connect("mallory", "deadly/x")
    await on.advance(1_000)
    assert mallory.closing is not None
    assert mallory.closing.code is CloseCode.UNRESTORABLE
    assert ann.outcome(await ann.send("add"))["outcome"] == "accepted"
    assert len(on.bodies.born) == 3


async def test_one_that_dies_for_no_known_reason_waits_longer_each_time() -> None:  # [ISOLATE2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    pauses = []
    for _ in range(4):
        begun, at = len(on.bodies.born), on.loop.ms
        await on.die()
        while len(on.bodies.born) == begun:
            await on.advance(1)
            assert on.loop.ms - at < 5_000
        pauses.append(on.loop.ms - at)
        await on.advance(60)
    assert [round(pause / 10) * 10 for pause in pauses] == [0, 250, 1_000, 4_000]
    await on.die()
    bob = await on.connect("bob")
    assert bob.closing is not None
    assert bob.closing.code is CloseCode.OVERLOADED
    assert 15_000 < (bob.closing.retry_after or 0) <= 16_000


async def test_one_that_has_lived_well_is_followed_at_once() -> None:  # [ISOLATE2]
    on = await stage()
    ann = await on.connect()
    for n in range(1, 5):
        for _ in range(3):
            await ann.send("increment")
            await on.advance(5_000)
        await on.die()
        await on.advance(1)
        assert len(on.bodies.born) == n + 1


async def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:  # [ISOLATE8]
    monkeypatch.setattr(processes, "MOST", 2)
    on = await stage()
    for name in ("a", "b"):
        await on.connect(room=f"counter/{name}")
    third = await on.connect(room="counter/c")
    assert third.closing is not None
    assert third.closing.code is CloseCode.OVERLOADED
    assert (await on.request("GET", "counter/c")).status == 503
    assert (await on.request("GET", "shared/c")).status == 200


async def test_who_comes_when_none_can_be_forked_is_told_to_come_back() -> None:  # [ISOLATE2]
    on = await stage()
    on.bodies.barren = True
    ann = await on.connect()
    assert ann.closing is not None
    assert ann.closing.code is CloseCode.OVERLOADED
    assert (await on.request("GET")).status == 503


async def test_an_end_while_the_room_sleeps_is_told_to_its_seat() -> None:  # [SEAT4] [ISOLATE1]
    on = await stage(lobby=Seated)
    ann, bob = await on.connect("ann", "lobby/x"), await on.connect("bob", "lobby/x")
    await on.advance(12_000)
    assert on.bodies.living == []
    await bob.leave()
    await on.advance(20_000)
    assert '"bob": "left"' in json.dumps(ann.view)


async def test_what_is_said_as_it_is_about_to_end_is_handled(  # [SLEEP2] [ISOLATE6]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = await stage()
    to_host = Body.to_host
    said: list[Line] = []

    def saying(self: Body, line: Line) -> None:
        if type(line) is Resting and on.loop.ms > 10_000 and not said:
            said.append(line)
            ann.put({"type": "increment"})
        to_host(self, line)

    monkeypatch.setattr(Body, "to_host", saying)
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(13_000)
    assert len(said) == 1
    assert ann.view["context"] == {"count": 2}
    await on.advance(13_000)
    assert on.bodies.living == []


async def test_timers_of_sleeping_rooms_are_on_time_each_time() -> None:  # [TIME1] [ISOLATE1]
    ticking = setup(
        actions={"tick": assign({"at": lambda args, params: [*args.context["at"], args.now]})}
    ).create_machine(
        {
            "context": {"at": []},
            "initial": "waits",
            "states": {
                "waits": {
                    "after": {"25000": {"target": "waits", "reenter": True, "actions": "tick"}}
                }
            },
            "on": {"start": {"actions": "tick"}},
        }
    )
    kind = type(
        "Ticking", (Room,), {"machine": ticking, "view": everything, "isolation": "process"}
    )
    on = await stage(ticking=kind)
    ann = await on.connect(room="ticking/x")
    await ann.send("start")
    await on.advance(125_100)
    first, *others = ann.view["context"]["at"]
    assert [at - first for at in others] == [25_000, 50_000, 75_000, 100_000, 125_000]
    assert len(on.bodies.born) == 6


async def test_a_room_of_hooks_waits_for_the_routers_that_find_a_new_host() -> None:  # [HOOK13]
    hooks = type("Hooked", (Room,), {"isolation": "process", "on_start": lambda self: None})
    on = Isolated(hooked=hooks, counter=Alone)
    on.address = "here"
    await on.start()
    for kind in ("hooked", "counter"):
        on.processes.wake(SessionId(kind, "x"))
    await on.advance(900)
    assert len(on.bodies.born) == 1
    await on.advance(200)
    assert len(on.bodies.born) == 2


async def test_what_was_under_way_when_it_ended_is_handled_by_the_next_one() -> None:  # [SLEEP2]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(13_000)
    assert on.bodies.living == []
    on.link.send(Said(ann.channel.number, {"type": "increment"}))  # before it knew of the sleep
    await on.settle()
    assert ann.view["context"] == {"count": 2}


async def test_what_comes_too_late_for_a_host_that_leaves_goes_back() -> None:  # [ROUTE9] [ROUTE4]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    number = ann.channel.number
    draining = asyncio.ensure_future(on.host.drain())
    while on.bodies.living:
        await on.advance(10)
    on.link.send(Said(number, {"type": "increment"}))
    await on.settle()
    assert [m.channel for m in on.told if isinstance(m, Unheard)] == [number]
    await draining


async def test_a_lost_lease_ends_all_of_them_and_nothing_late_is_told() -> None:  # [ISOLATE6]
    # [STORE4]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    before = on.body()
    on.suspend(20_000)
    await ann.send("increment")
    await on.advance(100)
    assert before.over
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert ann.view["context"] == {"count": 2}


async def test_a_drain_waits_for_what_they_store() -> None:  # [ROUTE9] [ISOLATE6]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    begun = on.loop.ms
    await on.restart()
    assert on.loop.ms - begun < 3_000
    record = await on.record()
    assert record is not None
    assert (record.revision, record.activation is not None) == (1, True)


async def test_who_is_connected_keeps_a_session_from_expiring() -> None:  # [TTL2] [ISOLATE1]
    on = await stage(counter=Expiring)
    ann = await on.connect()
    await ann.send("increment")
    await on.advance(400_000)
    assert await on.record() is not None
    await ann.leave()
    await on.advance(400_000)
    assert await on.record() is None


async def test_a_room_that_fills_a_link_is_heard_no_further(  # [FAIR4] [ISOLATE1]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = await stage()
    ann = await on.connect()
    end = next(iter(on.processes.guests._ends))
    monkeypatch.setattr(type(end), "under_way", BEHIND + 1, raising=False)
    end.under_way = BEHIND + 1  # type: ignore[misc]
    await ann.send("increment")
    assert on.body().paused
    end.under_way = 0  # type: ignore[misc]
    await on.advance(50)
    assert not on.body().paused
    assert ann.outcomes() == [(1, "accepted")]


async def test_after_a_death_each_thing_is_stored_by_itself_for_a_while() -> None:  # [ISOLATE4]
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    await on.die()
    await on.advance(60)
    groups = []
    for _ in range(2):
        before = len(on.store.commits)
        for _ in range(8):
            seq = next(ann._seqs)
            ann.put({"type": "room.send", "seq": seq, "event": {"type": "increment"}})
        await on.settle()
        groups.append([commit.new - commit.prev for commit in on.store.commits[before:]])
        await on.advance(9_000)
        await ann.send("increment")  # it doesn't sleep
        await on.advance(3_000)
    assert groups[0] == [1] * 8
    assert max(groups[1]) > 1
    assert ann.view["context"] == {"count": 19}


async def test_the_next_one_waits_for_what_the_store_was_asked_by_the_last() -> None:  # [ISOLATE2]
    on = await stage()
    with on.store.holding("acquire"):
        await on.connect()
        await on.die()
        await on.advance(1_000)
        assert len(on.bodies.born) == 1
    await on.advance(10)
    assert len(on.bodies.born) == 2


async def test_one_that_lives_never_expires() -> None:  # [TTL3]
    on = await stage(counter=Expiring)
    ann = await on.connect()
    await ann.send("increment")
    for _ in range(14):
        await on.request("GET")
        await on.advance(9_000)
    assert len(on.bodies.born) == 1
    assert not await on.host._rooms.endings.expire(SessionId("counter", "x"))
    assert await on.record() is not None
    assert not on.store.calls["delete"]


async def test_a_letter_of_another_room_comes_to_its_process() -> None:  # [ROOM1] [ISOLATE1]
    teller = setup(
        actions={"tell": send_to_room("counter", "x", {"type": "increment"})}
    ).create_machine({"on": {"tell": {"actions": "tell"}}})
    shared = type("Teller", (Room,), {"machine": teller})
    alone = type("Lonely", (shared,), {"isolation": "process"})
    on = await stage(counter=Alone, shared=shared, alone=alone)
    for kind in ("shared", "alone"):
        assert (await on.request("POST", f"{kind}/x", {"type": "tell"})).status == 200
    await on.advance(100)
    assert SessionId("counter", "x") not in on.host.rooms
    seen = await on.request("GET")
    assert json.loads(seen.body)["view"]["context"] == {"count": 2}


@pytest.mark.parametrize("asleep", [False, True])
async def test_an_operator_ends_a_session_with_all_its_connections(  # [ADMIN5] [ISOLATE1]
    asleep: bool,
) -> None:
    on = await stage()
    ann = await on.connect()
    await ann.send("increment")
    if asleep:
        await on.advance(12_000)
    assert await on.operated("DELETE") == (200, {"deleted": "counter/x"})
    assert ann.closing is not None
    assert ann.closing.code is CloseCode.NOT_FOUND


@pytest.mark.parametrize("option", ["max_cpu", "max_memory"])
@pytest.mark.parametrize("given", [0, -1, True, "1"])
def test_a_limit_is_a_number(option: str, given: object) -> None:
    with pytest.raises(UsageError, match=f"{option} is"):
        type("Wrong", (Room,), {option: given})


def test_isolation_is_one_of_two_words() -> None:
    with pytest.raises(UsageError, match="isolation is 'thread'"):
        type("Wrong", (Room,), {"isolation": "thread"})
