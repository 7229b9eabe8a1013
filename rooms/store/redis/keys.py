"""How sessions are laid out in Redis: every key, and what makes a session's keys lie together.

Sessions are spread over 64 partitions. All keys of a partition carry the same hash tag, so that one
script can change a session and the indexes that it is in, also in a cluster; the tags are chosen so
that each partition has a 64th of a cluster's hash slots to itself.

    {prefix}{tag}:session:KIND,SESSION   hash: the record; entries are `mark:…`, `outbox:…`,
                                         `patch:…`, `storage:…`
    {prefix}{tag}:log:KIND,SESSION       stream: the log, an entry's id is its revision
    {prefix}{tag}:names                  sorted set: every session by its name
    {prefix}{tag}:listed                 sorted set: those that have a listing
    {prefix}{tag}:due, :expires          sorted sets: the sleeping ones by that time
    {prefix}{tag}:owners                 sorted set: INCARNATION,KIND,SESSION of the live ones
    {prefix}{tag}:dead                   sorted set: incarnations that may own nothing here any more
    {prefix}{tag}:deleted                sorted set: when a session of that name was deleted
    {prefix}{tag}:meta                   hash: the last epoch; until when deletions are forgotten
    in the first partition only:
    {prefix}{tag}:leases, :hosts, :owning   what `lua/leases.lua` says
    {prefix}{tag}:secret                    signs anonymous tokens

A comma parts the words of a name because no name has one, and because it sorts before whatever a
name can have: names in Redis' order are in the order of the port.
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

from rooms.store.port import SessionId

PARTITIONS: Final = 64
SLOTS: Final = 16384
_SHARE: Final = SLOTS // PARTITIONS


def slot(tag: str) -> int:
    """The hash slot of a key with this tag (CRC16, as the cluster specification has it)."""
    return crc_hqx(tag.encode(), 0) % SLOTS


def _tags() -> list[str]:
    """For each partition the smallest number whose slot is in its share of the slots."""
    tags: dict[int, str] = {}
    number = 0
    while len(tags) < PARTITIONS:
        tags.setdefault(slot(str(number)) // _SHARE, str(number))
        number += 1
    return [tags[partition] for partition in range(PARTITIONS)]


TAGS: Final = _tags()


def name_of(id: SessionId) -> str:
    """A session's name in keys and indexes."""
    return f"{id.kind},{id.session}"


def id_of(name: bytes) -> SessionId:
    """The session of such a name."""
    kind, _, session = name.decode().partition(",")
    return SessionId(kind, session)


def partition_of(name: str) -> int:
    """Where a session of this name lies: always there, whatever the servers are."""
    return crc_hqx(name.encode(), 0) % PARTITIONS


class Keys:
    """The names of keys below a prefix."""

    def __init__(self, prefix: str) -> None:
        self._heads = [f"{prefix}{{{tag}}}:" for tag in TAGS]
        self.secret = f"{self._heads[0]}secret"

    def record(self, partition: int, name: str) -> str:
        return f"{self._heads[partition]}session:{name}"

    def log(self, partition: int, name: str) -> str:
        return f"{self._heads[partition]}log:{name}"

    def index(self, partition: int, index: str) -> str:
        """An index of a partition, by its last word."""
        return self._heads[partition] + index

    def session(self, partition: int, name: str) -> tuple[str, ...]:
        """What the scripts of one session are given, in the order of `lua/keys.lua`."""
        head = self._heads[partition]
        return (
            self.record(partition, name),
            self.log(partition, name),
            *(head + index for index in _INDEXES),
        )

    def leases(self) -> tuple[str, ...]:
        """What `lua/leases.lua` is given."""
        return tuple(self._heads[0] + key for key in ("leases", "hosts", "owning"))


_INDEXES: Final = ("names", "listed", "due", "expires", "owners", "dead", "deleted", "meta")
