"""What `rooms dev examples/todo` finds; all of it is in `todo.py`."""

from .todo import app

__all__ = ["app"]
