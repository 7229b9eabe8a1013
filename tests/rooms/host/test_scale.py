"""How big things may get: the event that goes too far is refused, alone; the room stays whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from rooms.definition import Room, reply
from rooms.errors import CloseCode
from rooms.host import record
from rooms.host.scale import LOOK_EVERY
from rooms.sync.messages import MAX_BYTES
from rooms.sync.views import Viewer, everything, show
from runtime import assign, emit, setup
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from tests.rooms.host.stage import Tab

DUMPS: list[int] = []
VIEWS: list[int] = []


def _put(args: Any, params: Any) -> dict[str, Any]:
    event = args.event
    return {"texts": {**args.context["texts"], event["as"]: "x" * event["size"]}}


SHELF = setup(
    actions={
        "put": assign(_put),
        "answer": reply(lambda args, params: "x" * args.event["size"]),
        "shout": emit(lambda args, params: {"type": "shout", "text": "x" * args.event["size"]}),
    }
).create_machine(
    {
        "id": "shelf",
        "version": "1",
        "context": {"texts": {}, "open": False},
        "on": {
            "put": {"actions": "put"},
            "ask": {"actions": "answer"},
            "shout": {"actions": "shout"},
            "open": {"actions": assign({"open": True})},
        },
    }
)


class Shelf(Room):
    machine = SHELF
    view: Any = everything
    max_state = 100_000
    max_view = 50_000


class Hidden(Shelf):
    """Nobody sees the texts, until it is open: only their own."""

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        VIEWS.append(1)
        texts, shown = snapshot.context["texts"], snapshot.context["open"]
        return show(snapshot, context={"all": texts if shown else {}, "own": texts.get(viewer.id)})


class Fleeting(Hidden):
    durability = "memory"


@pytest.fixture(autouse=True)
def dumps(monkeypatch: pytest.MonkeyPatch) -> None:
    dump = record.dump_shared

    def counted(*args: Any) -> bytes:
        DUMPS.append(1)
        return dump(*args)

    DUMPS.clear()
    monkeypatch.setattr(record, "dump_shared", counted)


async def stage(kind: Any = Hidden) -> Stage:
    return await Stage(shelf=kind).start()


async def put(tab: Tab, size: int, name: str = "a") -> str:
    return await said(tab, "put", size=size, **{"as": name})


async def said(tab: Tab, type: str, **fields: Any) -> str:
    seq = await tab.send(type, **fields)
    await tab.stage.advance(1_000)
    outcome: str = tab.outcome(seq)["outcome"]
    return outcome


async def test_the_event_that_makes_the_state_too_big_is_rejected_alone() -> None:  # [SIZE1]
    on = await stage()
    ann, ben = await on.connect("ann", "shelf/x"), await on.connect("ben", "shelf/x")
    with on.store.holding():  # all of them in one commit
        for tab, number, name, size in (
            (ann, 1, "a", 1_000),
            (ben, 1, "b", 200_000),
            (ann, 2, "c", 1_000),
            (ben, 2, "d", 1_000),
        ):
            event = {"type": "put", "as": name, "size": size}
            tab.put({"type": "room.send", "seq": number, "event": event})
        await on.settle()
    await on.advance(1_000)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert ben.outcomes() == [(1, "rejected"), (2, "accepted")]
    assert ben.outcome(1)["reason"] == "the room's state would be too big"  # and not how big
    assert set((await on.stored("shelf/x"))["context"]["texts"]) == {"a", "c", "d"}
    assert ann.closing is ben.closing is None


async def test_near_the_bound_no_room_is_dropped() -> None:  # [SIZE1]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    assert await put(ann, 90_000) == "accepted"
    ann.took()
    room = next(iter(on.host.rooms.values()))
    assert await put(ann, 20_000, "b") == "rejected"
    assert await put(ann, 5_000, "c") == "accepted"
    assert room is next(iter(on.host.rooms.values()))
    assert await put(ann, 10) == "accepted"
    assert await put(ann, 20_000, "b") == "accepted"


async def test_far_from_it_a_commit_costs_one_look() -> None:  # [SIZE1]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    for n in range(10):
        await put(ann, n)
    assert len(DUMPS) == 10


async def test_a_large_state_with_small_views_costs_no_more_looks() -> None:  # [SIZE2]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    for n in range(10):
        await put(ann, 4_700, str(n))  # on both sides of what a view may have
    DUMPS.clear()
    VIEWS.clear()
    for n in range(10):
        await put(ann, 4_700 + n, "0")
    assert len(DUMPS) < 10  # it is stored as what changed
    assert len(VIEWS) == 10


async def test_what_is_too_big_already_may_shrink() -> None:  # [SIZE1]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    await put(ann, 60_000)
    await put(ann, 20_000, "b")
    await on.restart()
    on.host._kinds["shelf"].room.max_state = 50_000
    try:
        ann = await on.connect("ann", "shelf/x")
        assert await put(ann, 10, "b") == "accepted"
        assert await put(ann, 100, "b") == "rejected"
        assert await put(ann, 1, "a") == "accepted"
        assert await put(ann, 30_000, "b") == "accepted"
    finally:
        Hidden.max_state = 100_000


async def test_the_event_that_makes_a_view_too_big_is_rejected() -> None:  # [SIZE2]
    on = await stage(Shelf)
    ann, ben = await on.connect("ann", "shelf/x"), await on.connect("ben", "shelf/x")
    assert await put(ann, 60_000) == "rejected"
    assert ann.inbox[-1]["reason"] == "the room's view would be too big"
    assert await put(ann, 45_000) == "accepted"
    assert await put(ann, 8_000, "b") == "rejected"  # near the bound now
    assert await put(ann, 1_000, "b") == "accepted"
    assert ben.view == ann.view
    assert set(ann.view["context"]["texts"]) == {"a", "b"}


async def test_one_viewers_own_view_counts_too() -> None:  # [SIZE2]
    on = await stage()
    ann, ben = await on.connect("ann", "shelf/x"), await on.connect("ben", "shelf/x")
    assert await put(ann, 60_000, "x") == "accepted"
    assert await put(ann, 30_000, "ben") == "accepted"
    assert len(ben.view["context"]["own"]) == 30_000
    assert await put(ann, 1, "x") == "accepted"
    assert await put(ann, 60_000, "ben") == "rejected"
    assert len(ben.view["context"]["own"]) == 30_000


async def test_an_answer_and_an_emitted_event_have_a_bound() -> None:  # [SIZE3]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    for type in ("ask", "shout"):
        assert await said(ann, type, size=MAX_BYTES - 100) == "accepted"
        assert await said(ann, type, size=MAX_BYTES + 1) == "rejected"
        assert "too big" in ann.inbox[-1]["reason"]
    assert (await on.record("shelf/x")).revision == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "what",
    [{1}, uuid4(), b"bytes", 1 << 70, {"type": {1}}, {"no": "type"}, "text"],
    ids=lambda what: type(what).__name__,
)
async def test_what_cant_be_told_is_rejected_alone(what: Any) -> None:  # [SIZE3] [SEND8]
    says = setup(
        actions={
            "answer": reply(lambda args, params: what),
            "emit": emit(lambda args, params: what),
        }
    )

    class Odd(Room):
        machine = says.create_machine(
            {"on": {"ask": {"actions": "answer"}, "shout": {"actions": "emit"}}}
        )

    on = await Stage(shelf=Odd).start()
    ann = await on.connect("ann", "shelf/x")
    answered = what in ("text", {"no": "type"})
    assert await said(ann, "ask") == ("accepted" if answered else "rejected")
    assert await said(ann, "shout") == "rejected"
    assert "room.emitted" not in ann.types()
    assert on.host.tally.drops == 0


async def test_a_view_that_is_too_big_all_the_same_spoils_nothing() -> None:  # [SIZE4]
    on = await stage()
    ann = await on.connect("ann", "shelf/x")
    for name in ("one", "two"):
        assert await put(ann, 35_000, name) == "accepted"
    before = ann.view
    ann.took()
    assert await said(ann, "open") == "accepted"
    assert [m["code"] for m in ann.took() if m["type"] == "room.error"] == ["view"]
    assert ann.view == before
    ben = await on.connect("ben", "shelf/x")
    assert ben.closing is not None
    assert ben.closing.code == CloseCode.OVERLOADED
    assert await put(ann, 1, "other") == "accepted"
    assert [m["type"] for m in ann.took()] == ["room.outcome"]  # it is told once
    assert await put(ann, 1, "two") == "accepted"
    assert len(ann.view["context"]["all"]) == 3
    assert ann.closing is None


async def test_a_room_in_memory_is_weighed_now_and_then() -> None:  # [SIZE5]
    on = await stage(Fleeting)
    ann = await on.connect("ann", "shelf/x")
    outcomes = [await put(ann, 5_000, str(n)) for n in range(LOOK_EVERY)]
    assert outcomes == ["accepted"] * LOOK_EVERY
    assert await put(ann, 5_000, "more") == "rejected"
    assert await put(ann, 10, "0") == "accepted"
    await on.advance(Fleeting.sleep_after + 100)
    assert not on.awake("shelf/x")
    assert len((await on.stored("shelf/x"))["context"]["texts"]) == LOOK_EVERY
