"""The gate is open for some turns of a room: what they did is durable, and happens now, in order.

In: the turns of one commit, with its snapshot. Out: effects, each with the snapshot of its place;
the newest view; emitted events; outcomes and answers; then what is owed to the world. What outside
actors send comes back as items of the mailbox. Next: `runtime/perform.py`, then
`rooms/host/audience.py` and `rooms/host/teller.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rooms.host.courier import Courier
from rooms.host.teller import Teller
from rooms.host.turn import Delivered
from rooms.logs import where
from runtime import Performer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from rooms.host.ask import Ask
    from rooms.host.audience import Audience
    from rooms.host.clock import Clock
    from rooms.host.commits import Claim, Flight
    from rooms.host.marks import Outcome
    from rooms.host.neighbours import Letter
    from rooms.host.session import Session
    from rooms.host.turn import Item
    from rooms.link.protocol import Message
    from rooms.store.port import SessionId
    from runtime import Declared, Effect, Event

logger = logging.getLogger(__name__)


class Opening:
    """Lets out what one live room did. `put` takes what outside actors send to it; `send` and
    `deliver` are the host's.
    """

    def __init__(
        self,
        claim: Claim,
        session: Session,
        audience: Audience,
        *,
        clock: Clock,
        put: Callable[[Item | Ask], None],
        send: Callable[[Iterable[Message]], None],
        deliver: Callable[[SessionId, Letter], Awaitable[Outcome]],
    ) -> None:
        self.shown = session.snapshot
        """The newest snapshot that is durable."""
        self._clock = clock
        self._session = session
        self._audience = audience
        self._outside = outside = _Outside(session, put)
        self._teller = Teller(session, audience, send)
        self._performer = Performer(
            outside.deliver,
            report=outside.report,
            logger=outside.log,
            emit=outside.emit,
            declared=outside.declare,
            keys=f"{claim.generation}.start.",
        )
        self._courier = Courier(
            session.room,
            session.outbox,
            claim,
            clock=clock,
            deliver=deliver,
            report=put,
        )

    @property
    def busy(self) -> bool:
        """Whether coroutines run. An effect under way is due: that keeps its room awake."""
        return len(self._performer) > 0

    def begin(self, effects: tuple[Effect, ...]) -> None:
        """Start what ran while it was awake. What is emitted meanwhile is heard by nobody."""
        for effect in effects:
            self._performer.perform(effect, self._session.snapshot)
        self._outside.emitted.clear()

    def owes(self) -> None:
        """What the room owes is what was stored: go on with it."""
        self._courier.see(self._session.outbox.entries)

    def open(self, flight: Flight, *, resting: bool) -> None:
        """What these turns did is durable: do it, show it, tell it."""
        now = self._clock.now()
        perform = self._performer.perform
        for turn in flight.turns:
            for effects, place in turn.deeds:
                for effect in effects:
                    perform(effect, place)
        if flight.snapshot is not self.shown:
            self.shown = flight.snapshot
            self._audience.show(flight.snapshot, now)
        if self._outside.emitted:
            emitted, self._outside.emitted = self._outside.emitted, []
            for event in emitted:
                self._audience.emit(event, now)
        for turn in flight.turns:
            for told in turn.told:
                self._teller.tell(told, now)
        if flight.owed is not None and not resting:
            self._courier.see(flight.owed)

    def stop(self) -> None:
        """Stop all that was started."""
        self._performer.stop_all()
        self._courier.stop()


class _Outside:
    """What actions and outside actors say while they are performed."""

    def __init__(self, session: Session, put: Callable[[Item | Ask], None]) -> None:
        self.emitted: list[Event] = []
        self._session = session
        self._put = put

    def deliver(self, address: str, event: Event) -> None:
        self._put(Delivered(address, event))

    def emit(self, address: str, event: Event) -> None:
        if not address:  # what a child emits is for who listens to the child
            self.emitted.append(event)

    def report(self, address: str, error: BaseException) -> None:
        at = where(error)
        logger.error("%s: actor %r: an action failed: %r%s", self._session, address, error, at)

    def declare(self, effect: Declared) -> None:
        if not effect.name.startswith("rooms."):  # those are the session's: replies, the outbox
            logger.warning("%s: nobody performs %r; see rooms.effect", self._session, effect.name)

    def log(self, *what: object) -> None:
        logger.info("%s: %s", self._session, " ".join(map(str, what)))
