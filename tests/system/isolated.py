"""An App of rooms with processes of their own, which do what no other room may do, and of one that
has its host's.
"""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar

from rooms import App, Room, everything, send_to_room
from runtime import assign, setup

_KEPT: list[bytearray] = []


def _spin(args: Any, params: Any) -> Any:
    while True:
        pass


def _backtrack(args: Any, params: Any) -> Any:
    """Computes for ever where no Python gets a turn."""
    return bool(re.match(r"(a+)+$", "a" * 64 + "b"))


def _leak(args: Any, params: Any) -> Any:
    while True:
        _KEPT.append(bytearray(1 << 20))


def _exit(args: Any, params: Any) -> Any:
    os._exit(3)


def _counted(args: Any, params: Any) -> Any:
    return args.context["count"] + 1


def _process(args: Any, params: Any) -> Any:
    return os.getpid()


def _setup(other: str) -> Any:
    """A counter that knows its process, and can send to a session of the `other` kind."""
    harm = {"spin": _spin, "backtrack": _backtrack, "leak": _leak, "exit": _exit}
    return setup(
        actions={
            "count": assign({"count": _counted, "process": _process}),
            "tell": send_to_room(other, lambda args, params: args.event["to"], {"type": "count"}),
            **{name: assign({"never": function}) for name, function in harm.items()},
        },
        delays={"soon": 300},
    ).create_machine(
        {
            "id": "counter",
            "context": {"count": 0, "process": 0, "never": None},
            "initial": "calm",
            "states": {
                "calm": {"on": {"arm": "armed"}},
                "armed": {"after": {"soon": {"target": "calm", "actions": "spin"}}},
            },
            "on": {
                "count": {"actions": "count"},
                "tell": {"actions": "tell"},
                **{name: {"actions": name} for name in harm},
            },
        }
    )


class Heavy(Room):
    """A room that may do anything."""

    machine = _setup("light")
    view = everything
    isolation = "process"
    max_cpu = 200
    max_memory = 48 << 20
    sleep_after = 60_000


class Drowsy(Heavy):
    """One that soon sleeps."""

    sleep_after = 1_000


class Light(Room):
    """One that lives among others."""

    machine = _setup("heavy")
    view = everything


class Talk(Room):
    """A room of hooks, with presence."""

    isolation = "process"
    presence: ClassVar[bool] = True
    max_cpu = 200

    def on_message(self, connection: Any, message: Any) -> Any:
        """Say it to all, and how many that makes."""
        if message["type"] == "spin":
            _spin(None, None)
        said = self.storage.get("said", 0) + 1
        self.storage.put("said", said)
        self.broadcast({"type": "said", "text": message["text"], "number": said})
        return {"number": said, "process": os.getpid()}


app = App(heavy=Heavy, drowsy=Drowsy, light=Light, talk=Talk)
