"""What is asked of a room without a connection: a plain HTTP request, or another room's letter.

In: what `rooms/host/requests.py` read, or what the keeper delivers. Out: one answer to where it
came from, when the gate is open for it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from rooms.host import door
from rooms.host.neighbours import Neighbour, NotHere
from rooms.link.protocol import Answer, Elsewhere
from rooms.logs import named
from rooms.sync.codec import encode
from rooms.tasks import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rooms.definition import Room
    from rooms.errors import Closing
    from rooms.host.marks import Outcome
    from rooms.host.neighbours import Letter
    from rooms.link.memory import End
    from rooms.sync.messages import Json, View
    from rooms.sync.views import Seen, Viewer
    from runtime import SystemSnapshot

logger = logging.getLogger(__name__)

Response = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Views(Protocol):
    """What a room has to show, of which answers are made (`rooms/host/audience.py`)."""

    @property
    def room(self) -> Room: ...

    def look(self, viewer: Viewer, now: int) -> tuple[str, View]:
        """The cursor of what this viewer sees, and the view. Raises what the author's raises."""

    def view_at(self, viewer: Viewer, snapshot: SystemSnapshot) -> View:
        """What this viewer sees of the room at this snapshot. Raises likewise."""


class Ask:
    """A look at the view (`event` None) or one event.

    `key` is the client that an Idempotency-Key makes, None without one, and its one event has the
    number 1 and this `digest`; `known` is If-None-Match, the cursors that the client holds.
    """

    __slots__ = ("_end", "_number", "create", "digest", "event", "key", "known", "viewer")
    seq: int = 1
    since: int | None = None

    def __init__(
        self,
        end: End,
        number: int,
        viewer: Viewer,
        *,
        create: bool,
        event: dict[str, Json] | None = None,
        key: str | None = None,
    ) -> None:
        self._end = end
        self._number = number
        self.viewer = viewer
        self.create = create
        self.event = event
        self.key = key
        self.digest: bytes | None = None
        self.known: str | None = None

    def check(self, room: Room, snapshot: Seen) -> None:
        """Raises Closing: what is asked isn't for this viewer, whom the room has admitted."""

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Answer from the durable state: the view, and the outcome of the event it brought."""
        try:
            cursor, view = views.look(self.viewer, now)
        except Exception:
            logger.exception("the view raised")
            self.reply(500, {"reason": "the room's view failed"})
            return
        if outcome is None:
            self.show(cursor, {"cursor": cursor, "now": now, "view": view})
            return
        body: dict[str, Json] = {"outcome": outcome.word}
        if outcome.reason is not None:
            body["reason"] = outcome.reason
        if outcome.result is not None:
            body["result"] = outcome.result
        self.reply(_status(outcome), {**body, "cursor": cursor, "view": view})

    def show(self, etag: str, body: Json) -> None:
        """Answer with what was asked for, unless that is known."""
        headers = {"etag": f'"{etag}"'}
        if self.known is not None and headers["etag"] in self.known:
            self.respond(304, headers, b"")
        else:
            self.reply(200, body, headers)

    def refuse(self, refused: Closing) -> None:
        """Answer that it can't be."""
        self._end.send(Answer.of(self._number, refused))

    def elsewhere(self, address: str | None) -> None:
        """Nothing was done of it: another host, at `address` or any, is to be asked."""
        self._end.send(Elsewhere(self._number, address))

    def reply(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        """Answer with JSON."""
        try:
            data = encode(body, "json")
        except TypeError:
            logger.exception("an answer isn't JSON")
            status, data = 500, b'{"reason":"the room\'s view failed"}'
        self.respond(status, {"content-type": "application/json", **(headers or {})}, data)

    def respond(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer with these bytes."""
        self._end.send(Answer(self._number, status, dict(headers), body))


class Visit(Ask):
    """A request for the author's `on_request`. `call` runs it."""

    __slots__ = ("_task", "call")

    def __init__(
        self,
        end: End,
        number: int,
        viewer: Viewer,
        call: Callable[[Any], Awaitable[Response | None]],
        *,
        create: bool,
    ) -> None:
        super().__init__(end, number, viewer, create=create)
        self.call = call

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Run the author's hook; its answer is sent when it has one."""
        self._task = asyncio.get_running_loop().create_task(self._run(views.room))

    async def _run(self, room: Any) -> None:
        try:
            response = await self.call(room)
        except Exception:
            logger.exception("%s: on_request raised", named(room))
            self.reply(500, {"reason": "the room failed to answer"})
            return
        if response is None:
            self.reply(404, {"reason": "there is nothing here"})
        else:
            self.respond(*response)


class Retry(Ask):
    """An operator's wish: try again what failed for good, of this `name` where one is given.
    `count` is how much that was.
    """

    __slots__ = ("count", "name")
    count: int
    name: str | None

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Say how much it was."""
        self.reply(200, {"retried": self.count})


class Delivery(Ask):
    """A letter from another room of this host. `outcome` becomes its outcome, or raises Closing or
    NotHere.
    """

    __slots__ = ("outcome", "seq", "since")

    def __init__(self, letter: Letter) -> None:
        self.viewer = Neighbour.of(letter.sender)
        self.event = letter.event
        self.key = letter.generation
        self.digest = None
        self.seq = letter.seq
        self.since = letter.since
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Tell whoever waits, unless they are gone."""
        if outcome is not None:
            resolve(self.outcome, outcome)

    def elsewhere(self, address: str | None) -> None:
        """The letter has to be taken there."""
        resolve(self.outcome, NotHere(address))

    def refuse(self, refused: Closing) -> None:
        """Say that it can't be."""
        resolve(self.outcome, refused)


def _status(outcome: Outcome) -> int:
    if outcome.word != "rejected":
        return 200
    return 403 if outcome.code == door.FORBIDDEN else 422
