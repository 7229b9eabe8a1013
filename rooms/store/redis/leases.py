"""Who lives, by the server's clock, and what becomes of the sessions of who doesn't.

In: heartbeats, and who has to know who lives. Out: the hosts that live; the dead are buried, so
that their sessions sleep. What is kept is said in `lua/leases.lua`; for stores of one process that
is `rooms/store/ownership.py`'s. Safety doesn't depend on it: who may write stands in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.store.port import REMEMBERED, HostInfo
from rooms.store.redis import scripts
from rooms.store.redis.keys import PARTITIONS, partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rooms.store.redis.asking import Asking
    from rooms.store.redis.line import Command

_BURIED_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Living:
    """Who lived at that time (ms of the server)."""

    now: int
    hosts: Mapping[str, HostInfo]
    dead: Sequence[str]  # whose sessions may not sleep yet


class Leases:
    """The leases in one store. So many `replicas` know of each before its host does."""

    def __init__(self, asking: Asking, replicas: int) -> None:
        self._asking = asking
        self._replicas = replicas
        self._announced: set[str] = set()

    async def renew(self, host: HostInfo, ttl: int) -> bool:
        """Let this incarnation live for `ttl` ms from now. False: it is dead."""
        name = host.incarnation
        said = {"address": host.address, "versions": dict(host.versions), "weight": host.weight}
        info = orjson.dumps({**said, "leaving": host.leaving})
        known = "1" if name in self._announced else ""
        alive = bool(await self._lease("beat", name, ttl, info, known))
        if alive:
            self._announced.add(name)
        else:
            self._announced.discard(name)
        return alive

    async def end(self, incarnation: str) -> None:
        """This incarnation is dead."""
        await self._lease("retire", incarnation)

    async def living(self, *incarnations: str) -> Living:
        """Who lives of these; of none: of all, and who has died."""
        now, living, dead = await self._lease("living", *incarnations)
        hosts = {}
        for place in range(0, len(living), 3):
            name, ends, info = living[place : place + 3]
            said = orjson.loads(info)
            incarnation = name.decode()
            hosts[incarnation] = HostInfo(incarnation, expires=int(float(ends)), **said)
        return Living(int(now), hosts, [one.decode() for one in dead])

    async def bury(self, seen: Living) -> None:
        """Let the sessions of the dead sleep, and forget what they only claimed. In each partition
        they are first kept from acquiring any more: what was asked before may come late.
        """
        dead, now, keys = seen.dead, seen.now, self._asking.keys
        asked: list[tuple[int, Command]] = []
        for partition in range(PARTITIONS):
            key = keys.index(partition, "dead")
            owners = keys.index(partition, "owners")
            scores = [part for one in dead for part in (now, one)]
            asked.append((partition, ("ZADD", key, *scores)))
            asked.append((partition, ("ZREMRANGEBYSCORE", key, "-inf", now - REMEMBERED)))
            asked += [(partition, ("ZRANGEBYLEX", owners, f"[{one},", f"({one}-")) for one in dead]
        replies = await self._asking.all(asked)
        owned = [one for reply in replies if isinstance(reply, list) for one in reply]
        for start in range(0, len(owned), _BURIED_AT_ONCE):
            releases = []
            for one in owned[start : start + _BURIED_AT_ONCE]:
                incarnation, _, name = one.decode().partition(",")
                args = (name, incarnation, "", "", "")
                partition = partition_of(name)
                session = keys.session(partition, name)
                releases.append((partition, scripts.RELEASE.command(session, *args)))
            await self._asking.all(releases)
        await self._lease("buried", *dead)

    async def _lease(self, what: str, *args: str | bytes | int) -> Any:
        asking = self._asking
        asking.check_open()
        command = scripts.LEASES.command(asking.keys.leases(), what, asking.time(), *args)
        replicas = self._replicas if what in ("beat", "retire") else 0
        [answer] = await asking.ask(0, command, replicas=replicas)
        return answer
