"""A host on a stage: the real host and the real routing on one link, with tabs for sockets.

Time is the loop's own (`tests/clock.py`), the store is real, and every message between the two is
encoded on its way. Verbs say what people do: `connect`, `say`, `send`, `leave`, `get`, `post`; what
happens to machines: `sleep`, `crash`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING, Any

from rooms.errors import CloseCode, Closing
from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.link import protocol
from rooms.link.memory import pair
from rooms.link.protocol import Answer, Attach, Fanout, Request
from rooms.router.frames import payloads
from rooms.router.routing import Routing
from rooms.store.memory import MemoryStore
from rooms.store.port import SessionId
from rooms.sync import messages, party
from rooms.sync.codec import decode
from rooms.sync.diff import apply
from tests.clock import virtual
from tests.faults import FaultyStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.definition import Room
    from rooms.link.protocol import Message
    from rooms.router.channels import Channel
    from rooms.store.port import Record

Json = Any


class Stage:
    """One store; one host at a time; one router."""

    def __init__(self, **kinds: type[Room]) -> None:
        self.loop = virtual()
        self.kinds = kinds
        self.chance = random.Random(1)
        self.suspended = 0
        self.inner = MemoryStore(
            self.now, elapsed=lambda: int(self.elapsed()), random_bytes=self.chance.randbytes
        )
        self.told: list[Message] = []
        self._watch: Callable[[Message], None] = lambda message: None
        self._requests: dict[int, Answer] = {}

    async def start(self) -> Stage:
        """Start a host, and a router that knows it."""
        self.store = FaultyStore(self.inner)
        self.host = Host(
            self.kinds,
            self.store,
            clock=Clock(self.elapsed),
            chance=self.chance.randbytes,
        )
        await self.host.start()
        self.add_router()
        return self

    def add_router(self) -> None:
        """One more router: people come through it from now on."""
        link, hosts_end = pair()

        def to_host(message: Message) -> None:
            self._watch(message)
            link.send(protocol.decode(protocol.encode(message)))

        def from_host(message: Message) -> None:
            self.told.append(message)
            routing.receive(met, protocol.decode(protocol.encode(message)))

        routing = Routing(self.loop.call_later)
        met = routing.meet(self.host.info, to_host)
        link.listen(from_host, lambda: None)
        self.host.serve(hosts_end)
        self.link, self.routing = link, routing

    async def crash(self) -> None:
        """`kill -9` of the host, noticed at once; then another one starts."""
        self.store.die()
        self.loop.forget()
        await self.inner.retire(self.host.incarnation)
        self.link.close()
        self.routing.leave(lambda: Closing(CloseCode.OVERLOADED, "the server was lost"))
        await self.settle()
        await self.start()

    async def restart(self) -> None:
        """Drain the host, then start another one on the same store."""
        draining = asyncio.ensure_future(self.host.drain())
        await self.settle()
        while not draining.done():
            await self.advance(1)
        await draining
        self.link.close()
        self.routing.leave(lambda: Closing(CloseCode.OVERLOADED, "the server was lost"))
        await self.start()

    def elapsed(self) -> float:
        """What a host takes for CLOCK_BOOTTIME (ms)."""
        return self.loop.elapsed() + self.suspended

    def now(self) -> int:
        """The store's time (ms since 1970)."""
        return self.loop.now() + self.suspended

    def suspend(self, ms: int) -> None:
        """The machine is suspended so long: the loop's timers don't know."""
        self.suspended += ms

    async def settle(self) -> None:
        await self.loop.settle()

    async def advance(self, ms: int) -> None:
        await self.loop.advance(ms)

    # ------------------------------------------------------------------ people

    async def connect(
        self,
        who: str = "ann",
        room: str = "counter/x",
        *,
        client: str | None = None,
        role: str = "player",
        cursor: str | None = None,
        view: Json = None,
        since: int | None = None,
        create: bool = True,
        codec: str = "json",
        token: str | None = None,
        params: dict[str, str] | None = None,
        operator: bool = False,
        opened: int = 0,
    ) -> Tab:
        """A browser tab opens a room. `client` is the façade object, a new one unless given;
        `cursor` and `view` are what it holds from before; `opened` is when its router let it in.
        """
        tab = Tab(self, client or f"client-{self.chance.getrandbits(64):x}", codec)
        tab.view, tab.cursor = view, cursor
        kind, session = room.split("/")
        tab.routing = self.routing
        tab.channel = tab.routing.open(
            Attach(
                channel=self.routing.number(),
                kind=kind,
                session=session,
                viewer={"id": who, "role": role, "claims": {}},
                client=tab.client,
                since=since,
                cursor=cursor,
                codec=codec,
                create=create,
                token=token,
                params=params or {},
                operator=operator,
                opened=opened,
            ),
            tab,
        )
        await self.settle()
        return tab

    async def request(self, *asked: Any, **more: Any) -> Answer:
        """A plain HTTP request (`ask`), answered at this moment."""
        return await self._answer(self.ask(*asked, **more))

    async def _answer(self, answered: Callable[[], Answer | None]) -> Answer:
        await self.settle()
        answer = answered()
        assert answer is not None, "the request wasn't answered"
        return answer

    def ask(
        self,
        method: str,
        room: str = "counter/x",
        body: Json = None,
        *,
        who: str = "ann",
        role: str = "player",
        path: str = "",
        create: bool = True,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Callable[[], Answer | None]:
        """Send a request; call what is returned to see whether it was answered."""
        kind, session = room.split("/")
        request = Request(
            request=self.routing.number(),
            kind=kind,
            session=session,
            method=method,
            path=path,
            params=params or {},
            headers={"content-type": "application/json", **(headers or {})},
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            viewer={"id": who, "role": role, "claims": {}},
            create=create,
        )
        return self._put(request)

    def _put(self, request: Request) -> Callable[[], Answer | None]:
        answers: list[Answer] = []
        self.routing.request(request, answers.append)
        return lambda: answers[0] if answers else None

    def operate(
        self,
        method: str,
        room: str = "counter/x",
        path: str = "",
        *,
        body: Json = None,
        params: dict[str, str] | None = None,
    ) -> Callable[[], Answer | None]:
        """An operator's request, which the router has let through; as `ask`."""
        kind, _, session = room.partition("/")
        request = Request(
            request=self.routing.number(),
            kind=kind,
            session=session,
            method=method,
            path=path,
            params=params or {},
            body=b"" if body is None else json.dumps(body).encode(),
            operator=True,
        )
        return self._put(request)

    async def operated(self, *asked: Any, **more: Any) -> tuple[int, Json]:
        """An operator's request, answered at this moment: its status and what was said."""
        answer = await self._answer(self.operate(*asked, **more))
        return answer.status, json.loads(answer.body)

    # ------------------------------------------------------------------ looks

    def watch_router(self, watch: Callable[[Message], None]) -> None:
        """See what the router says to the host from now on."""
        self._watch = watch

    def awake(self, room: str = "counter/x") -> bool:
        """Whether the session has a live room."""
        return SessionId(*room.split("/")) in self.host.live()

    async def record(self, room: str = "counter/x") -> Record | None:
        """What the store has of a session."""
        return await self.inner.load(SessionId(*room.split("/")))

    async def stored(self, room: str = "counter/x") -> Json:
        """The stored snapshot."""
        record = await self.record(room)
        assert record is not None
        assert record.snapshot is not None
        return json.loads(record.snapshot)

    def fanouts(self) -> list[Fanout]:
        """The fan-outs that crossed the link so far."""
        return [message for message in self.told if isinstance(message, Fanout)]


class Tab:
    """One connection: what it was told, and the view it holds."""

    def __init__(self, stage: Stage, client: str, codec: str) -> None:
        self.stage = stage
        self.client = client
        self.codec = codec
        self.channel: Channel
        self.routing: Routing
        self.inbox: list[Json] = []
        self.frames: list[str | bytes] = []
        self.view: Json = None
        self.cursor: str | None = None
        self.closing: Closing | None = None
        self.paused = False
        self._seqs = itertools.count(1)

    # the socket, for the router

    def write(self, data: bytes) -> None:
        if self.codec == "party":
            self._write_raw(data)
            return
        for payload in payloads(data):
            self._hear(decode(payload, self.codec, max_claim=1 << 20))  # type: ignore[arg-type]

    def _hear(self, message: Json) -> None:
        match message["type"]:
            case "room.view":
                self.view, self.cursor = message["view"], message["cursor"]
            case "room.patch":
                assert message["base"] == self.cursor, "a patch for a view it doesn't hold"
                self.view = apply(self.view, message["ops"])
                self.cursor = message["cursor"]
            case "room.unchanged":
                self.cursor = message["cursor"]
            case "room.outcome":
                assert message.get("cursor", self.cursor) == self.cursor, "the outcome came first"
        self.inbox.append(message)

    def _write_raw(self, data: bytes) -> None:
        if data:  # what the dialect has no word for
            payload = data[{126: 4, 127: 10}.get(data[1], 2) :]
            self.frames.append(payload.decode() if data[0] == 0x81 else payload)

    def close(self, closing: Closing) -> None:
        self.closing = closing

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    # the person

    def put(self, message: Json) -> None:
        """Say a whole message, as the router lets it through."""
        self.routing.say(self.channel, messages.read(message), 100)

    def put_raw(self, data: str | bytes) -> None:
        """Say text or bytes, as a client of `/parties`."""
        self.routing.say(self.channel, {"type": party.SAID, "data": data}, len(data))

    async def say(self, type: str, **fields: Json) -> None:
        """Send an event plainly."""
        self.put({"type": type, **fields})
        await self.stage.settle()

    async def send(self, type: str, *, seq: int | None = None, **fields: Json) -> int:
        """Send a numbered event; its outcome may be there afterwards."""
        seq = seq or next(self._seqs)
        self.put({"type": "room.send", "seq": seq, "event": {"type": type, **fields}})
        await self.stage.settle()
        return seq

    async def renew(self, token: str, viewer: dict[str, Json] | None = None) -> None:
        """Give a fresh token; `viewer` is whose the router says it is, None where it can't say."""
        message = messages.read({"type": "room.token", "token": token})
        if viewer is not None:
            message["viewer"] = viewer
        self.routing.say(self.channel, message, 100)
        await self.stage.settle()

    async def leave(self) -> None:
        """Close the tab."""
        self.routing.close(self.channel)
        await self.stage.settle()

    def took(self) -> list[Json]:
        """What it was told since the last call."""
        took, self.inbox = self.inbox, []
        return took

    def types(self) -> list[str]:
        """The types of what it was told since the last call."""
        return [message["type"] for message in self.took()]

    def outcome(self, seq: int) -> Json:
        """The only outcome of this number so far."""
        (outcome,) = [m for m in self.inbox if m["type"] == "room.outcome" and m["seq"] == seq]
        return outcome

    def outcomes(self) -> list[tuple[int, str]]:
        """Every outcome so far."""
        return [(m["seq"], m["outcome"]) for m in self.inbox if m["type"] == "room.outcome"]
