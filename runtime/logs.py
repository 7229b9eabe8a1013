"""What goes to standard logging, to the logger `runtime`."""

from __future__ import annotations

import logging
from typing import Any

from .statechart.actions import BuiltinAction

LOG = logging.getLogger("runtime")


def log_value(*values: Any) -> None:
    """Where `log` logs to unless a logger is given: a value, or a label and a value."""
    LOG.info(" ".join("%s" for _ in values), *values)


def warn_of_unused(action: str, made: Any) -> None:
    """A custom action made one of XState's own instead of doing it: nobody will."""
    if isinstance(made, BuiltinAction):
        LOG.warning(
            "action '%s' returned a '%s', which does nothing: put it into the chart itself, "
            "or use enqueue_actions",
            action,
            made.type,
        )
