"""Presence: who is here and what they share; volatile, merged, filtered, counted when too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.host.presence import MOST
from rooms.link.protocol import Keep
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from rooms.sync.views import Viewer
    from tests.rooms.host.stage import Tab


class Open(Counter):
    presence = True


class Teams(Counter):
    presence = True

    def may_see(self, viewer: Viewer, other: Viewer) -> bool:
        return viewer.role == other.role


async def stage(kind: Any = Open) -> Stage:
    return await Stage(counter=kind).start()


async def share(tab: Tab, **data: Any) -> None:
    tab.put({"type": "room.presence", "data": data})
    await tab.stage.advance(17)


def present(tab: Tab) -> dict[str, Any]:
    """Who is present, by what it was told so far."""
    everybody: dict[str, Any] = {}
    for message in tab.inbox:
        if message["type"] == "room.present":
            if message.get("all"):
                everybody = {}
            everybody.update(message.get("viewers", {}))
    return {id: data for id, data in everybody.items() if data is not None}


async def test_everybody_is_told_of_everybody() -> None:  # [PRESENT1]
    on = await stage()
    ann = await on.connect("ann")
    ben = await on.connect("ben")
    await on.advance(17)
    assert present(ann) == present(ben) == {"ann": {}, "ben": {}}
    await share(ann, x=1)
    assert present(ann) == present(ben) == {"ann": {"x": 1}, "ben": {}}
    cyd = await on.connect("cyd")
    await on.advance(17)
    assert present(cyd) == {"ann": {"x": 1}, "ben": {}, "cyd": {}}
    await ann.leave()
    await on.advance(17)
    assert present(ben) == present(cyd) == {"ben": {}, "cyd": {}}


async def test_changes_go_out_together_at_most_60_times_a_second() -> None:  # [PRESENT1]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await on.advance(17)
    ben.took()
    for x in range(1_000):
        ann.put({"type": "room.presence", "data": {"x": x}})
        await on.advance(1)
    told = [m for m in ben.took() if m["type"] == "room.present"]
    assert 50 <= len(told) <= 60
    await on.advance(17)
    assert (told + ben.took())[-1]["viewers"] == {"ann": {"x": 999}}


async def test_it_is_neither_stored_nor_gated() -> None:
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    with on.store.holding():
        await ann.say("increment")
        await share(ann, x=1)
        assert present(ben) == {"ann": {"x": 1}, "ben": {}}
        assert on.store.commits == []


async def test_the_latest_connection_of_a_viewer_counts() -> None:
    on = await stage()
    ben = await on.connect("ben")
    one, two = await on.connect("ann"), await on.connect("ann")
    await share(one, x=1)
    await share(two, x=2)
    assert present(ben)["ann"] == {"x": 2}
    await two.leave()
    await on.advance(17)
    assert present(ben)["ann"] == {"x": 1}
    await one.leave()
    await on.advance(17)
    assert "ann" not in present(ben)


async def test_who_may_not_see_another_is_never_told_of_them() -> None:  # [PRESENT2]
    on = await stage(Teams)
    red, blue = await on.connect("ann", role="red"), await on.connect("ben", role="blue")
    await share(red, x=1)
    await red.leave()
    await on.advance(17)
    assert not any("ann" in m.get("viewers", {}) for m in blue.inbox)
    assert present(blue) == {"ben": {}}


async def test_above_200_only_their_number_is_told() -> None:  # [PRESENT3]
    on = await stage()
    tabs = [await on.connect(f"v{n}") for n in range(MOST)]
    await on.advance(17)
    assert len(present(tabs[0])) == MOST
    more = await on.connect("more")
    await on.advance(17)
    assert present(tabs[0]) == {}
    assert tabs[0].inbox[-1]["count"] == MOST + 1
    late = await on.connect("late")
    await on.advance(17)
    assert late.inbox[-1] == {"type": "room.present", "count": MOST + 2}
    await more.leave()
    await late.leave()
    await on.advance(17)
    assert len(present(tabs[0])) == MOST


async def test_who_left_while_the_room_slept_is_gone_when_it_wakes() -> None:  # [PRESENT1]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("increment")
    await on.advance(Open.sleep_after + 100)
    assert not on.awake()
    await ben.leave()
    await share(ann, x=1)
    assert present(ann) == {"ann": {"x": 1}}


async def test_a_slow_connection_is_told_of_all_when_it_has_drained() -> None:  # [PRESENT4]
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await on.advance(17)
    ben.took()
    ben.routing.slow(ben.channel)
    for x in range(100):
        await share(ann, x=x, pad="p" * 1_000)
    assert ben.took() == []
    ben.routing.drained(ben.channel)
    await on.advance(17)
    told = [message for message in ben.took() if message["type"] == "room.present"]
    assert [message["all"] for message in told] == [True]
    assert told[0]["viewers"]["ann"]["x"] == 99
    assert ben.closing is None


async def test_presence_outlives_a_sleep_of_the_room() -> None:
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.say("increment")
    await share(ann, x=1)
    await on.advance(30_000)
    assert not on.awake()
    ben.took()
    await ben.say("increment")
    await on.advance(17)
    assert present(ben) == {"ann": {"x": 1}, "ben": {}}


async def test_what_is_shared_while_there_is_no_room_is_kept_for_wherever_it_wakes() -> None:
    on = await stage()
    ann = await on.connect("ann")
    await ann.say("increment")
    await on.advance(30_000)
    assert not on.awake()
    with on.store.holding("acquire"):
        ann.put({"type": "room.presence", "data": {"x": 1}})
        await on.settle()
        kept = [message.attachment for message in on.told if isinstance(message, Keep)]
        assert kept[-1]["presence"] == {"x": 1}


async def test_sharing_keeps_a_room_awake_and_wakes_a_sleeping_one() -> None:
    on = await stage()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.say("increment")
    for x in range(5):
        await on.advance(8_000)
        await share(ann, x=x)
        assert on.awake()
    await on.advance(30_000)
    assert not on.awake()
    await share(ann, x=9)
    assert on.awake()
    assert present(ben)["ann"] == {"x": 9}


async def test_where_the_kind_has_none_it_is_refused() -> None:
    on = await stage(Counter)
    ann = await on.connect("ann")
    ann.took()
    await share(ann, x=1)
    (error,) = ann.took()
    assert (error["type"], error["code"]) == ("room.error", "no_presence")


async def test_nobody_goes_for_a_moment_when_a_room_wakes() -> None:  # [PRESENT1]
    on = await stage()
    tabs = [await on.connect(f"v{n}") for n in range(MOST)]
    await tabs[0].send("increment")
    await on.advance(Open.sleep_after + 100)
    assert not on.awake()
    for tab in tabs:
        tab.took()
    await tabs[7].send("increment")
    await on.advance(34)
    for tab in tabs:
        told = [m for m in tab.took() if m["type"] == "room.present"]
        assert [(len(m["viewers"]), m["all"]) for m in told] == [(MOST, True)]
