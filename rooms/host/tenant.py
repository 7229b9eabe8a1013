"""A session whose room has a process of its own, or is about to get one.

In: what is to be said to the process, which waits until that is there. What a process and a nursery
are is stated here, too: `rooms/nursery.py` has the real ones. Next: `rooms/host/processes.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from rooms.host.isolated import Orders, Passed, Wake
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.host.deaths import Died
    from rooms.host.isolated import Line
    from rooms.link.protocol import Request
    from rooms.store.port import SessionId

NUMBERS: Final = 32
"""Bits of the numbers that one process gives."""


class Process(Protocol):
    """One process, as long as it lives."""

    def send(self, line: Line) -> None:
        """Tell it; lost when it has ended."""

    def listen(self, on_line: Callable[[Line], None], on_close: Callable[[], None]) -> None:
        """Say who hears what it says, and of its end."""

    def close(self) -> None:
        """It may end."""

    def kill(self) -> None:
        """End it."""

    def pause(self) -> None:
        """Hear nothing more of it for now."""

    def resume(self) -> None:
        """Hear on."""

    async def died(self) -> Died:
        """How it ended, once it has."""


class Nursery(Protocol):
    """Where processes come from."""

    def warm(self) -> None:
        """Be ready before the first room needs it."""

    async def warmed(self) -> None:
        """Until it is, or can't be."""

    async def start(self, max_cpu: int) -> Process:
        """A new one. Raises LinkError: there can't be any now."""

    async def close(self) -> None:
        """There are to be no more."""


@dataclass(slots=True, eq=False)
class Tenant:
    """One such session. `passed` is how many messages its process was sent, `asked` the requests
    that it hasn't answered, by router and number; `calls` those of the store that aren't over.
    `owed` are its durable effects that wait, and that failed for good. `evicted`: nothing that it
    says counts any more.
    """

    id: SessionId
    number: int
    process: Process | None = None
    waiting: list[Line] = field(default_factory=list)
    passed: int = 0
    asked: dict[tuple[int, int], Request] = field(default_factory=dict)
    calls: Tasks = field(default_factory=Tasks)
    epoch: int | None = None
    begun: float = 0
    owed: tuple[int, int] = (0, 0)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    rested: bool = False
    evicted: bool = False
    paused: bool = False

    def send(self, line: Line) -> None:
        """Say this to its process, once that is there."""
        if type(line) in (Passed, Wake):
            self.passed += 1
        if self.process is None:
            self.waiting.append(line)
        else:
            self.process.send(line)

    def move_in(
        self, process: Process, incarnation: str, condemned: dict[str, str], *, careful: bool
    ) -> None:
        """Its process is there: it hears what it is, and what has waited."""
        first = self.number << NUMBERS
        process.send(Orders(*self.id, incarnation, first, condemned, careful))
        self.process = process
        for line in self.waiting:
            process.send(line)
        self.waiting.clear()
