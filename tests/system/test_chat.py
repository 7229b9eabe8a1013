"""A chat of hooks by the façade, while its server is killed: each message counts once."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from client import connect
from tests.system.endurance import within
from tests.system.processes import processes, running
from tests.system.processes import said as said_by

if TYPE_CHECKING:
    from pathlib import Path

    from client import Room

pytestmark = pytest.mark.system

APP = """
from rooms import App, Room
from rooms.host import gathering

# On a busy machine a router may need more than the second that it is given to be there again.
vars(gathering).update(WITHIN=20.0, FOUND_WITHIN=5_000)

class Chat(Room):
    def on_connect(self, connection, request):
        connection.set_state({"said": 0})
        self.storage.put("met", self.storage.get("met", 0) + 1)

    async def on_message(self, connection, message):
        said = connection.state["said"] + 1
        connection.set_state({"said": said})
        count = self.storage.get("count", 0) + 1
        self.storage.put("count", count)
        self.storage.put(f"line/{count:06}", message)
        self.broadcast({"type": "said", "count": count, "text": message["text"]})
        met = self.storage.get("met")
        return {"count": count, "said": said, "id": connection.id, "met": met}

app = App(chat=Chat)
"""
PEOPLE = 4
LINES = 60
KILLS = 3


def hearing(room: Room) -> set[int]:
    """The counts of what is said in this room from now on."""
    heard: set[int] = set()
    room.on("said", lambda event: heard.add(event["count"]))
    return heard


def _all_heard(heard: list[set[int]], count: int) -> bool:
    return all(of == set(range(1, count + 1)) for of in heard)


async def test_each_message_counts_once_through_kills(tmp_path: Path) -> None:  # [HOOK2] [HOOK4]
    app = tmp_path / "chat.py"
    app.write_text(APP)
    with running(str(app), tmp_path) as server:
        rooms = [connect(f"{server.url}/rooms/chat/kill") for _ in range(PEOPLE)]
        counts: list[int] = []
        heard = [hearing(room) for room in rooms]

        async def talk(room: Room, who: int) -> None:
            for n in range(LINES):
                outcome = await room.send({"type": "say", "text": f"{who}.{n}"})
                assert outcome.outcome == "accepted", outcome
                counts.append(outcome.result["count"])

        talking = [asyncio.create_task(talk(room, who)) for who, room in enumerate(rooms)]
        for kill in range(KILLS):
            threshold = (kill + 1) * PEOPLE * LINES // (KILLS + 1)
            async with asyncio.timeout(60):  # noqa: TID251 (bound: the next share of outcomes)
                while len(counts) < threshold:
                    await asyncio.wait(talking, timeout=0.01)
            server.kill()
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):  # noqa: TID251 (bound: all outcomes after the last restart)
            await asyncio.gather(*talking)
        total = PEOPLE * LINES
        assert sorted(counts) == list(range(1, total + 1))
        await within(30, "all connected", lambda: all(r.connection == "open" for r in rooms))
        last: Any = await rooms[0].send({"type": "say", "text": "last"})
        assert last.result["count"] == total + 1
        await within(30, "the last one heard", lambda: all(total + 1 in of for of in heard))
        for room in rooms:
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in rooms))


async def test_connections_are_the_same_when_their_hosts_process_is_killed(
    tmp_path: Path,
) -> None:  # [HOOK6] [HOOK13] [HOOK14]
    app = tmp_path / "chat.py"
    app.write_text(APP)
    with running(str(app), tmp_path, "--hosts", "2", "--routers", "2") as server:
        rooms = [connect(f"{server.url}/rooms/chat/x") for _ in range(PEOPLE)]
        heard = [hearing(room) for room in rooms]
        await asyncio.gather(*(room.ready() for room in rooms))
        said: list[list[Any]] = []
        for strike in range(3):
            said.append([])
            for room in rooms:
                async with asyncio.timeout(60):  # noqa: TID251 (bound: an outcome)
                    said[-1].append((await room.send({"type": "say", "text": "hi"})).result)
            await within(30, "everything heard", partial(_all_heard, heard, len(said) * PEOPLE))
            if strike < 2:  # what was still under way would be lost with it (HOOK14)
                await within(60, "two hosts", lambda: said_by(server, "is ready") == strike)  # noqa: B023
                os.kill(processes(server, "host")[0], signal.SIGKILL)
        for number, (first, *later) in enumerate(zip(*said, strict=True)):
            assert [one["id"] for one in later] == [first["id"]] * 2, number
            assert [one["said"] for one in later] == [2, 3]
            assert [one["met"] for one in later] == [PEOPLE] * 2, "none of them was met again"
        for room in rooms:
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in rooms))
