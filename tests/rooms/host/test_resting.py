"""A room on its way to sleep when the host loses its lease: nobody waits for it for ever."""

from __future__ import annotations

import asyncio

from rooms.host.lease import TTL
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage


async def test_a_drain_ends_though_the_lease_does_before_a_room_is_stored() -> None:  # [STORE4]
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding("heartbeat"), on.store.holding("commit_many"):
        for _ in range(6):  # more turns than may wait for the gate
            await ann.say("increment")
        draining = asyncio.ensure_future(on.host.drain())
        await on.advance(TTL)
    await on.advance(TTL)
    assert draining.done()


async def test_a_session_whose_room_was_lost_on_its_way_to_sleep_wakes() -> None:  # [SLEEP2]
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    (room,) = on.host.rooms.values()
    with on.store.holding("heartbeat"), on.store.holding("commit_many"):
        for _ in range(6):
            await ann.say("increment")
        on.host._rooms.idle(room)
        await on.advance(TTL)
    await on.advance(TTL)
    seq = await ann.send("increment")
    await on.advance(1_000)
    assert ann.outcome(seq)["outcome"] == "accepted"


async def test_a_lease_that_is_lost_while_its_host_drains_has_no_next_one() -> None:  # [STORE4]
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    with on.store.holding("heartbeat"):
        draining = asyncio.ensure_future(on.host.drain())
        await on.advance(100)
        assert not on.awake()
        await on.inner.retire(on.host.incarnation)
    await on.advance(TTL // 2)
    assert draining.done()
    assert await on.inner.hosts() == []
    beats = on.store.calls["heartbeat"]
    await on.advance(2 * TTL)
    assert on.store.calls["heartbeat"] == beats
