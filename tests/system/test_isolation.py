"""Rooms with processes of their own, as real processes: what ends one ends nothing else, on one
machine with one process or several, and on Redis.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from client import connect
from tests.rooms.store.servers import running as running_redis
from tests.system.closings import Closed, watch
from tests.system.endurance import within
from tests.system.processes import processes, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from client import Room
    from tests.system.processes import Server

pytestmark = pytest.mark.system

APP = "tests/system/isolated.py"
SETUPS = ("dev", "redis")


@pytest.fixture(scope="module", params=SETUPS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    match request.param:
        case "dev":
            with running(APP, folder, command="dev") as server:
                yield server
        case _:
            with (
                running_redis("redis") as redis,
                running(APP, folder, "--store", redis.url(), "--hosts", "2") as server,
            ):
                yield server


class People:
    """Connections that are to stay open, whatever is done to their rooms."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.rooms: list[Room] = []
        self.closed: list[Closed] = []

    async def enter(self, name: str) -> Room:
        """Somebody in this room."""
        room = connect(f"{self.url}/rooms/{name}")
        watch(room, name, self.closed)
        self.rooms.append(room)
        return await room.ready()


@asynccontextmanager
async def people_at(server: Server) -> AsyncIterator[People]:
    people = People(server)
    yield people
    for room in people.rooms:
        room.close()
    await asyncio.gather(*(room.wait_closed() for room in people.rooms))


@pytest.fixture
async def people(server: Server) -> AsyncIterator[People]:
    async with people_at(server) as people:
        yield people


async def sent(room: Room, type: str, **more: Any) -> tuple[str, str | None]:
    """What became of an event."""
    outcome = await asyncio.wait_for(room.send({"type": type, **more}), 60)
    return outcome.outcome, outcome.reason


def runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def parent_of(pid: int) -> int:
    """The nursery of a room's process, or the host of a nursery."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_what_a_room_dies_of_harms_nobody_and_isnt_repeated_for_ever(  # [ISOLATE1] [ISOLATE2]
    # [ISOLATE3] [ISOLATE4] [SEND2]
    people: People,
) -> None:
    heavy, other, light = [
        await people.enter(name) for name in ("heavy/harmed", "heavy/other", "light/other")
    ]
    assert await sent(heavy, "count") == ("accepted", None)
    assert await sent(other, "count") == ("accepted", None)
    assert await sent(light, "count") == ("accepted", None)
    alone, beside = other.context["process"], light.context["process"]
    assert len({heavy.context["process"], alone, beside}) == 3
    for type, did in {
        "spin": "computed for too long",
        "backtrack": "computed for too long",
        "leak": "took too much memory",
        "exit": "crashed",
    }.items():
        before, last = heavy.context["count"], heavy.context["process"]
        said = [sent(heavy, "count"), sent(heavy, type), sent(heavy, "count")]
        neighbours = [sent(room, "count") for room in (other, light)]
        assert await asyncio.gather(*said, *neighbours) == [
            ("accepted", None),
            ("rejected", f"this room {did} over {type!r}"),
            *[("accepted", None)] * 3,
        ]
        assert heavy.context["count"] == before + 2
        assert heavy.context["process"] != last
        await within(60, "the last one's end", lambda: not runs(last))  # noqa: B023
    assert people.closed == []
    assert (other.context["process"], light.context["process"]) == (alone, beside)


async def test_a_killed_process_is_replaced_at_once(people: People) -> None:  # [ISOLATE2] [VIEW8]
    one, two = await people.enter("heavy/killed"), await people.enter("heavy/killed")
    await sent(one, "count")
    os.kill(one.context["process"], signal.SIGKILL)
    before = one.context["process"]
    assert await sent(two, "count") == ("accepted", None)
    await within(60, "both see it", lambda: one.context["count"] == 2)
    assert (one.context, people.closed) == (two.context, [])
    assert one.context["process"] != before


async def test_a_process_ends_when_its_room_sleeps_and_an_event_begins_another(  # [ISOLATE6]
    # [SLEEP2]
    people: People,
) -> None:
    room = await people.enter("drowsy/sleeper")
    await sent(room, "count")
    asleep = room.context["process"]
    await within(30, "its end", lambda: not runs(asleep))
    assert await sent(room, "count") == ("accepted", None)
    assert room.context["count"] == 2
    assert room.context["process"] != asleep
    assert people.closed == []


async def test_a_timer_that_ends_processes_is_given_up(  # [ISOLATE5]
    people: People, server: Server
) -> None:
    room = await people.enter("heavy/armed")
    await sent(room, "arm")
    given_up = "heavy/armed: timer 'xstate.after.soon.counter.armed' is given up"
    await within(30, "that", lambda: any(given_up in line for line in server.lines))
    assert await sent(room, "count") == ("accepted", None)
    alone = room.context["process"]
    assert await sent(room, "count") == ("accepted", None)
    assert room.matches("armed")
    assert (room.context["process"], people.closed) == (alone, [])


async def test_events_go_from_room_to_room_whatever_processes_they_have(  # [ISOLATE1] [ROOM1]
    people: People,
) -> None:
    heavy, light = await people.enter("heavy/sender"), await people.enter("light/sender")
    assert await sent(heavy, "tell", to="receiver") == ("accepted", None)
    assert await sent(light, "tell", to="receiver") == ("accepted", None)
    for name in ("light/receiver", "heavy/receiver"):
        there = await people.enter(name)
        await within(60, f"{name} is told", lambda: there.context["count"] == 1)  # noqa: B023


async def test_a_room_of_hooks_lives_in_its_process_like_any(  # [ISOLATE1] [HOOK2] [PRESENT1]
    people: People,
) -> None:
    one, two = await people.enter("talk/room"), await people.enter("talk/room")
    heard: list[int] = []
    two.on("said", lambda event: heard.append(event["number"]))
    present: list[int] = []
    two.on_present(lambda viewers: present.append(len(viewers)))
    one.presence({"typing": True})
    two.presence({"typing": False})
    first = await one.send({"type": "say", "text": "hello"})
    await within(60, "it is heard", lambda: heard == [1])
    await within(60, "who is there", lambda: present[-1:] == [2])
    assert await sent(one, "spin") == ("rejected", "this room computed for too long over 'spin'")
    second = await one.send({"type": "say", "text": "again"})
    await within(60, "it is heard", lambda: heard == [1, 2])
    assert first.result["process"] != second.result["process"]
    assert people.closed == []


# ------------------------------------------------------------------ what is around them is struck


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("struck")
    with running(APP, folder, "--hosts", "2", "--routers", "2") as server:
        yield server


@pytest.fixture
async def fleet(started: Server) -> AsyncIterator[People]:
    async with people_at(started) as people:
        yield people


async def counted(rooms: list[Room], times: int) -> None:
    """Each of them counts so often, and has every event once."""
    for _ in range(times):
        await asyncio.gather(*(sent(room, "count") for room in rooms))
    for room in rooms:
        await within(60, f"{room} is up to date", lambda: room.context["count"] >= times)  # noqa: B023


async def test_a_killed_nursery_is_replaced_and_harms_no_room(  # [ISOLATE2]
    fleet: People,
) -> None:
    room = await fleet.enter("heavy/nursed")
    await sent(room, "count")
    alone = room.context["process"]
    nursery = parent_of(alone)
    os.kill(nursery, signal.SIGKILL)
    assert await sent(room, "count") == ("accepted", None)
    assert room.context["process"] == alone
    names = iter(f"heavy/another-{n}" for n in range(100))
    await within(60, "its end", lambda: not runs(nursery))
    others = [await fleet.enter(next(names)) for _ in range(4)]  # on either host
    await counted(others, 1)
    os.kill(alone, signal.SIGKILL)
    assert await sent(room, "count") == ("accepted", None)
    assert (room.context["count"], fleet.closed) == (3, [])


async def test_when_a_host_is_killed_so_are_its_rooms_and_another_has_them_at_once(
    # [ISOLATE6] [FLEET3] [ROUTE1]
    fleet: People,
    started: Server,
) -> None:
    rooms = [await fleet.enter(f"heavy/failing-{n}") for n in range(4)]
    await counted(rooms, 3)
    host = parent_of(parent_of(rooms[0].context["process"]))
    assert host in processes(started, "host")
    before = [room.context["process"] for room in rooms]
    before = [pid for pid in before if parent_of(parent_of(pid)) == host]
    for room in rooms:  # they compute, and don't listen
        room.send({"type": "spin"})
    os.kill(host, signal.SIGKILL)
    await within(30, "their end", lambda: not any(map(runs, before)))
    await asyncio.gather(*(sent(room, "count") for room in rooms))
    assert [room.context["count"] for room in rooms] == [4] * 4
    assert fleet.closed == []
    await within(30, "another host", lambda: len(processes(started, "host")) == 2)


async def test_a_rolling_restart_takes_them_along(  # [ISOLATE6] [FLEET4] [ROUTE9]
    fleet: People, started: Server
) -> None:
    rooms = [await fleet.enter(f"heavy/rolling-{n}") for n in range(4)]
    await counted(rooms, 1)
    before = [room.context["process"] for room in rooms]
    hosts = set(processes(started, "host"))
    playing = asyncio.ensure_future(counted(rooms, 100))
    started.signal(signal.SIGHUP)
    await within(60, "others", lambda: len(hosts ^ set(processes(started, "host"))) == 4)
    await playing
    await within(60, "their end", lambda: not any(map(runs, before)))
    assert [room.context["count"] for room in rooms] == [101] * 4
    assert fleet.closed == []


async def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path) -> None:  # [ISOLATE6]
    with running(APP, tmp_path, "--hosts", "2") as server:
        people = People(server)
        room = await people.enter("heavy/left")
        await sent(room, "count")
        alone = room.context["process"]
        room.send({"type": "spin"})
        nursery = parent_of(alone)
        assert server._process is not None
        server._process.kill()
        await within(60, "their end", lambda: not runs(alone) and not runs(nursery))
        room.close()
        await room.wait_closed()
