"""Marks: how far each client's numbered events are settled, and their last outcomes.

They stand beside the state and change in the same commit, so that an event is applied exactly once
however often it arrives. Keys are "subject\\x00client"; the key "" holds since when clients have
been forgotten. An outcome with more to say is stored apart, under its client's key and its number,
so that an event writes its own and none of those before it. Who may say what now is
`rooms/sync/conversation.py`; who commits is `rooms/host/commits.py`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgpack

from rooms.sync.messages import MAX_UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from rooms.sync.messages import Json, OutcomeWord

MAX_MARKS: Final = 4096
FORGET_AFTER: Final = 24 * 3600 * 1000
SMALL: Final = 256
"""Up to so many bytes an outcome stands in its client's mark."""
_FORGOTTEN: Final = ""
_APART: Final = "outcome "  # what no client's own part of its key begins with
_pack: Final = msgpack.Packer().pack  # at a third of the cost of a new one each time
_WORDS: Final[tuple[OutcomeWord, ...]] = ("accepted", "ignored", "rejected")


class Outcome(NamedTuple):
    """What became of an event. `code` is a word for programs, `reason` a sentence for people."""

    word: OutcomeWord
    code: str | None = None
    reason: str | None = None
    result: Json = None


ACCEPTED: Final = Outcome("accepted")
IGNORED: Final = Outcome("ignored")


class Mark:
    """One client's: the highest number settled, and the outcomes it may not have. `digest` is of
    the one event of a client that an Idempotency-Key makes.
    """

    __slots__ = ("_apart", "_gone", "acked", "digest", "outcomes", "seen", "settled")

    def __init__(self, seen: int) -> None:
        self.settled = 0
        self.acked = 0
        self.seen = seen
        self.outcomes: dict[int, Outcome] = {}
        self.digest: bytes | None = None
        self._apart: dict[int, bytes | None] = {}  # of those: what is to be written, None: it is
        self._gone: list[int] = []  # that were stored apart, and are no more

    def ack(self, acked: int) -> None:
        """The client has the outcomes up to `acked`; they needn't be kept."""
        if acked > self.acked:
            self.acked = acked
            for seq in [seq for seq in self.outcomes if seq <= acked]:
                self._drop(seq)

    def settle(self, seq: int, outcome: Outcome, now: int) -> None:
        """The number has its outcome; the oldest beyond 64 goes."""
        self.settled = seq
        self.seen = now
        self.outcomes[seq] = outcome
        if outcome.result is not None or outcome.reason is not None:
            packed = _pack(_row(outcome))
            if len(packed) > SMALL:
                self._apart[seq] = packed
        if len(self.outcomes) > MAX_UNANSWERED:
            self._drop(next(iter(self.outcomes)))

    def _drop(self, seq: int) -> None:
        del self.outcomes[seq]
        if seq in self._apart:
            del self._apart[seq]
            self._gone.append(seq)

    def apart(self) -> dict[int, bytes | None]:
        """What changed of the outcomes that are stored apart since the last call, by number."""
        if not self._apart and not self._gone:
            return {}
        changed: dict[int, bytes | None] = dict.fromkeys(self._gone)
        changed |= {seq: packed for seq, packed in self._apart.items() if packed is not None}
        self._gone = []
        self._apart = dict.fromkeys(self._apart)
        return changed

    def gone(self) -> list[int]:
        """Every number that may have an outcome stored apart."""
        return [*self._gone, *self._apart]

    def dump(self) -> bytes:
        """As stored, without what is stored apart."""
        outcomes = [
            (seq,) if seq in self._apart else (seq, *_row(outcome))
            for seq, outcome in self.outcomes.items()
        ]
        mark = (self.seen, self.settled, self.acked, outcomes)
        packed: bytes = _pack(mark if self.digest is None else (*mark, self.digest))
        return packed

    @classmethod
    def load(cls, blob: bytes, apart: Mapping[int, bytes] = MappingProxyType({})) -> Mark:
        """From what `dump` made, and what `apart` gave for each number."""
        seen, settled, acked, outcomes, *digest = msgpack.unpackb(blob)
        mark = cls(seen)
        mark.settled = settled
        mark.acked = acked
        mark.digest = digest[0] if digest else None
        mark._apart = dict.fromkeys(apart)
        for seq, *row in outcomes:
            word, code, reason, result = row or msgpack.unpackb(apart[seq])
            mark.outcomes[seq] = Outcome(_WORDS[word], code, reason, result)
        return mark


def _row(outcome: Outcome) -> tuple[Json, ...]:
    return (_WORDS.index(outcome.word), *outcome[1:])


class Marks:
    """The marks of one session. `stored` is read as it is needed: waking reads none of them.

    `deleted`, of a new session, is until when (ms) there may have been another one of its name.
    """

    __slots__ = ("_apart", "_changed", "_marks", "_most", "forgotten")

    def __init__(self, stored: Mapping[str, bytes], deleted: int | None = None) -> None:
        self._marks: dict[str, Mark | bytes] = {}
        self._apart: dict[str, dict[int, bytes]] = {}  # of marks that weren't read yet
        for key, blob in stored.items():
            owner, _, last = key.rpartition("\x00")
            if last.startswith(_APART):
                self._apart.setdefault(owner, {})[int(last.removeprefix(_APART))] = blob
            else:
                self._marks[key] = blob
        line = self._marks.pop(_FORGOTTEN, None)
        self.forgotten: int = msgpack.unpackb(line) if isinstance(line, bytes) else -1
        """Clients first seen at or before this time may have been forgotten (ms); -1: none was."""
        self._changed: dict[str, bytes | Mark | None] = {}
        self._most = MAX_MARKS
        if deleted is not None:
            self._forget_until(deleted)

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def many(self) -> bool:
        """Whether it is time to `forget`: since the last time, whoever it kept, there are more."""
        return len(self._marks) > self._most

    def get(self, key: str) -> Mark | None:
        """The mark of a client, None when the room doesn't know it."""
        mark = self._marks.get(key)
        if isinstance(mark, bytes):
            mark = self._marks[key] = Mark.load(mark, self._apart.pop(key, {}))
        return mark

    def stale(self, key: str, since: int | None) -> bool:
        """Whether a client that first connected at `since` may be one that was forgotten."""
        return since is not None and since <= self.forgotten and key not in self._marks

    def settle(
        self, key: str, seq: int, outcome: Outcome, now: int, digest: bytes | None = None
    ) -> None:
        """Settle a client's number; the next commit carries it."""
        mark = self.get(key)
        if mark is None:
            mark = self._marks[key] = Mark(now)
        mark.settle(seq, outcome, now)
        mark.digest = digest
        self._changed[key] = mark

    def forget(self, now: int, keep: Container[str]) -> None:
        """Drop who wasn't seen for 24 h, and the oldest above 4,096; never one of `keep`.

        Reads every mark: call it now and then, or when there are `many`.
        """
        marks = [(mark.seen, key) for key in list(self._marks) if (mark := self.get(key))]
        marks.sort()
        excess = len(marks) - MAX_MARKS
        for index, (seen, key) in enumerate(marks):
            if index >= excess and seen > now - FORGET_AFTER:
                break
            if key in keep:
                continue
            gone = self._marks.pop(key)
            assert isinstance(gone, Mark)
            self._changed |= {_place(key, seq): None for seq in gone.gone()}
            self._changed[key] = None
            if seen > self.forgotten:
                self._forget_until(seen)
        self._most = max(MAX_MARKS, len(self._marks)) + MAX_MARKS // 16

    def _forget_until(self, seen: int) -> None:
        self.forgotten = seen
        self._changed[_FORGOTTEN] = msgpack.packb(seen)

    def changed(self) -> bool:
        """Whether the next commit has something to carry."""
        return bool(self._changed)

    def changes(self) -> dict[str, bytes | None]:
        """What changed since the last call, as a commit takes it."""
        changed = {key: blob for key, blob in self._changed.items() if not isinstance(blob, Mark)}
        for key, mark in self._changed.items():
            if isinstance(mark, Mark):
                changed[key] = mark.dump()
                changed |= {_place(key, seq): packed for seq, packed in mark.apart().items()}
        self._changed = {}
        return changed


def _place(key: str, seq: int) -> str:
    """Under what an outcome is stored apart."""
    return f"{key}\x00{_APART}{seq}"


def clients_of(stored: Mapping[str, bytes]) -> int:
    """Of how many clients there are marks in a record."""
    keys = stored.keys() - {_FORGOTTEN}
    return sum(not key.rpartition("\x00")[2].startswith(_APART) for key in keys)
