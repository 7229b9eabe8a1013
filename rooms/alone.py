"""One room in a process of its own: a host that has nothing but this room.

In: the socket that joins it to the host that has the links, and memory that says what it was at
when it ends. Out: the room, until it sleeps, or is too much for what it may use: the kernel then
ends the process, whatever is computed in it. Forked by `rooms/nursery.py`.

Next: `rooms/host/host.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final

from rooms.host.host import Host
from rooms.host.isolated import (
    LINES,
    Called,
    Counted,
    Drain,
    Met,
    Orders,
    Passed,
    Resting,
    Returned,
    Wake,
)
from rooms.host.watched import SIZE, WAKING, Doing, Exhaustion
from rooms.link.stream import join
from rooms.store.port import Held, SessionId
from rooms.store.remote import CalledStore
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rooms.definition import Room
    from rooms.host.clock import Clock
    from rooms.host.isolated import Line
    from rooms.host.watched import Memory
    from rooms.link.protocol import Message
    from rooms.link.stream import StreamEnd
    from rooms.store.port import Commit, Due, HostInfo, Owner
    from rooms.store.remote import Call

LOOK_EVERY: Final = 1.0
"""How often it is looked whether the room rests (s)."""
CAREFUL_FOR: Final = 10.0
"""For how long after another process died each thing is done by itself (s)."""
NICE: Final = 5
"""By how much other processes go before it, should all of them want to compute."""
_PAGE: Final = resource.getpagesize()


def live(fds: Sequence[int], kinds: Mapping[str, type[Room]]) -> None:
    """Be the process of one room until it rests, or its host is gone. `fds`: socket and memory."""
    from rooms.server import run

    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    run(_live(socket.socket(fileno=fds[0]), mmap(fds[1], SIZE), kinds))


async def _live(pair: socket.socket, memory: mmap, kinds: Mapping[str, type[Room]]) -> None:
    loop = asyncio.get_running_loop()
    logging.getLogger().handlers.insert(0, Exhaustion())
    link: StreamEnd[Line] = await join(pair, LINES, dials=True, missed=sys.maxsize)

    def limit(room: type[Room]) -> None:
        _limit_memory(room.max_memory)
        _limit_turns(loop, room.max_cpu)

    await serve(link, memory, kinds, limit=limit, leave=_leave)
    await loop.create_future()


def _leave() -> None:
    """The host has closed the link: what the room started needs no goodbye."""
    os._exit(0)


# -------------------------------------------------------------------------------- limits


def _limit_memory(most: int) -> None:
    """Let this process take so many bytes more than it has now."""
    with contextlib.suppress(OSError, ValueError):  # no such limit on this system
        with open("/proc/self/statm") as statm:
            taken = int(statm.read().split()[5]) * _PAGE
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (taken + most, hard))


def _limit_turns(loop: asyncio.AbstractEventLoop, ms: int) -> None:
    """Have this process ended when it computes for so long without a turn of its loop.

    Two timers run while it computes, and only then. The first one asks for a turn of the loop, in
    which both are set again; where no turn comes the second one's signal, which nobody handles,
    ends the process, in whatever code it is.
    """

    def begin() -> None:
        signal.setitimer(signal.ITIMER_PROF, ms / 4000)
        signal.setitimer(signal.ITIMER_VIRTUAL, ms / 800)

    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPROF, lambda number, frame: loop.call_soon_threadsafe(begin))
    begin()


# -------------------------------------------------------------------------------- the room


async def serve(
    link: StreamEnd[Line],
    memory: Memory,
    kinds: Mapping[str, type[Room]],
    *,
    limit: Callable[[type[Room]], None],
    leave: Callable[[], None],
    clock: Clock | None = None,
    chance: Callable[[int], bytes] = os.urandom,
) -> Alone:
    """Begin the room that the first line on this link names. `memory` has what it is at; `limit` is
    called before anything of the author's runs, `leave` when the host has gone.

    Raises StoreError.
    """
    came: list[Any] = []
    ordered = asyncio.Event()

    def early(line: Line) -> None:
        came.append(line)
        ordered.set()

    link.listen(early, leave)
    await ordered.wait()
    orders: Orders = came[0]
    room = kinds[orders.kind]
    doing = Doing(memory, orders.condemned, careful=orders.careful)
    doing.begin(WAKING)
    limit(room)
    alone = Alone(link, orders, room, doing, clock=clock, chance=chance)
    alone.early = came[1:]
    link.listen(alone.hear, leave)
    await alone.start()
    return alone


class Alone:
    """The one room's host, and the routers as far as it knows them."""

    def __init__(
        self,
        link: StreamEnd[Line],
        orders: Orders,
        room: type[Room],
        doing: Doing,
        *,
        clock: Clock | None,
        chance: Callable[[int], bytes],
    ) -> None:
        self._link = link
        self._doing = doing
        self._id = SessionId(orders.kind, orders.session)
        self._store = _HostsStore(link, self._id, orders.incarnation)
        self._host = Host(
            {orders.kind: room},
            self._store,
            clock=clock,
            chance=chance,
            first=orders.first,
            doing=doing,
        )
        self._routers: dict[int, _RouterEnd] = {}
        self.early: list[Line] | None = []
        """What came before the host was there."""
        self._taken = 0
        self._counted = self._host.tally.numbers()
        self._drained = False
        self._tasks = Tasks()

    async def start(self) -> None:
        """Be there for the room; what came until now is heard."""
        await self._host.start()
        asyncio.get_running_loop().call_later(CAREFUL_FOR, setattr, self._doing, "careful", False)
        early, self.early = self.early, None
        for line in early or ():
            self.hear(line)
        self._look()

    def hear(self, line: Line) -> None:
        """What the host says."""
        if type(line) is Returned:
            self._store.answered(*line)
        elif self.early is not None:
            self.early.append(line)
        else:
            self._hear(line)

    def _hear(self, line: Line) -> None:
        match line:
            case Passed(router, message):
                self._taken += 1
                self._routers[router].hear(message)
            case Wake():
                self._taken += 1
                self._host.wake(self._id)
            case Met(router, here) if here:
                end = self._routers[router] = _RouterEnd(self._link, router)
                self._host.serve(end)
            case Met(router):
                self._routers.pop(router).lost()
            case Drain():
                self._tasks.begin(self._drain())

    async def _drain(self) -> None:
        await self._host.drain()
        self._drained = True
        self._look()

    def _look(self) -> None:
        """Say when nothing goes on any more: the process is then ended."""
        self._count()
        if self._drained or self._host.quiet:
            self._link.send(Resting(self._taken))
        asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _count(self) -> None:
        """Say what was done since it was last said, if anything was."""
        numbers, before = self._host.tally.numbers(), self._counted
        if numbers != before:
            grown = [now - then for now, then in zip(numbers, before, strict=True)]
            self._link.send(Counted(grown, *self._host.owed()))
            self._counted = numbers


class _RouterEnd:
    """A router at the other end of the host: what the room's host holds of a link."""

    def __init__(self, link: StreamEnd[Line], number: int) -> None:
        self._link = link
        self._number = number
        self._on_message: Callable[[Message], None] = lambda message: None
        self._on_close: Callable[[], None] | None = None

    @property
    def under_way(self) -> int:
        return self._link.under_way

    def send(self, message: Message) -> None:
        self._link.send(Passed(self._number, message))

    def listen(
        self, on_message: Callable[[Message], None], on_close: Callable[[], None] | None = None
    ) -> None:
        self._on_message, self._on_close = on_message, on_close

    def close(self) -> None:
        """Routers' links are the host's to close."""

    def hear(self, message: Message) -> None:
        self._on_message(message)

    def lost(self) -> None:
        if self._on_close is not None:
            self._on_close()


class _HostsStore(CalledStore):
    """The store as one room needs it, by way of its host. The lease is the host's, whose end is
    this process's too; and other sessions are others' to wake.
    """

    def __init__(self, link: StreamEnd[Line], id: SessionId, incarnation: str) -> None:
        super().__init__()
        self._link = link
        self._id = id
        self._incarnation = incarnation

    def send(self, call: Call) -> None:
        self._link.send(Called(*call))

    async def acquire(self, id: SessionId, incarnation: str) -> Any:
        if id != self._id:
            return Held("", 0, "")
        return await self._call("acquire", id, self._incarnation)

    async def commit_many(self, commits: Sequence[Commit]) -> Any:
        for commit in commits:
            commit.incarnation = self._incarnation
        return await self._call("commit_many", list(commits))

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> Any:
        return await self._call("release", id, self._incarnation, epoch, activation)

    async def delete(self, id: SessionId, owner: Owner | None = None) -> Any:
        if owner is not None:
            owner = owner._replace(incarnation=self._incarnation)
        return await self._call("delete", id, owner)

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        return True

    async def retire(self, incarnation: str) -> None:
        pass

    async def due(self, before: int, limit: int) -> Sequence[Due]:
        return ()

    async def expired(self, before: int, limit: int) -> Sequence[SessionId]:
        return ()
