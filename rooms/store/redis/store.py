"""The store of many machines: Redis 7 or Valkey, one server, a primary with replicas, or more.

Who owns a session stands in its own record, and each change of it is one script that looks there
first: safety depends on no clock. Leases are measured by the server's, and only decide who may take
over. A commit is answered when the primary has it; with `replicas`, when so many replicas have too.
Whether `durable` means that it is on disk is the server's to say: `appendfsync always`.

Next: `asking.py`, `servers.py`, then `line.py` (groups) and `lua/commit.lua`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from rooms.store.merging import merged
from rooms.store.ownership import not_alive, refusal
from rooms.store.port import (
    REMEMBERED,
    Acquired,
    Due,
    Found,
    Held,
    HostInfo,
    Listed,
    Logged,
    SessionId,
)
from rooms.store.redis import indexes, scripts
from rooms.store.redis.asking import Asking, error_of
from rooms.store.redis.keys import id_of, name_of, partition_of
from rooms.store.redis.leases import Leases
from rooms.store.redis.records import LINE, change_of, line_of, record_of
from rooms.store.redis.servers import open_servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rooms.errors import StoreError
    from rooms.store.port import Commit, Owner, Record
    from rooms.store.redis.line import Command
    from rooms.store.redis.servers import Servers

T = TypeVar("T")

logger = logging.getLogger(__name__)


class RedisStore:
    """A `Store` in Redis or Valkey; made by `open`."""

    def __init__(
        self,
        servers: Servers,
        *,
        prefix: str,
        replicas: int = 0,
        now: Callable[[], int] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`replicas` are told of ownership and leases before that is answered: as many as the
        strictest commit wants. `now` is the store's time (ms), for tests; None: the server's.
        """
        self._asking = Asking(servers, prefix, now)
        self._leases = Leases(self._asking, replicas)
        self._keys = self._asking.keys
        self._replicas = replicas
        self._random_bytes = random_bytes
        self._secret: bytes | None = None
        self._syncs: bool | None = None  # None: it doesn't say, or it was said that it doesn't

    @classmethod
    async def open(cls, url: str, *, replicas: int = 0) -> RedisStore:
        """Connect to the servers that a URL names (`servers.py`).

        Raises:
            UsageError: no servers have such a URL.
            StoreError: they can't be reached, or don't let us in.
        """
        servers, prefix = open_servers(url)
        store = cls(servers, prefix=prefix, replicas=replicas)
        try:
            await store.secret()
            await store._ask_how_it_syncs()
        except BaseException:
            await store.close()
            raise
        return store

    # ---------------------------------------------------------------- time, secret, hosts

    async def now(self) -> int:
        return await self._asking.now()

    async def secret(self) -> bytes:
        self._asking.check_open()
        if self._secret is None:
            key = self._keys.secret
            make: Command = ("SET", key, self._random_bytes(32), "NX")
            _, self._secret = await self._asking.ask(0, make, ("GET", key), replicas=self._replicas)
        assert self._secret is not None
        return self._secret

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        return await self._leases.renew(host, ttl)

    async def retire(self, incarnation: str) -> None:
        await self._leases.end(incarnation)

    async def hosts(self) -> Sequence[HostInfo]:
        return list((await self._leases.living()).hosts.values())

    # ---------------------------------------------------------------- owning

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        if incarnation not in (await self._leases.living(incarnation)).hosts:
            raise not_alive(incarnation)
        gone = ""
        while True:
            generation = self._random_bytes(8).hex()
            args = (incarnation, gone, generation)
            answer = await self._asking.run(scripts.ACQUIRE, id, *args, replicas=self._replicas)
            match answer:
                case [b"dead"]:
                    raise not_alive(incarnation)
                case [b"held", owner, epoch]:
                    gone = owner.decode()
                    holds = (await self._leases.living(gone)).hosts.get(gone)
                    if holds is not None:
                        return Held(gone, int(epoch), holds.address)
                case [_, epoch, generation, fields, logged, deleted, forgotten]:
                    record = record_of(fields, logged)
                    until = deleted or forgotten
                    known = None if record is not None or until is None else int(float(until))
                    return Acquired(int(epoch), generation.decode(), record, known)

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        self._asking.check_open()
        if self._syncs is False and any(commit.durable for commit in commits):
            self._syncs = None
            logger.warning(
                "the store doesn't sync each commit to disk: what is acknowledged by rooms with "
                "durability fsync may be lost when its machine loses power; set `appendonly yes` "
                "and `appendfsync always` there, or take durability primary or replicated(k)"
            )
        answers: list[StoreError | None] = [None] * len(commits)
        waiting = _runs(commits)
        while waiting:  # once, unless commits of one session don't follow on one another
            runs = [of_one.popleft() for of_one in waiting.values()]
            replicas = max(commit.replicas for commit, _ in runs)
            asked = [self._commit(commit) for commit, _ in runs]
            replies = await self._asking.servers.ask(asked, replicas=replicas, commits=True)
            for (commit, places), reply in zip(runs, replies, strict=True):
                error = _judged(commit, reply)
                later = waiting[commit.id]
                if error is not None:
                    places = places + [place for _, more in later for place in more]
                    for place in places:
                        answers[place] = error
                if error is not None or not later:
                    del waiting[commit.id]
        return answers

    def _commit(self, commit: Commit) -> tuple[int, Command]:
        name = name_of(commit.id)
        partition = partition_of(name)
        keys = self._keys
        indexes = (keys.index(partition, index) for index in ("listed", "deleted"))
        return partition, scripts.COMMIT.command(
            (keys.record(partition, name), keys.log(partition, name), *indexes),
            *change_of(commit, name, self._asking.time()),
        )

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        left = ("", b"") if activation is None else ("1", activation)
        return bool(await self._asking.run(scripts.RELEASE, id, incarnation, epoch, *left))

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        theirs = ("", "") if owner is None else owner
        args = (*theirs, self._asking.time(), REMEMBERED)
        return bool(await self._asking.run(scripts.DELETE, id, *args, replicas=self._replicas))

    # ---------------------------------------------------------------- reading

    async def load(self, id: SessionId) -> Record | None:
        name = name_of(id)
        partition = partition_of(name)
        keys = self._keys
        fields, logged = await self._asking.ask(
            partition,
            ("HGETALL", keys.record(partition, name)),
            ("XLEN", keys.log(partition, name)),
        )
        record = record_of(fields, logged)
        return None if record is None or record.snapshot is None else record

    async def due(self, before: int, limit: int) -> Sequence[Due]:
        return [Due(id, due) for due, id in await self._asleep("due", before, limit)]

    async def expired(self, before: int, limit: int) -> Sequence[SessionId]:
        return [id for _, id in await self._asleep("expires", before, limit)]

    async def _asleep(self, index: str, before: int, limit: int) -> list[tuple[int, SessionId]]:
        """The earliest entries of an index of those that sleep, the sessions of the dead too."""
        seen = await self._leases.living()
        if seen.dead:
            await self._leases.bury(seen)

        async def read(partitions: Sequence[int], count: int) -> list[list[tuple[int, SessionId]]]:
            rows = await self._asking.each(
                partitions, index, "ZRANGEBYSCORE", "-inf", before, "WITHSCORES", "LIMIT", 0, count
            )
            return [
                [
                    (int(float(at)), id_of(name))
                    for name, at in zip(row[::2], row[1::2], strict=True)
                ]
                for row in rows
            ]

        return await indexes.first(limit, read)

    async def scan(
        self, kind: str | None = None, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        living = (await self._leases.living()).hosts

        async def read(names: Sequence[str]) -> list[Listed | None]:
            asked: list[tuple[int, Command]] = []
            for name in names:
                partition = partition_of(name)
                record = self._keys.record(partition, name)
                asked += [
                    (partition, ("HMGET", record, *LINE)),
                    (partition, ("HEXISTS", record, "snapshot")),
                    (partition, ("HSTRLEN", record, "snapshot")),
                ]
            replies = iter(await self._asking.all(asked))
            rows = zip(names, replies, replies, replies, strict=True)
            return [
                line_of(id_of(name.encode()), row, size, living) if kept else None
                for name, row, kept, size in rows
            ]

        return await self._page("names", kind, after, limit, read)

    async def find(
        self, kind: str, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Found]:
        async def read(names: Sequence[str]) -> list[Found | None]:
            places = [(partition_of(name), name) for name in names]
            listings = await self._asking.all(
                [
                    (place, ("HGET", self._keys.record(place, name), "listing"))
                    for place, name in places
                ]
            )
            return [
                None if listing is None else Found(id_of(name.encode()), listing)
                for name, listing in zip(names, listings, strict=True)
            ]

        after = None if after is None else SessionId(kind, after.session)
        return await self._page("listed", kind, after, limit, read)

    async def _page(
        self,
        index: str,
        kind: str | None,
        after: SessionId | None,
        limit: int,
        read: Callable[[Sequence[str]], Awaitable[list[T | None]]],
    ) -> list[T]:
        """What `read` makes of the names in an index, in their order; None where it has gone."""
        self._asking.check_open()
        start, end = ("-", "+") if kind is None else (f"[{kind},", f"({kind}-")
        if after is not None and (kind is None or name_of(after) >= f"{kind},"):
            start = f"({name_of(after)}"

        async def entries(partitions: Sequence[int], count: int) -> list[list[bytes]]:
            return await self._asking.each(
                partitions, index, "ZRANGEBYLEX", start, end, "LIMIT", 0, count
            )

        page: list[T] = []
        while len(page) < limit:
            names = [name.decode() for name in await indexes.first(limit, entries)]
            page += [one for one in await read(names) if one is not None]
            if len(names) < limit:
                break
            start = f"({names[-1]}"
        return page[:limit]

    async def history(self, id: SessionId, after: int = 0, limit: int = 100) -> Sequence[Logged]:
        name = name_of(id)
        partition = partition_of(name)
        log = self._keys.log(partition, name)
        [rows] = await self._asking.ask(partition, ("XRANGE", log, after + 1, "+", "COUNT", limit))
        return [Logged(int(at.partition(b"-")[0]), int(row[1]), row[3]) for at, row in rows]

    async def close(self) -> None:
        await self._asking.close()

    # ---------------------------------------------------------------- asking

    async def _ask_how_it_syncs(self) -> None:
        """Whether the server syncs before it answers, if it tells us."""
        asked = [(0, ("CONFIG", "GET", "append*"))]
        [reply] = await self._asking.servers.ask(asked)
        if not isinstance(reply, Exception):
            options = dict(zip(reply[::2], reply[1::2], strict=True))
            self._syncs = (
                options.get(b"appendonly") == b"yes" and options.get(b"appendfsync") == b"always"
            )


def _runs(commits: Sequence[Commit]) -> dict[SessionId, deque[tuple[Commit, list[int]]]]:
    """The commits of each session, those that follow on one another as one, each with its places
    among all.
    """
    runs: dict[SessionId, deque[tuple[Commit, list[int]]]] = {}
    for place, commit in enumerate(commits):
        mine = runs.setdefault(commit.id, deque())
        both = merged(mine[-1][0], commit) if mine else None
        if both is None:
            mine.append((commit, [place]))
        else:
            mine[-1] = (both, [*mine[-1][1], place])
    return runs


def _judged(commit: Commit, reply: Any) -> StoreError | None:
    """Why a commit isn't written; None: it is."""
    if reply is None:
        return None
    if isinstance(reply, Exception):
        return error_of(reply)
    owner, epoch, generation, revision = reply
    return refusal(
        commit,
        owner and owner.decode(),
        epoch and int(epoch),
        (generation or b"").decode(),
        int(revision or 0),
    )
