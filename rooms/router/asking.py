"""Requests without an answer: plain HTTP, and what one host asks of another's rooms (PURE).

Each is put before the host that has its session or is to have it, and goes on when that says it is
elsewhere. One whose host was lost is asked again only where that can do no harm.

Next: `rooms/link/protocol.py`, then `rooms/host/requests.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import FORWARDED_WITHIN, Answer
from rooms.router.hosts import MAX_HOPS, pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.link.protocol import Request
    from rooms.router.channels import Host
    from rooms.router.hosts import Hosts

_LOST: Final = Closing(CloseCode.OVERLOADED, "the room's host was lost; it may have done this")


@dataclass(slots=True, eq=False)
class _Asked:
    """A request that isn't answered, and the host that has it."""

    request: Request
    answered: Callable[[Answer], None]
    host: Host | None = None
    hops: int = 0
    pauses: int = 0


class Requests:
    """All of one router's, by their numbers. `known` says which host has a session, as far as that
    is known; `later` calls back after so many seconds.
    """

    def __init__(
        self,
        hosts: Hosts,
        known: Callable[[str, str], Host | None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._hosts = hosts
        self._known = known
        self._later = later
        self._asked: dict[int, _Asked] = {}

    def ask(self, request: Request, answered: Callable[[Answer], None]) -> None:
        """Put a request before its host; `answered` is called at most once."""
        asked = self._asked[request.request] = _Asked(request, answered)
        self._put(asked)

    def forward(
        self,
        host: Host,
        request: Request,
        number: int,
        ask: Callable[[Request, Callable[[Answer], None]], None],
    ) -> None:
        """A host asks whichever host has the session: put its request as `number`, by `ask`; the
        answer goes back to it. It isn't tried for longer than that host waits.
        """

        def answered(answer: Answer) -> None:
            host.send(replace(answer, request=request.request))  # lost, if it is

        ask(replace(request, request=number), answered)
        self._later(FORWARDED_WITHIN, lambda: self.abandon(number))

    def abandon(self, number: int) -> None:
        """Nobody waits for this answer any more."""
        self._asked.pop(number, None)

    def answer(self, answer: Answer) -> None:
        """A host has answered."""
        asked = self._asked.pop(answer.request, None)
        if asked is not None:
            asked.answered(answer)

    def elsewhere(self, number: int, address: str | None) -> None:
        """A host hasn't taken it: the one at `address` has the session; None: any other."""
        asked = self._asked.get(number)
        if asked is not None:
            self._put(asked, address)

    def lost(self, host: Host) -> None:
        """The link to a host is gone, and nobody knows what it did of what it was asked."""
        for asked in [asked for asked in self._asked.values() if asked.host is host]:
            if asked.request.method == "GET":
                self._put(asked)
            else:
                self.answer(Answer.of(asked.request.request, _LOST))

    def _put(self, asked: _Asked, address: str | None = None) -> None:
        """Put it before the host at `address`, or wherever its session is or is to be."""
        request, before = asked.request, asked.host
        known = self._known(request.kind, request.session)
        if address is not None:
            asked.host = self._hosts.at(address)
        elif known is not None and known is not before:
            asked.host = known
        else:
            asked.host = self._hosts.place(request.kind, request.session)
        asked.hops += 1
        if asked.host is not None and asked.host is not before and asked.hops <= MAX_HOPS:
            asked.host.send(request)
            return
        asked.host = None
        asked.hops = 0
        self._later(pause(asked.pauses), lambda: self._again(asked))
        asked.pauses += 1

    def _again(self, asked: _Asked) -> None:
        if asked.request.request in self._asked:  # else nobody waits any more
            self._put(asked)
