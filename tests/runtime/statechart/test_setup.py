"""Setup: declared implementations and schemas, and the typed helpers."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from runtime import SimulatedClock, create_actor, from_transition, setup


class Count(TypedDict):
    count: int


class Add(TypedDict):
    type: Literal["add"]
    by: int


s = setup[Count, Add](context=Count, events=Add)


def test_a_machine_of_a_setup_knows_its_implementations_and_schemas() -> None:
    machine = setup(actions={"greet": lambda args, params: None}, context=Count).create_machine(
        {"entry": "greet"}
    )
    assert machine.schemas == {"context": Count}
    assert set(machine.implementations["actions"]) == {"greet"}


def test_extend_adds_and_replaces_but_leaves_the_first_alone() -> None:
    told: list[str] = []
    first = setup(
        actions={
            "a": lambda args, params: told.append("a"),
            "b": lambda args, params: told.append("b"),
        },
        context=Count,
    )
    second = first.extend(
        actions={"b": lambda args, params: told.append("b2")},
        guards={"may": lambda args, params: True},
        delays={"soon": 5},
        actors={"kid": from_transition(lambda state, event, scope: state, 0)},
    )
    create_actor(first.create_machine({"entry": ["a", "b"]})).start()
    machine = second.create_machine(
        {"entry": ["a", "b"], "invoke": {"src": "kid"}, "after": {"soon": {"guard": "may"}}}
    )
    create_actor(machine, clock=SimulatedClock()).start()
    assert told == ["a", "b", "a", "b2"]
    assert machine.schemas == {"context": Count}


def test_the_typed_helpers_make_the_same_actions() -> None:
    lines: list[Any] = []
    heard: list[Any] = []

    def decide(args: Any, params: Any) -> None:
        args.enqueue(s.raise_(lambda args, params: {"type": "add", "by": 10}, delay=5, id="later"))

    machine = s.create_machine(
        {
            "context": {"count": 0},
            "initial": "open",
            "states": {
                "open": s.create_state_config(
                    {
                        "on": {
                            "add": {
                                "actions": [
                                    s.assign(
                                        {"count": lambda a, p: a.context["count"] + a.event["by"]}
                                    ),
                                    s.create_action(lambda args, params: lines.append("custom")),
                                    s.log(lambda args, params: args.context["count"], "count"),
                                    s.emit(lambda args, params: {"type": "added"}),
                                ]
                            },
                            "later": {"actions": s.enqueue_actions(decide)},
                            "self": {
                                "actions": s.send_to(
                                    lambda args, params: args.self, {"type": "add", "by": 1}
                                )
                            },
                        }
                    }
                )
            },
        }
    )
    clock = SimulatedClock()
    actor: Any = create_actor(machine, clock=clock, logger=lambda *values: lines.append(values))
    actor.on("added", heard.append)
    actor.start()
    for event in ({"type": "add", "by": 2}, {"type": "self"}, {"type": "later"}):
        actor.send(event)
    clock.increment(5)
    assert actor.get_snapshot().context == {"count": 13}
    assert heard == [{"type": "added"}] * 3
    assert lines == ["custom", ("count", 2), "custom", ("count", 3), "custom", ("count", 13)]


def test_context_and_output_may_be_made_by_typed_functions() -> None:
    whole = setup[Count, Add, Count, int]()
    machine = whole.create_machine(
        {
            "context": whole.create_context(lambda args: {"count": args.input["count"]}),
            "initial": "end",
            "states": {"end": {"type": "final"}},
            "output": whole.create_output(lambda args: args.context["count"] + 1),
        }
    )
    assert create_actor(machine, input=Count(count=4)).get_snapshot().output == 5
