"""`enqueue_actions`: what it may enqueue, and what its checks see."""

from __future__ import annotations

from typing import Any

from runtime import (
    SimulatedClock,
    create_actor,
    create_machine,
    enqueue_actions,
    from_transition,
    setup,
    state_in,
)
from runtime.statechart.effects import Cancel, Emit, Log, Raise, SendTo, SpawnChild, StopChild


def test_enqueued_actions_follow_in_order_each_with_the_context_of_its_place() -> None:
    seen: list[int] = []

    def look(args: Any, params: Any) -> None:
        seen.append(args.context["n"])

    def collect(args: Any, params: Any) -> None:
        args.enqueue(look)
        args.enqueue.assign({"n": lambda a, p: a.context["n"] + params["by"]})
        args.enqueue("look")
        args.enqueue({"type": "add", "params": {"by": 10}})
        args.enqueue("look")
        assert args.context["n"] == 0  # nothing has run yet

    machine = setup(
        actions={
            "look": look,
            "collect": enqueue_actions(collect),
            "add": enqueue_actions(
                lambda a, p: a.enqueue.assign({"n": lambda b, q: b.context["n"] + p["by"]})
            ),
        }
    ).create_machine(
        {
            "context": {"n": 0},
            "on": {"GO": {"actions": {"type": "collect", "params": {"by": 1}}}},
        }
    )
    create_actor(machine).start().send({"type": "GO"})
    assert seen == [0, 1, 11]


def test_checks_ask_guards_of_every_kind() -> None:
    answers: list[bool] = []

    def collect(args: Any, params: Any) -> None:
        answers.append(args.check("odd"))
        answers.append(args.check({"type": "above", "params": {"than": 5}}))
        answers.append(args.check(state_in("a")))
        answers.append(args.check(lambda a, p: a.event["type"] == "GO"))

    machine = setup(
        guards={
            "odd": lambda a, p: a.context["n"] % 2 == 1,
            "above": lambda a, p: a.context["n"] > p["than"],
        }
    ).create_machine(
        {
            "context": {"n": 3},
            "initial": "a",
            "states": {"a": {"on": {"GO": {"actions": enqueue_actions(collect)}}}},
        }
    )
    create_actor(machine).start().send({"type": "GO"})
    assert answers == [True, False, True, True]


def test_everything_xstate_can_enqueue_can_be_enqueued() -> None:
    from runtime import initial_transition, transition

    def collect(args: Any, params: Any) -> None:
        args.enqueue.spawn_child("child", id="kid")
        args.enqueue.send_to("kid", {"type": "HI"})
        args.enqueue.forward_to("kid")
        args.enqueue.stop_child("kid")
        args.enqueue.raise_({"type": "LATER"}, id="l", delay=1)
        args.enqueue.cancel("l")
        args.enqueue.emit({"type": "e"})
        args.enqueue.log("text", "label")

    reducer = from_transition(lambda state, event, scope: state, 0)
    machine = create_machine(
        {"on": {"GO": {"actions": enqueue_actions(collect)}}}, {"actors": {"child": reducer}}
    )
    _, effects = transition(machine, initial_transition(machine)[0], {"type": "GO"})
    assert [type(effect) for effect in effects] == [
        SpawnChild,
        SendTo,
        SendTo,
        StopChild,
        Raise,
        Cancel,
        Emit,
        Log,
    ]


def test_a_child_may_send_to_its_parent() -> None:
    child = create_machine(
        {"entry": enqueue_actions(lambda a, p: a.enqueue.send_parent({"type": "BORN"}))}
    )
    heard: list[str] = []
    machine = create_machine(
        {
            "invoke": {"src": "child"},
            "on": {"BORN": {"actions": lambda a, p: heard.append("born")}},
        },
        {"actors": {"child": child}},
    )
    create_actor(machine, clock=SimulatedClock()).start()
    assert heard == ["born"]
