"""What goes wrong in one world, drawn from its seed: which faults there are at all, and how often.

Each world has some of the faults and not others, because a world in which everything fails at once
hides what a single fault does. `calm` ends all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

Fate = Literal["refused", "lost", "unheard"]
"""Of a call to the store: it says no; it never arrives; it is done, and its answer never comes."""

PEOPLE = {
    "reconnect": 3.0,
    "cut": 4.0,
    "silence": 1.0,
    "stall": 2.0,
    "repeat": 2.0,
    "reload": 1.0,
    "share": 2.0,
    "renew": 0.5,
}
"""What players and their networks do beside sending, and how often each."""
MACHINES = {"kill": 2.0, "pause": 1.5, "drain": 1.0, "cut off": 2.0, "delete": 0.7}
"""What happens to servers and sessions."""

TROUBLE = 16.0
"""How long things go wrong (s) …"""
LONG = 32.0
"""… or where somebody's lease ends, and what they had has to come elsewhere meanwhile."""

PARTIAL = {"time out": 2.0, "slow store": 1.0, "stutter": 1.0, "suspend": 1.0}
"""What happens to one server alone, while whatever else it has to do with goes on
(`tests/sim/partial.py`).
"""

STORES = {"fail over": 1.5, "split": 1.5, "stall": 3.0, "restart": 1.0}
"""What happens to a primary and its replicas."""
CLUSTERS = {"move": 5.0}
"""… and to a cluster."""


class Faults:
    """The faults of one world, and the delays of its networks (s)."""

    def __init__(self, dice: random.Random, more: random.Random) -> None:
        self.dice = dice
        self.more = more
        """For faults that came later: worlds without them are what they were before."""
        self.on = True
        self.people = _some(PEOPLE, dice)
        self.machines = {} if dice.random() < 0.25 else _some(MACHINES, dice)
        self.network = dice.choice([0.001, 0.02, 0.2])
        self.store = dice.choice([0.0, 0.001, 0.02, 0.15])
        self.store_failures = dice.choice([0.0, 0.0, 0.02, 0.1])
        self.stuck = dice.choice([0.0, 0.0, 0.0, 0.02])
        kinds = [["ledger/a"], ["table/a"], ["ledger/a", "table/b"]]
        if not (self.machines.keys() - {"drain"} or self.store_failures or self.stuck):
            kinds.append(["draft/a"])  # its level promises no more
        self.kinds = dice.choice(kinds)
        """The sessions of this world."""
        self.brisk = False
        """Whether slots of a cluster move so fast that nobody gives up."""
        self.curious = False
        """Whether somebody looks back at a session's history whenever it wakes."""
        self.tabs = 0.4
        """How probably somebody has two tabs open."""
        self.barren = 0.0
        """How probably no process of a room can be begun."""
        self.deadly = 3
        """How many events end such a process: each may keep a room away for a minute."""
        self.births = 0.001
        """How long something travels between a host and the process of a room (s)."""
        self.lost_requests = dice.choice([0.0, 0.1, 0.3])
        self.roaming = 0.15
        self.lasting = TROUBLE
        """How long things go wrong (s)."""
        self.partly(PARTIAL)

    def partly(self, faults: dict[str, float]) -> None:
        """Have some of these, too, in half of the worlds in which servers fail at all."""
        if self.machines.keys() - {"drain"} and self.more.random() < 0.5:
            self.machines = {**self.machines, **_some(faults, self.more)}

    @property
    def gentle(self) -> bool:
        """Whether servers and the store do what they should, all the time."""
        return not (self.machines or self.store_failures or self.stuck)

    def force(self, weather: Mapping[str, Any]) -> None:
        """Have these faults, whatever was drawn."""
        for name, value in weather.items():
            setattr(self, name, value)

    def calm(self) -> None:
        """No more faults."""
        self.on = False
        self.network = min(self.network, 0.02)
        self.store = min(self.store, 0.001)

    def network_delay(self) -> float:
        """How long one message travels."""
        return self.dice.expovariate(1 / self.network)

    def loses_request(self) -> bool:
        """Whether a request, or its answer, gets lost."""
        return self.on and self.dice.random() < self.lost_requests

    def link_delay(self) -> float:
        """How long something travels between a router and a host."""
        return self.dice.expovariate(1 / min(self.network, 0.02))

    def birth_delay(self) -> float:
        """How long something travels between a host and the process of a room."""
        return self.dice.expovariate(1 / self.births)

    def store_delay(self) -> float:
        """How long a call to the store, or its answer, travels."""
        if self.on and self.stuck and self.dice.random() < self.stuck:
            return self.dice.choice((1.0, 4.0, 12.0))
        return self.dice.expovariate(1 / self.store) if self.store else 0.0

    def store_fate(self, call: str) -> Fate | None:
        """What becomes of a call to the store; None: it is done and answered."""
        if not self.on or self.dice.random() >= self.store_failures:
            return None
        return self.dice.choice(("refused", "lost", "unheard"))

    def dies_on_its_way(self) -> bool:
        """Whether what a dead host had said to the store never arrives."""
        return self.dice.random() < 0.5


def _some(faults: dict[str, float], dice: random.Random, share: float = 0.6) -> dict[str, float]:
    return {name: weight for name, weight in faults.items() if dice.random() < share}
