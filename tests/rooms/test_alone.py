"""What the process of one room may use: its kernel's limits, on a kernel that counts what a test
says is computed.
"""

from __future__ import annotations

import resource
import signal
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from rooms import alone
from rooms.alone import _limit_memory, _limit_turns

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALS = {signal.ITIMER_PROF: signal.SIGPROF, signal.ITIMER_VIRTUAL: signal.SIGVTALRM}


class Process:
    """A process to its kernel; to what runs in it, the loop."""

    def __init__(self) -> None:
        self.ended = False
        self.data = (1 << 40, 1 << 40)
        self._timers: dict[int, float] = {}
        self._handlers: dict[int, Any] = {}
        self._soon: list[Callable[[], None]] = []

    def setitimer(self, which: int, seconds: float) -> None:
        self._timers[which] = seconds

    def signal(self, number: int, handler: Any) -> None:
        self._handlers[number] = handler

    def getrlimit(self, which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_DATA
        return self.data

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        assert which == resource.RLIMIT_DATA
        self.data = limits

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self._soon.append(callback)

    def turn(self) -> None:
        """Its loop has a turn."""
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()

    def compute(self, seconds: float) -> float:
        """It computes at a stretch for so long, or until it is ended; for how long it did."""
        done = 0.0
        while not self.ended:
            which = min(self._timers, key=lambda which: self._timers[which], default=0)
            step = min(self._timers.get(which, inf), seconds - done)
            done += step
            self._timers = {timer: left - step for timer, left in self._timers.items()}
            if done >= seconds:
                break
            del self._timers[which]
            handler = self._handlers.get(SIGNALS[which], signal.SIG_DFL)
            if handler is signal.SIG_DFL:
                self.ended = True
            else:
                handler(SIGNALS[which], None)
        return done


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    process = Process()
    for module, names in (
        (signal, ("setitimer", "signal")),
        (resource, ("getrlimit", "setrlimit")),
    ):
        own = {name: getattr(process, name) for name in names}
        monkeypatch.setattr(alone, module.__name__, SimpleNamespace(**{**vars(module), **own}))
    return process


def limited(process: Process, ms: int) -> None:
    _limit_turns(process, ms)  # type: ignore[arg-type]  # as much of a loop as it needs


@pytest.mark.parametrize("before", [0.0, 0.3, 0.49, 0.51, 0.9])
def test_who_computes_for_too_long_at_a_stretch_is_ended(  # [ISOLATE3]
    process: Process, before: float
) -> None:
    limited(process, 2_000)
    process.compute(before)
    process.turn()
    assert 2.0 <= process.compute(60) <= 2.5
    assert process.ended


def test_who_computes_for_ever_and_lets_others_have_their_turn_is_not(  # [ISOLATE3]
    process: Process,
) -> None:
    limited(process, 200)
    for _ in range(100):
        process.compute(0.19)
        process.turn()
    assert not process.ended


def test_more_memory_than_it_may_take_is_not_to_be_had(process: Process) -> None:  # [ISOLATE3]
    _, hard = process.data
    _limit_memory(1 << 28)
    most, unchanged = process.data
    assert 1 << 28 < most < 1 << 40  # what it has, and so much more
    assert unchanged == hard
    _limit_memory(1 << 20)
    assert most - process.data[0] == pytest.approx((1 << 28) - (1 << 20), abs=1 << 26)
