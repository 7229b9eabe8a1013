"""A room's commits: what it has done and not yet stored, in order.

In: turns, which wait here until what they did is written. Out: for the gate, the commit of all that
has changed since the last one; for the room, the turns of each commit that is answered. What is
written of a state is the journal's to say.

Next inward: `rooms/host/gate.py`; next outward: `rooms/host/opening.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rooms.definition import replicas_of
from rooms.host.expiry import ttl_of
from rooms.host.journal import UNCHANGED
from rooms.host.marks import FORGET_AFTER
from rooms.host.turn import Turn
from rooms.store.port import Commit, Owner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.host.journal import Journal
    from rooms.host.listing import Listing
    from rooms.host.outbox import Entry
    from rooms.host.session import Session
    from rooms.store.port import SessionId
    from runtime import SystemSnapshot

MAX_EVENTS: Final = 64
"""How many items one turn handles."""
MAX_AHEAD: Final = 4
"""How many turns may wait for the gate."""
MAX_PAST: Final = 256
"""So many revisions of a history wait in memory at most, also where durability is `memory`."""


class Claim(NamedTuple):
    """The right to write a session, as the store gave it to an incarnation of this host: what a
    `Commit` begins with.
    """

    id: SessionId
    incarnation: str
    epoch: int
    generation: str

    def __str__(self) -> str:
        return str(self.id)

    @property
    def owner(self) -> Owner:
        """Whose the session is."""
        return Owner(self.incarnation, self.epoch)

    def log_fields(self) -> dict[str, Any]:
        """What a line of the log about it has for programs."""
        return {"session": str(self.id), "epoch": self.epoch}


class Flight(NamedTuple):
    """A commit that isn't answered yet, and what may be seen once it is written."""

    turns: list[Turn]
    snapshot: SystemSnapshot
    owed: Mapping[int, Entry] | None = None  # the outbox, where it may have changed


class Commits:
    """What one live room hands to the store. `listing`, of a kind that is listed, is what the list
    says of it. Once it is `resting`, it is stored whole.
    """

    def __init__(
        self, claim: Claim, journal: Journal, session: Session, listing: Listing | None
    ) -> None:
        self.pending: list[Turn] = []
        """The turns that are in no commit yet."""
        self.flights: deque[Flight] = deque()
        self.resting = False
        self._claim = claim
        self._journal = journal
        self._session = session
        self._room = session.room
        self._listing = listing
        self._replicas = replicas_of(session.room)
        self._keeps_seats = bool(session.seats.heard) or self._room.max_viewers is not None
        self._expires = self._room.ttl is not None or self._room.ttl_done is not None
        self._handed = session.revision

    @property
    def waits(self) -> bool:
        """Whether turns wait for the gate."""
        return bool(self.pending or self.flights)

    def turns(self) -> list[Turn]:
        """Those that wait for the gate, in order."""
        return [*(turn for flight in self.flights for turn in flight.turns), *self.pending]

    def next_turn(self, now: int) -> Turn | None:
        """The turn that what comes `now` belongs to; None: too many wait for the gate."""
        pending = self.pending
        if pending and self._session.piecemeal and len(pending[-1].told) < MAX_EVENTS:
            pending[-1].now = now
            return pending[-1]  # else there would be a commit for every few hooks
        ahead = len(pending) + sum(len(flight.turns) for flight in self.flights)
        return Turn(now) if ahead < MAX_AHEAD else None

    def handled(self, turn: Turn) -> None:
        """A turn has come to its end: what it did waits, if it did anything."""
        more = not self.pending or turn is not self.pending[-1]
        if more and (turn.told or turn.deeds or self.unstored()):
            self.pending.append(turn)

    def unstored(self) -> bool:
        """Whether something must be written before what follows from it may be seen."""
        session = self._session
        if (session.revision and session.outbox.changed()) or self._folds():
            return True
        if self._room.durability == "memory" and not self.resting:
            return session.past is not None and len(session.past) >= MAX_PAST
        if session.revision > self._handed:
            return True
        if not session.revision:
            return len(session.marks) > 0 and session.marks.changed()
        return (
            session.marks.changed()
            or (self._keeps_seats and session.seats.changed)
            or (self._expires and self.resting)  # its time begins now
        )

    def _folds(self) -> bool:
        """Whether a room that falls asleep has patches to make one snapshot of."""
        return self.resting and self._journal.patched

    def make(self, now: int, due: int | None) -> Commit:
        """The commit of everything since the last one; `due`: when the session must be awake.

        Raises Unstorable.
        """
        session, journal = self._session, self._journal
        if not session.revision:
            return self._make_no_session(now)
        past, written = session.past or (), UNCHANGED
        if session.revision > self._handed or journal.rewrite or self._folds():
            written = journal.write(
                session.snapshot, session.revision, past, now, whole=self.resting
            )
            session.scale.committed(session.snapshot, journal.size)
        if past:
            session.past = []
        seats, outbox, root = session.seats, session.outbox, session.snapshot.root
        owed = outbox.entries if outbox.changed() else None
        expires = listed = None
        if self._expires:
            ttl, self._expires = ttl_of(self._room, root.status), not self.resting
            if ttl is not None:
                expires = max(now, due or 0) + ttl  # a timer keeps it till then
        if self._listing is not None:
            seated = len(seats) if self._keeps_seats else None
            listed = self._listing.change(root, seated, now)
        commit = Commit(
            *self._claim,
            prev=self._handed,
            new=session.revision,
            version=self._room.version(),
            due=due,
            expires=expires,
            listing=listed,
            snapshot=written.snapshot,
            seats=seats.dump() if self._keeps_seats and seats.changed else None,
            marks=session.marks.changes(),
            outbox=outbox.changes(),
            patches=written.patches,
            log=written.log,
            trim=written.trim,
            storage=session.storage(),
            durable=self._room.durability == "fsync",
            replicas=self._replicas,
        )
        self._handed = session.revision
        self.flights.append(Flight(self.pending, session.snapshot, owed))
        self.pending = []
        return commit

    def _make_no_session(self, now: int) -> Commit:
        """The commit of what became of events where none was accepted yet (SPEC, SEND11)."""
        snapshot = self._session.snapshot
        self.flights.append(Flight(self.pending, snapshot))
        self.pending = []
        ttl = ttl_of(self._room, snapshot.root.status)
        return Commit(
            *self._claim,
            prev=0,
            new=0,
            version=self._room.version(),
            due=None,
            expires=now + (FORGET_AFTER if ttl is None else min(FORGET_AFTER, ttl)),
            marks=self._session.marks.changes(),
            durable=self._room.durability == "fsync",
            replicas=self._replicas,
        )

    def free(self) -> Flight | None:
        """What depends on no commit and may be seen at once; None: it has to wait its turn."""
        if self.flights:
            return None
        turns, self.pending = self.pending, []
        return Flight(turns, self._session.snapshot)
