"""The store of many machines: Redis 7 or Valkey, one server, a primary with replicas, or more.

Who owns a session stands in its own record, and each change of it is one script that looks there
first: safety depends on no clock. Leases are measured by the server's, and only decide who may take
over. A commit is answered when the primary has it; with `replicas`, when so many replicas have too.
Whether `durable` means that it is on disk is the server's to say: `appendfsync always`.

Next: `line.py` (groups), `lua/commit.lua`.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from rooms.errors import StoreError
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
from rooms.store.redis.keys import PARTITIONS, Keys, id_of, name_of, partition_of
from rooms.store.redis.records import LINE, change_of, line_of, record_of
from rooms.store.redis.servers import open_servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from rooms.store.port import Commit, Owner, Record
    from rooms.store.redis.line import Command
    from rooms.store.redis.scripts import Script
    from rooms.store.redis.servers import Servers

T = TypeVar("T")

logger = logging.getLogger(__name__)

_ALL: Final = range(PARTITIONS)
_BURIED_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class _Leases:
    now: int
    living: Mapping[str, HostInfo]
    dead: Sequence[str]  # whose sessions may not sleep yet


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
        self._servers = servers
        self._keys = Keys(prefix)
        self._replicas = replicas
        self._now = now
        self._random_bytes = random_bytes
        self._announced: set[str] = set()
        self._secret: bytes | None = None
        self._syncs: bool | None = None  # None: it doesn't say, or it was said that it doesn't
        self._closed = False

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
        self._check_open()
        if self._now is not None:
            return self._now()
        [(seconds, micros)] = await self._ask(0, ("TIME",))
        return int(seconds) * 1000 + int(micros) // 1000

    async def secret(self) -> bytes:
        self._check_open()
        if self._secret is None:
            key = self._keys.secret
            make: Command = ("SET", key, self._random_bytes(32), "NX")
            _, self._secret = await self._ask(0, make, ("GET", key), replicas=self._replicas)
        assert self._secret is not None
        return self._secret

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        self._check_open()
        name = host.incarnation
        said = {"address": host.address, "versions": dict(host.versions), "weight": host.weight}
        info = orjson.dumps({**said, "leaving": host.leaving})
        known = "1" if name in self._announced else ""
        alive = bool(await self._lease("beat", name, ttl, info, known))
        if alive:
            self._announced.add(name)
        else:
            self._announced.discard(name)
        return alive

    async def retire(self, incarnation: str) -> None:
        self._check_open()
        await self._lease("retire", incarnation)

    async def hosts(self) -> Sequence[HostInfo]:
        return list((await self._leases()).living.values())

    async def _leases(self, *incarnations: str) -> _Leases:
        """Who lives of these; of none: of all, and who has died."""
        self._check_open()
        now, living, dead = await self._lease("living", *incarnations)
        infos = {}
        for place in range(0, len(living), 3):
            name, ends, info = living[place : place + 3]
            said = orjson.loads(info)
            incarnation = name.decode()
            infos[incarnation] = HostInfo(incarnation, expires=int(float(ends)), **said)
        return _Leases(int(now), infos, [one.decode() for one in dead])

    async def _lease(self, what: str, *args: str | bytes | int) -> Any:
        command = scripts.LEASES.command(self._keys.leases(), what, self._time(), *args)
        replicas = self._replicas if what in ("beat", "retire") else 0
        [answer] = await self._ask(0, command, replicas=replicas)
        return answer

    # ---------------------------------------------------------------- owning

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        if incarnation not in (await self._leases(incarnation)).living:
            raise not_alive(incarnation)
        gone = ""
        while True:
            generation = self._random_bytes(8).hex()
            args = (incarnation, gone, generation)
            answer = await self._run(scripts.ACQUIRE, id, *args, replicas=self._replicas)
            match answer:
                case [b"dead"]:
                    raise not_alive(incarnation)
                case [b"held", owner, epoch]:
                    gone = owner.decode()
                    holds = (await self._leases(gone)).living.get(gone)
                    if holds is not None:
                        return Held(gone, int(epoch), holds.address)
                case [_, epoch, generation, fields, logged, deleted, forgotten]:
                    record = record_of(fields, logged)
                    until = deleted or forgotten
                    known = None if record is not None or until is None else int(float(until))
                    return Acquired(int(epoch), generation.decode(), record, known)

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        self._check_open()
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
            replies = await self._servers.ask(asked, replicas=replicas, commits=True)
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
            *change_of(commit, name, self._time()),
        )

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        left = ("", b"") if activation is None else ("1", activation)
        return bool(await self._run(scripts.RELEASE, id, incarnation, epoch, *left))

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        theirs = ("", "") if owner is None else owner
        args = (*theirs, self._time(), REMEMBERED)
        return bool(await self._run(scripts.DELETE, id, *args, replicas=self._replicas))

    # ---------------------------------------------------------------- reading

    async def load(self, id: SessionId) -> Record | None:
        name = name_of(id)
        partition = partition_of(name)
        keys = self._keys
        fields, logged = await self._ask(
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
        leases = await self._leases()
        if leases.dead:
            await self._bury(leases)

        async def read(partitions: Sequence[int], count: int) -> list[list[tuple[int, SessionId]]]:
            rows = await self._each(
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
        living = (await self._leases()).living

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
            replies = iter(await self._answers(asked))
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
            listings = await self._answers(
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
        self._check_open()
        start, end = ("-", "+") if kind is None else (f"[{kind},", f"({kind}-")
        if after is not None and (kind is None or name_of(after) >= f"{kind},"):
            start = f"({name_of(after)}"

        async def entries(partitions: Sequence[int], count: int) -> list[list[bytes]]:
            return await self._each(partitions, index, "ZRANGEBYLEX", start, end, "LIMIT", 0, count)

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
        [rows] = await self._ask(partition, ("XRANGE", log, after + 1, "+", "COUNT", limit))
        return [Logged(int(at.partition(b"-")[0]), int(row[1]), row[3]) for at, row in rows]

    async def close(self) -> None:
        self._closed = True
        await self._servers.close()

    # ---------------------------------------------------------------- the dead

    async def _bury(self, leases: _Leases) -> None:
        """Let the sessions of the dead sleep, and forget what they only claimed. In each partition
        they are first kept from acquiring any more: what was asked before may come late.
        """
        dead, now = leases.dead, leases.now
        asked: list[tuple[int, Command]] = []
        for partition in _ALL:
            key = self._keys.index(partition, "dead")
            owners = self._keys.index(partition, "owners")
            scores = [part for one in dead for part in (now, one)]
            asked.append((partition, ("ZADD", key, *scores)))
            asked.append((partition, ("ZREMRANGEBYSCORE", key, "-inf", now - REMEMBERED)))
            asked += [(partition, ("ZRANGEBYLEX", owners, f"[{one},", f"({one}-")) for one in dead]
        replies = await self._answers(asked)
        owned = [one for reply in replies if isinstance(reply, list) for one in reply]
        for start in range(0, len(owned), _BURIED_AT_ONCE):
            releases = []
            for one in owned[start : start + _BURIED_AT_ONCE]:
                incarnation, _, name = one.decode().partition(",")
                args = (name, incarnation, "", "", "")
                partition = partition_of(name)
                keys = self._keys.session(partition, name)
                releases.append((partition, scripts.RELEASE.command(keys, *args)))
            await self._answers(releases)
        await self._lease("buried", *dead)

    # ---------------------------------------------------------------- asking

    async def _ask_how_it_syncs(self) -> None:
        """Whether the server syncs before it answers, if it tells us."""
        asked = [(0, ("CONFIG", "GET", "append*"))]
        [reply] = await self._servers.ask(asked)
        if not isinstance(reply, Exception):
            options = dict(zip(reply[::2], reply[1::2], strict=True))
            self._syncs = (
                options.get(b"appendonly") == b"yes" and options.get(b"appendfsync") == b"always"
            )

    async def _run(
        self, script: Script, id: SessionId, *args: str | bytes | int, replicas: int = 0
    ) -> Any:
        """What a script answers about one session."""
        name = name_of(id)
        partition = partition_of(name)
        command = script.command(self._keys.session(partition, name), name, *args)
        [answer] = await self._ask(partition, command, replicas=replicas)
        return answer

    async def _each(
        self, partitions: Sequence[int], index: str, command: str, *args: str | int
    ) -> list[Any]:
        """What each of these partitions' index answers."""
        return await self._answers(
            [(one, (command, self._keys.index(one, index), *args)) for one in partitions]
        )

    async def _ask(self, partition: int, *commands: Command, replicas: int = 0) -> list[Any]:
        return await self._answers([(partition, one) for one in commands], replicas=replicas)

    async def _answers(
        self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0
    ) -> list[Any]:
        """Replies without errors among them. Raises StoreError."""
        self._check_open()
        replies = await self._servers.ask(asked, replicas=replicas)
        for reply in replies:
            if isinstance(reply, Exception):
                raise _error(reply)
        return replies

    def _time(self) -> str:
        """The time as the scripts want it: none, where the server's is meant."""
        return "" if self._now is None else str(self._now())

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed; open another one")


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
        return _error(reply)
    owner, epoch, generation, revision = reply
    return refusal(
        commit,
        owner and owner.decode(),
        epoch and int(epoch),
        (generation or b"").decode(),
        int(revision or 0),
    )


def _error(error: Exception) -> StoreError:
    """What went wrong, as the port says it."""
    if isinstance(error, StoreError):
        return error
    return StoreError(f"the server refused: {error}; nothing was written")
