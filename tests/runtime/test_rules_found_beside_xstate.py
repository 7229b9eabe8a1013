"""Rules that came to light where random machines ran beside XState: each was once wrong here."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from runtime import (
    SimulatedClock,
    create_actor,
    create_machine,
    enqueue_actions,
    from_promise,
    from_transition,
    send_parent,
    spawn_child,
    state_in,
)


def started(config: dict[str, Any], **implementations: Any) -> Any:
    machine = create_machine(config, implementations)
    return create_actor(machine, clock=SimulatedClock()).start()


def test_a_transition_from_within_a_state_to_its_history_finds_that_state() -> None:
    actor = started(
        {
            "id": "m",
            "initial": "p",
            "states": {
                "p": {
                    "initial": "b",
                    "on": {"AGAIN": {"target": "p.h", "reenter": True}},
                    "states": {"a": {}, "b": {}, "h": {"type": "history", "target": "a"}},
                }
            },
        }
    )
    actor.send({"type": "AGAIN"})
    assert actor.get_snapshot().matches({"p": "b"})


def test_an_empty_on_snapshot_listens_too() -> None:
    told: list[Any] = []
    child = create_machine({"initial": "x", "states": {"x": {}}})
    machine = create_machine(
        {"invoke": {"src": "child", "onSnapshot": {}}}, {"actors": {"child": child}}
    )
    actor = create_actor(machine)
    actor.subscribe(told.append)
    actor.start()
    assert len(told) == 2


def test_what_can_happen_in_a_failed_first_step_is_told_by_its_value() -> None:
    snapshot = started_in_error().get_snapshot()
    assert snapshot.status == "error"
    assert snapshot.value == "a"
    assert snapshot.can({"type": "GO"})


def started_in_error() -> Any:
    def fail(args: Any, params: Any) -> bool:
        raise ValueError("no")

    machine = create_machine(
        {
            "initial": "a",
            "states": {"a": {"always": {"guard": fail, "target": "b"}, "on": {"GO": "b"}}, "b": {}},
        }
    )
    return create_actor(machine)


def test_an_enqueueing_action_may_check_for_a_state_by_id() -> None:
    seen: list[bool] = []
    actor = started(
        {
            "initial": "a",
            "states": {"a": {"id": "here", "on": {"ASK": {"actions": "ask"}}}},
        },
        actions={
            "ask": enqueue_actions(lambda args, params: seen.append(args.check(state_in("#here"))))
        },
    )
    actor.send({"type": "ASK"})
    assert seen == [True]


def test_a_reducer_hears_that_it_is_stopped() -> None:
    heard: list[str] = []

    def reduce(state: Any, event: Any, scope: Any) -> Any:
        heard.append(event["type"])
        return state

    create_actor(from_transition(reduce, {})).start().stop()
    assert heard == ["xstate.stop"]


def test_a_reducer_that_knows_only_its_own_events_may_be_stopped() -> None:
    reducer = from_transition(lambda state, event, scope: {"n": state["n"] + event["by"]}, {"n": 0})
    actor = create_actor(reducer).start()
    actor.send({"type": "ADD", "by": 2})
    actor.stop()
    assert actor.get_snapshot().context == {"n": 2}
    assert actor.get_snapshot().error is None


@pytest.mark.filterwarnings("error")
async def test_a_coroutine_stopped_before_its_first_step_leaves_no_warning() -> None:
    async def work(args: Any) -> None:
        await asyncio.Event().wait()

    with warnings.catch_warnings(record=True) as caught:
        create_actor(from_promise(work)).start().stop()
        await asyncio.sleep(0)  # noqa: TID251 - lets the cancelled task end
        gc.collect()
    assert caught == []


def test_a_child_that_a_failed_step_had_replaced_goes_on_as_if_it_had_not() -> None:
    child = create_machine({"initial": "x", "states": {"x": {}}})

    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    actor = started(
        {
            "entry": "take",
            "on": {"AGAIN": {"actions": ["take", fail]}},
        },
        actions={"take": spawn_child("child", id="kid")},
        actors={"child": child},
    )
    actor.subscribe(error=lambda error: None)
    actor.send({"type": "AGAIN"})
    assert actor.get_snapshot().status == "error"
    assert actor.get_snapshot().children["kid"].get_snapshot().status == "active"


def test_a_replaced_child_takes_its_timers_along() -> None:
    ticking = create_machine({"after": {"10": {"actions": send_parent({"type": "TICK"})}}})
    still = create_machine({"on": {"*": {"actions": send_parent({"type": "WRONG"})}}})
    config = {
        "id": "m",
        "entry": spawn_child("ticking", id="kid"),
        "on": {"REPLACE": {"actions": spawn_child("still", id="kid")}},
    }
    machine = create_machine(config, {"actors": {"ticking": ticking, "still": still}})
    actor = create_actor(machine, clock=SimulatedClock()).start()
    assert "timers" in actor.get_persisted_snapshot()
    actor.send({"type": "REPLACE"})
    assert "timers" not in actor.get_persisted_snapshot()
