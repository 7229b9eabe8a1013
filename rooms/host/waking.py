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
from rooms.host.audience import Audience
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
from rooms.host.watched import Watched, WatchedHooks, WatchedSession
from rooms.logs import named
from rooms.sync.fanout import letters
from runtime import System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rooms.definition import Room
    from rooms.host.commits import Claim
    from rooms.host.kinds import Kind
    from rooms.host.room import Keeper
    from rooms.store.port import Acquired
    from rooms.sync.backlog import Budget
    from runtime import Effect, Step

logger = logging.getLogger(__name__)


def awaken(
    keeper: Keeper,
    kind: Kind,
    claim: Claim,
    acquired: Acquired,
    *,
    chance: Callable[[int], bytes],
    lanes: Iterator[int],
    budget: Budget,
    careful: bool,
) -> tuple[LiveRoom, tuple[Effect, ...]]:
    """A live room, and the effects to `begin` it with. `chance(n)` gives n random bytes.

    Raises:
        Closing: 4409, the stored session doesn't fit this machine and can't be migrated, or the
            machine can't be started.
    """
    now, record = keeper.clock.now(), acquired.record
    marks = Marks({}, acquired.deleted) if record is None else Marks(record.marks)
    if record is not None and record.snapshot is None:
        record = None  # nothing was accepted yet
    room = kind.room(claim.id.kind, claim.id.session)
    listing = Listing(room, record.listing if record else None) if room.listed else None
    outbox = Outbox(
        {} if record is None else record.outbox,
        generation=claim.generation,
        life=int.from_bytes(chance(6), "big"),
        now=now,
        effects=room.effects,
        attempts=room.effect_attempts,
        roll=lambda: int.from_bytes(chance(4), "big") / 2**32,
    )
    seats = Seats(room.grace, kind.heard)
    activation: dict[str, Any] | None = None  # what the incarnation before left for this one
    if record is not None:
        if record.activation is not None:
            activation = msgpack.unpackb(record.activation)
        seats.restore(record.seats, now, slept=activation is not None)
    revision = 0 if record is None else record.revision
    own = Belongings(revision, seats, marks, outbox, claim.epoch, keeper.tally, now)

    def watching(snapshot: Any) -> Audience:
        return Audience(
            room,
            snapshot,
            nonce=letters(int.from_bytes(chance(8), "big")),
            saved=None if activation is None else activation["views"],
            lanes=lanes,
            epoch=claim.epoch,
            budget=budget,
            full=partial(keeper.pace.full, claim.id),
            send=keeper.send,
            now=now,
        )

    if kind.hooks:
        if record is not None and record.version != room.version():
            reason = f"this room was stored by version {record.version!r} of a machine"
            raise Closing(CloseCode.UNRESTORABLE, reason)
        hooks = (HookSession if keeper.doing is None else WatchedHooks)(
            room,
            kind,
            Kept({} if record is None else record.storage),
            own,
            chance,
        )
        if isinstance(hooks, Watched) and keeper.doing is not None:
            hooks.doing = keeper.doing
        audience = watching(hooks.snapshot)
        journal = Journal(SYSTEM, Keeps(0, 0), {}, record, room.max_state)
        live = LiveRoom(keeper, claim, journal, hooks, audience, begun=False, listing=listing)
        return live, ()
    system = System(room.machine, on_error=room.on_error)
    keeps, limit = Keeps(room.history, room.history_age), room.max_state * 7 // 8
    if record is not None:
        asleep_since = None
        if room.restore_timers == "remaining":
            asleep_since = record.changed if activation is None else activation["asleep"]
        restored = stored.restore(room, system, record, now, asleep_since=asleep_since)
        step, begun = restored.step, restored.begun
        journal = Journal(
            system, keeps, restored.persisted, record, limit, rewrite=restored.rewrite
        )
        if asleep_since is not None:
            outbox.timers.shift(now - asleep_since)
    else:
        step, begun = _first(system, room, now, chance), False
        if (refused := outbox.refuse(step.effects)) is not None:
            raise _cannot_start(room, refused)
        outbox.add(step.effects, now)
        journal = Journal(system, keeps, system.share(step.snapshot), record, limit)
    audience = watching(step.snapshot)
    scale = Scale(room, system, audience.widest, size=journal.size, careful=careful)
    session = (Session if keeper.doing is None else WatchedSession)(
        room,
        system,
        step.snapshot,
        own,
        validate=kind.validate,
        scale=scale,
        keeps_past=bool(keeps),
    )
    if isinstance(session, Watched) and keeper.doing is not None:
        session.doing = keeper.doing
    live = LiveRoom(keeper, claim, journal, session, audience, begun=begun, listing=listing)
    return live, step.effects


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
