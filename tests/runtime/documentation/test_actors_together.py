"""XState's pages on actors that speak, emit, are stored and inspected, in our own words."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from runtime import (
    ActorSnapshot,
    SimulatedClock,
    assign,
    cancel,
    create_actor,
    create_machine,
    emit,
    from_callback,
    from_observable,
    from_promise,
    from_transition,
    send_to,
    setup,
    spawn_child,
    stop_child,
    to_promise,
    wait_for,
)


def add(name: str, by: Any = 1) -> Any:
    return assign({name: lambda args, params: args.context[name] + by})


# Events that actors emit


async def test_logic_of_every_kind_may_emit() -> None:
    async def promise(args: Any) -> None:
        args.emit({"type": "said", "by": "promise"})

    def callback(args: Any) -> None:
        args.receive(lambda event: args.emit({"type": "said", "by": "callback"}))

    def reduce(state: Any, event: Any, scope: Any) -> Any:
        scope.emit({"type": "said", "by": "reducer"})
        return state

    async def stream(args: Any) -> Any:
        args.emit({"type": "said", "by": "stream"})
        yield 1

    logics = (
        from_promise(promise),
        from_callback(callback),
        from_transition(reduce, None),
        from_observable(stream),
    )
    said: list[str] = []
    for logic in logics:
        actor = create_actor(logic)
        actor.on("said", lambda event: said.append(event["by"]))
        actor.start()
        actor.send({"type": "GO"})
        if actor.get_snapshot().status == "active" and logic in (logics[0], logics[3]):
            await to_promise(actor)
        actor.stop()
    assert [by for by, _ in groupby(said)] == ["promise", "callback", "reducer", "stream"]


def test_what_is_emitted_is_fixed_or_made_of_the_context_and_listening_ends() -> None:
    machine = create_machine(
        {
            "context": {"n": 1},
            "on": {
                "GO": {
                    "actions": [
                        emit({"type": "fixed"}),
                        emit(lambda args, params: {"type": "made", "n": args.context["n"]}),
                    ]
                }
            },
        }
    )
    actor = create_actor(machine).start()
    heard: list[Any] = []
    listening = actor.on("made", heard.append)
    actor.send({"type": "GO"})
    listening.unsubscribe()
    actor.send({"type": "GO"})
    assert heard == [{"type": "made", "n": 1}]


# Actors that speak to each other


def test_a_child_may_be_given_its_parent_as_input() -> None:
    child = create_machine(
        {
            "context": lambda args: {"boss": args.input["boss"]},
            "entry": send_to(lambda args, params: args.context["boss"], {"type": "HELLO"}),
        }
    )
    parent = setup(actors={"child": child}).create_machine(
        {
            "context": {"heard": 0},
            "invoke": {"src": "child", "input": lambda args: {"boss": args.self}},
            "on": {"HELLO": {"actions": add("heard")}},
        }
    )
    assert create_actor(parent).start().get_snapshot().context == {"heard": 1}


def test_a_server_answers_the_sender_of_a_request_after_a_while() -> None:
    server = create_machine(
        {
            "on": {
                "CODE": {
                    "actions": send_to(
                        lambda args, params: args.event["sender"], {"type": "TOKEN"}, delay=1_000
                    )
                }
            }
        }
    )
    client = setup(actors={"server": server}).create_machine(
        {
            "initial": "idle",
            "states": {
                "idle": {"on": {"AUTH": "authorizing"}},
                "authorizing": {
                    "invoke": {"id": "server", "src": "server"},
                    "entry": send_to(
                        "server", lambda args, params: {"type": "CODE", "sender": args.self}
                    ),
                    "on": {"TOKEN": "authorized"},
                },
                "authorized": {"type": "final"},
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(client, clock=clock).start()
    actor.send({"type": "AUTH"})
    clock.increment(999)
    assert actor.get_snapshot().value == "authorizing"
    clock.increment(1)
    assert actor.get_snapshot().status == "done"


def test_an_event_that_was_sent_for_later_may_be_taken_back() -> None:
    heard: list[str] = []
    listener = from_callback(lambda args: args.receive(lambda event: heard.append(event["type"])))
    machine = setup(actors={"listener": listener}).create_machine(
        {
            "invoke": {"src": "listener", "id": "listener"},
            "on": {
                "SEND": {"actions": send_to("listener", {"type": "LATE"}, id="late", delay=10)},
                "DROP": {"actions": cancel("late")},
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    for event_type in ("SEND", "DROP", "SEND"):
        actor.send({"type": event_type})
    clock.increment(10)
    assert heard == ["LATE"]


def test_several_children_of_one_logic_are_told_apart_by_their_ids() -> None:
    idle = from_callback(lambda args: None)
    machine = setup(actors={"idle": idle}).create_machine(
        {
            "id": "m",
            "invoke": [{"id": "left", "src": "idle"}, {"id": "right", "src": "idle"}],
            "entry": [spawn_child("idle", id="third"), spawn_child(idle, id="inline")],
            "on": {"STOP": {"actions": stop_child("third")}},
        }
    )
    actor = create_actor(machine).start()
    assert set(actor.get_snapshot().children) == {"left", "right", "third", "inline"}
    actor.send({"type": "STOP"})
    assert "third" not in actor.get_snapshot().children


def test_a_child_kept_in_context_is_stopped_by_its_ref_and_forgotten() -> None:
    idle = from_callback(lambda args: None)
    machine = create_machine(
        {
            "context": lambda args: {"child": args.spawn(idle, id="child")},
            "on": {
                "STOP": {
                    "actions": [
                        stop_child(lambda args, params: args.context["child"]),
                        assign({"child": None}),
                    ]
                }
            },
        }
    )
    actor = create_actor(machine).start()
    child = actor.get_snapshot().context["child"]
    actor.send({"type": "STOP"})
    assert child.get_snapshot().status == "stopped"
    assert actor.get_snapshot().children == {}
    assert actor.get_snapshot().context == {"child": None}


async def test_the_end_of_a_child_and_of_the_state_it_belongs_to_are_two_things() -> None:
    async def work(args: Any) -> str:
        return "worked"

    machine = setup(actors={"work": from_promise(work)}).create_machine(
        {
            "context": {"seen": []},
            "initial": "loading",
            "states": {
                "loading": {
                    "invoke": {
                        "src": "work",
                        "onDone": {
                            "actions": assign({"seen": lambda a, p: [a.event["output"]]}),
                        },
                    },
                    "initial": "first",
                    "states": {
                        "first": {"on": {"NEXT": "over"}},
                        "over": {"type": "final", "output": 5},
                    },
                    "onDone": {
                        "target": "loaded",
                        "actions": assign(
                            {"seen": lambda a, p: [*a.context["seen"], a.event["output"]]}
                        ),
                    },
                },
                "loaded": {},
            },
        }
    )
    actor = create_actor(machine).start()
    await wait_for(actor, lambda snapshot: bool(snapshot.context["seen"]), timeout=20_000)
    assert actor.get_snapshot().value == {"loading": "first"}
    actor.send({"type": "NEXT"})
    assert actor.get_snapshot().value == "loaded"
    assert actor.get_snapshot().context == {"seen": ["worked", 5]}


async def test_a_search_without_a_query_fails_with_what_was_raised() -> None:
    async def search(args: Any) -> list[str]:
        if not args.input["query"]:
            raise ValueError("No query specified")
        return [args.input["query"]]

    machine = setup(actors={"search": from_promise(search)}).create_machine(
        {
            "context": {"results": None, "message": None},
            "initial": "idle",
            "on": {"SEARCH": ".searching"},
            "states": {
                "idle": {},
                "searching": {
                    "invoke": {
                        "id": "search",
                        "src": "search",
                        "input": lambda args: {"query": args.event["query"]},
                        "onDone": {
                            "target": "idle",
                            "actions": assign({"results": lambda a, p: a.event["output"]}),
                        },
                        "onError": {
                            "target": "failure",
                            "actions": assign({"message": lambda a, p: str(a.event["error"])}),
                        },
                    }
                },
                "failure": {},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "SEARCH", "query": ""})
    await wait_for(actor, lambda snapshot: snapshot.matches("failure"), timeout=20_000)
    assert actor.get_snapshot().context["message"] == "No query specified"
    actor.send({"type": "SEARCH", "query": "cats"})
    await wait_for(actor, lambda snapshot: snapshot.matches("idle"), timeout=20_000)
    assert actor.get_snapshot().context["results"] == ["cats"]


def test_a_callback_can_be_locked_and_unlocked_from_outside() -> None:
    clicks: list[Any] = []

    def pointer(args: Any) -> Any:
        locked = False

        def order(event: Any) -> None:
            nonlocal locked
            locked = event["type"] == "LOCK"

        def click() -> None:
            if not locked:
                args.send_back({"type": "CLICK"})

        args.receive(order)
        clicks.append(click)
        return clicks.clear

    machine = setup(actors={"pointer": from_callback(pointer)}).create_machine(
        {
            "context": {"clicks": 0},
            "invoke": {"src": "pointer", "id": "pointer"},
            "on": {
                "CLICK": {"actions": add("clicks")},
                "LOCK": {"actions": send_to("pointer", {"type": "LOCK"})},
                "UNLOCK": {"actions": send_to("pointer", {"type": "UNLOCK"})},
            },
        }
    )
    actor = create_actor(machine).start()
    for order in ("", "LOCK", "UNLOCK"):
        if order:
            actor.send({"type": order})
        clicks[0]()
    assert actor.get_snapshot().context == {"clicks": 2}
    actor.stop()
    assert clicks == []


def test_a_reducer_may_begin_with_its_input_and_be_watched_by_its_invoker() -> None:
    counter = from_transition(
        lambda state, event, scope: state + event.get("by", 0), lambda args: args.input["from"]
    )
    machine = setup(actors={"counter": counter}).create_machine(
        {
            "context": {"seen": []},
            "invoke": {
                "src": "counter",
                "id": "counter",
                "input": {"from": 10},
                "onSnapshot": {
                    "actions": assign(
                        {"seen": lambda a, p: [*a.context["seen"], a.event["snapshot"].context]}
                    )
                },
            },
            "on": {"ADD": {"actions": send_to("counter", {"type": "ADD", "by": 5})}},
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "ADD"})
    assert actor.get_snapshot().context == {"seen": [10, 15]}


def test_logic_may_be_an_object_of_ones_own() -> None:
    class Counter:
        def transition(self, snapshot: Any, event: Any, scope: Any) -> Any:
            by = {"INC": 1, "DEC": -1}.get(event["type"], 0)
            return snapshot.replace(context=snapshot.context + by)

        def get_initial_snapshot(self, scope: Any, input: Any) -> Any:
            return ActorSnapshot(context=0)

        def get_persisted_snapshot(self, snapshot: Any) -> Any:
            return {"status": snapshot.status, "context": snapshot.context}

    seen: list[int] = []
    actor = create_actor(Counter())
    actor.subscribe(lambda snapshot: seen.append(snapshot.context))
    actor.start()
    for event_type in ("INC", "INC", "DEC"):
        actor.send({"type": event_type})
    assert seen == [0, 1, 2, 1]
    assert actor.get_persisted_snapshot().items() >= {"status": "active", "context": 1}.items()


async def test_a_done_coroutine_is_persisted_with_its_output() -> None:
    async def answer(args: Any) -> int:
        return 42

    actor = create_actor(from_promise(answer)).start()
    assert actor.get_snapshot().output is None
    assert await to_promise(actor) == 42
    persisted = actor.get_persisted_snapshot()
    assert (persisted["status"], persisted["output"]) == ("done", 42)
    assert (
        create_actor(from_promise(answer), snapshot=persisted).start().get_snapshot().output == 42
    )


# Persistence and inspection


def test_an_actor_may_start_from_a_state_value_alone() -> None:
    machine = create_machine(
        {"initial": "a", "states": {"a": {}, "b": {"on": {"GO": "c"}}, "c": {}}}
    )
    actor = create_actor(machine, snapshot=machine.resolve_state("b")).start()
    actor.send({"type": "GO"})
    assert actor.get_snapshot().value == "c"


def test_an_actor_stored_at_every_change_goes_on_where_it_was() -> None:
    machine = create_machine(
        {"initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {"on": {"GO": "a"}}}}
    )
    stored: list[str] = []
    actor = create_actor(machine)
    actor.subscribe(lambda _: stored.append(json.dumps(actor.get_persisted_snapshot())))
    actor.start().send({"type": "GO"})
    assert [json.loads(text)["value"] for text in stored] == ["a", "b"]
    again = create_actor(machine, snapshot=json.loads(stored[-1])).start()
    assert again.get_snapshot().value == "b"


def test_each_microstep_is_inspected_with_its_transitions() -> None:
    states = {"a": {"on": {"EV": "b"}}, "b": {"always": "c"}, "c": {}}
    seen: list[Any] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] == "@xstate.microstep":
            (taken,) = event["_transitions"]
            targets = [node.id for node in taken.targets]
            seen.append(
                (event["snapshot"].value, event["event"]["type"], taken.event_type, targets)
            )

    actor = create_actor(create_machine({"initial": "a", "states": states})).start()
    actor.system.inspect(look)
    actor.send({"type": "EV"})
    assert seen == [("b", "EV", "EV", ["(machine).b"]), ("c", "EV", "", ["(machine).c"])]


def test_a_system_id_finds_the_root_too() -> None:
    found: list[Any] = []
    machine = create_machine(
        {"on": {"GO": {"actions": lambda args, params: found.append(args.system.get("top"))}}}
    )
    actor = create_actor(machine, system_id="top").start()
    actor.send({"type": "GO"})
    assert found == [actor]
