"""Logs are lines for people, or objects for programs."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from rooms.logs import JsonFormatter, TextFormatter, where
from rooms.store.port import SessionId


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


def test_a_line_of_one_of_several_processes_says_which() -> None:  # [METRIC4]
    assert json.loads(JsonFormatter("host-1").format(record()))["process"] == "host-1"
    assert " WARNING host-1 rooms.x: one" in TextFormatter("host-1").format(record())
    assert " WARNING rooms.x: one" in TextFormatter().format(record())


def test_an_exception_stays_in_its_line() -> None:
    line = JsonFormatter().format(record(exception=True))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ValueError: broken")


def test_a_line_about_a_session_says_so_in_a_field() -> None:  # [METRIC4]
    line = record()
    line.msg, line.args = "%s was dropped: %s", (SessionId("counter", "x"), "why")
    said = json.loads(JsonFormatter().format(line))
    assert said["session"] == "counter/x"
    assert said["message"] == "counter/x was dropped: why"
    assert "session" not in json.loads(JsonFormatter().format(record()))


def test_what_others_sent_stays_in_its_line() -> None:  # [METRIC5]
    line = record()
    line.msg, line.args = "refused: %s", ("a\nb\x1b[31mred\r",)
    text = TextFormatter().format(line)
    assert text.endswith("WARNING rooms.x: refused: a\\nb\\x1b[31mred\\r")
    assert text.isprintable()
    assert TextFormatter().format(record(exception=True)).endswith("ValueError: broken")


def test_an_error_is_where_the_authors_own_code_ends() -> None:
    def careless() -> None:
        json.loads("{")  # the line; what it calls is the library's

    with pytest.raises(ValueError, match="Expecting") as caught:
        careless()
    line = careless.__code__.co_firstlineno + 1
    assert where(caught.value) == f" at test_logs.py:{line}"
    assert where(ValueError("raised nowhere")) == ""
