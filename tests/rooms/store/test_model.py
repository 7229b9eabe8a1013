"""Any order of calls: each store answers as a small model of the port does."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rooms.errors import Fenced, StoreError
from rooms.store.memory import MemoryStore
from rooms.store.port import Acquired, Commit, Due, Found, Held, Logged, SessionId, Trim
from rooms.store.sqlite import SqliteStore
from tests.contracts import TTL, Clock, host

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rooms.store.port import Store

T = TypeVar("T")

IDS = [SessionId(kind, session) for kind in ("a", "b") for session in ("1", "2")]
HOSTS = ["one", "two", "three"]
blobs = st.one_of(st.none(), st.binary(max_size=3))
entries = st.dictionaries(st.sampled_from(["x", "y"]), blobs, max_size=2)
trims = st.one_of(st.none(), st.builds(Trim, st.integers(0, 6), st.integers(0, 50)))
PARTS = ("marks", "outbox", "patches", "storage")
SMALL, LARGE = 2, 9000  # bytes of a snapshot


@dataclass
class Kept:
    """What the model knows of a session."""

    generation: str
    owner: str | None
    epoch: int
    committed: bool = False
    revision: int = 0
    snapshot: bytes | None = None
    seats: bytes | None = None
    activation: bytes | None = None
    listing: bytes | None = None
    due: int | None = None
    expires: int | None = None
    changed: int = 0
    parts: dict[str, dict[str, bytes]] = field(default_factory=lambda: {part: {} for part in PARTS})
    log: list[Logged] = field(default_factory=list)


class Stores(RuleBasedStateMachine):
    """Hosts come and die, sessions change hands, commits are right and wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock(1000)
        self.ends: dict[str, int] = {}
        self.dead: set[str] = set()
        self.kept: dict[SessionId, Kept] = {}
        self.acquired: list[Commit] = []  # what somebody who acquired would commit next
        self.epochs = dict.fromkeys(IDS, 0)
        self.store: Store = self.run(self.open())

    async def open(self) -> Store:
        raise NotImplementedError

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()

    def bury(self) -> None:
        self.dead |= {i for i, end in self.ends.items() if end <= self.clock.ms}
        for id, kept in list(self.kept.items()):
            if kept.owner in self.dead:
                kept.owner = None
                if not kept.committed:
                    del self.kept[id]

    def asleep(self) -> list[Due]:
        self.bury()
        found = [Due(i, k.due) for i, k in self.kept.items() if not k.owner and k.due is not None]
        return sorted(found, key=lambda one: (one.due, one.id))

    def bury_in_both(self) -> None:
        """A store lets the sessions of the dead sleep when it is asked who is asleep; until then
        it may write what they commit, or refuse it.
        """
        self.bury()
        self.run(self.store.due(0, 1))

    # ------------------------------------------------------------ rules

    @initialize()
    def one_host_lives(self) -> None:
        self.heartbeat("one")

    @rule(incarnation=st.sampled_from(HOSTS))
    def heartbeat(self, incarnation: str) -> None:
        self.bury()
        alive = self.run(self.store.heartbeat(host(incarnation), TTL))
        assert alive is (incarnation not in self.dead)
        if alive:
            self.ends[incarnation] = self.clock.ms + TTL

    @rule(incarnation=st.sampled_from(HOSTS[1:]))
    def retire(self, incarnation: str) -> None:
        self.run(self.store.retire(incarnation))
        self.dead.add(incarnation)

    @rule(ms=st.sampled_from([1, 100, TTL - 1, TTL]))
    def time_passes(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(id=st.sampled_from(IDS), incarnation=st.sampled_from(HOSTS))
    def acquire(self, id: SessionId, incarnation: str) -> None:
        self.bury()
        if incarnation in self.dead or incarnation not in self.ends:
            try:
                self.run(self.store.acquire(id, incarnation))
            except StoreError:
                return
            raise AssertionError("acquired by who doesn't live")
        answer = self.run(self.store.acquire(id, incarnation))
        kept = self.kept.get(id)
        if kept is not None and kept.owner not in (None, incarnation):
            assert answer == Held(str(kept.owner), kept.epoch, host(str(kept.owner)).address)
            return
        assert isinstance(answer, Acquired)
        if kept is None:
            assert answer.record is None
            assert answer.epoch > self.epochs[id]
            kept = self.kept[id] = Kept(answer.generation, incarnation, answer.epoch)
        else:
            self.check(answer.record, kept)
            assert answer.generation == kept.generation
            assert answer.epoch == kept.epoch if kept.owner else answer.epoch > self.epochs[id]
            kept.owner, kept.epoch, kept.activation = incarnation, answer.epoch, None
        self.epochs[id] = answer.epoch
        self.acquired.append(
            Commit(
                id=id,
                incarnation=incarnation,
                epoch=answer.epoch,
                generation=answer.generation,
                prev=kept.revision,
                new=kept.revision,
                version="1",
                due=None,
            )
        )

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        self.bury_in_both()
        if not self.acquired:
            return
        commits = []
        for _ in range(data.draw(st.integers(1, 4), "commits")):
            of = data.draw(st.integers(0, len(self.acquired) - 1), "whose")
            covers = data.draw(st.integers(0, 2), "covers")
            prev = self.acquired[of].prev
            new = prev + covers
            size = data.draw(st.sampled_from([None, SMALL, LARGE]), "size")
            log = data.draw(st.booleans(), "logs")
            commit = replace(
                self.acquired[of],
                new=new,
                due=data.draw(st.one_of(st.none(), st.integers(0, 50)), "due"),
                expires=data.draw(st.one_of(st.none(), st.integers(0, 50)), "expires"),
                snapshot=b"%d" % covers * size if covers and size else None,
                seats=data.draw(blobs, "seats"),
                marks=data.draw(entries, "marks"),
                outbox=data.draw(entries, "outbox"),
                patches=data.draw(entries, "patches"),
                storage=data.draw(entries, "storage"),
                log=[Logged(n, n * 10, b"%d" % n) for n in range(prev + 1, new + 1) if log],
                trim=data.draw(trims, "trim"),
                listing=data.draw(blobs, "listing"),
                durable=data.draw(st.booleans(), "durable"),
            )
            # Its own author goes on from here; others who acquired before don't know.
            self.acquired[of] = replace(commit, prev=commit.new)
            commits.append(commit)
        answers = self.run(self.store.commit_many(commits))
        refused: set[SessionId] = set()
        for commit, answer in zip(commits, answers, strict=True):
            kept = self.kept.get(commit.id)
            fits = kept is not None and (kept.generation, kept.owner, kept.epoch) == (
                commit.generation,
                commit.incarnation,
                commit.epoch,
            )
            if kept is None or not fits or kept.revision != commit.prev or commit.id in refused:
                assert answer is not None, f"{commit} was written onto {kept}"
                assert isinstance(answer, Fenced) or fits or commit.id in refused
                refused.add(commit.id)
                continue
            assert answer is None, f"{commit} was refused by {kept}: {answer}"
            kept.committed, kept.revision = True, commit.new
            kept.due, kept.expires, kept.changed = commit.due, commit.expires, self.clock.ms
            kept.snapshot = commit.snapshot or kept.snapshot
            kept.seats = kept.seats if commit.seats is None else commit.seats
            for part, mine in kept.parts.items():
                change = getattr(commit, part)
                mine.update({key: value for key, value in change.items() if value is not None})
                for key in [key for key, value in change.items() if value is None]:
                    mine.pop(key, None)
            if commit.listing is not None:
                kept.listing = commit.listing or None
            kept.log += commit.log
            if commit.trim is not None:
                upto, at = commit.trim
                kept.log = [one for one in kept.log if not (one.revision <= upto and one.at < at)]

    @rule(data=st.data(), activation=blobs)
    def release(self, data: st.DataObject, activation: bytes | None) -> None:
        self.bury_in_both()
        if not self.acquired:
            return
        by = self.acquired[data.draw(st.integers(0, len(self.acquired) - 1), "whose")]
        kept = self.kept.get(by.id)
        owns = kept is not None and (kept.owner, kept.epoch) == (by.incarnation, by.epoch)
        answer = self.run(self.store.release(by.id, by.incarnation, by.epoch, activation))
        assert answer is owns
        if kept is not None and owns:
            kept.owner, kept.activation = None, activation
            if not kept.committed:
                del self.kept[by.id]

    @rule(id=st.sampled_from(IDS))
    def delete(self, id: SessionId) -> None:
        self.bury_in_both()
        assert self.run(self.store.delete(id)) is (self.kept.pop(id, None) is not None)

    @rule(id=st.sampled_from(IDS))
    def load(self, id: SessionId) -> None:
        self.bury_in_both()
        record = self.run(self.store.load(id))
        kept = self.kept.get(id)
        if kept is None or kept.snapshot is None:
            assert record is None
        else:
            self.check(record, kept)

    @rule(before=st.integers(0, 60), limit=st.integers(1, 5))
    def due(self, before: int, limit: int) -> None:
        expected = [one for one in self.asleep() if one.due <= before][:limit]
        assert list(self.run(self.store.due(before, limit))) == expected

    @rule(
        kind=st.sampled_from([None, "a", "b"]),
        after=st.sampled_from([None, *IDS]),
        limit=st.integers(1, 5),
    )
    def scan(self, kind: str | None, after: SessionId | None, limit: int) -> None:
        self.bury()
        expected = [
            (id, kept.revision, kept.owner, kept.due, kept.changed)
            for id, kept in sorted(self.kept.items())
            if kept.snapshot is not None
            and kind in (None, id.kind)
            and (after is None or id > after)
        ]
        listed = self.run(self.store.scan(kind, after, limit))
        found = [(one.id, one.revision, one.owner, one.due, one.changed) for one in listed]
        assert found == expected[:limit]

    @rule(id=st.sampled_from(IDS), after=st.integers(0, 6), limit=st.integers(1, 5))
    def history(self, id: SessionId, after: int, limit: int) -> None:
        self.bury_in_both()
        kept = self.kept.get(id)
        expected = [one for one in kept.log if one.revision > after] if kept else []
        assert list(self.run(self.store.history(id, after, limit))) == expected[:limit]

    @rule(
        kind=st.sampled_from(["a", "b"]),
        after=st.sampled_from([None, *IDS]),
        limit=st.integers(1, 5),
    )
    def find(self, kind: str, after: SessionId | None, limit: int) -> None:
        self.bury()
        after = None if after is None else SessionId(kind, after.session)
        expected = [
            Found(id, kept.listing)
            for id, kept in sorted(self.kept.items())
            if kept.listing is not None and id.kind == kind and (after is None or id > after)
        ]
        assert list(self.run(self.store.find(kind, after, limit))) == expected[:limit]

    @rule(before=st.integers(0, 60), limit=st.integers(1, 5))
    def expired(self, before: int, limit: int) -> None:
        self.bury()
        expected = sorted(
            (kept.expires, id)
            for id, kept in self.kept.items()
            if kept.owner is None and kept.expires is not None and kept.expires <= before
        )
        found = list(self.run(self.store.expired(before, limit)))
        assert found == [id for _, id in expected][:limit]

    @rule()
    def hosts(self) -> None:
        self.bury()
        alive = {i: end for i, end in self.ends.items() if i not in self.dead}
        assert {h.incarnation: h.expires for h in self.run(self.store.hosts())} == alive

    def check(self, record: Any, kept: Kept) -> None:
        assert (record is not None) is kept.committed
        if record is not None:
            for name in (
                "generation", "revision", "snapshot", "seats", "activation", "listing",
                "due", "expires", "changed",
            ):  # fmt: skip
                assert getattr(record, name) == getattr(kept, name), name
            for part, mine in kept.parts.items():
                assert getattr(record, part) == mine, part
            assert record.logged is bool(kept.log)


class MemoryStores(Stores):
    async def open(self) -> Store:
        return MemoryStore(self.clock.now)


class SqliteStores(Stores):
    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    async def open(self) -> Store:
        return await SqliteStore.open(Path(self.folder.name) / "rooms.db", now=self.clock.now)

    @rule()
    def restart(self) -> None:
        """Another process opens the file; everybody of before is dead."""
        self.run(self.store.close())
        self.dead |= set(self.ends)
        self.bury()
        self.store = self.run(self.open())
        self.ends, self.dead = {}, set()
        self.heartbeat("one")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestMemoryStores = MemoryStores.TestCase
TestMemoryStores.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestSqliteStores = SqliteStores.TestCase
TestSqliteStores.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
