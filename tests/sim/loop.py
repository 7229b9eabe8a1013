"""Time, and processes that can be stopped anywhere: the loop that a simulated world runs on.

When nothing is ready the clock jumps to the next timer. There are no sockets and no threads, so a
run follows from its seed alone. A `Process` is all that was begun in its context: each callback and
each step of a task belongs to one, and none is run once it is dead, or as long as it is paused. So
`kill -9` and SIGSTOP strike between any two awaits, and no `finally` hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from contextvars import Context, ContextVar, copy_context
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

EPOCH = 1_800_000_000_000
"""The store's time (ms since 1970) when a world begins."""

STEP = 1e-6
"""How long a round of the loop takes (s): a clock that stood still would never be past a due time
that rounding put just after it.
"""

_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Stuck(Exception):
    """Nothing is ready, and no timer is set: the world would wait for ever."""


class Ended(BaseException):
    """A process has ended in the middle of a callback, of which nothing more happens."""


class Process:
    """What runs on one machine, and ends together."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused = False
        self.steps = 0
        """How many callbacks it ran."""
        self.tasks: WeakSet[asyncio.Task[Any]] = WeakSet()
        self.troubled = -inf
        """When it last stood still (s)."""
        self.suspended = 0.0
        """For how long its machine was suspended, all in all (s): its timers don't count that."""
        self.before_step: Callable[[], object] | None = None
        """Called before each callback."""
        self._loop = loop
        self._context = copy_context()
        self._context.run(_PROCESS.set, self)
        self._frozen: list[_Guarded] = []
        self._doom: tuple[int, Callable[[], None]] | None = None
        self._suspended_at: float | None = None

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function as this process; what it begins belongs to it."""
        return self._context.copy().run(function, *args)

    def soon(self, function: Callable[..., object], *args: Any) -> None:
        """Have a function called as this process."""
        self._loop.call_soon(function, *args, context=self._context.copy())

    def at(self, when: float, function: Callable[..., object], *args: Any) -> None:
        """Have a function called as this process at a time of the loop (s): something arrives."""
        context = self._context.copy()
        handle = self._loop.call_at(when, function, *args, context=context)
        handle._callback.arrives = True  # type: ignore[attr-defined]  # it is a _Guarded

    def kill(self) -> None:
        """Nothing of it runs any more, ever."""
        self.dead = True
        self._loop.keep()
        self._frozen.clear()

    def after(self, steps: int, then: Callable[[], None]) -> None:
        """Have `then` called when it has run so many callbacks more, before it runs the next."""
        self._doom = (self.steps + steps, then)

    def waits_at(self) -> Iterator[str]:
        """Where its tasks wait, each as `rooms/host/gate.py:97`: the awaits in the product's own
        files, from the outermost inward.
        """
        for task in self.tasks:
            waiting: Any = None if task.done() else task.get_coro()
            while (frame := getattr(waiting, "cr_frame", None)) is not None:
                _, found, file = frame.f_code.co_filename.rpartition("/rooms/")
                if found:
                    yield f"rooms/{file}:{frame.f_lineno}"
                waiting = waiting.cr_await

    def pause(self) -> None:
        """Nothing of it runs until `resume`; its clocks go on."""
        self.paused = True

    def resume(self) -> None:
        """Run what has become due meanwhile, and go on: what has arrived comes before timers, as a
        loop looks at its sockets first.
        """
        now = self._loop.time()
        if self.paused:
            self.troubled = now
        if self._suspended_at is not None:
            self.suspended += now - self._suspended_at
            self._suspended_at = None
        self.paused = False
        frozen, self._frozen = self._frozen, []
        for guarded in sorted(frozen, key=lambda guarded: not guarded.arrives):
            asyncio.get_running_loop().call_soon(guarded, context=guarded.context)

    def suspend(self, seconds: float) -> None:
        """Its machine sleeps for so long: its timers stand still, other than its `elapsed`."""
        self.pause()
        self._suspended_at = self._loop.time()
        self._loop.call_later(seconds, self.resume, context=Context())

    def may_run(self, guarded: _Guarded) -> bool:
        """Whether a callback may be run now; one that may not, yet, is kept."""
        if self.dead or (guarded.handle is not None and guarded.handle.cancelled()):
            return False
        if guarded.suspended < self.suspended and not guarded.arrives and not self.paused:
            later, guarded.suspended = self.suspended - guarded.suspended, self.suspended
            self._loop.call_later(later, guarded, context=guarded.context)
            return False
        if self.paused:
            self._frozen.append(guarded)
            return False
        if self._doom is not None and self.steps >= self._doom[0]:
            then, self._doom = self._doom[1], None
            then()
            return self.may_run(guarded)
        if self.before_step is not None:
            self.before_step()
        self.steps += 1
        return True


class _Guarded:
    """A callback of a process. `handle` is what cancels it."""

    __slots__ = ("args", "arrives", "callback", "context", "handle", "process", "suspended")

    def __init__(
        self,
        process: Process,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context,
    ) -> None:
        self.process = process
        self.callback = callback
        self.args = args
        self.context = context
        self.arrives = False
        self.suspended = inf
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        if self.process.may_run(self):
            with contextlib.suppress(Ended):
                self.callback(*self.args)


class SimLoop(asyncio.BaseEventLoop):
    """An event loop whose time is its own (s)."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = self  # what the base class asks to wait for sockets: see `select`
        self._kept: list[set[asyncio.Task[Any]]] = []
        self._given: list[Coroutine[Any, Any, Any]] = []
        self.witness: Any = None
        """Who writes down what rooms do to the world."""
        self.faults: list[dict[str, Any]] = []
        """What nobody handled."""

    def time(self) -> float:
        return self._now

    def elapsed(self) -> float:
        """The time in ms: CLOCK_BOOTTIME of every process."""
        return self._now * 1000

    def now(self) -> int:
        """The store's time, ms since 1970."""
        return EPOCH + int(self._now * 1000)

    def select(self, timeout: float | None) -> list[Any]:
        """Nothing is ready for so many seconds: then that is when it is. Work takes time, too."""
        if timeout is None:
            raise Stuck("nothing will ever happen")
        self._now += max(timeout, STEP)
        return []

    def keep(self) -> None:
        """Hold on to every task, so that none of a dead process is closed by the collector."""
        self._kept.append(asyncio.all_tasks(self))

    # ------------------------------------------------------------------ for asyncio

    def call_soon(  # type: ignore[override]  # what is typed by its arguments there is any here
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None or type(callback) is _Guarded:
            return super().call_soon(callback, *args, context=context)
        guarded = _Guarded(process, callback, args, context)
        guarded.handle = handle = super().call_soon(guarded, context=context)
        return handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        guarded = _Guarded(process, callback, args, context)
        guarded.suspended = process.suspended
        handle = super().call_at(when, guarded, context=context)
        guarded.handle = handle
        return handle

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, **kwargs)
        process = _PROCESS.get()
        if process is not None:
            process.tasks.add(task)
            for given in inspect.getcoroutinelocals(coro).values():
                if inspect.iscoroutine(given):  # a task that dies before it awaits this drops it
                    self._given.append(given)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        # Not: a task was dropped with its process, while it waited or in the middle of a step.
        if "exception" in context and not isinstance(context["exception"], Ended):
            self.faults.append(context)

    def close(self) -> None:
        """The world is over: what still waits in it will never go on."""
        for task in {task for tasks in [*self._kept, asyncio.all_tasks(self)] for task in tasks}:
            with contextlib.suppress(Exception):
                cast("Coroutine[Any, Any, Any]", task.get_coro()).close()
        for given in self._given:
            with contextlib.suppress(Exception):
                given.close()
        super().close()

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _check_closed(self) -> None:
        pass  # what the collector closes after the end may still say something, to nobody


def running() -> Process:
    """The process that this is run by."""
    process = _PROCESS.get()
    assert process is not None
    return process


async def passed(seconds: float) -> None:
    """Wait for so many seconds of the world's time."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[None] = loop.create_future()

    def over() -> None:
        if not waiting.done():  # who waited was cancelled at this moment
            waiting.set_result(None)

    loop.call_later(seconds, over)
    await waiting
