"""The post: takes letters to rooms of other hosts, by way of a router.

Hosts have no links to each other, but each router knows all of them and where sessions are. In: a
letter that another host's room is to have. Out: a `Request` to a router, which puts it before that
host; then the outcome, when its `Answer` has come back. Next: `rooms/router/routing.py`.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.errors import CloseCode, Closing
from rooms.host.ask import Ask
from rooms.host.marks import Outcome
from rooms.host.neighbours import PREFIX, Letter, Neighbour
from rooms.link.protocol import FORWARDED_WITHIN, Answer, Request
from rooms.store.port import SessionId
from rooms.tasks import resolve

if TYPE_CHECKING:
    from rooms.host.ask import Views
    from rooms.host.links import Links
    from rooms.link.memory import End

_GONE: Final = "whoever has this room doesn't answer"


class Post:
    """The letters of one host that are under way to others, with numbers from `first` on."""

    def __init__(self, links: Links, first: int) -> None:
        self._links = links
        self._under_way: dict[int, tuple[End, asyncio.Future[Outcome]]] = {}
        self._numbers = count(first)

    async def send(self, to: SessionId, letter: Letter) -> Outcome:
        """The outcome of a letter at the host that has the session.

        Raises Closing: it can't be known (now).
        """
        end = self._links.some()
        if end is None:
            raise Closing(
                CloseCode.OVERLOADED, "another host has this room, and no router is there"
            )
        number, outcome = next(self._numbers), asyncio.get_running_loop().create_future()
        self._under_way[number] = (end, outcome)
        try:
            end.send(_request(number, to, letter))
            return await asyncio.wait_for(outcome, FORWARDED_WITHIN)
        except TimeoutError:
            raise Closing(CloseCode.OVERLOADED, _GONE) from None
        finally:
            del self._under_way[number]

    def answered(self, answer: Answer) -> None:
        """A router brings what became of one."""
        _, outcome = self._under_way.get(answer.request, (None, None))
        if outcome is None:
            return
        said: dict[str, Any] = orjson.loads(answer.body)
        if answer.status == 200:
            resolve(outcome, Outcome(**said))
        else:
            resolve(outcome, Closing(CloseCode(said["code"]), said["reason"]))

    def lost(self, end: End) -> None:
        """A router is gone, and what it had to bring."""
        for by, outcome in self._under_way.values():
            if by is end:
                resolve(outcome, Closing(CloseCode.OVERLOADED, _GONE))


class Posted(Ask):
    """A letter of another host's room, as a router has brought it."""

    __slots__ = ("seq", "since")

    def __init__(self, end: End, request: Request) -> None:
        given = request.letter
        sender = Neighbour.of(SessionId(*given["sender"]))
        key, event = given["generation"], given["event"]
        super().__init__(end, request.request, sender, create=True, key=key, event=event)
        self.seq: int = given["seq"]
        self.since: int | None = given["since"]

    def answer(self, views: Views, outcome: Outcome | None, now: int) -> None:
        """Send the outcome back the way it came."""
        if outcome is not None:
            self.reply(200, outcome._asdict())


def _request(number: int, to: SessionId, letter: Letter) -> Request:
    return Request(
        request=number,
        kind=to.kind,
        session=to.session,
        method="POST",
        path="",
        viewer={"id": f"{PREFIX}{letter.sender}"},
        create=True,
        letter=letter._asdict(),
    )
