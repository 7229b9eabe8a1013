"""What a server may keep: so much while it runs, and nothing once everybody has gone.

Asked of the real parts' own memory, so that a leak is seen in the world that makes it, not after a
week in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rooms.host.commits import MAX_AHEAD
from rooms.host.room import MAX_WAITING
from rooms.router.channels import MAX_HELD_BYTES, STOP_READING, STOP_READING_BYTES
from rooms.sync import messages
from rooms.sync.backlog import STEPS
from rooms.sync.fanout import UNWATCHED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rooms.host.host import Host
    from rooms.host.room import LiveRoom
    from rooms.router.routing import Routing
    from tests.sim.servers import Server

MARGIN = 256
"""How much numbered events may exceed a room's mailbox: a window for each of its clients."""


def exceeded(server: Server) -> Iterator[str]:
    """The bounds that a server doesn't keep."""
    if not server.ready:
        return
    for id, room in server.rooms.items():
        for what, is_so in _of_room(room):
            if not is_so:
                yield f"{id} on {server.process}: {what}"
    channels = {} if server.router is None else server.router._routing._channels
    for number, channel in channels.items():
        if (
            len(channel._unanswered) > STOP_READING + MARGIN
            or channel._unanswered_bytes > 2 * STOP_READING_BYTES
            or channel._held_bytes > MAX_HELD_BYTES
        ):
            yield f"channel {number} of {server.process} keeps too much"


def _of_room(room: LiveRoom) -> Iterator[tuple[str, bool]]:
    session, fanout = room.session, room.audience._fanout
    flown = len(room._commits.turns())
    yield f"{len(room._mailbox)} wait", len(room._mailbox) <= MAX_WAITING + MARGIN
    yield f"{flown} turns ahead", flown <= MAX_AHEAD
    yield f"{len(fanout._unwatched)} keys unwatched", len(fanout._unwatched) <= UNWATCHED
    watched = {place.key for place in fanout._places.values()}
    yield "keys nobody watches", set(fanout._watches) == watched | set(fanout._unwatched)
    for watch in fanout._watches.values():
        yield f"{len(watch.backlog._steps)} steps", len(watch.backlog._steps) <= STEPS
    for key in session.marks._marks:
        mark = session.marks.get(key)
        kept = 0 if mark is None else len(mark.outcomes)
        yield f"{kept} outcomes of one client", kept <= messages.MAX_UNANSWERED
    for client in session.clients.all():
        busy = client.conversation.received > client.conversation.settled
        here = client.channel is not None or bool(client.asks) or busy
        yield f"client {client.key!r} without anything", here


def left(server: Server) -> Iterator[str]:
    """What a server keeps though every connection has gone and every room sleeps."""
    if not server.ready:
        return
    inside = () if server.host is None else _kept_inside(server.host)
    outside = () if server.router is None else _kept_at_the_door(server, server.router._routing)
    for what, things in (*inside, *outside, *server.kept()):
        if things:
            yield f"{server.process} keeps {what}: {list(things)[:3]}"


def _kept_inside(host: Host) -> Iterator[tuple[str, Collection[object]]]:
    rooms, links = host._rooms, host._links
    yield "rooms", rooms.live
    yield "rooms that rest", rooms._resting
    yield "what waits for rooms", rooms._between
    yield "rooms to bring back", rooms._claims.orphans
    yield "tasks", rooms._tasks
    yield "channels", links._channels
    yield "lanes", links._lanes
    yield "hooks", host._hooks


def _kept_at_the_door(server: Server, routing: Routing) -> Iterator[tuple[str, Collection[object]]]:
    yield "channels at the door", routing._channels
    yield "sessions at the door", routing._sessions
    for host in routing._hosts:
        yield "lanes at the door", host.lanes
        yield "channels of a host at the door", host.channels
    yield "sessions that wait", routing._waiting
    yield "requests", routing._requests._asked
    yield "connections", server.connections._open
