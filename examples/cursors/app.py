"""Everybody's pointer, live: `rooms dev examples/cursors`.

The high-rate case: a pointer that moves is an event beside the machine. It is told, the latest at
most 60 times a second, and never stored; so is who is here. The machine has nothing to do.
"""

from rooms import App, Room
from runtime import create_machine


class Board(Room):
    """A board on which everybody sees where the others point."""

    machine = create_machine({"id": "board"})
    volatile = ("cursor",)
    presence = True


app = App(board=Board, pages="web")
