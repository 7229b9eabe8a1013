"""Python's collector of cyclic garbage, kept from looking at what lives long.

At each full collection it walks everything that this process has: with 1,000 rooms a tenth of a
second in which nobody is answered, again and again. So what a full collection has left alive is set
aside, where the next ones don't look. A room that ends leaves no cycles and needs none of this;
what else became garbage there (an author's, say) is found when all is looked through again, once
this process has twice the memory it then had, and not little.

`rooms/process.py` turns it on.
"""

from __future__ import annotations

import gc
import sys
from typing import Any, Final

GROWN: Final = 2
"""All is looked through again when there are so many times the blocks that were left by then …"""
LEAST: Final = 1_000_000
"""… and so many at least, some 100 MB: what could be won of less isn't worth the pause."""


class Collector:
    """Sets aside what full collections leave alive, from `start` to `stop`."""

    def __init__(self) -> None:
        self._most = 0
        self._all = True

    def start(self) -> None:
        """Set aside what there is: mostly modules."""
        gc.callbacks.append(self._collected)
        gc.collect()

    def stop(self) -> None:
        """Leave it to Python."""
        gc.callbacks.remove(self._collected)
        gc.unfreeze()

    def _collected(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] < 2:
            return
        if phase == "start":
            self._all = sys.getallocatedblocks() > self._most
            if self._all:
                gc.unfreeze()
        else:
            gc.freeze()
            if self._all:
                self._most = max(GROWN * sys.getallocatedblocks(), LEAST)
