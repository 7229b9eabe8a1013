"""A large state is stored as what changed; read again, it is what the whole would have been."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rooms.errors import CloseCode, Unstorable
from rooms.host import history, journal
from rooms.host import record as stored
from rooms.host.history import Keeps, past
from rooms.host.journal import Journal, Revision
from rooms.store.memory import MemoryStore
from rooms.store.port import Acquired, Commit, HostInfo, SessionId
from runtime import System
from tests.rooms.host import machines
from tests.rooms.host.machines import BOOK, Book
from tests.rooms.host.stage import Stage
from tests.sim.store import run_now

if TYPE_CHECKING:
    from rooms.store.port import Record
    from runtime import SystemSnapshot

ID = SessionId("book", "x")
TEXT = "a" * 100
NOTHING = Keeps(0, 0)
LIMIT = 1 << 20


@pytest.fixture(autouse=True)
def _fresh() -> None:
    machines.STARTED.clear()


class Play:
    """One session in a store, without a host: events in, commits out, and the store read again."""

    def __init__(self, keeps: Keeps = NOTHING) -> None:
        self.now = 1000
        self.keeps = keeps
        self.store = MemoryStore(lambda: self.now)
        run_now(self.store.heartbeat(HostInfo("one", "", {}, 0), 1 << 40))
        acquired = run_now(self.store.acquire(ID, "one"))
        assert isinstance(acquired, Acquired)
        self.claim = acquired
        self.system = System(BOOK)
        self.snapshot: SystemSnapshot = self.system.initial(now=self.now, seed=1).snapshot
        self.revision = self.handed = 0
        self.past: list[Revision] = []
        self.journal = Journal(self.system, keeps, self.system.share(self.snapshot), None, LIMIT)
        self.were: dict[int, bytes] = {}
        """Each revision, as it is when it's stored whole."""
        self.commits: list[Commit] = []

    def event(self, **event: Any) -> None:
        """One event, to its end."""
        self.now += 10
        self.after(self.system.step(self.snapshot, event, now=self.now), event["type"])

    def wait(self, ms: int) -> None:
        """Time passes, and timers fire."""
        self.now += ms
        for timer in self.snapshot.timers:
            if timer.due <= self.now:
                self.after(self.system.fire(self.snapshot, timer, now=self.now), "timer")

    def after(self, step: Any, event: str) -> None:
        if step.error is not None:
            return
        if step.taken or step.snapshot is not self.snapshot:
            self.snapshot = step.snapshot
            self.revision += 1
            self.were[self.revision] = stored.dump(self.system, self.snapshot)
            if self.keeps:
                self.past.append(Revision(self.revision, self.now, event, self.snapshot))

    def commit(self, *, whole: bool = False) -> Commit:
        """Store what there is, as a room does."""
        written = self.journal.write(self.snapshot, self.revision, self.past, self.now, whole=whole)
        commit = Commit(
            ID, "one", self.claim.epoch, self.claim.generation, self.handed, self.revision, "1",
            None, written.snapshot,
            patches=written.patches, log=written.log, trim=written.trim,
        )  # fmt: skip
        assert run_now(self.store.commit_many([commit])) == [None]
        self.handed, self.past = self.revision, []
        self.commits.append(commit)
        return commit

    def record(self) -> Record:
        record = run_now(self.store.load(ID))
        assert record is not None
        return record

    def restart(self) -> None:
        """Forget all that isn't stored, and begin again from what is."""
        record = self.record()
        self.system = System(BOOK)
        room = Book("book", "x")
        restored = stored.restore(room, self.system, record, self.now)
        self.snapshot, self.revision, self.past = restored.step.snapshot, record.revision, []
        self.handed = self.revision
        for revision in [revision for revision in self.were if revision > self.revision]:
            del self.were[revision]
        self.journal = Journal(self.system, self.keeps, restored.persisted, record, LIMIT)


def large(pages: int = 200, keeps: Keeps = NOTHING) -> Play:
    """A play with a state of some 100 bytes a page, stored."""
    play = Play(keeps)
    for number in range(pages):
        play.event(type="put", page=f"page-{number}", text=f"{TEXT}{number}")
    play.commit()
    return play


# ---------------------------------------------------------------- small, large


def test_a_small_state_is_stored_whole() -> None:  # [STORE5]
    play = large(10)
    for number in range(5):
        play.event(type="put", page="page-1", text=str(number))
        commit = play.commit()
        assert commit.snapshot == stored.dump(play.system, play.snapshot)
        assert (commit.patches, commit.log, commit.trim) == ({}, [], None)


def test_of_a_large_state_what_changed_is_stored() -> None:  # [STORE5]
    play = large()
    play.event(type="put", page="page-7", text="b")
    commit = play.commit()
    assert commit.snapshot is None
    [(key, patch)] = commit.patches.items()
    assert key == str(play.revision)
    assert patch is not None
    assert json.loads(patch)[2] == [[["context", "pages", "page-7"], "b"]]
    assert len(patch) < 100


def test_a_large_change_is_stored_whole_and_takes_the_patches_away() -> None:  # [STORE5]
    play = large(100)
    play.event(type="put", page="page-7", text="b")
    [key] = play.commit().patches
    play.event(type="put", page="page-8", text="b" * 5000)
    commit = play.commit()
    assert commit.snapshot is not None
    assert commit.patches == {key: None}
    assert play.record().patches == {}
    assert orjson.dumps(stored.state(play.record())) == play.were[play.revision]


def test_after_256_patches_the_state_is_stored_whole() -> None:  # [STORE6]
    play = large()
    for number in range(256):
        play.event(type="put", page="page-1", text=str(number))
        assert play.commit().snapshot is None
    play.event(type="put", page="page-1", text="x")
    assert play.commit().snapshot is not None
    assert play.record().patches == {}
    play.event(type="put", page="page-1", text="y")
    assert play.commit().snapshot is None


def test_patches_that_outweigh_the_state_are_folded() -> None:  # [STORE6]
    play = large(100)
    weight, size = 0, len(play.commits[-1].snapshot or b"")
    for number in range(100):
        play.event(type="put", page=f"page-{number}", text="c" * 1000)
        commit = play.commit()
        if commit.snapshot is not None:
            break
        weight += sum(len(patch or b"") for patch in commit.patches.values())
        assert weight <= size
    else:
        pytest.fail("never folded")
    assert weight + 1100 > size


async def test_a_room_that_falls_asleep_folds_its_patches() -> None:  # [STORE6] [SLEEP3]
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(100):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    record = await on.record("book/x")
    assert record is not None
    assert record.patches
    before = stored.state(record)
    await on.advance(30_000)
    assert not on.awake("book/x")
    record = await on.record("book/x")
    assert record is not None
    assert (record.patches, record.revision) == ({}, 100)
    assert await on.stored("book/x") == before
    commits = len(on.store.commits)
    await on.request("GET", "book/x")
    await on.advance(30_000)
    assert not on.awake("book/x")
    assert len(on.store.commits) == commits, "there was nothing to fold"


async def test_a_room_with_patches_is_the_same_after_a_crash() -> None:  # [STORE5]
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(100):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    await ann.say("turn", page="page-3")
    record = await on.record("book/x")
    assert record is not None
    assert record.patches
    before = json.loads((await on.request("GET", "book/x")).body)["view"]
    await on.crash()
    ben = await on.connect("ben", "book/x")
    assert json.dumps(ben.view) == json.dumps(before)
    await ben.say("put", page="page-3", text="after")
    assert ben.view["context"]["pages"]["page-3"] == "after"


def test_what_restoring_changes_is_part_of_the_next_patch() -> None:  # [STORE5]
    play = large(keeps=Keeps(5, 0))
    play.event(type="close")  # a coroutine is started, and again by each restore
    play.commit()
    play.restart()
    play.event(type="put", page="page-1", text="x")
    assert play.commit().snapshot is None
    assert orjson.loads(play.were[play.revision])["starts"] == 2
    check(play)
    play.restart()
    check(play)


async def test_a_room_that_was_lost_goes_on_from_what_is_stored() -> None:  # [STORE5]
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(100):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    await ann.say("close")
    for crashes in range(3):
        await on.crash()
        await on.request("POST", "book/x", {"type": "put", "page": "page-1", "text": "x"})
        record = await on.record("book/x")
        assert record is not None
        assert record.patches
        assert stored.state(record)["starts"] == crashes + 2


async def test_a_room_of_16_kb_put_to_sleep_and_woken_a_thousand_times_is_bit_equal() -> None:
    # [SLEEP3] [STORE5] Every tenth time something changes; patches, folds and wakes all take part.
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(150):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    await ann.leave()
    before = b""
    for time in range(1000):
        if time % 10 == 0:
            await on.request("POST", "book/x", {"type": "turn", "page": f"page-{time % 150}"})
            await on.request("POST", "book/x", {"type": "put", "page": "page-1", "text": str(time)})
            before = b""
        else:
            await on.request("GET", "book/x")
        assert on.awake("book/x")
        await on.advance(20_000)
        assert not on.awake("book/x")
        record = await on.record("book/x")
        assert record is not None
        assert record.snapshot is not None
        assert before in (b"", record.snapshot)
        before = record.snapshot
    assert len(before) > 16_000


# ---------------------------------------------------------------- what isn't JSON


@pytest.mark.parametrize("event", ["spoilt", "misnamed"])
def test_what_is_not_json_is_found_in_a_patch_too(event: str) -> None:
    play = large()
    play.snapshot = play.system.step(play.snapshot, {"type": event}, now=play.now).snapshot
    with pytest.raises(Unstorable):
        play.journal.write(play.snapshot, play.revision + 1, (), play.now)


async def test_an_event_that_spoils_a_large_state_is_refused_and_the_room_goes_on() -> None:
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(100):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    before = json.dumps(ann.view)
    seq = await ann.send("spoilt")
    await on.advance(5_000)
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert json.dumps(ann.view) == before


# ---------------------------------------------------------------- patches that don't belong


def patched() -> Record:
    play = large()
    for number in range(3):
        play.event(type="put", page="page-1", text=str(number))
        play.commit()
    return play.record()


def spoil(record: Record, how: str) -> Record:
    """What a store that loses or mixes things up would give back."""
    keys = sorted(record.patches, key=int)
    patches = dict(record.patches)
    match how:
        case "first is missing":
            del patches[keys[0]]
        case "middle is missing":
            del patches[keys[1]]
        case "last is missing":
            del patches[keys[2]]
        case "another snapshot":
            snapshot = (record.snapshot or b"").replace(b"page-1", b"page-x", 1)
            return replace(record, snapshot=snapshot)
        case "two changed places":
            patches[keys[0]], patches[keys[1]] = patches[keys[1]], patches[keys[0]]
        case "nonsense":
            patches[keys[1]] = b"[]"
    return replace(record, patches=patches)


@pytest.mark.parametrize(
    "how",
    [
        "first is missing",
        "middle is missing",
        "last is missing",
        "another snapshot",
        "two changed places",
        "nonsense",
    ],
)
def test_patches_are_never_applied_to_what_they_were_not_made_for(how: str) -> None:  # [STORE7]
    record = patched()
    stored.state(record)
    with pytest.raises(ValueError, match=r"patch|unpack"):
        stored.state(spoil(record, how))


async def test_a_session_whose_patches_do_not_fit_stays_untouched() -> None:  # [STORE7]
    on = await Stage(book=Book).start()
    ann = await on.connect("ann", "book/x")
    for number in range(100):
        await ann.say("put", page=f"page-{number}", text=TEXT)
    await on.crash()
    row = on.inner._rows[SessionId("book", "x")]
    assert row.patches
    del row.patches[max(row.patches, key=int)]
    before = await on.record("book/x")
    ben = await on.connect("ben", "book/x")
    assert ben.closing is not None
    assert ben.closing.code == CloseCode.UNRESTORABLE
    assert await on.record("book/x") == before


# ---------------------------------------------------------------- any play

PAGES = st.sampled_from(["a", "b", "c", "d"])
EVENTS = st.one_of(
    st.builds(lambda p, t: {"type": "put", "page": p, "text": t}, PAGES, st.text(max_size=40)),
    st.builds(
        lambda p, n: {"type": "put", "page": p, "text": {"id": n, "deep": [n, {"x": p}]}},
        PAGES,
        st.integers().filter(lambda n: abs(n) < 1 << 53),
    ),
    st.builds(lambda p: {"type": "turn", "page": p}, PAGES),
    st.builds(lambda p: {"type": "drop", "page": p}, PAGES),
    st.builds(lambda t: {"type": "file", "text": t}, st.integers(0, 3)),
    st.builds(lambda p: {"type": "grow", "page": p}, PAGES),
    st.builds(lambda p: {"type": "bump", "page": p}, PAGES),
    st.sampled_from([{"type": "later"}, {"type": "close"}, {"type": "open"}, {"type": "doze"}]),
)
STEPS = st.lists(
    st.one_of(EVENTS, st.just("commit"), st.just("restart"), st.just("sleep"), st.just("wait")),
    max_size=40,
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches already for states of some hundred bytes, and folded soon."""
    monkeypatch.setattr(journal, "SMALL", 64)
    monkeypatch.setattr(journal, "WORTH_IT", 1)
    monkeypatch.setattr(journal, "MAX_PATCHES", 5)
    monkeypatch.setattr(history, "PAGE", 3)


@pytest.mark.usefixtures("tiny")
@settings(max_examples=150, deadline=None)
@example(steps=[{"type": "close"}, "commit", {"type": "turn", "page": "a"}, "commit", "restart",
                "sleep"], keeps=Keeps(4, 0))  # fmt: skip
@given(steps=STEPS, keeps=st.sampled_from([NOTHING, Keeps(4, 0), Keeps(0, 60), Keeps(2, 100)]))
def test_whatever_happens_what_is_stored_is_what_the_whole_would_be(
    steps: list[Any], keeps: Keeps
) -> None:  # [STORE5] [HISTORY1]
    play = Play(keeps)
    for step in steps:
        match step:
            case "commit" if play.revision > play.handed:
                play.commit()
            case "sleep" if play.revision:
                if play.revision > play.handed or play.journal.patched:
                    play.commit(whole=True)
                assert not play.journal.patched
                play.restart()
            case "restart" if play.handed:
                play.restart()
            case "wait":
                play.wait(50_000)
            case {"type": _}:
                play.event(**step)
            case _:
                continue
        if play.handed:
            check(play)


STARTS = re.compile(rb'"starts?":\d+')
"""How often coroutines were started: once more with each restart, which makes no revision."""


def _counted_out(state: bytes) -> bytes:
    return STARTS.sub(b"", state)


def check(play: Play) -> None:
    record = play.record()
    state = orjson.dumps(stored.state(record))
    assert _counted_out(state) == _counted_out(play.were[record.revision])
    newest = record.revision
    at = {moment.revision: moment.at for moment in run_now(play.store.history(ID, 0, 1000))}
    for revision, was in play.were.items():
        found = run_now(past(play.store, ID, revision, play.keeps, play.now))
        kept = play.keeps and (
            newest - play.keeps.revisions <= revision <= newest
            or (play.keeps.age and at.get(revision, 0) >= play.now - play.keeps.age)
        )
        assert (found is not None) is bool(kept and revision <= newest), revision
        if found is not None:
            assert _counted_out(orjson.dumps(found.persisted)) == _counted_out(was), revision
            assert found.kept.at == at[revision]
