"""`rooms dev`: a process that keeps another one serving, and starts it again when sources change.

It imports next to nothing and none of the author's code. What happens comes as events from three
sides, the children's sockets, the watched folders and signals, into one queue; the main thread
takes them one by one. While one child serves, the next stands by with everything imported but the
App, so that a change takes no longer than stopping and loading that.

Next: `process.py` (the child).
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rooms.children import as_shell, orders, spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from rooms.settings import Settings

# ms: how long a storm of changes is waited out, the pause that ends one, and how often it is asked
# whether to stop.
DEBOUNCE, STEP, LOOK_UP = 1600, 50, 5000
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
ENDS_WITHIN = 15.0  # seconds; the server itself gives its rooms 10 to store what they have


@dataclass(frozen=True, slots=True)
class _Said:
    child: _Child
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Ended:
    child: _Child


@dataclass(frozen=True, slots=True)
class _Changed:
    watch: _Watch
    names: tuple[str, ...]


class _Stop:
    pass


_Event = _Said | _Ended | _Changed | _Stop


class Supervisor:
    """Keeps `rooms.process` running for an APP. `ready` gets its URL, and whether it has pages,
    each time that it serves; `say` gets lines for people.
    """

    def __init__(
        self,
        target: str,
        settings: Settings,
        *,
        ready: Callable[[str, bool], None],
        say: Callable[[str], None],
    ) -> None:
        self._target = target
        self._settings = settings
        self._ready = ready
        self._say = say
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._watch: _Watch | None = None
        self._child: _Child | None = None
        self._spare: _Child | None = None
        self._served = False
        self._stopping = False

    def run(self) -> int:
        """Serve until SIGINT or SIGTERM; the status to exit with.

        An App that can't be served at first ends it; one that can't be after a change waits for the
        next change.
        """
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        self._start()
        while True:
            match self._events.get():
                case _Said(child, message) if child is self._child:
                    self._hear(message)
                case _Ended(child) if child is self._child:
                    if not self._served:
                        return child.wait()
                    self._say(f"stopped with status {child.wait()}; waiting for a change")
                    self._child = None
                case _Ended(child) if child is self._spare:
                    self._spare = None
                case _Changed(watch, names) if watch is self._watch:
                    self._say(f"{', '.join(names)} changed: starting again")
                    if self._child is not None:
                        self._child.stop()
                    watch.pending = False
                    self._start()
                case _Stop():
                    if self._spare is not None:
                        self._spare.kill()
                    if self._child is not None:
                        self._child.stop()
                    return 0
                case _:
                    pass  # of a child or a watch that is no more

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """The first lets the child end in its own time, the second doesn't."""
        if self._stopping and self._child is not None:
            self._child.kill()
        self._stopping = True
        self._events.put(_Stop())

    def _start(self) -> None:
        self._child = self._spare or _Child(self._events.put)
        self._spare = None
        self._child.order(self._target, self._settings)

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"sources": [*folders]}:
                if self._watch is None or self._watch.folders != folders:
                    if self._watch is not None:
                        self._watch.stop()
                    self._watch = _Watch(folders, self._events.put)
            case {"ready": str(url), "pages": bool(pages)}:
                self._served = True
                self._ready(url, pages)
                self._spare = self._spare or _Child(self._events.put)


@contextlib.contextmanager
def _unsignalled() -> Iterator[None]:
    """No signal that tells us to stop comes to a thread that begins here: the main one waits for
    events, and wakes up for its own signals alone. After a Ctrl-Z any thread may be given them.
    """
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, usual)


class _Child:
    """A process that serves what it is ordered to, and a thread that hears what it says until it
    ends.
    """

    def __init__(self, put: Callable[[_Event], None]) -> None:
        self._process, self._ours = spawn()
        with _unsignalled():
            threading.Thread(target=self._hear, args=(put,), daemon=True).start()

    def order(self, target: str, settings: Settings) -> None:
        """Tell it what to serve."""
        with contextlib.suppress(OSError):  # it has ended, which is an event of its own
            self._ours.sendall(orders(target, settings, "development"))

    def _hear(self, put: Callable[[_Event], None]) -> None:
        with self._ours, self._ours.makefile() as lines:
            for line in lines:
                put(_Said(self, json.loads(line)))
            self._process.wait()
        put(_Ended(self))

    def wait(self) -> int:
        """The status of a process that has ended."""
        return as_shell(self._process.wait())

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def stop(self) -> None:
        """Ask it to end, make it end, and see it ended."""
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class _Watch:
    """A thread that notices changes of Python files in some folders, not below them, from now on.

    What it noticed is `pending` until somebody says otherwise; it says nothing more meanwhile.
    """

    def __init__(self, folders: list[str], put: Callable[[_Event], None]) -> None:
        # `watchfiles.watch` begins to look when it is first asked, and doesn't say when.
        from watchfiles._rust_notify import RustNotify

        self.folders = folders
        self.pending = False
        self._stopped = threading.Event()
        with _unsignalled():  # it has threads, too
            self._notify = RustNotify(folders, False, False, 0, False, True)
            threading.Thread(target=self._look, args=(put,), daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self, put: Callable[[_Event], None]) -> None:
        with self._notify:
            while True:
                found = self._notify.watch(DEBOUNCE, STEP, LOOK_UP, self._stopped)
                if found == "stop":
                    return
                if isinstance(found, set):
                    names = {Path(path).name for _, path in found if path.endswith(".py")}
                    if names and not self.pending:
                        self.pending = True
                        put(_Changed(self, tuple(sorted(names))))
