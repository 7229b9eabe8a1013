"""What the partysockets of the test talk to: a room of hooks, and one with a machine."""

from __future__ import annotations

from typing import Any

from rooms import App, Room, everything
from runtime import assign, enqueue_actions, setup


class Chat(Room):
    """Tells everybody else what is said, and keeps it."""

    def on_connect(self, connection: Any, request: Any) -> None:
        """What was said before."""
        connection.set_state({"said": 0})
        for line in self.storage.list("line/").values():
            connection.send(line)

    def on_message(self, connection: Any, message: Any) -> None:
        """Text is kept; bytes are only told."""
        if isinstance(message, str):
            count = len(self.storage.list("line/"))
            self.storage.put(f"line/{count:04}", message)
        connection.set_state(lambda state: {"said": state["said"] + 1})
        self.broadcast(message, exclude=connection)


def _append(args: Any, params: Any) -> dict[str, Any]:
    item = {"id": args.event["id"], "text": args.event["text"]}
    return {"items": [*args.context["items"], item][-5:]}


def _rename(args: Any, params: Any) -> dict[str, Any]:
    return {"name": args.event["name"]}


player = setup(actions={"rename": assign(_rename)}).create_machine(
    {
        "id": "player",
        "context": {"name": "nobody"},
        "on": {"rename": {"actions": "rename"}},
    }
)


def _join(args: Any, params: Any) -> None:
    args.enqueue.spawn_child("player", id=f"player-{args.event['id']}")


board = setup(
    actors={"player": player},
    actions={"append": assign(_append), "join": enqueue_actions(_join)},
).create_machine(
    {
        "id": "board",
        "context": {"items": []},
        "initial": "open",
        "states": {
            "open": {
                "tags": ["calm"],
                "on": {
                    "append": {"actions": "append"},
                    "hurry": "busy",
                    "join": {"actions": "join"},
                },
            },
            "busy": {"tags": ["calm", "loud"], "on": {"rest": "open"}},
        },
    }
)


class Board(Room):
    """Everybody sees all of it, and may rename players."""

    machine = board
    view = everything

    def allow_send_to(self, viewer: Any, child: str, event: Any, snapshot: Any) -> bool:
        """Anybody, as in the article."""
        return True


app = App(chat=Chat, board=Board)
