"""Which time clients are told: the store's."""

from __future__ import annotations

from typing import Any

from rooms.definition import Room
from rooms.sync.views import everything
from runtime import create_machine
from tests.clock import EPOCH
from tests.rooms.host.stage import Stage


class Timed(Room):
    """It shows when it will ring."""

    machine = create_machine(
        {
            "id": "timed",
            "initial": "calm",
            "states": {"calm": {"after": {5000: "rang"}}, "rang": {}},
        }
    )
    view = everything
    show_timers = True


async def test_all_times_are_the_stores() -> None:  # [TIME2]
    """The host's own clock starts at 0; the store's is years ahead, and is what is told."""
    stage = await Stage(counter=Timed).start()
    await stage.advance(700)
    tab = await stage.connect()
    you, view = tab.took()
    assert stage.loop.elapsed() == 700
    assert you["now"] == view["now"] == EPOCH + 700
    assert view["view"]["timers"] == {"timed.calm": EPOCH + 700 + 5000}
    answer: Any = await stage.request("GET")
    assert f'"now":{EPOCH + 700}'.encode() in answer.body
    await stage.advance(1300)
    again = await stage.connect(client=tab.client, cursor=tab.cursor, view=tab.view)
    assert [message["now"] for message in again.took()] == [EPOCH + 2000] * 2
