"""Rules that came to light where random machines ran beside XState: each was once wrong here."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import Any

import pytest

from runtime import (
    Act,
    SimulatedClock,
    UnboundedStepError,
    assign,
    create_actor,
    create_machine,
    enqueue_actions,
    forward_to,
    from_callback,
    from_event_observable,
    from_promise,
    from_transition,
    initial_transition,
    raise_,
    send_parent,
    send_to,
    spawn_child,
    state_in,
    stop_child,
    transition,
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

    gc.collect()  # what others have left
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


def test_a_parallel_state_left_for_its_own_history_is_entered_again_as_a_whole() -> None:
    trace: list[str] = []
    actor = started(
        {
            "id": "m",
            "initial": "w",
            "states": {
                "w": {
                    "type": "parallel",
                    "entry": lambda args, params: trace.append("+w"),
                    "exit": lambda args, params: trace.append("-w"),
                    "states": {"h": {"type": "history"}, "r": {"on": {"AGAIN": "h"}}},
                }
            },
        }
    )
    actor.send({"type": "AGAIN"})
    assert trace == ["+w", "-w", "+w"]
    assert [node.id for node in actor.get_snapshot().nodes] == ["m", "m.w", "m.w.r"]


def test_what_initial_assigns_spawn_starts_in_its_place_even_if_it_is_stopped_at_once() -> None:
    trace: list[str] = []

    def kid(args: Any) -> Any:
        trace.append("starts")
        return lambda: trace.append("stops")

    started(
        {
            "context": {},
            "initial": "a",
            "states": {
                "a": {
                    "entry": assign({"ref": lambda args, params: args.spawn("kid", id="kid")}),
                    "exit": stop_child("kid"),
                    "always": "b",
                },
                "b": {"entry": lambda args, params: trace.append("b")},
            },
        },
        actors={"kid": from_callback(kid)},
    )
    assert trace == ["starts", "b", "stops"]


def test_what_initial_actions_spawn_and_stop_at_once_never_starts() -> None:
    trace: list[str] = []
    started(
        {
            "initial": "a",
            "states": {
                "a": {
                    "entry": spawn_child("kid", id="kid"),
                    "exit": stop_child("kid"),
                    "always": "b",
                },
                "b": {},
            },
        },
        actors={"kid": from_callback(lambda args: trace.append("starts"))},
    )
    assert trace == []


def test_an_init_event_that_is_sent_on_is_taken_by_no_wildcard() -> None:
    taken: list[str] = []
    child = create_machine({"on": {"*": {"actions": lambda args, params: taken.append("child")}}})
    started(
        {"invoke": {"src": "child", "id": "kid"}, "entry": forward_to("kid")},
        actors={"child": child},
    )
    assert taken == []


def test_a_machine_that_ends_at_its_start_keeps_its_output_though_an_exit_action_fails() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    machine = create_machine(
        {"initial": "f", "output": {"won": 3}, "exit": fail, "states": {"f": {"type": "final"}}}
    )
    actor = create_actor(machine)
    actor.subscribe(error=lambda error: None)
    snapshot = actor.start().get_snapshot()
    assert (snapshot.status, snapshot.output) == ("error", {"won": 3})


def test_inspection_tells_of_initial_actions_when_they_are_carried_out() -> None:
    told: list[tuple[str, Any]] = []

    def look(event: dict[str, Any]) -> None:
        about = event.get("action") or event.get("event") or {}
        told.append((event["type"].removeprefix("@xstate."), about.get("type")))

    states = {"a": {"entry": raise_({"type": "E"}), "always": "b"}, "b": {"after": {"10": {}}}}
    machine = create_machine({"initial": "a", "states": states})
    create_actor(machine, clock=SimulatedClock(), inspect=look).start()
    assert told == [
        ("actor", None),
        ("microstep", "xstate.init"),
        ("microstep", "E"),
        ("event", "xstate.init"),
        ("action", "xstate.raise"),
        ("action", "xstate.raise"),
        ("snapshot", "xstate.init"),
    ]


def test_inspection_names_who_set_a_timer() -> None:
    sources: list[Any] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.event":
            sources.append(event["sourceRef"])

    clock = SimulatedClock()
    actor = create_actor(create_machine({"after": {"10": {}}}), clock=clock, inspect=look).start()
    clock.increment(10)
    assert sources == [None, actor]


def test_an_eventless_transition_that_stops_nobody_counts_as_a_change() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "options": {"maxIterations": 30},
            "states": {"a": {"on": {"GO": "b"}}, "b": {"always": {"actions": stop_child("none")}}},
        }
    )
    actor = create_actor(machine)
    actor.subscribe(error=lambda error: None)
    actor.start().send({"type": "GO"})
    assert isinstance(actor.get_snapshot().error, UnboundedStepError)


def test_inspection_shows_what_an_event_selected_before_conflicts_are_settled() -> None:
    told: list[tuple[list[str], Any]] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.microstep":
            names = [transition.source.key for transition in event["_transitions"]]
            told.append((names, event["snapshot"].value))

    region = {"on": {"OUT": "#m.end"}}
    states = {"p": {"type": "parallel", "states": {"a": region, "b": region}}, "end": {}}
    machine = create_machine({"id": "m", "initial": "p", "states": states})
    create_actor(machine, inspect=look).start().send({"type": "OUT"})
    assert told == [(["a", "b"], "end")]


def test_inspection_shows_the_snapshot_before_its_actions_failed() -> None:
    seen: list[str] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.snapshot":
            seen.append(event["snapshot"].status)

    def fail(args: Any, params: Any) -> None:
        raise ValueError

    actor = create_actor(create_machine({"entry": fail}), inspect=look)
    actor.subscribe(error=lambda error: None)
    actor.start()
    assert seen == ["active"]
    assert actor.get_snapshot().status == "error"


def test_a_target_that_stands_as_text_in_a_list_of_after_is_a_target() -> None:
    states = {"a": {"after": {"10": ["b"]}}, "b": {}}
    clock = SimulatedClock()
    actor = create_actor(create_machine({"initial": "a", "states": states}), clock=clock).start()
    clock.increment(10)
    assert actor.get_snapshot().value == "b"


def test_what_is_entered_again_at_the_start_may_have_the_same_system_id() -> None:
    again: list[bool] = [True, False]
    kid = create_machine({})
    state = {
        "invoke": {"src": "kid", "systemId": "the-kid"},
        "entry": raise_({"type": "AGAIN"}),
        "on": {"AGAIN": {"target": "a", "reenter": True, "guard": lambda a, p: not again.pop()}},
    }
    machine = create_machine({"initial": "a", "states": {"a": state}}, {"actors": {"kid": kid}})
    actor = create_actor(machine).start()
    (child,) = actor.get_snapshot().children.values()
    assert actor.system.get("the-kid") is child
    assert again == []


def test_delayed_events_under_one_id_are_all_forgotten_when_their_sender_ends() -> None:
    told: list[str] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.event":
            told.append(event["event"]["type"])

    later = {"actions": raise_({"type": "LATER"}, id="same", delay=10)}
    config = {
        "initial": "a",
        "states": {"a": {"on": {"SET": later, "END": "b"}}, "b": {"type": "final"}},
    }
    clock = SimulatedClock()
    actor = create_actor(create_machine(config), clock=clock, inspect=look).start()
    for event_type in ("SET", "SET", "END"):
        actor.send({"type": event_type})
    clock.increment(10)
    assert told == ["xstate.init", "SET", "SET", "END"]


def test_a_done_snapshot_taken_further_by_the_pure_face_is_left_once_more() -> None:
    said: list[str] = []
    seen: list[bool] = []

    def say(word: str) -> Any:
        return lambda args, params: said.append(word)

    machine = create_machine(
        {
            "initial": "a",
            "context": {"left": 0},
            "exit": [
                say("root"),
                assign({"left": lambda a, p: a.context["left"] + 1}),
                enqueue_actions(lambda args, params: seen.append(args.check(state_in("b")))),
            ],
            "on": {"LOOK": {}, "BACK": {"target": ".a", "actions": say("back")}},
            "states": {"a": {"on": {"END": "b"}}, "b": {"type": "final", "exit": say("b")}},
        }
    )
    done, effects = transition(machine, initial_transition(machine)[0], {"type": "END"})
    assert done.context == {"left": 1}
    ignored, none = transition(machine, done, {"type": "ELSE"})
    assert (ignored, none) == (done, ())
    after, more = transition(machine, done, {"type": "BACK"})
    assert (after.value, after.status, after.context) == ("a", "done", {"left": 2})
    for effect in (*effects, *more):
        assert isinstance(effect, Act)
        effect.run(effect.args, effect.params)
    assert said == ["b", "root", "b", "back", "root"]
    assert transition(machine, done, {"type": "LOOK"})[0].context == {"left": 2}
    assert seen == [False, True, True]


def answering(event_type: str, answer: Any) -> Any:
    return create_machine({"on": {event_type: {"actions": answer}}})


def test_actors_that_answer_each_other_for_ever_are_stopped() -> None:
    child = answering("PING", send_parent({"type": "PONG"}))
    actor = started(
        {
            "invoke": {"src": "child", "id": "child"},
            "on": {"PONG": {"actions": send_to("child", {"type": "PING"})}},
        },
        actors={"child": child},
    )
    actor.subscribe(error=lambda error: None)
    actor.send({"type": "PONG"})
    assert isinstance(actor.get_snapshot().error, UnboundedStepError)


def test_an_actor_that_never_stops_talking_to_itself_is_stopped() -> None:
    actor = create_actor(answering("ON", send_to(lambda args, params: args.self, {"type": "ON"})))
    actor.subscribe(error=lambda error: None)
    actor.start().send({"type": "ON"})
    assert isinstance(actor.get_snapshot().error, UnboundedStepError)


def test_the_root_is_asked_even_where_nothing_is_active() -> None:
    def fail(args: Any, params: Any) -> Any:
        raise ValueError("no")

    machine = create_machine(
        {
            "initial": "a",
            "on": {"BACK": {"target": ".recall", "reenter": True}},
            "states": {"a": {"entry": assign(fail)}, "recall": {"type": "history"}},
        }
    )
    failed, _ = initial_transition(machine)
    assert failed.status == "error"
    assert failed.can({"type": "BACK"})
    left, _ = transition(machine, failed, {"type": "BACK"})
    assert left.nodes == ()
    assert left.can({"type": "BACK"})
    assert not left.can({"type": "OTHER"})


def test_a_delayed_event_without_an_id_takes_no_number_that_a_child_might_get() -> None:
    actor = started(
        {
            "context": {"refs": []},
            "entry": [raise_({"type": "LATER"}, delay=10), raise_({"type": "LATER"}, delay=20)],
            "on": {
                "LATER": {
                    "actions": assign(
                        lambda a, p: {"refs": [*a.context["refs"], a.spawn("reducer").id]}
                    )
                }
            },
        },
        actors={"reducer": from_transition(lambda state, event, scope: state, 0)},
    )
    actor.system.clock.increment(10)
    actor.system.clock.increment(10)
    assert actor.get_snapshot().context == {"refs": ["x:1", "x:2"]}


def test_a_flood_that_comes_to_an_end_is_taken() -> None:
    def flood(args: Any) -> None:
        for _ in range(20_000):
            args.send_back({"type": "DROP"})

    actor = started(
        {
            "context": {"drops": 0},
            "invoke": {"src": "flood"},
            "on": {"DROP": {"actions": assign({"drops": lambda a, p: a.context["drops"] + 1})}},
        },
        actors={"flood": from_callback(flood)},
    )
    assert actor.get_snapshot().status == "active"
    assert actor.get_snapshot().context == {"drops": 20_000}


def test_a_stream_of_events_that_goes_on_although_it_was_left_isn_t_heard() -> None:
    observers: list[Any] = []

    class Source:
        def subscribe(self, observer: Any) -> None:
            observers.append(observer)

    actor = started(
        {
            "context": {"heard": 0},
            "initial": "on",
            "on": {"TICK": {"actions": assign({"heard": lambda a, p: a.context["heard"] + 1})}},
            "states": {"on": {"invoke": {"src": "ticks"}, "on": {"OFF": "off"}}, "off": {}},
        },
        actors={"ticks": from_event_observable(lambda args: Source())},
    )
    observers[0].next({"type": "TICK"})
    actor.send({"type": "OFF"})
    observers[0].next({"type": "TICK"})
    observers[0].complete()
    assert actor.get_snapshot().context == {"heard": 1}
