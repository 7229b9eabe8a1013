"""A plain request for what a room was: a past revision through the viewer's own view, or the list
of those that are kept (SPEC, HISTORY).

In: the query of a GET. Out: an `Ask` that the room admits like any other; what it answers is read
from the store, so that it is durable. Next: `rooms/host/history.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.errors import CloseCode, Closing, StoreError
from rooms.host import door
from rooms.host.ask import Ask
from rooms.host.history import Keeps, kept, past
from rooms.logs import named
from rooms.store.port import SessionId
from runtime import RestoreError, System

if TYPE_CHECKING:
    from rooms.definition import Room
    from rooms.host.ask import Views
    from rooms.host.marks import Outcome
    from rooms.link.memory import End
    from rooms.link.protocol import Request
    from rooms.store.port import Store
    from rooms.sync.messages import Json
    from rooms.sync.views import Seen, Viewer

logger = logging.getLogger(__name__)

MAX_DIGITS: Final = 16


def wanted(request: Request) -> bool:
    """Whether a look is one into the past."""
    return "revision" in request.params or "history" in request.params


def read(end: End, request: Request, room: type[Room], viewer: Viewer, store: Store) -> Ask | None:
    """What the room is asked; None when the request was answered here."""
    number = request.params.get("revision", request.params.get("after", "0"))
    recall = Recall(end, request, viewer, store, number)
    if not Keeps.of(room):
        recall.reply(404, {"reason": "this kind of room keeps no history"})
    elif not (number.isdecimal() and number.isascii() and len(number) <= MAX_DIGITS):
        recall.reply(400, {"reason": "a revision is a whole number"})
    else:
        return recall
    return None


class Recall(Ask):
    """A look into the past. It makes no session."""

    __slots__ = ("_listed", "_number_of", "_store", "_task")

    def __init__(
        self, end: End, request: Request, viewer: Viewer, store: Store, number: str
    ) -> None:
        super().__init__(end, request.request, viewer, create=False)
        self._listed = "revision" not in request.params
        self._number_of = number
        self._store = store

    def check(self, room: Room, snapshot: Seen) -> None:
        door.look_back(room, self.viewer, snapshot)

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Read the store, and answer from what is there."""
        self._task = asyncio.get_running_loop().create_task(self._run(views, now))

    async def _run(self, views: Views, now: int) -> None:
        room = views.room
        show = self._list if self._listed else self._show
        try:
            body = await show(views, SessionId(room.kind, room.id), int(self._number_of), now)
        except StoreError as error:
            logger.warning("%s: its history can't be read: %s", named(room), error)
            self.refuse(Closing(CloseCode.OVERLOADED, "its history is out of reach"))
        except Exception:
            logger.exception("%s: its past can't be shown", named(room))
            self.reply(500, {"reason": "that revision can't be shown"})
        else:
            if body is None:
                self.reply(404, {"reason": "that revision isn't kept"})
            else:
                self.reply(200, body)

    async def _list(self, views: Views, id: SessionId, after: int, now: int) -> Json:
        found = await kept(self._store, id, Keeps.of(views.room), now, after=after)
        return {"revisions": [one._asdict() for one in found], "now": now}

    async def _show(self, views: Views, id: SessionId, revision: int, now: int) -> Json:
        room = views.room
        found = await past(self._store, id, revision, Keeps.of(room), now)
        if found is None or found.version != room.version():
            return None
        system = System(room.machine, on_error=room.on_error)
        try:
            snapshot = system.restore(found.persisted, now=now).snapshot
        except RestoreError:  # it waits to be stored as this version's
            return None
        view = views.view_at(self.viewer, snapshot)
        return {**found.kept._asdict(), "now": now, "view": view}
