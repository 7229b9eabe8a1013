"""Intake: a flood at the door is read in turns, and nobody else waits for its end (SPEC, FAIR5)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from starlette.websockets import WebSocket

from rooms import pace
from rooms.pace import Pace
from rooms.router import intake, sockets
from rooms.router.channels import BEHIND, SHARE, Host, Session
from rooms.router.intake import Intake
from rooms.router.limits import Limits
from rooms.store.port import HostInfo
from tests.rooms.router.doors import open_door
from tests.rooms.router.test_sockets import CLOSE, PING, PONG, TEXT, frame, raw
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 3_000


def event(number: int) -> bytes:
    return frame(TEXT, json.dumps({"type": "e", "n": number}).encode())


@pytest.fixture
def in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast this machine is, a turn is one slice."""
    monkeypatch.setattr(sockets, "AT_ONCE", -1.0)


@pytest.mark.usefixtures("in_slices")
async def test_a_flood_is_read_in_turns_and_whole() -> None:  # [FAIR5]
    async with open_door(limits=Limits.off()) as door, raw(door) as flood, raw(door) as quiet:
        flood.writer.write(b"".join(event(n) for n in range(MANY)))
        quiet.writer.write(frame(TEXT, b'{"type":"room.ping","t":1}'))
        assert (await quiet.message())["type"] == "room.pong"
        assert len(door.host.said) < MANY
        await door.host.until(lambda _: len(door.host.said) == MANY)
        assert [said["n"] for said in door.host.said] == list(range(MANY))


async def test_of_what_came_at_once_so_much_is_read_in_a_turn(  # [FAIR5]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "AT_ONCE", -1.0)
    async with open_door(limits=Limits.off()) as door, raw(door):
        (channel,) = door.router._routing._channels.values()
        there: Any = channel.peer._socket  # type: ignore[attr-defined]
        there.data_received(b"".join(event(n) for n in range(MANY)))
        await asyncio.sleep(0)  # noqa: TID251
        assert len(door.host.said) < MANY / 10
        await door.host.until(lambda _: len(door.host.said) == MANY)


@pytest.mark.usefixtures("in_slices")
async def test_who_has_much_to_say_is_heard_to_the_end_before_it_goes() -> None:  # [FAIR5]
    async with open_door(limits=Limits.off()) as door, raw(door) as flood:
        flood.writer.write(b"".join(event(n) for n in range(MANY)) + frame(PING, b"x"))
        assert await flood.frame() == (PONG, b"x")
        flood.writer.write(b"".join(event(n) for n in range(MANY)) + frame(CLOSE))
        assert await flood.frame() == (CLOSE, b"")
        await door.host.until(lambda _: len(door.host.said) == 2 * MANY)
        await door.host.gone()


async def test_what_comes_before_it_is_let_in_waits_unread(  # [FAIR5]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept, let_in, came = WebSocket.accept, asyncio.Event(), asyncio.Event()

    async def accept_and_wait(self: WebSocket, subprotocol: str | None = None) -> None:
        await accept(self, subprotocol)
        await let_in.wait()

    def received(self: sockets.Socket, data: bytes) -> None:
        take(self, data)
        came.set()

    take = sockets.Socket.data_received
    monkeypatch.setattr(WebSocket, "accept", accept_and_wait)
    monkeypatch.setattr(sockets.Socket, "data_received", received)
    async with open_door(limits=Limits.off()) as door, raw(door, upgraded=False) as early:
        await early.upgrade()
        came.clear()
        early.writer.write(b"".join(event(n) for n in range(MANY)))
        await asyncio.wait_for(came.wait(), WITHIN)
        let_in.set()
        await door.host.until(lambda _: len(door.host.said) == MANY)
        assert [said["n"] for said in door.host.said] == list(range(MANY))


@pytest.mark.usefixtures("in_slices")
async def test_a_flood_that_breaks_the_protocol_is_told_and_closed() -> None:  # [FAIR5] [DOOR1]
    async with open_door(limits=Limits.off()) as door, raw(door) as flood:
        bad = frame(3, b"{}")
        flood.writer.write(b"".join(event(n) for n in range(MANY)) + bad + event(0) * MANY)
        assert await flood.closed() == 1002
        assert MANY - 20 < len(door.host.said) <= MANY  # less what was parsed together with it


@pytest.mark.usefixtures("in_slices")
async def test_a_connection_closed_in_a_flood_is_told_why() -> None:  # [FAIR5] [DOOR8]
    async with open_door(limits=Limits(rate=0.001, burst=10)) as door, raw(door) as flood:
        flood.writer.write(b"".join(event(n) for n in range(MANY)) + frame(CLOSE, b"\x11\x4d"))
        assert await flood.closed() == 4429
        assert len(door.host.said) == 10


# ------------------------------------------------------------------ whose turn it is


class Reader:
    """A socket that has so much to be read, a ms each time; it says so in `read`."""

    def __init__(self, on: Stage, session: Session, turns: int) -> None:
        self.on, self.session, self.turns = on, session, turns

    def read_on(self) -> None:
        begun = self.on.now
        self.on.now += 1
        self.on.read.append(self.session.name[1])
        self.on.intake.worked(self.session.account, begun)
        self.turns -= 1
        if self.turns:
            self.on.intake.wait(self.session, self)


class Stage:
    """An intake with a clock of ours."""

    def __init__(self) -> None:
        self.now = 0.0
        self.read: list[str] = []
        self.intake = Intake(Pace(lambda: self.now))

    def wait(self, name: str, turns: int) -> Session:
        session = Session(("counter", name))
        self.intake.wait(session, Reader(self, session, turns))
        return session

    async def session(self, name: tuple[str, str]) -> Session:
        """What a request on this session is counted for."""
        await self.intake.turn(name, None)
        return self.intake._asked[name]

    async def until(self, what: Callable[[], bool]) -> None:
        for _ in range(10_000):
            if what():
                return
            self.now += 0.1
            await asyncio.sleep(0)  # noqa: TID251
        raise AssertionError(f"not in 10,000 steps: {self.read}")


async def test_rooms_are_read_one_after_the_other_whoever_has_more() -> None:  # [FAIR5]
    on = Stage()
    on.wait("hot", 200)
    on.wait("cool", 3)
    await on.until(lambda: on.read.count("cool") == 3)
    assert on.read.count("hot") <= 4
    await on.until(lambda: on.read.count("hot") == 200)


async def test_sockets_of_a_room_are_read_one_after_the_other() -> None:  # [FAIR5]
    on, session = Stage(), Session(("counter", "x"))
    first, other, last = (Reader(on, session, turns) for turns in (50, 3, 50))
    for reader in (first, other, last):
        on.intake.wait(session, reader)
    await on.until(lambda: other.turns == 0)
    assert (first.turns, last.turns) in ((47, 48), (47, 47))


async def test_requests_wait_for_their_rooms_turn_and_for_no_other() -> None:  # [FAIR5]
    on, hot, asked = Stage(), ("counter", "hot"), list[str]()

    async def ask(name: str) -> None:
        await on.intake.turn(("counter", name), None)
        asked.append(name)

    for _ in range(200):  # more than its share
        on.intake.worked((await on.session(hot)).account, on.now - intake.REQUEST)
    requests = [asyncio.ensure_future(ask("hot")) for _ in range(100)]
    await asyncio.sleep(0)  # noqa: TID251
    assert asked == []
    await asyncio.gather(ask("cool"), ask("cool"))
    assert asked.count("hot") <= 2
    await on.until(lambda: asked.count("hot") == 100)
    await asyncio.gather(*requests)


async def test_only_so_many_sessions_that_were_asked_are_known(  # [FAIR5]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "MOST_ASKED", 3)
    on = Stage()
    for n in range(9):
        await on.intake.turn(("counter", str(n)), None)
    assert len(on.intake._asked) == 3


async def test_for_a_host_that_is_behind_nothing_more_is_read(  # [FAIR5]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "LOOK_AGAIN", 0)
    on, under_way = Stage(), [BEHIND + 1]
    host = Host(HostInfo("one", "one", {}, 0), _ignore, lambda: under_way[0])
    session = on.wait("hot", 3)
    on.wait("cool", 3)
    session.host = host
    session.added(host, SHARE)
    assert not session.full
    session.added(host, 1)
    assert session.full
    await on.until(lambda: on.read.count("cool") == 3)
    assert "hot" not in on.read
    under_way[0] = BEHIND
    await on.until(lambda: on.read.count("hot") == 3)
    session.added(host, SHARE)
    under_way[0] = BEHIND + 1
    assert not session.full  # what was taken counts no more


def _ignore(message: Any) -> None:
    pass
