"""The host: keeps rooms. Finds or wakes the room that a message is for, and lets idle ones sleep.

In: link messages of routers. A session's room is woken once, however many ask; what comes meanwhile
waits in order. Out: link messages by way of `links.py`. Next inward: `rooms/host/room.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgpack

from rooms.errors import CloseCode, Closing, Fenced, StoreError, Unstorable
from rooms.host import requests
from rooms.host.alarms import Alarms
from rooms.host.ask import Ask
from rooms.host.clock import Clock
from rooms.host.gate import Gate
from rooms.host.kinds import kind, viewer
from rooms.host.lease import Lease
from rooms.host.links import Links
from rooms.host.room import Claim
from rooms.host.turn import Enter, Heard, Renewed, Wanted
from rooms.host.waking import awaken
from rooms.link.protocol import (
    Asleep,
    Attach,
    Close,
    Detach,
    Keep,
    Live,
    Request,
    Said,
    Want,
)
from rooms.store.port import Held, SessionId

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from rooms.definition import Room
    from rooms.host.links import Channel
    from rooms.host.room import LiveRoom
    from rooms.host.turn import Item
    from rooms.link.memory import End
    from rooms.link.protocol import Message
    from rooms.store.port import Store
    from rooms.sync.views import Viewer
    from runtime import Effect

logger = logging.getLogger(__name__)

MAX_BUFFERED: Final = 1024
"""How many connections and requests wait for a room that is waking."""
MAX_HELD: Final = 1024
"""How much one connection may say before it is let in."""
STABLE: Final = 60_000
"""A room that lived so long before it was dropped is loaded again at once (ms)."""
FIRST_PAUSE: Final = 125
LONGEST_PAUSE: Final = 2_000


class Host:
    """One process's rooms.

    `address` is where other hosts' routers reach it. `chance(n)` gives n random bytes.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Room]],
        store: Store,
        *,
        clock: Clock | None = None,
        chance: Callable[[int], bytes] = os.urandom,
        address: str = "",
    ) -> None:
        self.clock = clock or Clock()
        self.gate = Gate(store)
        self._kinds = {name: kind(name, room) for name, room in kinds.items()}
        self._store = store
        self._chance = chance
        self._links = Links()
        self._lanes = count(1)
        self._rooms: dict[SessionId, LiveRoom] = {}
        self._resting: dict[SessionId, LiveRoom] = {}
        self._between: dict[SessionId, _Waiting] = {}
        self._drops: dict[SessionId, _Drop] = {}
        self._orphans: set[SessionId] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._hooks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._alarms = Alarms(store, self.clock, self._wake)
        self._lease = Lease(
            store,
            self.clock,
            address=address,
            versions={name: room.version() for name, room in kinds.items()},
            name=lambda: chance(8).hex(),
            lost=self._lost,
            beaten=self._beaten,
        )

    @property
    def incarnation(self) -> str:
        """This life of the host, for as long as its lease is valid."""
        return self._lease.incarnation

    def live(self) -> list[SessionId]:
        """The sessions that have a room here."""
        return list(self._rooms)

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Take up the lease; sessions that are due are woken. Raises StoreError."""
        asked = self.clock.elapsed()
        self.clock.measured(await self._store.now(), asked, self.clock.elapsed())
        await self._lease.begin()

    def serve(self, end: End) -> None:
        """Answer a router at this end of a link."""
        self._links.add(end)
        end.listen(lambda message: self._receive(end, message), lambda: self._link_lost(end))

    async def drain(self) -> None:
        """Let every room finish what it has, store it and give it back; then end the lease."""
        self._draining = True
        await self._alarms.stop()
        for hook in self._hooks:
            hook.cancel()
        for room in list(self._rooms.values()):
            self.idle(room)
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.gate.quiet()
        await self._lease.finish()

    # ------------------------------------------------------------------ what routers say

    def _receive(self, end: End, message: Message) -> None:
        match message:
            case Said(number, said):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._said(channel, said)
            case Want(number, cursor, settled):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._hear(channel, Wanted(channel, cursor, settled))
            case Attach():
                self._attach(end, message)
            case Detach(number):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._detach(channel)
            case Request():
                self._request(end, message)
            case _:
                logger.warning("a router said %s", type(message).__name__)

    def _attach(self, end: End, attach: Attach) -> None:
        kind = self._kinds.get(attach.kind)
        if kind is None:
            reason = f"there is no kind {attach.kind!r}"
            end.send(Close(attach.channel, CloseCode.NOT_FOUND, reason, None))
            return
        channel = self._links.open(end, attach, SessionId(attach.kind, attach.session))
        if attach.attachment is not None:
            channel.presence = attach.attachment
        if channel.viewer is not None:  # known from before its room slept
            self._enter(channel)
        elif not kind.authenticates:
            channel.viewer = viewer(attach.viewer)
            self._enter(channel)
        else:
            self._ask_author(self._identify(channel))

    async def _identify(self, channel: Channel) -> None:
        try:
            channel.viewer = await self._kinds[channel.at.kind].identify(channel.attach)
        except Closing as refused:
            self._refuse(Enter(channel), refused)
        else:
            if not channel.gone:
                self._enter(channel)

    def _renew(self, channel: Channel, said: Mapping[str, Any]) -> None:
        """A fresh token: the router has read it (`viewer`), or the author's rule does."""
        channel.attach = replace(channel.attach, token=said["token"])
        if "viewer" in said:
            self._renewed(channel, viewer(said["viewer"]))
        elif self._kinds[channel.at.kind].authenticates:
            self._ask_author(self._identify_again(channel))

    async def _identify_again(self, channel: Channel) -> None:
        try:
            known = await self._kinds[channel.at.kind].identify(channel.attach)
        except Closing as refused:
            self._refuse(Enter(channel), refused)
        else:
            self._renewed(channel, known)

    def _renewed(self, channel: Channel, known: Viewer) -> None:
        if channel.viewer is None or channel.gone:
            return
        if known.id != channel.viewer.id:
            reason = "that token is another viewer's; connect anew"
            self._refuse(Enter(channel), Closing(CloseCode.UNAUTHENTICATED, reason))
        elif known != channel.viewer:
            self._put(channel.at, Renewed(channel, known))

    def _enter(self, channel: Channel) -> None:
        """Put a channel before its room, and what it said meanwhile after it."""
        channel.entering = True
        self._put(channel.at, Enter(channel))
        for item in channel.held:
            self._put(channel.at, item)

    def _said(self, channel: Channel, said: dict[str, Any]) -> None:
        match said["type"]:
            case "room.presence":
                channel.presence = said["data"]
                self._share(channel)
            case "room.token":
                self._renew(channel, said)
            case _:
                self._hear(channel, Heard(channel, said))

    def _share(self, channel: Channel) -> None:
        room = self._rooms.get(channel.at)
        if room is not None and channel.inside:
            room.share(channel)
        elif channel.viewer is not None and not channel.entering:
            self._wake(channel.at)  # its router attaches it again

    def _hear(self, channel: Channel, item: Heard | Wanted) -> None:
        room = self._rooms.get(channel.at)
        if room is not None and channel.inside:
            room.put(item)
            return
        if len(channel.held) >= MAX_HELD:
            too_much = Closing(CloseCode.OVERLOADED, "too much waits for this room")
            self._refuse(Enter(channel), too_much)
            return
        channel.held.append(item)
        if channel.viewer is None:
            return  # goes on when it's known who that is
        if channel.entering:
            self._put(channel.at, item)
        else:
            self._wake(channel.at)  # it fell asleep at this moment: the router attaches again

    def _detach(self, channel: Channel) -> None:
        self._links.forget(channel)
        room = self._rooms.get(channel.at)
        if room is not None:
            room.gone(channel)
        elif self._kinds[channel.at.kind].heard and not self._draining:
            self._wake(channel.at)  # somebody's seat is away now

    def _request(self, end: End, request: Request) -> None:
        kind = self._kinds.get(request.kind)
        if kind is None:
            reason = f"there is no kind {request.kind!r}"
            nobody = Ask(end, request.request, viewer(request.viewer), create=False)
            nobody.refuse(Closing(CloseCode.NOT_FOUND, reason))
        elif not kind.authenticates:
            self._ask(end, request, viewer(request.viewer))
        else:
            self._ask_author(self._identify_asker(end, request))

    async def _identify_asker(self, end: End, request: Request) -> None:
        try:
            known = await self._kinds[request.kind].identify(request)
        except Closing as refused:
            Ask(end, request.request, viewer(request.viewer), create=False).refuse(refused)
        else:
            self._ask(end, request, known)

    def _ask(self, end: End, request: Request, known: Viewer) -> None:
        ask = requests.read(end, request, self._kinds[request.kind], known)
        if ask is not None:
            self._put(SessionId(request.kind, request.session), ask)

    def _link_lost(self, end: End) -> None:
        """A router is gone, and with it all its connections."""
        for channel in self._links.remove(end):
            room = self._rooms.get(channel.at)
            if room is not None:
                room.gone(channel)

    # ------------------------------------------------------------------ find or wake

    def _put(self, id: SessionId, item: Item | Ask) -> None:
        room = self._rooms.get(id)
        if room is not None:
            room.put(item)
        elif self._draining:
            self._refuse(item, Closing(CloseCode.GOING_AWAY, "this host is going away"))
        else:
            items = self._waiting(id).items
            if len(items) < MAX_BUFFERED or isinstance(item, Heard | Wanted):
                items.append(item)  # what connections say is bounded for each of them
            else:
                self._refuse(item, Closing(CloseCode.OVERLOADED, "too much waits for this room"))

    def _wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""
        if id not in self._rooms and not self._draining and id.kind in self._kinds:
            self._waiting(id).wanted = True

    def _waiting(self, id: SessionId, pause: float = 0) -> _Waiting:
        """Where items wait for this session's room; it is brought, after a pause (ms)."""
        waiting = self._between.get(id)
        if waiting is None:
            waiting = self._between[id] = _Waiting()
            self._do(self._bring(id, pause))
        return waiting

    async def _bring(self, id: SessionId, pause: float) -> None:
        """Acquire a session and bring it to life, then hand over what has waited."""
        if pause:
            await _passed(pause)
        try:
            room, effects = await self._acquire(id)
        except Closing as refused:
            for item in self._between.pop(id).items:
                self._refuse(item, refused)
            return
        self._rooms[id] = room
        waiting = self._between.pop(id)
        self._links.everybody(Live(id.kind, id.session, room.claim.epoch))
        room.begin(effects)
        for item in waiting.items:
            room.put(item)
        if self._draining:
            self.idle(room)

    async def _acquire(self, id: SessionId) -> tuple[LiveRoom, tuple[Effect, ...]]:
        """Raises Closing: 1013 the store can't say, or another host has it; 4409."""
        try:
            await self._lease.standing()
            incarnation = self.incarnation
            acquired = await self._store.acquire(id, incarnation)
        except StoreError as error:
            logger.warning("%s can't be acquired: %s", id, error)
            raise Closing(CloseCode.OVERLOADED, "this room is out of reach") from error
        self._orphans.discard(id)
        if isinstance(acquired, Held):
            raise Closing(CloseCode.OVERLOADED, "another host has this room")
        claim = Claim(id, incarnation, acquired.epoch, acquired.generation)
        dropped = self._drops.get(id)
        try:
            return awaken(
                self,
                self._kinds[id.kind],
                claim,
                acquired.record,
                chance=self._chance,
                lanes=self._lanes,
                careful=dropped is not None and dropped.careful,
            )
        except Exception as error:
            activation = None if acquired.record is None else acquired.record.activation
            await self._release(claim, activation)
            if isinstance(error, Closing):
                raise
            logger.exception("%s can't be read", id)
            reason = "what is stored of this room can't be read"
            raise Closing(CloseCode.UNRESTORABLE, reason) from error

    # ------------------------------------------------------------------ sleep

    def idle(self, room: LiveRoom) -> None:
        """Let a room sleep. What comes for it meanwhile wakes the next incarnation."""
        id = room.claim.id
        if self._rooms.get(id) is room:
            del self._rooms[id]
            self._resting[id] = room
            self._between[id] = _Waiting()
            self._do(self._rest(room))

    async def _rest(self, room: LiveRoom) -> None:
        id = room.claim.id
        try:
            await room.rest()
        except StoreError:
            del self._resting[id]  # it was dropped, and is on its way back
        else:
            del self._resting[id]
            self._drops.pop(id, None)
            activation: bytes = msgpack.packb(room.audience.save())
            if await self._release(room.claim, activation):
                self._alarms.note(id, room.due())
            self._turn_out(room)
        waiting = self._between.pop(id)
        if self._draining:
            going = Closing(CloseCode.GOING_AWAY, "this host is going away")
            for item in waiting.items:
                self._refuse(item, going)
        elif waiting.items or waiting.wanted:
            self._waiting(id, waiting.pause).items.extend(waiting.items)

    async def _release(self, claim: Claim, activation: bytes | None) -> bool:
        try:
            return await self._store.release(claim.id, claim.incarnation, claim.epoch, activation)
        except StoreError as error:
            logger.warning("%s can't be released: %s", claim.id, error)
            self._orphans.add(claim.id)
            return False

    def _turn_out(self, room: LiveRoom) -> None:
        """The incarnation has ended: its connections are outside, and the routers are told."""
        id = room.claim.id
        for channel in room.audience.channels():
            self._links.outside(channel)
            if channel.presence is not None:  # wherever the next incarnation is
                self._links.send([Keep(channel.id, channel.presence)])
        self._links.everybody(Asleep(id.kind, id.session, room.claim.epoch))

    # ------------------------------------------------------------------ trouble

    def dropped(self, room: LiveRoom, error: Exception) -> None:
        """A room is lost with what it hadn't stored: load it again from the store."""
        id = room.claim.id
        logger.warning("%s was dropped: %s", id, error)
        now, before = self.clock.elapsed(), self._drops.get(id)
        times = 1 if before is None or now - before.at > STABLE else before.times + 1
        careful = isinstance(error, Unstorable) or (before is not None and before.careful)
        self._drops[id] = _Drop(times, now, careful)
        pause = 0 if times == 1 else min(FIRST_PAUSE << times - 2, LONGEST_PAUSE)
        self._turn_out(room)
        entering = [channel for channel in self._links.of(id) if channel.entering]
        for channel in entering:  # the lost incarnation may have had them in its mind
            self._links.outside(channel)
        gone = isinstance(error, Fenced) and error.current is None
        resting = self._rooms.pop(id, None) is None
        if self._draining and not resting:
            for channel in entering:
                self._refuse(Enter(channel), Closing(CloseCode.GOING_AWAY, "going away"))
            return
        if not gone:
            self._orphans.add(id)
        if entering or not gone:
            waiting = self._between[id] if resting else self._waiting(id, pause)
            waiting.wanted, waiting.pause = True, pause
            for channel in entering:
                self._enter(channel)

    def _lost(self) -> None:
        """The incarnation is dead: whatever its rooms hadn't stored never happened."""
        for room in [*self._rooms.values(), *self._resting.values()]:
            room.drop(StoreError("the host's lease is over"))

    def _beaten(self) -> None:
        """The store answers: see what is due, and bring back what was lost."""
        self._alarms.look()
        for id in list(self._orphans):
            self._wake(id)

    # ------------------------------------------------------------------ small things

    def stands(self) -> bool:
        """Whether the lease holds, so that rooms may answer from memory."""
        return self._lease.stands()

    def send(self, messages: Iterable[Message]) -> None:
        """Send link messages, by this host's channel numbers."""
        self._links.send(messages)

    def _refuse(self, item: Item | Ask, refused: Closing) -> None:
        if isinstance(item, Enter):
            code, reason, retry_after = refused.code, refused.reason, refused.retry_after
            self._links.send([Close(item.channel.id, code, reason, retry_after)])
        elif isinstance(item, Ask):
            item.refuse(refused)

    def _do(self, work: Coroutine[None, None, None]) -> None:
        """Work that drain waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ask_author(self, work: Coroutine[None, None, None]) -> None:
        """An author's hook that may take its time; drain ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self._hooks.add(task)
        task.add_done_callback(self._hooks.discard)


class _Waiting:
    """What came for a session between two incarnations. `wanted`: wake it, whatever waits."""

    __slots__ = ("items", "pause", "wanted")

    def __init__(self) -> None:
        self.items: deque[Item | Ask] = deque()
        self.wanted = False
        self.pause: float = 0


class _Drop(NamedTuple):
    """How often a session's room was dropped of late, and whether its state couldn't be stored."""

    times: int
    at: float
    careful: bool


async def _passed(ms: float) -> None:
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(ms / 1000, passed.set_result, None)
    await passed
