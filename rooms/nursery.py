"""Where the processes of rooms come from: a process that has imported the App once, and forks.

Here are both sides of it. `Nursery` is the host's: it starts that process when rooms need it, and
again when it was killed; asks it for others; and learns how each of them ended. `serve` is what
that process does. A child needs no import and shares the memory of all that was imported; and it is
forked where no thread and no event loop is. When the host is gone, the nursery ends its children.

Next: `rooms/alone.py` (what a child does).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import subprocess
import tempfile
from functools import partial
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rooms.children import orders, spawn
from rooms.errors import LinkError
from rooms.host.deaths import Died
from rooms.host.isolated import LINES
from rooms.host.watched import OUT_OF_MEMORY, SIZE, read
from rooms.link.stream import join
from rooms.tasks import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.app import App
    from rooms.host.isolated import Line
    from rooms.link.stream import StreamEnd
    from rooms.settings import Settings

logger = logging.getLogger(__name__)

READY_WITHIN: Final = 30.0
BORN_WITHIN: Final = 10.0
TOLD_WITHIN: Final = 2.0
"""How long it is waited for to hear how a process ended (s)."""
SILENT_FOR: Final = 30
"""A process that says nothing for so long is as good as dead (s)."""


# -------------------------------------------------------------------------------- the host


class Nursery:
    """Starts processes for the rooms of one host. `target` is the App, as on the command line;
    `name` is what they are called by who lists processes, and in the log.
    """

    def __init__(self, target: str, settings: Settings, name: str) -> None:
        self._target = target
        self._settings = settings
        self._name = name
        self._starting: asyncio.Task[_Nurse] | None = None
        self._closed = False

    def warm(self) -> None:
        """Be ready before the first room needs it."""
        self._nurse()

    async def warmed(self) -> None:
        """Until the first room needn't wait for it, or it can't be helped that it will."""
        with contextlib.suppress(LinkError, OSError, TimeoutError):
            await self._ready()

    async def start(self, max_cpu: int) -> RoomProcess:
        """A new process; where the nursery is killed meanwhile, one of the next. Raises LinkError:
        there can't be any now.
        """
        missed = SILENT_FOR + max_cpu // 500
        try:
            nurse = await self._ready()
            try:
                return await nurse.start(missed)
            except (LinkError, OSError):
                if not nurse.gone:
                    raise
            return await (await self._ready()).start(missed)
        except TimeoutError:
            raise LinkError("no process was started in time") from None
        except OSError as error:
            raise LinkError(f"no process can be started: {error}") from error

    async def close(self) -> None:
        """End the nursery; whoever it has started ends with it."""
        self._closed = True
        if self._starting is not None:
            with contextlib.suppress(LinkError, OSError):
                await (await self._starting).close()

    async def _ready(self) -> _Nurse:
        """The nursery, once it is ready. Raises LinkError or TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(self._nurse()), READY_WITHIN)

    def _nurse(self) -> asyncio.Task[_Nurse]:
        starting = self._starting
        if starting is None or (starting.done() and _gone(starting)):
            if self._closed:
                raise LinkError("the host ends")
            born = _Nurse.born(self._target, self._settings, self._name)
            starting = self._starting = asyncio.get_running_loop().create_task(born)
        return starting


def _gone(starting: asyncio.Task[_Nurse]) -> bool:
    return starting.cancelled() or starting.exception() is not None or starting.result().gone


class _Nurse:
    """One nursery process, for as long as it lives."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pair: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.gone = False
        self._process = process
        self._pair = pair
        self._writer = writer
        self._born: list[asyncio.Future[tuple[int, asyncio.Future[int]]]] = []
        self._died: dict[int, asyncio.Future[int]] = {}
        self._hearing = asyncio.get_running_loop().create_task(self._hear(reader))

    @classmethod
    async def born(cls, target: str, settings: Settings, name: str) -> _Nurse:
        """Start it; it is ready. Raises LinkError: it ended before."""
        process, pair = spawn(name, stdin=subprocess.DEVNULL)
        ours = pair.dup()
        pair.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=pair)
        writer.write(orders(target, settings, "nursery"))
        if not await reader.readline():
            await asyncio.to_thread(process.wait)
            writer.close()
            ours.close()
            raise LinkError("the nursery couldn't be started")
        return cls(process, ours, reader, writer)

    async def start(self, missed: int) -> RoomProcess:
        """Have it fork; one that doesn't is ended. Raises LinkError, OSError or TimeoutError; it is
        `gone` where it was killed.
        """
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        with theirs, tempfile.TemporaryFile() as file:
            file.truncate(SIZE)
            memory = mmap(file.fileno(), SIZE)
            born: asyncio.Future[tuple[int, asyncio.Future[int]]] = loop.create_future()
            try:
                socket.send_fds(self._pair, [b"+"], [theirs.fileno(), file.fileno()])
                self._born.append(born)
                pid, status = await asyncio.wait_for(born, BORN_WITHIN)
            except BaseException as error:
                ours.close()
                if isinstance(error, TimeoutError):
                    self._process.kill()
                if isinstance(error, ConnectionError):
                    self.gone = True  # which isn't heard yet
                raise
        link: StreamEnd[Line] = await join(ours, LINES, dials=False, missed=missed)
        return RoomProcess(pid, link, memory, status)

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                match json.loads(line):
                    case {"born": int(pid)}:
                        died = self._died[pid] = loop.create_future()
                        resolve(self._born.pop(0), (pid, died))
                    case {"born": str(error)}:
                        resolve(self._born.pop(0), LinkError(f"no process can be forked: {error}"))
                    case {"died": int(pid), "status": int(status)}:
                        resolve(self._died.pop(pid), status)
        self.gone = True
        self._writer.close()
        self._pair.close()
        for born in self._born:
            resolve(born, LinkError("the nursery was killed"))
        for died in self._died.values():
            died.cancel()
        await asyncio.to_thread(self._process.wait)

    async def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._pair.shutdown(socket.SHUT_WR)
        await self._hearing


class RoomProcess:
    """The process of one room."""

    def __init__(
        self, pid: int, link: StreamEnd[Line], memory: mmap, status: asyncio.Future[int]
    ) -> None:
        self._pid = pid
        self._status = status
        self._memory = memory
        self._over = False
        self.send = link.send
        self.close = link.close
        self.pause = link.pause
        self.resume = link.resume
        self._link = link

    def listen(self, on_line: Callable[[Line], None], on_close: Callable[[], None]) -> None:
        """Say who hears what it says, and of its end."""

        def over() -> None:
            self._over = True
            on_close()

        self._link.listen(on_line, over)

    def kill(self) -> None:
        """End it, while its number can be nobody else's: its nursery hasn't reaped it, or is gone,
        and it is still at the other end.
        """
        status = self._status
        if not status.done() or (status.cancelled() and not self._over):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    async def died(self) -> Died:
        """How it ended, and at what."""
        status = None
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            status = await asyncio.wait_for(asyncio.shield(self._status), TOLD_WITHIN)
        match status:
            case _ if status == -signal.SIGVTALRM:
                cause = "cpu"
            case _ if status == OUT_OF_MEMORY:
                cause = "memory"
            case _:
                cause = "crashed"
        return Died(cause, read(self._memory))


# -------------------------------------------------------------------------------- the nursery


def serve(app: App, pair: socket.socket) -> NoReturn:
    """Fork a process for each request that comes, until the host is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the host says when its rooms end
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    ended, ringing = socket.socketpair()
    for end in (ended, ringing):
        end.setblocking(False)
    signal.set_wakeup_fd(ringing.fileno())
    from rooms import alone

    with contextlib.suppress(ImportError):  # there is none for Windows
        import uvloop  # noqa: F401 - else each child would
    gc.collect()
    gc.freeze()  # a child's collections leave the memory alone that it shares
    children: set[int] = set()
    while True:
        readable, _, _ = select.select([pair, ended], [], [])
        if ended in readable:
            ended.recv(4096)
            _reap(children, pair)
        if pair in readable:
            request, fds, _, _ = socket.recv_fds(pair, 1, 2)
            if not request:
                break
            _fork(fds, children, pair, partial(alone.live, fds, app.kinds))
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _fork(
    fds: list[int], children: set[int], pair: socket.socket, live: Callable[[], None]
) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        _say(pair, born=str(error))
    else:
        if pid == 0:
            _be_a_room(pair, live)
        children.add(pid)
        _say(pair, born=pid)
    for fd in fds:
        os.close(fd)


def _be_a_room(pair: socket.socket, live: Callable[[], None]) -> NoReturn:
    """In the child: what follows is its own."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        pair.close()
        live()
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    except BaseException:
        logger.exception("a room's process failed")
    finally:
        os._exit(status)


def _reap(children: set[int], pair: socket.socket) -> None:
    for pid in list(children):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            children.discard(pid)
            _say(pair, died=pid, status=os.waitstatus_to_exitcode(status))


def _say(pair: socket.socket, **message: Any) -> None:
    with contextlib.suppress(OSError):  # the host is gone, which is seen next
        pair.sendall(json.dumps(message).encode() + b"\n")
