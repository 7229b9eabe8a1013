"""Volatile events: beside the machine, told to who may see their sender, the latest alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import pytest

from rooms.definition import Room
from rooms.errors import UsageError
from rooms.host.channels import Heard
from runtime import setup
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.sync.views import Viewer
    from tests.rooms.host.stage import Tab


class Board(Counter):
    volatile = ("cursor", "wave", "secret")
    read_only = ("guest",)


class Teams(Board):
    def may_see(self, viewer: Viewer, other: Viewer) -> bool:
        return viewer.role == other.role


class Point(TypedDict):
    x: int


class Strict(Room):
    machine = setup(events={"cursor": Point}).create_machine({"context": {}})
    volatile = ("cursor",)


async def stage(kind: Any = Board) -> Stage:
    return await Stage(counter=kind).start()


async def point(tab: Tab, x: Any, type: str = "cursor") -> None:
    await tab.say(type, x=x)
    await tab.stage.advance(17)


def emitted(tab: Tab) -> list[Any]:
    return [message["event"] for message in tab.inbox if message["type"] == "room.emitted"]


async def test_everybody_is_told_with_the_sender() -> None:  # [VOLATILE1]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben", codec="msgpack")
    await point(ann, 1)
    assert emitted(ann) == emitted(ben) == [{"type": "cursor", "x": 1, "sender": "ann"}]


async def test_it_reaches_no_machine_and_no_store_and_waits_for_none() -> None:  # [VOLATILE1]
    on = await stage()
    ann = await on.connect("ann")
    with on.store.holding():
        await ann.say("increment")
        await point(ann, 1)
        assert emitted(ann) != []
        assert on.store.commits == []
    await on.settle()
    assert ann.view["context"] == {"count": 1}
    assert (await on.record()).revision == 1  # type: ignore[union-attr]


async def test_who_may_not_see_its_sender_is_told_nothing() -> None:  # [VOLATILE1]
    on = await stage(Teams)
    red, other = await on.connect("ann", role="red"), await on.connect("cyd", role="red")
    blue = await on.connect("ben", role="blue")
    await point(red, 1)
    assert emitted(other) == emitted(red) != []
    assert emitted(blue) == []


async def test_the_latest_counts_at_most_60_times_a_second() -> None:  # [VOLATILE2]
    on = await stage()
    ann, ben, cyd = [await on.connect(who) for who in ("ann", "ben", "cyd")]
    for x in range(1_000):
        await ann.say("cursor", x=x)
        await ben.say("cursor", x=-x)
        await on.advance(1)
    await on.advance(17)
    told = emitted(cyd)
    for sender, last in (("ann", 999), ("ben", -999)):
        own = [event["x"] for event in told if event["sender"] == sender]
        assert 50 <= len(own) <= 61
        assert own[-1] == last


async def test_a_slow_connection_gets_the_latest_of_each_when_it_has_drained() -> (
    None
):  # [VOLATILE2]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    ben.took()
    ben.routing.slow(ben.channel)
    for x in range(200):
        await point(ann, x)
        await point(ann, x, "wave")
    assert ben.took() == []
    ben.routing.drained(ben.channel)
    await on.settle()
    assert [(event["type"], event["x"]) for event in emitted(ben)] == [
        ("cursor", 199),
        ("wave", 199),
    ]
    assert ben.closing is None


async def test_what_waits_of_them_for_a_slow_connection_is_bounded() -> None:  # [VOLATILE2]
    on = await stage()
    slow = await on.connect("slow")
    slow.took()
    slow.routing.slow(slow.channel)
    for n in range(30):
        await point(await on.connect(f"v{n}"), "x" * 10_000)
    slow.routing.drained(slow.channel)
    await on.settle()
    senders = [event["sender"] for event in emitted(slow)]
    assert senders == [f"v{n}" for n in range(24, 30)]
    assert slow.closing is None


async def test_it_is_judged_as_any_event() -> None:  # [VOLATILE3]
    on = await stage()
    ann, guest = await on.connect("ann"), await on.connect("gus", role="guest")
    for tab, type in ((ann, "secret"), (guest, "cursor")):
        tab.took()
        await point(tab, 1, type)
        assert [(m["type"], m["code"]) for m in tab.took()] == [("room.error", "forbidden")]
    strict = await stage(Strict)
    ann = await strict.connect("ann")
    await point(ann, "left")
    assert ann.inbox[-1]["code"] == "schema"
    await point(ann, 3)
    assert emitted(ann) == [{"type": "cursor", "x": 3, "sender": "ann"}]


async def test_it_goes_on_when_the_machine_is_done() -> None:  # [VOLATILE3]
    on = await stage()
    ann = await on.connect("ann")
    await ann.send("finish")
    await point(ann, 1)
    assert emitted(ann) != []


async def test_it_is_judged_by_what_is_durable() -> None:  # [VOLATILE3] [TURN3]
    class Late(Board):
        def allow_send(self, viewer: Viewer, event: Any, snapshot: Any) -> bool:
            return bool(event["type"] != "cursor" or snapshot.context["count"] == 0)

    on = await stage(Late)
    ann = await on.connect("ann")
    with on.store.holding():
        await ann.say("increment")
        await point(ann, 1)
        assert emitted(ann) != []


async def test_a_number_for_it_is_settled_as_rejected() -> None:  # [VOLATILE4]
    on = await stage()
    ann = await on.connect("ann")
    seq = await ann.send("cursor", x=1)
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert "cast it" in ann.outcome(seq)["reason"]
    assert ann.outcome(await ann.send("increment"))["outcome"] == "accepted"
    assert (await on.request("POST", body={"type": "cursor", "x": 1})).status == 422
    await on.advance(17)
    assert emitted(ann) == []


async def test_it_wakes_the_room_and_keeps_it_awake() -> None:  # [VOLATILE5] [SLEEP2]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("increment")
    await on.advance(Board.sleep_after + 100)
    assert not on.awake()
    for x in range(3):
        await ann.say("cursor", x=x)
    await on.advance(34)
    assert [event["x"] for event in emitted(ben)][-1] == 2
    for x in range(20):
        await on.advance(Board.sleep_after // 2)
        await point(ann, x)
        assert on.awake()


async def test_what_is_said_before_one_is_let_in_is_told_after_it() -> None:  # [VOLATILE5]
    on = await stage()
    ben = await on.connect("ben")
    with on.store.holding():
        await ben.send("increment")
        ann = await on.connect("ann")
        for x in range(600):  # not so many are kept
            ann.put({"type": "cursor", "x": x})
        await on.advance(100)
        assert emitted(ben) == []
    await on.advance(34)
    assert [event["x"] for event in emitted(ben)] == [599]
    assert ann.closing is None


async def test_of_one_that_waits_to_be_let_in_only_the_latest_is_kept() -> None:  # [VOLATILE5]
    on = await stage()
    with on.store.holding("acquire"):
        ann = await on.connect("ann")
        for x in range(600):
            ann.put({"type": "cursor", "x": x})
        await on.settle()
        (channel,) = on.host._links._channels.values()
        assert [item.message["x"] for item in channel.held if isinstance(item, Heard)] == [599]
    await on.advance(34)
    assert [event["x"] for event in emitted(ann)] == [599]


def test_a_type_that_can_not_be_volatile_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(UsageError, match="no client can send"):
        type("Odd", (Counter,), {"volatile": ("room.joined",)})
    with pytest.raises(UsageError, match="the machine takes 'increment'"):
        type("Odd", (Counter,), {"volatile": ("increment",)})
    with pytest.raises(UsageError, match="a tuple of names"):
        type("Odd", (Counter,), {"volatile": "cursor"})
    with pytest.raises(UsageError, match="coexist or takeover"):
        type("Odd", (Counter,), {"several": "both"})
