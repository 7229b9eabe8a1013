"""The store in another process: the contract through a socket, and what becomes of lost calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from rooms.errors import Fenced, StoreError, UnknownOutcome
from rooms.store import remote
from rooms.store.memory import MemoryStore
from rooms.store.remote import RemoteStore
from tests.contracts import TABLE, Clock, StoreContract, announce, first, following, own, write
from tests.faults import FaultyStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from rooms.link.stream import StreamEnd

WITHIN = 20.0


class TestRemoteStore(StoreContract):
    @pytest.fixture
    async def store(self, clock: Clock, tmp_path: Path) -> AsyncIterator[RemoteStore]:
        listener = await remote.serve(MemoryStore(clock.now), f"unix:{tmp_path}/store")
        store = await RemoteStore.open(listener.address)
        yield store
        await store.close()
        listener.close()
        await _a_moment()


async def _a_moment() -> None:
    for _ in range(20):
        await asyncio.to_thread(lambda: None)


class Apart:
    """A store, a process that uses it, and a socket between them."""

    def __init__(self, inner: FaultyStore, store: RemoteStore) -> None:
        self.inner = inner
        self.store = store

    def cut(self) -> None:
        """The link is gone."""
        end = self.store._end
        assert end is not None
        _cut(end)


def _cut(end: StreamEnd[object]) -> None:
    assert end._transport is not None
    end._transport.abort()


@pytest.fixture
async def apart(tmp_path: Path) -> AsyncIterator[Apart]:
    inner = FaultyStore(MemoryStore(Clock().now))
    listener = await remote.serve(inner, f"unix:{tmp_path}/store")
    store = await RemoteStore.open(listener.address)
    yield Apart(inner, store)
    await store.close()
    listener.close()
    await _a_moment()


async def test_what_was_under_way_when_the_link_was_lost_is_unknown(apart: Apart) -> None:
    await announce(apart.store, "one")
    acquired = await own(apart.store, TABLE, "one")
    with apart.inner.answering_late("commit_many"):
        commit = asyncio.ensure_future(apart.store.commit_many([first(TABLE, "one", acquired)]))
        while not apart.inner.commits:
            await _a_moment()
        apart.cut()
        with pytest.raises(UnknownOutcome):
            await asyncio.wait_for(commit, WITHIN)
    with pytest.raises(StoreError, match="can't be reached"):
        await apart.store.now()
    assert apart.store._again is not None
    await asyncio.wait_for(apart.store._again, WITHIN)  # it dials again by itself
    record = await apart.store.load(TABLE)
    assert record is not None
    assert record.revision == 1


async def test_commits_of_two_flights_keep_their_order(apart: Apart) -> None:
    await announce(apart.store, "one")
    acquired = await own(apart.store, TABLE, "one")
    commits = [first(TABLE, "one", acquired)]
    for _ in range(50):
        commits.append(following(commits[-1]))
    flights = [asyncio.ensure_future(apart.store.commit_many([one])) for one in commits]
    assert await asyncio.gather(*flights) == [[None]] * len(commits)


async def test_an_error_says_over_there_what_it_says_here(apart: Apart) -> None:
    await announce(apart.store, "one")
    acquired = await own(apart.store, TABLE, "one")
    await write(apart.store, first(TABLE, "one", acquired))
    await apart.store.delete(TABLE)
    [error] = await apart.store.commit_many([first(TABLE, "one", acquired)])
    assert isinstance(error, Fenced)
    assert (error.kind, error.session, error.held, error.current) == (*TABLE, acquired.epoch, None)
    assert str(error) == str(Fenced(*TABLE, acquired.epoch, None))


async def test_a_store_that_nobody_keeps_is_out_of_reach(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be reached"):
        await RemoteStore.open(f"unix:{tmp_path}/nobody")


async def test_only_the_ports_methods_can_be_called(apart: Apart) -> None:
    for method in ("close", "_check_open", "__init__"):
        with pytest.raises(StoreError, match="no method"):
            await apart.store._call(method)
    assert await apart.store.now()
