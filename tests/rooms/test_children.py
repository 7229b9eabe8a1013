"""A process that another one has started: it ends with it."""

from __future__ import annotations

import os
import queue
import socket
import threading

import pytest

from rooms.children import Parent, orders
from rooms.settings import Settings
from tests.wire import WITHIN


def test_a_child_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:  # [FLEET6]
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", ended.put)
    ours, theirs = socket.socketpair()
    ours.sendall(orders("app", Settings(), "host"))
    before = set(threading.enumerate())
    with theirs:
        assert Parent(theirs).orders() == ("app", Settings(), "host")
        [watching] = set(threading.enumerate()) - before
        assert ended.empty()
        ours.close()  # as its system does, however it ends
        watching.join(WITHIN)
    assert ended.get_nowait() == 1


def test_one_that_isnt_needed_any_more_never_begins() -> None:  # [FLEET6]
    ours, theirs = socket.socketpair()
    ours.close()
    with pytest.raises(SystemExit) as ended:
        Parent(theirs).orders()
    assert ended.value.code == 0
    theirs.close()
