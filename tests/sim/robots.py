"""Robots: they speak plain HTTP, post each event with a key of its own until it is answered, and
look in between.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.requests import Request

from rooms.router.tokens import Tokens
from tests.sim.loop import EPOCH, Process, passed
from tests.sim.servers import SECRET

if TYPE_CHECKING:
    from starlette.responses import Response

    from tests.sim.servers import Server
    from tests.sim.world import World

PATIENCE = 6.0
"""How long a robot waits for an answer before it asks again (s)."""
EVENTS = {"write": 4.0, "odd": 2.0, "arm": 1.0, "broken": 1.0, "mutter": 1.0}


class _Answer(NamedTuple):
    status: int
    etag: str
    body: Any


class Robot:
    """One that keeps posting."""

    def __init__(self, world: World, name: str, where: str) -> None:
        self.world = world
        self.name = name
        self.viewer = name
        self.where = where
        self.process = Process(world.loop, name)
        self.unanswered: set[int] = set()
        self._token = Tokens(SECRET).issue(name, EPOCH)
        self._sent = 0
        self._seen: tuple[str, Any] | None = None

    def begin(self) -> None:
        """Do things, one after the other, until the world is calm."""
        self.process.soon(self._begin)

    def do(self, type: str) -> None:
        """Post one event."""
        self.process.soon(self._do, type)

    def _do(self, type: str) -> None:
        self._living = asyncio.get_running_loop().create_task(self._post(type))

    def _begin(self) -> None:
        self._living = asyncio.get_running_loop().create_task(self._live())

    async def _live(self) -> None:
        dice = self.world.dice
        while self.world.faults.on:
            await passed(dice.expovariate(1 / self.world.pace))
            if dice.random() < 0.3:
                await self._look()
            else:
                await self._post(dice.choices(list(EVENTS), list(EVENTS.values()))[0])

    async def _post(self, type: str) -> None:
        """Post one event, until its outcome is known. Its key makes it a client of its own."""
        self._sent += 1
        n, client = self._sent, f"{self.name}.{self._sent}"
        event: dict[str, Any] = {"type": type, "who": client, "n": 1}
        if type == "mutter":
            event["secret"] = f"secret of {self.viewer}: {client}"
        elif type == "arm":
            event["delay"] = self.world.dice.choice((10, 4_000))
        history = self.world.history
        history.sent(client, 1, self.where)
        self.unanswered.add(n)
        headers = {"content-type": "application/json", "idempotency-key": client}
        while True:
            answer = await self._ask("POST", headers, json.dumps(event).encode())
            if answer is not None and "outcome" in answer.body:
                break
            await passed(self.world.dice.uniform(0.1, 1))
        self.unanswered.discard(n)
        body, context = answer.body, answer.body["view"]["context"]
        shows = (context["life"], len(context["log"]))
        history.told(client, 1, body["outcome"], body.get("result"))
        history.answered(client, 1, body["outcome"], body.get("result"), shows=shows)
        self._shown(answer)

    async def _look(self) -> None:
        """What is so now isn't older than what anybody knew when it was asked."""
        self.world.history.asked(self.name)
        headers = {} if self._seen is None else {"if-none-match": self._seen[0]}
        answer = await self._ask("GET", headers, b"")
        if answer is None:
            return
        if answer.status == 200:
            self._shown(answer)
        elif answer.status == 304 and self._seen is not None:
            etag, view = self._seen
            self.world.history.shown(self.name, view, etag.strip('"'))

    def _shown(self, answer: _Answer) -> None:
        view, cursor = answer.body["view"], answer.body["cursor"]
        self._seen = (answer.etag, view)
        self.world.look_for_secrets(self, self.name, view)
        self.world.history.shown(self.name, view, cursor)

    # ------------------------------------------------------------------ the network

    async def _ask(self, method: str, headers: dict[str, str], body: bytes) -> _Answer | None:
        """What a server says; None when the request or its answer was lost, or took too long."""
        world, faults = self.world, self.world.faults
        server = world.door()
        answered: asyncio.Future[_Answer] = world.loop.create_future()

        def arrive(answer: _Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        async def serve() -> None:
            response = await self._serve(server, method, headers, body)
            text = json.loads(bytes(response.body) or b"{}")
            answer = _Answer(response.status_code, response.headers.get("etag", ""), text)
            if not faults.loses_request():
                self.process.at(world.loop.time() + faults.network_delay(), arrive, answer)

        if server.up and not faults.loses_request():
            later = world.loop.time() + faults.network_delay()
            server.process.at(later, lambda: server.serving.add(world.loop.create_task(serve())))
        await asyncio.wait([answered], timeout=PATIENCE)
        return answered.result() if answered.done() else None

    async def _serve(
        self, server: Server, method: str, headers: dict[str, str], body: bytes
    ) -> Response:
        kind, session = self.where.split("/")
        given = {"host": "sim", "authorization": f"Bearer {self._token}", **headers}
        scope = {
            "type": "http",
            "method": method,
            "path": f"/rooms/{self.where}",
            "path_params": {"kind": kind, "session": session, "rest": ""},
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("10.0.0.1", 1),
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        return await server.http.room(Request(scope, receive))
