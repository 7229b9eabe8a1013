"""XState's pages on the pure face, on paths and on testing, in our own words."""

from __future__ import annotations

import asyncio
from typing import Any

from runtime import (
    assign,
    create_actor,
    create_machine,
    from_promise,
    get_microsteps,
    get_next_transitions,
    initial_transition,
    raise_,
    setup,
    transition,
    wait_for,
)
from runtime.paths import (
    deduplicate_paths,
    get_adjacency_map,
    get_paths_from_events,
    get_shortest_paths,
    get_simple_paths,
)

# The pure face


def test_effects_are_told_by_type_and_params_and_not_performed() -> None:
    performed: list[Any] = []
    machine = setup(actions={"mail": lambda args, params: performed.append(params)}).create_machine(
        {
            "initial": "idle",
            "states": {
                "idle": {
                    "on": {
                        "GO": {
                            "target": "busy",
                            "actions": {
                                "type": "mail",
                                "params": lambda args, params: {"to": args.event["who"]},
                            },
                        }
                    }
                },
                "busy": {},
            },
        }
    )
    first, _ = initial_transition(machine)
    after, (effect,) = transition(machine, first, {"type": "GO", "who": "ann"})
    assert (after.value, effect.type, performed) == ("busy", "mail", [])
    assert getattr(effect, "params", None) == {"to": "ann"}


def test_microsteps_show_what_is_passed_through() -> None:
    states = {
        "first": {"on": {"GO": {"target": "second", "actions": raise_({"type": "ON"})}}},
        "second": {"on": {"ON": "third"}},
        "third": {"always": "fourth"},
        "fourth": {},
    }
    machine = create_machine({"initial": "first", "states": states})
    first, _ = initial_transition(machine)
    steps = get_microsteps(machine, first, {"type": "GO"})
    assert [
        (snapshot.value, [effect.type for effect in effects]) for snapshot, effects in steps
    ] == [
        ("second", ["xstate.raise"]),
        ("third", []),
        ("fourth", []),
    ]


def test_what_may_come_next_is_told_whatever_the_guards_say() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "on": {"RESET": ".a"},
            "states": {
                "a": {"on": {"GO": [{"guard": lambda a, p: False, "target": "b"}, "c"]}},
                "b": {},
                "c": {},
            },
        }
    )
    coming = get_next_transitions(initial_transition(machine)[0])
    assert [(t.event_type, [node.key for node in t.targets or ()]) for t in coming] == [
        ("GO", ["b"]),
        ("GO", ["c"]),
        ("RESET", ["a"]),
    ]


# Paths

FEEDBACK = create_machine(
    {
        "id": "feedback",
        "initial": "question",
        "states": {
            "question": {"on": {"GOOD": "thanks", "BAD": "form", "CLOSE": "closed"}},
            "form": {"on": {"SUBMIT": "thanks", "CLOSE": "closed"}},
            "thanks": {"on": {"CLOSE": "closed"}},
            "closed": {"type": "final"},
        },
    }
)
COUNTER = create_machine(
    {
        "context": {"n": 0},
        "on": {
            "ADD": {"actions": assign({"n": lambda args, p: args.context["n"] + args.event["by"]})}
        },
    }
)


def told(paths: Any) -> list[tuple[Any, str]]:
    return [
        (path.state.value, " ".join(step.event["type"] for step in path.steps[1:]))
        for path in paths
    ]


def test_shortest_paths_of_the_feedback_form() -> None:
    assert told(get_shortest_paths(FEEDBACK)) == [
        ("question", ""),
        ("thanks", "GOOD"),
        ("form", "BAD"),
        ("closed", "CLOSE"),
    ]


def test_simple_paths_of_the_feedback_form_and_those_that_are_no_beginnings() -> None:
    paths = get_simple_paths(FEEDBACK)
    assert sorted(told(paths)) == [
        ("closed", "BAD CLOSE"),
        ("closed", "BAD SUBMIT CLOSE"),
        ("closed", "CLOSE"),
        ("closed", "GOOD CLOSE"),
        ("form", "BAD"),
        ("question", ""),
        ("thanks", "BAD SUBMIT"),
        ("thanks", "GOOD"),
    ]
    assert {state for state, _ in told(deduplicate_paths(paths))} == {"closed"}


def test_paths_to_a_state_from_a_state_and_along_given_events() -> None:
    (shortest,) = get_shortest_paths(FEEDBACK, to_state=lambda state: state.value == "closed")
    assert told([shortest]) == [("closed", "CLOSE")]
    actor = create_actor(FEEDBACK).start()
    actor.send({"type": "BAD"})
    onward = get_shortest_paths(FEEDBACK, from_state=actor.get_snapshot())
    assert told(onward) == [("form", ""), ("thanks", "SUBMIT"), ("closed", "CLOSE")]
    events = [{"type": name} for name in ("BAD", "SUBMIT", "CLOSE")]
    (path,) = get_paths_from_events(FEEDBACK, events)
    assert told([path]) == [("closed", "BAD SUBMIT CLOSE")]


def test_a_countable_world_is_bounded_by_the_caller() -> None:
    one = [{"type": "ADD", "by": 1}]
    stopped = get_shortest_paths(COUNTER, events=one, stop_when=lambda s: s.context["n"] >= 5)
    assert [path.state.context["n"] for path in stopped] == [0, 1, 2, 3, 4, 5]
    by_state = get_shortest_paths(
        COUNTER,
        events=lambda state: [{"type": "ADD", "by": 1 if state.context["n"] < 2 else 10}],
        stop_when=lambda state: state.context["n"] > 20,
    )
    assert [path.state.context["n"] for path in by_state] == [0, 1, 2, 12, 22]
    alike = get_adjacency_map(COUNTER, events=one, serialize_state=lambda state, *_: "same")
    assert len(alike) == 1


# Testing


async def test_effects_are_replaced_in_tests() -> None:
    called: list[Any] = []

    async def fetch(args: Any) -> str:
        called.append(args.input)
        return "data"

    machine = setup(
        actions={"note": lambda args, params: called.append(params["message"])},
        actors={"fetch": from_promise(fetch)},
    ).create_machine(
        {
            "initial": "idle",
            "states": {
                "idle": {
                    "on": {
                        "FETCH": {
                            "target": "loading",
                            "actions": {"type": "note", "params": {"message": "Started!"}},
                        }
                    }
                },
                "loading": {"invoke": {"src": "fetch", "onDone": "success", "onError": "failure"}},
                "success": {},
                "failure": {},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "FETCH"})
    async with asyncio.timeout(20):  # noqa: TID251 - bounds the test
        await wait_for(actor, lambda snapshot: snapshot.matches("success"))
    assert called == ["Started!", None]
