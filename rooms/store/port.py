"""What a room needs of storage, free of any product's words: the port that every store implements.

Ownership is a compare-and-swap in the session's own record {owner incarnation, epoch, revision};
safety uses no clock. A commit says which revision it follows (`prev`) and is refused when the
record has another owner, epoch, generation or revision. All times are milliseconds since 1970 by
the store's clock; blobs are opaque. `tests/contracts.py` is the suite that each implementation
passes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rooms.errors import StoreError


REMEMBERED: Final = 24 * 3600 * 1000
"""How long (ms) it is known by its name that a session was deleted."""


class SessionId(NamedTuple):
    """The name of the durable, shared thing."""

    kind: str
    session: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.session}"

    def log_fields(self) -> dict[str, Any]:
        """What a line of the log about it has for programs."""
        return {"session": str(self)}


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of a session. `revision` 0 with no snapshot: nothing was ever accepted, so
    that it is none, and `marks` say what became of events all the same.

    `generation` is random and made with the record: a room deleted and made again is another one.
    `activation` is what a clean release left for the next incarnation (nonce and numbers of its
    views); acquiring takes it. `marks` are by "subject\\x00client", `patches` by the revision that
    each leads to: those that the state needs beyond its `snapshot`. `logged`: the log has entries,
    which `Store.history` reads.
    """

    generation: str
    version: str
    revision: int
    snapshot: bytes | None = None
    seats: bytes | None = None
    marks: Mapping[str, bytes] = field(default_factory=dict)
    outbox: Mapping[str, bytes] = field(default_factory=dict)
    patches: Mapping[str, bytes] = field(default_factory=dict)
    storage: Mapping[str, bytes] = field(default_factory=dict)
    listing: bytes | None = None
    activation: bytes | None = None
    due: int | None = None
    expires: int | None = None
    changed: int = 0
    logged: bool = False


@dataclass(frozen=True, slots=True)
class Acquired:
    """The session is yours: write with this epoch. `record` is None if never stored; `deleted` is
    then until when (ms) there may have been another session of that name, None: never.
    """

    epoch: int
    generation: str
    record: Record | None
    deleted: int | None = None


class Owner(NamedTuple):
    """Whoever acquired a session as this incarnation, with this epoch."""

    incarnation: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Held:
    """Another living incarnation has it; `address` is where it can be reached."""

    owner: str
    epoch: int
    address: str


class Logged(NamedTuple):
    """What a session's log keeps of one revision: when it came about (ms), and opaque bytes."""

    revision: int
    at: int
    data: bytes


class Trim(NamedTuple):
    """Log entries that are up to `revision` and also older than `at` (ms) are removed."""

    revision: int
    at: int


@dataclass(slots=True)  # frozen ones take three times as long to make, and each turn makes one
class Commit:
    """The change (prev, new] of one session. Blobs that are None stay as they are; a mark, or an
    entry of `outbox`, `patches` or `storage`, of None is removed. `due` and `expires` are always
    the new truth (None: no timer; never). `version` is the machine's.

    A large state needn't be written whole: an entry of `patches`, named by its revision, is what
    has to be done to the snapshot and the patches before it; who writes a new snapshot removes
    them. They are entries like marks, so that a store needs to know nothing of either, and a
    session that has none pays nothing for them.

    `log` has an entry for each revision, for sessions whose past can be shown; it isn't part of the
    record. `trim` is carried out after `log` is added. `listing` is what `Store.find` shows of the
    session (empty: nothing any more); `expires` is when it may be deleted, should it sleep then.

    With `anew`, a generation, the session that this follows on is deleted, and this is all of the
    one that takes its place.
    """

    id: SessionId
    incarnation: str
    epoch: int
    generation: str
    prev: int
    new: int
    version: str
    due: int | None
    snapshot: bytes | None = None
    seats: bytes | None = None
    marks: Mapping[str, bytes | None] = field(default_factory=dict)
    outbox: Mapping[str, bytes | None] = field(default_factory=dict)
    patches: Mapping[str, bytes | None] = field(default_factory=dict)
    storage: Mapping[str, bytes | None] = field(default_factory=dict)
    log: Sequence[Logged] = ()
    trim: Trim | None = None
    listing: bytes | None = None
    expires: int | None = None
    anew: str | None = None
    durable: bool = True  # False: may be lost by a crash of the machine (levels memory, primary)
    replicas: int = 0  # how many machines beside the store's own have it before it is answered


@dataclass(frozen=True, slots=True)
class Due:
    """A sleeping session with a timer that is due at `due`."""

    id: SessionId
    due: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list of sessions; `owner` is None while it sleeps."""

    id: SessionId
    revision: int
    version: str
    changed: int
    due: int | None
    owner: str | None
    bytes: int


class Found(NamedTuple):
    """A session that is listed, and what was last said of it."""

    id: SessionId
    listing: bytes


@dataclass(frozen=True, slots=True)
class HostInfo:
    """A host's announcement: its one life, where it is reached, the machine version of each kind it
    can run, its share of the sessions beside others', and whether it takes no more because it goes.
    """

    incarnation: str
    address: str
    versions: Mapping[str, str]
    expires: int
    weight: float = 1
    leaving: bool = False


class Store(Protocol):
    """Where sessions live while nobody needs them. Every method may raise StoreError."""

    async def now(self) -> int:
        """The store's time in ms: what clients are told and timers are measured by."""

    async def secret(self) -> bytes:
        """A random secret of 32 bytes, made once and kept: it signs anonymous tokens."""

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        """Say that this incarnation lives for `ttl` ms more. False: it had expired, and is dead for
        ever.
        """

    async def retire(self, incarnation: str) -> None:
        """This incarnation is dead (it says so itself, or who reaped it): its sessions may be taken
        at once.
        """

    async def hosts(self) -> Sequence[HostInfo]:
        """The incarnations that live."""

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        """Become the owner of a session nobody living owns: the epoch grows, `activation` is taken
        out.

        Repeating it by the owner is harmless (the same epoch). A session never stored is claimed:
        record None.
        """

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        """Write commits of several sessions, each whole or not at all, in order; one answer each:
        None (written, at its level) or the error. A refused commit refuses the later ones of its
        session.
        """

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        """Give a session back after its last commit. One that was only claimed is forgotten. False:
        it wasn't yours.
        """

    async def load(self, id: SessionId) -> Record | None:
        """Read without owning: None when nothing was ever accepted under this name."""

    async def due(self, before: int, limit: int) -> Sequence[Due]:
        """Sessions without a living owner whose earliest timer is due at or before that time,
        earliest first.
        """

    async def scan(
        self, kind: str | None = None, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Listed]:
        """Sessions in order of their names, live and sleeping, a page at a time."""

    async def history(self, id: SessionId, after: int = 0, limit: int = 100) -> Sequence[Logged]:
        """The log's entries beyond revision `after`, the oldest first, a page at a time. Entries
        never change, so that pages fit together while the session goes on.
        """

    async def find(
        self, kind: str, after: SessionId | None = None, limit: int = 100
    ) -> Sequence[Found]:
        """The listed sessions of a kind, live and sleeping, in order of their names, a page at a
        time.
        """

    async def expired(self, before: int, limit: int) -> Sequence[SessionId]:
        """Sessions without a living owner that expire at or before that time, earliest first. Who
        deletes one acquires it first and looks again: it may have been woken meanwhile.
        """

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        """Forget a session at once, whoever owns it, or only while `owner` does: its owner's next
        commit is refused. False: there was none, or none of that owner's. That there was one is
        remembered (`Acquired.deleted`), by its name for `REMEMBERED` ms, and then for all names, or
        for so many of them that it is among them.
        """

    async def close(self) -> None:
        """Finish what was asked and let go of the file or connections. Later calls raise
        StoreError.
        """
