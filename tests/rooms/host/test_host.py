"""The host as a whole: its lease, its drain, its links, and what an author's slowness does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rooms.errors import CloseCode
from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.link.memory import pair
from rooms.store.port import Held, SessionId
from tests.rooms.host import machines
from tests.rooms.host.machines import Clock as Timed
from tests.rooms.host.machines import Counter, Lobby, Volatile, Worker
from tests.rooms.host.stage import Stage

X = SessionId("counter", "x")


# ------------------------------------------------------------------ the lease


async def test_a_host_that_lives_keeps_its_rooms() -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    for _ in range(20):
        await on.advance(5_000)
        await ann.send("increment")
    assert on.host.incarnation in {host.incarnation for host in await on.inner.hosts()}
    assert ann.view["context"] == {"count": 20}


async def test_a_host_whose_heartbeats_fail_stops_before_another_may_take_over() -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    before = on.host.incarnation
    with on.store.holding("heartbeat"):
        await on.advance(8_999)
        assert on.host.live() == [X]
        await on.advance(1)
        assert on.host.live() == []
        assert [host.incarnation for host in await on.inner.hosts()] == [before]
    await on.advance(2_500)
    assert on.host.incarnation != before
    await ann.send("increment")
    assert ann.closing is None
    assert ann.view["context"] == {"count": 2}


async def test_a_lease_is_counted_from_when_its_heartbeat_was_sent() -> None:
    class Awake(Counter):
        sleep_after = 60_000

    on = await Stage(counter=Awake).start()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.answering_late("heartbeat"):
        await on.advance(6_000)  # sent after 2.5 s
    with on.store.holding("heartbeat"):
        await on.advance(11_499 - 6_000)
        assert on.host.live() == [X]
        await on.advance(1)
        assert on.host.live() == []


async def test_after_a_pause_longer_than_the_lease_it_goes_on_as_another() -> None:  # [STORE4]
    """SIGSTOP, or a laptop that was closed: another host took the room meanwhile."""
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    before = on.host.incarnation
    on.suspend(60_000)
    other = Host({"counter": Counter}, on.inner, clock=Clock(on.elapsed), chance=_bytes)
    await other.start()
    taken = await on.inner.acquire(X, other.incarnation)
    assert not isinstance(taken, Held)
    with on.store.holding("heartbeat"):
        look = on.ask("GET")
        await on.settle()
        answer = look()
        assert answer is None or answer.status == 503, "it may not answer from memory"
        ann.put({"type": "room.send", "seq": 2, "event": {"type": "increment"}})
        await on.settle()
        assert ann.outcomes() == [(1, "accepted")], "its commit is refused"
    await on.advance(3_000)
    assert on.host.incarnation != before
    assert (await on.stored())["context"] == {"count": 1}
    await on.inner.release(X, other.incarnation, taken.epoch, None)
    await on.advance(3_000)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert ann.view["context"] == {"count": 2}


async def test_a_room_that_was_lost_comes_back_by_itself_when_the_store_does() -> None:
    on = await Stage(counter=Timed).start()
    ann = await on.connect()
    await ann.say("start")
    await ann.leave()
    on.store.fail_next(written=False)
    on.store.break_next("acquire")
    key = {"idempotency-key": "k"}
    assert (await on.request("POST", body={"type": "nothing"}, headers=key)).status == 503
    assert not on.awake()
    await on.advance(60_000)
    assert (await on.stored())["value"] == "over"


async def test_a_room_of_a_host_that_cant_be_reached_is_waited_for() -> None:  # [ROUTE7]
    on = await Stage(counter=Counter).start()
    other = Host({"counter": Counter}, on.inner, clock=Clock(on.loop.elapsed), chance=_bytes)
    await other.start()
    taken = await on.inner.acquire(X, other.incarnation)
    ann, ben = await on.connect("ann"), await on.connect("ben", "counter/y")
    assert ben.view is not None
    await on.advance(4_000)
    assert ann.inbox == []
    await on.inner.release(X, other.incarnation, taken.epoch, None)
    await on.advance(2_000)
    assert ann.view is not None
    assert ann.closing is None


async def test_a_room_that_stays_out_of_reach_is_looked_for_through_another_router() -> None:
    on = await Stage(counter=Counter).start()
    other = Host({"counter": Counter}, on.inner, clock=Clock(on.loop.elapsed), chance=_bytes)
    await other.start()
    await on.inner.acquire(X, other.incarnation)
    ann = await on.connect()
    await on.advance(15_000)  # [ROUTE7]
    assert ann.closing is not None
    assert ann.closing.code == CloseCode.OVERLOADED


def _bytes(n: int) -> bytes:
    return bytes(range(7, 7 + n))


# ------------------------------------------------------------------ drain


async def test_drain_stores_everything_and_gives_it_back() -> None:
    on = await Stage(counter=Volatile).start()
    ann, ben = await on.connect("ann", "counter/x"), await on.connect("ben", "counter/y")
    await ann.send("increment")
    await ben.say("increment")
    await on.host.drain()
    for name in ("counter/x", "counter/y"):
        assert (await on.stored(name))["context"] == {"count": 1}
    assert {listed.owner for listed in await on.inner.scan()} == {None}
    assert await on.inner.hosts() == []


async def test_a_draining_host_takes_nothing_new() -> None:  # [PLACE3]
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding("release"):
        draining = asyncio.ensure_future(on.host.drain())
        await on.settle()
        asked = on.ask("GET")
        ben = await on.connect("ben")
    await draining
    await on.settle()
    assert asked() is None, "another host may answer"
    assert ben.inbox == []
    assert {listed.owner for listed in await on.inner.scan()} == {None}
    await on.advance(15_000)
    assert ben.closing is not None
    assert ben.closing.code == CloseCode.OVERLOADED


async def test_what_was_said_before_a_drain_is_done_before_it_ends() -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    with on.store.holding():
        for _ in range(300):
            ann.put({"type": "increment"})
        await on.settle()
        draining = asyncio.ensure_future(on.host.drain())
        await on.settle()
        assert not draining.done()
    await draining
    assert (await on.stored())["context"] == {"count": 300}


async def test_drain_doesnt_wait_for_coroutines() -> None:
    machines.STARTED.clear()
    on = await Stage(counter=Worker).start()
    ann = await on.connect()
    await ann.say("go")
    await on.host.drain()
    assert machines.STARTED[0].cancelled()
    assert (await on.stored())["value"] == "busy"


# ------------------------------------------------------------------ links and authors


async def test_two_routers_share_a_room_and_each_gets_a_frame_once() -> None:
    on = await Stage(lobby=Lobby).start()
    ann = await on.connect("ann", "lobby/x")
    on.add_router()  # where nobody is in this room
    await on.connect("cyd", "lobby/y")
    on.add_router()
    ben = await on.connect("ben", "lobby/x")
    assert ann.routing is not ben.routing
    on.told.clear()
    await ben.say("ping")
    assert ben.view["context"]["pinged"]
    assert ann.view == ben.view
    assert len(on.fanouts()) == 2


async def test_a_slow_authenticate_is_waited_for_in_order_and_not_for_ever() -> None:
    door: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Kind(Counter):
        @classmethod
        async def authenticate(cls, asked: Any) -> Any:
            await door if asked.token == "waits" else await asyncio.Future()
            return asked.viewer

    on = await Stage(counter=Kind).start()
    ann = await on.connect("ann", token="waits")
    ann.put({"type": "increment"})
    ann.put({"type": "room.send", "seq": 1, "event": {"type": "increment"}})
    ben = await on.connect("ben", token="never")
    await on.settle()
    assert ann.inbox == []
    door.set_result(None)
    await on.settle()
    assert ann.view["context"] == {"count": 2}
    assert ann.outcomes() == [(1, "accepted")]
    await on.advance(10_000)
    assert ben.closing is not None
    assert ben.closing.code == CloseCode.OVERLOADED


async def test_nothing_that_is_said_while_a_room_wakes_is_lost() -> None:  # [SLEEP2]
    on = await Stage(counter=Counter).start()
    with on.store.holding("acquire"):
        tabs = [await on.connect(f"v{n}") for n in range(20)]
        for seq in range(1, 65):
            for tab in tabs:
                tab.put({"type": "room.send", "seq": seq, "event": {"type": "increment"}})
        await on.settle()
    await on.settle()
    assert {tab.view["context"]["count"] for tab in tabs} == {20 * 64}
    assert {len(tab.outcomes()) for tab in tabs} == {64}


async def test_who_goes_before_it_is_let_in_has_no_seat() -> None:
    on = await Stage(lobby=Lobby).start()
    ann = await on.connect("ann", "lobby/x")
    with on.store.holding():
        await ann.say("ping")
        ben = await on.connect("ben", "lobby/x")
        await ben.leave()
    await on.settle()
    cyd = await on.connect("cyd", "lobby/x")
    await cyd.leave()
    assert ann.view["context"]["seats"] == {"ann": "here", "ben": "away", "cyd": "away"}


async def test_what_goes_wrong_again_and_again_is_tried_less_often() -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    for _ in range(50):
        on.store.fail_next(written=False)
    before = on.store.calls["acquire"]
    ann.put({"type": "room.send", "seq": 2, "event": {"type": "increment"}})
    await on.advance(10_000)
    assert on.store.calls["acquire"] - before < 15
    await on.advance(120_000)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]


@pytest.mark.parametrize("kind", [Lobby, Counter])
async def test_a_closed_connection_leaves_nothing_behind(kind: Any) -> None:
    on = await Stage(counter=kind).start()
    for number in range(50):
        tab = await on.connect(f"v{number}")
        await tab.send("ping")
        await tab.leave()
    links = on.host._links
    assert not links._channels
    assert not links._lanes
    assert [channels for channels in links._ends.values() if channels] == []


async def test_an_end_of_a_link_that_is_closed_is_forgotten() -> None:
    on = await Stage(counter=Counter).start()
    routers, hosts = pair()
    on.host.serve(hosts)
    routers.close()
    await on.settle()
    assert len(on.host._links._ends) == 1
