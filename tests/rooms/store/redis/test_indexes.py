"""The first entries of all partitions are found whatever lies where, and few are read for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from rooms.store.redis import indexes
from rooms.store.redis.keys import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


class Index:
    """Entries by partition, and how many of them were read."""

    def __init__(self, entries: dict[int, list[bytes]]) -> None:
        self.entries = {partition: sorted(names) for partition, names in entries.items()}
        self.read = 0

    async def first(self, limit: int) -> list[bytes]:
        async def read(partitions: Sequence[int], count: int) -> list[list[bytes]]:
            rows = [self.entries.get(partition, [])[:count] for partition in partitions]
            self.read += sum(len(row) for row in rows)
            return rows

        return await indexes.first(limit, read)

    def expected(self, limit: int) -> list[bytes]:
        return sorted(name for names in self.entries.values() for name in names)[:limit]


@given(
    st.dictionaries(
        st.integers(0, PARTITIONS - 1),
        st.sets(st.binary(min_size=1, max_size=2), max_size=40).map(list),
        max_size=5,
    ),
    st.integers(1, 60),
)
def test_the_first_are_found(entries: dict[int, list[bytes]], limit: int) -> None:
    index = Index(entries)
    assert asyncio.run(index.first(limit)) == index.expected(limit)


async def test_what_is_spread_is_read_once_and_little_beyond() -> None:
    names = [b"%06d" % n for n in range(PARTITIONS * 1000)]
    index = Index({n: names[n::PARTITIONS] for n in range(PARTITIONS)})
    assert await index.first(100) == names[:100]
    assert index.read <= PARTITIONS * 8


async def test_what_lies_in_one_partition_is_read_there() -> None:
    names = [b"%06d" % n for n in range(1000)]
    index = Index({7: names})
    assert await index.first(100) == names[:100]
    assert index.read <= 300
