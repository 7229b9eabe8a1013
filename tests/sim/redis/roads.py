"""A host's way to simulated servers: connections that the store's own lines take for Redis'.

In: what `rooms/store/redis/line.py` sends, packed. Out: the replies, in its order. On the way all
may be late, get lost, or be done and never answered; what is under way when a connection is given
up, or its host dies, may still arrive.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final

from hiredis import Reader
from redis.exceptions import ConnectionError, ResponseError

from tests.sim.loop import STEP
from tests.sim.redis.server import Said
from tests.sim.store import SLOW

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Sequence

    from tests.sim.faults import Faults
    from tests.sim.loop import Process, SimLoop
    from tests.sim.redis.server import Server

_BUSY: Final = "BUSY Redis is busy running a script."


class Road:
    """One process' way: `store` is the real one, on connections that go along here."""

    def __init__(
        self, loop: SimLoop, process: Process, faults: Faults, environment: Process
    ) -> None:
        self.loop = loop
        self.process = process
        self.faults = faults
        self.environment = environment
        self.store: Any = None
        self.cut_off_until = 0.0
        """Until then nothing that it says arrives (s)."""
        self.slow_until, self.slow_by = 0.0, 0.0
        """Until then all that it says, and each answer, takes so much longer (s)."""
        self.troubled = -inf
        """When it was last not as it should be (s)."""
        self.parted_from: set[Server] = set()
        """Servers that it can't reach."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method: Callable[..., Coroutine[Any, Any, Any]] = getattr(self.store, name)
        return method

    def delay(self) -> float:
        """How long something travels now."""
        slow = self.slow_by if self.loop.time() < self.slow_until else 0.0
        return slow + self.faults.store_delay()

    def took(self, now: float, arrives: float) -> None:
        """Something is on its way for so long."""
        if arrives > now + SLOW:
            self.troubled = max(self.troubled, arrives)

    async def connect(self, server: Server) -> Connection:
        """A connection to this server. Raises ConnectionError."""
        connected: asyncio.Future[None] = self.loop.create_future()
        now = self.loop.time()
        arrives = max(now + 2 * self.delay(), self.cut_off_until)
        if server in self.parted_from:
            arrives = now + 60
        self.took(now, arrives)
        connection = Connection(self, server)

        def there() -> None:
            if connected.done():
                return
            if server.up:
                server.connections[connection] = None
                connected.set_result(None)
            else:
                connected.set_exception(ConnectionError("connection refused"))

        self.environment.at(arrives, there)
        await connected
        return connection


class Connection:
    """One connection, as much of redis-py's as a line uses."""

    def __init__(self, road: Road, server: Server) -> None:
        self._reader = _Reading()
        self._road = road
        self._server = server
        self._said = Said()
        self._incoming = Reader()
        self._arrives = 0.0
        self._answers = 0.0
        self._replies: deque[Any] = deque()
        self._hears: asyncio.Future[None] | None = None
        self._over = False

    # ------------------------------------------------------------------ for a line

    async def send_packed_command(
        self, commands: Sequence[bytes], check_health: bool = True
    ) -> None:
        """Have these arrive, sometime."""
        if self._reader.ended:
            raise ConnectionError("the connection was lost")
        road = self._road
        at = max(road.loop.time() + road.delay(), road.cut_off_until)
        road.took(road.loop.time(), at)
        self._arrives = max(self._arrives + STEP, at)
        road.environment.at(self._arrives, self._arrive, b"".join(commands))

    async def read_response(self, *, disable_decoding: bool) -> Any:
        """The next reply. Raises ResponseError, if it is one, and ConnectionError."""
        while not self._replies:
            if self._reader.ended:
                raise ConnectionError("the connection was lost")
            self._hears = self._road.loop.create_future()
            await self._hears
        reply = self._replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def disconnect(self, nowait: bool = False) -> None:
        """Give it up; what was sent may arrive all the same."""
        self._reader.ended = True

    # ------------------------------------------------------------------ on the way

    def lose(self) -> None:
        """It is cut: the server hears no more of it, its other end hears of that, sometime."""
        if not self._over:
            self._over = True
            self._server.connections.pop(self, None)
            road = self._road
            if self._server not in road.parted_from:
                at = road.loop.time() + road.faults.store_delay()
                road.environment.at(max(at, self._answers + STEP), self._lost)

    def _lost(self) -> None:
        self._reader.ended = True
        self._wake()

    def _arrive(self, data: bytes) -> None:
        road, server = self._road, self._server
        fate = road.faults.store_fate("")
        if self._over or not server.up or server in road.parted_from:
            return
        if road.process.dead and (fate is not None or road.faults.dies_on_its_way()):
            return
        if fate == "lost":
            self.lose()
            return
        self._incoming.feed(data)
        replies: list[Any] = []
        while (command := self._incoming.gets()) is not False:
            if fate == "refused":
                replies.append(ResponseError(_BUSY))
            elif command[0] == b"WAIT":
                self._wait(int(command[1]), int(command[2]), replies, fate is None)
                return
            else:
                replies.append(server.run(command, self._said))
        self._answer(replies, fate is None)

    def _wait(self, replicas: int, ms: int, replies: list[Any], heard: bool) -> None:
        """WAIT comes last: what was before it is answered together with it."""

        def answer(have: int | Exception) -> None:
            self._answer([*replies, have], heard)

        self._server.wait(self._said, replicas, ms, answer)

    def _answer(self, replies: list[Any], heard: bool) -> None:
        if self._over:
            return
        if not heard:
            self.lose()
            return
        road = self._road
        self._answers = max(self._answers + STEP, road.loop.time() + road.delay())

        def told() -> None:
            if self._server not in road.parted_from:
                self._replies.extend(replies)
                self._wake()

        road.environment.at(self._answers, told)

    def _wake(self) -> None:
        hears, self._hears = self._hears, None
        if hears is not None and not hears.done():
            hears.set_result(None)


class _Reading:
    """What a line asks whether a connection has ended."""

    def __init__(self) -> None:
        self.ended = False

    def at_eof(self) -> bool:
        """Whether the other end has hung up."""
        return self.ended

    def exception(self) -> None:
        """What else ended it."""
