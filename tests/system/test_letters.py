"""Rooms of two host processes that send to each other, while hosts and routers are killed: each
event has its effect once, and those from one room to another keep their order.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from client import Room, connect
from tests.system.endurance import within
from tests.system.processes import processes, running

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system

ROOMS = 6
EACH = 100
KILLS = 5
APP = """
from rooms import App, Room, everything, send_to_room
from runtime import assign, create_machine

machine = create_machine({
    "context": {"got": [], "done": 0},
    "on": {
        "tell": {"actions": send_to_room(
            "peer",
            lambda args, params: args.event["to"],
            lambda args, params: {"type": "hello", "n": args.event["n"]},
        )},
        "hello": {"actions": assign({"got": lambda args, params: [
            *args.context["got"], [args.event["sender"], args.event["n"]]
        ]})},
        "room.effect.done": {"actions": assign({
            "done": lambda args, params: args.context["done"] + 1
        })},
    },
})

class Peer(Room):
    machine = machine
    view = everything

app = App(peer=Peer)
"""


async def test_rooms_of_two_hosts_tell_each_other_everything_once(tmp_path: Path) -> None:
    # [ROOM1] [ROOM2] [ROOM6] [ROOM7] [OUTBOX1]
    dice = random.Random(5)
    (tmp_path / "app.py").write_text(APP)
    with running(str(tmp_path), tmp_path, "--hosts", "2", "--routers", "2") as server:
        rooms = [connect(f"{server.url}/rooms/peer/r{n}") for n in range(ROOMS)]

        async def tell(n: int, room: Room) -> None:
            for number in range(EACH):
                to = f"r{(n + 1 + number % 2) % ROOMS}"
                outcome = await room.send({"type": "tell", "to": to, "n": number})
                assert outcome.outcome == "accepted"

        telling = [asyncio.create_task(tell(n, room)) for n, room in enumerate(rooms)]
        for kill in range(KILLS):
            await asyncio.wait(telling, timeout=dice.uniform(0.2, 0.8))
            role = "host" if kill % 2 == 0 else "router"
            await within(30, f"a {role} to kill", lambda: len(processes(server, role)) == 2)  # noqa: B023
            os.kill(dice.choice(processes(server, role)), signal.SIGKILL)
        await within(60, "all were sent", lambda: all(task.done() for task in telling))
        for task in telling:
            task.result()
        for room in rooms:
            await within(60, "all arrived", lambda: room.context["done"] >= EACH)  # noqa: B023
            await within(60, "all shown", lambda: len(room.context["got"]) >= EACH)  # noqa: B023
        for n, room in enumerate(rooms):
            got = sorted(room.context["got"], key=lambda one: one[0])  # stable: the order is kept
            by_sender = {
                sender: [number for _, number in those]
                for sender, those in groupby(got, key=lambda one: one[0])
            }
            assert by_sender == {
                f"room:peer/r{(n - 1) % ROOMS}": list(range(0, EACH, 2)),
                f"room:peer/r{(n - 2) % ROOMS}": list(range(1, EACH, 2)),
            }
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in rooms))
