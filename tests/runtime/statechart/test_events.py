"""Event types and descriptors."""

from __future__ import annotations

import pytest

from runtime import EventError
from runtime.statechart.events import (
    after_event_type,
    assert_event,
    done_actor_event,
    done_state_event,
    error_actor_event,
    matches_descriptor,
    snapshot_event,
)


def test_the_runtimes_own_events_are_named_as_in_xstate() -> None:
    assert after_event_type(1000.0, "m.a") == "xstate.after.1000.m.a"
    assert after_event_type(0.5, "m.a") == "xstate.after.0.5.m.a"
    assert after_event_type("soon", "m.a") == "xstate.after.soon.m.a"
    assert done_state_event("m.a", 1) == {"type": "xstate.done.state.m.a", "output": 1}
    assert done_actor_event("c", 1) == {
        "type": "xstate.done.actor.c",
        "output": 1,
        "actorId": "c",
    }
    assert error_actor_event("c", "no") == {
        "type": "xstate.error.actor.c",
        "error": "no",
        "actorId": "c",
    }
    assert snapshot_event("c", 1) == {"type": "xstate.snapshot.c", "snapshot": 1}


@pytest.mark.parametrize(
    ("event_type", "descriptor", "matches"),
    [
        ("a.b", "a.b", True),
        ("a.b", "*", True),
        ("a.b", "a.*", True),
        ("a", "a.*", True),
        ("ab", "a.*", False),
        ("a.b.c", "a.b.*", True),
        ("a.b.c", "a.*.*", False),
        ("a.b", "a", False),
        ("a.b", "b.*", False),
        ("room.joined", "*", False),
        ("room.joined", "room.*", True),
    ],
)
def test_descriptors(event_type: str, descriptor: str, matches: bool) -> None:
    assert matches_descriptor(event_type, descriptor) is matches


def test_assert_event_says_what_was_expected() -> None:
    assert_event({"type": "a.b"}, "a.*")
    assert_event({"type": "c"}, ["a", "c"])
    with pytest.raises(EventError, match=r'to have type matching "x"'):
        assert_event({"type": "a"}, "x")
    with pytest.raises(EventError, match=r'one of types matching "x", "y"'):
        assert_event({"type": "a"}, ["x", "y"])
