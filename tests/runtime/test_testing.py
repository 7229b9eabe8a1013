"""Model-based testing: a door, and models of it."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import DefinitionError, assign, create_machine, from_transition, raise_
from runtime.testing import TestModel, create_test_model

machine = create_machine(
    {
        "id": "door",
        "initial": "shut",
        "states": {
            "shut": {"on": {"PUSH": "open", "LOCK": "locked"}},
            "open": {"on": {"PULL": "shut"}, "meta": {"description": "wide open"}},
            "locked": {"id": "safe", "on": {"UNLOCK": "shut"}},
        },
    }
)


class Door:
    """What is tested. The second one has a fault."""

    def __init__(self, *, jams: bool = False) -> None:
        self.state = "shut"
        self.jams = jams

    def push(self) -> None:
        if not self.jams:
            self.state = "open"

    def pull(self) -> None:
        self.state = "shut"

    def turn(self) -> None:
        self.state = "shut" if self.state == "locked" else "locked"


def walk(path: Any, door: Door) -> None:
    def check(state: Any) -> None:
        assert state.value == door.state

    path.test(
        states={"open": check, "#safe": check, "*": check},
        events={
            "PUSH": lambda step: door.push(),
            "PULL": lambda step: door.pull(),
            "LOCK": lambda step: door.turn(),
            "UNLOCK": lambda step: door.turn(),
        },
    )


model = create_test_model(machine)


@pytest.mark.parametrize("path", model.get_shortest_paths(), ids=str)
def test_the_door_does_what_the_model_says(path: Any) -> None:
    walk(path, Door())


def test_paths_cover_every_transition_without_repeating_beginnings() -> None:
    descriptions = [str(path) for path in model.get_shortest_paths()]
    assert descriptions == [
        'Reaches state "shut": xstate.init → PUSH → PULL',
        'Reaches state "shut": xstate.init → LOCK → UNLOCK',
    ]
    assert len(model.get_shortest_paths(allow_duplicate_paths=True)) == 5
    assert [path.weight for path in model.get_simple_paths()] == [4, 4]


def test_a_fault_is_found_and_its_place_told() -> None:
    (path, _) = model.get_shortest_paths()
    with pytest.raises(AssertionError) as caught:
        walk(path, Door(jams=True))
    assert caught.value.__notes__ == [
        'Path:\n  ✓ xstate.init → {"value":"shut"}\n  ✗ PUSH → {"value":"open"}\n'
        '    PULL → {"value":"shut"}'
    ]


async def test_checks_and_deeds_may_be_coroutines() -> None:
    done: list[str] = []

    async def push(step: Any) -> None:
        done.append(step.event["type"])

    (path,) = model.get_paths_from_events([{"type": "PUSH"}])
    await path.test_async(events={"PUSH": push}, states={"open": lambda state: done.append("open")})
    assert done == ["PUSH", "open"]
    with pytest.raises(DefinitionError, match="use test_async"):
        path.test(events={"PUSH": push})

    async def fail(state: Any) -> None:
        raise AssertionError("closed")

    with pytest.raises(AssertionError, match="closed"):
        await path.test_async(states={"open": fail})


def test_paths_go_on_from_others() -> None:
    first = model.get_paths_from_events([{"type": "LOCK"}])
    onward = model.get_shortest_paths_from(first, to_state=lambda s: s.value == "open")
    assert [step.event["type"] for step in onward[0].steps] == [
        "xstate.init",
        "LOCK",
        "UNLOCK",
        "PUSH",
    ]
    assert len(model.get_simple_paths_from(first, to_state=lambda s: s.value == "open")) == 1
    assert len(model.get_adjacency_map()) == 5


def test_descriptions_tell_events_fields_and_meta() -> None:
    (path,) = model.get_paths_from_events([{"type": "PUSH", "force": 3}])
    assert path.description == 'Reaches state "wide open": xstate.init → PUSH ({"force":3})'
    described = create_machine(
        {"context": {"n": 1}, "meta": {"description": lambda snapshot: "made"}}
    )
    (path,) = create_test_model(described).get_shortest_paths()
    assert path.description == 'Reaches state made({"n":1}): xstate.init'


@pytest.mark.parametrize("meta", [{"color": "red"}, "red"])
def test_a_state_whose_meta_describes_nothing_is_described_by_the_value(meta: Any) -> None:
    machine = create_machine(
        {"initial": "a", "states": {"a": {"initial": "b", "states": {"b": {"meta": meta}}}}}
    )
    (path,) = create_test_model(machine).get_shortest_paths()
    assert path.description == 'Reaches state {"a":"b"}: xstate.init'


@pytest.mark.parametrize(
    "config",
    [
        {"invoke": {"src": from_transition(lambda s, e, scope: s, 0)}},
        {"initial": "a", "states": {"a": {"after": {1: "a"}}}},
        {"on": {"GO": {"actions": raise_({"type": "X"}, delay=1)}}},
    ],
)
def test_machines_that_wait_for_more_than_events_can_not_be_walked(config: Any) -> None:
    with pytest.raises(DefinitionError, match="not supported"):
        create_test_model(create_machine(config))


def test_a_models_events_are_examples_of_the_types_that_states_handle() -> None:
    filling = create_machine(
        {
            "context": {"n": 0},
            "initial": "empty",
            "states": {
                "empty": {
                    "on": {
                        "ADD": {
                            "target": "full",
                            "actions": assign({"n": lambda args, params: args.event["by"]}),
                        }
                    }
                },
                "full": {},
            },
        }
    )
    examples = [{"type": "ADD", "by": 1}, {"type": "ADD", "by": 2}, {"type": "NOBODY"}]
    for given in (examples, lambda state: examples):
        paths = create_test_model(filling, events=given).get_shortest_paths()
        assert [path.state.context["n"] for path in paths] == [1, 2]


async def test_any_logic_may_be_a_model() -> None:
    halving = from_transition(
        lambda state, event, scope: state // 2 if event["type"] == "even" else 3 * state + 1, 6
    )
    numbers = TestModel(
        halving,
        events=lambda state: [{"type": "odd" if state.context % 2 else "even"}],
        state_matcher=lambda state, key: key == ("odd" if state.context % 2 else "even"),
    )
    seen: list[Any] = []
    (path,) = numbers.get_shortest_paths(to_state=lambda state: state.context == 1)
    path.test(states={"odd": lambda s: seen.append(s.context), "even": lambda s: None})
    assert seen == [3, 5, 1]
