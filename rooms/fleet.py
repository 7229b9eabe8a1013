"""`rooms serve APP --hosts N --routers M`: routers and hosts of one machine, each a process.

The supervisor imports none of the author's code. A store that one process alone may open (a SQLite
file, or memory) it opens, and serves to the others. It starts hosts, then routers; starts again
what ends, with growing pauses; and tells the store of each host that is dead, so that its sessions
needn't wait for a lease to end. SIGHUP replaces the hosts one after the other, so that they run
changed code. SIGTERM stops routers, then hosts.

Next: `process.py` (each child), `apart.py` (what it runs).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import subprocess
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from rooms import operations
from rooms.children import as_shell, orders, spawn
from rooms.errors import StoreError
from rooms.host.clock import elapsed
from rooms.meeting import meeting_place
from rooms.router.listening import bind
from rooms.router.refusals import READY
from rooms.server import first_of, store_time, url_of
from rooms.store import file_of, lockfile, open_store, remote
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rooms.settings import Settings
    from rooms.store.port import Store

logger = logging.getLogger(__name__)

FIRST_PAUSE: Final = 0.1  # s
LONGEST_PAUSE: Final = 5.0
WELL_AFTER: Final = 10.0
"""Who ran for so long is started again at once (s)."""
ENDS_WITHIN: Final = 15.0
READY_WITHIN: Final = 60.0
LINKED_WITHIN: Final = 5.0


class Fleet:
    """All processes of one App on one machine. `ready` gets the URL once, `say` lines for
    people.
    """

    def __init__(
        self,
        target: str,
        settings: Settings,
        *,
        ready: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._target = target
        self._settings = settings
        self._ready = ready
        self._say = say
        self._names = count(1)
        self._hosts: list[_Member] = []
        self._routers: list[_Member] = []
        self._arriving: _Member | None = None
        self._store: Store
        self._folder: Path
        self._stopping = asyncio.Event()
        self._rolling: asyncio.Task[None] | None = None
        self._watches = Tasks()
        self._status = 0

    async def run(self) -> int:
        """Serve until SIGINT or SIGTERM; the status to exit with. What can't be started at first
        ends it.

        Raises:
            UsageError: the address or port can't be had.
            StoreError: the store can't be opened.
        """
        settings = self._settings
        async with contextlib.AsyncExitStack() as ending:
            bind(settings.bind, settings.port).close()  # shared with nobody else's routers
            reserved = bind(settings.bind, settings.port, shared=True)
            ending.callback(reserved.close)
            port = reserved.getsockname()[1]
            self._folder = ending.enter_context(meeting_place())
            self._store = await open_store(settings.store, now=store_time(), elapsed=elapsed)
            ending.push_async_callback(self._store.close)
            file = file_of(settings.store)
            url = settings.store
            if file is not None or url == "memory:":
                url = f"unix:{self._folder}/store"
                ending.callback((await remote.serve(self._store, url)).close)
            own = None if settings.metrics is None else "127.0.0.1:0"
            self._settings = replace(settings, store=url, port=port, metrics=own)
            door = operations.serving(settings.metrics, lambda: self._measure, lambda: self._state)
            await ending.enter_async_context(door)
            self._handle_signals()
            ending.push_async_callback(self._stop)
            self._hosts = [self._member("host") for _ in range(settings.hosts)]
            if await self._all_ready(self._hosts):
                self._routers = [self._member("router") for _ in range(settings.routers)]
                if await self._all_ready(self._routers):
                    address = url_of(settings.bind, port)
                    if file is not None:
                        lockfile.announce(file, address)
                    self._ready(address)
                    await self._stopping.wait()
        return self._status

    # ------------------------------------------------------------------ the operator's door

    @property
    def _state(self) -> str:
        """`ready` while clients can come in and get to a room."""
        if self._stopping.is_set():
            return "draining"
        some = all(any(one.up for one in team) for team in (self._hosts, self._routers))
        return READY if some else "no host or no router"

    async def _measure(self) -> bytes:
        """What all processes say of themselves."""
        from rooms import metrics

        members = [one for one in (*self._hosts, *self._routers) if one.up and one.door]
        pages = await asyncio.gather(*(operations.read_page(one.door or "") for one in members))
        said = {one.name: page for one, page in zip(members, pages, strict=True) if page}
        teams = {"host": self._hosts, "router": self._routers}
        return metrics.of_fleet(
            said, {role: sum(m.up for m in team) for role, team in teams.items()}
        )

    # ------------------------------------------------------------------ starting, and again

    def _member(self, role: str) -> _Member:
        """A new process, and somebody who watches it."""
        name = f"{role}-{next(self._names)}"
        settings = self._settings
        if role == "host":
            settings = replace(settings, listen=f"unix:{self._folder}/{name}")
        member = _Member(role, name, self._target, settings)
        self._watches.begin(self._watch(member))
        return member

    async def _all_ready(self, members: list[_Member]) -> bool:
        """Wait until all of them are. False: one of them can't be, or we are to stop."""
        ready = asyncio.gather(*(member.ready.wait() for member in members))
        ended = (member.ended.wait() for member in members)
        is_ready = await first_of(ready, self._stopping.wait(), *ended) == 0
        with contextlib.suppress(asyncio.CancelledError):
            await ready
        if is_ready or self._stopping.is_set():
            return is_ready
        self._status = next(member.status for member in members if member.ended.is_set())
        return False

    async def _watch(self, member: _Member) -> None:
        """Start it; when it ends unasked, certify that, and start another in its place."""
        begun = elapsed()
        await member.start()
        await first_of(member.ready.wait(), member.ended.wait(), within=READY_WITHIN)
        if member.ready.is_set() and member.failures:
            self._say(f"{member.name} is ready")
        await member.ended.wait()
        if member.role == "host":
            await self._certify(member)
        team = self._hosts if member.role == "host" else self._routers
        if member.stopped or self._stopping.is_set() or member not in team:
            return
        if not member.ready.is_set() and not member.failures:
            return  # at first; `run` sees it
        self._say(f"{member.name} ended with status {member.status}: starting another")
        failures = 0 if elapsed() - begun > WELL_AFTER * 1000 else member.failures + 1
        if failures > 1:
            pause = min(FIRST_PAUSE * (1 << failures - 2), LONGEST_PAUSE)
            await asyncio.sleep(pause)  # noqa: TID251 - before another attempt
        if not self._stopping.is_set() and member in team:
            another = self._member(member.role)
            another.failures = max(failures, 1)
            team[team.index(member)] = another

    async def _certify(self, host: _Member) -> None:
        """This host is dead: its sessions may be taken at once."""
        try:
            for info in await self._store.hosts():
                if info.address == host.settings.listen:
                    await self._store.retire(info.incarnation)
        except StoreError as error:
            logger.warning("%s can't be retired, and expires: %s", host.name, error)

    # ------------------------------------------------------------------ rolling restart

    async def _roll(self) -> None:
        """Replace the hosts, each by one that is ready, and known to the routers, before the other
        gives its rooms over.
        """
        for old in list(self._hosts):
            if self._stopping.is_set():
                return
            new = self._arriving = self._member("host")
            await first_of(new.ready.wait(), new.ended.wait(), within=READY_WITHIN)
            if not new.ready.is_set() or new.ended.is_set():
                await new.stop()
                self._say(f"{new.name} can't be started: {old.name} and the others stay")
                return
            for router in list(self._routers):
                await router.knows(new.settings.listen, LINKED_WITHIN)
            self._arriving = None
            if old not in self._hosts:  # it ended meanwhile, and has been replaced
                await new.stop()
                continue
            self._hosts[self._hosts.index(old)] = new
            await old.stop()
            self._say(f"{new.name} has taken over from {old.name}")

    # ------------------------------------------------------------------ signals, and the end

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    def _on_stop(self) -> None:
        """The first lets everybody end in their own time, the second doesn't."""
        if self._stopping.is_set():
            for member in (*self._routers, *self._hosts):
                member.kill()
        self._stopping.set()

    def _on_hangup(self) -> None:
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.get_running_loop().create_task(self._roll())

    async def _stop(self) -> None:
        self._stopping.set()
        if self._rolling is not None:
            self._rolling.cancel()
        arriving = [] if self._arriving is None else [self._arriving]
        for team in (self._routers, [*self._hosts, *arriving]):
            if team:
                await asyncio.wait([asyncio.ensure_future(member.stop()) for member in team])
        await self._watches.ended()


class _Member:
    """One process: a host or a router. `failures`: how often those in its place ended of late;
    `door`: the URL of its metrics.
    """

    def __init__(self, role: str, name: str, target: str, settings: Settings) -> None:
        self.role = role
        self.name = name
        self.settings = settings
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.failures = 0
        self.status = 0
        self.stopped = False
        self.door: str | None = None
        self._target = target
        self._linked: list[str] = []
        self._changed = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def up(self) -> bool:
        """Whether it is ready, and there."""
        return self.ready.is_set() and not self.ended.is_set()

    async def start(self) -> None:
        """Start it, tell it what to be, and hear what it says."""
        self._process, ours = spawn(self.name, stdin=subprocess.DEVNULL)
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(orders(self._target, self.settings, self.role))
        self._hearing = asyncio.get_running_loop().create_task(self._hear(reader, writer))
        if self.stopped:
            self._process.terminate()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._process is not None
        with contextlib.suppress(ConnectionError):  # it ended before it had read its orders
            while line := await reader.readline():
                match json.loads(line):
                    case {"ready": _}:
                        self.ready.set()
                    case {"watched": str(url)}:
                        self.door = url
                    case {"linked": [*addresses]}:
                        self._linked = addresses
                        self._changed.set()
        self.status = as_shell(await asyncio.to_thread(_end_of, self._process))
        writer.close()
        self.ended.set()

    async def knows(self, address: str, seconds: float) -> bool:
        """Wait until this router has a link to the host at `address`, for so long."""

        async def linked() -> None:
            while address not in self._linked and not self.ended.is_set():
                self._changed.clear()
                await self._changed.wait()

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(linked(), seconds)
        return address in self._linked

    async def stop(self) -> None:
        """Ask it to end, make it end, and see it ended."""
        self.stopped = True
        if self._process is None or self.ended.is_set():
            return
        self._process.terminate()
        if await first_of(self.ended.wait(), within=ENDS_WITHIN) is None:
            self.kill()
            await self.ended.wait()

    def kill(self) -> None:
        """End it now."""
        if self._process is not None and not self.ended.is_set():
            self._process.kill()


def _end_of(process: subprocess.Popen[bytes]) -> int:
    """The status of a process that has let go of its socket, which it does at its end."""
    try:
        return process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
