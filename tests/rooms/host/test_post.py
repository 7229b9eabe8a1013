"""Letters to rooms of other hosts: by way of a router, once, in order, whoever dies on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.host.links import Links
from rooms.host.outbox import shown
from rooms.link.protocol import Answer
from tests.rooms.host.effects import Peer
from tests.rooms.host.test_fleet import Fleet

if TYPE_CHECKING:
    import pytest

    from tests.rooms.host.stage import Tab


async def apart() -> tuple[Fleet, Tab, str, str]:
    """Two hosts, and two rooms that live at one each; somebody is in the first."""
    on = await Fleet(peer=Peer).start()
    rooms: dict[str | None, str] = {}
    tabs: dict[str, Tab] = {}
    for n in range(20):
        name = f"peer/r{n}"
        tabs[name] = await on.connect("ann", name)
        rooms.setdefault(on.where(name), name)
    one, other = rooms["a"], rooms["b"]
    for name, tab in tabs.items():
        if name not in (one, other):
            await tab.leave()
    return on, tabs[one], one, other


async def tell(tab: Tab, to: str, n: int) -> None:
    await tab.send("tell", n=n, to=to.removeprefix("peer/"))


async def log(on: Fleet, room: str) -> list[Any]:
    return [n for _, n in (await on.stored(room))["context"]["log"]]


async def test_it_reaches_the_room_of_another_host_and_the_answer_comes_back() -> None:
    # [ROOM7] [ROOM1] [ROOM3] [ROOM4]
    on, ann, one, other = await apart()
    await tell(ann, other, 1)
    assert on.where(other) == "b"
    assert (await on.stored(other))["context"]["log"] == [[f"room:{one}", 1]]
    (heard,) = ann.view["context"]["heard"]
    assert (heard["type"], heard["output"]) == ("room.effect.done", 1)


async def test_those_of_one_room_keep_their_order() -> None:  # [ROOM7] [ROOM2]
    on, ann, _, other = await apart()
    for n in range(10):
        ann.put({"type": "room.send", "seq": n + 1, "event": said(n, other)})
    await on.advance(100)
    assert await log(on, other) == list(range(10))


def said(n: int, to: str) -> Any:
    return {"type": "tell", "n": n, "to": to.removeprefix("peer/")}


async def test_an_answer_that_is_lost_on_its_way_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # [ROOM7] [ROOM1]
    on, ann, _, other = await apart()
    post = on.members["a"].host._rooms.post
    answered, lost = post.answered, list[Answer]()
    monkeypatch.setattr(post, "answered", lost.append)
    await tell(ann, other, 1)
    assert len(lost) == 1
    assert ann.view["context"]["heard"] == []
    monkeypatch.setattr(post, "answered", answered)
    await on.advance(60_000)
    assert await log(on, other) == [1]
    assert len(ann.view["context"]["heard"]) == 1


async def test_the_other_host_dies_with_it() -> None:  # [ROOM7] [ROOM1] [ROOM6]
    on, ann, _, other = await apart()
    with on.members["b"].store.holding():
        await tell(ann, other, 1)
        await on.kill("b")
    await on.advance(30_000)
    assert await log(on, other) == [1]
    assert len(ann.view["context"]["heard"]) == 1


async def test_the_sender_dies_before_the_answer_comes() -> None:  # [ROOM7] [ROOM1]
    on, ann, one, other = await apart()
    with on.members["b"].store.holding():
        await tell(ann, other, 1)
        await on.kill("a")
    await on.advance(30_000)
    assert await log(on, other) == [1]
    record = await on.record(one)
    assert record is not None
    assert shown(record.outbox) == []


async def test_a_router_dies_with_it() -> None:  # [ROOM7] [ROOM6]
    on, ann, one, other = await apart()
    with on.members["b"].store.holding():
        await tell(ann, other, 1)
        for link in on.links:
            link.close()
        on.add_router()
        await on.advance(2_000)
    await on.settle()
    assert await log(on, other) == [1]
    again = await on.connect("ann", one, client=ann.client)
    assert len(again.view["context"]["heard"]) == 1


async def test_a_rejection_comes_back_as_one() -> None:  # [ROOM4] [ROOM7]
    on, _ann, one, other = await apart()
    there = await on.connect("eve", "peer/stranger")
    to = other if on.where("peer/stranger") == "a" else one
    await tell(there, to, 1)
    (heard,) = there.view["context"]["heard"]
    assert heard["error"] == "we don't know them"


async def test_without_a_router_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:  # [ROOM6]
    on, ann, one, other = await apart()
    monkeypatch.setattr(Links, "some", lambda self: None)
    await tell(ann, other, 1)
    record = await on.record(one)
    assert record is not None
    (entry,) = shown(record.outbox)
    assert "no router is there" in entry["error"]


async def test_a_kind_that_no_host_has_is_refused() -> None:  # [ROOM4]
    on, ann, one, _ = await apart()
    await ann.send("tell", n=1, to="x", kind="nobody")
    record = await on.record(one)
    assert record is not None
    (entry,) = shown(record.outbox)
    assert entry["error"] == "there is no kind 'nobody'"
