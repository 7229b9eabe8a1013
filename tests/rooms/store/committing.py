"""A process that commits until it is killed: `python -m tests.rooms.store.committing FILE`.

It owns four sessions, keeps four commits of each unanswered, and prints a line `session revision`
for each that was acknowledged, after it was. All parts of a revision name it: every eighth has a
whole state, small and large by turns, the others a patch; each has a log entry and an outbox entry,
which later ones take out again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque

from rooms.store.port import Acquired, Commit, HostInfo, Logged, SessionId, Trim
from rooms.store.sqlite import SqliteStore

SESSIONS = 4
AHEAD = 4
MARK = "subject\0client"
FOLDS = 8
OWED = 3
PAST = 10
FOR_EVER = 1 << 62


def now() -> int:
    return time.time_ns() // 1_000_000


def named(revision: int) -> bytes:
    return b"%d" % revision


def whole(revision: int) -> int:
    """The last revision up to this one that has a whole state."""
    return max(revision - revision % FOLDS, 1)


def state(revision: int) -> bytes:
    size = 20_000 if revision // FOLDS % 2 else 1000
    return named(revision) + b" " + b"." * size


def patches(revision: int) -> dict[str, bytes]:
    """What the state of a revision needs beyond its snapshot."""
    return {str(n): named(n) for n in range(whole(revision) + 1, revision + 1)}


def outbox(revision: int) -> dict[str, bytes]:
    return {str(n): named(n) for n in range(max(revision - OWED, 0) + 1, revision + 1)}


def log(revision: int) -> list[Logged]:
    return [Logged(n, n, named(n)) for n in range(max(revision - PAST, 0) + 1, revision + 1)]


def removed(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, None]:
    return {key: None for key in before if key not in after}


async def commit_for_ever(store: SqliteStore, id: SessionId, incarnation: str) -> None:
    acquired = await store.acquire(id, incarnation)
    assert isinstance(acquired, Acquired), acquired
    revision = 0 if acquired.record is None else acquired.record.revision
    unanswered: deque[tuple[int, asyncio.Task[object]]] = deque()
    while True:
        commit = Commit(
            id=id,
            incarnation=incarnation,
            epoch=acquired.epoch,
            generation=acquired.generation,
            prev=revision,
            new=revision + 1,
            version="1",
            due=revision + 1,
            snapshot=state(revision + 1) if whole(revision + 1) == revision + 1 else None,
            seats=named(revision + 1),
            marks={MARK: named(revision + 1)},
            outbox={**removed(outbox(revision), outbox(revision + 1)), **outbox(revision + 1)},
            patches={**removed(patches(revision), patches(revision + 1)), **patches(revision + 1)},
            storage={"key": named(revision + 1)},
            log=log(revision + 1)[-1:],
            trim=Trim(revision + 1 - PAST, FOR_EVER),
            listing=named(revision + 1),
            expires=revision + 1,
        )
        revision += 1
        unanswered.append((revision, asyncio.create_task(store.commit_many([commit]))))
        if len(unanswered) == AHEAD:
            acknowledged, answer = unanswered.popleft()
            assert await answer == [None]
            os.write(1, b"%s %d\n" % (id.session.encode(), acknowledged))


async def main(path: str) -> None:
    store = await SqliteStore.open(path, now=now)
    incarnation = os.urandom(8).hex()
    assert await store.heartbeat(HostInfo(incarnation, "", {}, 0), 600_000)
    ids = [SessionId("test", str(number)) for number in range(SESSIONS)]
    await asyncio.gather(*(commit_for_ever(store, id, incarnation) for id in ids))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
