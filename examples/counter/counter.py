"""A counter that everybody shares: `rooms dev examples/counter`."""

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
    """Anybody may look, anybody may count."""

    machine = counter
    view = everything


app = App(counter=Counter, pages="web")
