"""`args`: what every user function is given."""

from __future__ import annotations

from typing import Any

from runtime import SimulatedClock, assign, create_actor, create_machine, from_transition

reducer = from_transition(lambda state, event, scope: state, 0)


def test_a_custom_action_may_keep_its_args() -> None:
    kept: list[Any] = []
    config = {
        "context": {"n": 1},
        "on": {
            "GO": {
                "actions": [
                    lambda args, params: kept.append(args),
                    assign({"n": 2}),
                    lambda args, params: kept.append(args),
                ]
            }
        },
    }
    clock = SimulatedClock(7)
    actor = create_actor(create_machine(config), clock=clock).start()
    actor.send({"type": "GO"})
    clock.set(99)
    assert [args.context["n"] for args in kept] == [1, 2]
    assert [args.event for args in kept] == [{"type": "GO"}] * 2
    assert [args.now for args in kept] == [7, 7]
    assert kept[0].self is actor
    assert kept[0].system is actor.system
    assert kept[0].random is actor.system.random()


def test_what_does_not_apply_is_none() -> None:
    kept: list[Any] = []
    create_actor(create_machine({"entry": lambda args, params: kept.append(args)})).start()
    assert kept[0].input is None
    assert kept[0].spawn is None


def test_time_stands_still_for_the_length_of_a_step() -> None:
    clock = SimulatedClock(5)
    seen: list[float] = []

    def look(args: Any, params: Any) -> bool:
        seen.append(args.now)
        clock.set(args.now + 10)
        seen.append(args.now)
        return True

    machine = create_machine({"on": {"GO": {"guard": look, "actions": assign({})}}})
    create_actor(machine, clock=clock).start().send({"type": "GO"})
    assert seen == [5, 5]


def test_assign_and_context_may_spawn_with_input_made_from_args() -> None:
    counting = from_transition(lambda state, event, scope: state, lambda args: args.input)
    config = {
        "context": lambda args: {"n": args.input, "first": args.spawn("counting", input=3)},
        "on": {
            "MORE": {
                "actions": assign(
                    lambda args, params: {
                        "second": args.spawn(
                            "counting", id="second", input=lambda args: args.context["n"] + 1
                        )
                    }
                )
            }
        },
    }
    machine = create_machine(config, {"actors": {"counting": counting}})
    actor = create_actor(machine, input=8).start()
    actor.send({"type": "MORE"})
    context = actor.get_snapshot().context
    assert context["first"].get_snapshot().context == 3
    assert context["second"].get_snapshot().context == 9
    assert context["second"].id == "second"
