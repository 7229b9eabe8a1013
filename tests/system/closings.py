"""Whose sockets were closed by others than their own pages: when, and what they were told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from client import Room
    from client.link import Closing

OWN: Final = 1000
"""The code of a façade that its page closed."""


class Closed(NamedTuple):
    """One socket that ended: whose, how long after it was first watched (s), and why."""

    who: str
    at: float
    why: Closing


def watch(room: Room, who: str, closed: list[Closed]) -> None:
    """Write down from now on whenever this room's socket is closed by others."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def changed(connection: str) -> None:
        why = room.closing
        if connection in ("waiting", "closed") and why is not None and why.code != OWN:
            closed.append(Closed(who, round(loop.time() - begun, 1), why))

    room.on_connection(changed)
