"""What `rooms dev examples/counter` finds; all of it is in `counter.py`."""

from .counter import app

__all__ = ["app"]
