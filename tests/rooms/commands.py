"""The command `rooms` as a process in a folder of its own: start it, wait for its lines, ask it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WITHIN_S = 50.0
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

COUNTER = """
from rooms import App, Room, everything
from runtime import assign, setup

STEP = 1

counter = setup(
    actions={"add": assign({"count": lambda a, p: a.context["count"] + STEP})},
).create_machine({
    "id": "counter",
    "version": "1",
    "context": {"count": 0},
    "on": {"increment": {"actions": "add"}},
})

class Counter(Room):
    machine = counter
    view = everything

app = App(counter=Counter)
"""


class Command:
    """A running `rooms …`; all its lines, of both kinds, in `lines`."""

    def __init__(self, folder: Path, *arguments: str, **environ: str) -> None:
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        usual = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rooms", *arguments],
            cwd=folder,
            env={**usual, "PYTHONPATH": str(ROOT), **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a process group of its own, as a terminal makes it
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def until(self, text: str) -> str:
        """The next line that has this text. AssertionError with all lines if none comes."""
        while True:
            try:
                line = self._new.get(timeout=WITHIN_S)
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no line with {text!r}, but:\n" + "\n".join(self.lines))
            self.lines.append(line)
            if text in line:
                return line

    def ended(self) -> int:
        """Wait for its end; the exit status."""
        status = self.process.wait(WITHIN_S)
        while (line := self._new.get(timeout=WITHIN_S)) is not None:
            self.lines.append(line)
        return status


@contextmanager
def rooms(folder: Path, *arguments: str, **environ: str) -> Iterator[Command]:
    """A command, ended whatever happens; its output is read to the end, which its children's is."""
    command = Command(folder, *arguments, **environ)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait(WITHIN_S)
        command._reader.join(WITHIN_S)
        assert not command._reader.is_alive(), "something that it started is still running"


def ask(url: str, event: dict[str, Any] | None = None) -> Any:
    """GET a room, or POST an event to it."""
    data = None if event is None else json.dumps(event).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with DIRECTLY.open(request, timeout=WITHIN_S) as answer:
        return json.load(answer)
