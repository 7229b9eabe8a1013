"""What `replicated(k)` promises: who answers for a commit has heard of it from k replicas."""

from __future__ import annotations

from asyncio import timeout  # noqa: TID251 - of a failover
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from redis.asyncio.connection import UnixDomainSocketConnection
from redis.exceptions import ReadOnlyError

from rooms.errors import StoreError, UnknownOutcome
from rooms.store.redis import line
from rooms.store.redis.servers import Single, open_servers
from rooms.store.redis.store import RedisStore
from tests.contracts import OTHER, TABLE, announce, first, following, host, own, stored, write
from tests.ports import free_port
from tests.rooms.store.servers import PRODUCTS, follows, promote, running, watched, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from redis.asyncio.connection import AbstractConnection

    from rooms.store.port import Commit
    from tests.rooms.store.servers import Server


LONG: Final = 600_000
"""A lease that outlasts a failover, which takes a sentinel over ten seconds when its first choice
fails (ms)."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica on a busy machine may need more than a second."""
    monkeypatch.setattr(line, "WAIT_WITHIN", 30_000)


@contextmanager
def silent(replica: Server) -> Iterator[None]:
    """Meanwhile it says nothing, and is soon not waited for."""
    with pytest.MonkeyPatch.context() as soon, replica.standing_still():
        soon.setattr(line, "WAIT_WITHIN", 200)
        yield


@pytest.fixture(scope="module", params=PRODUCTS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """A primary and its replica."""
    port = free_port()
    with (
        running(request.param, "--repl-diskless-sync-delay", "0", port=port) as primary,
        running(request.param, "--replicaof", f"127.0.0.1 {port}") as replica,
    ):
        within(50, "the replica is up to date", lambda: follows(replica))
        yield primary, replica


@pytest.fixture
async def store(pair: tuple[Server, Server], prefix: str) -> AsyncIterator[RedisStore]:
    with pair[0].client() as client:  # a former test may have stopped it for a while
        within(50, "the replica answers", lambda: client.execute_command("WAIT", 1, 100) == 1)
    store = await RedisStore.open(pair[0].url(prefix), replicas=1)
    yield store
    await store.close()


def at(server: Server, prefix: str) -> RedisStore:
    """A store at a server that may be a replica, which `open` would refuse."""
    servers, _ = open_servers(server.url())
    return RedisStore(servers, prefix=prefix)


async def owned(store: RedisStore) -> Commit:
    await announce(store, "one", ttl=LONG)
    return replace(first(TABLE, "one", await own(store, TABLE, "one")), replicas=1)


async def test_a_replica_is_no_store(pair: tuple[Server, Server], prefix: str) -> None:
    with pytest.raises(StoreError, match="read only replica"):
        await RedisStore.open(pair[1].url(prefix))


async def test_what_is_answered_is_on_the_replica(
    pair: tuple[Server, Server], store: RedisStore, prefix: str
) -> None:  # [STORE8]
    one = await owned(store)
    await write(store, one)
    with pair[0].client() as client:
        client.script_flush()
    await write(store, following(one, b"two"))
    there = at(pair[1], prefix)
    assert await stored(there, TABLE) == await stored(store, TABLE)
    assert [one.incarnation for one in await there.hosts()] == ["one"]
    await there.close()


async def test_a_commit_that_no_replica_has_is_unknown(
    pair: tuple[Server, Server], store: RedisStore
) -> None:  # [STORE8]
    one = await owned(store)
    await write(store, one)
    with silent(pair[1]):
        [error] = await store.commit_many([following(one, b"two")])
        assert isinstance(error, UnknownOutcome)
        assert "not on 1 replicas after 200 ms (0)" in str(error)
        at_primary = replace(following(following(one, None), b"three"), replicas=0)
        await write(store, at_primary)  # the primary has both
    assert (await stored(store, TABLE)).snapshot == b"three"


async def test_owning_and_living_are_told_to_replicas_too(
    pair: tuple[Server, Server], store: RedisStore, prefix: str
) -> None:  # [STORE8]
    await owned(store)
    other = await RedisStore.open(pair[0].url(prefix), replicas=1)
    with silent(pair[1]):
        with pytest.raises(UnknownOutcome):
            await store.acquire(OTHER, "one")
        with pytest.raises(UnknownOutcome):  # a connection that wrote nothing would wait for it
            await other.acquire(OTHER, "one")
        with pytest.raises(UnknownOutcome):
            await store.heartbeat(host("one"), LONG)
    assert await store.heartbeat(host("one"), LONG)
    await other.close()


async def test_who_is_no_primary_any_more_is_not_asked_again(
    pair: tuple[Server, Server], prefix: str
) -> None:
    primary, replica = pair
    sockets = [replica.socket, primary.socket]

    async def connect() -> AbstractConnection:
        connection = UnixDomainSocketConnection(path=str(sockets.pop(0)), protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        return connection

    servers = Single("whoever", connect)
    [error] = await servers.ask([(0, ("SET", f"{prefix}key", 1))])
    assert isinstance(error, ReadOnlyError)
    assert await servers.ask([(0, ("SET", f"{prefix}key", 1))]) == [b"OK"]
    await servers.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_a_promoted_replica_goes_on_where_the_primary_ended(product: str) -> None:
    # [STORE8] [STORE2]
    port = free_port()
    with (
        running(product, "--repl-diskless-sync-delay", "0", port=port) as primary,
        running(product, "--replicaof", f"127.0.0.1 {port}") as replica,
    ):
        within(50, "the replica is up to date", lambda: follows(replica))
        store = await RedisStore.open(primary.url(), replicas=1)
        one = await owned(store)
        await write(store, one)
        primary.kill()
        await store.close()
        store = at(replica, "rooms:")
        [error] = await store.commit_many([following(one, b"two")])
        assert error is not None
        assert "read only replica" in str(error)
        with replica.client() as client:
            client.replicaof("NO", "ONE")
        assert await store.heartbeat(host("one"), LONG)
        await write(store, replace(following(one, b"two"), replicas=0))
        assert (await stored(store, TABLE)).snapshot == b"two"
        await store.close()


@pytest.mark.parametrize("product", PRODUCTS)
async def test_sentinels_say_who_is_the_primary(product: str) -> None:  # [STORE8]
    with watched(product, replicas=2) as (servers, url):
        store = await RedisStore.open(url, replicas=1)
        one = await owned(store)
        await write(store, one)
        servers[0].kill()
        [error] = await store.commit_many([following(one, b"two")])
        assert error is not None
        promote(servers[1:], url)
        async with timeout(100):  # a sentinel that stood still does nothing for half a minute
            while not await _beats(store):
                pass
        await write(store, following(one, b"two"))
        assert (await stored(store, TABLE)).snapshot == b"two"
        await store.close()


async def _beats(store: RedisStore) -> bool:
    try:
        return await store.heartbeat(host("one"), LONG)
    except StoreError:
        return False
