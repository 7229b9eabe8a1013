"""What a witnessing machine writes into its log, line by line (`tests/histories.py`)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ENTRY: Final = re.compile(r"(?P<event>[^:]+:\d+)(?:(?P<mark>[>~!])(?P<time>\d+))?")


class Entry(NamedTuple):
    """A line of a log. `due`: it set a timer; `fired`: it is that timer's (ms). `strict`: which may
    not be early.
    """

    event: str
    due: int | None
    fired: int | None
    strict: bool = True


def parse(line: str) -> Entry:
    """A line of a log. Raises ValueError for what is none."""
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise ValueError(f"{line!r} is no entry of a log")
    time = None if match["time"] is None else int(match["time"])
    mark = match["mark"]
    due, fired = (None, time) if mark == "!" else (time, None)
    return Entry(match["event"], due, fired, strict=mark != "~")
