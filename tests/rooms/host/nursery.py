"""Processes of rooms that are none: each is a host of its own on the test's loop, which a test can
end in the middle of something.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rooms.alone import Alone
from rooms.errors import CloseCode, Closing, LinkError
from rooms.host.clock import Clock
from rooms.host.deaths import Died
from rooms.host.host import Host
from rooms.host.isolated import LINES, Orders
from rooms.host.watched import SIZE, WAKING, Doing, read
from tests.faults import FaultyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.definition import Room
    from rooms.host.isolated import Line
    from tests.rooms.host.stage import Stage


class Body:
    """One process. To its host it is a `Process`; to its room it is the link to the host."""

    under_way = 0

    def __init__(self, kinds: Mapping[str, type[Room]], clock: Clock, chance: Any) -> None:
        self.memory = bytearray(SIZE)
        self.over = False
        self.cause = "crashed"
        self.doing = ""
        self.paused = False
        self.said: list[Line] = []
        self.alone: Alone | None = None
        self._kinds, self._clock, self._chance = kinds, clock, chance
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_close: Callable[[], None] = lambda: None

    # what its host holds

    def listen(self, on_line: Callable[[Line], None], on_close: Callable[[], None]) -> None:
        self._on_line, self._on_close = on_line, on_close

    def send(self, line: Line) -> None:
        """From the host to the room."""
        coded = LINES.encode(line)
        if not self.over:
            self._loop.call_soon(lambda: self._hear(LINES.decode(coded)))

    def close(self) -> None:
        self.over = True

    def kill(self) -> None:
        self.end("crashed")

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        said, self.said = self.said, []
        for line in said:
            self.to_host(line)

    async def died(self) -> Died:
        return Died(self.cause, self.doing)

    # what happens in it

    def to_host(self, line: Line) -> None:
        """From the room to the host."""
        if self.paused:
            self.said.append(line)
        elif not self.over:
            coded = LINES.encode(line)
            self._loop.call_soon(lambda: None if self.over else self._on_line(LINES.decode(coded)))

    def _hear(self, line: Line) -> None:
        if self.over:
            return
        if type(line) is Orders:
            doing = Doing(self.memory, line.condemned, careful=line.careful)  # type: ignore[arg-type]
            doing.begin(WAKING)
            room = self._kinds[line.kind]
            end: Any = _End(self)
            self.alone = Alone(end, line, room, doing, clock=self._clock, chance=self._chance)
            self._tasks.append(self._loop.create_task(self.alone.start()))
        elif self.alone is not None:
            self.alone.hear(line)

    def end(self, cause: str) -> None:
        """It dies of this, now."""
        if not self.over:
            self.over, self.cause, self.doing = True, cause, read(self.memory)  # type: ignore[arg-type]
            self._loop.call_soon(self._on_close)
            gone = Closing(CloseCode.OVERLOADED, "its process is dead")
            for room in () if self.alone is None else self.alone._host.rooms.values():
                room.stop(gone)


class _End:
    def __init__(self, body: Body) -> None:
        self.send = body.to_host
        self.under_way = 0


class Bodies:
    """A nursery. `born` are all that there were; `barren`: there are to be no more."""

    def __init__(self, kinds: Mapping[str, type[Room]], clock: Clock, chance: Any) -> None:
        self.born: list[Body] = []
        self.barren = False
        self._made_of = kinds, clock, chance

    def warm(self) -> None:
        pass

    async def warmed(self) -> None:
        pass

    async def start(self, max_cpu: int) -> Body:
        if self.barren:
            raise LinkError("no process can be forked")
        body = Body(*self._made_of)
        self.born.append(body)
        return body

    async def close(self) -> None:
        self.barren = True

    @property
    def living(self) -> list[Body]:
        """Those that haven't ended."""
        return [body for body in self.born if not body.over]


async def isolated(on: Stage) -> Stage:
    """Start a host and a router, all of whose kinds have processes of their own."""
    on.kinds = {
        name: type(kind.__name__, (kind,), {"isolation": "process"})
        for name, kind in on.kinds.items()
    }
    on.store = FaultyStore(on.inner)
    on.host = Host(
        on.kinds,
        on.store,
        clock=Clock(on.elapsed),
        chance=on.chance.randbytes,
        nursery=Bodies(on.kinds, Clock(on.elapsed), on.chance.randbytes),
    )
    await on.host.start()
    on.add_router()
    return on
