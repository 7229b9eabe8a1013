"""A cluster of three servers keeps the rules of the port, also while its slots move."""

from __future__ import annotations

import asyncio
from asyncio import timeout  # noqa: TID251 - of a failover
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import StoreError
from rooms.store.port import Record, SessionId
from rooms.store.redis import line
from rooms.store.redis.keys import TAGS, name_of, partition_of, slot
from rooms.store.redis.servers import open_servers
from rooms.store.redis.store import RedisStore
from tests.contracts import Clock, StoreContract, announce, first, following, own, stored, write
from tests.ports import free_port
from tests.rooms.store.servers import PRODUCTS, follows, running, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterator

    from tests.rooms.store.servers import Server


@contextmanager
def clustered(product: str, *options: str) -> Iterator[list[Server]]:
    """Three primaries, each with a third of the slots."""
    with ExitStack() as stack:
        servers = [stack.enter_context(member(product, *options)) for _ in range(3)]
        for n, server in enumerate(servers):
            with server.client() as client:
                last = [5461, 10922, 16383][n]
                run(client, "CLUSTER", "ADDSLOTSRANGE", [0, 5462, 10923][n], last)
                run(client, "CLUSTER", "SET-CONFIG-EPOCH", n + 1)
                meet(client, servers[0])
        for server in servers:
            within(50, "the cluster knows itself", lambda: knows(server, 3))  # noqa: B023
        yield servers


def member(product: str, *options: str) -> AbstractContextManager[Server]:
    bus = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    return running(product, *bus, *options, port=free_port())


def meet(client: Any, other: Server) -> None:
    bus = other._command[other._command.index("--cluster-port") + 1]
    run(client, "CLUSTER", "MEET", "127.0.0.1", other.port, bus)


def knows(server: Server, servers: int) -> bool:
    with server.client() as client:
        info = run(client, "CLUSTER", "INFO")
    return b"cluster_state:ok" in info and b"cluster_known_nodes:%d" % servers in info


@pytest.fixture(scope="module", params=PRODUCTS)
def cluster(request: pytest.FixtureRequest) -> Iterator[list[Server]]:
    with clustered(request.param) as servers:
        yield servers


def run(client: Any, *command: str | int) -> Any:
    """What the server answers, as it comes."""
    client.response_callbacks.clear()
    return client.execute_command(*command)


def url(cluster: list[Server]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in cluster[:2])


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def store(
        self, cluster: list[Server], prefix: str, clock: Clock
    ) -> AsyncIterator[RedisStore]:
        servers, _ = open_servers(url(cluster))
        store = RedisStore(servers, prefix=prefix, now=clock.now)
        yield store
        await store.close()


async def test_all_servers_have_a_share_of_the_sessions(cluster: list[Server], prefix: str) -> None:
    store = await RedisStore.open(f"{url(cluster)}?prefix={prefix}")
    await announce(store, "one")
    for n in range(30):
        await own(store, SessionId("trivia", str(n)), "one")
    for server in cluster:
        with server.client() as client:
            assert sum(1 for _ in client.scan_iter(f"{prefix}*:session:*")) >= 3
    await store.close()


async def test_sessions_go_on_while_their_slot_moves_and_after(
    cluster: list[Server], prefix: str
) -> None:
    store = await RedisStore.open(f"{url(cluster)}?prefix={prefix}")
    await announce(store, "one")
    id = SessionId("trivia", "table-1")
    one = first(id, "one", await own(store, id, "one"))
    await write(store, one)
    moving = slot(TAGS[partition_of(name_of(id))])
    source = next(server for server in cluster if serves(server, moving))
    target = next(server for server in cluster if server is not source)
    with source.client() as from_, target.client() as to:
        ids = [run(client, "CLUSTER", "MYID").decode() for client in (from_, to)]
        run(to, "CLUSTER", "SETSLOT", moving, "IMPORTING", ids[0])
        run(from_, "CLUSTER", "SETSLOT", moving, "MIGRATING", ids[1])
        waits = asyncio.create_task(store.commit_many([following(one, b"two")]))
        new = SessionId("trivia", other_in(partition_of(name_of(id))))
        joins = asyncio.create_task(own(store, new, "one"))
        assert await store.load(SessionId("trivia", other_in(partition_of(name_of(id)), 1))) is None
        await asyncio.wait([waits, joins], timeout=0.1)
        keys = run(from_, "CLUSTER", "GETKEYSINSLOT", moving, 100_000)
        run(from_, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        for client in (to, from_):
            run(client, "CLUSTER", "SETSLOT", moving, "NODE", ids[1])
    assert await waits == [None]
    await joins
    two = following(following(one, None), b"three")
    await write(store, replace(two, due=9))
    assert (await stored(store, id)).snapshot == b"three"
    await store.close()


def serves(server: Server, number: int) -> bool:
    with server.client() as client:
        mine = run(client, "CLUSTER", "MYID")
        return any(
            start <= number <= end and node[2] == mine
            for start, end, node, *_ in run(client, "CLUSTER", "SLOTS")
        )


def other_in(partition: int, nth: int = 0) -> str:
    """Another session of that partition."""
    found = (str(n) for n in range(100_000) if partition_of(f"trivia,{n}") == partition)
    return [next(found) for _ in range(nth + 1)][-1]


async def test_a_replica_takes_the_place_of_its_primary(  # [STORE8]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line, "WAIT_WITHIN", 30_000)  # a busy machine's replica
    product = "valkey"
    soon = ("--repl-diskless-sync-delay", "0")
    with clustered(product, *soon) as servers, member(product, *soon) as replica:
        id = SessionId("trivia", "table-1")
        moving = slot(TAGS[partition_of(name_of(id))])
        primary = next(server for server in servers if serves(server, moving))
        other = next(server for server in servers if server is not primary)
        with primary.client() as client, replica.client() as second:
            meet(second, primary)
            within(50, "the cluster knows it", lambda: knows(replica, 4) and knows(other, 4))
            run(second, "CLUSTER", "REPLICATE", run(client, "CLUSTER", "MYID").decode())
            within(50, "it is up to date", lambda: follows(replica))
        store = await RedisStore.open(url([other, primary]))
        await announce(store, "one")
        one = replace(first(id, "one", await own(store, id, "one")), replicas=1)
        await write(store, one)
        primary.kill()
        [error] = await store.commit_many([following(one, b"two")])
        assert error is not None
        with replica.client() as second:
            run(second, "CLUSTER", "FAILOVER", "TAKEOVER")
        within(50, "it was promoted", lambda: serves(replica, moving) and knows(other, 4))
        async with timeout(50):
            while not isinstance(await answer(store.load(id)), Record):
                pass
        await write(store, replace(following(one, b"two"), replicas=0))
        assert (await stored(store, id)).snapshot == b"two"
        await store.close()


async def answer(call: Awaitable[Record | None]) -> Record | StoreError | None:
    try:
        return await call
    except StoreError as error:
        return error


async def test_what_is_no_cluster_says_so(prefix: str) -> None:
    with pytest.raises(StoreError, match="can't be reached"):
        await RedisStore.open("redis+cluster://127.0.0.1:1")
    port = free_port()
    with running("redis", port=port), pytest.raises(StoreError, match="no server of a cluster"):
        await RedisStore.open(f"redis+cluster://127.0.0.1:{port}")
