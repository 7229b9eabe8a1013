"""Dialing: a link from this router to every host that the store lists.

In: the store's list, looked at twice a second. Out: links, one a host; and what the store says of
hosts that have one. A host that can't be reached is dialled again at the next look.

Next: `rooms/router/routing.py`, which is told who has come and who is lost.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from rooms.errors import LinkError, StoreError
from rooms.link.stream import LINK, dial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rooms.link.protocol import Message
    from rooms.link.stream import StreamEnd, Tls, Traffic
    from rooms.router.channels import Host
    from rooms.router.router import Router
    from rooms.store.port import HostInfo, Store

logger = logging.getLogger(__name__)

LOOK_EVERY: Final = 0.5  # s


class Dialing:
    """The links of one router. `changed` gets the addresses of all that there are, each time that
    one comes or goes.
    """

    def __init__(
        self,
        router: Router,
        store: Store,
        secret: bytes,
        *,
        tls: Tls | None,
        traffic: Traffic,
        changed: Callable[[list[str]], None],
    ) -> None:
        self._router = router
        self._store = store
        self._secret = secret
        self._tls = tls
        self._traffic = traffic
        self._changed = changed
        self._hosts: dict[str, Host] = {}
        self._ends: dict[str, StreamEnd[Message]] = {}
        self._dialing: dict[str, asyncio.Task[None]] = {}
        self._unreached: set[str] = set()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, now and from now on."""
        self._looking = asyncio.get_running_loop().create_task(self._look_on())

    async def stop(self) -> None:
        """Look no more, and end every link."""
        tasks = [*self._dialing.values(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for end in self._ends.values():
            end.close()

    async def _look_on(self) -> None:
        while True:
            try:
                self._look(await self._store.hosts())
            except StoreError as error:
                logger.warning("the hosts can't be listed: %s", error)
            await asyncio.sleep(LOOK_EVERY)  # noqa: TID251 - between two looks

    def _look(self, hosts: Sequence[HostInfo]) -> None:
        newest = {host.address: host for host in sorted(hosts, key=lambda one: one.expires)}
        self._unreached &= newest.keys()
        for address, host in self._hosts.items():
            self._router.listed(host, newest.get(address))
        for address, info in newest.items():
            if address not in self._hosts and address not in self._dialing and not info.leaving:
                dialing = asyncio.get_running_loop().create_task(self._dial(info))
                self._dialing[address] = dialing

    async def _dial(self, info: HostInfo) -> None:
        address = info.address
        try:
            end = await dial(address, self._secret, LINK, tls=self._tls, traffic=self._traffic)
        except LinkError as error:
            if address not in self._unreached:
                self._unreached.add(address)
                logger.warning("a host can't be reached: %s", error)
        else:
            self._unreached.discard(address)
            self._ends[address] = end
            self._hosts[address] = self._router.meet(info, end, lambda: self._lost(address))
            self._changed(list(self._hosts))
        finally:
            del self._dialing[address]

    def _lost(self, address: str) -> None:
        self._hosts.pop(address, None)
        self._ends.pop(address, None)
        self._changed(list(self._hosts))
