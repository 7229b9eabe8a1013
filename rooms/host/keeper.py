"""The keeper of rooms: finds or wakes them, lets idle ones sleep, brings lost ones back.

A session's room is woken once, however many ask; what comes meanwhile waits in order. In: items for
sessions, from `host.py`; what rooms say of themselves. Out: live rooms; and to the routers, where
there is one (`Live`), where there is none any more (`Asleep`). Next inward:
`rooms/host/claims.py`, which wakes them, then `rooms/host/room.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from contextlib import asynccontextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, Final

import msgpack

from rooms.errors import CloseCode, Closing, Fenced, StoreError
from rooms.host.alarms import Alarms
from rooms.host.ask import Ask, Delivery
from rooms.host.channels import Heard, Wanted
from rooms.host.claims import REACHED_WITHIN, Claims
from rooms.host.drops import Drops
from rooms.host.endings import Endings
from rooms.host.expiry import Sweep
from rooms.host.gate import Gate
from rooms.host.gathering import Gatherings
from rooms.host.hooks.session import HookSession
from rooms.host.lease import Lease
from rooms.host.neighbours import NotHere
from rooms.host.post import Post
from rooms.host.processes import Processes
from rooms.host.turn import Enter
from rooms.link.protocol import Asleep, Close, Keep, Leaving, Live
from rooms.pace import Pace
from rooms.store.port import HostInfo
from rooms.sync.backlog import Budget
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from rooms.definition import Room
    from rooms.host.channels import Channel
    from rooms.host.clock import Clock
    from rooms.host.kinds import Kind
    from rooms.host.links import Links
    from rooms.host.marks import Outcome
    from rooms.host.neighbours import Letter
    from rooms.host.room import LiveRoom
    from rooms.host.tenant import Nursery
    from rooms.host.turn import Item
    from rooms.host.watched import Doing
    from rooms.link.protocol import Message
    from rooms.store.port import SessionId, Store
    from rooms.tally import HostTally

logger = logging.getLogger(__name__)

MAX_BUFFERED: Final = 1024
"""How many connections and requests wait for a room that is waking."""
RESTING: Final = 32
"""How many rooms a host that drains gives over at once."""
EACH: Final = 1.0
"""How long others have to wake each of them (ms) …"""
DRAINED_WITHIN: Final = 5_000
"""… but no longer than this for all (ms)."""


class RoomKeeper:
    """The rooms of one host, by session; what a room calls its `Keeper`."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        store: Store,
        links: Links,
        clock: Clock,
        *,
        tally: HostTally,
        chance: Callable[[int], bytes],
        address: str,
        weight: float,
        first: int,
        doing: Doing | None,
        nursery: Nursery | None,
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.doing = doing
        self.gatherings = Gatherings(links, clock.elapsed)
        self.tally = tally
        self.gate = Gate(store, clock, tally)
        self.pace = Pace(clock.elapsed, links.crowding.full)
        self.post = Post(links, first)
        self.lanes = count(first)
        self.budget = Budget()
        self.live: dict[SessionId, LiveRoom] = {}
        self._kinds = kinds
        self._store = store
        self._links = links
        self._resting: dict[SessionId, LiveRoom] = {}
        self._between: dict[SessionId, _Waiting] = {}
        self._drops = Drops()
        self._tasks = Tasks()
        self.draining = False
        """Whether this host takes no session any more."""
        self.endings = Endings(self, store, links)
        self._sweep = Sweep(store, clock, self.endings.expire)
        self._alarms = Alarms(store, clock, address, self.wake)
        versions = {name: kind.room.version() for name, kind in kinds.items()}
        self._lease = Lease(
            store,
            clock,
            HostInfo("", address, versions, 0, weight),
            name=lambda: chance(8).hex(),
            lost=self._lost,
            beaten=self._beaten,
        )
        self._claims = Claims(self, kinds, store, self._lease)
        self.processes = None if nursery is None else Processes(self, kinds, nursery, store)

    @property
    def incarnation(self) -> str:
        """This life of the host, for as long as its lease is valid."""
        return self._lease.incarnation

    @property
    def info(self) -> HostInfo:
        """What this host announces to the store."""
        return self._lease.info

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Take up the lease; sessions that are due are woken. Raises StoreError."""
        asked = self.clock.elapsed()
        self.clock.measured(await self._store.now(), asked, self.clock.elapsed())
        await self._lease.begin()
        if self.processes is not None:
            self.processes.warm()
        if self.info.address:
            self.gatherings.listed()

    async def drain(self) -> None:
        """Let every room finish what it has, store it and give it back; then end the lease."""
        self.draining = True
        self._links.everybody(Leaving())
        self._lease.leave()
        await self._alarms.stop()
        await self._sweep.stop()
        if self.processes is None:
            await self._rest_all()
        else:
            await asyncio.gather(self._rest_all(), self.processes.drain())
        await self.gate.quiet()
        await self._lease.finish()

    async def _rest_all(self) -> None:
        """Where other hosts take them over, some at a time and no faster than those can wake them:
        a room is at work until its turn comes, and nobody waits for all.
        """
        between = min(EACH, DRAINED_WITHIN / max(len(self.live), 1)) * RESTING
        while self.live:
            for room in list(islice(self.live.values(), RESTING)):
                self.idle(room)
            if self.live and self.info.address:
                await asyncio.sleep(between / 1000)  # noqa: TID251 - others have to keep up
        await self._tasks.ended()

    # ------------------------------------------------------------------ find or wake

    def enter(self, channel: Channel) -> None:
        """Put a channel before its room, and what it said meanwhile after it."""
        channel.entering = True
        self.put(channel.at, Enter(channel))
        for item in channel.held:
            self.put(channel.at, item)

    def put(self, id: SessionId, item: Item | Ask) -> None:
        """Put something before a session's room, which is woken if need be."""
        room = self.live.get(id)
        if room is not None:
            room.put(item)
        elif self.draining:
            self._send_on(item, None)
        else:
            items = self._waiting(id).items
            if len(items) < MAX_BUFFERED or isinstance(item, Heard | Wanted):
                items.append(item)  # what connections say is bounded for each of them
            else:
                self._refuse(item, Closing(CloseCode.OVERLOADED, "too much waits for this room"))

    async def deliver(self, to: SessionId, letter: Letter) -> Outcome:
        """Take a letter to another session, and bring its outcome.

        Raises Closing: no host has such a kind, or the room can't be opened (now).
        """
        if to.kind in self._kinds and not self.apart(to.kind):
            delivery = Delivery(letter)
            self.put(to, delivery)
            with contextlib.suppress(NotHere):
                return await delivery.outcome
        return await self.post.send(to, letter)

    def wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""
        if self.processes is not None and self.apart(id.kind):
            self.processes.wake(id)
        elif id not in self.live and not self.draining and id.kind in self._kinds:
            self._waiting(id).wanted = True

    def apart(self, kind: str) -> bool:
        """Whether rooms of this kind have processes of their own."""
        return self.processes is not None and self.processes.has(kind)

    def _waiting(self, id: SessionId, pause: float = 0) -> _Waiting:
        """Where items wait for this session's room; it is brought, after a pause (ms)."""
        waiting = self._between.get(id)
        if waiting is None:
            waiting = self._between[id] = _Waiting()
            self._tasks.begin(self._bring(id, pause))
        return waiting

    async def _bring(self, id: SessionId, pause: float) -> None:
        """Acquire a session and bring it to life, then hand over what has waited."""
        if pause:
            await asyncio.sleep(pause / 1000)  # noqa: TID251 - before another attempt
        begun = self.clock.elapsed()
        try:
            room, effects = await self._claims.acquire(id, careful=self._drops.careful(id))
        except NotHere as found:
            for item in self._settled(id).items:
                self._send_on(item, found.address)
            return
        except Closing as refused:
            for item in self._settled(id).items:
                self._refuse(item, refused)
            return
        hooked, epoch = isinstance(room.session, HookSession), room.claim.epoch
        if hooked:
            await self.gatherings.wait(id, epoch)
        self.live[id] = room
        self.tally.wakes.add(self.clock.elapsed() - begun)
        waiting = self._settled(id)
        if hooked:
            waiting.let_in_first()
        else:
            self._links.everybody(Live(id.kind, id.session, epoch))
        try:
            room.begin(effects)
        except Exception as error:
            logger.exception("%s can't begin", room.session)
            room.drop(error)
        for item in waiting.items:
            room.put(item)
        if self.draining:
            self.idle(room)

    # ------------------------------------------------------------------ sleep

    def idle(self, room: LiveRoom) -> None:
        """Let a room sleep. What comes for it meanwhile wakes the next incarnation."""
        id = room.claim.id
        if self.live.get(id) is room:
            del self.live[id]
            self._resting[id] = room
            self._between[id] = _Waiting()
            self._tasks.begin(self._rest(room))

    async def _rest(self, room: LiveRoom) -> None:
        id = room.claim.id
        try:
            await room.rest()
        except Exception as error:
            if not isinstance(error, StoreError):
                logger.exception("%s can't be put to sleep", room.session)
            room.drop(error)
            del self._resting[id]  # it is on its way back
        else:
            del self._resting[id]
            self._drops.forget(id)
            asleep = {"views": room.audience.save(), "asleep": self.clock.now()}
            activation: bytes = msgpack.packb(asleep)
            if await self._claims.release(room.claim, activation):
                self._alarms.note(id, room.due())
            if room.audience.channels():
                self.endings.postpone(room)
            self._turn_out(room)
        self._go_on(id)

    def _go_on(self, id: SessionId) -> None:
        """An incarnation has ended: what came meanwhile is for the next one."""
        waiting = self._settled(id)
        if self.draining:
            for item in waiting.items:
                self._send_on(item, None)
        elif waiting.items or waiting.wanted:
            self._waiting(id, waiting.pause).items.extend(waiting.items)

    def _settled(self, id: SessionId) -> _Waiting:
        """A session is no longer between two incarnations."""
        waiting = self._between.pop(id)
        waiting.over.set()
        return waiting

    def _turn_out(self, room: LiveRoom) -> None:
        """The incarnation has ended: its connections are outside, and the routers are told."""
        id = room.claim.id
        for channel in room.audience.channels():
            self._links.outside(channel)
            if channel.presence is not None:  # wherever the next incarnation is
                self._links.send([Keep(channel.id, channel.attachment())])
            if self.draining:
                self._links.unheard(channel)
        self._links.everybody(Asleep(id.kind, id.session, room.claim.epoch))

    # ------------------------------------------------------------------ for `endings.py`

    def kind(self, name: str) -> type[Room] | None:
        """The author's class of this name, where this host has such rooms."""
        kind = self._kinds.get(name)
        return None if kind is None else kind.room

    def asleep(self, id: SessionId) -> bool:
        """Whether nothing of this session goes on here."""
        return (
            id not in self.live
            and id not in self._between
            and (self.processes is None or self.processes.find(id) is None)
        )

    def rested(self, id: SessionId) -> None:
        """A session fell asleep in a process of its own: what it is due for is in the store."""
        self._alarms.note(id, None)
        self._alarms.look()

    async def until_settled(self, id: SessionId) -> None:
        """Wait until a session is no longer between two incarnations."""
        while (waiting := self._between.get(id)) is not None:
            await waiting.over.wait()

    @property
    def quiet(self) -> bool:
        """Whether no session has a room here, or is to have one."""
        return not (self.live or self._between or self._tasks)

    @asynccontextmanager
    async def between(self, id: SessionId) -> AsyncIterator[LiveRoom | None]:
        """A session between two incarnations, for as long as the block lasts: whoever comes waits.
        Gives the room that was live until now.
        """
        await self.until_settled(id)
        self._between[id] = _Waiting()
        try:
            yield self.live.pop(id, None)
        finally:
            self._go_on(id)

    def bring_back(self, id: SessionId) -> None:
        """A session may be this host's without a room: wake it when the store answers again."""
        self._claims.orphans.add(id)

    def forget(self, id: SessionId) -> None:
        """The session is another one now."""
        self._claims.orphans.discard(id)
        self._drops.forget(id)
        self._alarms.look()

    # ------------------------------------------------------------------ trouble

    def dropped(self, room: LiveRoom, error: Exception) -> None:
        """A room is lost with what it hadn't stored: load it again from the store."""
        id = room.claim.id
        logger.warning("%s was dropped: %s", room.session, error)
        self.tally.drops += 1
        pause = self._drops.note(id, error, self.clock.elapsed())
        self._turn_out(room)
        entering = [channel for channel in self._links.of(id) if channel.entering]
        for channel in entering:  # the lost incarnation may have had them in its mind
            self._links.outside(channel)
        gone = isinstance(error, Fenced) and error.current is None
        resting = self.live.pop(id, None) is None
        if self.draining and not resting:
            for channel in entering:
                self._links.elsewhere(channel, None)
            return
        if not gone:
            self._claims.orphans.add(id)
        if entering or not gone:
            waiting = self._waiting(id, pause)
            waiting.wanted, waiting.pause = True, pause
            for channel in entering:
                self.enter(channel)

    def _lost(self) -> None:
        """The incarnation is dead: whatever its rooms hadn't stored never happened."""
        for room in [*self.live.values(), *self._resting.values()]:
            room.drop(StoreError("the host's lease is over"))
        if self.processes is not None:
            self.processes.evict()

    def _beaten(self) -> None:
        """The store answers: see what is due, and bring back what was lost."""
        self._alarms.look()
        self._sweep.look()
        for id in list(self._claims.orphans):
            self.wake(id)

    # ------------------------------------------------------------------ small things

    def stands(self) -> bool:
        """Whether the lease holds, so that rooms may answer from memory."""
        return self._lease.stands()

    async def standing(self) -> None:
        """Wait until the lease holds. Raises StoreError: not in time."""
        await self._lease.standing(REACHED_WITHIN)

    def send(self, messages: Iterable[Message]) -> None:
        """Send link messages, by this host's channel numbers."""
        self._links.send(messages)

    def shut(self, channel: Channel, refused: Closing) -> None:
        """Close a channel."""
        self._links.send([Close.of(channel.id, refused)])

    @property
    def leased(self) -> bool:
        """Whether the lease stood when it was last looked at."""
        return self._lease.holds

    def _send_on(self, item: Item | Ask, address: str | None) -> None:
        """Not here: at `address`, or at any other host."""
        if isinstance(item, Enter):
            if not item.channel.gone:
                self._links.elsewhere(item.channel, address)
        elif isinstance(item, Ask):
            item.elsewhere(address)

    def _refuse(self, item: Item | Ask, refused: Closing) -> None:
        if isinstance(item, Enter):
            self.shut(item.channel, refused)
        elif isinstance(item, Ask):
            item.refuse(refused)


class _Waiting:
    """What came for a session between two incarnations. `wanted`: wake it, whatever waits; `over`
    is set when it no longer is between them.
    """

    __slots__ = ("items", "over", "pause", "wanted")

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.items: deque[Item | Ask] = deque()
        self.wanted = False
        self.pause: float = 0

    def let_in_first(self) -> None:
        """Put connections before all else."""
        self.items = deque(sorted(self.items, key=lambda item: not isinstance(item, Enter)))
