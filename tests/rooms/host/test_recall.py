"""Looking back: any kept revision, through the viewer's own view, for those who may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rooms.host.commits import MAX_PAST
from rooms.store.port import SessionId
from runtime import create_machine
from tests.rooms.host import machines
from tests.rooms.host.machines import BOOK, Book, Counter, Secretive
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.link.protocol import Answer

ROOM = "book/x"
TEXT = "a" * 100


@pytest.fixture(autouse=True)
def _fresh() -> None:
    machines.STARTED.clear()


async def stage(kind: type[Room] = Book) -> Stage:
    return await Stage(book=kind).start()


async def look(on: Stage, who: str = "ann", **params: str) -> Answer:
    return await on.request("GET", ROOM, who=who, params=params)


async def seen(on: Stage, revision: int, who: str = "ann") -> Any:
    answer = await look(on, who, revision=str(revision))
    assert answer.status == 200, answer
    return json.loads(answer.body)


async def listed(on: Stage, **params: str) -> list[Any]:
    answer = await look(on, history="1", **params)
    assert answer.status == 200
    found: list[Any] = json.loads(answer.body)["revisions"]
    return found


async def put(on: Stage, page: str, text: str, who: str = "ann") -> None:
    answer = await on.request("POST", ROOM, {"type": "put", "page": page, "text": text}, who=who)
    assert answer.status == 200


# ---------------------------------------------------------------- what is shown


async def test_any_kept_revision_is_shown_as_it_was_with_its_time() -> None:  # [HISTORY2]
    on = await stage()
    times = []
    for number in range(5):
        await on.advance(1_000)
        times.append(on.now())
        await put(on, "p", str(number))
    for number in range(5):
        shown = await seen(on, number + 1)
        assert shown["view"]["context"]["pages"] == {"p": str(number)}
        assert (shown["revision"], shown["at"]) == (number + 1, times[number])
        assert (shown["event"], shown["now"]) == ("put", on.now())
    assert await seen(on, 5) == {
        "revision": 5,
        "at": times[4],
        "event": "put",
        "now": on.now(),
        "view": json.loads((await look(on)).body)["view"],
    }


async def test_every_revision_is_shown_also_those_of_one_commit() -> None:  # [HISTORY1] [HISTORY2]
    on = await stage()
    ann = await on.connect("ann", ROOM)
    await ann.say("put", page="p", text="first")
    with on.store.holding():
        for number in range(4):
            await ann.say("put", page="p", text=str(number))
    await on.settle()
    assert on.store.commits[-1].new - on.store.commits[-1].prev > 1
    pages = [(await seen(on, n))["view"]["context"]["pages"]["p"] for n in range(1, 6)]
    assert pages == ["first", "0", "1", "2", "3"]


@pytest.mark.parametrize("how", ["sleep", "crash", "restart"])
@pytest.mark.parametrize("pages", [1, 120])
async def test_the_past_outlives_sleep_and_crash(how: str, pages: int) -> None:  # [HISTORY1]
    on = await stage()
    for number in range(pages):
        await put(on, f"p{number}", TEXT)
    before = [await seen(on, pages), await seen(on, max(pages - 15, 1))]
    match how:
        case "sleep":
            await on.advance(30_000)
            assert not on.awake(ROOM)
        case "crash":
            await on.crash()
        case _:
            await on.restart()
    await put(on, "later", "x")
    after = [await seen(on, pages), await seen(on, max(pages - 15, 1))]
    for was, now in zip(before, after, strict=True):
        del was["now"], now["now"]
        assert json.dumps(was) == json.dumps(now)


async def test_each_viewer_looks_back_through_its_own_view() -> None:  # [HISTORY2] [VIEW4]
    on = await stage(Secretive)
    await put(on, "ann", "secret of ann")
    await put(on, "ben", "secret of ben", who="ben")
    await put(on, "ann", "another secret of ann")
    assert (await seen(on, 2, "ann"))["view"]["context"] == {"mine": "secret of ann"}
    assert (await seen(on, 2, "ben"))["view"]["context"] == {"mine": "secret of ben"}
    for revision in (1, 2, 3):
        answer = await look(on, "ben", revision=str(revision))
        assert b"of ann" not in answer.body


async def test_what_timers_and_the_room_itself_did_is_listed_too() -> None:  # [HISTORY3]
    on = await stage()
    await on.request("POST", ROOM, {"type": "later"})
    await on.advance(60_000)
    await put(on, "p", "x")
    events = [(one["revision"], one["event"]) for one in await listed(on)]
    assert events == [(1, "later"), (2, "tick"), (3, "put")]


async def test_the_list_goes_on_after_a_revision(  # [HISTORY3]
) -> None:
    on = await stage()
    for number in range(5):
        await put(on, "p", str(number))
    assert [one["revision"] for one in await listed(on)] == [1, 2, 3, 4, 5]
    assert [one["revision"] for one in await listed(on, after="3")] == [4, 5]
    assert set((await listed(on))[0]) == {"revision", "at", "event"}


# ---------------------------------------------------------------- what is kept


async def test_so_many_revisions_before_the_newest_are_kept() -> None:  # [HISTORY1]
    on = await stage()
    for number in range(30):
        await put(on, "p", str(number))
    assert [one["revision"] for one in await listed(on)] == list(range(10, 31))
    assert (await look(on, revision="10")).status == 200
    for revision in ("9", "31", "0", "9999999999999999"):
        answer = await look(on, revision=revision)
        assert answer.status == 404, revision
        assert json.loads(answer.body) == {"reason": "that revision isn't kept"}


async def test_whichever_keeps_more_counts(monkeypatch: pytest.MonkeyPatch) -> None:  # [HISTORY1]
    monkeypatch.setattr(Book, "history", 2)
    monkeypatch.setattr(Book, "history_age", 60_000)
    on = await stage()
    for number in range(6):
        await on.advance(5_000)
        await put(on, "p", str(number))
    assert [one["revision"] for one in await listed(on)] == [1, 2, 3, 4, 5, 6]
    await on.advance(36_000)
    assert [one["revision"] for one in await listed(on)] == [2, 3, 4, 5, 6]
    assert (await look(on, revision="1")).status == 404
    await on.advance(600_000)
    assert [one["revision"] for one in await listed(on)] == [4, 5, 6]
    await put(on, "p", "x")
    assert [one.revision for one in await on.inner.history(SessionId("book", "x"))] == [5, 6, 7]


async def test_a_kind_that_stops_keeping_history_forgets_it(  # [HISTORY1]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = await stage()
    await put(on, "p", "1")
    await put(on, "p", "2")
    monkeypatch.setattr(Book, "history", 0)
    await on.restart()
    assert (await look(on, revision="1")).status == 404
    await put(on, "p", "3")
    assert list(await on.inner.history(SessionId("book", "x"))) == []
    monkeypatch.setattr(Book, "history", 5)
    await on.restart()
    await put(on, "p", "4")
    assert [one["revision"] for one in await listed(on)] == [4]
    assert (await look(on, revision="3")).status == 404


async def test_a_room_in_memory_keeps_its_past_in_the_store_now_and_then(  # [HISTORY1]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Book, "durability", "memory")
    monkeypatch.setattr(Book, "history", 1000)
    on = await stage()
    ann = await on.connect("ann", ROOM)
    for number in range(MAX_PAST + 10):
        await ann.say("put", page="p", text=str(number))
    assert len(await listed(on)) == MAX_PAST
    await ann.leave()
    await on.advance(30_000)
    assert len(await listed(on)) == MAX_PAST + 10
    assert (await seen(on, 3))["view"]["context"]["pages"] == {"p": "2"}


@pytest.mark.parametrize("counted", ["by the machine", "by the author"])
async def test_a_migrated_session_begins_a_new_history(  # [HISTORY6]
    monkeypatch: pytest.MonkeyPatch, counted: str
) -> None:
    on = await stage()
    await put(on, "p", "1")
    await put(on, "p", "2")

    def migrate(self: Book, persisted: dict[str, Any], from_version: str) -> dict[str, Any]:
        context = persisted["context"]
        pages = {f"new {page}": text for page, text in context["pages"].items()}
        return {**persisted, "context": {**context, "pages": pages}}

    monkeypatch.setattr(Book, "migrate", migrate)
    if counted == "by the machine":
        newer = create_machine({**BOOK.config, "version": "2"}, BOOK.implementations)
        monkeypatch.setattr(Book, "machine", newer)
    else:
        monkeypatch.setattr(Book, "version", classmethod(lambda cls: "2"))
    await on.restart()
    assert (await look(on, revision="2")).status == 404
    await put(on, "p", "3")
    assert [one["revision"] for one in await listed(on)] == [3]
    assert (await seen(on, 3))["view"]["context"]["pages"] == {"new p": "2", "p": "3"}


# ---------------------------------------------------------------- who may


async def test_only_those_look_back_whom_the_room_lets() -> None:  # [HISTORY4]
    on = await stage()
    await put(on, "p", "1")
    for params in ({"revision": "1"}, {"history": "1"}):
        answer = await look(on, "eve", **params)
        assert answer.status == 403
        assert json.loads(answer.body)["reason"] == "only readers look back"
        assert (await look(on, "ben", **params)).status == 200


async def test_nobody_looks_back_by_default(  # [HISTORY4]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(Book, "allow_history")
    on = await stage()
    await put(on, "p", "1")
    assert (await look(on, revision="1")).status == 403
    assert (await look(on, history="1")).status == 403


async def test_a_rule_that_raises_lets_nobody(  # [HISTORY4]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def allow_history(self: Book, viewer: Any, snapshot: Any) -> bool:
        raise KeyError("secret of the stack")

    monkeypatch.setattr(Book, "allow_history", allow_history)
    on = await stage()
    await put(on, "p", "1")
    answer = await look(on, revision="1")
    assert answer.status == 403
    assert b"secret" not in answer.body


async def test_who_may_not_watch_may_not_look_back(  # [HISTORY4]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on = await stage()
    await put(on, "p", "1")
    monkeypatch.setattr(Book, "allow_join", lambda self, viewer, snapshot: viewer.id != "ben")
    assert (await look(on, "ben", revision="1")).status == 403


async def test_a_kind_without_history_has_none_to_show() -> None:  # [HISTORY4]
    on = await stage(Counter)
    await on.request("POST", ROOM, {"type": "increment"})
    for params in ({"revision": "1"}, {"history": "1"}):
        assert (await look(on, **params)).status == 404
    assert list(await on.inner.history(SessionId("book", "x"))) == []


@pytest.mark.parametrize("number", ["", "-1", "1.5", "x", "٣", "1" * 17])
async def test_what_is_no_revision_is_400(number: str) -> None:  # [HISTORY4]
    on = await stage()
    await put(on, "p", "1")
    assert (await look(on, revision=number)).status == 400
    assert (await look(on, history="1", after=number)).status == 400


async def test_looking_back_changes_nothing_and_makes_no_session() -> None:  # [HISTORY5]
    on = await stage()
    assert (await look(on, revision="1")).status == 404
    assert (await look(on, history="1")).status == 404
    await on.advance(1)
    assert not on.awake(ROOM)
    await put(on, "p", "1")
    await put(on, "p", "2")
    before, commits = await on.record(ROOM), len(on.store.commits)
    await seen(on, 1)
    await listed(on)
    await on.advance(5_000)
    assert (await on.record(ROOM), len(on.store.commits)) == (before, commits)
    assert (await seen(on, 2))["view"] == json.loads((await look(on)).body)["view"]


async def test_a_store_out_of_reach_is_said_to_be() -> None:
    on = await stage()
    await put(on, "p", "1")
    on.store.break_next("history")
    answer = await look(on, revision="1")
    assert answer.status == 503
    assert (await look(on, revision="1")).status == 200


async def test_a_view_that_raises_shows_no_stack(  # [DOOR10]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def view(self: Secretive, snapshot: Any, viewer: Any) -> Any:
        raise KeyError("secret of the stack")

    on = await stage(Secretive)
    await put(on, "p", "1")
    monkeypatch.setattr(Secretive, "view", view)
    answer = await look(on, revision="1")
    assert answer.status == 500
    assert b"secret" not in answer.body
