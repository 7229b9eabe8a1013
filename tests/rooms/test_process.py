"""A process that serves: what it changes of its interpreter, and that it puts it back."""

from __future__ import annotations

import gc
import sys

from rooms.process import SWITCH_INTERVAL, tuned


def test_a_process_is_tuned_while_it_serves_and_not_after_it() -> None:
    def found() -> tuple[int, int, bool]:
        return len(gc.callbacks), gc.get_freeze_count(), sys.getswitchinterval() == SWITCH_INTERVAL

    callbacks, frozen, quick = before = found()
    assert not quick
    try:
        with tuned():
            assert found() > (callbacks, frozen)
            assert found()[2]
            raise InterruptedError
    except InterruptedError:
        assert found() == before
