"""Guards of the distributed store, each switched off: on servers that fail it comes to a harm that
somebody sees.
"""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import StoreError
from rooms.host import waking
from rooms.host.outbox import Outbox
from rooms.store.redis import cluster, line, scripts
from rooms.store.redis.asking import Asking
from rooms.store.redis.cluster import Cluster
from rooms.store.redis.leases import Leases
from rooms.store.redis.scripts import Script
from rooms.store.redis.servers import Single
from rooms.sync import fanout
from tests.histories import rules
from tests.sim.mutants import applied
from tests.sim.redis.scripts import (
    asleep_over_a_loss,
    demoted_unheard,
    heartbeats_lost,
    owed_and_lost,
    owned_at_one,
    written_at_one,
)
from tests.sim.redis.worlds import RedisFleet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.redis.worlds import Level
    from tests.sim.world import Script as Arranged

WITHIN = 30


def _in_lua(swap: Any, name: str, old: str, new: str) -> None:
    """One of the scripts, with something else in one place."""
    script: Script = getattr(scripts, name)
    assert script.text.count(old) == 1, old
    changed = Script(text := script.text.replace(old, new), sha1(text.encode()).hexdigest())
    every = [changed if one is script else one for one in scripts.ALL]
    swap(scripts, name, changed)
    swap(scripts, "ALL", every)
    swap(line, "_BRING", [line._pack(("SCRIPT", "LOAD", one.text)) for one in every])


def nothing_compared(swap: Any) -> None:
    """A commit is written onto whatever is there."""
    _in_lua(swap, "COMMIT", "if held[place] ~= ARGV[place] then", "if false then")


def revision_not_compared(swap: Any) -> None:
    """After a failover an owner's commit is written, though what it follows was lost."""
    _in_lua(swap, "COMMIT", "for place = 1, 4 do", "for place = 1, 3 do")


def owner_not_looked_at(swap: Any) -> None:
    """A session is given to whoever asks."""
    _in_lua(swap, "ACQUIRE", "and owner ~= gone then", "and false then")


def expired_renews(swap: Any) -> None:
    """An incarnation that has expired lives again with its next heartbeat."""
    _in_lua(swap, "LEASES", "(ends and tonumber(ends) <= now)", "(ends and false)")


def wait_not_looked_at(swap: Any) -> None:
    """However few replicas have something, it is answered."""
    exchange = line._exchange

    async def enough(connection: Any, commands: Any) -> Any:
        replies = await exchange(connection, commands)
        if any(b"WAIT" in command[:20] for command in commands[-1:]):
            replies[-1] = 99
        return replies

    swap(line, "_exchange", enough)


def waits_on_another_connection(swap: Any) -> None:
    """WAIT is sent on a connection that didn't write what is waited for."""

    async def ask(self: Any, asked: Any, *, replicas: int = 0, commits: bool = False) -> Any:
        lines = self._commits, self._others
        mine, other = lines if commits else lines[::-1]
        try:
            replies = await mine.ask([command for _, command in asked])
            if replicas:
                await other.ask([("EXISTS", "nothing")], replicas)
        except StoreError as error:
            return [error] * len(asked)
        return replies

    swap(Single, "ask", ask)


def heartbeat_not_replicated(swap: Any) -> None:
    """A host believes in its lease when the primary has its heartbeat."""
    lease = Leases._lease

    async def at_primary(self: Any, what: str, *args: Any) -> Any:
        wanted, self._replicas = self._replicas, 0 if what == "beat" else self._replicas
        try:
            asked = lease(self, what, *args)
            return await asked
        finally:
            self._replicas = wanted

    swap(Leases, "_lease", at_primary)


def ownership_not_replicated(swap: Any) -> None:
    """A host believes that a session is its own when the primary says so."""
    run = Asking.run

    async def at_primary(self: Any, script: Any, *args: Any, replicas: int = 0) -> Any:
        return await run(self, script, *args)

    swap(Asking, "run", at_primary)


def former_primary_kept(swap: Any) -> None:
    """A server that says that it is no primary any more is asked on."""
    swap(line, "NOT_NOW", ())


def moved_is_refused(swap: Any) -> None:
    """That a slot is elsewhere, or moves, counts as a refusal."""
    swap(cluster, "MovedError", ())
    swap(cluster, "TryAgainError", ())


def cluster_looked_at_once(swap: Any) -> None:
    """Who has what is asked once."""
    find = Cluster._find

    async def once(self: Any) -> Any:
        found = self.__dict__.setdefault("found", None) or await find(self)
        self.__dict__["found"] = found
        return found

    swap(Cluster, "_find", once)
    swap(cluster, "TRIES", 2)  # nobody waits for what won't be


def counted_again(swap: Any) -> None:
    """What is owed is counted on from what the store has."""
    swap(waking, "Outbox", lambda stored, now, **others: Outbox(stored, now=0, **others))


def saved_views_believed(swap: Any) -> None:
    """A cursor from before a sleep is good whatever the view is now."""
    swap(fanout, "_hash", lambda view: "same")


HARM: dict[Callable[[Any], None], tuple[Level, dict[str, Any], Arranged | None, set[str]]] = {
    nothing_compared: ("primary", {}, owed_and_lost, {"committer", "gapless"}),
    revision_not_compared: ("primary", {}, owed_and_lost, {"gapless"}),
    owner_not_looked_at: ("replicated", {}, None, {"stolen"}),
    expired_renews: (
        "replicated",
        {"machines": {"pause": 4.0, "cut off": 4.0}},
        None,
        {"undead incarnation"},
    ),
    wait_not_looked_at: ("replicated", {}, written_at_one, {"lost", "undurable"}),
    waits_on_another_connection: ("replicated", {}, written_at_one, {"lost", "undurable"}),
    heartbeat_not_replicated: (
        "replicated",
        {"copies": 1, "sleep_after": 20_000},
        heartbeats_lost,
        {"stale", "went back"},
    ),
    ownership_not_replicated: (
        "replicated",
        {"copies": 1, "sleep_after": 8_000},
        owned_at_one,
        {"stale", "went back"},
    ),
    former_primary_kept: (
        "replicated",
        {},
        demoted_unheard,
        {"unavailable", "unanswered"},
    ),
    moved_is_refused: (
        "cluster",
        {"machines": {"move": 5.0}, "store_failures": 0.0, "stuck": 0.0, "brisk": True},
        None,
        {"dropped"},
    ),
    cluster_looked_at_once: (
        "cluster",
        {"machines": {"move": 5.0}, "kinds": ["ledger/a"], "pace": 2.0},
        None,
        {"unavailable", "unanswered"},
    ),
    counted_again: ("primary", {}, owed_and_lost, {"effect key", "not handed"}),
    saved_views_believed: (
        "primary",
        {},
        asleep_over_a_loss,
        {"cursor", "final view", "went back", "undurable"},
    ),
}
"""For each guard the level, and the faults or the script of worlds in which it is needed; and what
it keeps away: one of these has to be seen.
"""


ARRANGED = (
    heartbeats_lost,
    owned_at_one,
    demoted_unheard,
    written_at_one,
    asleep_over_a_loss,
    owed_and_lost,
)


@pytest.mark.parametrize("script", ARRANGED)
@pytest.mark.parametrize("level", ["replicated", "primary"])
def test_whatever_somebody_arranges_every_promise_is_kept(level: Level, script: Arranged) -> None:
    # [STORE8] [STORE9] [CURSOR3] [OUTBOX2]
    for seed in range(2):
        told = list(map(str, RedisFleet(seed, {}, script, level).play()[:10]))
        assert not told, (seed, told)


def test_no_room_is_dropped_because_its_slot_moves() -> None:  # [STORE9]
    level, weather, *_ = HARM[moved_is_refused]
    for seed in range(3):
        assert not RedisFleet(seed, weather, level=level).play()


@pytest.mark.parametrize("make", HARM, ids=lambda make: str(make.__name__))
def test_a_mutant_is_caught(make: Callable[[Any], None]) -> None:
    level, weather, script, harm = HARM[make]
    seen: set[str] = set()
    for seed in range(WITHIN):
        with applied(make):
            seen |= set(rules(RedisFleet(seed, weather, script, level).play()))
        if harm & seen:
            return
    pytest.fail(f"{make.__name__} survived {WITHIN} worlds: {seen}")
