"""Several hosts on one store, and routers that know them all: sessions move, sockets stay."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.host.keeper import RESTING
from rooms.link import protocol
from rooms.link.memory import pair
from rooms.link.protocol import Asleep, Leaving, Live
from rooms.placement.ring import place
from rooms.router.routing import Routing
from rooms.store.port import SessionId
from runtime import create_machine
from tests.faults import FaultyStore
from tests.rooms.host.machines import Clock as Timed
from tests.rooms.host.machines import Counter, Lobby
from tests.rooms.host.stage import Stage, Tab

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.definition import Room
    from rooms.link.memory import End
    from rooms.link.protocol import Message


@dataclass
class Member:
    """One host of the fleet, with its own way to the store."""

    host: Host
    store: FaultyStore
    links: list[End]


class Fleet(Stage):
    """Hosts a and b, one router."""

    def __init__(self, **kinds: type[Room]) -> None:
        super().__init__(**kinds)
        self.members: dict[str, Member] = {}
        self.routers: list[Routing] = []
        self.links: list[End] = []
        self.before_router_hears: Callable[[Message], None] = lambda message: None

    async def start(self) -> Fleet:
        self.add_router()
        await self.add_host("a")
        await self.add_host("b")
        return self

    async def add_host(self, name: str, **kinds: type[Room]) -> Host:
        """One more host, which every router knows."""
        store = FaultyStore(self.inner)
        host = Host(
            kinds or self.kinds,
            store,
            clock=Clock(self.elapsed),
            chance=self.chance.randbytes,
            address=name,
        )
        await host.start()
        self.members[name] = Member(host, store, [])
        for routing in self.routers:
            self._link(routing, name)
        return host

    def add_router(self) -> None:
        """One more router, which knows every host: people come through it from now on."""
        self.routing = Routing(self.loop.call_later)
        self.routers.append(self.routing)
        for name in self.members:
            self._link(self.routing, name)

    def _link(self, routing: Routing, name: str) -> None:
        member = self.members[name]
        ours, theirs = pair()

        def to_host(message: Message) -> None:
            self._watch(message)
            ours.send(protocol.decode(protocol.encode(message)))

        def from_host(message: Message) -> None:
            self.told.append(message)
            self.before_router_hears(message)
            routing.receive(met, protocol.decode(protocol.encode(message)))

        met = routing.meet(member.host.info, to_host)
        ours.listen(from_host, lambda: routing.lost(met))
        member.host.serve(theirs)
        member.links.append(theirs)
        self.links.append(ours)

    def where(self, room: str = "counter/x") -> str | None:
        """The host that has this room live."""
        id = SessionId(*room.split("/"))
        found = [name for name, member in self.members.items() if id in member.host.live()]
        assert len(found) <= 1, found
        return found[0] if found else None

    async def kill(self, name: str, *, reaped: bool = True) -> None:
        """`kill -9` of a host, whose death is certified at once if it is `reaped`."""
        member = self.members.pop(name)
        member.store.die()
        if reaped:
            await self.inner.retire(member.host.incarnation)
        for end in member.links:
            end.close()
        await self.settle()

    async def drain(self, name: str) -> None:
        """SIGTERM of a host."""
        member = self.members.pop(name)
        await member.host.drain()
        for end in member.links:
            end.close()
        await self.settle()


def statuses(tab: Tab) -> list[str]:
    return [m["status"] for m in tab.took() if m["type"] == "room.status"]


async def fleet(**kinds: type[Room]) -> Fleet:
    return await Fleet(**(kinds or {"counter": Counter})).start()


# ---------------------------------------------------------------------- where


async def test_a_live_room_stays_where_it_is_when_a_better_host_comes() -> None:  # [PLACE4]
    on = await fleet()
    moved = []
    for n in range(12):
        room = f"counter/{n}"
        await (await on.connect("ann", room)).send("increment")
        moved.append((room, on.where(room)))
    await on.add_host("c")
    on.add_router()
    elsewhere = 0
    for room, before in moved:
        infos = [member.host.info for member in on.members.values()]
        kind, session = room.split("/")
        ring = place(kind, session, infos)
        assert ring is not None
        elsewhere += ring.address == "c"
        ben = await on.connect("ben", room)
        assert ben.view["context"] == {"count": 1}
        assert on.where(room) == before
    assert elsewhere > 0


async def test_an_operator_reaches_a_room_wherever_it_lives() -> None:
    # [ADMIN3] [ADMIN5] [ADMIN6] [ADMIN10] [PLACE4]
    on = await fleet()
    tabs = {room: await on.connect("ann", room) for room in (f"counter/{n}" for n in range(12))}
    for tab in tabs.values():
        await tab.send("increment")
    await on.add_host("c")
    on.add_router()  # which doesn't know where they are
    infos = [member.host.info for member in on.members.values()]
    rings = {room: place("counter", room.removeprefix("counter/"), infos) for room in tabs}
    room = next(room for room, ring in rings.items() if ring is not None and ring.address == "c")
    status, said = await on.operated("POST", room, body={"event": {"type": "increment"}})
    assert (status, said["view"]["context"]) == (200, {"count": 2})
    status, seen = await on.operated("GET", room, "/view")
    assert (status, seen["view"]["context"]) == (200, {"count": 2})
    _, export = await on.operated("GET", room, "/export")
    await tabs[room].send("increment")
    status, _ = await on.operated("PUT", room, body=export, params={"replace": "1"})
    assert (status, (await on.stored(room))["context"]) == (200, {"count": 2})
    assert tabs[room].closing is not None
    assert await on.operated("DELETE", room) == (200, {"deleted": room})
    assert await on.record(room) is None


async def test_a_fan_out_crosses_each_link_once() -> None:  # [LINK6]
    on = await fleet()
    tabs = [await on.connect(f"viewer {n}") for n in range(5)]
    on.add_router()
    tabs += [await on.connect(f"viewer {n}") for n in range(5, 10)]
    before = len(on.fanouts())
    await tabs[0].say("increment")
    assert len(on.fanouts()) - before == 2
    assert [tab.view["context"]["count"] for tab in tabs] == [1] * 10


def _machine(version: str, state: str) -> Any:
    again = {"go": {"target": state, "reenter": True}}
    return create_machine(
        {"id": "v", "version": version, "initial": state, "states": {state: {"on": again}}}
    )


class Old(Counter):
    machine = _machine("1", "then")


class New(Counter):
    machine = _machine("2", "now")


async def test_a_session_of_another_version_goes_to_a_host_that_has_it() -> None:  # [PLACE5]
    on = Fleet(counter=Old)
    on.add_router()
    await on.add_host("old")
    ann = await on.connect()
    await ann.send("go")
    await ann.leave()
    await on.advance(60_000)
    assert not on.where()
    for n in range(6):  # so that it is placed at one of these
        await on.add_host(f"new {n}", counter=New)
    ring = place("counter", "x", [member.host.info for member in on.members.values()])
    assert ring is not None
    assert ring.address != "old"
    ben = await on.connect("ben")
    assert ben.closing is None
    assert ben.view["value"] == "then"
    assert on.where() == "old"
    await on.kill("old")
    await on.advance(1_000)
    assert ben.closing is not None, "nobody can restore it"


async def _due_in_a_minute(on: Fleet) -> tuple[str, str]:
    """A room that sleeps with a timer: the host where it is placed, and the other one."""
    ann = await on.connect()
    await ann.say("start")
    await ann.leave()
    await on.advance(30_000)
    assert on.where() is None
    ring = place("counter", "x", [member.host.info for member in on.members.values()])
    assert ring is not None
    [other] = on.members.keys() - {ring.address}
    return ring.address, other


async def test_a_due_session_wakes_at_its_place_and_nobody_else_asks_for_it() -> None:  # [PLACE6]
    on = await fleet(counter=Timed)
    here, other = await _due_in_a_minute(on)
    asked = on.members[other].store.calls["acquire"]
    await on.advance(30_050)
    assert on.where() == here
    assert (await on.stored())["value"] == "over"
    assert on.members[other].store.calls["acquire"] == asked


async def test_where_its_place_fails_a_due_session_wakes_elsewhere() -> None:  # [PLACE6] [TIME1]
    on = await fleet(counter=Timed)
    here, other = await _due_in_a_minute(on)
    with on.members[here].store.holding("due"):
        await on.advance(31_100)
    assert on.where() == other
    assert (await on.stored())["value"] == "over"


# ---------------------------------------------------------------------- a host is lost


async def test_a_killed_host_costs_no_socket_and_no_event() -> None:  # [ROUTE1]
    on = await fleet()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    with on.members[first].store.holding():  # two are handled, not stored, and not answered
        for seq in (2, 3):
            await ann.send("increment", seq=seq)
        assert ann.outcomes() == [(1, "accepted")]
        await on.kill(first)
    assert on.where() not in (None, first)
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted"), (3, "accepted")]
    assert [tab.view["context"] for tab in (ann, ben)] == [{"count": 3}] * 2
    assert [tab.closing for tab in (ann, ben)] == [None, None]
    assert statuses(ben) == [], "it took no time"
    await ben.send("increment")
    assert (await on.stored())["context"] == {"count": 4}


async def test_without_proof_of_its_death_its_lease_has_to_end() -> None:  # [ROUTE7]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    await on.kill(first, reaped=False)
    await ann.send("increment", seq=2)
    await on.advance(5_000)
    assert ann.outcomes() == [(1, "accepted")]
    await on.advance(8_000)
    assert ann.closing is None
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert statuses(ann) == ["moving", "live"]  # [STATUS1]


async def test_who_is_there_isnt_told_away_when_their_host_ends() -> None:  # [SEAT3]
    on = await fleet(lobby=Lobby)
    ann = await on.connect("ann", "lobby/x")
    first = on.where("lobby/x")
    assert first is not None
    await on.kill(first)
    await on.advance(30_000)
    assert (await on.stored("lobby/x"))["context"] == {"seats": {"ann": "here"}}
    await ann.leave()
    await on.advance(30_000)
    assert (await on.stored("lobby/x"))["context"] == {"seats": {"ann": "left"}}


async def test_who_left_while_no_host_knew_them_is_told_away() -> None:  # [ROUTE8]
    on = await fleet(lobby=Lobby)
    ann = await on.connect("ann", "lobby/x")
    await on.advance(30_000)
    assert on.where("lobby/x") is None
    for name in list(on.members):
        await on.drain(name)
    await on.add_host("c")
    await ann.leave()
    await on.advance(60_000)
    assert (await on.stored("lobby/x"))["context"] == {"seats": {"ann": "left"}}


# ---------------------------------------------------------------------- a host that leaves


async def test_a_host_that_drains_gives_its_rooms_over_and_nobody_notices() -> None:  # [ROUTE9]
    on = await fleet()
    ann, ben = await on.connect("ann"), await on.connect("ben")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    for tab in (ann, ben):
        tab.took()
    with on.members[first].store.holding("release"):
        draining = asyncio.ensure_future(on.drain(first))
        await on.settle()
        ann.put({"type": "increment"})  # plain ones too: it doesn't handle them any more
        ann.put({"type": "room.send", "seq": 2, "event": {"type": "increment"}})
        ben.put({"type": "increment"})
        await on.settle()
        assert (await on.stored())["context"] == {"count": 1}
    await draining
    await on.settle()
    assert on.where() not in (None, first)
    assert [tab.view["context"] for tab in (ann, ben)] == [{"count": 4}] * 2
    assert ann.outcomes() == [(2, "accepted")]
    assert statuses(ben) == []
    assert [tab.closing for tab in (ann, ben)] == [None, None]


async def test_a_room_is_at_work_until_its_host_gives_it_over() -> None:  # [ROUTE9]
    on = await fleet()
    tabs = [await on.connect(f"v{n}", f"counter/{n}") for n in range(4 * RESTING)]
    for tab in tabs:
        await tab.send("increment")
    first = max(on.members, key=lambda name: len(on.members[name].host.live()))
    host = on.members[first].host
    rooms = host.live()
    draining = asyncio.ensure_future(host.drain())
    await on.settle()
    assert host.live() == rooms[RESTING:]
    last = tabs[int(rooms[-1].session)]
    await last.send("increment")
    assert last.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert on.where(f"counter/{rooms[-1].session}") == first
    await on.advance(1_000)
    assert draining.done()
    await draining
    assert host.live() == []
    for tab in tabs:
        await tab.send("increment")
    assert [tab.view["context"]["count"] for tab in tabs].count(3) == 1
    assert {tab.closing for tab in tabs} == {None}


async def test_what_came_for_a_room_that_just_slept_goes_on_too() -> None:  # [ROUTE9]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    with on.members[first].store.holding("release"):
        await on.advance(15_000)
        await ann.say("increment")
        draining = asyncio.ensure_future(on.drain(first))
        await on.settle()
    await draining
    await on.settle()
    assert ann.view["context"] == {"count": 2}


async def test_what_crosses_the_word_that_a_room_is_gone_comes_back() -> None:  # [ROUTE9]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None

    def speak(message: Message) -> None:
        if isinstance(message, Asleep):
            ann.put({"type": "increment"})

    on.before_router_hears = speak
    draining = asyncio.ensure_future(on.members[first].host.drain())
    await on.settle()
    await draining
    assert ann.view["context"] == {"count": 2}


async def test_a_host_that_had_a_session_lets_go_of_it_without_waking_it() -> None:
    on = await fleet(lobby=Lobby)
    ann = await on.connect("ann", "lobby/x")
    first = on.where("lobby/x")
    assert first is not None
    await on.advance(30_000)
    [other] = on.members.keys() - {first}
    acquired = on.members[first].store.calls["acquire"]
    on.members[other].host._rooms.wake(SessionId("lobby", "x"))
    await on.settle()
    assert on.where("lobby/x") == other
    await on.advance(8_000)
    assert (await on.stored("lobby/x"))["context"] == {"seats": {"ann": "here"}}
    assert on.members[first].store.calls["acquire"] == acquired
    assert ann.closing is None


async def test_it_says_first_that_it_leaves_and_announces_it() -> None:  # [ROUTE9] [PLACE3]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    on.told.clear()
    with on.members[first].store.holding("release"):
        draining = asyncio.ensure_future(on.drain(first))
        await on.settle()
        leaving = {info.address: info.leaving for info in await on.inner.hosts()}
        assert leaving[first]
        assert sum(leaving.values()) == 1
    await draining
    kinds = [type(message) for message in on.told]
    assert kinds.index(Leaving) < kinds.index(Asleep) < kinds.index(Live)


async def test_who_waits_at_a_leaving_host_that_lost_the_store_goes_on() -> None:  # [ROUTE9]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    await on.advance(30_000)
    assert on.where() is None
    store = on.members[first].store
    store.break_next("acquire")
    ann.put({"type": "increment"})
    await on.settle()
    store.break_next("acquire")  # the next attempt finds that the host leaves
    draining = asyncio.ensure_future(on.members[first].host.drain())
    await on.advance(1_000)
    await draining
    assert ann.closing is None
    assert ann.view["context"] == {"count": 2}


async def test_requests_of_a_draining_host_are_answered_by_another() -> None:  # [ROUTE5]
    on = await fleet()
    ann = await on.connect("ann")
    await ann.send("increment")
    first = on.where()
    assert first is not None
    with on.members[first].store.holding("release"):
        draining = asyncio.ensure_future(on.drain(first))
        await on.settle()
        asked = [on.ask("GET"), on.ask("POST", body={"type": "increment"})]
        await on.settle()
        assert [ask() for ask in asked] == [None, None]
    await draining
    await on.advance(100)
    assert [answer.status for ask in asked if (answer := ask())] == [200, 200]


# ---------------------------------------------------------------------- a router is lost


async def test_the_loss_of_a_router_makes_its_seats_away_also_in_a_sleeping_room() -> None:
    """[SEAT2] [SEAT4]"""
    on = await fleet(lobby=Lobby)
    await on.connect("ann", "lobby/x")
    await on.advance(30_000)
    assert on.where("lobby/x") is None
    for link in on.links:
        link.close()
    await on.advance(60_000)
    assert (await on.stored("lobby/x"))["context"] == {"seats": {"ann": "left"}}
