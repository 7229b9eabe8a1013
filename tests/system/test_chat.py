"""A chat of hooks by the façade, while its server is killed: each message counts once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client import connect
from tests.system.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from client import Room

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

APP = """
from rooms import App, Room

class Chat(Room):
    async def on_message(self, connection, message):
        count = self.storage.get("count", 0) + 1
        self.storage.put("count", count)
        self.storage.put(f"line/{count:06}", message)
        self.broadcast({"type": "said", "count": count, "text": message["text"]})
        return count

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
                counts.append(outcome.result)

        talking = [asyncio.create_task(talk(room, who)) for who, room in enumerate(rooms)]
        for kill in range(KILLS):
            threshold = (kill + 1) * PEOPLE * LINES // (KILLS + 1)
            async with asyncio.timeout(30):  # noqa: TID251 (bound: the next share of outcomes)
                while len(counts) < threshold:
                    await asyncio.wait(talking, timeout=0.01)
            server.kill()
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):  # noqa: TID251 (bound: all outcomes after the last restart)
            await asyncio.gather(*talking)
        total = PEOPLE * LINES
        assert sorted(counts) == list(range(1, total + 1))
        last: Any = await rooms[0].send({"type": "say", "text": "last"})
        assert last.result == total + 1
        async with asyncio.timeout(10):  # noqa: TID251 (bound: what everybody hears)
            while not all(total + 1 in of for of in heard):
                await rooms[0].send({"type": "say", "text": "?"})
        for room in rooms:
            room.close()
