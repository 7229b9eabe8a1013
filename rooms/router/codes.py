"""One-time codes that move a viewer to another device (PURE): time and chance are arguments.

Whoever holds a viewer's token asks for a code and reads it out; whoever types it in within five
minutes gets a token of the same viewer. Codes live in the memory of one router and are never
logged. A wrong guess costs the guesser's address one of a few tries a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rooms.router.limits import Bucket, is_loopback

if TYPE_CHECKING:
    import random

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that reads like something else
LENGTH: Final = 8
LIFETIME: Final = 5 * 60 * 1000
_MOST: Final = 10_000
_TRIES: Final = 10  # at once, then one in six seconds


class _Code(NamedTuple):
    subject: str
    expires: int


class Codes:
    """The codes that are waiting to be typed in. Times are ms."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._codes: dict[str, _Code] = {}
        self._tries: dict[str, Bucket] = {}

    def make(self, subject: str, now: int) -> tuple[str, int]:
        """A code for this viewer, and when it expires."""
        self._forget(now)
        while len(self._codes) >= _MOST:
            del self._codes[next(iter(self._codes))]
        code = "".join(self._chance.choices(ALPHABET, k=LENGTH))
        self._codes[code] = _Code(subject, now + LIFETIME)
        return code, now + LIFETIME

    def allowed(self, address: str, now: int) -> bool:
        """Whether this address may ask or guess once more now; loopback always may."""
        if is_loopback(address):
            return True
        if len(self._tries) >= _MOST:
            self._tries.clear()
        bucket = self._tries.get(address)
        if bucket is None:
            bucket = self._tries[address] = Bucket(_TRIES / 60, _TRIES, now / 1000)
        return bucket.take(now / 1000)

    def take(self, code: str, now: int) -> str | None:
        """The viewer of this code, once; None when there is none (any more)."""
        self._forget(now)
        known = self._codes.pop(code.upper(), None)
        return None if known is None else known.subject

    def _forget(self, now: int) -> None:
        """Drop what has expired: the oldest come first, and all live equally long."""
        while self._codes:
            code, known = next(iter(self._codes.items()))
            if known.expires > now:
                return
            del self._codes[code]
