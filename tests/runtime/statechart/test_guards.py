"""Guards: forms, params, combinations, failures."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    DefinitionError,
    GuardError,
    and_,
    create_actor,
    create_machine,
    not_,
    or_,
    setup,
    state_in,
    transition,
)


def yes(args: Any, params: Any) -> bool:
    return True


def no(args: Any, params: Any) -> bool:
    return False


def passes(guard: Any, **guards: Any) -> bool:
    """Whether a transition with this guard is taken."""
    machine = setup(guards={"yes": yes, "no": no, **guards}).create_machine(
        {
            "context": {"n": 3},
            "initial": "a",
            "states": {"a": {"id": "here", "on": {"GO": {"target": "b", "guard": guard}}}, "b": {}},
        }
    )
    snapshot = create_actor(machine).get_snapshot()
    return bool(transition(machine, snapshot, {"type": "GO"})[0].matches("b"))


@pytest.mark.parametrize(
    ("guard", "passing"),
    [
        ("yes", True),
        ("no", False),
        ({"type": "yes"}, True),
        (lambda args, params: args.context["n"] == 3, True),
        (and_(["yes", "yes"]), True),
        (and_(["yes", "no"]), False),
        (or_(["no", "yes"]), True),
        (or_(["no", "no"]), False),
        (not_("no"), True),
        (not_(and_(["yes", or_(["no", yes])])), False),
        (state_in("a"), True),
        (state_in("b"), False),
        (state_in("#here"), True),
        (and_([]), True),
        (or_([]), False),
    ],
)
def test_guards_in_all_forms(guard: Any, passing: bool) -> None:
    assert passes(guard) is passing


def test_params_are_given_or_computed() -> None:
    def more(args: Any, params: Any) -> bool:
        return bool(args.context["n"] > params["than"])

    assert passes({"type": "more", "params": {"than": 2}}, more=more)
    assert not passes({"type": "more", "params": {"than": 3}}, more=more)
    dynamic = {"type": "more", "params": lambda args, _: {"than": args.context["n"] - 1}}
    assert passes(dynamic, more=more)
    assert passes(and_([{"type": "more", "params": {"than": 1}}, dynamic]), more=more)


def test_a_name_may_stand_for_another_guard() -> None:
    assert passes("alias", alias="yes")
    assert passes("both", both=and_(["yes", not_("no")]))

    def is_given(args: Any, params: Any) -> bool:
        return bool(params == {"x": 1})

    assert passes("given", is_given=is_given, given={"type": "is_given", "params": {"x": 1}})


def test_a_failing_guard_names_itself_the_event_and_the_state() -> None:
    def broken(args: Any, params: Any) -> bool:
        raise ValueError("broken")

    with pytest.raises(GuardError) as caught:
        passes("broken", broken=broken)
    assert str(caught.value) == (
        "Unable to evaluate guard 'broken' in transition for event 'GO' in state node 'here':\n"
        "broken"
    )
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(GuardError, match="Unable to evaluate guard in transition"):
        passes(broken)


@pytest.mark.parametrize("guard", [5, {"params": {}}, "unknown", state_in("#nowhere")])
def test_what_is_no_guard_is_refused(guard: Any) -> None:
    with pytest.raises(DefinitionError):
        passes(guard)


def test_what_a_named_guard_stands_for_is_checked_too() -> None:
    with pytest.raises(DefinitionError, match=r"guards\.alias: unknown guard 'nobody'"):
        passes("alias", alias="nobody")


def test_state_in_within_parallel_regions() -> None:
    machine = create_machine(
        {
            "type": "parallel",
            "states": {
                "a": {"initial": "x", "states": {"x": {"on": {"A": "y"}}, "y": {}}},
                "b": {
                    "initial": "x",
                    "states": {
                        "x": {"on": {"B": {"target": "y", "guard": state_in({"a": "y"})}}},
                        "y": {},
                    },
                },
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "B"})
    assert actor.get_snapshot().value == {"a": "x", "b": "x"}
    actor.send({"type": "A"})
    actor.send({"type": "B"})
    assert actor.get_snapshot().value == {"a": "y", "b": "y"}
