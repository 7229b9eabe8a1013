"""The folder in which the processes of one fleet find each other's sockets.

It is gone when its owner ends. That of an owner that was killed the next one clears away: whose
folder isn't locked has ended, for the kernel lets go of a lock however a process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX: Final = "rooms-fleet-"


@contextlib.contextmanager
def meeting_place() -> Iterator[Path]:
    """A folder that nobody else may enter, for as long as the block lasts."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if (lock := _locked(left)) is not None:
            _clear(left)
            os.close(lock)
    lock = None
    while lock is None:  # else another one has just taken it for one that was left
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = _locked(folder)
    try:
        yield folder
    finally:
        _clear(folder)
        os.close(lock)


def _clear(folder: Path) -> None:
    """Remove it, if nothing but sockets is in it."""
    with contextlib.suppress(OSError):
        for entry in folder.iterdir():
            if entry.is_socket():
                entry.unlink()
        folder.rmdir()


def _locked(folder: Path) -> int | None:
    """The lock of a folder of ours that is there and that nobody has."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.geteuid() and folder.is_dir():
            return lock
    except BlockingIOError:
        pass
    os.close(lock)
    return None
