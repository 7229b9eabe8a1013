"""A session's keys lie together, and sessions are spread."""

from __future__ import annotations

from collections import Counter

from redis.crc import key_slot

from rooms.store.port import SessionId
from rooms.store.redis.keys import (
    PARTITIONS,
    SLOTS,
    TAGS,
    Keys,
    id_of,
    name_of,
    partition_of,
    slot,
)


def test_all_keys_of_a_partition_have_one_slot() -> None:
    keys = Keys("rooms:")
    for partition in range(PARTITIONS):
        slots = {key_slot(key.encode()) for key in keys.session(partition, "trivia,table-1")}
        assert slots == {slot(TAGS[partition])}
    slots = {key_slot(key.encode()) for key in (*keys.leases(), keys.secret)}
    assert slots == {slot(TAGS[0])}


def test_each_partition_has_its_share_of_the_slots() -> None:
    shares = [slot(tag) * PARTITIONS // SLOTS for tag in TAGS]
    assert shares == list(range(PARTITIONS))


def test_sessions_are_spread_over_the_partitions() -> None:
    counts = Counter(partition_of(f"trivia,table-{n}") for n in range(6400))
    assert len(counts) == PARTITIONS
    assert max(counts.values()) < 200


def test_a_session_stays_in_its_partition_for_ever() -> None:
    assert [partition_of(name) for name in ("trivia,table-1", "counter,shared-counter")] == [0, 48]
    assert TAGS[:4] == ["10", "18", "113", "342"]


def test_names_are_ordered_as_the_port_orders_them() -> None:
    ids = [
        SessionId(kind, session)
        for kind in ("a", "a-", "a.b", "a~", "a0", "B", "aa")
        for session in ("0", "0~", "0-", "0:1", "A", "a")
    ]
    assert sorted(ids) == [id_of(name) for name in sorted(name_of(id).encode() for id in ids)]
