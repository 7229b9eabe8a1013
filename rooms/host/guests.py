"""Who is with rooms that have processes of their own: connections, through their rooms' sleep and
their processes' deaths, and requests (SPEC, ISOLATE).

In: what routers say of such sessions, from `host.py`; what their processes say to routers. Out:
each to the other. Whoever was with a room whose process died is put before the next one by its
router, with all that isn't answered. Next inward: `rooms/host/processes.py`, then
`rooms/host/tenant.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from rooms.errors import CloseCode, Closing
from rooms.host.crowding import BEHIND
from rooms.host.endings import TOLD
from rooms.host.isolated import Met, Passed
from rooms.host.tenant import NUMBERS
from rooms.link.protocol import (
    Answer,
    Attach,
    Close,
    Detach,
    Elsewhere,
    Gathered,
    Hosted,
    Keep,
    Leaving,
    Request,
    Said,
    Unheard,
    Want,
)
from rooms.pace import once_caught_up
from rooms.store.port import SessionId
from rooms.sync.messages import NUMBERED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rooms.host.kinds import Kind
    from rooms.host.tenant import Process, Tenant
    from rooms.link.memory import End
    from rooms.link.protocol import Message

MAX_HELD: Final = 1024
"""How much one connection may say while its room's process is yet to come."""
_LOST: Final = Closing(CloseCode.OVERLOADED, "the room's process ended; it may have done this")


class Homes(Protocol):
    """Where these are guests: the host's processes."""

    @property
    def tenants(self) -> Collection[Tenant]: ...
    @property
    def draining(self) -> bool: ...

    def find(self, id: SessionId) -> Tenant | None:
        """The session, if its room has a process."""

    def enter(self, id: SessionId) -> Tenant | None:
        """The session, whose room gets a process if need be; None: not here any more.

        Raises Closing: it can't have one now.
        """

    def wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""


@dataclass(slots=True, eq=False)
class _Guest:
    """A connection. `held` is what it said since its room's last process ended."""

    end: End
    attach: Attach
    held: list[Said | Want] = field(default_factory=list)

    @property
    def at(self) -> SessionId:
        return SessionId(self.attach.kind, self.attach.session)


class Guests:
    """All of one host's. Routers have numbers, by which processes call them."""

    def __init__(self, homes: Homes, kinds: Mapping[str, Kind]) -> None:
        self._homes = homes
        self._kinds = kinds
        self._numbers = count(1)
        self._ends: dict[End, int] = {}
        self._routers: dict[int, End] = {}
        self._guests: dict[tuple[int, int], _Guest] = {}

    # ------------------------------------------------------------------ routers

    def came(self, end: End) -> None:
        """There is one more router."""
        self._ends[end] = number = next(self._numbers)
        self._routers[number] = end
        for tenant in self._homes.tenants:
            tenant.send(Met(number, here=True))

    def introduce(self, tenant: Tenant) -> None:
        """Let a new process know the routers that there are."""
        for router in self._routers:
            tenant.send(Met(router, here=True))

    def lost(self, end: End) -> None:
        """A router is gone, and with it all its connections."""
        router = self._ends.pop(end)
        for known in [known for known in self._guests if known[0] == router]:
            self._left(router, self._guests.pop(known), moved=False)
        del self._routers[router]
        for tenant in self._homes.tenants:
            tenant.asked = {known: one for known, one in tenant.asked.items() if known[0] != router}
            tenant.send(Met(router, here=False))

    # ------------------------------------------------------------------ what routers say

    def attach(self, end: End, attach: Attach) -> None:
        """A connection wants its room."""
        router = self._ends[end]
        before = self._guests.get((router, attach.channel))
        guest = self._guests[router, attach.channel] = _Guest(end, attach)
        try:
            tenant = self._homes.enter(guest.at)
        except Closing as refused:
            self._shut(router, guest, refused)
            return
        if tenant is None:
            self._send_on(router, guest)
            return
        for message in (attach, *(before.held if before is not None else ())):
            tenant.send(Passed(router, message))

    def said(self, end: End, message: Said | Want | Detach) -> None:
        """A connection says something, or is gone."""
        router = self._ends[end]
        guest = self._guests.get((router, message.channel))
        if guest is None:
            return
        if isinstance(message, Detach):
            del self._guests[router, message.channel]
            self._left(router, guest, moved=message.moved)
        elif (tenant := self._homes.find(guest.at)) is not None:
            tenant.send(Passed(router, message))
        elif self._homes.draining:
            if isinstance(message, Said) and message.message["type"] not in NUMBERED:
                end.send(Unheard(message.channel, message.message))
        elif len(guest.held) < MAX_HELD:  # it fell asleep at this moment: its router attaches again
            guest.held.append(message)
            self._homes.wake(guest.at)

    def _left(self, router: int, guest: _Guest, *, moved: bool) -> None:
        """A connection is gone. A room that sleeps wakes where that means something to it."""
        attach = guest.attach
        gone = Passed(router, Detach(attach.channel, moved))
        tenant = self._homes.find(guest.at)
        if tenant is not None:
            tenant.send(gone)
            return
        kind = self._kinds[attach.kind]
        if moved or attach.operator or not (kind.heard or "on_close" in kind.hooks):
            return
        try:
            tenant = self._homes.enter(guest.at)
        except Closing:
            return
        if tenant is not None:
            tenant.send(Passed(router, attach))
            tenant.send(gone)

    def request(self, end: End, request: Request) -> None:
        """A plain request."""
        try:
            tenant = self._homes.enter(SessionId(request.kind, request.session))
        except Closing as refused:
            end.send(Answer.of(request.request, refused))
            return
        if tenant is None:
            end.send(Elsewhere(request.request, None))
        else:
            router = self._ends[end]
            tenant.asked[router, request.request] = request
            tenant.send(Passed(router, request))

    def gathered(self, end: End, gathered: Gathered) -> None:
        """A router has put before a room all that it has for it."""
        tenant = self._homes.find(SessionId(gathered.kind, gathered.session))
        if tenant is not None:
            tenant.send(Passed(self._ends[end], gathered))

    def answered(self, end: End, answer: Answer) -> None:
        """A router brings what became of a room's letter."""
        for tenant in self._homes.tenants:
            if tenant.number == answer.request >> NUMBERS:
                tenant.send(Passed(self._ends[end], answer))

    # ------------------------------------------------------------------ what is said to routers

    def pass_back(self, tenant: Tenant, router: int, message: Message) -> None:
        """What a process says to a router."""
        end = self._routers.get(router)
        if end is None:
            return
        match message:
            case Hosted() | Leaving():
                return  # what its host says of itself is this one's to say
            case Keep(channel, attachment):
                guest = self._guests.get((router, channel))
                if guest is not None:
                    guest.attach = replace(guest.attach, attachment=attachment)
            case Elsewhere(number):
                self._guests.pop((router, number), None)
                tenant.asked.pop((router, number), None)
            case Answer(number, status):
                request = tenant.asked.pop((router, number), None)
                if request is not None and request.operator and status == 200:
                    self._ended(tenant.id, request)
        end.send(message)
        if end.under_way > BEHIND and not tenant.paused and tenant.process is not None:
            tenant.paused = True
            tenant.process.pause()
            once_caught_up(
                lambda: end in self._ends and end.under_way > BEHIND,
                partial(_hear_on, tenant, tenant.process),
            )

    def _ended(self, id: SessionId, request: Request) -> None:
        """An operator has ended a session: so are the connections that its process didn't know,
        because they were there before that began.
        """
        if request.path == "" and (told := TOLD.get(request.method)) is not None:
            for router, guest in self._of(id):
                self._shut(router, guest, told)

    # ------------------------------------------------------------------ without their process

    def anybody(self, id: SessionId) -> bool:
        """Whether anybody is connected to this session."""
        return bool(self._of(id))

    def send_on(self, tenant: Tenant, *, again: bool) -> None:
        """The process is no more. What may have been handled, and isn't known again, isn't put
        before the next one; nor is a look, unless it is to be tried `again`.
        """
        for router, guest in self._of(tenant.id):
            self._send_on(router, guest)
        for (router, number), request in tenant.asked.items():
            if self._known_again(request) or (request.method == "GET" and again):
                self._routers[router].send(Elsewhere(number, None))
            else:
                self._routers[router].send(Answer.of(number, _LOST))

    def _known_again(self, request: Request) -> bool:
        """Whether its room knows it by its number, or by the key of its one event. What an author's
        hook answers has none.
        """
        event = request.path in ("", "/") and "on_request" not in self._kinds[request.kind].hooks
        keyed = request.method == "POST" and event and "idempotency-key" in request.headers
        return keyed or request.letter is not None

    def turn_away(self, tenant: Tenant, refused: Closing) -> None:
        """There is to be no process."""
        for router, guest in self._of(tenant.id):
            self._shut(router, guest, refused)
        for router, number in tenant.asked:
            self._routers[router].send(Answer.of(number, refused))

    def _send_on(self, router: int, guest: _Guest) -> None:
        del self._guests[router, guest.attach.channel]
        guest.end.send(Elsewhere(guest.attach.channel, None))

    def _shut(self, router: int, guest: _Guest, refused: Closing) -> None:
        del self._guests[router, guest.attach.channel]
        guest.end.send(Close.of(guest.attach.channel, refused))

    def _of(self, id: SessionId) -> list[tuple[int, _Guest]]:
        guests = self._guests.items()
        return [(router, guest) for (router, _), guest in guests if guest.at == id]


def _hear_on(tenant: Tenant, process: Process) -> None:
    """The router that was behind has caught up with this room, or is lost."""
    tenant.paused = False
    process.resume()
