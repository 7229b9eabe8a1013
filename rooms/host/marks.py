"""Marks: how far each client's numbered events are settled, and their last outcomes.

They stand beside the state and change in the same commit, so that an event is applied exactly once
however often it arrives. Keys are "subject\\x00client"; the key "" holds since when clients have
been forgotten. Who may say what now is `rooms/sync/conversation.py`; who commits is
`rooms/host/commits.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgpack

from rooms.sync.messages import MAX_UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from rooms.sync.messages import Json, OutcomeWord

MAX_MARKS: Final = 4096
FORGET_AFTER: Final = 24 * 3600 * 1000
_FORGOTTEN: Final = ""
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

    __slots__ = ("acked", "digest", "outcomes", "seen", "settled")

    def __init__(self, seen: int) -> None:
        self.settled = 0
        self.acked = 0
        self.seen = seen
        self.outcomes: dict[int, Outcome] = {}
        self.digest: bytes | None = None

    def ack(self, acked: int) -> None:
        """The client has the outcomes up to `acked`; they needn't be kept."""
        if acked > self.acked:
            self.acked = acked
            for seq in [seq for seq in self.outcomes if seq <= acked]:
                del self.outcomes[seq]

    def settle(self, seq: int, outcome: Outcome, now: int) -> None:
        """The number has its outcome; the oldest beyond 64 goes."""
        self.settled = seq
        self.seen = now
        self.outcomes[seq] = outcome
        if len(self.outcomes) > MAX_UNANSWERED:
            del self.outcomes[next(iter(self.outcomes))]

    def dump(self) -> bytes:
        """As stored."""
        outcomes = [
            (seq, _WORDS.index(outcome.word), *outcome[1:])
            for seq, outcome in self.outcomes.items()
        ]
        mark = (self.seen, self.settled, self.acked, outcomes)
        packed: bytes = _pack(mark if self.digest is None else (*mark, self.digest))
        return packed

    @classmethod
    def load(cls, blob: bytes) -> Mark:
        """From what `dump` made."""
        seen, settled, acked, outcomes, *digest = msgpack.unpackb(blob)
        mark = cls(seen)
        mark.settled = settled
        mark.acked = acked
        mark.digest = digest[0] if digest else None
        mark.outcomes = {
            seq: Outcome(_WORDS[word], code, reason, result)
            for seq, word, code, reason, result in outcomes
        }
        return mark


class Marks:
    """The marks of one session. `stored` is read as it is needed: waking reads none of them.

    `deleted`, of a new session, is until when (ms) there may have been another one of its name.
    """

    __slots__ = ("_changed", "_marks", "_most", "forgotten")

    def __init__(self, stored: Mapping[str, bytes], deleted: int | None = None) -> None:
        self._marks: dict[str, Mark | bytes] = dict(stored)
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
            mark = self._marks[key] = Mark.load(mark)
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
            del self._marks[key]
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
        changed = {
            key: mark.dump() if isinstance(mark, Mark) else mark
            for key, mark in self._changed.items()
        }
        self._changed = {}
        return changed
