"""What a host's log has for programs."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from rooms.logs import JsonFormatter
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    import pytest


async def test_lines_about_a_live_session_have_its_epoch_and_revision(  # [METRIC4]
    caplog: pytest.LogCaptureFixture,
) -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    on.store.fail_next(written=False)
    await ann.send("increment")
    [line] = [one for one in caplog.records if "was dropped" in one.message]
    said = json.loads(JsonFormatter().format(line))
    assert (said["session"], said["epoch"], said["revision"]) == ("counter/x", 1, 2)


async def test_an_event_that_fails_has_its_line_and_for_who_looks_closer_the_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "rooms.host.session")
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("broken")
    about = [one for one in caplog.records if one.name == "rooms.host.session"]
    said, closer = [one for one in about if "failed" in one.message]
    assert said.levelno == logging.WARNING
    assert "counter/x: 'broken' failed: ValueError" in said.message
    assert " at machines.py:" in said.message
    assert said.exc_info is None
    assert closer.levelno == logging.DEBUG
    assert closer.exc_info is not None
