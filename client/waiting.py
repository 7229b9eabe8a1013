"""Waiting for something to become true of a room."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from client.errors import RoomClosed

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.link import Timers
    from client.room import Room


async def wait_for(
    room: Room, predicate: Callable[[Room], bool], ms: float | None, timers: Timers
) -> Room:
    """The room, as soon as `predicate` says yes: asked now, and with each change of the view, the
    connection or who is present.

    Raises TimeoutError after `ms`, RoomClosed, and what the predicate raises.
    """
    met: asyncio.Future[Room] = asyncio.get_running_loop().create_future()

    def ask(*_: object) -> None:
        try:
            if not met.done() and predicate(room):
                met.set_result(room)
        except Exception as error:
            met.set_exception(error)

    def fail(error: Exception) -> None:
        if not met.done():
            met.set_exception(error)

    def late() -> None:
        fail(TimeoutError(f"after {ms} ms the room is still {room!r}"))

    def left() -> None:
        fail(RoomClosed(1000, "closed by the page"))

    watching = [
        room.subscribe(ask, error=fail, complete=left),
        room.on_connection(ask),
        room.on_present(ask),
    ]
    timer = None if ms is None else timers.call_later(ms, late)
    try:
        return await met
    finally:
        for subscription in watching:
            subscription.unsubscribe()
        if timer is not None:
            timer.cancel()
