"""The library: what a config may refer to, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    DefinitionError,
    MutationError,
    SimulatedClock,
    assign,
    create_actor,
    create_machine,
    enqueue_actions,
    from_promise,
    from_transition,
    raise_,
    spawn_child,
    state_in,
)


def problem(config: dict[str, Any], **implementations: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        create_machine(config, implementations)
    return str(caught.value)


def calls(config: Any, **implementations: Any) -> list[Any]:
    """What the action `tell` of the machine was given, after one event GO."""
    told: list[Any] = []
    actions = {
        "tell": lambda args, params: told.append(params),
        **implementations.pop("actions", {}),
    }
    machine = create_machine(
        {"context": {"n": 3}, **config}, {"actions": actions, **implementations}
    )
    create_actor(machine, clock=SimulatedClock()).start().send({"type": "GO"})
    return told


def test_an_action_is_named_an_object_or_inline() -> None:
    seen: list[Any] = []
    inline = lambda args, params: seen.append(params)  # noqa: E731
    assert calls({"on": {"GO": {"actions": ["tell", {"type": "tell"}, inline]}}}) == [None, None]
    assert seen == [None]


def test_params_are_given_as_they_are_or_made_by_a_function() -> None:
    static = {"type": "tell", "params": {"by": 1}}
    made = {"type": "tell", "params": lambda args, params: {"by": args.context["n"]}}
    assert calls({"on": {"GO": {"actions": [static, made]}}}) == [{"by": 1}, {"by": 3}]


def test_a_name_may_stand_for_one_of_xstates_own_actions() -> None:
    config = {"on": {"GO": {"actions": ["set", "tell"]}, "SET": {"actions": "tell"}}}
    assert calls(config, actions={"set": raise_({"type": "SET"})}) == [None, None]


def test_guards_are_named_objects_inline_or_composed() -> None:
    guards = {
        "above": lambda args, params: args.context["n"] > params["than"],
        "big": {"type": "above", "params": {"than": 2}},
    }
    for guard, passes in (
        ("big", True),
        ({"type": "above", "params": {"than": 3}}, False),
        ({"type": "above", "params": lambda args, params: {"than": 0}}, True),
        (lambda args, params: False, False),
        (state_in("#m"), True),
    ):
        config = {"id": "m", "on": {"GO": {"guard": guard, "actions": "tell"}}}
        assert bool(calls(config, guards=guards)) is passes


def test_what_is_no_action_guard_delay_or_actor_is_refused() -> None:
    assert problem({"entry": 5}).startswith("at entry: no action: 5")
    assert problem({"entry": "a"}, actions={"a": 5}) == "at actions.a: no action: 5"
    assert problem({"on": {"GO": {"guard": 5}}}).startswith("at on.GO.guard: no guard: 5")
    assert "no delay: True" in problem({"entry": raise_({"type": "E"}, delay=True)})
    assert "no actor logic: 5" in problem({"invoke": {"src": 5}})
    two = spawn_child("kid", input=lambda args, params: 1)
    with pytest.raises(DefinitionError, match=r"at entry\.spawnChild\.input: .* take \(args\)"):
        create_machine({"entry": two}, {"actors": {"kid": from_promise(lambda args: None)}})
    five: Any = {"delays": {"five": "5"}, "actors": {"five": 5}}
    with pytest.raises(DefinitionError, match=r"at delays\.five: no delay: '5'"):
        create_machine({"after": {"five": {}}}, five)
    with pytest.raises(DefinitionError, match=r"at actors\.five: no actor logic: 5"):
        create_machine({"invoke": {"src": "five"}}, five)
    assert problem({}, actions={5: print}) == "at actions: names are text, not 5"


def test_unknown_names_are_refused_with_the_nearest_known_one() -> None:
    assert problem({"entry": "gret"}, actions={"greet": print}) == (
        "at entry: unknown action 'gret'; did you mean 'greet'?"
    )
    assert "unknown guard 'x'" in problem({"on": {"GO": {"guard": "x"}}})
    assert "unknown delay 'soon'" in problem({"after": {"soon": {}}})
    assert "unknown actor 'kid'" in problem({"invoke": {"src": "kid"}})


def test_an_incomplete_machine_collects_what_is_missing() -> None:
    config = {
        "entry": "greet",
        "invoke": {"src": "kid"},
        "after": {"soon": {}},
        "on": {"GO": {"guard": "may"}},
    }
    machine = create_machine(config, incomplete=True)
    assert len(machine.missing) >= 4
    with pytest.raises(DefinitionError, match=r"guard 'may' is not implemented"):
        machine.root.transitions["GO"][0].guard.check(None, None)  # type: ignore[union-attr, arg-type]


def test_a_delay_is_milliseconds_a_name_or_a_function() -> None:
    fired: list[str] = []

    def fire(name: str) -> Any:
        return {"actions": lambda args, params: fired.append(name)}

    delays = {"soon": 10, "later": lambda args, params: args.context["n"] * 10}
    config = {
        "context": {"n": 3},
        "after": {"5": fire("number"), "soon": fire("named"), "later": fire("computed")},
    }
    clock = SimulatedClock()
    create_actor(create_machine(config, {"delays": delays}), clock=clock).start()
    for now, expected in ((4, 0), (5, 1), (9, 1), (10, 2), (29, 2), (30, 3)):
        clock.set(now)
        assert len(fired) == expected
    assert fired == ["number", "named", "computed"]


async def never(args: Any, params: Any) -> None:
    """A coroutine function is no action."""


def test_functions_of_another_shape_are_refused() -> None:
    assert "is a coroutine function" in problem({"entry": never})
    assert problem({"entry": lambda args: None}) == (
        "at entry: (anonymous) must take (args, params), it takes 1"
    )
    assert "must take (args), it takes 2" in problem({"output": lambda args, params: None})


def test_functions_with_defaults_varargs_or_a_self_are_taken() -> None:
    class Told:
        def method(self, args: Any, params: Any) -> None:
            """A bound method takes two."""

        def __call__(self, args: Any, params: Any) -> None:
            """So does an object that can be called."""

    def optional(args: Any, params: Any = None) -> None:
        """One may be left out."""

    def several(*args: Any) -> None:
        """As many as come."""

    create_machine({"entry": [Told().method, Told(), optional, several, print]})


def test_a_checked_machine_names_the_function_that_changed_its_context() -> None:
    def careless(args: Any, params: Any) -> dict[str, Any]:
        args.context["list"].append(1)
        return {}

    machine = create_machine(
        {
            "context": {"list": []},
            "on": {
                "FINE": {"actions": assign(lambda args, params: {"list": [1]})},
                "BAD": {"actions": assign(careless)},
            },
        }
    ).checked()
    errors: list[Any] = []
    actor = create_actor(machine)
    actor.subscribe(error=errors.append)
    actor.start().send({"type": "FINE"})
    assert actor.get_snapshot().context == {"list": [1]}
    actor.send({"type": "BAD"})
    assert isinstance(errors[0], MutationError)
    assert "careless" in str(errors[0])


def test_a_guard_may_ask_for_a_state_by_id_which_must_exist() -> None:
    assert calls({"id": "m", "on": {"GO": {"actions": "tell", "guard": state_in("#m")}}}) == [None]
    assert "nowhere" in problem({"on": {"GO": {"guard": state_in("#nowhere")}}})


def test_once_the_chart_is_complete_a_state_is_looked_up_at_once() -> None:
    answers: list[bool] = []

    def ask(args: Any, params: Any) -> None:
        answers.append(args.check(state_in("#m")))

    machine = create_machine({"id": "m", "on": {"GO": {"actions": enqueue_actions(ask)}}})
    create_actor(machine).start().send({"type": "GO"})
    assert answers == [True]


def test_a_name_that_is_used_twice_is_compiled_once() -> None:
    guards = {"may": lambda args, params: True}
    twice = [{"guard": "may", "actions": "tell"}, {"guard": "may"}]
    machine = create_machine({"on": {"GO": twice}}, {"guards": guards, "actions": {"tell": print}})
    first, second = machine.root.transitions["GO"]
    assert first.guard is second.guard


def test_an_actor_is_a_known_name_or_logic_itself() -> None:
    logic = from_transition(lambda state, event, scope: state, 0)
    for src, actors in (("kid", {"kid": logic}), (logic, {})):
        machine = create_machine({"invoke": {"src": src}}, {"actors": actors})
        assert list(create_actor(machine).get_snapshot().children) == ["0.(machine)"]
