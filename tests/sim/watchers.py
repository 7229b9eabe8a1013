"""Watchers: they only listen, to server-sent events, and come back with the last one's id."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from client.replica import Replica
from rooms.errors import PatchError
from rooms.router.tokens import Tokens
from tests.sim.loop import EPOCH, STEP, Process, passed
from tests.sim.servers import SECRET

if TYPE_CHECKING:
    from tests.sim.servers import Server
    from tests.sim.world import World

SILENCE = 20.0
"""After how long without a word a watcher asks anew (s): the server says something every 15."""


class Watcher:
    """One that looks on, through one connection after the other."""

    def __init__(self, world: World, name: str, where: str) -> None:
        self.world = world
        self.name = name
        self.viewer = name
        self.where = where
        self.process = Process(world.loop, name)
        self.replica = Replica()
        self.unanswered: set[int] = set()
        self._token = Tokens(SECRET).issue(name, EPOCH)
        self._stream: _Stream | None = None
        self._left = False

    def begin(self) -> None:
        """Look on, until `leave`."""
        self.process.soon(self._begin)

    def leave(self) -> None:
        """Look no more."""
        self._left = True
        if self._stream is not None:
            self._stream.lose()

    @property
    def open(self) -> bool:
        """Whether there is a connection that has told something."""
        return self._stream is not None and self._stream.told and not self._stream.over.done()

    def _begin(self) -> None:
        self._living = asyncio.get_running_loop().create_task(self._live())

    async def _live(self) -> None:
        dice = self.world.dice
        while not self._left:
            self.world.history.asked(self.name)
            self.world.dialled += 1
            self._stream = _Stream(self, self.world.door())
            while not self._stream.over.done():
                heard = self._stream.heard
                await asyncio.wait([self._stream.over], timeout=SILENCE)
                if self._stream.heard == heard or (self.world.faults.on and dice.random() < 0.3):
                    self._stream.lose()
            await passed(dice.uniform(0.1, 1))

    def headers(self) -> dict[str, str]:
        """What it asks with: the cursor of what it holds."""
        known = {} if self.replica.cursor is None else {"last-event-id": self.replica.cursor}
        return {
            "host": "sim",
            "authorization": f"Bearer {self._token}",
            "accept": "text/event-stream",
            **known,
        }

    def hear(self, id: str | None, message: dict[str, Any]) -> None:
        """One event of the stream."""
        replica, history = self.replica, self.world.history
        try:
            match message["type"]:
                case "room.view":
                    replica.replace(message["cursor"], message["view"])
                case "room.patch":
                    replica.patch(message["base"], message["cursor"], message["ops"])
                case "room.unchanged":
                    replica.confirm(message["cursor"])
                case "room.emitted" if message["event"]["type"] == "wrote":
                    history.heard(self.name, message["event"], replica.view)
                    return
                case _:
                    return
        except PatchError as error:
            history.violated("stream", f"{self.name}: {error}")
            return
        if id != replica.cursor:
            history.violated("stream", f"{self.name}: id {id} at {replica.cursor}")
        assert replica.cursor is not None
        self.world.look_for_secrets(self, self.name, replica.view)
        history.shown(self.name, replica.view, replica.cursor)


class _Stream:
    """One request and its unending response."""

    def __init__(self, watcher: Watcher, server: Server) -> None:
        loop = watcher.world.loop
        self.over: asyncio.Future[None] = loop.create_future()
        self.told = False
        self.heard = 0
        self._watcher = watcher
        self._server = server
        self._faults = watcher.world.faults
        self._gone: asyncio.Future[None] = loop.create_future()
        self._unread = b""
        self._here = 0.0
        if not server.up:
            self.over.set_result(None)
            return
        server.streams.append(self)
        self._soon(server.process, lambda: server.serving.add(loop.create_task(self._serve())))

    def lose(self) -> None:
        """The connection breaks; the server hears of it, sometime."""
        if not self.over.done():
            self.over.set_result(None)
        self._soon(self._server.process, self._hang_up)

    def _hang_up(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    async def _serve(self) -> None:
        kind, session = self._watcher.where.split("/")
        headers = self._watcher.headers()
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/rooms/{self._watcher.where}",
            "path_params": {"kind": kind, "session": session, "rest": ""},
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("10.0.0.1", 1),
        }
        response = await self._server.http.room(Request(scope, self._receive))
        await response(scope, self._receive, self._send)
        self._travel(None)

    async def _receive(self) -> Any:
        await asyncio.wait([self._gone])
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            self._travel(None)
        elif message["type"] == "http.response.body":
            self._travel(message["body"])
            await passed(self._faults.network_delay() / 4)  # it takes a chunk after the other

    def _travel(self, chunk: bytes | None) -> None:
        loop = self._watcher.world.loop
        self._here = max(self._here + STEP, loop.time() + self._faults.network_delay())
        self._watcher.process.at(self._here, self._arrive, chunk)

    def _arrive(self, chunk: bytes | None) -> None:
        if self.over.done():
            return
        if chunk is None:
            self.over.set_result(None)
            return
        self.heard += 1
        *events, self._unread = (self._unread + chunk).split(b"\n\n")
        for event in events:
            fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
            if b"data" in fields:
                self.told = True
                id = fields[b"id"].decode() if b"id" in fields else None
                self._watcher.hear(id, json.loads(fields[b"data"]))

    def _soon(self, process: Process, call: Any) -> None:
        process.at(self._watcher.world.loop.time() + self._faults.network_delay(), call)
