"""The one thread that touches a SQLite connection, and its group commits.

In: commits and other work, from the loop's thread, in order. Out: their answers, in that order, by
one wake-up of the loop a group. All that waits while a group is written becomes the next group: one
transaction, synced to disk if anything in it asks for that. The usual group is written by a few
statements; if anything in it is refused or fails it is rolled back and written again with a
savepoint for each, so that nobody pays for a neighbour.

Work in flight is never cancelled: whoever stops waiting loses the answer, not the write. The queue
has no bound of its own: each room waits for its last few commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from rooms.errors import StoreError, UnknownOutcome
from rooms.store import records
from rooms.store.merging import merged
from rooms.tasks import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rooms.store.port import Commit, SessionId

T = TypeVar("T")


@dataclass(slots=True)
class _Commits:
    commits: Sequence[Commit]
    now: int


@dataclass(slots=True)
class _Work:
    run: Callable[[sqlite3.Connection], Any]  # may run twice: it changes nothing but the database


@dataclass(slots=True)
class _Job:
    ask: _Commits | _Work
    durable: bool | None  # None: as it comes
    answer: asyncio.Future[Any]


class _Refused(Exception):
    """Something in this group has to be told apart from its neighbours."""


class Writer:
    """A thread and its connection. `connect` is called in it, and `let_go` at its end."""

    def __init__(
        self, name: str, connect: Callable[[], sqlite3.Connection], let_go: Callable[[], None]
    ) -> None:
        self._name = name
        self._connect = connect
        self._let_go = let_go
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._synced = True
        # A daemon, so that a process that forgets to close isn't kept from ending.
        self._thread = threading.Thread(target=self._run, name=f"store {name}", daemon=True)

    async def open(self) -> None:
        """Start the thread; returns when it is connected. Raises what `connect` raised."""
        self._thread.start()
        try:
            await asyncio.shield(self._opened)
        except asyncio.CancelledError:
            self._stop()
            raise

    async def commit_many(self, commits: Sequence[Commit], now: int) -> list[StoreError | None]:
        """Write these commits, dated `now`: an answer each, None or why not."""
        durable = any(commit.durable for commit in commits)
        answers: list[StoreError | None] = await self._ask(_Commits(commits, now), durable)
        return answers

    async def do(self, run: Callable[[sqlite3.Connection], T], *, durable: bool | None = None) -> T:
        """Let the thread run this inside a transaction. Its answer comes after the commit.

        `run` must give the same answer when it is rolled back and run again.
        """
        answer: T = await self._ask(_Work(run), durable)
        return answer

    async def close(self) -> None:
        """Finish what was asked and end the thread. Harmless when repeated."""
        if self._thread.ident is not None:
            self._stop()
            await asyncio.shield(self._ended)
            self._thread.join()

    def _stop(self) -> None:
        if not self._closing:
            self._closing = True
            self._queue.put(None)

    def check_open(self) -> None:
        """Raises StoreError once `close` was called."""
        if self._closing:
            raise StoreError(f"{self._name} is closed; open it again")

    def _ask(self, ask: _Commits | _Work, durable: bool | None) -> asyncio.Future[Any]:
        self.check_open()
        answer = self._loop.create_future()
        self._queue.put(_Job(ask, durable, answer))
        return answer

    # ---------------------------------------------------------------- in the thread

    def _run(self) -> None:
        try:
            db = self._connect()
        except BaseException as error:
            self._let_go()
            self._settle([(self._opened, error), (self._ended, None)])
            return
        self._settle([(self._opened, None)])
        try:
            while jobs := self._next_group():
                self._settle(self._write(db, jobs))
        finally:
            db.close()
            self._let_go()
            self._settle([(self._ended, None)])

    def _next_group(self) -> list[_Job]:
        """All that waits; waits for something. Empty: the end."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # the end comes after this group
        return jobs

    def _write(self, db: sqlite3.Connection, jobs: list[_Job]) -> list[_Answer]:
        levels = {job.durable for job in jobs} - {None}
        durable = any(levels)
        try:
            if levels and durable != self._synced:  # nothing but reading leaves it as it was
                db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._synced = durable
            db.execute("BEGIN IMMEDIATE")
            try:
                answers = self._together(db, jobs)
            except Exception:
                _roll_back(db)
                db.execute("BEGIN IMMEDIATE")
                answers = self._apart(db, jobs)
        except Exception as error:
            _roll_back(db)
            return _failed(jobs, StoreError, f"{self._name}: {error}; nothing was written")
        try:
            db.execute("COMMIT")
        except sqlite3.Error as error:
            # The log may hold the whole transaction without the disk having said so.
            _roll_back(db)
            return _failed(jobs, UnknownOutcome, f"{self._name}: {error}; load it again")
        return answers

    def _together(self, db: sqlite3.Connection, jobs: list[_Job]) -> list[_Answer]:
        """The usual way: consecutive commits by a few statements, a session's own merged.

        Raises:
            _Refused: something was refused; nothing may be kept.
        """
        answers: list[_Answer] = []
        waiting: dict[SessionId, tuple[Commit, int]] = {}
        for job in jobs:
            match job.ask:
                case _Commits(commits, now):
                    for commit in commits:
                        earlier = waiting.get(commit.id)
                        both = commit if earlier is None else merged(earlier[0], commit)
                        if both is None:
                            raise _Refused
                        waiting[commit.id] = (both, now)
                    answers.append((job.answer, [None] * len(commits)))
                case _Work(run):
                    self._flush(db, waiting)
                    answers.append((job.answer, run(db)))
        self._flush(db, waiting)
        return answers

    def _flush(self, db: sqlite3.Connection, waiting: dict[SessionId, tuple[Commit, int]]) -> None:
        if waiting and not records.write(db, list(waiting.values())):
            raise _Refused
        waiting.clear()

    def _apart(self, db: sqlite3.Connection, jobs: list[_Job]) -> list[_Answer]:
        """Each by itself, whole or not at all, still in one transaction.

        Raises:
            sqlite3.Error: the transaction itself is lost.
        """
        answers: list[_Answer] = []
        for job in jobs:
            match job.ask:
                case _Commits(commits, now):
                    refused: dict[SessionId, StoreError] = {}
                    written: list[StoreError | None] = []
                    for commit in commits:
                        error = refused.get(commit.id) or self._alone(db, commit, now)
                        if error is not None:
                            refused[commit.id] = error
                        written.append(error)
                    answers.append((job.answer, written))
                case _Work(run):
                    answers.append((job.answer, self._unit(db, run)))
        return answers

    def _alone(self, db: sqlite3.Connection, commit: Commit, now: int) -> StoreError | None:
        def run(db: sqlite3.Connection) -> StoreError | None:
            refusal = records.why_refused(db, commit)
            if refusal is None:
                records.write(db, [(commit, now)])
            return refusal

        answer: StoreError | None = self._unit(db, run)
        return answer

    def _unit(self, db: sqlite3.Connection, run: Callable[[sqlite3.Connection], Any]) -> Any:
        """What `run` answers, or the StoreError that says why it couldn't and wrote nothing."""
        db.execute("SAVEPOINT unit")
        try:
            return run(db)
        except Exception as error:
            if not db.in_transaction:  # SQLite itself rolled back: a full disk, say
                raise
            db.execute("ROLLBACK TO unit")
            return error if isinstance(error, StoreError) else StoreError(f"{self._name}: {error}")
        finally:
            if db.in_transaction:
                db.execute("RELEASE unit")

    def _settle(self, answers: list[_Answer]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(_settle, answers)


_Answer = tuple[asyncio.Future[Any], Any]


def _settle(answers: list[_Answer]) -> None:
    for future, answer in answers:
        resolve(future, answer)


def _failed(jobs: list[_Job], kind: type[StoreError], reason: str) -> list[_Answer]:
    return [
        (
            job.answer,
            [kind(reason)] * len(job.ask.commits)
            if isinstance(job.ask, _Commits)
            else kind(reason),
        )
        for job in jobs
    ]


def _roll_back(db: sqlite3.Connection) -> None:
    # Where even this fails, each later BEGIN does, and everybody is told.
    with contextlib.suppress(sqlite3.Error):
        if db.in_transaction:
            db.execute("ROLLBACK")
