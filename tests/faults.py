"""Faults as verbs: a store that waits, fails, lies about what it wrote, or dies with its host."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rooms.errors import StoreError, UnknownOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rooms.store.port import Commit, Store


class FaultyStore:
    """A host's way to a real store, which a test can get in. All that isn't hindered is the
    store's own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.commits: list[Commit] = []
        self.calls: Counter[str] = Counter()
        self._broken: list[str] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._dead = False
        self._late: dict[str, asyncio.Event] = {}
        self._slow: set[str] = set()
        self._failing: list[tuple[StoreError, bool]] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            await self._alive()
            while name in self._slow:
                await self._changed()
            if name in self._broken:
                self._broken.remove(name)
                raise StoreError(f"{name} failed")
            return await self._answer(name, *args, **kwargs)

        return call

    @contextmanager
    def holding(self, method: str = "commit_many") -> Iterator[None]:
        """Calls of this method wait, undone, until the end of the block."""
        self._slow.add(method)
        try:
            yield
        finally:
            self._slow.discard(method)
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():  # its host may have died
                    future.set_result(None)

    @contextmanager
    def answering_late(self, method: str = "commit_many") -> Iterator[None]:
        """The next call of this method is done, and answered at the end of the block."""
        self._late[method] = late = asyncio.Event()
        try:
            yield
        finally:
            late.set()

    def break_next(self, method: str) -> None:
        """The next call of this method does nothing and raises."""
        self._broken.append(method)

    def fail_next(self, *, written: bool, error: StoreError | None = None) -> None:
        """The next group of commits has an error for an answer, though it may be written."""
        self._failing.append((error or UnknownOutcome("the connection was lost"), written))

    def die(self) -> None:
        """The host's process is gone: nothing of it reaches the store any more, ever."""
        self._dead = True

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        """As the store's, with what the test has in store for it."""
        await self._alive()
        while "commit_many" in self._slow:
            await self._changed()
        await self._alive()
        if self._failing:
            error, written = self._failing.pop(0)
            if written:
                await self.store.commit_many(commits)
            raise error
        self.commits += commits
        answers: Sequence[StoreError | None] = await self._answer("commit_many", commits)
        return answers

    async def _answer(self, name: str, *args: Any, **kwargs: Any) -> Any:
        late = self._late.pop(name, None)
        answer = await getattr(self.store, name)(*args, **kwargs)
        if late is not None:
            await late.wait()
        return answer

    async def _changed(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def _alive(self) -> None:
        if self._dead:
            await asyncio.get_running_loop().create_future()
