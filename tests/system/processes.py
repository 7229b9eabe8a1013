"""Real server processes for the system tests: start one, wait for its `ready` line, kill it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 45.0  # a supervisor gives its routers and then its hosts 15 s each
SAID: deque[str] = deque(maxlen=1_000)
"""The last lines that servers wrote, whichever."""


class Server:
    """One `rooms` process on loopback, with its own store file; started again on the same port."""

    def __init__(self, app: str, folder: Path, *options: str, command: str = "serve") -> None:
        self.app = app
        self.options = options
        self.folder = folder
        self.command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self._process: subprocess.Popen[str] | None = None
        self._reading = threading.Thread()

    def start(self) -> None:
        """Start it, wait until it says `ready`. Raises AssertionError with its output otherwise."""
        extra = ["--no-open"] if self.command == "dev" else []
        store = f"sqlite:///{self.folder / 'rooms.db'}"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "rooms", self.command, self.app),
                *("--port", str(self.port), "--store", store),
                *extra,
                *self.options,
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        ready: queue.Queue[bool] = queue.Queue()
        self._reading = threading.Thread(
            target=self._read, args=(self._process, ready), daemon=True
        )
        self._reading.start()
        try:
            came = ready.get(timeout=READY_WITHIN_S)
        except queue.Empty:
            came = False
        if not came:
            self.kill()
            raise AssertionError(
                f"{self.app}: no `ready` line within {READY_WITHIN_S} s:\n" + "\n".join(self.lines)
            )

    def kill(self) -> None:
        """SIGKILL to the whole process group, and wait until nothing is left of it."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, wait until it and its processes have ended; the exit status."""
        return self._signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal that it may survive; SIGSTOP: it stands still from then on."""
        assert self._process is not None
        self._process.send_signal(number)
        if number == signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def _signal(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if number == signal.SIGKILL:
            with suppress(ProcessLookupError):  # it has ended, and was reaped
                os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        status = process.wait(ENDS_WITHIN_S)
        # Its children die when they next have a turn: until then they have port, store and output.
        self._reading.join(ENDS_WITHIN_S)
        assert not self._reading.is_alive(), f"a child of it is there after {ENDS_WITHIN_S} s"
        return status

    def _read(self, process: subprocess.Popen[str], ready: queue.Queue[bool]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip())
                SAID.append(f"{self.port}: {line.rstrip()}")
                if line.startswith("ready "):
                    ready.put(True)
        ready.put(False)


def processes(server: Server, role: str) -> list[int]:
    """The process IDs of the server's hosts or routers, the oldest first."""
    assert server._process is not None
    parent = server._process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = []
    for pid in children:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has just been reaped
        if len(command) > 2 and command[-2].startswith(role.encode()):  # else it is dead
            found.append(int(pid))
    return found


def said(server: Server, what: str) -> int:
    """How many lines with this it has written."""
    return sum(what in line for line in server.lines)


@contextmanager
def running(app: str, folder: Path, *options: str, command: str = "serve") -> Iterator[Server]:
    """A started server, killed at the end whatever happens."""
    server = Server(app, folder, *options, command=command)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def command(
    *arguments: str, inside: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `rooms` command, and what it said when it was ready; `inside` are the words of a
    command that runs it.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [*inside, sys.executable, "-m", "rooms", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline().split()
            if line[:1] != ["ready"]:
                status = process.wait()
                complaints.seek(0)
                raise AssertionError(f"{arguments} ended with {status}: {complaints.read()}")
            yield process, line[1]
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            complaints.seek(0)
            SAID.extend(f"{arguments[0]} {process.pid}: {line.rstrip()}" for line in complaints)


def connections(pid: int, port: int, *, dialled: bool = False) -> int:
    """How many TCP connections at this port of its own a process has, or `dialled` to that port of
    others.
    """
    established = _sockets(pid, _ESTABLISHED, port, 2 if dialled else 1)
    files = list(map(_target, Path(f"/proc/{pid}/fd").iterdir()))
    return sum(f"socket:[{inode}]" in files for inode in established)


def listening(port: int) -> int:
    """How many sockets take connections to this port: those of a fleet's routers share it."""
    return len(_sockets(os.getpid(), _LISTENS, port, 1))


_ESTABLISHED = "01"
_LISTENS = "0A"


def _sockets(pid: int, state: str, port: int, place: int) -> list[str]:
    """The inodes of TCP sockets in the network of this process; `place` 1: it is their own port,
    2: their peer's.
    """
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return [row[9] for row in rows if row[place].endswith(f":{port:04X}") and row[3] == state]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""  # it has just been closed
