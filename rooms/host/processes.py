"""Rooms that have a process each: what routers say for them is passed on, what they say is passed
back, and what ends such a process ends nothing else (SPEC, ISOLATE).

To the routers, and to the store, the room is this host's: it has the links, the lease and the
claims. In: link messages for sessions of such kinds, from `host.py`; what their processes say. Out:
each to the other; calls to the store. Whoever was with a room whose process died comes again, by
way of its router, to the next. Next inward: `rooms/alone.py`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from rooms.errors import CloseCode, Closing, LinkError, StoreError
from rooms.host.administration import ENDED
from rooms.host.ask import Ask
from rooms.host.deaths import Deaths
from rooms.host.isolated import Called, Counted, Drain, Met, Orders, Passed, Resting, Returned, Wake
from rooms.host.kinds import viewer
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
from rooms.store.port import Acquired, SessionId
from rooms.store.remote import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from rooms.host.clock import Clock
    from rooms.host.deaths import Died
    from rooms.host.isolated import Line
    from rooms.host.kinds import Kind
    from rooms.link.memory import End
    from rooms.link.protocol import Message
    from rooms.store.port import Store
    from rooms.tally import HostTally

logger = logging.getLogger(__name__)

MOST: Final = 512
"""How many processes one host has at most."""
MAX_HELD: Final = 1024
"""How much one connection may say while its room's process is yet to come."""
PATIENCE: Final = 2_000
"""Who would have to wait for longer than this is told when to come back (ms)."""
BEHIND: Final = 1024 * 1024
"""While a router hasn't taken so many bytes, no more is heard of a room that tells it something."""
LOOK_AGAIN: Final = 0.02
"""How often it is looked whether that router has caught up (s)."""
_NUMBERS: Final = 32
"""Bits of the numbers that one process gives."""
_NUMBERED: Final = ("room.send", "room.send_to")
_LOST: Final = b'{"code":1013,"reason":"the room\'s process ended; it may have done this"}'


class Process(Protocol):
    """One process, as long as it lives."""

    def send(self, line: Line) -> None:
        """Tell it; lost when it has ended."""

    def listen(self, on_line: Callable[[Line], None], on_close: Callable[[], None]) -> None:
        """Say who hears what it says, and of its end."""

    def close(self) -> None:
        """It may end."""

    def kill(self) -> None:
        """End it."""

    def pause(self) -> None:
        """Hear nothing more of it for now."""

    def resume(self) -> None:
        """Hear on."""

    async def died(self) -> Died:
        """How it ended, once it has."""


class Nursery(Protocol):
    """Where processes come from."""

    def warm(self) -> None:
        """Be ready before the first room needs it."""

    async def start(self, max_cpu: int) -> Process:
        """A new one. Raises LinkError: there can't be any now."""

    async def close(self) -> None:
        """There are to be no more."""


class Keeper(Protocol):
    """What this needs of the host's other half."""

    @property
    def incarnation(self) -> str: ...
    @property
    def draining(self) -> bool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def tally(self) -> HostTally: ...
    def stands(self) -> bool: ...
    async def standing(self) -> None: ...
    async def until_settled(self, id: SessionId) -> None: ...


@dataclass(slots=True, eq=False)
class _Guest:
    """A connection of such a room, through its sleep and its wakes. `held`: what it said since."""

    end: End
    attach: Attach
    held: list[Said | Want] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Tenant:
    """A session whose room has a process, or gets one. `passed` is how many messages it was sent,
    `asked` the requests that it hasn't answered, `calls` those of the store that aren't over.
    """

    id: SessionId
    number: int
    process: Process | None = None
    waiting: list[Line] = field(default_factory=list)
    passed: int = 0
    asked: dict[tuple[int, int], Request] = field(default_factory=dict)
    calls: set[asyncio.Task[Any]] = field(default_factory=set)
    epoch: int | None = None
    begun: float = 0
    owed: tuple[int, int] = (0, 0)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    rested: bool = False
    evicted: bool = False
    paused: bool = False

    def send(self, line: Line) -> None:
        if type(line) in (Passed, Wake):
            self.passed += 1
        if self.process is None:
            self.waiting.append(line)
        else:
            self.process.send(line)


class Processes:
    """All such rooms of one host."""

    def __init__(
        self, keeper: Keeper, kinds: Mapping[str, Kind], nursery: Nursery, store: Store
    ) -> None:
        self.deaths = Deaths()
        self._keeper = keeper
        self._kinds = kinds
        self._nursery = nursery
        self._store = store
        self._numbers = 0
        self._ends: dict[End, int] = {}
        self._routers: dict[int, End] = {}
        self._guests: dict[tuple[int, int], _Guest] = {}
        self._tenants: dict[SessionId, _Tenant] = {}
        self._unreleased: dict[SessionId, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tenants)

    def live(self) -> list[SessionId]:
        """The sessions whose rooms have processes."""
        return list(self._tenants)

    def owed(self) -> tuple[int, int]:
        """How many durable effects these owe: those that wait, and those that failed for good."""
        tenants = self._tenants.values()
        return sum(one.owed[0] for one in tenants), sum(one.owed[1] for one in tenants)

    def warm(self) -> None:
        """Rooms may begin from now on."""
        self._nursery.warm()

    def has(self, kind: str) -> bool:
        """Whether rooms of this kind have processes of their own."""
        known = self._kinds.get(kind)
        return known is not None and known.room.isolation == "process"

    def asleep(self, id: SessionId) -> bool:
        """Whether nothing of this session goes on here."""
        return id not in self._tenants

    # ------------------------------------------------------------------ routers

    def came(self, end: End) -> None:
        """There is one more router."""
        self._numbers += 1
        self._ends[end] = number = self._numbers
        self._routers[number] = end
        for tenant in self._tenants.values():
            tenant.send(Met(number, here=True))

    def lost(self, end: End) -> None:
        """A router is gone, and with it all its connections."""
        router = self._ends.pop(end)
        for known in [known for known in self._guests if known[0] == router]:
            self._left(router, self._guests.pop(known), moved=False)
        del self._routers[router]
        for tenant in self._tenants.values():
            tenant.send(Met(router, here=False))

    # ------------------------------------------------------------------ what routers say

    def attach(self, end: End, attach: Attach) -> None:
        """A connection wants its room."""
        id = SessionId(attach.kind, attach.session)
        router = self._ends[end]
        before = self._guests.get((router, attach.channel))
        guest = self._guests[router, attach.channel] = _Guest(end, attach)
        try:
            tenant = self._tenant(id)
        except Closing as refused:
            code, reason, retry_after = refused.code, refused.reason, refused.retry_after
            end.send(Close(attach.channel, code, reason, retry_after))
            del self._guests[router, attach.channel]
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
        id = SessionId(guest.attach.kind, guest.attach.session)
        if type(message) is Detach:
            del self._guests[router, message.channel]
            self._left(router, guest, moved=message.moved)
        elif (tenant := self._tenants.get(id)) is not None:
            tenant.send(Passed(router, message))
        elif self._keeper.draining:
            if type(message) is Said and message.message["type"] not in _NUMBERED:
                end.send(Unheard(message.channel, message.message))
        elif len(guest.held) < MAX_HELD:  # it fell asleep at this moment: its router attaches again
            guest.held.append(message)  # type: ignore[arg-type]
            self.wake(id)

    def _left(self, router: int, guest: _Guest, *, moved: bool) -> None:
        """A connection is gone. A room that sleeps wakes where that means something to it."""
        attach = guest.attach
        id = SessionId(attach.kind, attach.session)
        gone = Passed(router, Detach(attach.channel, moved))
        tenant = self._tenants.get(id)
        if tenant is not None:
            tenant.send(gone)
            return
        kind = self._kinds[attach.kind]
        if moved or attach.operator or not (kind.heard or "on_close" in kind.hooks):
            return
        try:
            tenant = self._tenant(id)
        except Closing:
            return
        if tenant is not None:
            tenant.send(Passed(router, attach))
            tenant.send(gone)

    def request(self, end: End, request: Request) -> None:
        """A plain request."""
        id = SessionId(request.kind, request.session)
        try:
            tenant = self._tenant(id)
        except Closing as refused:
            Ask(end, request.request, viewer(request.viewer), create=False).refuse(refused)
            return
        if tenant is None:
            end.send(Elsewhere(request.request, None))
        else:
            router = self._ends[end]
            tenant.asked[router, request.request] = request
            tenant.send(Passed(router, request))

    def gathered(self, end: End, gathered: Gathered) -> None:
        """A router has put before a room all that it has for it."""
        tenant = self._tenants.get(SessionId(gathered.kind, gathered.session))
        if tenant is not None:
            tenant.send(Passed(self._ends[end], gathered))

    def answered(self, end: End, answer: Answer) -> None:
        """A router brings what became of a room's letter."""
        for tenant in self._tenants.values():
            if tenant.number == answer.request >> _NUMBERS:
                tenant.send(Passed(self._ends[end], answer))

    def wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""
        try:
            tenant = self._tenant(id)
        except Closing as refused:
            logger.warning("%s isn't woken: %s", id, refused)
            return
        if tenant is not None:
            tenant.send(Wake())

    # ------------------------------------------------------------------ processes

    def _tenant(self, id: SessionId) -> _Tenant | None:
        """Who has this session's room; None: nobody shall have it here any more.

        Raises Closing: nobody can have it now.
        """
        tenant = self._tenants.get(id)
        if tenant is not None:
            return tenant
        if self._keeper.draining:
            return None
        pause = self.deaths.pause(id, self._keeper.clock.elapsed())
        if pause > PATIENCE:
            reason = "this room's process ended again and again"
            raise Closing(CloseCode.OVERLOADED, reason, int(pause))
        if len(self._tenants) >= MOST:
            raise Closing(CloseCode.OVERLOADED, "too many rooms compute here", 5_000)
        self._numbers += 1
        tenant = self._tenants[id] = _Tenant(id, self._numbers)
        for router in self._routers:
            tenant.send(Met(router, here=True))
        self._do(self._keep(tenant, pause))
        return tenant

    async def _keep(self, tenant: _Tenant, pause: float) -> None:
        """A process, from its start to its end."""
        id = tenant.id
        if pause:
            await _passed(pause)
        try:
            await self._keeper.standing()
            process = await self._nursery.start(self._kinds[id.kind].room.max_cpu)
        except (StoreError, LinkError) as error:
            logger.warning("%s has no process: %s", id, error)
            del self._tenants[id]
            refused = Closing(CloseCode.OVERLOADED, "this room can't begin now")
            self._turn_away(id, refused)
            for (router, number), request in tenant.asked.items():
                end = self._routers[router]
                Ask(end, number, viewer(request.viewer), create=False).refuse(refused)
            return
        process.listen(lambda line: self._hear(tenant, line), tenant.over.set)
        process.send(
            Orders(
                *id,
                self._keeper.incarnation,
                tenant.number << _NUMBERS,
                self.deaths.condemned(id),
                id in self.deaths,
            )
        )
        tenant.process, tenant.begun = process, self._keeper.clock.elapsed()
        for line in tenant.waiting:
            process.send(line)
        tenant.waiting.clear()
        await tenant.over.wait()
        if tenant.calls:
            await asyncio.wait(tenant.calls)
        if not tenant.rested:
            process.kill()
            self._died(tenant, await process.died())

    def _hear(self, tenant: _Tenant, line: Line) -> None:
        """What a process says; nothing of it counts once the lease is over."""
        if not self._keeper.stands() or tenant.evicted:
            return
        match line:
            case Passed(router, message):
                end = self._routers.get(router)
                if end is not None:
                    self._pass_back(tenant, router, end, message)
            case Called():
                call = asyncio.get_running_loop().create_task(self._answer(tenant, line))
                tenant.calls.add(call)
                call.add_done_callback(tenant.calls.discard)
            case Counted(grown, waiting, dead):
                self._keeper.tally.add(grown)
                tenant.owed = waiting, dead
            case Resting(taken) if taken == tenant.passed:
                tenant.rested = True
                del self._tenants[tenant.id]
                self.deaths.forget(tenant.id)
                assert tenant.process is not None
                tenant.process.close()
                tenant.over.set()
                self._postpone(tenant.id)

    def _pass_back(self, tenant: _Tenant, router: int, end: End, message: Message) -> None:
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
                    self._replaced(tenant.id, request)
        end.send(message)
        if end.under_way > BEHIND and not tenant.paused and tenant.process is not None:
            tenant.paused = True
            tenant.process.pause()
            self._look_again(tenant, tenant.process, end)

    def _replaced(self, id: SessionId, request: Request) -> None:
        """An operator has ended a session: so are the connections that its process didn't know,
        because they were there before that began.
        """
        if request.path == "" and (told := ENDED.get(request.method)) is not None:
            self._turn_away(id, told)

    def _look_again(self, tenant: _Tenant, process: Process, end: End) -> None:
        """A router is behind: this room isn't heard until that has caught up, or is lost."""

        def look() -> None:
            if end in self._ends and end.under_way > BEHIND:
                self._look_again(tenant, process, end)
            else:
                tenant.paused = False
                process.resume()

        asyncio.get_running_loop().call_later(LOOK_AGAIN, look)

    async def _answer(self, tenant: _Tenant, called: Called) -> None:
        """What the store says to a room's process."""
        number, method, arguments, named = called
        if method == "acquire":
            await self._keeper.until_settled(tenant.id)
            await self._give_back(tenant.id)
        value = await answer(self._store, method, arguments, named)
        if isinstance(value, Acquired):
            tenant.epoch = value.epoch
        if tenant.process is not None:
            tenant.process.send(Returned(number, value))

    # ------------------------------------------------------------------ their end

    def _died(self, tenant: _Tenant, died: Died) -> None:
        """What was with it goes to the next one."""
        id = tenant.id
        if self._tenants.get(id) is tenant:
            del self._tenants[id]
        if tenant.epoch is not None:
            self._unreleased[id] = tenant.epoch
        again = True
        if not tenant.evicted:
            logger.error("%s: its process ended (%s) at %r", id, died.cause, died.doing)
            now = self._keeper.clock.elapsed()
            again = self.deaths.note(id, died, began=tenant.begun, now=now) == 1
        for router, guest in self._with(id):
            self._send_on(router, guest)
        for (router, number), request in tenant.asked.items():
            keyed = request.letter is not None or "idempotency-key" in request.headers
            if keyed or (request.method == "GET" and again):
                self._routers[router].send(Elsewhere(number, None))
            else:
                headers = {"content-type": "application/json", "retry-after": "1"}
                self._routers[router].send(Answer(number, 503, headers, _LOST))
        if self._keeper.draining:
            self._do(self._give_back(id))
        elif (pause := self.deaths.pause(id, self._keeper.clock.elapsed())) > PATIENCE:
            asyncio.get_running_loop().call_later(pause / 1000, self.wake, id)
        else:
            self.wake(id)

    def _turn_away(self, id: SessionId, refused: Closing) -> None:
        """Close all connections of a session."""
        code, reason, retry_after = refused.code, refused.reason, refused.retry_after
        for router, guest in self._with(id):
            guest.end.send(Close(guest.attach.channel, code, reason, retry_after))
            del self._guests[router, guest.attach.channel]

    def _send_on(self, router: int, guest: _Guest) -> None:
        """A connection is put before the next one by its router, with all that isn't answered."""
        del self._guests[router, guest.attach.channel]
        guest.end.send(Elsewhere(guest.attach.channel, None))

    def _with(self, id: SessionId) -> list[tuple[int, _Guest]]:
        return [
            (router, guest)
            for (router, _), guest in self._guests.items()
            if (guest.attach.kind, guest.attach.session) == id
        ]

    async def _give_back(self, id: SessionId) -> None:
        """Whoever has it next has a higher epoch than the process that died."""
        epoch = self._unreleased.pop(id, None)
        if epoch is not None:
            await answer(self._store, "release", [id, self._keeper.incarnation, epoch, None], {})

    def _postpone(self, id: SessionId) -> None:
        """Whoever stays connected to a sleeping session keeps it: it wakes in good time."""
        room, clock = self._kinds[id.kind].room, self._keeper.clock
        ttls = [ttl for ttl in (room.ttl, room.ttl_done) if ttl is not None]
        at = clock.now() + min(ttls, default=0) // 2

        def look() -> None:
            if clock.now() < at:
                clock.call_at(at, look)
            elif id not in self._tenants and self._with(id):
                self.wake(id)

        if ttls and self._with(id):
            clock.call_at(at, look)

    def evict(self) -> None:
        """The lease is over: whatever these rooms hadn't stored never happened."""
        self._unreleased.clear()
        for tenant in list(self._tenants.values()):
            if tenant.process is not None:  # else it begins as the next incarnation's
                tenant.evicted = True
                tenant.epoch = None
                tenant.process.kill()

    async def drain(self) -> None:
        """Let every room finish what it has, store it and give it back."""
        for tenant in self._tenants.values():
            tenant.send(Drain())
        while keeping := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(keeping)
        await self._nursery.close()

    def _do(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _passed(ms: float) -> None:
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(ms / 1000, passed.set_result, None)
    await passed
