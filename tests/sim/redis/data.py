"""What a simulated server keeps, and its commands: as much of Redis as the store asks for.

Everything is bytes, as it comes and goes. A command answers as a script is answered: numbers,
bytes, None, lists. Whether a command changed anything says whether it is for replicas too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Entry = tuple[tuple[int, int], list[bytes]]
"""One of a stream: its id, and its fields and values."""


class Data:
    """The keys of one server: hashes, sorted sets and sets as dicts, streams as lists, texts."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}
        self.changes = 0
        """How often anything was changed."""

    def copy(self) -> Data:
        """The same, for another server."""
        other = Data()
        other.keys = {
            key: value if isinstance(value, bytes) else type(value)(value)
            for key, value in self.keys.items()
        }
        return other

    def run(self, command: Sequence[bytes]) -> Any:
        """What a command answers. Raises ResponseError."""
        name, *args = command
        done = COMMANDS.get(name.upper())
        if done is None:
            raise ResponseError(f"unknown command '{name.decode()}'")
        return done(self, args)

    def hash(self, key: bytes) -> dict[bytes, bytes]:
        """A hash to read."""
        found: dict[bytes, bytes] = self.keys.get(key, {})
        return found

    def scores(self, key: bytes) -> dict[bytes, float]:
        """A sorted set to read."""
        found: dict[bytes, float] = self.keys.get(key, {})
        return found

    def stream(self, key: bytes) -> list[Entry]:
        """A stream to read."""
        found: list[Entry] = self.keys.get(key, [])
        return found

    def changed(self, key: bytes) -> None:
        """Something was; what is empty is no key."""
        self.changes += 1
        if not self.keys[key]:
            del self.keys[key]

    # ------------------------------------------------------------------ texts, keys

    def set(self, args: Sequence[bytes]) -> Any:
        key, value, *options = args
        if options == [b"NX"] and key in self.keys:
            return None
        self.keys[key] = value
        self.changed(key)
        return b"OK"

    def get(self, args: Sequence[bytes]) -> Any:
        return self.keys.get(args[0])

    def delete(self, args: Sequence[bytes]) -> int:
        gone = [key for key in args if self.keys.pop(key, None) is not None]
        self.changes += len(gone)
        return len(gone)

    # ------------------------------------------------------------------ hashes

    def hset(self, args: Sequence[bytes]) -> int:
        key, *pairs = args
        fields = self.keys.setdefault(key, {})
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        self.changed(key)
        return len(fields) - before

    def hget(self, args: Sequence[bytes]) -> Any:
        return self.hash(args[0]).get(args[1])

    def hmget(self, args: Sequence[bytes]) -> list[bytes | None]:
        fields = self.hash(args[0])
        return [fields.get(field) for field in args[1:]]

    def hgetall(self, args: Sequence[bytes]) -> list[bytes]:
        return [part for pair in self.hash(args[0]).items() for part in pair]

    def hexists(self, args: Sequence[bytes]) -> int:
        return int(args[1] in self.hash(args[0]))

    def hstrlen(self, args: Sequence[bytes]) -> int:
        return len(self.hash(args[0]).get(args[1], b""))

    def hincrby(self, args: Sequence[bytes]) -> int:
        key, field, by = args
        value = int(self.hash(key).get(field, b"0")) + int(by)
        self.hset([key, field, b"%d" % value])
        return value

    def hdel(self, args: Sequence[bytes]) -> int:
        return self._take(args[0], args[1:])

    def _take(self, key: bytes, members: Sequence[bytes]) -> int:
        held = self.keys.get(key, {})
        gone = [one for one in members if held.pop(one, None) is not None]
        if gone:
            self.changed(key)
        return len(gone)

    # ------------------------------------------------------------------ sets, sorted sets

    def sadd(self, args: Sequence[bytes]) -> int:
        key, *members = args
        held = self.keys.setdefault(key, {})
        new = [one for one in members if one not in held]
        held.update(dict.fromkeys(new, True))
        if new:
            self.changed(key)
        return len(new)

    def smembers(self, args: Sequence[bytes]) -> list[bytes]:
        return sorted(self.hash(args[0]))

    def zadd(self, args: Sequence[bytes]) -> int:
        key, *pairs = args
        lower = pairs[0] == b"LT"
        pairs = pairs[lower:]
        held, new = self.keys.setdefault(key, {}), 0
        before = dict(held)
        for score, member in zip(pairs[::2], pairs[1::2], strict=True):
            at, known = float(score), held.get(member)
            new += known is None
            if known is None or at < known or not lower:
                held[member] = at
        if held != before:
            self.changed(key)
        elif not held:
            del self.keys[key]
        return new

    def zscore(self, args: Sequence[bytes]) -> Any:
        score = self.scores(args[0]).get(args[1])
        return None if score is None else _shown(score)

    def zrem(self, args: Sequence[bytes]) -> int:
        return self._take(args[0], args[1:])

    def zrangebyscore(self, args: Sequence[bytes]) -> list[bytes]:
        key, least, most, *options = args
        rows = [
            (member, score)
            for member, score in self._ordered(key)
            if _above(score, least) and _below(score, most)
        ]
        rows = _limited(rows, options)
        if b"WITHSCORES" in options:
            return [part for member, score in rows for part in (member, _shown(score))]
        return [member for member, _ in rows]

    def zremrangebyscore(self, args: Sequence[bytes]) -> int:
        return self._take(args[0], self.zrangebyscore(args))

    def zrangebylex(self, args: Sequence[bytes]) -> list[bytes]:
        key, least, most, *options = args
        members = [
            member
            for member, _ in self._ordered(key)
            if _after(member, least) and not _after(member, most, end=True)
        ]
        return _limited(members, options)

    def _ordered(self, key: bytes) -> list[tuple[bytes, float]]:
        return sorted(self.scores(key).items(), key=lambda pair: (pair[1], pair[0]))

    # ------------------------------------------------------------------ streams

    def xadd(self, args: Sequence[bytes]) -> bytes:
        key, id, *fields = args
        stream = self.keys.setdefault(key, [])
        at = _id(id)
        if stream and at <= stream[-1][0]:
            raise ResponseError(
                "The ID specified in XADD is equal or smaller than the target stream top item"
            )
        stream.append((at, fields))
        self.changed(key)
        return id

    def xlen(self, args: Sequence[bytes]) -> int:
        return len(self.stream(args[0]))

    def xdel(self, args: Sequence[bytes]) -> int:
        key, gone = args[0], {_id(id) for id in args[1:]}
        stream = self.stream(key)
        kept = [entry for entry in stream if entry[0] not in gone]
        if len(kept) < len(stream):
            self.keys[key] = kept
            self.changed(key)
        return len(stream) - len(kept)

    def xrange(self, args: Sequence[bytes]) -> list[list[Any]]:
        key, least, most, *options = args
        first = (0, 0) if least == b"-" else _id(least)
        last = None if most == b"+" else _id(most, 1 << 63)
        rows = [
            [b"%d-%d" % at, list(fields)]
            for at, fields in self.stream(key)
            if at >= first and (last is None or at <= last)
        ]
        return rows[: int(options[1])] if options else rows


def _shown(score: float) -> bytes:
    return b"%.17g" % score


def _above(score: float, bound: bytes) -> bool:
    return score > float(bound[1:]) if bound.startswith(b"(") else score >= float(bound)


def _below(score: float, bound: bytes) -> bool:
    return score < float(bound[1:]) if bound.startswith(b"(") else score <= float(bound)


def _after(member: bytes, bound: bytes, *, end: bool = False) -> bool:
    """Whether it is within a range that begins at this bound; beyond one that ends at it."""
    if bound in (b"-", b"+"):
        return bound == b"-"
    inclusive = bound.startswith(b"[") != end
    return member >= bound[1:] if inclusive else member > bound[1:]


def _limited(rows: list[Any], options: Sequence[bytes]) -> list[Any]:
    if b"LIMIT" not in options:
        return rows
    start, count = (int(one) for one in options[options.index(b"LIMIT") + 1 :][:2])
    return rows[start:] if count < 0 else rows[start : start + count]


def _id(text: bytes, rest: int = 0) -> tuple[int, int]:
    at, _, nth = text.partition(b"-")
    if not at.isdigit():
        raise ResponseError("Invalid stream ID specified as stream command argument")
    return int(at), int(nth) if nth else rest


COMMANDS: Final[dict[bytes, Callable[[Data, Sequence[bytes]], Any]]] = {
    b"SET": Data.set,
    b"GET": Data.get,
    b"DEL": Data.delete,
    b"HSET": Data.hset,
    b"HGET": Data.hget,
    b"HMGET": Data.hmget,
    b"HGETALL": Data.hgetall,
    b"HEXISTS": Data.hexists,
    b"HSTRLEN": Data.hstrlen,
    b"HINCRBY": Data.hincrby,
    b"HDEL": Data.hdel,
    b"SADD": Data.sadd,
    b"SREM": Data.zrem,
    b"SMEMBERS": Data.smembers,
    b"ZADD": Data.zadd,
    b"ZSCORE": Data.zscore,
    b"ZREM": Data.zrem,
    b"ZRANGEBYSCORE": Data.zrangebyscore,
    b"ZREMRANGEBYSCORE": Data.zremrangebyscore,
    b"ZRANGEBYLEX": Data.zrangebylex,
    b"XADD": Data.xadd,
    b"XLEN": Data.xlen,
    b"XDEL": Data.xdel,
    b"XRANGE": Data.xrange,
}
