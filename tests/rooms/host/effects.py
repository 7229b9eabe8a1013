"""Rooms with durable effects for the host's tests; the test decides how each attempt ends."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, NamedTuple

from rooms.definition import Room, reply
from rooms.effects import Attempt, effect, send_to_room
from rooms.sync.views import everything
from runtime import assign, create_machine, setup


class Call(NamedTuple):
    """One call of an effect's function; `end` is set by the test."""

    name: str
    params: Any
    attempt: Attempt
    end: asyncio.Future[Any]


CALLS: list[Call] = []
"""Every attempt that was begun, in order."""


def performs(name: str) -> Any:
    async def perform(room: Room, params: Any, attempt: Attempt) -> Any:
        end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        CALLS.append(Call(name, params, attempt, end))
        return await end

    return perform


def _heard(args: Any, params: Any) -> dict[str, Any]:
    event = {key: value for key, value in args.event.items() if key != "key"}
    return {"heard": [*args.context["heard"], event]}


def _fail_twice(args: Any, params: Any) -> dict[str, Any]:
    if args.event["output"] == "bad":
        raise ValueError("no use for that")
    return {}


SHOP = create_machine(
    {
        "id": "shop",
        "context": {"heard": [], "bought": 0},
        "initial": "open",
        "states": {
            "open": {
                "on": {
                    "buy": {
                        "actions": [
                            assign({"bought": lambda args, params: args.context["bought"] + 1}),
                            effect("charge", lambda args, params: {"n": args.event.get("n")}),
                        ]
                    },
                    "ship": {"actions": [assign({"shipped": True}), effect("ship", {"to": "ann"})]},
                    "spoil": {"actions": [assign({"x": 1}), effect("charge", {"a": {1, 2}})]},
                    "huge": {"actions": [assign({"x": 1}), effect("charge", "x" * 70_000)]},
                    "steal": {"actions": [assign({"x": 1}), effect("steal")]},
                    "note": {"actions": assign({"noted": True})},
                    "close": "closed",
                }
            },
            "closed": {"type": "final"},
        },
        "on": {
            "room.effect.done": {"actions": [assign(_fail_twice), assign(_heard)]},
            "room.effect.failed": {"actions": assign(_heard)},
        },
    }
)


class Shop(Room):
    machine = SHOP
    view = everything
    effects: ClassVar[Any] = {"charge": performs("charge"), "ship": performs("ship")}


class VolatileShop(Shop):
    durability = "memory"


class Deaf(Shop):
    """Its machine names no event of its effects, but would take anything."""

    machine = create_machine(
        {
            "context": {"other": []},
            "on": {
                "buy": {"actions": effect("charge")},
                "*": {
                    "actions": assign(
                        {"other": lambda args, params: [*args.context["other"], args.event["type"]]}
                    )
                },
            },
        }
    )


class Parent(Shop):
    """A child of its machine declares the effect."""

    machine = setup(actors={"shop": SHOP}).create_machine(
        {"context": {}, "invoke": {"src": "shop", "id": "one"}}
    )

    def allow_send_to(self, viewer: Any, child: str, event: Any, snapshot: Any) -> bool | str:
        return True


class Eager(Shop):
    """Its first state has an effect."""

    machine = create_machine(
        {
            "context": {},
            "entry": effect("charge", {"n": 0}),
            "on": {"note": {"actions": assign({})}},
        }
    )


# ------------------------------------------------------------------ from room to room


def _write(args: Any, params: Any) -> dict[str, Any]:
    return {"log": [*args.context["log"], [args.event["sender"], args.event["n"]]]}


PEER = create_machine(
    {
        "id": "peer",
        "context": {"log": [], "heard": [], "sent": 0},
        "on": {
            "tell": {
                "actions": [
                    assign({"sent": lambda args, params: args.context["sent"] + 1}),
                    send_to_room(
                        lambda args, params: args.event.get("kind", "peer"),
                        lambda args, params: args.event["to"],
                        lambda args, params: {"type": "hello", "n": args.event["n"]},
                    ),
                ]
            },
            "hello": {
                "actions": [
                    assign(_write),
                    reply(lambda args, params: len(args.context["log"])),
                ]
            },
            "room.effect.*": {"actions": assign(_heard)},
        },
    }
)


class Mute(Room):
    """It sends, and hears of nothing."""

    machine = create_machine(
        {
            "context": {},
            "on": {
                "tell": {
                    "actions": send_to_room(
                        "peer", "b", lambda args, params: {"type": "hello", "n": args.event["n"]}
                    )
                }
            },
        }
    )
    view = everything


class Peer(Room):
    machine = PEER
    view = everything

    def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> bool | str:
        return bool(event["type"] != "hello")

    def allow_room(self, kind: str, session: str, event: Any, snapshot: Any) -> bool | str:
        return "we don't know them" if session == "stranger" else True
