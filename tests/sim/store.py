"""The store of a simulated world, and each host's way to it: far away, slow, and not always there.

The store itself is the real one in memory, with epochs that each session's record counts for
itself, as a distributed store does. What it answers is written into the history. On the way a call
may be lost, or its answer; what was under way when its host died may still arrive.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from rooms.errors import StoreError, UnknownOutcome
from rooms.store.memory import MemoryStore
from rooms.store.port import Acquired
from tests.sim.loop import STEP

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Callable, Coroutine, Sequence

    from rooms.store.port import Commit, Held, HostInfo, Owner, SessionId
    from tests.histories import History
    from tests.sim.faults import Faults
    from tests.sim.loop import Process, SimLoop


T = TypeVar("T")

SLOW: Final = 1.0
"""A call or an answer that travels for so long is in trouble (s)."""
ANSWER_WITHIN: Final = 5.0
"""After this who gives up does (s), as `rooms/store/redis/line.py`."""
NEVER_ARRIVES: Final = 0.4
OVERTAKEN: Final = 0.8
"""What becomes of a call that was given up, by a roll: it never arrives; below this one it arrives
after later ones, which came on another connection; else in its order.
"""


class WitnessedStore(MemoryStore):
    """The store in memory, which writes what it did into the history."""

    def __init__(self, loop: SimLoop, history: History, dice: random.Random) -> None:
        super().__init__(loop.now, elapsed=loop.elapsed, random_bytes=dice.randbytes)
        self._loop = loop
        self._history = history

    async def heartbeat(self, host: HostInfo, ttl: int) -> bool:
        alive = await super().heartbeat(host, ttl)
        self._history.heartbeat(host.incarnation, alive, self._loop.elapsed(), ttl)
        return alive

    async def retire(self, incarnation: str) -> None:
        await super().retire(incarnation)
        self._history.retired(incarnation, self._loop.elapsed())

    async def acquire(self, id: SessionId, incarnation: str) -> Acquired | Held:
        row = self._rows.get(id)
        self._epoch = 0 if row is None else row.epoch
        answer = await super().acquire(id, incarnation)
        if isinstance(answer, Acquired):
            revision = 0 if answer.record is None else answer.record.revision
            self._history.acquired(
                str(id), incarnation, answer.epoch, answer.generation, revision,
                self._loop.elapsed(),
            )  # fmt: skip
        return answer

    async def commit_many(self, commits: Sequence[Commit]) -> Sequence[StoreError | None]:
        answers = await super().commit_many(commits)
        for commit, error in zip(commits, answers, strict=True):
            if error is None:
                self._history.committed(
                    str(commit.id), commit.incarnation, commit.epoch, commit.generation,
                    commit.prev, commit.new,
                )  # fmt: skip
        return answers

    async def release(
        self, id: SessionId, incarnation: str, epoch: int, activation: bytes | None
    ) -> bool:
        released = await super().release(id, incarnation, epoch, activation)
        if released:
            self._history.released(str(id), incarnation, epoch, self._loop.elapsed())
        return released

    async def delete(self, id: SessionId, owner: Owner | None = None) -> bool:
        deleted = await super().delete(id, owner)
        if deleted:
            self._history.forgotten(str(id))
        return deleted


class Way:
    """One host's way to the store. Its calls arrive in the order in which they were made."""

    def __init__(
        self,
        loop: SimLoop,
        store: WitnessedStore,
        process: Process,
        faults: Faults,
        environment: Process,
    ) -> None:
        self._loop = loop
        self._store = store
        self._process = process
        self._faults = faults
        self._environment = environment
        self._arrives = self._late = 0.0
        self.cut_off_until = 0.0
        """Until then nothing that it says arrives (s)."""
        self.gives_up = False
        """Whether who is cut off gives up what isn't answered, as a store's client does."""
        self.heard_until = 0.0
        """Until then its calls arrive all the same, and no answer does (s)."""
        self.slow_until, self.slow_by = 0.0, 0.0
        """Until then each call, and each answer, takes so much longer (s)."""
        self.troubled = -inf
        """When it was last not as it should be (s)."""

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            answer: asyncio.Future[Any] = self._loop.create_future()
            now = self._loop.time()
            arrives = max(now + self._delay(), self.cut_off_until)
            if arrives > now + SLOW:
                self.troubled = max(self.troubled, arrives)
            if self.gives_up and now < self.cut_off_until:
                return await self._cut_off(arrives, name, args, kwargs, answer)
            self._arrives = max(self._arrives + STEP, arrives)
            self._environment.at(self._arrives, self._arrive, name, args, kwargs, answer)
            return await answer

        return call

    async def _cut_off(self, until: float, *call: Any) -> Any:
        """What becomes of a call that isn't answered, and is given up."""
        now, roll = self._loop.time(), self._faults.more.random()
        name, args, kwargs, answer = call
        self._environment.at(now + ANSWER_WITHIN, self._give_up, name, answer)
        if now < self.heard_until:
            unheard: asyncio.Future[Any] = self._loop.create_future()
            unheard.cancel()
            self._arrives = max(self._arrives + STEP, now + self._delay())
            self._environment.at(self._arrives, self._arrive, name, args, kwargs, unheard)
        elif roll > NEVER_ARRIVES:
            self._late = max(self._late + STEP, until)
            late = self._late if roll > OVERTAKEN else until + self._faults.more.expovariate(1)
            self._environment.at(late, self._arrive_late, *call)
        return await answer

    def _arrive_late(self, *call: Any) -> None:
        if self._faults.on:
            self._arrive(*call)

    def _delay(self) -> float:
        slow = self.slow_by if self._loop.time() < self.slow_until else 0.0
        return slow + self._faults.store_delay()

    def _give_up(self, name: str, answer: asyncio.Future[Any]) -> None:
        if not answer.done():
            answer.set_exception(UnknownOutcome(f"{name}: the store didn't answer"))

    def _arrive(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], answer: asyncio.Future[Any]
    ) -> None:
        fate = self._faults.store_fate(name)
        if fate is not None and name == "heartbeat":
            self.troubled = max(self.troubled, self._loop.time())
        if self._process.dead and fate is None and self._faults.dies_on_its_way():
            return
        if fate == "refused":
            self._answer(answer, StoreError(f"{name}: the store is out of reach"), None)
            return
        result, error = None, None
        if fate != "lost":
            try:
                result = run_now(getattr(self._store, name)(*args, **kwargs))
            except StoreError as raised:
                error = raised
        if fate is not None:
            error = UnknownOutcome(f"{name}: the connection to the store was lost")
        self._answer(answer, error, result)

    def _answer(self, answer: asyncio.Future[Any], error: StoreError | None, result: Any) -> None:
        def give() -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)

        now, delay = self._loop.time(), self._delay()
        if delay > SLOW:
            self.troubled = max(self.troubled, now + delay)
        self._environment.at(now + delay, give)


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as stopped:
        return cast("T", stopped.value)
    raise AssertionError("the store in memory waited for something")
