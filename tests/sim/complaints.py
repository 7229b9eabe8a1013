"""What the product itself calls a bug is one, whatever else a world comes to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.histories import History


class Complaints(logging.Handler):
    """What the product itself calls a bug: an error that it logs with a traceback."""

    def __init__(self, history: History) -> None:
        super().__init__(logging.ERROR)
        self._history = history

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._history.violated("bug", f"{record.getMessage()}: {record.exc_info[1]!r}")
