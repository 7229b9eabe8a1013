"""A network for one façade, all in our hands: time stands still until it is advanced, the dice fall
as told, and the other end of each socket is the test.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from client import Room, connect
from rooms.sync.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.websocket import Listener

START = 1_000_000
ADDRESS = "https://example.org/rooms/counter/abc"


class Pending:
    """A timer."""

    def __init__(self, time: Time, due: float, run: Callable[[], None]) -> None:
        self._time = time
        self.due = due
        self.run = run

    def cancel(self) -> None:
        self._time.pending.pop(self, None)


class Time:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self._now: float = START
        self.pending: dict[Pending, None] = {}

    def now(self) -> float:
        return self._now

    def call_later(self, ms: float, run: Callable[[], None]) -> Pending:
        timer = Pending(self, self._now + ms, run)
        self.pending[timer] = None
        return timer

    async def advance(self, ms: float) -> None:
        """Let `ms` pass: each timer runs at its moment, and what it began settles before the
        next.
        """
        await settled()
        end = self._now + ms
        while due := [timer for timer in self.pending if timer.due <= end]:
            timer = min(due, key=lambda timer: timer.due)
            timer.cancel()
            self._now = max(self._now, timer.due)
            timer.run()
            await settled()
        self._now = end
        await settled()


async def settled() -> None:
    """All that tasks and callbacks had to do is done."""
    loop = asyncio.get_running_loop()
    for _ in range(10):
        turn: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


class FakeSocket:
    """A socket as the link sees it; the verbs below `wait_closed` are the server's."""

    def __init__(self, url: str, subprotocol: str | None, listener: Listener) -> None:
        self.query = dict(parse_qsl(urlsplit(url).query))
        self.url = url
        self.subprotocol = subprotocol
        self.listener: Listener | None = listener
        self.unsent = 0
        self.open = False
        self.sent: list[dict[str, Any]] = []

    @property
    def _codec(self) -> Any:
        return "msgpack" if self.subprotocol == "rooms.v1.msgpack" else "json"

    def send(self, data: bytes) -> bool:
        if self.open:
            self.sent.append(decode(data, self._codec))
        return self.open

    def close(self) -> None:
        self.open = False
        self.listener = None

    async def wait_closed(self) -> None:
        return

    def accept(self) -> None:
        self.open = True
        if self.listener is not None:
            self.listener.opened()

    def deliver(self, frame: Any) -> None:
        """Send a message; a text goes out as it stands."""
        if self.listener is not None:
            data = frame.encode() if isinstance(frame, str) else encode(frame, self._codec)
            self.listener.received(data)

    def drop(self, code: int = 1006, reason: str = "") -> None:
        self.open = False
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.ended(code, reason)

    def take(self, pings: bool = False) -> list[dict[str, Any]]:
        """What was sent since the last call; pings only where they are asked for."""
        sent, self.sent = self.sent, []
        return [message for message in sent if pings or message["type"] != "room.ping"]


class World:
    """One façade, and everything around it."""

    def __init__(self, address: str = ADDRESS, **options: Any) -> None:
        self.time = Time()
        self.sockets: list[FakeSocket] = []
        self.roll = 0.5
        self.room: Room = connect(
            address, timers=self.time, roll=lambda: self.roll, dial=self._dial, **options
        )

    def _dial(self, url: str, subprotocol: str | None, listener: Listener) -> FakeSocket:
        self.sockets.append(FakeSocket(url, subprotocol, listener))
        return self.sockets[-1]

    @property
    def socket(self) -> FakeSocket:
        """The newest socket."""
        assert self.sockets, "no socket was asked for"
        return self.sockets[-1]

    def greet(self, **you: Any) -> None:
        me = {"id": "ann", "role": "player", "connection": "c1"}
        hello = {"type": "room.you", "me": me, "token": None, "seq": 0, "now": START}
        self.socket.deliver({**hello, **you})

    def show(self, cursor: str, view: Any) -> None:
        self.socket.deliver({"type": "room.view", "cursor": cursor, "now": START, "view": view})

    async def joined(self, view: Any = None, **you: Any) -> World:
        """Connected, and shown a view."""
        await settled()
        self.socket.accept()
        self.greet(**you)
        self.show("n.1", {"value": "a"} if view is None else view)
        self.socket.take()
        return self

    def state(self) -> str:
        """The connection's state, as it is now."""
        return self.room.connection
