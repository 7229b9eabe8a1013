"""What XState's pages on actions, guards, events and setup show, in our own words, page by page."""

from __future__ import annotations

from typing import Any

from runtime import (
    SimulatedClock,
    and_,
    assert_event,
    assign,
    cancel,
    create_actor,
    create_machine,
    emit,
    enqueue_actions,
    from_promise,
    initial_transition,
    log,
    not_,
    or_,
    raise_,
    send_parent,
    send_to,
    setup,
    spawn_child,
    state_in,
    stop_child,
    transition,
)
from runtime.paths import get_shortest_paths, get_simple_paths

# Actions


def test_actions_run_on_exit_then_transition_then_entry() -> None:
    said: list[str] = []
    machine = setup(
        actions={"say": lambda args, params: said.append(params["what"])},
    ).create_machine(
        {
            "initial": "idle",
            "states": {
                "idle": {
                    "exit": {"type": "say", "params": {"what": "bye idle"}},
                    "on": {
                        "GO": {
                            "target": "busy",
                            "actions": [
                                {"type": "say", "params": {"what": "going"}},
                                lambda args, params: said.append(args.event["type"]),
                            ],
                        }
                    },
                },
                "busy": {"entry": {"type": "say", "params": {"what": "hello busy"}}},
            },
        }
    )
    create_actor(machine).start().send({"type": "GO"})
    assert said == ["bye idle", "going", "GO", "hello busy"]


def test_params_are_static_or_made_from_context_and_event() -> None:
    said: list[Any] = []
    machine = setup(
        actions={"greet": lambda args, params: said.append(f"Hello {params['name']}")},
    ).create_machine(
        {
            "context": {"user": "Bob"},
            "on": {
                "HELLO": {
                    "actions": [
                        {"type": "greet", "params": {"name": "world"}},
                        {"type": "greet", "params": lambda a, p: {"name": a.context["user"]}},
                    ]
                }
            },
        }
    )
    create_actor(machine).start().send({"type": "HELLO"})
    assert said == ["Hello world", "Hello Bob"]


def test_a_raised_event_is_taken_at_once_and_a_delayed_one_may_be_cancelled() -> None:
    machine = create_machine(
        {
            "initial": "off",
            "states": {
                "off": {"on": {"PRESS": {"actions": raise_({"type": "SWITCH"})}, "SWITCH": "on"}},
                "on": {
                    "entry": raise_({"type": "SWITCH"}, id="auto", delay=1_000),
                    "on": {"SWITCH": "off", "KEEP": {"actions": cancel("auto")}},
                },
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    actor.send({"type": "PRESS"})
    assert actor.get_snapshot().value == "on"
    clock.increment(1_000)
    assert actor.get_snapshot().value == "off"
    actor.send({"type": "PRESS"})
    actor.send({"type": "KEEP"})
    clock.increment(1_000)
    assert actor.get_snapshot().value == "on"


def test_enqueue_actions_decides_what_is_done() -> None:
    lines: list[Any] = []

    def decide(args: Any, params: Any) -> None:
        args.enqueue.assign({"tried": True})
        if args.check(lambda args, params: args.event["hard"]):
            args.enqueue("shout")
            args.enqueue.raise_({"type": "REST"})
        else:
            args.enqueue({"type": "whisper", "params": {"what": "easy"}})

    machine = setup(
        actions={
            "shout": log("HARD"),
            "whisper": log(lambda args, params: params["what"]),
        },
        guards={"hard": lambda args, params: args.event["hard"]},
    ).create_machine(
        {
            "context": {"tried": False},
            "initial": "fresh",
            "states": {
                "fresh": {"on": {"TRY": {"actions": enqueue_actions(decide)}, "REST": "tired"}},
                "tired": {},
            },
        }
    )
    actor = create_actor(machine, logger=lines.append).start()
    actor.send({"type": "TRY", "hard": False})
    assert actor.get_snapshot().value == "fresh"
    actor.send({"type": "TRY", "hard": True})
    assert actor.get_snapshot().value == "tired"
    assert actor.get_snapshot().context == {"tried": True}
    assert lines == ["easy", "HARD"]


def test_children_are_spawned_spoken_to_and_stopped_by_actions() -> None:
    child = create_machine(
        {
            "entry": send_parent({"type": "READY"}),
            "on": {
                "ASK": {"actions": send_parent(lambda a, p: {"type": "ANSWER", "n": a.event["n"]})}
            },
        }
    )
    machine = setup(actors={"child": child}).create_machine(
        {
            "context": {"heard": []},
            "on": {
                "SPAWN": {"actions": spawn_child("child", id="kid")},
                "ASK": {"actions": send_to("kid", lambda args, params: args.event)},
                "STOP": {"actions": stop_child("kid")},
                "*": {
                    "actions": assign(
                        lambda a, p: {"heard": [*a.context["heard"], a.event["type"]]}
                    )
                },
            },
        }
    )
    actor = create_actor(machine).start()
    for event in ({"type": "SPAWN"}, {"type": "ASK", "n": 4}, {"type": "STOP"}):
        actor.send(event)
    assert actor.get_snapshot().context["heard"] == ["READY", "ANSWER"]
    assert actor.get_snapshot().children == {}


# Guards


def test_the_first_candidate_whose_guard_passes_is_taken() -> None:
    machine = setup(
        guards={
            "valid": lambda args, params: len(args.context["text"]) > 0,
            "longer": lambda args, params: len(args.context["text"]) > params["than"],
        },
    ).create_machine(
        {
            "context": {"text": ""},
            "initial": "form",
            "states": {
                "form": {
                    "on": {
                        "TYPE": {"actions": assign({"text": lambda a, p: a.event["text"]})},
                        "SEND": [
                            {"target": "long", "guard": {"type": "longer", "params": {"than": 5}}},
                            {"target": "short", "guard": "valid"},
                            {"target": "empty"},
                        ],
                    }
                },
                "long": {},
                "short": {},
                "empty": {},
            },
        }
    )
    for text, value in (("", "empty"), ("hi", "short"), ("hello world", "long")):
        actor = create_actor(machine).start()
        actor.send({"type": "TYPE", "text": text})
        actor.send({"type": "SEND"})
        assert actor.get_snapshot().value == value


def test_guards_are_combined_and_may_ask_where_the_machine_is() -> None:
    machine = setup(
        guards={
            "member": lambda args, params: args.event["member"],
            "guest": not_("member"),
            "welcome": or_(["member", and_(["guest", state_in({"door": "open"})])]),
        },
    ).create_machine(
        {
            "type": "parallel",
            "states": {
                "door": {
                    "initial": "shut",
                    "states": {"shut": {"on": {"OPEN": "open"}}, "open": {}},
                },
                "visitor": {
                    "initial": "outside",
                    "states": {
                        "outside": {"on": {"ENTER": {"target": "inside", "guard": "welcome"}}},
                        "inside": {},
                    },
                },
            },
        }
    )
    actor = create_actor(machine).start()
    assert actor.get_snapshot().can({"type": "ENTER", "member": True})
    assert not actor.get_snapshot().can({"type": "ENTER", "member": False})
    actor.send({"type": "OPEN"})
    actor.send({"type": "ENTER", "member": False})
    assert actor.get_snapshot().value == {"door": "open", "visitor": "inside"}


# Event emitter


def test_listeners_hear_what_is_emitted_by_type_or_all_of_it() -> None:
    machine = create_machine(
        {
            "on": {
                "SCORE": {"actions": emit(lambda a, p: {"type": "scored", "by": a.event["by"]})},
                "END": {"actions": emit({"type": "ended"})},
            }
        }
    )
    actor = create_actor(machine)
    goals: list[Any] = []
    everything: list[str] = []
    subscription = actor.on("scored", goals.append)
    actor.on("*", lambda event: everything.append(event["type"]))
    actor.start()
    actor.send({"type": "SCORE", "by": "ann"})
    subscription.unsubscribe()
    actor.send({"type": "SCORE", "by": "bob"})
    actor.send({"type": "END"})
    assert goals == [{"type": "scored", "by": "ann"}]
    assert everything == ["scored", "scored", "ended"]


# Setup, and machines with other implementations


def test_implementations_are_declared_once_and_replaced_in_tests() -> None:
    async def fetch(args: Any) -> Any:
        raise AssertionError("the real one")

    declared = setup(
        actions={"track": lambda args, params: 1 / 0},
        actors={"fetch": from_promise(fetch)},
        delays={"timeout": 5_000},
    )
    machine = declared.create_machine(
        {
            "initial": "idle",
            "states": {
                "idle": {"on": {"GO": {"target": "slow", "actions": "track"}}},
                "slow": {"after": {"timeout": "late"}},
                "late": {},
            },
        }
    )
    tracked: list[str] = []
    clock = SimulatedClock()
    tested = machine.provide(
        actions={"track": lambda args, params: tracked.append(args.event["type"])},
        delays={"timeout": 10},
    )
    actor = create_actor(tested, clock=clock).start()
    actor.send({"type": "GO"})
    clock.increment(10)
    assert tracked == ["GO"]
    assert actor.get_snapshot().value == "late"


def test_an_action_may_insist_on_the_type_of_its_event() -> None:
    names: list[str] = []

    def greet(args: Any, params: Any) -> None:
        assert_event(args.event, ["HELLO", "HI"])
        names.append(args.event["name"])

    errors: list[Any] = []
    machine = create_machine({"on": {"*": {"actions": greet}}})
    actor = create_actor(machine)
    actor.subscribe(error=errors.append)
    actor.start().send({"type": "HI", "name": "ann"})
    actor.send({"type": "BYE"})
    assert names == ["ann"]
    assert "BYE" in str(errors[0])


# Pure transition functions


def test_a_step_is_a_function_from_snapshot_and_event_to_snapshot_and_effects() -> None:
    said: list[str] = []
    machine = create_machine(
        {
            "initial": "todo",
            "states": {
                "todo": {"on": {"DO": {"target": "done", "actions": {"type": "cheer"}}}},
                "done": {"type": "final"},
            },
        },
        {"actions": {"cheer": lambda args, params: said.append("hooray")}},
    )
    first, effects = initial_transition(machine)
    assert (first.value, effects) == ("todo", ())
    last, effects = transition(machine, first, {"type": "DO"})
    assert (first.value, last.value, last.status) == ("todo", "done", "done")
    assert [effect.type for effect in effects] == ["cheer"]
    assert said == []


# Graph


def test_paths_lead_to_every_state() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {
                "a": {"on": {"B": "b", "C": "c"}},
                "b": {"on": {"C": "c"}},
                "c": {},
            },
        }
    )

    def routes(paths: Any) -> list[tuple[Any, list[str]]]:
        return [(path.state.value, [step.event["type"] for step in path.steps]) for path in paths]

    shortest = routes(get_shortest_paths(machine))
    assert shortest == [
        ("a", ["xstate.init"]),
        ("b", ["xstate.init", "B"]),
        ("c", ["xstate.init", "C"]),
    ]
    assert ("c", ["xstate.init", "B", "C"]) in routes(get_simple_paths(machine))
