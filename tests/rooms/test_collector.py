"""The collector of garbage: what it doesn't look at, and that nothing is garbage for ever."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest

from rooms.collector import GROWN, LEAST, Collector

if TYPE_CHECKING:
    from collections.abc import Iterator


class Thing:
    """Refers to itself: nobody but the collector frees it."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """How many blocks of memory there are, as far as a started `Collector` can tell."""
    known = [getattr(request, "param", LEAST)]
    monkeypatch.setattr("sys.getallocatedblocks", lambda: known[0])
    collector = Collector()
    collector.start()
    try:
        yield known
    finally:
        collector.stop()


def test_what_a_full_collection_leaves_is_not_walked_again(blocks: list[int]) -> None:
    lives = [Thing() for _ in range(100)]
    gc.collect()
    assert not any(one is lives[0] for one in gc.get_objects())
    assert gc.get_freeze_count() > 100


def test_garbage_that_was_never_set_aside_is_found_at_once(blocks: list[int]) -> None:
    gone = weakref.ref(Thing())
    gc.collect()
    assert gone() is None


def test_garbage_that_was_set_aside_is_found_when_memory_has_grown(blocks: list[int]) -> None:
    thing = Thing()
    gone = weakref.ref(thing)
    gc.collect()
    del thing
    blocks[0] = LEAST * GROWN
    gc.collect()
    assert gone() is not None
    blocks[0] += 1
    gc.collect()
    assert gone() is None


def test_all_is_looked_through_again_only_when_it_has_grown_as_much_again(
    blocks: list[int],
) -> None:
    blocks[0] = LEAST * GROWN + 1
    gc.collect()
    thing = Thing()
    gone = weakref.ref(thing)
    gc.collect()
    del thing
    blocks[0] = (LEAST * GROWN + 1) * GROWN
    gc.collect()
    assert gone() is not None


@pytest.mark.parametrize("blocks", [10], indirect=True)
def test_where_there_is_little_not_all_is_looked_through_again(blocks: list[int]) -> None:
    thing = Thing()
    gone = weakref.ref(thing)
    gc.collect()
    del thing
    blocks[0] = LEAST
    gc.collect()
    assert gone() is not None


def test_once_stopped_python_looks_at_everything(blocks: list[int]) -> None:
    collector = Collector()
    collector.start()
    thing = Thing()
    gc.collect()
    collector.stop()
    assert gc.get_freeze_count() == 0
    assert any(one is thing for one in gc.get_objects())
