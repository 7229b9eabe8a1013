"""Waking: from what the store has of a session to a live room.

In: the right to write the session, with its record if there is one. Out: a room, not yet begun; or
`Closing`, and nothing was touched.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import msgpack

from rooms.errors import CloseCode, Closing
from rooms.hooks.storage import Kept
from rooms.host import record as stored
from rooms.host.audience import Audience, most_of
from rooms.host.history import Keeps
from rooms.host.hooks.session import HookSession
from rooms.host.hooks.shown import SYSTEM
from rooms.host.journal import Journal
from rooms.host.listing import Listing
from rooms.host.marks import Marks
from rooms.host.outbox import Outbox
from rooms.host.room import LiveRoom
from rooms.host.scale import Scale
from rooms.host.seats import Seats
from rooms.host.session import Belongings, Session
from rooms.host.watched import Watched, WatchedHooks
from rooms.logs import named
from rooms.sync.fanout import Fanout, letters
from runtime import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.definition import Room
    from rooms.host.commits import Claim
    from rooms.host.kinds import Kind
    from rooms.host.room import Keeper
    from rooms.store.port import Acquired
    from runtime import Effect, Step

logger = logging.getLogger(__name__)


class Waking:
    """One session on its way to a live room."""

    def __init__(self, keeper: Keeper, kind: Kind, claim: Claim, acquired: Acquired) -> None:
        record = acquired.record
        self._keeper = keeper
        self._kind = kind
        self._claim = claim
        self._record = None if record is None or record.snapshot is None else record
        """What is stored of it; None where nothing was accepted yet."""
        self._now = keeper.clock.now()
        self._room = kind.room(claim.id.kind, claim.id.session)
        self._activation: dict[str, Any] | None = None
        """What the incarnation before left for this one, where it slept."""
        if self._record is not None and self._record.activation is not None:
            self._activation = msgpack.unpackb(self._record.activation)
        marks = Marks({}, acquired.deleted) if record is None else Marks(record.marks)
        self._own = self._belongings(marks)

    def awaken(self, *, careful: bool) -> tuple[LiveRoom, tuple[Effect, ...]]:
        """A live room, and the effects to `begin` it with. `careful`: its state is looked at after
        each event, because one of before couldn't be stored.

        Raises:
            Closing: 4409, the stored session doesn't fit this machine and can't be migrated, or the
                machine can't be started.
        """
        return (self._hooked(), ()) if self._kind.hooks else self._charted(careful=careful)

    def _belongings(self, marks: Marks) -> Belongings:
        room, claim, record, chance = self._room, self._claim, self._record, self._keeper.chance
        outbox = Outbox(
            {} if record is None else record.outbox,
            generation=claim.generation,
            life=int.from_bytes(chance(6), "big"),
            now=self._now,
            effects=room.effects,
            attempts=room.effect_attempts,
            roll=lambda: int.from_bytes(chance(4), "big") / 2**32,
        )
        seats = Seats(room.grace, self._kind.heard)
        if record is not None:
            seats.restore(record.seats, self._now, slept=self._activation is not None)
        revision, tally = 0 if record is None else record.revision, self._keeper.tally
        return Belongings(revision, seats, marks, outbox, claim.epoch, tally, self._now)

    def _hooked(self) -> LiveRoom:
        """A room without a machine."""
        room, record, doing = self._room, self._record, self._keeper.doing
        if record is not None and record.version != room.version():
            reason = f"this room was stored by version {record.version!r} of a machine"
            raise Closing(CloseCode.UNRESTORABLE, reason)
        kept = Kept({} if record is None else record.storage)
        make = HookSession if doing is None else WatchedHooks
        session = make(room, self._kind, kept, self._own, self._keeper.chance)
        journal = Journal(SYSTEM, Keeps(0, 0), {}, record, room.max_state)
        return self._live(journal, session, self._audience(session.snapshot), begun=False)

    def _charted(self, *, careful: bool) -> tuple[LiveRoom, tuple[Effect, ...]]:
        """A room with a machine, and what is to be performed first."""
        room, record, outbox, now = self._room, self._record, self._own.outbox, self._now
        system = System(room.machine, on_error=room.on_error)
        keeps, limit = Keeps.of(room), room.max_state * 7 // 8
        if record is not None:
            asleep_since = None
            if room.restore_timers == "remaining":
                left = self._activation
                asleep_since = record.changed if left is None else left["asleep"]
            restored = stored.restore(room, system, record, now, asleep_since=asleep_since)
            step, begun = restored.step, restored.begun
            journal = Journal(
                system, keeps, restored.persisted, record, limit, rewrite=restored.rewrite
            )
            if asleep_since is not None:
                outbox.timers.shift(now - asleep_since)
        else:
            step, begun = _first(system, room, now, self._keeper.chance), False
            if (refused := outbox.refuse(step.effects)) is not None:
                raise _cannot_start(room, refused)
            outbox.add(step.effects, now)
            journal = Journal(system, keeps, system.share(step.snapshot), record, limit)
        audience = self._audience(step.snapshot)
        make = Session if self._keeper.doing is None else Watched
        session = make(
            room,
            system,
            step.snapshot,
            self._own,
            validate=self._kind.validate,
            scale=Scale(room, system, audience.widest, size=journal.size, careful=careful),
            keeps_past=bool(keeps),
        )
        return self._live(journal, session, audience, begun=begun), step.effects

    def _audience(self, snapshot: Any) -> Audience:
        room, keeper, claim = self._room, self._keeper, self._claim
        saved = {} if self._activation is None else self._activation["views"]
        nonce = letters(int.from_bytes(keeper.chance(8), "big"))
        fanout = Fanout(nonce, saved, keeper.lanes, most_of(room), keeper.budget, claim.epoch)
        return Audience(
            room,
            snapshot,
            fanout,
            send=keeper.send,
            full=partial(keeper.pace.full, claim.id),
            slept=bool(saved),
            now=self._now,
        )

    def _live(
        self, journal: Journal, session: Session, audience: Audience, *, begun: bool
    ) -> LiveRoom:
        room, record, keeper = self._room, self._record, self._keeper
        if isinstance(session, Watched) and keeper.doing is not None:
            session.doing = keeper.doing
        listing = Listing(room, record.listing if record else None) if room.listed else None
        return LiveRoom(
            keeper, self._claim, journal, session, audience, begun=begun, listing=listing
        )


def _first(system: System, room: Room, now: int, chance: Callable[[int], bytes]) -> Step:
    """The first state of a session that nobody has sent anything to."""
    try:
        seed = int.from_bytes(chance(6), "big")
        step = system.initial(input=room.input(), now=now, seed=seed)
    except Exception as error:
        raise _cannot_start(room, error) from error
    if step.error is not None:
        raise _cannot_start(room, step.error) from step.error
    return step


def _cannot_start(room: Room, error: Exception) -> Closing:
    logger.warning("%s can't be started: %r", named(room), error)
    return Closing(CloseCode.UNRESTORABLE, "this room can't be started")
