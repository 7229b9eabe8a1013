"""The earliest entries of all partitions' indexes together, at a cost that the answer bounds.

Each partition is asked for few entries at first, and again, for twice as many, only if what it
showed doesn't reach as far as the answer does. Reads one partition's part in one step each.
"""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from rooms.store.redis.keys import PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rooms.store.port import SessionId

Entry = TypeVar("Entry", "tuple[int, SessionId]", bytes)

FEW: Final = 4


async def first(
    limit: int, read: Callable[[Sequence[int], int], Awaitable[Sequence[list[Entry]]]]
) -> list[Entry]:
    """The first `limit` entries, in order. `read(partitions, count)` answers for each of them its
    first `count` entries in order, fewer if it has no more.
    """
    shown: dict[int, list[Entry]] = {}
    asked: Sequence[int] = range(PARTITIONS)
    count = min(limit, FEW + 2 * limit // PARTITIONS)
    while asked:
        shown.update(zip(asked, await read(asked, count), strict=True))
        found = list(islice(merge(*shown.values()), limit))
        # One that showed all it was asked for may have more, which matter if they come before.
        asked = [
            partition
            for partition, entries in shown.items()
            if len(entries) == count < limit and (len(found) < limit or entries[-1] < found[-1])
        ]
        count = min(limit, count * 2)
    return found
