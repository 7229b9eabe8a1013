"""The SQLite store keeps the rules of its port, and those of a file."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import threading
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import Fenced, StoreError, StoreLocked, UnknownOutcome, UsageError
from rooms.store import open_store, records
from rooms.store.memory import MemoryStore
from rooms.store.port import REMEMBERED, Acquired, Commit, Due, Logged, Record, SessionId, Trim
from rooms.store.schema import APPLICATION_ID, MIGRATIONS
from rooms.store.sqlite import LOCK_WAIT, SqliteStore
from tests.contracts import (
    OTHER,
    TABLE,
    TTL,
    Clock,
    StoreContract,
    announce,
    first,
    following,
    host,
    own,
    put_to_sleep,
    stored,
    write,
)
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class TestSqliteStore(StoreContract):
    @pytest.fixture
    async def store(self, clock: Clock, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        async with opened(tmp_path, clock) as store:
            yield store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(clock: Clock, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path, clock) as store:
        yield store


@asynccontextmanager
async def opened(folder: Path, clock: Clock, **options: Any) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(folder / "rooms.db", now=clock.now, **options)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def holding(store: SqliteStore) -> AsyncIterator[None]:
    """Keep the writing thread busy, so that what is asked meanwhile becomes one group."""
    busy, go_on = threading.Event(), threading.Event()

    def hold(db: sqlite3.Connection) -> None:
        busy.set()
        assert go_on.wait(WITHIN), "the test never let go of the writer"

    held = asyncio.create_task(store._writer.do(hold))
    assert await asyncio.to_thread(busy.wait, WITHIN), "the writer never began"
    try:
        yield
    finally:
        go_on.set()
    await held


async def asked(store: SqliteStore, *commits: Commit) -> list[asyncio.Task[Any]]:
    """One commit_many a commit, all asked for and none answered."""
    tasks = [asyncio.create_task(store.commit_many([commit])) for commit in commits]
    await one_step()
    return tasks


async def one_step() -> None:
    """Let every task that can run run once."""
    await asyncio.get_running_loop().run_in_executor(None, lambda: None)


# ---------------------------------------------------------------- a file, opened again


async def test_what_was_committed_is_there_when_the_file_is_opened_again(
    clock: Clock, tmp_path: Path
) -> None:
    async with opened(tmp_path, clock) as store:
        await announce(store, "one")
        commit = replace(
            first(TABLE, "one", await own(store, TABLE, "one")), marks={"a": b"1"}, due=9
        )
        await write(store, commit)
        before, secret = await stored(store, TABLE), await store.secret()
    async with opened(tmp_path, clock) as store:
        assert await stored(store, TABLE) == before
        assert await store.secret() == secret


async def test_opening_lets_the_sessions_of_former_processes_sleep(
    clock: Clock, tmp_path: Path
) -> None:
    async with opened(tmp_path, clock) as store:
        await announce(store, "one")
        commit = replace(first(TABLE, "one", await own(store, TABLE, "one")), due=9)
        await write(store, commit)
        claimed = await own(store, OTHER, "one")
    async with opened(tmp_path, clock) as store:
        assert list(await store.due(10, 10)) == [Due(TABLE, 9)]
        assert [line.owner for line in await store.scan()] == [None]
        await announce(store, "two")
        assert (await own(store, TABLE, "two")).epoch > claimed.epoch
        assert (await own(store, OTHER, "two")).record is None
        [answer] = await store.commit_many([following(commit, b"stale")])
        assert isinstance(answer, Fenced)


async def test_epochs_grow_over_the_life_of_the_file(clock: Clock, tmp_path: Path) -> None:
    async with opened(tmp_path, clock) as store:
        await announce(store, "one")
        former = await own(store, TABLE, "one")
        await store.delete(TABLE)
    async with opened(tmp_path, clock) as store:
        await announce(store, "two")
        assert (await own(store, TABLE, "two")).epoch > former.epoch


async def test_names_deleted_a_day_ago_are_remembered_as_one_time_for_all_names(  # [NAME6]
    store: SqliteStore, clock: Clock
) -> None:
    await announce(store, "one")
    for id in (TABLE, OTHER):
        await put_to_sleep(store, id, "one", None)
        assert await store.delete(id)
        deleted = clock.ms
        clock.advance(1000)
    clock.advance(REMEMBERED)
    await announce(store, "two")
    third = SessionId("trivia", "table-3")
    await put_to_sleep(store, third, "two", None)
    assert await store.delete(third)
    for id in (TABLE, OTHER, SessionId("trivia", "never")):
        assert (await own(store, id, "two")).deleted == deleted


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_only_its_user_may_read_the_file(clock: Clock, tmp_path: Path) -> None:
    async with opened(tmp_path, clock) as store:
        await announce(store, "one")
        await own(store, TABLE, "one")
        modes = modes_in(tmp_path)
    names = ("rooms.db", "rooms.db-wal", "rooms.db-shm", "rooms.db.lock")
    assert modes == dict.fromkeys(names, 0o600)


async def test_a_clock_step_kills_no_lease(tmp_path: Path) -> None:
    wall, elapsed = Clock(), Clock(0)
    async with opened(tmp_path, wall, elapsed=elapsed.now) as store:
        await announce(store, "one")
        wall.advance(TTL * 100)
        await own(store, TABLE, "one")
        elapsed.advance(TTL)
        assert not await store.heartbeat(host("one"), TTL)


async def test_a_file_of_an_older_version_is_migrated_with_all_it_holds(
    clock: Clock, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "rooms.db") as db:
        for statement in MIGRATIONS[0]:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO meta VALUES ('secret', ?), ('epoch', 7)", (b"s" * 32,))
        db.execute(
            "INSERT INTO sessions VALUES"
            " (1, 'trivia', 'table-1', 'born', 'dead', 5, 3, '1', 9, 8, ?, ?, ?)",
            (b"nonce", b"seats", b"x" * 10_000),
        )
        db.execute("INSERT INTO entries VALUES ('born', 'mark', 'a', ?)", (b"1",))
    db.close()
    async with opened(tmp_path, clock) as store:
        assert await store.secret() == b"s" * 32
        assert list(await store.due(9, 10)) == [Due(TABLE, 9)]
        assert await stored(store, TABLE) == Record(
            generation="born",
            version="1",
            revision=3,
            snapshot=b"x" * 10_000,
            seats=b"seats",
            marks={"a": b"1"},
            activation=b"nonce",
            due=9,
            changed=8,
        )
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        assert acquired.epoch > 7
        await write(store, replace(first(TABLE, "one", acquired), prev=3, new=4, snapshot=b"y"))
        assert (await stored(store, TABLE)).snapshot == b"y"


# ---------------------------------------------------------------- one process


async def test_a_second_process_waits_5_s_for_the_lock_and_then_says_so(
    store: SqliteStore, tmp_path: Path
) -> None:  # [STORE1]
    waiting = Clock(0)
    with pytest.raises(StoreLocked, match=r"rooms\.db is in use by another process") as caught:
        async with opened(tmp_path, waiting, pause=lambda s: waiting.advance(round(s * 1000))):
            pass
    assert "waited 5000 ms" in str(caught.value)
    assert waiting.ms == LOCK_WAIT == 5000
    await announce(store, "one")
    await own(store, TABLE, "one")


async def test_a_second_process_goes_on_when_the_first_lets_go(
    clock: Clock, tmp_path: Path
) -> None:
    store = await SqliteStore.open(tmp_path / "rooms.db", now=clock.now)
    loop, closing = asyncio.get_running_loop(), list[Any]()

    def pause(seconds: float) -> None:
        if not closing:
            closing.append(asyncio.run_coroutine_threadsafe(store.close(), loop))
        closing[0].result(WITHIN)

    async with opened(tmp_path, clock, pause=pause) as second:
        await announce(second, "two")
        await own(second, TABLE, "two")
    assert closing


async def test_who_stops_waiting_for_the_lock_leaves_it_to_the_next(
    clock: Clock, tmp_path: Path
) -> None:
    async with opened(tmp_path, clock):
        waits, go_on = threading.Event(), threading.Event()

        def pause(seconds: float) -> None:
            waits.set()
            assert go_on.wait(WITHIN)

        opening = asyncio.create_task(
            SqliteStore.open(tmp_path / "rooms.db", now=clock.now, pause=pause)
        )
        assert await asyncio.to_thread(waits.wait, WITHIN), "nobody waited for the lock"
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    go_on.set()
    async with opened(tmp_path, clock, elapsed=lambda: 0):  # waits as long as it takes
        pass


# ---------------------------------------------------------------- whose file it is


async def refusal(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        await SqliteStore.open(path, now=Clock().now)
    return str(caught.value)


async def test_a_file_of_a_newer_version_is_refused_untouched(clock: Clock, tmp_path: Path) -> None:
    async with opened(tmp_path, clock):
        pass
    path = tmp_path / "rooms.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = path.read_bytes()
    known = len(MIGRATIONS)
    newer = f"was written by a newer version (schema {known + 1}, this one knows {known})"
    assert newer in await refusal(path)
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "rooms.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE sessions (mine)")
    db.close()
    before = path.read_bytes()
    assert "is a database of something else" in await refusal(path)
    assert path.read_bytes() == before


async def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rooms.db"
    path.write_text("notes about rooms, nothing that SQLite wrote\n" * 100)
    assert "can't be read as a store: file is not a database" in await refusal(path)


async def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "rooms.db"
    assert f"{path} can't be opened as a store" in await refusal(path)


async def test_urls_name_stores(clock: Clock, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in (
        ("sqlite:///relative.db", tmp_path / "relative.db"),
        (f"sqlite:///{tmp_path}/absolute.db", tmp_path / "absolute.db"),
    ):
        store = await open_store(url, now=clock.now, elapsed=clock.now)
        assert path.exists()
        await store.close()
    memory = await open_store("memory:", now=clock.now, elapsed=clock.now)
    assert isinstance(memory, MemoryStore)
    for url in ("sqlite:///", "sqlite://rooms.db", "rooms.db", "mysql://x"):
        with pytest.raises(UsageError, match="names no store"):
            await open_store(url, now=clock.now, elapsed=clock.now)


# ---------------------------------------------------------------- groups


async def test_one_refused_commit_does_not_hurt_its_neighbours(store: SqliteStore) -> None:
    await announce(store, "one")
    ids = [SessionId("trivia", str(n)) for n in range(20)]
    good = [first(id, "one", await own(store, id, "one")) for id in ids]
    bad = [
        first(SessionId("trivia", "missing"), "one", Acquired(1, "generation", None)),
        replace(good[7], epoch=good[7].epoch + 1),
    ]
    async with holding(store):
        tasks = await asked(store, *good[:10], *bad, *good[10:])
    answers = [answer for task in tasks for answer in await task]
    fenced = [number for number, answer in enumerate(answers) if isinstance(answer, Fenced)]
    assert fenced == [10, 11]
    assert answers.count(None) == 20
    for id in ids:
        assert (await stored(store, id)).snapshot == b"one"


async def test_one_commit_that_cannot_be_written_does_not_hurt_its_neighbours(
    store: SqliteStore,
) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    other = first(OTHER, "one", await own(store, OTHER, "one"))
    async with holding(store):
        tasks = await asked(store, one, replace(other, marks={"\ud800": b"no text"}, seats=b"s"))
    [[written], [failed]] = [await task for task in tasks]
    assert written is None
    assert isinstance(failed, StoreError)
    assert "surrogates not allowed" in str(failed)
    assert (await stored(store, TABLE)).snapshot == b"one"
    assert await store.load(OTHER) is None
    await write(store, other)


async def test_a_read_sees_what_was_asked_before_it_and_no_more(store: SqliteStore) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    async with holding(store):
        asks: list[Any] = [
            store.load(TABLE),
            store.commit_many([one]),
            store.load(TABLE),
            store.commit_many([following(one, b"two")]),
        ]
        tasks = [asyncio.create_task(ask) for ask in asks]
        await one_step()
    before, _, record, _ = [await task for task in tasks]
    assert before is None
    assert (record.revision, record.snapshot) == (1, b"one")
    assert (await stored(store, TABLE)).snapshot == b"two"


@pytest.mark.parametrize("refused", [False, True])
async def test_a_group_keeps_the_order_it_was_asked_in(store: SqliteStore, refused: bool) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    async with holding(store):
        asks: list[Any] = [
            store.commit_many([one]),
            store.load(TABLE),
            store.commit_many([following(one, b"two"), following(following(one), b"three")]),
            store.load(TABLE),
            store.release(TABLE, "one", one.epoch, b"nonce"),
            store.load(TABLE),
            store.commit_many([replace(one, prev=3, new=4)] if refused else []),
        ]
        tasks = [asyncio.create_task(ask) for ask in asks]
        await one_step()
    answers = [await task for task in tasks]
    assert answers[0] == [None]
    assert (answers[1].revision, answers[1].snapshot) == (1, b"one")
    assert answers[2] == [None, None]
    assert (answers[3].revision, answers[3].snapshot) == (3, b"three")
    assert answers[4] is True
    assert (answers[5].revision, answers[5].activation) == (3, b"nonce")
    assert [type(answer) for answer in answers[6]] == ([Fenced] if refused else [])


@pytest.mark.parametrize(
    "how", ["deleted", "deleted with nothing accepted", "only claimed", "claimed by the dead"]
)
async def test_a_forgotten_session_leaves_no_rows(store: SqliteStore, how: str) -> None:
    await announce(store, "one")
    claimed = await own(store, TABLE, "one")
    session = replace(
        first(TABLE, "one", claimed),
        snapshot=b"x" * 10_000 if how == "deleted" else None,
        marks={"a": b"1"},
        patches={"1": b"1"},
        storage={"s": b"1"},
        log=[Logged(1, 1, b"")],
        listing=b"listing",
    )
    match how:
        case "claimed by the dead":
            await store.retire("one")
            await store.due(0, 1)
        case "only claimed":
            await store.release(TABLE, "one", claimed.epoch, None)
        case _:
            await write(store, session)
            await store.delete(TABLE)

    def rows(db: sqlite3.Connection) -> list[int]:
        tables = ("sessions", "entries", "listings", "log")
        counts = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in tables)
        return [count for (count,) in db.execute(counts)]

    assert await store._writer.do(rows) == [0, 0, 0, 0]


async def test_who_stops_waiting_loses_the_answer_and_not_the_write(store: SqliteStore) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    two, three = following(one, b"two"), following(following(one), b"three")
    order: list[int] = []
    async with holding(store):
        tasks = await asked(store, one, two, three)
        tasks[0].add_done_callback(lambda _: order.append(0))
        tasks[2].add_done_callback(lambda _: order.append(2))
        tasks[1].cancel()
    assert await tasks[2] == [None]
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert (await stored(store, TABLE)).snapshot == b"three"
    assert order == [0, 2]


async def test_closing_finishes_what_was_asked(clock: Clock, tmp_path: Path) -> None:
    async with opened(tmp_path, clock) as store:
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        async with holding(store):
            [task] = await asked(store, one)
            closing = asyncio.create_task(store.close())
            await one_step()
            with pytest.raises(StoreError, match="closed"):
                await store.load(TABLE)
        await closing
        assert await task == [None]
    async with opened(tmp_path, clock) as store:
        assert (await stored(store, TABLE)).snapshot == b"one"


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize(
    ("levels", "synchronous"),
    [((False,), 1), ((True,), 2), ((False, True, False), 2), ((), None)],
    ids=["none is durable", "durable", "one of three is durable", "only reads"],
)
async def test_a_group_is_synced_to_disk_if_any_commit_asks_for_it(
    store: SqliteStore, before: int, levels: tuple[bool, ...], synchronous: int | None
) -> None:
    await announce(store, "one")
    ids = [SessionId("trivia", str(n)) for n in range(len(levels))]
    commits = [
        replace(first(id, "one", await own(store, id, "one")), durable=durable)
        for id, durable in zip(ids, levels, strict=True)
    ]
    former = first(TABLE, "one", await own(store, TABLE, "one"))
    await write(store, replace(former, durable=before == 2))
    async with holding(store):
        tasks = await asked(store, *commits)
        level = asyncio.create_task(
            store._writer.do(lambda db: db.execute("PRAGMA synchronous").fetchone())
        )
        await one_step()
    assert await level == (synchronous or before,)
    assert [await task for task in tasks] == [[None]] * len(levels)


async def test_taking_a_session_is_synced_to_disk(store: SqliteStore) -> None:
    await announce(store, "one")
    other = first(OTHER, "one", await own(store, OTHER, "one"))
    await write(store, replace(other, durable=False))
    async with holding(store):
        taking = asyncio.create_task(store.acquire(TABLE, "one"))
        level = asyncio.create_task(
            store._writer.do(lambda db: db.execute("PRAGMA synchronous").fetchone())
        )
        await one_step()
    assert await level == (2,)
    await taking


async def test_a_full_disk_loses_the_commit_and_nothing_else(
    store: SqliteStore, tmp_path: Path
) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    other = first(OTHER, "one", await own(store, OTHER, "one"))
    await write(store, one)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "rooms.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, usual[1]))
    try:
        big = replace(following(one), snapshot=b"x" * 1_000_000, marks={"a": b"1"})
        [answer] = await store.commit_many([big])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert isinstance(answer, UnknownOutcome)
    record = await stored(store, TABLE)
    assert (record.revision, record.snapshot, record.marks) == (1, b"one", {})
    await write(store, big, other)
    assert (await stored(store, TABLE)).snapshot == b"x" * 1_000_000
    check = await store._writer.do(lambda db: db.execute("PRAGMA integrity_check").fetchone())
    assert check == ("ok",)


# ---------------------------------------------------------------- plans


async def test_a_group_is_written_by_one_statement_a_table(store: SqliteStore) -> None:
    """Each statement gives up Python's lock, and may wait for it."""
    await announce(store, "one")
    ids = [SessionId("trivia", str(n)) for n in range(5)]
    owned = [first(id, "one", await own(store, id, "one")) for id in ids]
    commits = [replace(one, marks={"a": b"1"}, outbox={"x": b"1"}) for one in owned]

    def statements(db: sqlite3.Connection) -> list[str]:
        seen: list[str] = []
        db.set_trace_callback(seen.append)
        assert records.write(db, [(commit, 0) for commit in commits])
        db.set_trace_callback(None)
        return [statement.split()[0] for statement in seen]

    assert await store._writer.do(statements) == ["UPDATE", "INSERT"]
    assert (await stored(store, ids[4])).marks == {"a": b"1"}


async def test_a_large_state_is_not_written_again_with_what_stands_beside_it(
    store: SqliteStore, tmp_path: Path
) -> None:
    await announce(store, "one")
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    await write(store, replace(one, snapshot=b"x" * 200_000))
    before = (tmp_path / "rooms.db-wal").stat().st_size
    change = replace(following(one), due=9, seats=b"seats", patches={"2": b"patch"})
    await write(store, change)
    assert (tmp_path / "rooms.db-wal").stat().st_size - before < 20_000
    assert (await stored(store, TABLE)).snapshot == b"x" * 200_000


async def test_the_frequent_statements_use_the_indexes(store: SqliteStore) -> None:
    await announce(store, "one")
    for n in range(50):
        await put_to_sleep(store, SessionId("trivia", str(n)), "one", n)
    one = first(TABLE, "one", await own(store, TABLE, "one"))
    one = replace(one, log=[Logged(1, 1, b"")], trim=Trim(0, 0), listing=b"listing")

    def plans(db: sqlite3.Connection) -> dict[str, list[str]]:
        """How each statement is carried out, by its first words."""
        seen: list[str] = []
        db.set_trace_callback(seen.append)
        records.write(db, [(one, 0)])
        records.due(db, 10, 10)
        records.load(db, TABLE)
        records.scan(db, "trivia", TABLE, 10)
        records.history(db, TABLE, 3, 10)
        records.find(db, "trivia", TABLE, 10)
        records.expired(db, 10, 10)
        db.set_trace_callback(None)
        return {
            " ".join(statement.split()[:8]): [
                row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")
            ]
            for statement in seen
        }

    found = await store._writer.do(plans)
    steps = [step for plan in found.values() for step in plan]
    assert len(found) == 11, found
    for table in ("sessions", "entries", "listings", "log"):
        assert not [step for step in steps if f"SCAN {table}" in step], found
    assert sum("asleep" in step for step in steps) == 1, found
    assert sum("expiring" in step for step in steps) == 1, found


async def test_the_dead_are_disowned_again_when_that_was_not_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await announce(store, "one", "two")
    await write(store, first(TABLE, "one", await own(store, TABLE, "one")))
    await store.retire("one")

    def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(records, "due", fails)
        with pytest.raises(StoreError, match="the disk is full"):
            await store.due(0, 1)
    await own(store, TABLE, "two")


async def test_the_dead_of_long_ago_cost_nothing(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    disowned: list[list[str]] = []
    monkeypatch.setattr(records, "disown", lambda db, dead: disowned.append(sorted(dead)))
    await announce(store, "one", "two", "three")
    await store.retire("one")
    await store.due(0, 1)
    await store.retire("two")
    await store.due(0, 1)
    await store.due(0, 1)
    assert disowned == [["one"], ["two"], []]
