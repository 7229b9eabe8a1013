"""What can't be an App is refused with what to write."""

from __future__ import annotations

from typing import Any

import pytest

from client import connect
from rooms import App, Room, UsageError, everything
from rooms.testing import served
from runtime import assign, create_machine


class Counter(Room):
    machine = create_machine({"id": "counter"})


class Nothing(Room):
    """Neither a machine nor hooks."""


class Exported(Room):
    machine = create_machine(
        {"id": "door", "entry": "greet", "on": {"GO": {"guard": "may"}}}, incomplete=True
    )


class Remembering(Room):
    history = 5

    def on_message(self, connection: Any, message: Any) -> None: ...


class Remembered(Room):
    def on_message(self, connection: Any, message: Any) -> None: ...


@pytest.mark.parametrize(
    ("kinds", "line"),
    [
        ({}, "an App has at least one kind of room: App(counter=Counter)"),
        ({"my room": Counter}, "'my room' can't name a kind of room"),
        ({"counter": Counter("counter", "x")}, "App(counter=…) takes a subclass of Room"),
        ({"nothing": Nothing}, "Nothing has no `machine`, and none of on_start, on_connect"),
        ({"chat": Remembering}, "Remembering: only of a machine a `history` is kept"),
        (
            {"door": Exported},
            "Exported.machine lacks what machine.provide(…) gives: at entry: unknown action "
            "'greet'; at on.GO.guard: unknown guard 'may'",
        ),
        ({"counter": Counter, "pages": "nowhere"}, "the pages' folder "),
    ],
)
def test_what_cant_be_an_app_is_refused(kinds: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        App(**kinds)
    assert str(caught.value).startswith(line)


def careless(args: Any, params: Any) -> dict[str, Any]:
    args.context["lines"].append(args.event["line"])
    return {}


async def test_what_changes_its_context_in_place_is_named_in_development(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Chat(Room):
        view = everything
        machine = create_machine(
            {"context": {"lines": []}, "on": {"SAY": {"actions": assign(careless)}}}
        )

        def on_request(self, request: Any) -> None: ...

    app = App(chat=Chat, log=Remembered)
    async with served(app) as url, connect(f"{url}/rooms/chat/x") as room:
        assert (await room.send({"type": "SAY", "line": "hi"})).outcome == "rejected"
        assert room.context == {"lines": []}
    assert "careless (at on.SAY.actions.assign) changed the context it was given" in caplog.text
    assert app.kinds["chat"] is Chat, "the App itself is as it was"
    assert app.checked().kinds["log"] is Remembered
