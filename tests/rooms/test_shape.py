"""What can't be meant by a class of rooms is said when the class is made."""

from __future__ import annotations

from typing import Any

import pytest

from rooms import Room, UsageError
from runtime import create_actor, create_machine, from_transition

machine = create_machine({"id": "m"})


def refused(**attributes: Any) -> str:
    """Why a class of a room with a machine and these attributes is refused."""
    with pytest.raises(UsageError) as caught:
        type("Game", (Room,), {"machine": machine, **attributes})
    return str(caught.value)


def one(self: Any, viewer: Any) -> bool:
    return True


async def three(self: Any, viewer: Any, event: Any, snapshot: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("durabilty", "durability"),
        ("sleep_afer", "sleep_after"),
        ("allow_sent", "allow_send"),
        ("on_mesage", "on_message"),
        ("onMessage", "on_message"),
        ("maxViewers", "max_viewers"),
        ("effect", "effects"),
    ],
)
def test_a_misspelt_name_is_refused(name: str, meant: str) -> None:
    assert refused(**{name: 1}) == (
        f"Game.{name} means nothing to a room; did you mean '{meant}'? "
        f"(If it is your own, call it _{name}.)"
    )


def test_names_of_ones_own_are_left_alone() -> None:
    names = ["QUESTIONS", "score", "players", "grades", "seat", "lines", "_effect", "own_view"]
    type("Game", (Room,), {"machine": machine, **dict.fromkeys(names, 1)})


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        ({"allow_send": one}, "allow_send is called as allow_send(self, viewer, event, snapshot)"),
        ({"allow_send": three}, "allow_send is to be plain: def, not async def"),
        ({"allow_send": True}, "allow_send is a method, not True"),
        ({"allow_join": staticmethod(one)}, "allow_join is a method: write it without @static"),
        ({"authenticate": one}, "authenticate is a class method: write @classmethod above it"),
        ({"authenticate": classmethod(one)}, "authenticate is to be a coroutine function: async"),
        ({"migrate": one}, "migrate is called as migrate(self, persisted, from_version)"),
        ({"version": "2"}, "version is a method, not '2'"),
        ({"view": one}, "view is called as view(self, snapshot, viewer)"),
        ({"view": lambda snapshot: {}}, "view is called as view(snapshot, viewer)"),
        ({"view": "everything"}, "view is 'everything'; take everything, public, policy({…}), or"),
        ({"sleep_after": "10s"}, "sleep_after is '10s'; take ms"),
        ({"grace": -1}, "grace is -1; take ms"),
        ({"max_viewers": True}, "max_viewers is True; take a number, or None"),
        ({"ttl": 1.5}, "ttl is 1.5; take ms, or None"),
        ({"durability": "disk"}, "durability is 'disk'; take memory or primary or fsync or repl"),
        ({"show_can": "go"}, "show_can is a tuple of names, not 'go'"),
        ({"volatile": ("room.joined",)}, "volatile: no client can send 'room.joined'"),
        ({"effects": {"pay": one}}, "effects['pay'] is to be a coroutine function (room, params,"),
        ({"machine": {"id": "m"}}, "machine is what create_machine(…) or setup"),
        ({"machine": create_actor(machine)}, "machine is what create_machine(…) or setup"),
    ],
)  # fmt: skip
def test_what_cant_be_meant_is_refused_with_what_to_write(
    attributes: dict[str, Any], line: str
) -> None:
    assert refused(**attributes).startswith(f"Game.{line}")


def test_hooks_take_their_arguments_with_and_without_async() -> None:
    class Chat(Room):
        async def on_connect(self, connection: Any, request: Any) -> None: ...

        def on_message(self, connection: Any, message: Any) -> None: ...

    with pytest.raises(UsageError, match=r"on_message is called as on_message\(self, connection"):
        type("Worse", (Chat,), {"on_message": lambda self, message: None})
    with pytest.raises(UsageError, match="nothing calls its on_connect and on_message"):
        type("Both", (Chat,), {"machine": machine})


def test_any_actor_logic_may_be_a_machine() -> None:
    type("Sum", (Room,), {"machine": from_transition(lambda state, event, scope: state, 0)})
