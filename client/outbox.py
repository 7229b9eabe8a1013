"""Events on their way to the room: numbered when they first go out, kept until their outcome came
(PURE).

In: what is to be said, and the server's numbers. Out: what to put on the wire, in order. Next:
`client/link.py`.

The server marks, in the same commit as the room's state, how far our numbers are settled, and keeps
the outcomes of the last 64. So whatever is unanswered may be sent again: it is handled now, or its
outcome is told again.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

Entry = TypeVar("Entry")

WINDOW: Final = 64
"""How far numbers may run ahead of the oldest unanswered one: as far as outcomes are kept."""
WAITING: Final = 1_000
"""How many wait behind them before the next one is turned away."""
LARGEST: Final = 65_536
"""How many bytes a server reads in one message: a larger one would end the connection, for good."""
NUMBERS: Final = 64
"""How many bytes of those number an event: `"seq":…,"acked":…,"event":`."""


def too_large(*parts: bytes) -> bool:
    """Whether no server reads a message of these parts, once it is numbered."""
    return sum(map(len, parts)) > LARGEST - NUMBERS


class Outbox(Generic[Entry]):
    """The unanswered events of one façade."""

    __slots__ = ("_next", "_sent", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Entry] = deque()
        self._sent: dict[int, Entry] = {}  # by number, ascending
        self._next = 1

    @property
    def acked(self) -> int:
        """Up to which number all outcomes have arrived."""
        return next(iter(self._sent), self._next) - 1

    def add(self, entry: Entry) -> bool:
        """Keep an entry until its outcome came. False: too many wait already."""
        if len(self._waiting) >= WAITING:
            return False
        self._waiting.append(entry)
        return True

    def take(self) -> list[tuple[int, Entry]]:
        """What may go out now for the first time, with its number."""
        room = WINDOW - (self._next - 1 - self.acked)
        taken: list[tuple[int, Entry]] = []
        while self._waiting and len(taken) < room:
            entry = self._waiting.popleft()
            taken.append((self._next, entry))
            self._sent[self._next] = entry
            self._next += 1
        return taken

    def settle(self, seq: int) -> Entry | None:
        """The entry whose outcome came; None for one that was answered before."""
        return self._sent.pop(seq, None)

    def again(self, seq: int = 1) -> list[tuple[int, Entry]]:
        """What was sent from number `seq` on and is unanswered."""
        return [(sent, entry) for sent, entry in self._sent.items() if sent >= seq]

    def disown(self, mark: int) -> list[Entry]:
        """Start over as somebody else, whose numbers are settled up to `mark`.

        Gives back what was sent as the former: whether it happened is known only to them, and sent
        again it could happen twice.
        """
        sent = list(self._sent.values())
        self._sent.clear()
        self._next = mark + 1
        return sent

    def clear(self) -> list[Entry]:
        """Everything unanswered, sent or not; the outbox is empty then."""
        unanswered = [*self._sent.values(), *self._waiting]
        self._sent.clear()
        self._waiting.clear()
        return unanswered
