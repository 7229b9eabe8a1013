"""The pure face."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    Act,
    assign,
    create_actor,
    create_machine,
    emit,
    from_promise,
    from_transition,
    get_initial_microsteps,
    get_microsteps,
    get_next_snapshot,
    initial_transition,
    log,
    raise_,
    send_to,
    setup,
    transition,
)
from runtime.statechart.effects import Raise, SendTo, SpawnChild, StopChild


async def never(args: Any) -> None:
    """Is never started."""


machine = setup(actors={"work": from_promise(never)}).create_machine(
    {
        "id": "m",
        "context": lambda a: {"n": a.input or 0},
        "initial": "a",
        "entry": lambda a, p: None,
        "states": {
            "a": {
                "on": {"GO": {"target": "b", "actions": raise_({"type": "ON"})}},
                "after": {10: "b"},
            },
            "b": {
                "invoke": {"id": "work", "src": "work"},
                "on": {"ON": "c", "STAY": {"actions": send_to("work", {"type": "X"})}},
            },
            "c": {"always": "d"},
            "d": {},
        },
    }
)


def test_the_first_transition_gives_the_first_snapshot_and_its_effects() -> None:
    snapshot, effects = initial_transition(machine, 5)
    assert snapshot.context == {"n": 5}
    assert [type(effect) for effect in effects] == [Act, Raise]
    assert effects[1] == Raise({"type": "xstate.after.10.m.a"}, 10, "xstate.after.10.m.a")


def test_a_transition_runs_to_rest_and_performs_nothing() -> None:
    first, _ = initial_transition(machine)
    snapshot, effects = transition(machine, first, {"type": "GO"})
    assert snapshot.value == "d"
    kinds = [type(effect).__name__ for effect in effects]
    assert kinds == ["Cancel", "Raise", "SpawnChild", "StopChild"]
    assert effects[1] == Raise(effects[1].event, None, None)  # type: ignore[union-attr]
    assert first.value == "a"
    assert get_next_snapshot(machine, first, {"type": "GO"}).value == "d"


def test_what_a_function_reads_of_its_actor_is_the_snapshot_that_was_given() -> None:
    looking = create_machine(
        {
            "initial": "a",
            "context": {"seen": None},
            "states": {
                "a": {"on": {"GO": "b"}},
                "b": {
                    "on": {"GO": "c"},
                    "exit": assign({"seen": lambda a, p: a.self.get_snapshot().value}),
                },
                "c": {},
            },
        }
    )
    first, _ = initial_transition(looking)
    second, _ = transition(looking, first, {"type": "GO"})
    assert transition(looking, second, {"type": "GO"})[0].context == {"seen": "b"}
    ((last, _),) = get_microsteps(looking, second, {"type": "GO"})
    assert last.context == {"seen": "b"}


def test_a_child_that_fails_at_once_fails_no_first_microsteps_of_its_parent() -> None:
    child = create_machine({"context": lambda args: 1 / 0})
    parent = create_machine({"invoke": {"src": "child"}}, {"actors": {"child": child}})
    ((snapshot, effects),) = get_initial_microsteps(parent)
    assert snapshot.status == "active"
    assert [type(effect) for effect in effects] == [SpawnChild]
    with pytest.raises(ZeroDivisionError):
        get_initial_microsteps(child)


def test_what_failed_and_is_taken_to_its_end_all_the_same_keeps_its_error() -> None:
    failing = create_machine(
        {
            "initial": "a",
            "states": {"a": {"on": {"END": "z"}}, "z": {"type": "final"}},
            "on": {"FAIL": {}},
        }
    )
    first, _ = initial_transition(failing)
    failed, _ = transition(failing, first, {"type": "xstate.error.actor.x", "error": "lost"})
    ended, _ = transition(failing, failed, {"type": "END"})
    assert (failed.status, ended.status, ended.error) == ("error", "done", "lost")


def test_children_are_made_but_receive_nothing() -> None:
    here = create_machine(
        machine.config | {"initial": "b"}, {"actors": {"work": from_promise(never)}}
    )
    first, effects = initial_transition(here)
    assert isinstance(effects[-1], SpawnChild)
    child = first.children["work"]
    assert child.get_snapshot().status == "active"
    after, (sent,) = transition(here, first, {"type": "STAY"})
    assert isinstance(sent, SendTo)
    assert sent.target is child
    assert after is first
    left, effects = transition(here, first, {"type": "ON"})
    assert isinstance(effects[0], StopChild)
    assert left.children == {}
    # the older snapshot still has its child, unharmed
    assert first.children["work"].get_snapshot().status == "active"


def test_a_snapshot_of_a_live_actor_may_be_asked_what_would_be() -> None:
    reducer = from_transition(lambda state, event, scope: state + 1, 0)
    live = setup(actors={"r": reducer}).create_machine(
        {
            "invoke": {"id": "r", "src": "r"},
            "on": {"GO": {"actions": [send_to("r", {"type": "X"}), emit({"type": "e"}), log("l")]}},
        }
    )
    actor = create_actor(live).start()
    _, effects = transition(live, actor.get_snapshot(), {"type": "GO"})
    assert len(effects) == 3
    assert actor.get_snapshot().children["r"].get_snapshot().context == 0


def test_reducers_have_a_pure_face_too() -> None:
    reducer = from_transition(lambda state, event, scope: state + event["by"], 1)
    first, _ = initial_transition(reducer)
    assert transition(reducer, first, {"type": "ADD", "by": 2})[0].context == 3


def test_time_and_chance_are_arguments() -> None:
    rolling = create_machine(
        {"on": {"GO": {"actions": assign(lambda a, p: {"at": a.now, "roll": a.random.random()})}}}
    )
    first, _ = initial_transition(rolling)
    one, _ = transition(rolling, first, {"type": "GO"}, now=5, seed=1)
    same, _ = transition(rolling, first, {"type": "GO"}, now=5, seed=1)
    other, _ = transition(rolling, first, {"type": "GO"}, now=6, seed=2)
    assert one.context == same.context
    assert one.context["at"] == 5
    assert one.context["roll"] != other.context["roll"]


def test_microsteps_are_told_one_by_one_with_their_effects() -> None:
    first, _ = initial_transition(machine)
    steps = get_microsteps(machine, first, {"type": "GO"})
    assert [snapshot.value for snapshot, _ in steps] == ["b", "c", "d"]
    assert [len(effects) for _, effects in steps] == [3, 1, 0]
    (entered,) = get_initial_microsteps(machine)
    assert entered[0].value == "a"


def test_initial_microsteps_raise_what_the_first_snapshot_would_carry() -> None:
    def fail(args: Any, params: Any) -> dict[str, Any]:
        raise ValueError("first")

    machine = create_machine({"entry": assign(fail)})
    assert initial_transition(machine)[0].status == "error"
    with pytest.raises(ValueError, match="first"):
        get_initial_microsteps(machine)
