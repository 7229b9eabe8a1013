"""XState's own actions, one by one, as the pure face shows them."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    Act,
    Declared,
    DefinitionError,
    Emit,
    EventError,
    Log,
    SimulatedClock,
    UnknownActorError,
    assign,
    cancel,
    create_actor,
    create_machine,
    declare,
    emit,
    forward_to,
    from_transition,
    initial_transition,
    log,
    raise_,
    send_parent,
    send_to,
    setup,
    spawn_child,
    stop_child,
    transition,
)
from runtime.statechart.effects import Cancel, Raise, SendTo, SpawnChild, StopChild

reducer = from_transition(lambda state, event, scope: state, 0)


def after(actions: Any, event: dict[str, Any] | None = None, **extra: Any) -> tuple[Any, Any]:
    """The snapshot and the effects of a machine that does these actions on GO."""
    machine = setup(
        actors={"reducer": reducer}, delays={"soon": 5, "two": lambda a, p: 2}
    ).create_machine(
        {
            "context": {"n": 1},
            "invoke": {"id": "child", "src": "reducer"},
            "on": {"GO": {"actions": actions}, "RAISED": {"actions": assign({"raised": True})}},
            **extra,
        }
    )
    first, _ = initial_transition(machine)
    return transition(machine, first, event or {"type": "GO"})


def test_assign_takes_values_functions_and_a_function_of_all() -> None:
    several = assign(
        {"n": lambda a, p: a.context["n"] + 1, "m": lambda a, p: a.context["n"], "k": 0}
    )
    assert after(several)[0].context == {"n": 2, "m": 1, "k": 0}
    assert after(assign({"k": lambda a, p: 5}))[0].context == {"n": 1, "k": 5}
    assert after(assign({"k": 5}))[0].context == {"n": 1, "k": 5}
    assert after(assign(lambda a, p: {"k": a.event["type"]}))[0].context == {"n": 1, "k": "GO"}


def test_assigns_follow_one_another_and_leave_the_old_context_alone() -> None:
    twice = assign({"n": lambda a, p: a.context["n"] * 10})
    machine = create_machine({"context": {"n": 1}, "on": {"GO": {"actions": [twice, twice]}}})
    first, _ = initial_transition(machine)
    assert transition(machine, first, {"type": "GO"})[0].context == {"n": 100}
    assert first.context == {"n": 1}


def test_params_reach_named_actions_given_or_computed() -> None:
    machine = setup(
        actions={"add": assign(lambda a, p: {"n": a.context["n"] + p["by"]})}
    ).create_machine(
        {
            "context": {"n": 1},
            "on": {
                "GIVEN": {"actions": {"type": "add", "params": {"by": 2}}},
                "MADE": {"actions": {"type": "add", "params": lambda a, _: {"by": a.event["by"]}}},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "GIVEN"})
    actor.send({"type": "MADE", "by": 5})
    assert actor.get_snapshot().context == {"n": 8}


def test_raise_is_taken_within_the_step_or_delayed() -> None:
    assert after(raise_({"type": "RAISED"}))[0].context["raised"]
    assert after(raise_(lambda a, p: {"type": "RAISED"}))[0].context["raised"]
    event = {"type": "RAISED"}
    assert after(raise_(event, delay=10, id="x"))[1] == (Raise(event, 10, "x"),)
    assert after(raise_(event, delay="soon"))[1] == (Raise(event, 5, None),)
    assert after(raise_(event, delay="two"))[1] == (Raise(event, 2, None),)
    assert after(raise_(event, delay=lambda a, p: a.context["n"]))[1] == (Raise(event, 1, None),)


def test_send_to_addresses_a_child_by_id_ref_or_function() -> None:
    hi = {"type": "HI"}

    def target(to: Any) -> Any:
        (effect,) = after(send_to(to, hi))[1]
        assert isinstance(effect, SendTo)
        return effect.target

    child = target("child")
    assert child.id == "child"
    assert target("#_child").id == "child"
    assert target(child) is child
    assert target(lambda a, p: "child").id == "child"
    assert target("#_internal").session_id == target(lambda a, p: None).session_id
    (effect,) = after(send_to("child", lambda a, p: {"type": a.event["type"]}, id="i", delay=3))[1]
    assert (effect.event, effect.id, effect.delay) == ({"type": "GO"}, "i", 3)
    (effect,) = after(forward_to("child"), {"type": "GO", "k": 1})[1]
    assert effect.event == {"type": "GO", "k": 1}


def test_an_error_event_is_sent_under_the_name_of_its_sender() -> None:
    (effect,) = after(send_to("child", {"type": "xstate.error", "data": "no"}))[1]
    assert effect.event["type"].startswith("xstate.error.actor.")
    assert effect.event["error"] == "no"


@pytest.mark.parametrize(
    "action",
    [
        send_to("nobody", {"type": "X"}),
        send_parent({"type": "X"}),
        forward_to(lambda a, p: None),
    ],
)
def test_sending_to_nobody_is_an_error(action: Any) -> None:
    with pytest.raises(UnknownActorError):
        after(action)


def test_the_nearest_child_is_named() -> None:
    with pytest.raises(UnknownActorError, match="did you mean 'child'"):
        after(send_to("chid", {"type": "X"}))


def test_emit_log_and_cancel() -> None:
    assert after(emit({"type": "e"}))[1] == (Emit("", {"type": "e"}),)
    assert after(emit(lambda a, p: {"type": "e", "n": a.context["n"]}))[1] == (
        Emit("", {"type": "e", "n": 1}),
    )
    assert after(log("hi"))[1] == (Log("", None, "hi"),)
    assert after(log(lambda a, p: a.context["n"], "label"))[1] == (Log("", "label", 1),)
    assert after(log())[1] == (Log("", None, {"context": {"n": 1}, "event": {"type": "GO"}}),)
    assert after(cancel("x"))[1] == (Cancel("x"),)
    assert after(cancel(lambda a, p: "y"))[1] == (Cancel("y"),)


def test_children_are_spawned_by_name_or_logic_and_stopped_by_id_ref_or_function() -> None:
    snapshot, (effect,) = after(spawn_child("reducer", id="kid", input=lambda a: a.context))
    assert isinstance(effect, SpawnChild)
    assert snapshot.children["kid"] is effect.child
    snapshot, _ = after(spawn_child(reducer, id=lambda a, p: f"kid-{a.context['n']}"))
    assert "kid-1" in snapshot.children
    for which in ("child", lambda a, p: "child", lambda a, p: a.self and "child"):
        snapshot, (effect,) = after(stop_child(which))
        assert isinstance(effect, StopChild)
        assert snapshot.children == {}
    assert after(stop_child("nobody"))[1] == (StopChild(None),)


def test_children_without_ids_get_ids_of_their_own() -> None:
    snapshot, _ = after([spawn_child("reducer"), spawn_child("reducer")])
    assert len(snapshot.children) == 3


def test_declared_effects_are_resolved_in_the_turn() -> None:
    tell = declare("host.tell")
    assert after(tell({"k": 1}))[1] == (Declared("", "host.tell", {"k": 1}),)
    made = after(tell(lambda a, p: a.context["n"]))[1][0]
    assert (made.type, made.params) == ("host.tell", 1)
    assert after(tell())[1] == (Declared("", "host.tell", None),)


def test_custom_actions_are_effects_with_type_params_and_a_function() -> None:
    def greet(args: Any, params: Any) -> None:
        """Says nothing."""

    machine = setup(actions={"hello": greet}).create_machine(
        {
            "on": {
                "GO": {
                    "actions": [
                        {"type": "hello", "params": {"to": "you"}},
                        greet,
                        lambda a, p: None,
                    ]
                }
            }
        }
    )
    _, effects = transition(machine, initial_transition(machine)[0], {"type": "GO"})
    assert [(effect.type, effect.params) for effect in effects if isinstance(effect, Act)] == [
        ("hello", {"to": "you"}),
        ("greet", None),
        ("(anonymous)", None),
    ]


def test_only_events_may_be_sent() -> None:
    with pytest.raises(EventError, match=r"use raise_\(\{'type': 'X'\}\) instead"):
        raise_("X")
    with pytest.raises(DefinitionError, match="takes an event dict"):
        send_to("child", {"no": "type"})


def test_what_is_no_action_is_refused() -> None:
    wrong: list[Any] = [5, {"params": {}}]
    for action in wrong:
        with pytest.raises(DefinitionError, match="no action"):
            after(action)
    with pytest.raises(DefinitionError, match="no delay"):
        after(raise_({"type": "X"}, delay=[1]))
    with pytest.raises(DefinitionError, match="an assignment is a dict or a function, not 'n'"):
        after(assign("n"))  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="no actor logic"):
        after(spawn_child(object()))
    with pytest.raises(DefinitionError, match=r"actions\.x: no action"):
        create_machine({"entry": "x"}, {"actions": {"x": 5}})
    with pytest.raises(DefinitionError, match="names are text"):
        create_machine({}, {"actions": {5: lambda a, p: None}})  # type: ignore[dict-item]


@pytest.mark.parametrize("delayed", [raise_, lambda *what, **how: send_to("child", *what, **how)])
def test_a_delay_that_is_no_number_is_said_to_be_none(delayed: Any) -> None:
    with pytest.raises(TypeError, match="a delay is a number of milliseconds, not '1s'"):
        after(delayed({"type": "RAISED"}, delay=lambda a, p: "1s"))
    assert after(delayed({"type": "RAISED"}, delay=lambda a, p: 0.5))[1][0].delay == 0.5
    delayed_none = after(delayed({"type": "RAISED"}, delay=lambda a, p: None))
    assert [effect.delay for effect in delayed_none[1]] in ([], [None])


def test_coroutine_functions_and_wrong_signatures_are_refused() -> None:
    async def later(args: Any, params: Any) -> None:
        """Never runs."""

    with pytest.raises(DefinitionError, match="is a coroutine function \\(use from_promise\\)"):
        after(later)
    with pytest.raises(DefinitionError, match=r"must take \(args, params\), it takes 1"):
        after(assign({"n": lambda a: 1}))
    with pytest.raises(DefinitionError, match=r"context: .* must take \(args\), it takes 2"):
        create_machine({"context": lambda a, p: {}})
    after(assign({"n": lambda *everything: 1}))
    after(assign({"n": lambda a, p=None: 1}))


def test_inspection_shows_each_of_xstates_own_actions_with_what_it_was_given() -> None:
    shown: dict[str, Any] = {}

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.action":
            shown[event["action"]["type"]] = event["action"]["params"]

    tell = declare("host.tell")
    actions = [
        raise_({"type": "R"}),
        send_to(lambda args, params: args.self, {"type": "S"}, id="s", delay=5),
        cancel("s"),
        emit({"type": "E"}),
        log("said", "label"),
        spawn_child("reducer", id="kid"),
        tell({"n": 1}),
    ]
    machine = create_machine({"on": {"GO": {"actions": actions}}}, {"actors": {"reducer": reducer}})
    actor = create_actor(machine, clock=SimulatedClock(), inspect=look).start()
    actor.send({"type": "GO"})
    kid = actor.get_snapshot().children["kid"]
    assert shown == {
        "xstate.raise": {"event": {"type": "R"}, "id": None, "delay": None},
        "xstate.sendTo": {
            "to": actor,
            "targetId": None,
            "event": {"type": "S"},
            "id": "s",
            "delay": 5,
        },
        "xstate.cancel": {"sendId": "s"},
        "xstate.emit": {"event": {"type": "E"}},
        "xstate.log": {"value": "said", "label": "label"},
        "xstate.spawnChild": {
            "id": "kid",
            "systemId": None,
            "actorRef": kid,
            "src": "reducer",
            "input": None,
        },
        "host.tell": {"n": 1},
    }


def test_inspection_shows_a_stop_with_the_child_or_with_nobody() -> None:
    shown: list[Any] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.action" and event["action"]["type"] == "xstate.stopChild":
            shown.append(event["action"]["params"])

    config = {
        "context": lambda args: {"kid": args.spawn("reducer", id="kid")},
        "on": {"STOP": {"actions": stop_child(lambda args, params: args.context["kid"])}},
        "entry": stop_child("nobody"),
    }
    actor = create_actor(create_machine(config, {"actors": {"reducer": reducer}}), inspect=look)
    kid = actor.start().get_snapshot().context["kid"]
    actor.send({"type": "STOP"})
    assert shown == [None, kid]
    assert actor.get_snapshot().children == {}


def test_forward_to_hands_the_event_on() -> None:
    _, effects = after(
        [spawn_child("reducer", id="kid"), forward_to("kid")], {"type": "GO", "n": 1}
    )
    assert [effect.event for effect in effects if isinstance(effect, SendTo)] == [
        {"type": "GO", "n": 1}
    ]


def test_entry_actions_may_send_to_children_that_are_about_to_be_invoked() -> None:
    state = {"entry": send_to("kid", {"type": "HI"}), "invoke": {"id": "kid", "src": "reducer"}}
    machine = create_machine(state, {"actors": {"reducer": reducer}})
    snapshot, effects = initial_transition(machine)
    (sent,) = (effect for effect in effects if isinstance(effect, SendTo))
    assert sent.target is snapshot.children["kid"]


def test_actions_do_the_same_when_nobody_inspects() -> None:
    told: list[Any] = []
    tell = declare("host.tell")
    actions = [
        raise_({"type": "R"}),
        send_to(lambda args, params: args.self, {"type": "S"}, id="s", delay=5),
        cancel("s"),
        emit({"type": "E"}),
        log("said"),
        spawn_child("reducer", id="kid"),
        stop_child("kid"),
        stop_child("nobody"),
        tell({"n": 1}),
    ]
    machine = create_machine({"on": {"GO": {"actions": actions}}}, {"actors": {"reducer": reducer}})
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock, logger=told.append)
    actor.on("*", lambda event: told.append(event["type"]))
    actor.start().send({"type": "GO"})
    clock.increment(5)
    assert told == ["said", "E"]
    assert actor.get_snapshot().children == {}
