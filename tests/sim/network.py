"""The network between façades and doors: each connection in order, and any of them cut, silent, or
held up at any moment.

A `Wire` is one WebSocket. Its far end is what the router's `Connection` has for a socket
(`rooms/router/sockets.py`), so that everything inward of a frame is the real door; its near end is
what a façade's link has for one (`client/websocket.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from rooms.router.frames import payloads
from rooms.router.sockets import EXTENSION
from rooms.sync.codec import decode
from tests.sim.loop import STEP

if TYPE_CHECKING:
    from client.websocket import Listener as Facade
    from rooms.router.sockets import Listener as Door
    from rooms.sync.codec import Codec
    from tests.sim.faults import Faults
    from tests.sim.loop import SimLoop
    from tests.sim.players import Player
    from tests.sim.servers import Server

SLOW_ABOVE = 2_048
"""Unsent bytes above which a server hears that a connection is slow."""
SERVER_NOTICES = 40.0
"""After how long the server's own pings find out that nobody is there (s)."""


class Wire:
    """One connection of a player's façade to a server."""

    def __init__(
        self,
        loop: SimLoop,
        faults: Faults,
        player: Player,
        server: Server,
        url: str,
        subprotocol: str | None,
        listener: Facade,
    ) -> None:
        self.loop = loop
        self.faults = faults
        self.player = player
        self.page = player.page
        self.server = server
        self.codec: Codec = "msgpack" if subprotocol == "rooms.v1.msgpack" else "json"
        self.near = Near(self, listener)
        self.far = Far(self)
        self.cut = False
        self.silent = False
        self._there = 0.0
        self._here = 0.0
        self._reading = True
        self._unread: list[tuple[Any, ...]] = []
        self._travel_in(self._arrive, url, subprotocol)

    # ------------------------------------------------------------------ faults

    def lose(self) -> None:
        """The connection breaks: what is under way is lost, and both sides hear of it, sometime."""
        if not self.cut:
            self.cut = True
            now = self.loop.time()
            client, server = self.player.process, self.server.process
            client.at(now + self.faults.network_delay(), self.near.broken)
            server.at(now + self.faults.network_delay(), self.far.gone)

    def silence(self) -> None:
        """Nothing arrives any more, either way, and nobody is told."""
        self.silent = True
        self.server.process.at(self.loop.time() + SERVER_NOTICES, self.lose)

    def stall(self) -> None:
        """The page reads nothing for a while."""
        self._reading = False

    def read_on(self) -> None:
        """The page reads what has come, and goes on."""
        self._reading = True
        unread, self._unread = self._unread, []
        for message in unread:
            self._carry(*message)
        if self.far.unsent:
            self.far.unsent = 0
            self.server.process.soon(self.far.drained)

    # ------------------------------------------------------------------ from here to there

    def to_server(self, data: bytes) -> None:
        """A frame of the façade's."""
        self._travel_in(self.far.frame, data)

    def hang_up(self) -> None:
        """The façade says goodbye."""
        self._travel_in(self.far.gone)

    def _travel_in(self, arrive: Any, *what: Any) -> None:
        self._there = max(self._there + STEP, self.loop.time() + self.faults.network_delay())

        def arrived() -> None:
            if not self.cut and not self.silent:
                arrive(*what)

        self.server.process.at(self._there, arrived)

    def _arrive(self, url: str, subprotocol: str | None) -> None:
        """The handshake: what uvicorn hands to the application."""
        split = urlsplit(url)
        _, _, kind, session = split.path.split("/")
        scope = {
            "type": "websocket",
            "path": split.path,
            "path_params": {"kind": kind, "session": session, "rest": ""},
            "query_string": split.query.encode(),
            "headers": [(b"host", b"sim")],
            "client": ("10.0.0.1", 1),
            "subprotocols": [subprotocol] if subprotocol else [],
            "extensions": {EXTENSION: self.far},
        }
        websocket = WebSocket(scope, self._connecting, self._accepted)
        self.loop.create_task(self.server.connections.serve(websocket))

    async def _connecting(self) -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def _accepted(self, message: Any) -> None:
        assert message["type"] == "websocket.accept"
        self._travel_out(self.near.opened)

    # ------------------------------------------------------------------ from there to here

    def to_client(self, data: bytes, size: int) -> None:
        """A frame of the server's."""
        self.player.told(self.page, decode(data, self.codec, max_claim=1 << 20))
        if not self._reading:
            self.far.unsent += size
        self._travel_out(self.near.received, data)

    def closed_there(self, code: int, reason: str) -> None:
        """The server has said its last."""
        self._travel_out(self.near.ended, code, reason)

    def _travel_out(self, arrive: Any, *what: Any) -> None:
        if self._reading:
            self._carry(arrive, *what)
        else:
            self._unread.append((arrive, *what))

    def _carry(self, arrive: Any, *what: Any) -> None:
        self._here = max(self._here + STEP, self.loop.time() + self.faults.network_delay())

        def arrived() -> None:
            if not self.cut and not self.silent:
                arrive(*what)

        self.player.process.at(self._here, arrived)


class Near:
    """The façade's end: a `Socket` of `client/websocket.py`."""

    def __init__(self, wire: Wire, listener: Facade) -> None:
        self._wire = wire
        self._listener: Facade | None = listener
        self._open = False
        self.unsent = 0

    def send(self, data: bytes) -> bool:
        if self._listener is None or not self._open:
            return False
        self._wire.to_server(data)
        return True

    def close(self) -> None:
        if self._listener is not None:
            self._listener = None
            self._wire.hang_up()

    async def wait_closed(self) -> None:
        return

    def opened(self) -> None:
        if self._listener is not None:
            self._open = True
            self._listener.opened()

    def received(self, data: bytes) -> None:
        if self._listener is not None:
            self._listener.received(data)

    def ended(self, code: int, reason: str) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._wire.hang_up()
            listener.ended(code, reason)

    def broken(self) -> None:
        self.ended(1006, "the connection was lost")


class Far:
    """The door's end: what `rooms/router/connections.py` has for a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._listener: Door | None = None
        self._paused = True
        self._held: list[bytes] = []
        self._slow = False
        self._slow_since = 0.0
        self._closed = False
        self._gone = False
        self.loop = wire.loop
        self.unsent = 0

    @property
    def alive(self) -> bool:
        """Whether the server takes it for an open connection."""
        return not (self._closed or self._gone)

    # what the door asks

    def adopt(self, listener: Door, intake: object, session: object) -> None:
        self._listener = listener
        if self._gone:
            listener.on_gone()
        else:
            self.resume()

    def write(self, data: bytes, last: bool = False) -> None:
        if self._closed or self._gone:
            return
        if self._slow and not last and self._slow_since < self.loop.time():
            what = f"{self._wire.page} is sent more, with {self.unsent} bytes unread"
            self._wire.player.world.history.violated("slow", what)
        for payload in payloads(data):
            self._wire.to_client(payload, len(payload))
        if self.unsent > SLOW_ABOVE and not self._slow:
            self._slow, self._slow_since = True, self.loop.time()
            if self._listener is not None:
                self._listener.on_slow()

    def close(self, code: int, reason: str, last_words: bytes) -> None:
        if not self._closed:
            self.write(last_words, last=True)
            self._closed = True
            self._wire.closed_there(code, reason)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        while self._held and not self._paused:
            self._hear(self._held.pop(0))

    # what the network does

    def frame(self, data: bytes) -> None:
        if self._paused:
            self._held.append(data)
        else:
            self._hear(data)

    def drained(self) -> None:
        if self._slow:
            self._slow = False
            if self._listener is not None and not self._closed:
                self._listener.on_drained()

    def gone(self) -> None:
        if not self._gone:
            self._gone = True
            if self._listener is not None:
                self._listener.on_gone()

    def _hear(self, data: bytes) -> None:
        if self._listener is not None and not (self._closed or self._gone):
            self._listener.on_frame(data, self._wire.codec == "json")
