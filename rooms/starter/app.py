"""A counter that everybody shares: `rooms dev` serves it, together with the page in `web/`."""

from rooms import App, Room, everything
from runtime import assign, setup

counter = setup(
    actions={"add": assign({"count": lambda a, p: a.context["count"] + p["by"]})},
).create_machine(
    {
        "id": "counter",
        "context": {"count": 0},
        "on": {
            "increment": {"actions": {"type": "add", "params": {"by": 1}}},
            "decrement": {"actions": {"type": "add", "params": {"by": -1}}},
        },
    }
)


class Counter(Room):
    """Everybody may see everything, and count."""

    machine = counter
    view = everything


app = App(counter=Counter, pages="web")
