"""Timers through sleep and crash: by their deadline or with what remained; and those that fail."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.definition import Room
from rooms.errors import UsageError
from rooms.host.outbox import shown
from rooms.sync.views import everything
from runtime import assign, create_machine
from tests.rooms.host.stage import Stage, Tab

AT = "counter/x"


def _rang(name: str) -> Any:
    def ring(args: Any, params: Any) -> dict[str, Any]:
        return {"rang": {**args.context["rang"], name: args.now}}

    return assign(ring)


class Egg(Room):
    """Two timers at once: of 60 s and of 200 s; `touch` only changes something."""

    machine = create_machine(
        {
            "context": {"rang": {}, "touched": 0},
            "type": "parallel",
            "on": {
                "touch": {"actions": assign({"touched": lambda a, p: a.context["touched"] + 1})}
            },
            "states": {
                "short": {
                    "initial": "off",
                    "states": {
                        "off": {"on": {"start": "on"}},
                        "on": {"after": {60_000: {"target": "off", "actions": _rang("short")}}},
                    },
                },
                "long": {
                    "initial": "off",
                    "states": {
                        "off": {"on": {"start": "on"}},
                        "on": {"after": {200_000: {"target": "off", "actions": _rang("long")}}},
                    },
                },
            },
        }
    )
    view = everything
    show_timers = True


class Standing(Egg):
    restore_timers = "remaining"


def _broken(args: Any, params: Any) -> dict[str, Any]:
    if not args.context["mended"]:
        raise ValueError("it won't ring")
    return {"rang": {**args.context["rang"], "broken": args.now}}


class Broken(Room):
    """One of its timers fails until it is mended."""

    machine = create_machine(
        {
            "context": {"rang": {}, "mended": False},
            "type": "parallel",
            "on": {"mend": {"actions": assign({"mended": True})}},
            "states": {
                "broken": {
                    "initial": "off",
                    "states": {
                        "off": {"on": {"start": "on"}},
                        "on": {
                            "on": {"stop": "off"},
                            "after": {1_000: {"target": "off", "actions": assign(_broken)}},
                        },
                    },
                },
                "whole": {
                    "initial": "off",
                    "states": {
                        "off": {"on": {"start": "on"}},
                        "on": {"after": {1_001: {"target": "off", "actions": _rang("whole")}}},
                    },
                },
            },
        }
    )
    view = everything


async def started(kind: type[Room]) -> tuple[Stage, Tab, int]:
    """A room whose timers have been started at this moment."""
    on = await Stage(counter=kind).start()
    ann = await on.connect()
    await ann.send("start")
    return on, ann, on.now()


async def rang(on: Stage) -> Any:
    return (await on.stored(AT))["context"]["rang"]


# ------------------------------------------------------------------ deadline


async def test_many_timers_keep_their_deadlines_through_sleep_and_crash() -> None:
    # [TIME1] [TIME3]
    on, ann, begun = await started(Egg)
    await ann.leave()
    await on.advance(30_000)
    assert not on.awake(AT)
    await on.advance(31_000)
    assert await rang(on) == {"short": begun + 60_000}
    await on.crash()
    await on.advance(140_000)
    assert await rang(on) == {"short": begun + 60_000, "long": begun + 200_000}


# ------------------------------------------------------------------ remaining


async def test_while_it_sleeps_the_clock_stands_still() -> None:  # [TIME4]
    on, ann, begun = await started(Standing)
    await on.advance(20_000)
    await ann.leave()
    await on.advance(10_000)
    assert not on.awake(AT)
    asleep = on.now()
    await on.advance(1_000_000)
    assert not on.awake(AT)  # no timer wakes it
    ann = await on.connect()
    stood = on.now() - asleep
    await on.advance(180_000)
    assert await rang(on) == {"short": begun + 60_000 + stood, "long": begun + 200_000 + stood}


async def test_who_watches_a_timer_keeps_it_running() -> None:  # [TIME4] [SLEEP1]
    on, _, begun = await started(Standing)
    await on.advance(200_000)
    assert await rang(on) == {"short": begun + 60_000, "long": begun + 200_000}
    await on.advance(20_000)
    assert not on.awake(AT)


async def test_every_sleep_counts_once() -> None:  # [TIME4]
    on, ann, begun = await started(Standing)
    stood = 0
    for _ in range(4):
        await ann.leave()
        await on.advance(11_000)
        assert not on.awake(AT)
        await on.advance(100_000)
        stood += 101_000  # it fell asleep 10 s after its last event
        ann = await on.connect()
    await on.advance(160_000)
    assert await rang(on) == {"short": begun + 60_000 + stood, "long": begun + 200_000 + stood}


async def test_after_a_crash_it_has_stood_since_the_last_commit() -> None:  # [TIME4]
    on, ann, begun = await started(Standing)
    await on.advance(20_000)
    await ann.send("touch")
    await on.advance(15_000)  # lost
    await on.crash()
    await on.advance(500_000)
    assert await rang(on) == {}
    await on.connect()
    await on.advance(180_000)
    stood = 15_000 + 500_000
    assert await rang(on) == {"short": begun + 60_000 + stood, "long": begun + 200_000 + stood}


async def test_a_crash_right_after_waking_shifts_nothing_twice() -> None:  # [TIME4]
    on, ann, begun = await started(Standing)
    await ann.leave()
    await on.advance(10_000)
    await on.advance(100_000)
    await on.connect()
    await on.crash()
    await on.connect()
    await on.advance(300_000)
    assert await rang(on) == {"short": begun + 160_000, "long": begun + 300_000}


async def test_nobody_sees_a_shifted_timer_before_it_is_stored() -> None:  # [TURN3] [TIME4]
    on, ann, begun = await started(Standing)
    await ann.leave()
    await on.advance(110_000)
    with on.store.holding():
        ann = await on.connect()
        assert not ann.inbox
    await on.settle()
    assert set(ann.view["timers"].values()) == {begun + 160_000, begun + 300_000}


async def test_there_are_two_ways_for_timers() -> None:
    with pytest.raises(UsageError, match="take deadline or remaining"):
        type("Other", (Egg,), {"restore_timers": "none"})


# ------------------------------------------------------------------ timers that fail


async def failed(on: Stage) -> Any:
    record = await on.record(AT)
    assert record is not None
    (entry,) = shown(record.outbox)
    return entry


async def test_how_often_a_timer_failed_is_stored_and_others_dont_wait() -> None:  # [TIME5]
    on, _, begun = await started(Broken)
    await on.advance(1_002)
    assert await rang(on) == {"whole": begun + 1_001}
    entry = await failed(on)
    assert (entry["attempts"], entry["next"]) == (1, begun + 2_000)
    assert entry["error"] == 'ValueError("it won\'t ring")'
    await on.advance(2_000)
    assert (await failed(on))["attempts"] == 2
    await on.crash()
    await on.advance(2_000)
    entry = await failed(on)
    assert (entry["attempts"], entry["next"]) == (3, begun + 8_000)


async def test_a_sleeping_room_wakes_to_try_again() -> None:  # [TIME5] [TIME3]
    on, ann, begun = await started(Broken)
    await on.advance(45_000)
    entry = await failed(on)
    assert (entry["attempts"], entry["next"]) == (6, begun + 64_000)
    assert not on.awake(AT)
    record = await on.record(AT)
    assert record is not None
    assert record.due == begun + 64_000
    await ann.send("mend")
    await on.advance(40_000)
    assert await rang(on) == {"whole": begun + 1_001, "broken": begun + 64_000}
    record = await on.record(AT)
    assert record is not None
    assert shown(record.outbox) == []


async def test_after_eight_attempts_it_is_a_dead_letter_that_wakes_nobody() -> None:  # [TIME5]
    on, ann, _ = await started(Broken)
    await on.advance(1_000_000)
    entry = await failed(on)
    assert entry["attempts"] == 8
    assert entry["dead"] is not None
    record = await on.record(AT)
    assert record is not None
    assert record.due is None
    await ann.send("start")  # the whole one goes on
    await on.advance(5_000)
    assert (await failed(on))["dead"] == entry["dead"]


async def test_an_operator_may_have_it_tried_again() -> None:  # [TIME5] [ADMIN8]
    on, ann, _ = await started(Broken)
    await on.advance(1_000_000)
    await ann.send("mend")
    answer = await on.operated("POST", AT, "/retry")
    assert answer == (200, {"retried": 1})
    assert (await rang(on))["broken"] == on.now()


async def test_it_is_gone_when_the_machine_cancels_the_timer() -> None:  # [TIME5]
    on, ann, _ = await started(Broken)
    await on.advance(1_000_000)
    await ann.send("stop")
    record = await on.record(AT)
    assert record is not None
    assert shown(record.outbox) == []


async def test_a_failed_timer_keeps_its_attempts_when_its_clock_stood_still() -> None:
    # [TIME4] [TIME5]
    class Stands(Broken):
        restore_timers = "remaining"

    on, ann, begun = await started(Stands)
    await on.advance(17_000)  # the fifth attempt was at 16 s, the next is at 32
    await ann.leave()
    await on.advance(2_000)
    assert on.awake(AT)
    await on.restart()
    assert not on.awake(AT)
    await on.advance(100_000)
    await on.connect()
    await on.advance(1_000)
    entry = await failed(on)
    assert (entry["attempts"], entry["next"]) == (5, begun + 32_000 + 100_000)
