"""The host: where routers' messages come in. Says who is there, and puts what they say before the
session's room.

In: link messages of routers. Out: items for rooms, which `keeper.py` finds or wakes; what can be
answered without a room is answered here. Next inward: `rooms/host/keeper.py`, then
`rooms/host/room.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from rooms.errors import BadMessage, CloseCode, Closing
from rooms.host import requests
from rooms.host.administration import Administration
from rooms.host.ask import Ask
from rooms.host.channels import Heard, Wanted
from rooms.host.clock import Clock
from rooms.host.door import OPERATOR
from rooms.host.keeper import RoomKeeper
from rooms.host.kinds import kind, viewer
from rooms.host.links import Links
from rooms.host.listing import Lobby
from rooms.host.post import Posted
from rooms.host.turn import Leave, Renewed
from rooms.link.protocol import (
    Answer,
    Attach,
    Close,
    Detach,
    Gathered,
    Hosted,
    Keep,
    Request,
    Said,
    Want,
)
from rooms.store.port import SessionId
from rooms.sync import party
from rooms.tally import HostTally
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.definition import Room
    from rooms.host.channels import Channel
    from rooms.host.room import LiveRoom
    from rooms.host.tenant import Nursery
    from rooms.host.watched import Doing
    from rooms.link.memory import End
    from rooms.link.protocol import Message
    from rooms.store.port import HostInfo, Store
    from rooms.sync.views import Viewer

logger = logging.getLogger(__name__)

MAX_HELD: Final = 1024
"""How much one connection may say before it is let in."""


class Host:
    """One process's rooms.

    `address` is where routers reach it, `weight` its share of the sessions beside other hosts',
    `pages` the folder of the application's pages. `chance(n)` gives n random bytes. Rooms that are
    to have processes of their own get them from `nursery`, where there is one. In such a process
    `doing` is told what its room is at, and numbers begin at `first`.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Room]],
        store: Store,
        *,
        clock: Clock | None = None,
        chance: Callable[[int], bytes] = os.urandom,
        address: str = "",
        weight: float = 1,
        pages: str | None = None,
        nursery: Nursery | None = None,
        first: int = 1,
        doing: Doing | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self._kinds = {name: kind(name, room) for name, room in kinds.items()}
        self.tally = HostTally()
        self._links = Links(self.tally)
        self._store = store
        self._rooms = RoomKeeper(
            self._kinds,
            store,
            self._links,
            self.clock,
            tally=self.tally,
            chance=chance,
            address=address,
            weight=weight,
            first=first,
            doing=doing,
            nursery=nursery,
        )
        self.pace = self._rooms.pace
        """How its time is shared out."""
        self.processes = self._rooms.processes
        """Its rooms that have processes of their own, where it has a nursery."""
        self._guests = None if self.processes is None else self.processes.guests
        self._lobby = Lobby(store)
        self._administration = Administration(self._rooms, store)
        kinds_told = {name: kind.authenticates for name, kind in self._kinds.items()}
        self._hosted = Hosted(kinds_told, pages)
        self._hooks = Tasks()  # authors' and operators' work, which may take its time
        self._identifying: dict[Channel, asyncio.Task[None]] = {}

    @property
    def incarnation(self) -> str:
        """This life of the host, for as long as its lease is valid."""
        return self._rooms.incarnation

    @property
    def info(self) -> HostInfo:
        """What this host announces."""
        return self._rooms.info

    @property
    def rooms(self) -> Mapping[SessionId, LiveRoom]:
        """The rooms that are live here, by session."""
        return self._rooms.live

    def owed(self) -> tuple[int, int]:
        """How many durable effects live rooms owe: that wait, and that failed for good."""
        waiting, dead = (0, 0) if self.processes is None else self.processes.owed()
        for room in self._rooms.live.values():
            for entry in room.session.outbox.entries.values():
                waiting += entry.dead is None
                dead += entry.dead is not None
        return waiting, dead

    @property
    def kinds(self) -> list[str]:
        """The names of what it has rooms of."""
        return list(self._kinds)

    @property
    def leased(self) -> bool:
        """Whether its lease stands."""
        return self._rooms.leased

    @property
    def state(self) -> str:
        """`ready` while it takes sessions; else `draining` or `no lease`."""
        if self._rooms.draining:
            return "draining"
        return "ready" if self._rooms.leased else "no lease"

    @property
    def quiet(self) -> bool:
        """Whether nothing goes on in it."""
        return self._rooms.quiet and not self._hooks and not self._identifying

    def wake(self, id: SessionId) -> None:
        """Wake a session, though nobody waits for an answer."""
        self._rooms.wake(id)

    def live(self) -> list[SessionId]:
        """The sessions that have a room here."""
        apart = [] if self.processes is None else self.processes.live()
        return [*self._rooms.live, *apart]

    async def start(self) -> None:
        """Take up the lease; sessions that are due are woken. Raises StoreError."""
        await self._rooms.start()

    def serve(self, end: End) -> None:
        """Answer a router at this end of a link."""
        self._links.add(end)
        end.send(self._hosted)
        if self._guests is not None:
            self._guests.came(end)
        self._rooms.gatherings.came(end)
        end.listen(lambda message: self._receive(end, message), lambda: self._link_lost(end))

    async def drain(self) -> None:
        """Let every room finish what it has, store it and give it back; then end the lease."""
        for hook in self._hooks:
            hook.cancel()
        await self._rooms.drain()

    # ------------------------------------------------------------------ what routers say

    def _receive(self, end: End, message: Message) -> None:
        match message:
            case Said(number, said, trace):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._said(channel, said, trace)
                elif self._guests is not None:
                    self._guests.said(end, message)
            case Want(number, cursor, settled, present):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._hear(channel, Wanted(channel, cursor, settled, present))
                elif self._guests is not None:
                    self._guests.said(end, message)
            case Attach():
                self._attach(end, message)
            case Detach(number, moved):
                channel = self._links.find(end, number)
                if channel is not None:
                    self._detach(channel, moved=moved)
                elif self._guests is not None:
                    self._guests.said(end, message)
            case Request():
                self._request(end, message)
            case Answer():
                self._rooms.post.answered(message)
                if self._guests is not None:
                    self._guests.answered(end, message)
            case Gathered(name, session, epoch):
                if self._guests is not None and self._rooms.apart(name):
                    self._guests.gathered(end, message)
                else:
                    self._gathered(end, SessionId(name, session), epoch)
            case _:
                logger.warning("a router said %s", type(message).__name__)

    def _attach(self, end: End, attach: Attach) -> None:
        kind = self._kinds.get(attach.kind)
        if kind is None:
            refused = Closing(CloseCode.NOT_FOUND, f"there is no kind {attach.kind!r}")
            end.send(Close.of(attach.channel, refused))
            return
        if self._guests is not None and self._rooms.apart(attach.kind):
            self._guests.attach(end, attach)
            return
        if attach.codec == "party" and kind.hooks:
            attach.codec = "raw"
        channel = self._links.open(end, attach, SessionId(attach.kind, attach.session))
        channel.attach_again(attach.attachment)
        if channel.viewer is not None:  # known from before its room slept
            self._rooms.enter(channel)
        elif attach.operator:
            self._enter(channel, viewer(attach.viewer) if attach.viewer["id"] else OPERATOR)
        elif not kind.authenticates:
            self._enter(channel, viewer(attach.viewer))
        else:
            task = self._hooks.begin(self._identify(channel, self._enter))
            self._identifying[channel] = task
            task.add_done_callback(lambda _: self._identifying.pop(channel, None))

    def _enter(self, channel: Channel, known: Viewer) -> None:
        """It is known who is there."""
        channel.viewer = known
        if not channel.gone:
            self._rooms.enter(channel)

    async def _identify(self, channel: Channel, go_on: Callable[[Channel, Viewer], None]) -> None:
        """Ask the author who is there, and go on with that."""
        try:
            known = await self._kinds[channel.at.kind].identify(channel.attach)
        except Closing as refused:
            self._rooms.shut(channel, refused)
        else:
            go_on(channel, known)

    def _gathered(self, end: End, id: SessionId, epoch: int) -> None:
        """A router has attached all that it has; they are there when it is known who they are."""
        its = [each for each in self._identifying if each.end is end and each.at == id]
        if its:
            asked = [self._identifying[channel] for channel in its]
            self._hooks.begin(self._gathered_after(asked, end, id, epoch))
        else:
            self._rooms.gatherings.answered(end, id, epoch)

    async def _gathered_after(
        self, asked: list[asyncio.Task[None]], end: End, id: SessionId, epoch: int
    ) -> None:
        await asyncio.wait(asked)
        self._rooms.gatherings.answered(end, id, epoch)

    def _renew(self, channel: Channel, said: Mapping[str, Any]) -> None:
        """A fresh token: the router has read it (`viewer`), or the author's rule does."""
        channel.attach = replace(channel.attach, token=said["token"])
        if "viewer" in said:
            self._renewed(channel, viewer(said["viewer"]))
        elif self._kinds[channel.at.kind].authenticates:
            self._hooks.begin(self._identify(channel, self._renewed))

    def _renewed(self, channel: Channel, known: Viewer) -> None:
        if channel.viewer is None or channel.gone:
            return
        if known.id != channel.viewer.id:
            reason = "that token is another viewer's; connect anew"
            self._rooms.shut(channel, Closing(CloseCode.UNAUTHENTICATED, reason))
        elif known != channel.viewer:
            self._rooms.put(channel.at, Renewed(channel, known))

    def _said(self, channel: Channel, said: dict[str, Any], trace: str | None = None) -> None:
        if channel.attach.operator:
            return  # it watches
        match said["type"]:
            case "room.presence":
                channel.presence = said["data"]
                self._share(channel)
            case "room.token":
                self._renew(channel, said)
            case party.SAID if not self._kinds[channel.at.kind].hooks:
                self._said_in_dialect(channel, said["data"])
            case _:
                self._hear(channel, Heard(channel, said, trace))

    def _said_in_dialect(self, channel: Channel, data: str | bytes) -> None:
        """A client of `/parties` to a machine; it has no ear for a refusal."""
        try:
            self._said(channel, party.read(data))
        except BadMessage as refused:
            logger.info("refused at %s: %s", channel.at, refused)

    def _share(self, channel: Channel) -> None:
        room = self._rooms.live.get(channel.at)
        if room is not None and channel.inside:
            room.share(channel)
            return
        self._links.send([Keep(channel.id, channel.attachment())])  # wherever its room wakes
        if channel.viewer is not None and not channel.entering:
            self._rooms.wake(channel.at)  # its router attaches it again

    def _hear(self, channel: Channel, item: Heard | Wanted) -> None:
        room = self._rooms.live.get(channel.at)
        if room is not None and channel.inside:
            room.put(item)
            return
        if len(channel.held) >= MAX_HELD:
            too_much = Closing(CloseCode.OVERLOADED, "too much waits for this room")
            self._rooms.shut(channel, too_much)
            return
        if (
            type(item) is Heard
            and item.message["type"] in self._kinds[channel.at.kind].room.volatile
        ):
            channel.held = [each for each in channel.held if not _same_type(each, item)]
        channel.held.append(item)
        if channel.viewer is None:
            return  # goes on when it's known who that is
        if channel.entering:
            self._rooms.put(channel.at, item)
        elif self._rooms.draining:
            self._links.unheard(channel)
        else:
            self._rooms.wake(channel.at)  # it fell asleep at this moment: the router attaches again

    def _detach(self, channel: Channel, *, moved: bool = False) -> None:
        self._links.forget(channel)
        room = self._rooms.live.get(channel.at)
        if room is not None:
            room.gone(channel)
        elif channel.attach.operator or moved:
            return
        elif "on_close" in self._kinds[channel.at.kind].hooks:
            self._links.outside(channel)  # of the incarnation that slept
            self._rooms.put(channel.at, Leave(channel))
        elif self._kinds[channel.at.kind].heard:
            self._rooms.wake(channel.at)  # somebody's seat is away now

    def _request(self, end: End, request: Request) -> None:
        if self._guests is not None and request.session and self._rooms.apart(request.kind):
            self._guests.request(end, request)
            return
        if request.operator:
            self._hooks.begin(self._administration.answer(end, request))
            return
        kind = self._kinds.get(request.kind)
        if kind is None:
            refused = Closing(CloseCode.NOT_FOUND, f"there is no kind {request.kind!r}")
            end.send(Answer.of(request.request, refused))
        elif not request.session and not kind.room.listed:
            refused = Closing(CloseCode.NOT_FOUND, f"the rooms of {kind.name} aren't listed")
            end.send(Answer.of(request.request, refused))
        elif request.letter is not None:
            self._rooms.put(SessionId(request.kind, request.session), Posted(end, request))
        elif not kind.authenticates:
            self._ask(end, request, viewer(request.viewer))
        else:
            self._hooks.begin(self._identify_asker(end, request))

    async def _identify_asker(self, end: End, request: Request) -> None:
        try:
            known = await self._kinds[request.kind].identify(request)
        except Closing as refused:
            end.send(Answer.of(request.request, refused))
        else:
            self._ask(end, request, known)

    def _ask(self, end: End, request: Request, known: Viewer) -> None:
        if not request.session:
            asked = Ask(end, request.request, known, create=False)
            asked.known = request.headers.get("if-none-match")
            self._hooks.begin(self._lobby.answer(asked, request.kind, request.params))
            return
        ask = requests.read(end, request, self._kinds[request.kind], known, self._store)
        if ask is not None:
            self._rooms.put(SessionId(request.kind, request.session), ask)

    def _link_lost(self, end: End) -> None:
        """A router is gone, and with it all its connections."""
        self._rooms.gatherings.lost(end)
        self._rooms.post.lost(end)
        if self._guests is not None:
            self._guests.lost(end)
        for channel in self._links.remove(end):
            self._detach(channel)


def _same_type(one: Heard | Wanted, other: Heard) -> bool:
    return type(one) is Heard and one.message["type"] == other.message["type"]
