"""A process that commits until it is killed: `python -m tests.rooms.store.committing FILE`.

It owns four sessions, keeps four commits of each unanswered, and prints a line `session revision`
for each that was acknowledged, after it was. State, mark and outbox of a revision all name it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import deque

from rooms.store.port import Acquired, Commit, HostInfo, SessionId
from rooms.store.sqlite import SqliteStore

SESSIONS = 4
AHEAD = 4
MARK = "subject\0client"


def now() -> int:
    return time.time_ns() // 1_000_000


def named(revision: int) -> bytes:
    return b"%d" % revision


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
            snapshot=named(revision + 1) + b" " + b"." * 1000,
            seats=named(revision + 1),
            marks={MARK: named(revision + 1)},
            outbox={"latest": named(revision + 1)},
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
