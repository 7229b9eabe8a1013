"""What `rooms new NAME` makes: a copy of this folder's App and page."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from rooms.errors import UsageError

FILES = ("app.py", "web/index.html")


def make(name: str) -> str:
    """Make the folder; a line that says what to do with it. Raises UsageError."""
    folder = Path(name)
    try:
        if folder.exists():
            raise UsageError(f"{folder} exists already: take another name")
        for file in FILES:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(__file__).parent / file, folder / file)
    except OSError as error:
        raise UsageError(f"{name} can't be made: {error.strerror}") from error
    made = " and ".join(f"{name}/{file}" for file in FILES)
    return f"made {made}; now: rooms dev {shlex.quote(name)}"
