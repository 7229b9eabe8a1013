"""One process a store file: an exclusive `flock` on `<file>.lock`.

The kernel lets go of it when its process ends, however it ends, so that a restart right after a
kill works. The lock file itself stays: removing it would let two processes lock two files of one
name. In it the process that has the lock may say where it can be reached.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

from rooms.errors import StoreLocked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POLL = 20  # ms
_LONGEST: Final = 2048


class LockFile:
    """The lock of `path`, once `acquire` has returned, until `release`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(
        self, wait: int, elapsed: Callable[[], float], pause: Callable[[float], None]
    ) -> None:
        """Wait up to `wait` ms (by `elapsed`, looking again after each `pause` of seconds).

        Raises:
            StoreLocked: another process kept it all that time.
            OSError: the lock file can't be made.
        """
        file = os.open(_name(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        start = elapsed()
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = elapsed() - start
                if waited >= wait:
                    os.close(file)
                    raise StoreLocked(str(self._path), round(waited)) from None
                pause(POLL / 1000)
            else:
                os.ftruncate(file, 0)  # who had it before isn't there any more
                self._file = file
                return

    def release(self) -> None:
        """Let the next process have it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def announce(path: Path, address: str) -> None:
    """Say where the process can be reached that has the lock of `path`, which is this one."""
    _name(path).write_text(address)


def announced(path: Path) -> str | None:
    """Where the process can be reached that has the lock of `path`; None: nobody has it, or doesn't
    say.
    """
    try:
        with _name(path).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(_LONGEST) or None
            return None  # let go of by closing
    except (OSError, UnicodeDecodeError):
        return None


def _name(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
