"""Timers: the delayed events of one actor system, as data.

A list, not a table: XState lets one id stand twice, and `cancel` takes the newest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .statechart.scope import Event


@dataclass(frozen=True, slots=True)
class Timer:
    """One delayed event.

    Args:
        due: when it is to be delivered, absolute ms.
        target: address of the actor that gets it.
        source: address of the actor that sent it.
        event: what is delivered.
        id: what `cancel` calls it; made up when the sender named none.
        scheduled: when it was sent, absolute ms.
    """

    due: int
    target: str
    source: str
    event: Event
    id: str
    scheduled: int
