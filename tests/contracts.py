"""The rules of each port, as tests that every implementation inherits.

A store's own test file subclasses `StoreContract` and gives it a fixture `store` that measures time
by the fixture `clock`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rooms.errors import Fenced, StoreError
from rooms.store.port import (
    REMEMBERED,
    Acquired,
    Commit,
    Due,
    Found,
    Held,
    HostInfo,
    Logged,
    Owner,
    SessionId,
    Trim,
)

if TYPE_CHECKING:
    from rooms.store.port import Record, Store

TABLE = SessionId("trivia", "table-1")
OTHER = SessionId("trivia", "table-2")
TTL = 10_000


class Clock:
    """Time that only tests move, in ms."""

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        self.ms = start

    def now(self) -> int:
        return self.ms

    def advance(self, ms: int) -> None:
        self.ms += ms


def host(incarnation: str) -> HostInfo:
    return HostInfo(incarnation, f"unix:/run/{incarnation}", {"trivia": "1"}, expires=0)


async def announce(store: Store, *incarnations: str, ttl: int = TTL) -> None:
    for incarnation in incarnations:
        assert await store.heartbeat(host(incarnation), ttl)


async def own(store: Store, id: SessionId, incarnation: str) -> Acquired:
    acquired = await store.acquire(id, incarnation)
    assert isinstance(acquired, Acquired), acquired
    return acquired


def first(id: SessionId, incarnation: str, acquired: Acquired) -> Commit:
    """A commit of revision 1 by who has just acquired a session that was never stored."""
    return Commit(
        id=id,
        incarnation=incarnation,
        epoch=acquired.epoch,
        generation=acquired.generation,
        prev=0,
        new=1,
        version="1",
        due=None,
        snapshot=b"one",
    )


def following(commit: Commit, snapshot: bytes | None = None) -> Commit:
    """The next revision, otherwise unchanged."""
    return replace(commit, prev=commit.new, new=commit.new + 1, snapshot=snapshot)


async def write(store: Store, *commits: Commit) -> None:
    answers = await store.commit_many(commits)
    assert list(answers) == [None] * len(commits), answers


async def refused(store: Store, commit: Commit) -> StoreError:
    [answer] = await store.commit_many([commit])
    assert answer is not None, "the commit was written"
    return answer


async def stored(store: Store, id: SessionId) -> Record:
    record = await store.load(id)
    assert record is not None
    return record


async def put_to_sleep(store: Store, id: SessionId, incarnation: str, due: int | None) -> None:
    """A session with one revision and a timer, acquired and released by a living incarnation."""
    acquired = await own(store, id, incarnation)
    await write(store, replace(first(id, incarnation, acquired), due=due))
    assert await store.release(id, incarnation, acquired.epoch, None)


class StoreContract:
    """What every `Store` does."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    # ------------------------------------------------------------ time, secret, hosts

    async def test_its_time_is_the_clock_it_was_given(self, store: Store, clock: Clock) -> None:
        clock.advance(5)
        assert await store.now() == clock.ms

    async def test_its_secret_is_made_once_and_long_enough(self, store: Store) -> None:
        assert len(await store.secret()) == 32
        assert await store.secret() == await store.secret()

    async def test_an_announced_host_is_listed_until_its_lease_ends(
        self, store: Store, clock: Clock
    ) -> None:
        await announce(store, "one")
        clock.advance(TTL - 1)
        assert list(await store.hosts()) == [replace(host("one"), expires=clock.ms + 1)]
        clock.advance(1)
        assert list(await store.hosts()) == []

    async def test_a_heartbeat_in_time_prolongs_the_lease(self, store: Store, clock: Clock) -> None:
        await announce(store, "one")
        clock.advance(TTL - 1)
        await announce(store, "one")
        clock.advance(TTL - 1)
        assert [h.incarnation for h in await store.hosts()] == ["one"]

    async def test_an_expired_incarnation_is_dead_for_ever(
        self, store: Store, clock: Clock
    ) -> None:  # [STORE4]
        await announce(store, "one")
        clock.advance(TTL)
        assert not await store.heartbeat(host("one"), TTL)
        assert list(await store.hosts()) == []
        with pytest.raises(StoreError, match="no lease"):
            await store.acquire(TABLE, "one")

    async def test_a_retired_incarnation_is_dead_for_ever(self, store: Store) -> None:
        await announce(store, "one")
        await store.retire("one")
        assert list(await store.hosts()) == []
        assert not await store.heartbeat(host("one"), TTL)

    async def test_only_the_announced_may_acquire(self, store: Store) -> None:
        with pytest.raises(StoreError, match="no lease"):
            await store.acquire(TABLE, "nobody")
        await announce(store, "one")
        await own(store, TABLE, "one")

    # ------------------------------------------------------------ acquire

    async def test_a_session_never_stored_is_claimed_without_a_record(self, store: Store) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        assert acquired.record is None
        assert acquired.generation
        assert await store.load(TABLE) is None
        assert list(await store.scan()) == []

    async def test_a_held_session_says_by_whom_and_where(self, store: Store) -> None:
        await announce(store, "one", "two")
        acquired = await own(store, TABLE, "one")
        assert await store.acquire(TABLE, "two") == Held("one", acquired.epoch, host("one").address)

    async def test_acquiring_again_is_harmless_to_its_owner(self, store: Store) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        await write(store, first(TABLE, "one", acquired))
        again = await own(store, TABLE, "one")
        assert (again.epoch, again.generation) == (acquired.epoch, acquired.generation)
        assert again.record == await store.load(TABLE)
        await write(store, following(first(TABLE, "one", acquired), b"two"))

    async def test_a_session_changes_hands_at_a_higher_epoch_with_its_record(
        self, store: Store
    ) -> None:
        await announce(store, "one", "two")
        acquired = await own(store, TABLE, "one")
        await write(store, first(TABLE, "one", acquired))
        before = await store.load(TABLE)
        assert await store.release(TABLE, "one", acquired.epoch, None)
        taken = await own(store, TABLE, "two")
        assert taken.epoch > acquired.epoch
        assert taken.generation == acquired.generation
        assert taken.record == before

    @pytest.mark.parametrize("how", ["expired", "retired"])
    async def test_the_sessions_of_the_dead_may_be_taken(
        self, store: Store, clock: Clock, how: str
    ) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        await write(store, first(TABLE, "one", acquired))
        if how == "expired":
            clock.advance(TTL)
        else:
            await store.retire("one")
        await announce(store, "two")
        taken = await own(store, TABLE, "two")
        assert taken.epoch > acquired.epoch
        assert taken.record is not None
        assert taken.record.snapshot == b"one"

    async def test_what_the_dead_only_claimed_is_claimed_anew(self, store: Store) -> None:
        await announce(store, "one", "two")
        claimed = await own(store, TABLE, "one")
        await store.retire("one")
        taken = await own(store, TABLE, "two")
        assert taken.record is None
        assert taken.epoch > claimed.epoch

    # ------------------------------------------------------------ commit

    async def test_a_commit_is_what_is_loaded(self, store: Store, clock: Clock) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        clock.advance(77)
        await write(
            store,
            replace(
                first(TABLE, "one", acquired),
                seats=b"seats",
                marks={"subject\0client": b"mark"},
                outbox={"effect-1": b"effect"},
                patches={"1": b"patch"},
                storage={"key": b"value"},
                listing=b"listing",
                due=123,
                expires=456,
                version="1.0",
            ),
        )
        record = await stored(store, TABLE)
        assert record.generation == acquired.generation
        assert (record.revision, record.version, record.due) == (1, "1.0", 123)
        assert (record.snapshot, record.seats) == (b"one", b"seats")
        assert record.marks == {"subject\0client": b"mark"}
        assert record.outbox == {"effect-1": b"effect"}
        assert record.patches == {"1": b"patch"}
        assert record.storage == {"key": b"value"}
        assert (record.listing, record.expires) == (b"listing", 456)
        assert record.activation is None
        assert not record.logged
        assert record.changed == clock.ms

    async def test_what_a_commit_leaves_out_stays_and_none_removes_an_entry(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        commit = replace(
            first(TABLE, "one", await own(store, TABLE, "one")),
            seats=b"seats",
            marks={"a": b"1", "b": b"1"},
            outbox={"x": b"1", "y": b"1"},
            patches={"1": b"1"},
            storage={"s": b"1", "t": b"1"},
            listing=b"listing",
            due=5,
            expires=6,
        )
        change = replace(
            following(commit),
            seats=None,
            marks={"a": None, "c": b"2", "never": None},
            outbox={"x": b"2", "y": None},
            patches={"1": None, "2": b"2"},
            storage={"s": None, "u": b"2"},
            listing=None,
            due=None,
            expires=None,
        )
        await write(store, commit, change)
        record = await stored(store, TABLE)
        assert (record.revision, record.snapshot, record.seats) == (2, b"one", b"seats")
        assert record.marks == {"b": b"1", "c": b"2"}
        assert record.outbox == {"x": b"2"}
        assert record.patches == {"2": b"2"}
        assert record.storage == {"t": b"1", "u": b"2"}
        assert record.listing == b"listing"
        assert (record.due, record.expires) == (None, None)

    async def test_a_commit_may_cover_several_revisions_or_none(self, store: Store) -> None:
        await announce(store, "one")
        commit = replace(first(TABLE, "one", await own(store, TABLE, "one")), new=5)
        ignored = replace(commit, prev=5, snapshot=None, marks={"a": b"settled"})
        await write(store, commit, ignored)
        record = await stored(store, TABLE)
        assert (record.revision, record.marks) == (5, {"a": b"settled"})

    async def test_many_sessions_are_written_at_once_and_answered_in_order(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        ids = [SessionId("trivia", f"table-{n}") for n in range(300)]
        commits = [
            replace(
                first(id, "one", await own(store, id, "one")),
                snapshot=str(id).encode(),
                marks={"a": b"1", "b": b"2"},
            )
            for id in ids
        ]
        await write(store, *commits)
        for id in ids:
            record = await stored(store, id)
            assert record.snapshot == str(id).encode()
            assert record.marks == {"a": b"1", "b": b"2"}

    async def test_commits_of_one_session_chain(self, store: Store) -> None:
        await announce(store, "one")
        one = replace(first(TABLE, "one", await own(store, TABLE, "one")), marks={"a": b"1"})
        two = replace(following(one, b"two"), marks={"b": b"2"}, due=9)
        three = replace(following(two), marks={"a": None}, seats=b"seats", due=8)
        await write(store, one, two, three)
        record = await stored(store, TABLE)
        assert (record.revision, record.snapshot, record.seats) == (3, b"two", b"seats")
        assert (record.marks, record.due) == ({"b": b"2"}, 8)

    async def test_a_commit_that_follows_another_revision_is_refused(
        self, store: Store
    ) -> None:  # [STORE2]
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        await refused(store, replace(one, snapshot=b"a repeat"))
        await refused(store, following(following(one, b"a gap")))
        assert (await stored(store, TABLE)).snapshot == b"one"

    async def test_a_commit_that_leaves_a_gap_after_its_neighbour_is_refused(
        self, store: Store
    ) -> None:  # [STORE2]
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        answers = await store.commit_many([one, following(following(one, b"a gap"))])
        assert [answer is None for answer in answers] == [True, False]
        assert (await stored(store, TABLE)).revision == 1

    async def test_a_former_owner_is_fenced(self, store: Store) -> None:  # [STORE2]
        await announce(store, "one", "two")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        await store.retire("one")
        taken = await own(store, TABLE, "two")
        error = await refused(store, following(one, b"stale"))
        assert isinstance(error, Fenced)
        assert (error.held, error.current) == (one.epoch, taken.epoch)
        assert (await stored(store, TABLE)).snapshot == b"one"

    async def test_an_owner_is_fenced_by_its_own_next_ownership(
        self, store: Store
    ) -> None:  # [STORE2]
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        assert await store.release(TABLE, "one", one.epoch, None)
        assert isinstance(await refused(store, following(one, b"asleep")), Fenced)
        again = await own(store, TABLE, "one")
        assert isinstance(await refused(store, following(one, b"stale")), Fenced)
        await write(store, replace(following(one, b"two"), epoch=again.epoch))

    async def test_another_incarnation_cannot_use_the_owners_epoch(
        self, store: Store
    ) -> None:  # [STORE2]
        await announce(store, "one", "two")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        assert isinstance(await refused(store, replace(one, incarnation="two")), Fenced)

    async def test_a_commit_to_a_missing_record_is_refused(self, store: Store) -> None:
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        assert await store.delete(TABLE)
        error = await refused(store, following(one, b"two"))
        assert isinstance(error, Fenced)
        assert error.current is None
        assert await store.load(TABLE) is None

    async def test_a_commit_to_another_generation_is_refused(self, store: Store) -> None:  # [NAME5]
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(store, one)
        assert await store.delete(TABLE)
        again = await own(store, TABLE, "one")
        assert again.generation != one.generation
        # The owner, epoch and revision may be the same; the generation never is.
        of_the_former = replace(one, epoch=again.epoch, snapshot=b"former")
        assert isinstance(await refused(store, of_the_former), Fenced)
        await write(store, replace(one, epoch=again.epoch, generation=again.generation))
        assert (await stored(store, TABLE)).snapshot == b"one"

    async def test_a_refused_commit_refuses_the_later_ones_of_its_session_only(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        other = first(OTHER, "one", await own(store, OTHER, "one"))
        await write(store, one)
        answers = await store.commit_many(
            [other, one, following(one, b"late"), following(other, b"fine")]
        )
        assert [answer is None for answer in answers] == [True, False, False, True]
        assert (await stored(store, TABLE)).snapshot == b"one"
        assert (await stored(store, OTHER)).snapshot == b"fine"

    async def test_a_refused_commit_refuses_also_a_later_one_that_would_fit(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        stale = replace(one, epoch=one.epoch - 1)
        answers = await store.commit_many([stale, one])
        assert [answer is None for answer in answers] == [False, False]
        assert await store.load(TABLE) is None

    async def test_a_refused_commit_changes_nothing_of_its_own(self, store: Store) -> None:
        await announce(store, "one")
        one = replace(
            first(TABLE, "one", await own(store, TABLE, "one")),
            marks={"a": b"1"},
            log=[Logged(1, 10, b"first")],
            listing=b"listing",
        )
        await write(store, one)
        before = await stored(store, TABLE)
        await refused(
            store,
            replace(
                one,
                marks={"a": None, "b": b"2"},
                outbox={"x": b"1"},
                patches={"1": b"1"},
                storage={"s": b"1"},
                log=[Logged(2, 20, b"never")],
                trim=Trim(1, 100),
                listing=b"",
                seats=b"new",
                due=1,
                expires=1,
            ),
        )
        assert await stored(store, TABLE) == before
        assert list(await store.history(TABLE)) == [Logged(1, 10, b"first")]
        assert list(await store.find("trivia")) == [Found(TABLE, b"listing")]

    async def test_a_commit_is_written_at_every_level(self, store: Store) -> None:
        await announce(store, "one")
        one = replace(first(TABLE, "one", await own(store, TABLE, "one")), durable=False)
        await write(store, one)
        await write(store, replace(following(one, b"two"), durable=True))
        assert (await stored(store, TABLE)).snapshot == b"two"

    async def test_no_commits_are_answered_by_nothing(self, store: Store) -> None:
        assert list(await store.commit_many([])) == []

    # ------------------------------------------------------------ large states

    @pytest.mark.parametrize("size", [0, 1, 8192, 8193, 300_000])
    async def test_a_snapshot_of_any_size_is_kept_and_counted(
        self, store: Store, size: int
    ) -> None:
        await announce(store, "one")
        one = replace(first(TABLE, "one", await own(store, TABLE, "one")), snapshot=b"x" * size)
        await write(store, one)
        assert (await stored(store, TABLE)).snapshot == b"x" * size
        assert [line.bytes for line in await store.scan()] == [size]
        await write(store, replace(following(one), patches={"2": b"patch"}))
        record = await stored(store, TABLE)
        assert (record.snapshot, record.patches) == (b"x" * size, {"2": b"patch"})

    @pytest.mark.parametrize("sizes", [(300_000, 10), (10, 300_000), (300_000, 200_000)])
    async def test_a_snapshot_takes_the_place_of_one_of_another_size(
        self, store: Store, sizes: tuple[int, int]
    ) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        one = replace(first(TABLE, "one", acquired), snapshot=b"a" * sizes[0])
        await write(store, one)
        await write(store, following(one, b"b" * sizes[1]))
        assert (await stored(store, TABLE)).snapshot == b"b" * sizes[1]
        assert [line.bytes for line in await store.scan()] == [sizes[1]]
        assert await store.release(TABLE, "one", acquired.epoch, None)
        again = await own(store, TABLE, "one")
        assert again.record is not None
        assert again.record.snapshot == b"b" * sizes[1]

    # ------------------------------------------------------------ history

    async def test_the_log_is_read_from_any_revision_a_page_at_a_time(self, store: Store) -> None:
        await announce(store, "one")
        entries = [Logged(number, 1000 + number, b"%d" % number) for number in range(1, 8)]
        one = replace(first(TABLE, "one", await own(store, TABLE, "one")), new=5, log=entries[:5])
        assert list(await store.history(TABLE)) == []
        await write(store, one, replace(following(one), new=7, log=entries[5:]))
        assert (await stored(store, TABLE)).logged
        assert list(await store.history(TABLE)) == entries
        assert list(await store.history(TABLE, after=2, limit=3)) == entries[2:5]
        assert list(await store.history(TABLE, after=7)) == []
        assert list(await store.history(OTHER)) == []

    async def test_the_log_loses_what_is_both_beyond_the_count_and_too_old(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        one = first(TABLE, "one", await own(store, TABLE, "one"))
        await write(
            store, replace(one, new=4, log=[Logged(n, n * 10, b"%d" % n) for n in range(1, 5)])
        )

        async def kept_after(trim: Trim, prev: int) -> list[int]:
            change = replace(
                one, prev=prev, new=prev + 1, log=[Logged(prev + 1, 50, b"")], trim=trim
            )
            await write(store, change)
            return [entry.revision for entry in await store.history(TABLE)]

        assert await kept_after(Trim(2, 0), 4) == [1, 2, 3, 4, 5]
        assert await kept_after(Trim(-8, 100), 5) == [1, 2, 3, 4, 5, 6]
        assert await kept_after(Trim(2, 20), 6) == [2, 3, 4, 5, 6, 7]
        assert await kept_after(Trim(8, 51), 7) == []
        assert not (await stored(store, TABLE)).logged

    @pytest.mark.parametrize("later", [None, Trim(0, 0), Trim(1, 100)])
    async def test_a_commit_trims_what_was_logged_until_then(
        self, store: Store, later: Trim | None
    ) -> None:
        await announce(store, "one")
        one = replace(
            first(TABLE, "one", await own(store, TABLE, "one")),
            log=[Logged(1, 10, b"")],
            trim=Trim(9, 100),
        )
        two = replace(following(one), log=[Logged(2, 20, b"")], trim=later)
        await write(store, one, two)
        assert [entry.revision for entry in await store.history(TABLE)] == [2]

    async def test_logs_of_several_sessions_are_trimmed_apart(self, store: Store) -> None:
        await announce(store, "one")
        ids = [SessionId("trivia", f"table-{n}") for n in range(5)]
        commits = [
            replace(
                first(id, "one", await own(store, id, "one")),
                new=3,
                log=[Logged(n, 10, b"") for n in (1, 2, 3)],
                trim=Trim(index, 100) if index else None,
            )
            for index, id in enumerate(ids)
        ]
        await write(store, *commits)
        kept = [[entry.revision for entry in await store.history(id)] for id in ids]
        assert kept == [[1, 2, 3], [2, 3], [3], [], []]

    # ------------------------------------------------------------ lists, expiry

    async def test_listed_sessions_are_found_by_kind_a_page_at_a_time(self, store: Store) -> None:
        await announce(store, "one")
        names = [("a", "1"), ("a", "10"), ("a", "2"), ("b", "1")]
        ids = [SessionId(*name) for name in names]
        for id in reversed(ids):
            acquired = await own(store, id, "one")
            await write(store, replace(first(id, "one", acquired), listing=str(id).encode()))
        unlisted = SessionId("a", "0")
        await put_to_sleep(store, unlisted, "one", None)
        expected = [Found(id, str(id).encode()) for id in ids]
        assert list(await store.find("a")) == expected[:3]
        assert list(await store.find("a", after=ids[0], limit=1)) == expected[1:2]
        assert list(await store.find("b")) == expected[3:]
        assert list(await store.find("c")) == []
        await store.retire("one")
        assert list(await store.find("a")) == expected[:3]

    async def test_a_listing_stays_until_an_empty_one(self, store: Store) -> None:
        await announce(store, "one")
        one = replace(first(TABLE, "one", await own(store, TABLE, "one")), listing=b"1")
        await write(store, one, replace(following(one), listing=None))
        assert list(await store.find("trivia")) == [Found(TABLE, b"1")]
        await write(store, replace(one, prev=2, new=3, listing=b"3"))
        assert list(await store.find("trivia")) == [Found(TABLE, b"3")]
        await write(store, replace(one, prev=3, new=4, listing=b""))
        assert list(await store.find("trivia")) == []
        assert (await stored(store, TABLE)).listing is None

    async def test_sleeping_sessions_expire_earliest_first_up_to_the_limit(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        ids = [SessionId("trivia", f"table-{n}") for n in range(5)]
        for id, expires in zip(ids, (500, 300, None, 100, 301), strict=True):
            acquired = await own(store, id, "one")
            await write(store, replace(first(id, "one", acquired), expires=expires))
            assert id not in await store.expired(1000, 10)
            assert await store.release(id, "one", acquired.epoch, None)
        assert list(await store.expired(300, 10)) == [ids[3], ids[1]]
        assert list(await store.expired(1000, 3)) == [ids[3], ids[1], ids[4]]
        acquired = await own(store, ids[3], "one")
        assert list(await store.expired(300, 10)) == [ids[1]]
        await store.retire("one")
        assert list(await store.expired(300, 10)) == [ids[3], ids[1]]

    # ------------------------------------------------------------ release

    async def test_activation_is_left_by_a_release_and_taken_once(self, store: Store) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        await write(store, first(TABLE, "one", acquired))
        assert await store.release(TABLE, "one", acquired.epoch, b"nonce")
        taken = await own(store, TABLE, "one")
        assert taken.record is not None
        assert taken.record.activation == b"nonce"
        assert (await stored(store, TABLE)).activation is None
        again = await own(store, TABLE, "one")
        assert again.record is not None
        assert again.record.activation is None

    async def test_only_its_owner_at_its_epoch_releases(self, store: Store) -> None:
        await announce(store, "one", "two")
        acquired = await own(store, TABLE, "one")
        await write(store, first(TABLE, "one", acquired))
        assert not await store.release(TABLE, "two", acquired.epoch, b"no")
        assert not await store.release(TABLE, "one", acquired.epoch - 1, b"no")
        assert not await store.release(OTHER, "one", acquired.epoch, b"no")
        assert isinstance(await store.acquire(TABLE, "two"), Held)
        assert await store.release(TABLE, "one", acquired.epoch, None)
        assert not await store.release(TABLE, "one", acquired.epoch, b"twice")
        assert (await stored(store, TABLE)).activation is None

    async def test_a_release_of_a_deleted_session_cannot_hit_its_successor(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        former = await own(store, TABLE, "one")
        await store.delete(TABLE)
        again = await own(store, TABLE, "one")
        assert not await store.release(TABLE, "one", former.epoch, None)
        await write(store, first(TABLE, "one", again))

    async def test_a_released_session_that_was_only_claimed_is_forgotten(
        self, store: Store
    ) -> None:  # [NAME3]
        await announce(store, "one")
        claimed = await own(store, TABLE, "one")
        assert await store.release(TABLE, "one", claimed.epoch, None)
        again = await own(store, TABLE, "one")
        assert again.record is None
        assert again.generation != claimed.generation

    @pytest.mark.parametrize("how", ["released", "retired"])
    async def test_marks_alone_are_kept_until_they_expire_and_are_no_session(
        self, store: Store, how: str
    ) -> None:  # [SEND11] [NAME3] [NAME6]
        await announce(store, "one", "two")
        claimed = await own(store, TABLE, "one")
        ignored = replace(
            first(TABLE, "one", claimed),
            new=0,
            snapshot=None,
            marks={"a": b"ignored"},
            expires=5,
        )
        await write(store, ignored)
        if how == "released":
            assert await store.release(TABLE, "one", claimed.epoch, None)
        else:
            await store.retire("one")
        assert list(await store.expired(5, 10)) == [TABLE]
        assert await store.load(TABLE) is None
        assert (list(await store.scan()), list(await store.find("trivia"))) == ([], [])
        again = await own(store, TABLE, "two")
        assert again.record is not None
        assert (again.record.revision, again.record.snapshot) == (0, None)
        assert (again.record.marks, again.record.expires) == ({"a": b"ignored"}, 5)
        assert again.generation == claimed.generation
        assert await store.release(TABLE, "two", again.epoch, None)
        again = await own(store, TABLE, "two")
        await write(store, first(TABLE, "two", again))
        record = await stored(store, TABLE)
        assert (record.revision, record.marks, record.expires) == (1, {"a": b"ignored"}, None)

    async def test_of_marks_alone_no_deletion_is_remembered(self, store: Store) -> None:
        # [SEND11] [NAME6]
        await announce(store, "one")
        claimed = await own(store, TABLE, "one")
        ignored = replace(first(TABLE, "one", claimed), new=0, snapshot=None, marks={"a": b"1"})
        await write(store, ignored)
        assert await store.release(TABLE, "one", claimed.epoch, None)
        again = await own(store, TABLE, "one")
        assert await store.delete(TABLE, Owner("one", again.epoch))
        anew = await own(store, TABLE, "one")
        assert (anew.record, anew.deleted) == (None, None)

    # ------------------------------------------------------------ due

    async def test_sleeping_sessions_are_due_earliest_first_up_to_the_limit(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        ids = [SessionId("trivia", f"table-{n}") for n in range(5)]
        for id, due in zip(ids, (500, 300, None, 100, 301), strict=True):
            await put_to_sleep(store, id, "one", due)
        assert list(await store.due(300, 10)) == [Due(ids[3], 100), Due(ids[1], 300)]
        assert [one.due for one in await store.due(1000, 3)] == [100, 300, 301]
        assert list(await store.due(99, 10)) == []

    async def test_nothing_is_due_in_a_store_without_timers(self, store: Store) -> None:
        await announce(store, "one")
        assert list(await store.due(1 << 60, 10)) == []
        await put_to_sleep(store, TABLE, "one", None)
        assert list(await store.due(1 << 60, 10)) == []

    async def test_a_live_session_is_not_due_and_its_last_commit_counts_when_it_sleeps(
        self, store: Store
    ) -> None:  # [TIME3]
        await announce(store, "one")
        await put_to_sleep(store, TABLE, "one", 100)
        acquired = await own(store, TABLE, "one")
        assert list(await store.due(1000, 10)) == []
        assert acquired.record is not None
        change = replace(first(TABLE, "one", acquired), prev=1, new=2, due=50)
        await write(store, change)
        assert list(await store.due(1000, 10)) == []
        assert await store.release(TABLE, "one", acquired.epoch, None)
        assert list(await store.due(1000, 10)) == [Due(TABLE, 50)]
        acquired = await own(store, TABLE, "one")
        await write(store, replace(following(change), epoch=acquired.epoch, due=None))
        assert await store.release(TABLE, "one", acquired.epoch, None)
        assert list(await store.due(1000, 10)) == []

    @pytest.mark.parametrize("how", ["expired", "retired"])
    async def test_the_timers_of_the_dead_are_due(
        self, store: Store, clock: Clock, how: str
    ) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        await write(store, replace(first(TABLE, "one", acquired), due=100))
        if how == "expired":
            clock.advance(TTL)
        else:
            await store.retire("one")
        assert list(await store.due(100, 10)) == [Due(TABLE, 100)]

    async def test_a_deleted_session_is_not_due(self, store: Store) -> None:
        await announce(store, "one")
        await put_to_sleep(store, TABLE, "one", 100)
        assert await store.delete(TABLE)
        assert list(await store.due(1000, 10)) == []

    # ------------------------------------------------------------ scan, delete, close

    async def test_sessions_are_listed_in_order_of_their_names_a_page_at_a_time(
        self, store: Store
    ) -> None:
        await announce(store, "one")
        names = [("a", "1"), ("a", "10"), ("a", "2"), ("b", "1"), ("c", "0")]
        for kind, session in reversed(names):
            await put_to_sleep(store, SessionId(kind, session), "one", None)
        assert [tuple(line.id) for line in await store.scan()] == names
        page = await store.scan(limit=2)
        assert [tuple(line.id) for line in page] == names[:2]
        page = await store.scan(after=page[-1].id, limit=2)
        assert [tuple(line.id) for line in page] == names[2:4]
        assert [tuple(line.id) for line in await store.scan("a")] == names[:3]
        after = await store.scan("a", after=SessionId("a", "1"))
        assert [tuple(line.id) for line in after] == names[1:3]
        assert list(await store.scan("a", after=SessionId("b", "0"))) == []

    async def test_a_line_says_what_the_session_is_and_who_has_it(
        self, store: Store, clock: Clock
    ) -> None:
        await announce(store, "one")
        await put_to_sleep(store, TABLE, "one", 100)
        [line] = await store.scan()
        assert (line.id, line.revision, line.version) == (TABLE, 1, "1")
        assert (line.changed, line.due, line.bytes) == (clock.ms, 100, len(b"one"))
        assert line.owner is None
        await own(store, TABLE, "one")
        assert [line.owner for line in await store.scan()] == ["one"]
        await store.retire("one")
        assert [line.owner for line in await store.scan()] == [None]

    async def test_a_deletion_is_remembered_by_its_name_for_a_day(  # [NAME6]
        self, store: Store, clock: Clock
    ) -> None:
        await announce(store, "one")
        await put_to_sleep(store, TABLE, "one", None)
        assert (await own(store, OTHER, "one")).deleted is None
        assert await store.release(OTHER, "one", (await own(store, OTHER, "one")).epoch, None)
        assert await store.delete(TABLE)
        deleted = clock.ms
        clock.advance(1000)
        again = await own(store, TABLE, "one")
        assert again.deleted == (await own(store, TABLE, "one")).deleted == deleted
        assert (await own(store, OTHER, "one")).deleted is None
        await write(store, first(TABLE, "one", again))
        assert await store.release(TABLE, "one", again.epoch, None)
        assert (await own(store, TABLE, "one")).deleted is None

    async def test_a_deletion_is_remembered_for_all_names_after_a_day(  # [NAME6]
        self, store: Store, clock: Clock
    ) -> None:
        """A store may part names into several sets, and forget in each by itself."""
        await announce(store, "one")
        third = SessionId("trivia", "table-3")
        deleted = {}
        for id in (TABLE, OTHER):
            await put_to_sleep(store, id, "one", None)
            assert await store.delete(id)
            deleted[id] = clock.ms
            clock.advance(1000)
        clock.advance(REMEMBERED)
        await announce(store, "two")
        await put_to_sleep(store, third, "two", None)
        assert await store.delete(third)
        for id, at in deleted.items():
            told = (await own(store, id, "two")).deleted
            assert told is not None
            assert at <= told <= deleted[OTHER]
        assert (await own(store, third, "two")).deleted == clock.ms

    async def test_what_was_only_claimed_was_no_session(self, store: Store) -> None:  # [NAME6]
        await announce(store, "one")
        await own(store, TABLE, "one")
        assert await store.delete(TABLE)
        assert (await own(store, TABLE, "one")).deleted is None

    async def test_a_session_takes_anothers_place_in_one_commit(  # [NAME5] [NAME6] [ADMIN6]
        self, store: Store, clock: Clock
    ) -> None:
        await announce(store, "one")
        before = first(TABLE, "one", await own(store, TABLE, "one"))
        before = replace(
            before,
            due=50,
            expires=60,
            seats=b"seats",
            marks={"ann": b"mark"},
            storage={"k": b"v"},
            listing=b"listed",
            log=[Logged(1, 1, b"one")],
        )
        await write(store, before)
        anew = replace(
            before,
            prev=1,
            new=7,
            due=None,
            expires=None,
            snapshot=b"seven",
            seats=None,
            marks={"bob": b"mark"},
            storage={},
            listing=None,
            log=[Logged(7, 7, b"seven")],
            anew="another",
        )
        for odd in (replace(anew, prev=0), replace(anew, epoch=99), replace(anew, generation="x")):
            await refused(store, odd)
        assert (await stored(store, TABLE)).snapshot == b"one"
        await write(store, anew)
        record = await stored(store, TABLE)
        assert (record.generation, record.revision, record.snapshot) == ("another", 7, b"seven")
        assert (record.seats, record.listing, record.due, record.expires) == (None,) * 4
        assert (dict(record.marks), dict(record.storage)) == ({"bob": b"mark"}, {})
        assert await store.history(TABLE) == [Logged(7, 7, b"seven")]
        assert list(await store.find(TABLE.kind)) == []
        assert [line.id for line in await store.scan()] == [TABLE]
        await refused(store, following(before))
        await write(store, following(replace(anew, generation="another", log=[], anew=None)))
        assert await store.release(TABLE, "one", before.epoch, None)
        assert await store.delete(TABLE)
        assert (await own(store, TABLE, "one")).deleted == clock.ms

    async def test_an_owner_deletes_only_what_is_still_theirs(self, store: Store) -> None:  # [TTL3]
        await announce(store, "one", "two")
        await put_to_sleep(store, TABLE, "one", None)
        acquired = await own(store, TABLE, "one")
        assert not await store.delete(TABLE, Owner("two", acquired.epoch))
        assert not await store.delete(TABLE, Owner("one", acquired.epoch - 1))
        await store.release(TABLE, "one", acquired.epoch, None)
        assert not await store.delete(TABLE, Owner("one", acquired.epoch))
        theirs = await own(store, TABLE, "two")
        assert not await store.delete(TABLE, Owner("one", acquired.epoch))
        assert (await stored(store, TABLE)).snapshot == b"one"
        assert await store.delete(TABLE, Owner("two", theirs.epoch))
        assert await store.load(TABLE) is None

    async def test_a_deleted_session_leaves_nothing_behind(self, store: Store) -> None:
        await announce(store, "one")
        acquired = await own(store, TABLE, "one")
        marked = replace(
            first(TABLE, "one", acquired),
            snapshot=b"x" * 100_000,
            marks={"a": b"1"},
            outbox={"x": b"1"},
            patches={"1": b"1"},
            storage={"s": b"1"},
            log=[Logged(1, 1, b"")],
            listing=b"listing",
            expires=1,
        )
        await write(store, marked)
        assert await store.delete(TABLE)
        assert not await store.delete(TABLE)
        assert list(await store.scan()) == []
        assert list(await store.find("trivia")) == []
        assert list(await store.history(TABLE)) == []
        assert list(await store.expired(1000, 10)) == []
        again = await own(store, TABLE, "one")
        assert again.record is None
        assert again.epoch > acquired.epoch
        await write(store, first(TABLE, "one", again))
        record = await stored(store, TABLE)
        assert record.snapshot == b"one"
        assert (record.marks, record.outbox, record.patches, record.storage) == ({}, {}, {}, {})
        assert (record.listing, record.logged) == (None, False)

    async def test_a_closed_store_says_so(self, store: Store) -> None:
        await store.close()
        await store.close()
        for call in (
            store.now(),
            store.secret(),
            store.heartbeat(host("one"), TTL),
            store.retire("one"),
            store.hosts(),
            store.acquire(TABLE, "one"),
            store.commit_many([]),
            store.release(TABLE, "one", 1, None),
            store.load(TABLE),
            store.due(0, 1),
            store.scan(),
            store.history(TABLE),
            store.find("trivia"),
            store.expired(0, 1),
            store.delete(TABLE),
        ):
            with pytest.raises(StoreError, match="closed"):
                await call
