"""The distributed store keeps the rules of its port, and those of more than one process."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from rooms.errors import StoreError, UnknownOutcome, UsageError
from rooms.store import open_store
from rooms.store.port import REMEMBERED, Acquired, Logged
from rooms.store.redis.keys import Keys
from rooms.store.redis.servers import open_servers
from rooms.store.redis.store import RedisStore
from tests.contracts import (
    TABLE,
    TTL,
    Clock,
    StoreContract,
    announce,
    first,
    following,
    host,
    own,
    stored,
    write,
)
from tests.rooms.store.redis.proxy import between
from tests.rooms.store.servers import PRODUCTS, running
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.rooms.store.servers import Server

T = TypeVar("T")


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def store(self, server: Server, prefix: str, clock: Clock) -> AsyncIterator[RedisStore]:
        servers, _ = open_servers(server.url())
        store = RedisStore(servers, prefix=prefix, now=clock.now)
        yield store
        await store.close()


async def opened(url: str, **options: Any) -> RedisStore:
    return await RedisStore.open(url, **options)


async def test_what_was_committed_is_there_for_every_process(server: Server, prefix: str) -> None:
    one, two = await opened(server.url(prefix)), await opened(server.url(prefix))
    await announce(one, "one")
    commit = replace(first(TABLE, "one", await own(one, TABLE, "one")), marks={"a": b"1"}, due=9)
    await write(one, commit)
    assert await stored(two, TABLE) == await stored(one, TABLE)
    assert await two.secret() == await one.secret()
    assert [host.incarnation for host in await two.hosts()] == ["one"]
    assert abs(await two.now() - await one.now()) < 5000
    assert isinstance(await two.acquire(TABLE, "one"), Acquired)
    await one.close()
    await two.close()


async def test_prefixes_part_stores(server: Server, prefix: str) -> None:
    one, two = await opened(server.url(prefix)), await opened(server.url(f"{prefix}other:"))
    await announce(one, "one")
    assert list(await two.hosts()) == []
    assert await two.secret() != await one.secret()
    await one.close()
    await two.close()


async def test_an_acquire_that_comes_late_gets_nothing(
    server: Server, prefix: str, clock: Clock
) -> None:  # [STORE4]
    """It looked at its lease before that ended, and is carried out when its incarnation has been
    buried; nobody would look for what it then owned.
    """
    servers, _ = open_servers(server.url())
    store = RedisStore(servers, prefix=prefix, now=clock.now)
    await announce(store, "one")
    living = store._leases.living
    looked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(*incarnations: str) -> Any:
        answer = await living(*incarnations)
        if incarnations == ("one",):
            looked.set()
            await go_on.wait()
        return answer

    store._leases.living = slowly  # type: ignore[method-assign]
    late = asyncio.create_task(store.acquire(TABLE, "one"))
    await asyncio.wait_for(looked.wait(), WITHIN)
    clock.advance(TTL)
    assert not await store.due(0, 1)  # who asks that buries
    go_on.set()
    with pytest.raises(StoreError, match="no lease"):
        await late
    await store.close()


async def test_an_incarnation_forgotten_after_long_is_still_dead(
    server: Server, prefix: str, clock: Clock
) -> None:  # [STORE4]
    servers, _ = open_servers(server.url())
    store = RedisStore(servers, prefix=prefix, now=clock.now)
    await announce(store, "one")
    clock.advance(REMEMBERED + TTL)
    await store.due(0, 1)
    with server.client() as client:
        assert client.zcard(Keys(prefix).leases()[0]) == 0
    assert not await store.heartbeat(host("one"), TTL)
    await store.close()


async def test_a_lost_commit_has_an_unknown_outcome_and_the_next_is_judged_by_the_record(
    server: Server, prefix: str
) -> None:  # [STORE2] [STORE9]
    async with between(server.socket) as proxy:
        store = await opened(f"{proxy.url}?prefix={prefix}")
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        proxy.swallow_replies()
        lost = asyncio.create_task(store.commit_many([following(one, b"two")]))
        await asyncio.wait_for(proxy.swallowed.wait(), WITHIN)
        proxy.heal()
        proxy.cut()
        [error] = await lost
        assert isinstance(error, UnknownOutcome)
        assert (await stored(store, TABLE)).snapshot == b"two"
        [error] = await store.commit_many([following(one, b"another two")])
        assert error is not None
        await store.close()


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, by a new connection if the one of before was cut."""
    try:
        return await ask()
    except StoreError:
        return await ask()


@pytest.mark.parametrize("seed", range(3))
async def test_a_connection_cut_at_any_time_loses_nothing_and_doubles_nothing(
    server: Server, prefix: str, seed: int
) -> None:  # [STORE2] [STORE9]
    dice, acknowledged, unknown = random.Random(seed), [], 0
    async with between(server.socket) as proxy:
        store = await opened(f"{proxy.url}?prefix={prefix}")
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        commit = first(TABLE, "one", acquired)
        for attempt in range(80):
            data = b"%d" % attempt
            revision = commit.prev + 1
            wanted = replace(commit, new=revision, snapshot=data, log=[Logged(revision, 0, data)])
            fault = dice.choice(["none", "none", "cut", "swallowed"])
            if fault == "swallowed":
                proxy.swallow_replies()
            writing = asyncio.create_task(store.commit_many([wanted]))
            await asyncio.wait([writing], timeout=dice.random() * 0.002)
            if fault == "swallowed":
                await asyncio.wait_for(proxy.swallowed.wait(), WITHIN)
                proxy.heal()
            if fault != "none":
                proxy.cut()
            [error] = await writing
            if error is None:
                acknowledged.append(Logged(revision, 0, data))
            unknown += isinstance(error, UnknownOutcome)
            record = await insist(lambda: store.load(TABLE))
            commit = replace(commit, prev=0 if record is None else record.revision)
            assert error is not None or commit.prev == revision
        past = await insist(lambda: store.history(TABLE, limit=100))
        await store.close()
    assert [entry.revision for entry in past] == list(range(1, len(past) + 1))
    assert set(acknowledged) <= set(past)
    assert unknown > 0
    assert len(acknowledged) > 20


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_killed_server_has_what_it_answered(product: str) -> None:  # [STORE3]
    with running(product, "--appendonly", "yes", "--appendfsync", "always") as server:
        store = await opened(server.url())
        await announce(store, "one")
        commit = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, commit)
        before = await stored(store, TABLE)
        server.kill()
        [error] = await store.commit_many([following(commit, b"two")])
        assert isinstance(error, StoreError)
        server.start()
        assert await stored(store, TABLE) == before
        await write(store, following(commit, b"two"))
        await store.close()


async def test_a_server_that_does_not_sync_is_told_of_once(
    server: Server, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    def said() -> list[str]:
        return [record.levelname for record in caplog.records if record.name.startswith("rooms")]

    store = await opened(server.url(prefix))
    await announce(store, "one")
    one = replace(first(TABLE, "one", await own(store, TABLE, "one")), durable=False)
    await write(store, one)
    assert not said()
    two = replace(following(one, b"two"), durable=True)
    await write(store, two)
    await write(store, following(two, b"three"))
    assert said() == ["WARNING"]
    await store.close()


async def test_urls_name_servers(server: Server, prefix: str) -> None:
    store = await open_store(server.url(prefix), now=Clock().now, elapsed=Clock().now)
    assert isinstance(store, RedisStore)
    await store.close()
    for url, why in (
        ("redis://localhost:none/0", "none"),
        ("redis+sentinel://localhost", "name of the primary"),
        ("redis://localhost/0?nonsense=1", r"after the \?: got an unexpected .* 'nonsense'"),
    ):
        with pytest.raises(UsageError, match=why):
            await open_store(url, now=Clock().now, elapsed=Clock().now)
    with pytest.raises(StoreError, match="can't be reached") as refused:
        await opened("redis://me:secret@127.0.0.1:1/0")
    assert "secret" not in str(refused.value)


async def test_replicas_are_no_matter_of_one_machine(tmp_path: Path) -> None:
    for url in ("memory:", f"sqlite:///{tmp_path}/rooms.db"):
        with pytest.raises(UsageError, match=r"replicated\(1\) needs a store with replicas"):
            await open_store(url, now=Clock().now, elapsed=Clock().now, replicas=1)
    assert os.listdir(tmp_path) == []
