"""A room without a machine whose storage witnesses what happened to it, as `machines.py` has them.

Its hooks take their time between what they read and what they write, so that two of them at once,
or half of one, would be seen in the log.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from rooms.definition import Room
from rooms.sync.views import show
from tests.sim.loop import passed

if TYPE_CHECKING:
    from rooms.hooks.connection import Connection
    from rooms.sync.views import Viewer

TAKES = 0.004
"""How long a hook thinks (s)."""


class Diary(Room):
    """Everybody sees all of it."""

    sleep_after = 3_000

    def view(self, snapshot: Any, viewer: Viewer) -> Any:
        """The log, and which life of the session it is of."""
        return show(snapshot, context=snapshot.context)

    def view_key(self, snapshot: Any, viewer: Viewer) -> None:
        """All see the same."""

    def allow_send(self, viewer: Viewer, event: Any, snapshot: Any) -> bool | str:
        """As a machine's guards and its `allow_send` would."""
        if event["type"] == "odd":
            return len(snapshot.context["log"]) % 2 == 1 or "not now"
        return event["type"] != "fired" or "that is a timer's"

    async def on_start(self) -> None:
        """The session's first time begins a life."""
        if self.storage.get("life") is None:
            await passed(TAKES)
            for name, value in (("life", f"{random.getrandbits(48):012x}"), ("log", [])):
                self.storage.put(name, value)
            for name in ("secrets", "seats", "armed", "met"):
                self.storage.put(name, {})
            self.storage.put("handed", [])

    async def on_connect(self, connection: Connection, request: Any) -> None:
        """It is met once."""
        await passed(TAKES)
        connection.set_state({"met": 1})
        met = self.storage.get("met")
        self.storage.put("met", {**met, connection.id: met.get(connection.id, 0) + 1})

    async def on_message(self, connection: Connection, event: Any) -> Any:
        """One line of the log, and everybody is told of it."""
        if event["type"] == "mutter":
            return None
        log, entry = self.storage.get("log"), f"{event['who']}:{event['n']}"
        await passed(TAKES)
        line = entry
        if event["type"] == "arm":
            line = f"{entry}>{self.now + event['delay']}"
            self._arm({**self.storage.get("armed"), entry: self.now + event["delay"]})
        self.storage.put("log", [*log, line])
        place = {"life": self.storage.get("life"), "place": len(log) + 1}
        if event["type"] != "arm":
            self.broadcast({"type": "wrote", **place, "entry": entry})
        if event["type"] == "broken":
            raise ValueError("broken on purpose")
        if connection.channel is not None:  # else it's a plain request
            connection.set_state(lambda state: {"met": state["met"]})
        return place

    async def on_alarm(self) -> None:
        """What is due is written down; the next one is armed."""
        await passed(TAKES)
        armed = self.storage.get("armed")
        due = {entry for entry, at in armed.items() if at <= self.now}
        fired = [f"{entry}!{self.now}" for entry in sorted(due, key=lambda entry: armed[entry])]
        self.storage.put("log", [*self.storage.get("log"), *fired])
        self._arm({entry: at for entry, at in armed.items() if entry not in due})

    def _arm(self, armed: dict[str, int]) -> None:
        self.storage.put("armed", armed)
        if armed:
            self.storage.set_alarm(min(armed.values()))
