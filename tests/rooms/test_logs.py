"""Logs are lines for people, or objects for programs."""

from __future__ import annotations

import json
import logging
import sys

from rooms.logs import JsonFormatter


def record(exception: bool = False) -> logging.LogRecord:
    try:
        raise ValueError("broken")
    except ValueError:
        info = sys.exc_info() if exception else None
        made = logging.LogRecord("rooms.x", logging.WARNING, "f", 1, "%s \n ä", ("one",), info)
    made.created = 1_700_000_000.123
    return made


def test_a_json_line_is_one_object() -> None:
    line = JsonFormatter().format(record())
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.123+00:00",
        "level": "warning",
        "logger": "rooms.x",
        "message": "one \n ä",
    }


def test_an_exception_stays_in_its_line() -> None:
    line = JsonFormatter().format(record(exception=True))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: broken")
