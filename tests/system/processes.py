"""Real server processes for the system tests: start one, wait for its `ready` line, kill it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0


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
        threading.Thread(target=self._read, args=(self._process, ready), daemon=True).start()
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
        """SIGKILL to the whole process group, and wait until it is reaped."""
        self._signal(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, wait until it has ended; the exit status."""
        return self._signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal that it may survive."""
        assert self._process is not None
        self._process.send_signal(number)

    def _signal(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        return process.wait(ENDS_WITHIN_S)

    def _read(self, process: subprocess.Popen[str], ready: queue.Queue[bool]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.lines.append(line.rstrip())
                if line.startswith("ready "):
                    ready.put(True)
        ready.put(False)


@contextmanager
def running(app: str, folder: Path, *options: str, command: str = "serve") -> Iterator[Server]:
    """A started server, killed at the end whatever happens."""
    server = Server(app, folder, *options, command=command)
    try:
        server.start()
        yield server
    finally:
        server.kill()
