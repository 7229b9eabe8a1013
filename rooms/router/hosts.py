"""The hosts that a router has a link to, and where a session goes (PURE).

A session that some host has is that host's, as its record says; which one a sleeping session wakes
at is the ring's to say (`rooms/placement/ring.py`). Next: `rooms/router/routing.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rooms.placement.ring import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rooms.router.channels import Host

MAX_HOPS: Final = 3
"""How often something is sent on from host to host before there is a pause."""
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0


def pause(pauses: int) -> float:
    """How long to wait before a host is looked for again, after so many pauses (s)."""
    return min(FIRST_PAUSE * (1 << pauses), LONGEST_PAUSE)


class Hosts:
    """All hosts of one router."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    def __iter__(self) -> Iterator[Host]:
        return iter(list(self._hosts.values()))

    def add(self, host: Host) -> None:
        """There is a link to it."""
        self._hosts[host.info.address] = host

    def remove(self, host: Host) -> bool:
        """There is none any more. False: there wasn't."""
        known = self._hosts.get(host.info.address) is host
        if known:
            del self._hosts[host.info.address]
        return known

    def at(self, address: str) -> Host | None:
        """The host with this address, if there is a link to it."""
        return self._hosts.get(address)

    def place(self, kind: str, session: str) -> Host | None:
        """Where this session is to wake; None: no host would have it."""
        infos = [host.info for host in self._hosts.values()]
        found = place(kind, session, infos)
        if found is not None:
            return self._hosts[found.address]
        if any(kind in info.versions for info in infos):
            return None
        return next(iter(self._hosts.values()), None)  # it says that there is no such kind
