"""The outbox: the durable effects that a session still owes, and those that failed for good.

In: what a step declared, how attempts ended, the time. Out: what is due, and what the next commit
writes, in the commit of the step that it belongs to. It performs nothing (`rooms/host/courier.py`
does, once an entry is durable) and knows neither time nor chance. Timers whose event failed are
kept here too (`rooms/host/retries.py`). SPEC, OUTBOX.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.effects import EFFECT, SEND
from rooms.errors import BadMessage, Unstorable, UsageError
from rooms.host.retries import MAX_ERROR, Retries, wait_after
from rooms.store.port import SessionId
from rooms.sync import messages
from runtime import Declared

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from rooms.sync.messages import Json
    from runtime import Effect

logger = logging.getLogger(__name__)

SEND_TO_ROOM: Final = "send_to_room"
"""The name under which events for other rooms stand here."""
MAX_WAITING: Final = 1024
"""How many effects of one session may wait, and how many of its dead letters are kept."""
MAX_PARAMS: Final = 64 * 1024
"""How large the params of one effect may be (bytes)."""
LONGEST_SEARCH: Final = 30_000
"""How long it takes at most until a room that was out of reach is tried again (ms)."""
_COUNT: Final = ""
_TIMER: Final = "timer "


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect that is owed.

    `number` gives the order; entries of one `lane` are performed one after the other. `key` stays
    the same for as long as the effect is owed. `actor` is the address of who declared it; `made`
    and `due` are times (ms); `attempts` is how many were begun, for an event to another room how
    many failed; `error` what the last of them said, `dead` since when nobody tries (ms). `begun` is
    the life in which the newest attempt was counted, 0 when that has ended: an attempt is counted
    before it is begun, so that an effect that brings its host down doesn't do so for ever.
    """

    number: int
    lane: str
    key: str
    name: str
    params: Json
    actor: str
    made: int
    due: int
    attempts: int = 0
    begun: int = 0
    error: str | None = None
    dead: int | None = None

    @property
    def to(self) -> SessionId | None:
        """The session that it is an event for; None for an effect of the room's own."""
        if self.name != SEND_TO_ROOM:
            return None
        return SessionId(self.params["kind"], self.params["session"])


class Outbox:
    """What one session owes. `entries` is replaced when it changes, never changed.

    Args:
        stored: as the store has it.
        generation: the session's, which makes keys that are no other session's.
        life: a number that no other incarnation of the session has, by chance.
        now: when this one begins (ms). It counts on from there, so that a number stays that of one
            entry though the store lost what the incarnation before had counted.
        effects: the names of effects that the room has functions for.
        attempts: after how many an effect is a dead letter.
        roll: a number from 0 to 1, by chance.
    """

    def __init__(
        self,
        stored: Mapping[str, bytes],
        *,
        generation: str,
        life: int,
        now: int,
        effects: Container[str],
        attempts: int,
        roll: Callable[[], float],
    ) -> None:
        self.generation = generation
        self.life = life
        self._attempts = attempts
        self._effects = effects
        self._roll = roll
        self._changed: dict[str, bytes | None] = {}
        timers = {key: blob for key, blob in stored.items() if key.startswith(_TIMER)}
        self.timers = Retries(timers, self._changed, prefix=_TIMER)
        self._count = max(int(stored.get(_COUNT, b"0")), now)
        found = [
            Entry(**orjson.loads(blob))
            for key, blob in stored.items()
            if key != _COUNT and key not in timers
        ]
        self.entries: Mapping[int, Entry] = {
            entry.number: entry for entry in sorted(found, key=lambda entry: entry.number)
        }

    # ------------------------------------------------------------------ what is declared

    def refuse(self, effects: Iterable[Effect]) -> Exception | None:
        """What is wrong with the effects that a step declares, or None."""
        declared = _durable(effects)
        if not declared:
            return None
        waiting = sum(entry.dead is None for entry in self.entries.values())
        if waiting + len(declared) > MAX_WAITING:
            return UsageError(f"{waiting} effects of this session wait already")
        try:
            for effect in declared:
                self._read(effect)
        except (UsageError, Unstorable) as error:
            return error
        return None

    def add(self, effects: Iterable[Effect], now: int) -> None:
        """Owe the effects that a step declared. `refuse` had nothing against them."""
        for effect in _durable(effects):
            name, params = self._read(effect)
            lane = name
            if name == SEND_TO_ROOM:
                lane = f"{name} {params['kind']}/{params['session']}"
            entry = Entry(0, lane, "", name, params, effect.actor, made=now, due=now)
            self._put(self._first(entry))

    def _read(self, effect: Declared) -> tuple[str, Json]:
        """The name and params of an effect, as plain data. Raises UsageError, Unstorable."""
        declared = effect.params
        try:
            blob = orjson.dumps(declared)
        except TypeError as error:
            raise Unstorable(f"the params of an effect aren't JSON data: {error}") from error
        if len(blob) > MAX_PARAMS:
            raise UsageError(f"the params of an effect have over {MAX_PARAMS} bytes")
        plain = orjson.loads(blob)
        if effect.name == SEND:
            _check_event_to_room(plain)
            return SEND_TO_ROOM, plain
        if plain["name"] not in self._effects:
            raise UsageError(f"the room has no effect {plain['name']!r}: add it to its `effects`")
        return plain["name"], plain["params"]

    # ------------------------------------------------------------------ attempts

    def begin(self, entry: Entry) -> bool:
        """Another attempt is to be begun, once this is stored. False: there were too many."""
        if entry.attempts >= self._attempts:
            return False
        self._replace(replace(entry, attempts=entry.attempts + 1, begun=self.life))
        return True

    def settle(self, entry: Entry) -> None:
        """It was performed: nothing is owed any more."""
        self.entries = {number: one for number, one in self.entries.items() if one is not entry}
        self._changed[str(entry.number)] = None

    def fail(self, entry: Entry, error: str, now: int, *, final: bool = False) -> bool:
        """An attempt failed: it is owed later, or (`final`, or after too many) is a dead letter.

        Returns whether it is one now.
        """
        attempts = entry.attempts + (entry.to is not None)
        dead = now if final or attempts >= self._attempts else None
        due = now + self._less(wait_after(attempts))
        self._replace(
            replace(entry, attempts=attempts, begun=0, error=error[:MAX_ERROR], due=due, dead=dead)
        )
        if dead is not None:
            self._bury()
        return dead is not None

    def postpone(self, entry: Entry, error: str, now: int) -> None:
        """Another room is out of reach: it is tried again, the later the longer that is so."""
        wait = min(max(wait_after(1), now - entry.made), LONGEST_SEARCH)
        self._replace(replace(entry, error=error[:MAX_ERROR], due=now + self._less(wait)))

    def retry(self, name: str | None, now: int) -> int:
        """Try the dead letters of this name again from now on, effects and timers; all of them for
        None. Returns how many there are.
        """
        dead = [
            entry
            for entry in self.entries.values()
            if entry.dead is not None and name in (None, entry.name)
        ]
        for entry in dead:  # under a new number: the other room may have settled later ones
            self.settle(entry)
            self._put(self._first(replace(entry, made=now, due=now, dead=None)))
        return len(dead) + self.timers.retry(name, now)

    # ------------------------------------------------------------------ what is owed

    def next_due(self) -> int | None:
        """When the next attempt is due (ms)."""
        if not self.entries:
            return None
        return min((entry.due for entry in heads(self.entries).values()), default=None)

    def changed(self) -> bool:
        """Whether the next commit has something to carry."""
        return bool(self._changed)

    def changes(self) -> dict[str, bytes | None]:
        """What changed since the last call, as a commit takes it."""
        changed = dict(self._changed)
        self._changed.clear()
        return changed

    # ------------------------------------------------------------------ small things

    def _first(self, entry: Entry) -> Entry:
        """Its first attempt is counted with the commit that writes it."""
        own = entry.to is None
        return replace(entry, attempts=int(own), begun=self.life if own else 0)

    def _put(self, entry: Entry) -> None:
        self._count += 1
        number = self._count
        key = entry.key or f"{self.generation}.{number}"
        self._changed[_COUNT] = str(number).encode()
        self._replace(replace(entry, number=number, key=key))

    def _replace(self, entry: Entry) -> None:
        self.entries = {**self.entries, entry.number: entry}
        self._changed[str(entry.number)] = orjson.dumps(entry)

    def _bury(self) -> None:
        """Keep the newest dead letters only."""
        dead = [entry for entry in self.entries.values() if entry.dead is not None]
        for entry in dead[:-MAX_WAITING]:
            logger.error("a dead letter is dropped, there are too many: %r", entry)
            self.settle(entry)

    def _less(self, wait: int) -> int:
        """A wait, less up to half of it by chance, so that not all come back at once (ms)."""
        return round(wait * (1 - self._roll() / 2))


def heads(entries: Mapping[int, Entry]) -> dict[str, Entry]:
    """The entry of each lane that is to be performed next, by lane."""
    found: dict[str, Entry] = {}
    for entry in entries.values():
        if entry.dead is None:
            found.setdefault(entry.lane, entry)
    return found


def shown(stored: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What a stored outbox holds, for people: what waits and, with `dead`, what failed for good; in
    order, then the timers that failed.
    """
    keys = sorted(stored.keys() - {_COUNT}, key=lambda key: (key.startswith(_TIMER), len(key), key))
    return [orjson.loads(stored[key]) for key in keys]


def _durable(effects: Iterable[Effect]) -> list[Declared]:
    return [
        effect for effect in effects if type(effect) is Declared and effect.name in (EFFECT, SEND)
    ]


def _check_event_to_room(params: dict[str, Json]) -> None:
    kind, session, event = params["kind"], params["session"], params["event"]
    for name, value, pattern in (
        ("kind", kind, messages.KIND_PATTERN),
        ("session", session, messages.SESSION_PATTERN),
    ):
        if not (isinstance(value, str) and pattern.fullmatch(value)):
            raise UsageError(f"send_to_room: {value!r} can't be a {name}")
    try:
        messages.check_event(event)
    except BadMessage as bad:
        raise UsageError(f"send_to_room: {bad.reason}") from bad
