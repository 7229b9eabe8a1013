"""Whether a socket may be closed because its room is out of reach (SPEC, STORE10, ROUTE7, ROUTE10).

Not while its router has reached, for a while, the store and a host that reaches it too; unless
somebody lives who has the room, or may still have it, and can't be reached.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rooms.router.channels import Channel
    from tests.sim.fleet import Fleet
    from tests.sim.servers import Server
    from tests.sim.world import World

UNREACHED: Final = "this room is out of reach"
WELL_FOR: Final = 6.0
"""Whoever has been well for so long, a router has found (s): it gives a link to a dead one up after
4 s, and looks again at the latest after 2 s.
"""
WAITED: Final = 14.0
"""For so long (s) a host waits for its store, and a router for whoever has the room."""
NOTICED: Final = 3.0
"""How long it takes until a router acts on it that who had a room has it no more (s)."""


def well_since(server: Server) -> float:
    """Since when nothing has kept a process from its work, or from the store (s)."""
    now, process, way = server.world.loop.time(), server.process, server.way
    if not server.up or process.paused:
        return inf
    slow = min(now, way.slow_until) if way.slow_by else -inf
    cut = min(now, way.cut_off_until) if way.cut_off_until else -inf
    since: float = max(process.troubled, way.troubled, slow, cut, server.ready_at)
    return since


def excused(world: World, server: Server, channel: Channel) -> bool:
    """Whether this server of its own may: its store hasn't answered it, or another one has it."""
    owner = world.history.owner(_session(channel), world.lease_time() - NOTICED * 1000)
    elsewhere = owner is not None and owner not in _incarnations(server)
    return elsewhere or world.loop.time() - well_since(server) < WAITED


def excused_in_fleet(fleet: Fleet, router: Server, channel: Channel) -> bool:
    """Whether this router may."""
    now, lived = fleet.loop.time(), fleet.lease_time() - NOTICED * 1000
    hosts = [host for host in (*fleet.hosts, *fleet.retired) if host.up]

    def reached(host: Server) -> bool:
        link = frozenset((host.process.name, router.process.name))
        return now - max(well_since(host), fleet.network.troubled.get(link, -inf)) > WELL_FOR

    if now - well_since(router) < WELL_FOR:
        return True
    if channel.host is not None:  # which says so
        waited = [host for host in hosts if host.process.name == channel.host.info.address]
        for host in waited:
            listed = max(map(fleet.history.lives_until, _incarnations(host))) > lived
            if listed and now - well_since(host) < WAITED:
                return True
    owner = fleet.history.owner(_session(channel), lived)
    if owner is not None and not any(
        reached(host) for host in hosts if owner in _incarnations(host)
    ):
        return True
    takers = [host for host in fleet.hosts if host.stands and not host.draining]
    if any(host.next for host in fleet.hosts):  # who is stored by the next version needs it
        takers = [host for host in takers if host.next]
    return not any(reached(host) for host in takers)


def _session(channel: Channel) -> str:
    return "/".join(channel.session.name)


def _incarnations(server: Server) -> list[str]:
    """What a server's host has called itself, as far as the store may take it to live."""
    assert server.host is not None
    lease = server.host._rooms._lease
    return [lease.incarnation, *lease._former]
