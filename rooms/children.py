"""A process of ours that another one has started, and the socket between the two.

`spawn` is the parent's side, `Parent` the child's: it waits for its orders, says what there is to
say as lines of JSON, and ends with its parent.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rooms.settings import Settings

PARENT = "ROOMS_PARENT_SOCKET"
_PACKAGES = str(Path(__file__).parents[1])


def spawn(name: str | None = None, **options: Any) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Another process of ours, which waits for its orders at this socket; `name` is for who lists
    processes. `options` are those of `Popen`.
    """
    ours, theirs = socket.socketpair()
    # Of our packages, never of a rooms.py in the current folder.
    path = os.pathsep.join(filter(None, (_PACKAGES, os.environ.get("PYTHONPATH"))))
    # A terminal's Ctrl-C reaches children too; only their parent tells them to stop, once.
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rooms.process", *filter(None, [name])],
                env={**os.environ, "PYTHONPATH": path, PARENT: str(theirs.fileno())},
                pass_fds=[theirs.fileno()],
                **options,
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)
    return process, ours


def orders(target: str, settings: Settings, role: str) -> bytes:
    """What a process is told that was started: the APP, how to serve it, and which part of that it
    is to be.
    """
    return json.dumps([target, settings.to_environ(), role]).encode() + b"\n"


def as_shell(status: int) -> int:
    """The status of a process that has ended, as a shell says it: beyond 128 for a signal."""
    return status if status >= 0 else 128 - status


class Parent:
    """The supervisor's end of the socket, which this process was born with."""

    def __init__(self, socket: socket.socket) -> None:
        socket.set_inheritable(False)
        self.socket = socket

    def orders(self) -> tuple[str, Settings, str]:
        """Wait for `orders`. The process ends with the parent from then on; a nursery, which may
        have no thread, sees to that itself.
        """
        from rooms.settings import Settings

        with self.socket.makefile() as lines:
            line = lines.readline()
        if not line:
            sys.exit(0)  # it wasn't needed
        target, environ, role = json.loads(line)
        if role != "nursery":
            threading.Thread(target=self._watch, name="parent", daemon=True).start()
        return target, Settings.read(environ), role

    def say(self, **message: object) -> None:
        """Tell the supervisor."""
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def _watch(self) -> None:
        self.socket.recv(1)  # it says no more: this is its end
        os._exit(1)
