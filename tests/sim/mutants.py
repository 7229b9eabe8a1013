"""Guards, each switched off: a world without it must come to a harm that somebody sees.

A mutant is one change to the real code, made while a `with` block lasts. `test_mutants.py`
sees each of them caught; one that survives means that nothing would notice if its guard were lost.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import orjson

from client import link
from rooms.effects import Attempt
from rooms.errors import UnknownOutcome
from rooms.host import courier, marks, record, room, waking
from rooms.host.alarms import Alarms
from rooms.host.ask import Delivery
from rooms.host.clients import Clients
from rooms.host.commits import Commits, Flight
from rooms.host.history import Keeps
from rooms.host.journal import Journal
from rooms.host.lease import Lease
from rooms.host.links import Links
from rooms.host.neighbours import PREFIX
from rooms.host.opening import Opening
from rooms.host.outbox import Outbox
from rooms.host.seats import Seats
from rooms.host.session import Session
from rooms.host.teller import Teller
from rooms.host.turn import Performed
from rooms.router.channels import Channel as Door
from rooms.router.routing import Routing
from rooms.store import memory, ownership
from rooms.sync import codec, conversation, fanout, messages
from rooms.sync.backlog import Backlog
from rooms.sync.diff import apply
from rooms.sync.views import show
from tests.sim.machines import Table, seen
from tests.sim.scripts import asked_again, cut_off_and_asked, overtaken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rooms.store.port import Commit
    from tests.sim.world import Script

WEATHER: Final[dict[str, dict[str, Any]]] = {
    "acknowledged_repeat_refused": {"people": {"repeat": 8.0}, "network": 0.02, "store": 0.15},
    "letters_not_numbered": {"machines": {"kill": 4.0}, "store_failures": 0.1, "pace": 0.25},
    "letters_not_marked": {"machines": {"kill": 4.0}, "store_failures": 0.1, "pace": 0.25},
    "effects_before_commit": {"store": 0.15, "store_failures": 0.1, "pace": 0.25},
    "effects_at_once": {"store": 0.02, "pace": 0.25},
    "coroutines_not_started_again": {"machines": {"kill": 4.0}, "pace": 0.3},
    "takeover_is_a_leave": {"people": {"reconnect": 6.0}, "kinds": ["table/a"]},
    "second_tab_ignored": {"people": {"reload": 3.0}, "tabs": 1.0, "kinds": ["table/a"]},
    "outcomes_never_forgotten": {"people": {}, "pace": 0.2, "kinds": ["ledger/a"]},
    "refused_log_stays": {
        "curious": True,
        "machines": {"kill": 3.0, "cut off": 3.0},
        "kinds": ["ledger/a"],
        "stuck": 0.05,
        "roaming": 0.5,
        "pace": 0.5,
    },
    "patch_of_older_state": {"kinds": ["ledger/a"], "machines": {"kill": 3.0}, "pace": 0.3},
    "memory_level_sleeps_unstored": {
        "machines": {"drain": 1.0},
        "store_failures": 0.0,
        "stuck": 0.0,
        "kinds": ["draft/a"],
    },
    "late_attempt_ends_page": {"people": {"reconnect": 6.0}, "network": 0.2},
}
"""Where a guard is needed seldom: the faults of worlds in which it is needed often."""

SCRIPTS: Final[dict[str, Script]] = {
    "lease_never_over": cut_off_and_asked,
    "epoch_ignored": overtaken,
    "ignored_not_marked": asked_again,
}
"""Where chance would need too long: what happens in their worlds."""

MUTANTS: Final[dict[str, Callable[[Callable[[Any, str, Any], None]], None]]] = {}


def mutant(
    make: Callable[[Callable[[Any, str, Any], None]], None],
) -> Callable[[Callable[[Any, str, Any], None]], None]:
    """Name a mutant by its function, which puts the changes in place."""
    MUTANTS[make.__name__] = make
    return make


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """The code with one guard switched off; None: as it is."""
    with ExitStack() as changes:
        if name is not None:
            changes.enter_context(applied(MUTANTS[name]))
        yield


@contextmanager
def applied(make: Callable[[Callable[[Any, str, Any], None]], None]) -> Iterator[None]:
    """The code with the changes of one mutant."""
    with ExitStack() as changes:
        make(
            lambda owner, attribute, value: changes.enter_context(
                patch.object(owner, attribute, value)
            )
        )
        yield


# -------------------------------------------------------------------------------- the gate


@mutant
def gate_off(swap: Any) -> None:
    """What a turn did is told before it is stored."""

    def proceed(self: Any) -> None:
        turns, self._commits.pending = self._commits.pending, []
        if turns:
            self._open(Flight(turns, self.session.snapshot))
        if self._commits.unstored():
            self._keeper.gate.wait(self)

    swap(room.LiveRoom, "_proceed", proceed)


@mutant
def view_of_uncommitted(swap: Any) -> None:
    """Views are of the newest state, not of the one that was written."""
    opened = room.LiveRoom._open

    def open_newest(self: Any, flight: Any) -> None:
        opened(self, flight._replace(snapshot=self.session.snapshot))

    swap(room.LiveRoom, "_open", open_newest)


@mutant
def unknown_is_written(swap: Any) -> None:
    """A commit whose outcome nobody knows counts as written."""
    written = room.LiveRoom.written

    def believe(self: Any, error: Any) -> None:
        written(self, None if isinstance(error, UnknownOutcome) else error)

    swap(room.LiveRoom, "written", believe)


@mutant
def outcome_before_view(swap: Any) -> None:
    """Outcomes are told before the view that shows them."""
    opened = Opening.open

    def tell_first(self: Any, flight: Any, *, resting: bool) -> None:
        for turn in flight.turns:
            for told in turn.told:
                self._teller.tell(told, self._clock.now())
            turn.told = []
        opened(self, flight, resting=resting)

    swap(Opening, "open", tell_first)


@mutant
def emitted_before_view(swap: Any) -> None:
    """What the machine emits is told before the view that it belongs to."""
    swap(Opening, "_emit", lambda self, address, event: address or self._audience.emit(event))


@mutant
def memory_level_sleeps_unstored(swap: Any) -> None:
    """A room of level `memory` isn't stored when it sleeps or its server drains either."""
    unstored = Commits.unstored

    def never(self: Any) -> bool:
        return self._room.durability != "memory" and unstored(self)

    swap(Commits, "unstored", never)


# -------------------------------------------------------------------------------- exactly once


@mutant
def dedupe_off(swap: Any) -> None:
    """A repeat is handled as if it were new."""
    numbered = conversation.Conversation._numbered

    def take(self: Any, message: Any) -> Any:
        reaction = numbered(self, message)
        if isinstance(reaction, conversation.Repeat) and "event" in message:
            return conversation.Accept(message["seq"], message["event"], message.get("child"))
        return reaction

    swap(conversation.Conversation, "_numbered", take)


@mutant
def marks_not_restored(swap: Any) -> None:
    """A room that wakes knows nothing of what its clients had settled."""
    swap(waking, "Marks", lambda stored, *options: marks.Marks({}, *options))


@mutant
def ignored_not_marked(swap: Any) -> None:
    """That an event was ignored isn't stored."""
    settle = marks.Marks.settle

    def settle_some(self: Any, key: str, seq: int, outcome: Any, now: int) -> None:
        before = self._changed.get(key)
        settle(self, key, seq, outcome, now)
        if outcome.word == "ignored" and before is None:
            del self._changed[key]

    swap(marks.Marks, "settle", settle_some)


@mutant
def idempotency_key_ignored(swap: Any) -> None:
    """A request that is repeated with its key is handled as if it were new."""
    asked = Session._ask

    def ask_anew(self: Any, ask: Any, turn: Any, now: int) -> None:
        ask.key = None
        asked(self, ask, turn, now)

    swap(Session, "_ask", ask_anew)


@mutant
def unanswered_forgotten(swap: Any) -> None:
    """The router doesn't say again what was unanswered when its room went."""
    swap(Door, "unanswered", lambda self: [])


@mutant
def acknowledged_repeat_refused(swap: Any) -> None:
    """Who repeats what it then acknowledges, before the gate opens, is turned away."""
    again = Teller._again

    def refuse(self: Any, client: Any, seq: int, now: int) -> None:
        mark = self._session.marks.get(client.key)
        acked, mark.acked = mark.acked, 0
        again(self, client, seq, now)
        mark.acked = acked

    swap(Teller, "_again", refuse)


@mutant
def late_attempt_ends_page(swap: Any) -> None:
    """A page ends when an attempt that it gave up arrives late, and takes over."""
    swap(link, "STRAY", 0)


# -------------------------------------------------------------------------------- ownership


def _refusing(swap: Any, judge: Callable[..., Any]) -> None:
    def refusal(
        commit: Commit, owner: str | None, epoch: int | None, generation: str, revision: int
    ) -> Any:
        if epoch is None or generation != commit.generation:
            return ownership.refusal(commit, owner, epoch, generation, revision)
        return judge(commit, owner, epoch, generation, revision)

    swap(memory, "refusal", refusal)


@mutant
def deletion_forgotten(swap: Any) -> None:
    """A session made again takes what was said to the one before it of that name."""
    swap(waking, "Marks", lambda stored, deleted=None: marks.Marks(stored))


@mutant
def no_compare_and_swap(swap: Any) -> None:
    """Whatever is committed is written, by whomever, onto whatever is there."""
    _refusing(swap, lambda *_: None)


@mutant
def epoch_ignored(swap: Any) -> None:
    """A commit of a former owner is written when its revision is the next one."""
    _refusing(
        swap,
        lambda commit, owner, epoch, generation, revision: ownership.refusal(
            commit, commit.incarnation, commit.epoch, generation, revision
        ),
    )


@mutant
def revision_ignored(swap: Any) -> None:
    """An owner's commit is written whatever it follows."""
    _refusing(
        swap,
        lambda commit, owner, epoch, generation, revision: ownership.refusal(
            commit, owner, epoch, generation, commit.prev
        ),
    )


@mutant
def generation_ignored(swap: Any) -> None:
    """A commit to a session that was deleted makes it again."""
    refused = memory.MemoryStore._refusal

    def refusal(self: Any, commit: Commit) -> Any:
        row = self._rows.get(commit.id)
        if row is None:
            self._rows[commit.id] = memory._Row(
                commit.generation, commit.incarnation, commit.epoch, commit.prev
            )
        elif row.generation != commit.generation:
            return ownership.refusal(commit, row.owner, row.epoch, commit.generation, row.revision)
        return refused(self, commit)

    swap(memory.MemoryStore, "_refusal", refusal)


@mutant
def expired_renews(swap: Any) -> None:
    """An incarnation that has expired lives again with its next heartbeat."""
    renew = ownership.Leases.renew

    def revive(self: Any, host: Any, ttl: int) -> bool:
        self._dead.discard(host.incarnation)
        self._ends.pop(host.incarnation, None)
        return renew(self, host, ttl)

    swap(ownership.Leases, "renew", revive)


@mutant
def living_owner_ignored(swap: Any) -> None:
    """A session is given to whoever asks, though its owner lives."""
    acquire = memory.MemoryStore.acquire

    async def take(self: Any, id: Any, incarnation: str) -> Any:
        row = self._rows.get(id)
        if row is not None and row.owner != incarnation:
            row.owner = None
        return await acquire(self, id, incarnation)

    swap(memory.MemoryStore, "acquire", take)


@mutant
def lease_never_over(swap: Any) -> None:
    """A host answers from memory whether or not its lease stands."""
    swap(Lease, "stands", lambda self: True)
    swap(Lease, "_expire", lambda self: None)


# -------------------------------------------------------------------------------- time


@mutant
def timer_index_late(swap: Any) -> None:
    """The store's index says later than the truth."""
    write = memory.MemoryStore._write

    def write_late(self: Any, row: Any, commit: Commit) -> None:
        write(self, row, commit)
        if row.due is not None:
            row.due += 60_000

    swap(memory.MemoryStore, "_write", write_late)


@mutant
def timer_fires_twice(swap: Any) -> None:
    """A timer that has fired stays."""
    expire = Session.expire

    def twice(self: Any, turn: Any, now: int, *, entering: bool) -> None:
        timer = self._due_timer(now)
        if timer is not None:
            fired = self._system.fire(self.snapshot, timer, now=now)
            self._advance(fired, timer.event, turn, now)
            again = self.snapshot.timers
            if timer not in again:
                step = self._system.step(self.snapshot, timer.event, now=now)
                self._advance(step, timer.event, turn, now)
        expire(self, turn, now, entering=entering)

    swap(Session, "expire", twice)


@mutant
def nobody_wakes_for_timers(swap: Any) -> None:
    """Sleeping sessions aren't woken when they are due."""
    swap(Alarms, "look", lambda self: None)
    swap(Alarms, "note", lambda self, id, due: None)


@mutant
def coroutines_not_started_again(swap: Any) -> None:
    """A room that wakes doesn't start what ran when it was lost."""
    begin = room.LiveRoom.begin
    swap(room.LiveRoom, "begin", lambda self, effects: begin(self, ()))


# -------------------------------------------------------------------------------- what is owed


@mutant
def outbox_not_restored(swap: Any) -> None:
    """A room that wakes knows nothing of what its session owes."""
    swap(waking, "Outbox", lambda stored, **options: Outbox({}, **options))


@mutant
def owed_in_a_later_commit(swap: Any) -> None:
    """What a transition declares isn't written with it, but with the next commit."""
    changes = Outbox.changes

    def changed_before(self: Any) -> Any:
        before, self.late = getattr(self, "late", {}), changes(self)
        return before

    swap(Outbox, "changes", changed_before)


@mutant
def effects_settled_as_they_begin(swap: Any) -> None:
    """An effect is taken out of the outbox before it has been performed."""
    attempt = courier.Courier._attempt

    async def settle_first(self: Any, entry: Any) -> None:
        self._report(Performed(entry, "done", None))
        await attempt(self, entry)

    swap(courier.Courier, "_attempt", settle_first)


@mutant
def letters_not_marked(swap: Any) -> None:
    """That a room has taken another one's letter isn't stored with what it did of it."""
    settle = marks.Marks.settle

    def settle_viewers(self: Any, key: str, seq: int, outcome: Any, now: int) -> None:
        before = self._changed.get(key)
        settle(self, key, seq, outcome, now)
        if key.startswith(PREFIX) and before is None:
            del self._changed[key]

    swap(marks.Marks, "settle", settle_viewers)


@mutant
def effects_before_commit(swap: Any) -> None:
    """Durable effects are performed before the commit that they stand in."""
    proceed = room.LiveRoom._proceed

    def perform(self: Any) -> None:
        self._opening.owes()
        proceed(self)

    swap(room.LiveRoom, "_proceed", perform)


@mutant
def effect_keys_change(swap: Any) -> None:
    """Each attempt at an effect has a key of its own."""
    swap(
        courier,
        "Attempt",
        lambda key, number, epoch: Attempt(f"{key}.{epoch}.{number}", number, epoch),
    )


@mutant
def letters_not_numbered(swap: Any) -> None:
    """A room takes every letter of another one for a new one."""
    begin, letters = Delivery.__init__, count(1)

    def renumber(self: Any, letter: Any) -> None:
        begin(self, letter)
        self.key, self.seq = f"{letter.generation} {next(letters)}", 1

    swap(Delivery, "__init__", renumber)


@mutant
def effects_at_once(swap: Any) -> None:
    """Effects of one name don't wait for each other."""
    swap(courier, "heads", lambda entries: {str(n): e for n, e in entries.items() if not e.dead})


# -------------------------------------------------------------------------------- who is here


@mutant
def takeover_is_a_leave(swap: Any) -> None:
    """The end of a connection that was taken over is its viewer's end."""
    take_over = Session._take_over

    def leave(self: Any, older: Any, turn: Any, now: int) -> None:
        seated = older.seated
        take_over(self, older, turn, now)
        older.seated = seated

    swap(Session, "_take_over", leave)


@mutant
def second_tab_ignored(swap: Any) -> None:
    """A viewer is away when one of several connections goes."""
    connect = Seats.connect

    def connect_once(self: Any, viewer: Any) -> Any:
        told = connect(self, viewer)
        self._seats[viewer.id].connections = 1
        return told

    swap(Seats, "connect", connect_once)


@mutant
def seats_not_stored(swap: Any) -> None:
    """A room that wakes knows nothing of who had a seat."""
    swap(Seats, "restore", lambda self, blob, now, slept: None)


@mutant
def presence_not_kept(swap: Any) -> None:
    """What somebody shares is gone when the room has slept."""
    outside = Links.outside

    def forget(self: Any, channel: Any) -> None:
        channel.presence = None
        outside(self, channel)

    swap(Links, "outside", forget)


# -------------------------------------------------------------------------------- bounds


@mutant
def clients_never_forgotten(swap: Any) -> None:
    """A room keeps every client that was ever there."""
    swap(Clients, "forget", lambda self, client: None)


@mutant
def channels_never_forgotten(swap: Any) -> None:
    """A host keeps every connection that there ever was."""
    forget = Links.forget

    def keep(self: Any, channel: Any) -> None:
        forget(self, channel)
        self._channels[channel.id] = channel

    swap(Links, "forget", keep)


@mutant
def outcomes_never_forgotten(swap: Any) -> None:
    """A mark keeps every outcome."""
    swap(marks.Mark, "ack", lambda self, acked: None)
    swap(marks, "MAX_UNANSWERED", 1 << 30)


@mutant
def slow_readers_fed(swap: Any) -> None:
    """Who reads too slowly is sent ever more."""
    swap(Routing, "slow", lambda self, channel: None)


# -------------------------------------------------------------------------------- states, history


@mutant
def patch_of_older_state(swap: Any) -> None:
    """A patch says what changed since the snapshot, not since the patch before it."""
    make = Journal._patch

    def since_the_snapshot(self: Any, snapshot: Any, revision: int) -> Any:
        shape = self._shape
        made = make(self, snapshot, revision)
        self._shape = shape
        return made

    swap(Journal, "_patch", since_the_snapshot)


@mutant
def patches_of_another_snapshot(swap: Any) -> None:
    """A new snapshot leaves the patches of the old one, and nobody sees whose they are."""
    write = Journal.write

    def write_and_leave(self: Any, *args: Any, **kwargs: Any) -> Any:
        written = write(self, *args, **kwargs)
        patches = {key: patch for key, patch in written.patches.items() if patch is not None}
        return written._replace(patches=patches)

    def state_of_any(kept: Any) -> Any:
        ops = [orjson.loads(kept.patches[key])[2] for key in sorted(kept.patches, key=int)]
        return apply(orjson.loads(kept.snapshot), [op for each in ops for op in each])

    swap(Journal, "write", write_and_leave)
    swap(record, "state", state_of_any)


@mutant
def fold_loses_a_patch(swap: Any) -> None:
    """Patches are taken away, and the snapshot is as it was before the last of them."""
    write = Journal.write

    def write_late(self: Any, snapshot: Any, *args: Any, **kwargs: Any) -> Any:
        folds = self.patched
        written = write(self, snapshot, *args, **kwargs)
        before, self.newest = getattr(self, "newest", None), snapshot
        if folds and written.snapshot is not None and before is not None:
            return written._replace(snapshot=record.dump(self._system, before))
        return written

    swap(Journal, "write", write_late)


@mutant
def log_trimmed_short(swap: Any) -> None:
    """The log loses what is still to be shown."""
    trim = Keeps.trim
    swap(Keeps, "trim", lambda self, newest, now: trim(self, newest + 3, now))


@mutant
def refused_log_stays(swap: Any) -> None:
    """Of a refused commit the log is kept."""
    refusal = memory.MemoryStore._refusal

    def leave(self: Any, commit: Commit) -> Any:
        error = refusal(self, commit)
        row = self._rows.get(commit.id)
        if error is not None and row is not None:
            row.log = sorted([*row.log, *commit.log])
        return error

    swap(memory.MemoryStore, "_refusal", leave)


# -------------------------------------------------------------------------------- views


@mutant
def nonce_repeated(swap: Any) -> None:
    """After a crash cursors are counted again from the beginning, under the same name."""
    swap(waking, "_nonce", lambda chance: "nonceone")


@mutant
def stale_ring_on_resume(swap: Any) -> None:
    """Who resumes lacks the first step that it missed."""
    since = Backlog.since

    def skip(self: Any, cursor: str | None) -> Any:
        ops = since(self, cursor)
        return ops[1:] if ops and len(ops) > 1 else ops

    swap(Backlog, "since", skip)


@mutant
def view_shared_by_all(swap: Any) -> None:
    """Everybody is shown the view that was made for one of them."""
    swap(Table, "view_key", lambda self, snapshot, viewer: "all")


@mutant
def filter_after_diff(swap: Any) -> None:
    """Steps are made of what is there, and what somebody may not see is taken out of them."""

    def view(self: Any, snapshot: Any, viewer: Any) -> Any:
        context = {**seen(snapshot.context, viewer.id), "hidden": snapshot.context["secrets"]}
        return show(snapshot, context=context)

    made, encode = messages.patch, codec.encode

    def patched(base: str, cursor: str, ops: Any) -> Any:
        shown = [op for op in ops if op[0][:2] != ["context", "hidden"]]
        return made(base, cursor, shown)

    def encode_shown(message: Any, name: Any) -> bytes:
        if "hidden" in (context := message.get("context", {})):
            shown = {field: value for field, value in context.items() if field != "hidden"}
            message = {**message, "context": shown}
        return encode(message, name)

    swap(Table, "view", view)
    swap(messages, "patch", patched)
    swap(fanout, "encode", encode_shown)
