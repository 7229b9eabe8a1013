"""What happened, as those outside saw it, and whether that may be: the version-witnessed checker.

A `History` is written down while something runs, simulated or real: what clients said and were
told, what they were shown, what stores answered, and how each session's log looks in the end.
`check` then names every promise that was broken. It knows nothing of how rooms work.

The sessions run machines that log what they accept. An entry of a log is `client:n` (the n-th event
of a façade), with `>due` where it set a timer, or `client:n!at` when that timer fired; an
accepted event's result says which life of its session accepted it, and at which place of the log.
A life is a session's from its making to its deletion.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.entries import Entry, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Violation(NamedTuple):
    """A promise that was broken: which (one word or two), and how."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


@dataclass(slots=True)
class Operation:
    """One numbered event: what a client said, and learnt of it. Times are places in the history."""

    event: str
    session: str
    sent: int
    floor: dict[str, int]
    answered: int | None = None
    outcome: str | None = None
    life: str | None = None
    place: int | None = None
    lost: bool = False
    """It was told that nobody will ever know, or went away itself."""


class Shown(NamedTuple):
    """What a client saw of a log. `view` is everything it saw."""

    client: str
    life: str
    log: Sequence[str]
    cursor: str
    view: Any


@dataclass(slots=True)
class _Owner:
    owner: str
    epoch: int
    generation: str
    revision: int
    released: bool = False
    until: float = inf


@dataclass(slots=True)
class History:
    """What happened. `late` is how late a timer may be (ms)."""

    late: int = 1_000
    violations: list[Violation] = field(default_factory=list)
    _operations: dict[str, Operation] = field(default_factory=dict)
    _shown: list[Shown] = field(default_factory=list)
    _logs: dict[str, list[str]] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _told: dict[tuple[str, int], tuple[str, Any]] = field(default_factory=dict)
    _heard: set[tuple[str, str, int]] = field(default_factory=set)
    _elsewhere: list[tuple[str, str]] = field(default_factory=list)
    _performed: dict[str, tuple[str, set[tuple[int, int]]]] = field(default_factory=dict)
    _under_way: dict[tuple[str, int], str] = field(default_factory=dict)
    _asked: dict[str, dict[str, int]] = field(default_factory=dict)
    _changed: list[tuple[str, str]] = field(default_factory=list)
    _highest: dict[str, int] = field(default_factory=dict)
    _length: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    _cursors: dict[tuple[str, str], tuple[str, Any]] = field(default_factory=dict)
    _owners: dict[str, _Owner] = field(default_factory=dict)
    _leases: dict[str, float] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    _rewound: set[str] = field(default_factory=set)
    _unless_rewound: list[tuple[str, Violation]] = field(default_factory=list)
    _clock: int = 0
    _ended: int | None = None

    # ------------------------------------------------------------------ clients

    def sent(self, client: str, n: int, session: str) -> None:
        """A client sends its n-th event."""
        event = f"{client}:{n}"
        self._operations[event] = Operation(event, session, self._tick(), dict(self._highest))

    def answered(
        self,
        client: str,
        n: int,
        outcome: str,
        result: Any = None,
        *,
        shows: tuple[str, int] | None = None,
    ) -> None:
        """The client learnt the outcome. `shows`: the life and length of the log it then saw."""
        operation = self._operations[f"{client}:{n}"]
        if operation.answered is not None:
            self._violated("answered twice", operation.event)
        operation.answered, operation.outcome = self._tick(), outcome
        if outcome != "accepted" or result is None:
            return
        operation.life, operation.place = result["life"], result["place"]
        life, place = result["life"], result["place"]
        if place <= operation.floor.get(life, 0):
            what = f"{operation.event} at {place}, sent after {operation.floor[life]} was"
            self._unless_rewound.append((life, Violation("order", what)))
        self._highest[life] = max(self._highest.get(life, 0), place)
        if shows is not None and shows[0] == life and shows[1] < place:
            self._violated("outcome before view", f"{operation.event} at {place}, saw {shows[1]}")

    def lost(self, client: str, n: int) -> None:
        """The client will never know: it went away, or was told so."""
        self._operations[f"{client}:{n}"].lost = True

    def told(self, client: str, seq: int, outcome: str, result: Any) -> None:
        """A server said what became of a number, whether or not that arrived."""
        before = self._told.setdefault((client, seq), (outcome, result))
        if before != (outcome, result):
            what = f"{client} #{seq}: {before}, then {(outcome, result)}"
            self._changed.append((f"{client}:{seq}", what))

    def asked(self, client: str) -> None:
        """A client makes a connection: what it is shown then isn't older than what is known now."""
        self._asked[client] = dict(self._highest)

    def made(self, view: Any, cursor: str) -> None:
        """A host made this view, of this cursor: whoever is at the cursor sees just that."""
        self._cursor(view, cursor, "the host")

    def shown(self, client: str, view: Any, cursor: str) -> None:
        """A client was shown a view, of this cursor."""
        context = view["context"]
        life, log = context["life"], context["log"]
        before, nonce = self._length.get((client, life), (0, ""))
        if len(log) < before:
            back = Violation("went back", f"{client} saw {before} entries, then {len(log)}")
            if nonce == _nonce(cursor):  # nothing says that this is another incarnation
                self.violations.append(back)
            else:
                self._unless_rewound.append((life, back))
        self._length[client, life] = len(log), _nonce(cursor)
        floor = self._asked.pop(client, {}).get(life, 0)
        if len(log) < floor:
            what = f"{client} asked at {floor} entries, and was shown {len(log)}"
            self._unless_rewound.append((life, Violation("stale", what)))
        self._cursor(view, cursor, client)
        self._shown.append(Shown(client, life, log, cursor, view))

    def heard(self, client: str, event: Mapping[str, Any], view: Mapping[str, Any] | None) -> None:
        """A client was told of an entry {life, place, entry}, when it saw this view."""
        life, place, entry = event["life"], event["place"], event["entry"]
        seen, log = (
            (None, ()) if view is None else (view["context"]["life"], view["context"]["log"])
        )
        if seen != life:
            self._elsewhere.append((life, f"{client}: {entry}, saw {seen}"))
        elif len(log) < place or log[place - 1] != entry:
            early = Violation("heard before view", f"{client}: {entry} at {place}, saw {len(log)}")
            self._unless_rewound.append((life, early))
        if (client, life, place) in self._heard:
            what = Violation("heard twice", f"{client}: {entry}")
            self._unless_rewound.append((life, what))
        self._heard.add((client, life, place))

    def performed(self, life: str, key: str, entry: str, attempt: tuple[int, int]) -> None:
        """A life of a session begins to perform an effect of this key, for this entry; the attempt
        is its (epoch, number).
        """
        known, attempts = self._performed.setdefault(key, (entry, set()))
        if known != entry:
            self._violated("effect key", f"{key} is for {known}, and for {entry}")
        if attempt in attempts:
            twice = Violation("attempt twice", f"{key}, {entry}: {attempt}")
            self._unless_rewound.append((life, twice))
        attempts.add(attempt)
        before = self._under_way.get((life, attempt[0]), key)
        if before != key:
            both = Violation("effects at once", f"{key} before {before} is done")
            self._unless_rewound.append((life, both))
        self._under_way[life, attempt[0]] = key

    def done(self, life: str, attempt: tuple[int, int]) -> None:
        """It has done what it began."""
        self._under_way.pop((life, attempt[0]), None)

    def handed(self, sent: Sequence[str], received: Sequence[str], *, all: bool) -> None:
        """What a life of a session handed over to another session, and what that one received of
        everybody. `all`: by now it must have it.
        """
        known = set(sent)
        mine = [entry for entry in received if entry in known]
        if len(set(mine)) < len(mine):
            self._violated("handed twice", f"{[e for e, n in Counter(mine).items() if n > 1]}")
        elif mine != [entry for entry in sent if entry in set(mine)]:
            self._violated("handed in another order", f"{mine} of {list(sent)}")
        missing = [entry for entry in sent if entry not in mine and entry not in self._lost]
        if all and missing:
            self._violated("not handed", f"{missing}")

    def holds(self, client: str, view: dict[str, Any], expected: dict[str, Any]) -> None:
        """What a client sees in the end, and what it should, by name."""
        for name in sorted(view.keys() | expected.keys()):
            if view.get(name) != expected.get(name):
                what = f"{client} sees {name} {brief(view.get(name))}, not "
                what += brief(expected.get(name))
                self._violated("final view", what)

    # ------------------------------------------------------------------ sessions

    def ended(self, life: str, log: Sequence[str], now: int, *, deleted: bool = False) -> None:
        """A life's log as it is stored in the end, or as it was when it was deleted (ms)."""
        if life in self._deleted:
            self._violated("undead session", f"{life} was deleted")
        if deleted:
            self._deleted.add(life)
        self._logs[life] = list(log)
        self._ended = now

    def violated(self, rule: str, what: str) -> None:
        """Whoever watches saw something that may not be."""
        self._violated(rule, what)

    # ------------------------------------------------------------------ the store

    def heartbeat(self, incarnation: str, alive: bool, now: float, ttl: float) -> None:
        """A store answered a heartbeat."""
        if alive and now >= self._leases.get(incarnation, now + 1):
            self._violated("undead incarnation", incarnation)
        if alive:
            self._leases[incarnation] = now + ttl

    def retired(self, incarnation: str, now: float) -> None:
        """An incarnation is dead."""
        self._leases[incarnation] = min(self._leases.get(incarnation, now), now)

    def acquired(
        self,
        session: str,
        owner: str,
        epoch: int,
        generation: str,
        revision: int,
        now: float,
    ) -> None:
        """A store made somebody the owner of a session, which is at this revision."""
        former = self._owners.get(session)
        if former is not None and former.generation == generation:
            if revision != former.revision:
                what = f"{session} is at {revision} after {former.revision}"
                self._violated("revision lost", what)
            if former.owner == owner and former.epoch == epoch:
                return
            if (
                former.owner != owner
                and not former.released
                and now < self._leases.get(former.owner, now)
            ):
                self._violated("stolen", f"{session} from {former.owner}, which lives")
            if epoch <= former.epoch:
                self._violated("epoch", f"{session}: {epoch} after {former.epoch}")
        self._owners[session] = _Owner(owner, epoch, generation, revision)

    def committed(
        self, session: str, owner: str, epoch: int, generation: str, prev: int, new: int
    ) -> None:
        """A store wrote a commit."""
        known = self._owners.get(session)
        if known is None or (known.owner, known.epoch, known.generation) != (
            owner,
            epoch,
            generation,
        ):
            self._violated("committer", f"{session} {prev}→{new} by {owner} of epoch {epoch}")
        elif known.released:
            self._violated("committer", f"{session} {prev}→{new} by {owner}, which gave it back")
        elif prev != known.revision:
            self._violated("gapless", f"{session} {prev}→{new} on revision {known.revision}")
        if known is not None:
            known.revision = new

    def restored(self, session: str, stored: Mapping[str, Any], awake: Mapping[str, Any]) -> None:
        """A room woke: what was stored of it, and what it is."""
        for part in stored.keys() | awake.keys():
            if stored.get(part) != awake.get(part):
                what = f"{session}: {part} is {brief(awake.get(part))}, stored was "
                self._violated("restored", what + brief(stored.get(part)))

    def released(
        self, session: str, owner: str, epoch: int | None = None, now: float = 0.0
    ) -> None:
        """A store took a session back; None: whatever epoch it was of."""
        known = self._owners.get(session)
        if known is not None and known.owner == owner and epoch in (None, known.epoch):
            known.released, known.until = True, now

    def forgotten(self, session: str) -> None:
        """A session was deleted."""
        self._owners.pop(session, None)

    def owner(self, session: str, lived: float) -> str | None:
        """Who had a session and lived at this time of the store (ms), or later."""
        known = self._owners.get(session)
        if known is None or min(known.until, self.lives_until(known.owner)) <= lived:
            return None
        return known.owner

    def lives_until(self, incarnation: str) -> float:
        """Until when it does, or did (ms)."""
        return self._leases.get(incarnation, 0.0)

    def rewound(
        self, owners: Mapping[str, tuple[str, int, str, int]], leases: Mapping[str, float]
    ) -> None:
        """Another server is the store: each session's owner ("" for nobody), epoch, generation and
        revision there, and when leases end.
        """
        self._owners = {session: _Owner(*row, not row[0]) for session, row in owners.items()}
        self._leases = dict(leases)

    def lost_by_store(
        self,
        life: str,
        was: Sequence[str],
        now: Sequence[str],
        *,
        outcomes: set[str],
        received: set[str],
    ) -> None:
        """A store lost what its level may lose: a life's log was, and is now; what isn't there any
        more of outcomes, and of what others had handed over.
        """
        lost = {line for place, line in enumerate(was) if now[place : place + 1] != [line]}
        self._rewound.add(life)
        self._lost |= {parse(line).event for line in lost} | outcomes | received

    # ------------------------------------------------------------------ judgement

    def check(self) -> list[Violation]:
        """Every promise that was broken. Call it once, when all is told."""
        places: dict[tuple[str, int], str] = {}
        for life, violation in self._unless_rewound:
            if life not in self._rewound:
                self.violations.append(violation)
        for operation in self._operations.values():
            self._check_operation(operation, places)
        for life, log in self._logs.items():
            self._check_log(life, log)
        self._check_once()
        for event, changed in self._changed:
            if event not in self._lost:
                self._violated("two outcomes", changed)
        keys: dict[str, set[str]] = defaultdict(set)
        for key, (entry, _) in self._performed.items():
            keys[entry].add(key)
        for entry, several in keys.items():
            if len(several) > 1 and not self._deleted and entry not in self._lost:
                self._violated("effect key", f"{entry} has the keys {sorted(several)}")
        written = {parse(line).event for log in self._logs.values() for line in log}
        for entry, _ in self._performed.values():
            if entry not in written and entry not in self._lost:
                self._violated("effect undurable", entry)
        for seen in self._shown:
            self._check_shown(seen)
        for life, what in self._elsewhere:
            if life not in self._deleted:  # what a deleted session told may come late
                self._violated("heard before view", what)
        return self.violations

    def _check_operation(self, operation: Operation, places: dict[tuple[str, int], str]) -> None:
        if operation.outcome is None:
            if not operation.lost:
                self._violated("unanswered", operation.event)
            return
        if operation.outcome != "accepted":
            return
        life, place = operation.life, operation.place
        if life is None or place is None or operation.event in self._lost:
            return
        other = places.setdefault((life, place), operation.event)
        if other != operation.event:
            self._violated("acknowledged twice", f"{place} of {life}: {other}, {operation.event}")
        log = self._logs.get(life)
        if log is None:
            self._violated("lost", f"{operation.event}: there is no {life}")
        elif place > len(log):
            self._violated("lost", f"{operation.event} at {place} of {len(log)} in {life}")
        elif (entry := parse(log[place - 1])).event != operation.event or entry.fired is not None:
            self._violated("lost", f"{operation.event}: {life} has {log[place - 1]} at {place}")

    def _check_log(self, life: str, log: list[str]) -> None:
        """One life: each client's events in their order, and each timer once and in time. Effects
        are performed one after the other: each is in time after the one before it.
        """
        last: dict[str, int] = {}
        pending: dict[str, Entry] = {}
        free = 0
        for line in log:
            entry = parse(line)
            if entry.fired is not None:
                begun = pending.pop(entry.event, None)
                if begun is None or begun.due is None:
                    self._violated("timer twice", f"{line} in {life}")
                elif entry.fired < begun.due and begun.strict:
                    self._violated("timer early", f"{line} was due at {begun.due}")
                elif entry.fired > self.late + (
                    begun.due if begun.strict else max(begun.due, free)
                ):
                    self._violated("timer late", f"{line} was due at {begun.due}")
                if begun is not None and not begun.strict:
                    free = entry.fired
                continue
            client, _, number = entry.event.rpartition(":")
            n = int(number)
            if n <= last.get(client, 0):
                self._violated("client order", f"{line} after {client}:{last[client]} in {life}")
            last[client] = n
            if entry.due is not None:
                pending[entry.event] = entry
        if life in self._deleted or self._ended is None:
            return
        for event, begun in pending.items():
            if begun.due is not None and begun.due + self.late < self._ended:
                self._violated("timer missing", f"{event} was due at {begun.due} in {life}")

    def _check_once(self) -> None:
        """Nothing is applied twice, unless its session was made anew; nothing that wasn't said, and
        nothing that was refused.
        """
        lives: dict[str, list[str]] = defaultdict(list)
        for life, log in self._logs.items():
            applied = Counter(entry.event for line in log if (entry := parse(line)).fired is None)
            for event, times in applied.items():
                if times > 1:
                    self._violated("twice", f"{event} is {times} times in {life}")
                lives[event].append(life)
        for event, found in lives.items():
            operation = self._operations.get(event)
            if operation is None:
                self._violated("phantom", f"{event}: nobody sent it")
            elif (
                operation.outcome in ("ignored", "rejected")
                and not self._deleted
                and event not in self._lost
            ):
                self._violated("phantom", f"{event} was {operation.outcome}")
            if len(found) > 1 and not self._deleted:
                self._violated("twice", f"{event} is in {found}")

    def _check_shown(self, seen: Shown) -> None:
        """Nothing visible depends on what isn't durable: what was seen begins the log."""
        log = self._logs.get(seen.life)
        if log is None:
            if seen.log and not self._was_lost(seen, ()):
                self._violated("undurable", f"{seen.client} saw {seen.life}, which never was")
        elif (
            len(seen.log) > len(log)
            or (seen.log and seen.log[-1] != log[len(seen.log) - 1])
            or log[: len(seen.log)] != list(seen.log)
        ) and not self._was_lost(seen, log):
            self._violated("undurable", f"{seen.client} saw {list(seen.log)[-3:]} at {seen.cursor}")

    def _was_lost(self, seen: Shown, log: Sequence[str]) -> bool:
        """Whether the first entry that was seen, and isn't there, is one that the store lost."""
        kept = 0
        while kept < min(len(seen.log), len(log)) and seen.log[kept] == log[kept]:
            kept += 1
        return seen.life in self._rewound and parse(seen.log[kept]).event in self._lost

    def _cursor(self, view: Any, cursor: str, whose: str) -> None:
        known = self._cursors.setdefault((view["context"]["life"], cursor), (whose, view))
        if known[1] is not view and known[1] != view:
            self._violated("cursor", f"{cursor} is one view for {known[0]}, another for {whose}")

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _violated(self, rule: str, what: str) -> None:
        self.violations.append(Violation(rule, what))


def _nonce(cursor: str) -> str:
    """Whose cursor it is: which incarnation's, or one that went on where that had stopped."""
    return cursor.rpartition(".")[0]


def brief(value: Any) -> str:
    """A value for people: the end of a long list stands for it."""
    if isinstance(value, list) and len(value) > 4:
        return f"[{len(value)}: … {', '.join(map(str, value[-4:]))}]"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:100]} … {text[-100:]}"


def rules(violations: Sequence[Violation]) -> Iterator[str]:
    """The rules that were broken, each once, in the order in which that was seen."""
    yield from dict.fromkeys(violation.rule for violation in violations)
