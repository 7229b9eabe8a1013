"""A board game, whose snapshots have something of everything."""

from __future__ import annotations

from typing import Any

from runtime import create_actor, create_machine

BOARD = {
    "id": "board",
    "version": "2",
    "context": {"moves": []},
    "initial": "play",
    "states": {
        "play": {
            "type": "parallel",
            "tags": "busy",
            "meta": {"title": "Play"},
            "on": {"PAUSE": "paused", "END": "end"},
            "states": {
                "white": {
                    "initial": "waits",
                    "states": {"waits": {"on": {"W": "moves"}}, "moves": {"tags": ["loud", "big"]}},
                },
                "black": {"initial": "waits", "states": {"waits": {}}},
                "back": {"type": "history", "history": "deep"},
            },
        },
        "paused": {"on": {"PLAY": "play.back", "NO": {"target": "end", "guard": "never"}}},
        "end": {"type": "final", "output": 3},
    },
    "output": lambda a: {"result": a.event["output"]},
}


def board() -> Any:
    return create_actor(create_machine(BOARD, {"guards": {"never": lambda a, p: False}})).start()
