"""What the server's loggers write, to standard error: lines for people, or JSON for programs.

A line is about a session where one of its arguments says so (`Loggable`): as text that is its name,
in JSON it has fields of its own.
"""

from __future__ import annotations

import json
import logging
import os
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from rooms.store.port import SessionId

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.settings import LogFormat

_NOT_THEIRS: Final = (
    *(f"{Path(__file__).parents[1] / ours}{os.sep}" for ours in ("rooms", "runtime", "client")),
    *(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<",  # <frozen importlib._bootstrap>, <string>
)


@runtime_checkable
class Loggable(Protocol):
    """What a line of the log can be about."""

    def log_fields(self) -> dict[str, Any]:
        """How programs find such lines: `session` and, where it is live, `epoch` and `revision`."""


def named(room: Room) -> SessionId:
    """A room, for a line of the log."""
    return SessionId(room.kind, room.id)


def where(error: BaseException) -> str:
    """` at app.py:9`: the last line of an author's own that an error came through, for the end of
    a line of the log; nothing where there is none.
    """
    line, frame = "", error.__traceback__
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if not file.startswith(_NOT_THEIRS):
            line = f" at {Path(file).name}:{frame.tb_lineno}"
        frame = frame.tb_next
    return line


def configure(format: LogFormat, process: str = "") -> None:
    """Say from now on what is worth knowing, in this format; `process` is which of several says
    it.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(process) if format == "json" else TextFormatter(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class TextFormatter(logging.Formatter):
    """A line with its time; more than one only for an exception. What others have sent can't break
    it, nor write to the terminal.
    """

    def __init__(self, process: str = "") -> None:
        whose = f"{process} %(name)s" if process else "%(name)s"
        super().__init__(f"%(asctime)s %(levelname)s {whose}: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(map(_printable, line))


class JsonFormatter(logging.Formatter):
    """One object a line: time (ISO 8601, UTC), level, which process of several, logger, message,
    what it is about, and the exception if any.
    """

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self._whose = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **self._whose,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for argument in record.args if isinstance(record.args, tuple) else ():
            if isinstance(argument, Loggable):
                line.update(argument.log_fields())
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
