"""The façade against the scripts that it shares with the JavaScript one (tests/vectors/README.md
says how to read them).
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from client import Outcome, OutcomeLost, Room, RoomClosed
from client.link import Closing
from tests.client.world import World, settled

if TYPE_CHECKING:
    import asyncio

VECTORS = Path(__file__).parents[1] / "vectors"
SCRIPTS: list[dict[str, Any]] = json.loads((VECTORS / "conversation.json").read_text())


def plain(value: Any) -> Any:
    """Our values as the scripts write them."""
    match value:
        case Outcome():
            return {name: field for name, field in asdict(value).items() if field is not None}
        case Closing():
            return asdict(value)
        case Room():
            return "room"
        case OutcomeLost():
            return "lost"
        case RoomClosed(code=code):
            return {"closed": code}
        case MappingProxyType():
            return dict(value)
        case _:
            return value


class Script:
    """One façade, and what was seen of it."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.world = World(**options)
        self.dialed = 0
        self.client: str | None = None
        self.shown: list[Any] = []
        self.heard: list[Any] = []
        self.outcomes: dict[str, Any] = {}
        self.ready: Any = None
        room = self.world.room
        room.subscribe(lambda room: self.shown.append(room.view))
        room.on("*", self.heard.append)
        room._ready.add_done_callback(lambda done: setattr(self, "ready", fate(done)))

    async def take(self, step: dict[str, Any]) -> None:
        (what, given), *_ = step.items()
        result = getattr(self, f"on_{what}")(given)
        if what == "call" and "as" in step:
            name = step["as"]
            result.add_done_callback(lambda done: self.outcomes.update({name: fate(done)}))
        elif what == "wait":
            await result
        await settled()

    def on_call(self, call: list[Any]) -> Any:
        name, *arguments = call
        return getattr(self.world.room, name)(*arguments)

    def on_dialed(self, query: dict[str, str] | None) -> None:
        asked = self.world.sockets[self.dialed :]
        self.dialed = len(self.world.sockets)
        if query is None:
            assert asked == []
            return
        assert len(asked) == 1, "connections asked for"
        client = asked[0].query.pop("client")
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", client)
        self.client = self.client or client
        assert client == self.client
        assert {"client": "<client>", **asked[0].query} == query
        asked[0].accept()

    def on_server(self, frame: Any) -> None:
        self.world.socket.deliver(frame)

    def on_drops(self, close: tuple[int, str]) -> None:
        self.world.socket.drop(*close)

    def on_wait(self, ms: float) -> Any:
        return self.world.time.advance(ms)

    def on_sends(self, frames: Any) -> None:
        assert [frame for socket in self.world.sockets for frame in socket.take()] == frames

    def on_shows(self, views: Any) -> None:
        shown, self.shown = self.shown, []
        assert shown == views

    def on_emits(self, events: Any) -> None:
        heard = list(self.heard)
        self.heard.clear()
        assert heard == events

    def on_outcomes(self, outcomes: Any) -> None:
        settled_since, self.outcomes = self.outcomes, {}
        assert settled_since == outcomes

    def on_ready(self, ready: Any) -> None:
        assert self.ready == ready

    def on_is(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            assert plain(getattr(self.world.room, name)) == value, name


def fate(done: asyncio.Future[Any]) -> Any:
    return plain(done.exception() or done.result())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script["name"]))
async def test_a_shared_script(script: dict[str, Any]) -> None:
    run = Script(script.get("options", {}))
    await settled()
    for number, step in enumerate(script["steps"], 1):
        try:
            await run.take(step)
        except AssertionError as error:
            error.add_note(f"step {number}: {json.dumps(step)}")
            raise
    run.world.room.close()
    await run.world.room.wait_closed()
    assert run.world.time.pending == {}
