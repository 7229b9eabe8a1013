"""The courier: performs a session's durable effects, each lane in order, one at a time.

In: the entries of the outbox, once they are durable. Out, for the room's mailbox: `Begin` before an
attempt that isn't counted yet, `Performed` when one has ended. The next entry of a lane is begun
when the end of the one before it is durable too, so that a crash never repeats an earlier effect
after a later one. What is due is `rooms/host/outbox.py`'s to say.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import orjson

from rooms.effects import Attempt
from rooms.errors import Closing
from rooms.host.neighbours import Letter
from rooms.host.outbox import heads
from rooms.host.turn import Begin, Performed
from rooms.logs import where
from rooms.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rooms.definition import Room
    from rooms.host.clock import Clock
    from rooms.host.commits import Claim
    from rooms.host.marks import Outcome
    from rooms.host.outbox import Entry, Outbox
    from rooms.store.port import SessionId

logger = logging.getLogger(__name__)


class Courier:
    """Performs for one incarnation of a session.

    `deliver` takes a letter to another session and gives its outcome; it raises Closing when it
    can't, with a code that says whether to come back. `report` gets what becomes of each attempt.
    """

    def __init__(
        self,
        room: Room,
        outbox: Outbox,
        claim: Claim,
        *,
        clock: Clock,
        deliver: Callable[[SessionId, Letter], Awaitable[Outcome]],
        report: Callable[[Begin | Performed], None],
    ) -> None:
        self._room = room
        self._generation = outbox.generation
        self._life = outbox.life
        self._claim = claim
        self._clock = clock
        self._deliver = deliver
        self._report = report
        self._entries: Mapping[int, Entry] = {}
        self._begun: dict[str, Entry] = {}
        self._running = Tasks()
        self._alarm: asyncio.TimerHandle | None = None
        self._stopped = False

    def see(self, entries: Mapping[int, Entry]) -> None:
        """These are durable now: begin what is due."""
        if entries is not self._entries:
            self._entries = entries
            self._look()

    def stop(self) -> None:
        """Cancel all attempts; what they were about is still owed."""
        self._stopped = True
        for task in self._running:
            task.cancel()
        if self._alarm is not None:
            self._alarm.cancel()

    def _look(self) -> None:
        waiting = heads(self._entries)
        now, due = self._clock.now(), None
        self._begun = {lane: one for lane, one in self._begun.items() if waiting.get(lane) is one}
        for lane, entry in waiting.items():
            if lane in self._begun:
                continue  # it runs, or what was reported of it isn't durable yet
            if entry.due <= now and entry.to is None and entry.begun != self._life:
                self._begun[lane] = entry
                self._report(Begin(entry))
            elif entry.due <= now:
                self._begun[lane] = entry
                self._running.begin(self._attempt(entry))
            else:
                due = entry.due if due is None else min(due, entry.due)
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None if due is None else self._clock.call_at(due, self._look)

    async def _attempt(self, entry: Entry) -> None:
        try:
            performed = await self._perform(entry)
        except (Exception, asyncio.CancelledError) as error:
            if self._stopped:
                raise
            at = where(error)
            logger.warning("%s: effect %r failed: %r%s", self._claim, entry.name, error, at)
            logger.debug("%s: where it failed", self._claim, exc_info=error)
            performed = Performed(entry, "failed", f"{type(error).__name__}: {error}")
        self._report(performed)

    async def _perform(self, entry: Entry) -> Performed:
        if entry.to is not None:
            return await self._send(entry, entry.to)
        function = self._room.effects.get(entry.name)
        if function is None:
            return Performed(entry, "failed", f"the room has no effect {entry.name!r}")
        attempt = Attempt(entry.key, entry.attempts, self._claim.epoch)
        params = orjson.loads(orjson.dumps(entry.params))  # theirs to change
        output = await function(self._room, params, attempt)
        return Performed(entry, "done", orjson.loads(orjson.dumps(output)))

    async def _send(self, entry: Entry, to: SessionId) -> Performed:
        event = entry.params["event"]
        letter = Letter(self._claim.id, self._generation, entry.number, entry.made, event)
        try:
            outcome = await self._deliver(to, letter)
        except Closing as refused:
            if refused.code.come_back:
                return Performed(entry, "unreachable", refused.reason)
            return Performed(entry, "failed", refused.reason)
        if outcome.word == "rejected":
            return Performed(entry, "rejected", outcome.reason)
        return Performed(entry, "done", outcome.result)
