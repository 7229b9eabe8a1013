"""What XState's pages on actors and their logic show, in our own words, page by page."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from runtime import (
    SimulatedClock,
    assign,
    create_actor,
    create_empty_actor,
    create_machine,
    from_callback,
    from_event_observable,
    from_observable,
    from_promise,
    from_transition,
    send_parent,
    send_to,
    setup,
    to_promise,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Actors


def test_an_actor_is_started_told_watched_and_stopped() -> None:
    machine = create_machine(
        {
            "context": {"n": 0},
            "on": {"ADD": {"actions": assign({"n": lambda a, p: a.context["n"] + 1})}},
        }
    )
    actor = create_actor(machine, id="adder")
    seen: list[int] = []
    ended: list[str] = []
    subscription = actor.subscribe(
        {"next": lambda s: seen.append(s.context["n"]), "complete": lambda: ended.append("end")}
    )
    actor.start().send({"type": "ADD"})
    subscription.unsubscribe()
    actor.send({"type": "ADD"})
    actor.subscribe(complete=lambda: ended.append("end"))
    actor.stop()
    actor.send({"type": "ADD"})
    assert (actor.id, seen, ended) == ("adder", [0, 1], ["end"])
    assert actor.get_snapshot().context == {"n": 2}
    assert actor.get_snapshot().status == "stopped"


async def test_waiting_for_a_snapshot_and_for_the_end() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "output": {"answer": 42},
            "states": {"a": {"on": {"GO": "b"}}, "b": {"on": {"GO": "c"}}, "c": {"type": "final"}},
        }
    )
    actor = create_actor(machine).start()
    waiting = asyncio.ensure_future(wait_for(actor, lambda s: s.matches("b"), timeout=20_000))
    ending = asyncio.ensure_future(to_promise(actor))
    await asyncio.tasks.sleep(0)
    actor.send({"type": "GO"})
    actor.send({"type": "GO"})
    assert (await waiting).value == "b"
    assert await ending == {"answer": 42}


def test_an_empty_actor_takes_everything_and_does_nothing() -> None:
    actor = create_empty_actor().start()
    actor.send({"type": "ANYTHING"})
    assert actor.get_snapshot().context is None


def test_logic_may_be_wrapped_in_other_logic() -> None:
    counting = from_transition(lambda state, event, scope: state + 1, 0)
    heard: list[str] = []

    class Listening:
        """Hears what the inner logic is about to take."""

        get_initial_snapshot = staticmethod(counting.get_initial_snapshot)
        get_persisted_snapshot = staticmethod(counting.get_persisted_snapshot)

        def transition(self, snapshot: Any, event: Any, scope: Any) -> Any:
            heard.append(event["type"])
            return counting.transition(snapshot, event, scope)

    actor = create_actor(Listening()).start()
    actor.send({"type": "TICK"})
    assert actor.get_snapshot().context == 1
    assert heard == ["TICK"]


# Promise actors


async def test_a_coroutine_gives_output_or_fails() -> None:
    async def find(args: Any) -> Any:
        if args.input is None:
            raise LookupError("nobody")
        return {"name": args.input["name"]}

    machine = setup(actors={"find": from_promise(find)}).create_machine(
        {
            "context": lambda args: {"who": args.input, "user": None, "problem": None},
            "initial": "finding",
            "states": {
                "finding": {
                    "invoke": {
                        "src": "find",
                        "input": lambda args: args.context["who"],
                        "onDone": {
                            "target": "found",
                            "actions": assign({"user": lambda a, p: a.event["output"]}),
                        },
                        "onError": {
                            "target": "lost",
                            "actions": assign({"problem": lambda a, p: str(a.event["error"])}),
                        },
                    }
                },
                "found": {},
                "lost": {},
            },
        }
    )
    for given, value, user, problem in (
        ({"name": "ann"}, "found", {"name": "ann"}, None),
        (None, "lost", None, "nobody"),
    ):
        actor = create_actor(machine, input=given).start()
        snapshot = await wait_for(actor, lambda s: not s.matches("finding"), timeout=20_000)
        assert snapshot.value == value
        assert (snapshot.context["user"], snapshot.context["problem"]) == (user, problem)


async def test_a_coroutine_is_cancelled_with_the_state_that_invoked_it() -> None:
    log: list[str] = []

    async def slow(args: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("cancelled")

    machine = setup(actors={"slow": from_promise(slow)}).create_machine(
        {
            "initial": "on",
            "states": {"on": {"invoke": {"src": "slow"}, "on": {"OFF": "off"}}, "off": {}},
        }
    )
    actor = create_actor(machine).start()
    await asyncio.tasks.sleep(0)
    actor.send({"type": "OFF"})
    await asyncio.tasks.sleep(0)
    assert log == ["cancelled"]


# Callback actors


def test_a_callback_sends_back_receives_and_cleans_up() -> None:
    log: list[str] = []

    def listening(args: Any) -> Any:
        args.send_back({"type": "SIZE", "to": args.input["first"]})
        args.receive(lambda event: args.send_back({"type": "SIZE", "to": event["to"]}))
        return lambda: log.append("gone")

    machine = setup(actors={"window": from_callback(listening)}).create_machine(
        {
            "context": {"sizes": []},
            "initial": "open",
            "states": {
                "open": {
                    "invoke": {"id": "window", "src": "window", "input": {"first": 1}},
                    "on": {
                        "SIZE": {
                            "actions": assign(
                                lambda a, p: {"sizes": [*a.context["sizes"], a.event["to"]]}
                            )
                        },
                        "DRAG": {
                            "actions": send_to("window", {"type": "resize", "to": 2}),
                        },
                        "CLOSE": "closed",
                    },
                },
                "closed": {},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "DRAG"})
    actor.send({"type": "CLOSE"})
    assert actor.get_snapshot().context == {"sizes": [1, 2]}
    assert log == ["gone"]


# Observable actors


async def test_a_stream_syncs_its_values_and_ends() -> None:
    async def counting(args: Any) -> AsyncIterator[int]:
        for n in range(args.input):
            yield n

    machine = setup(actors={"counting": from_observable(counting)}).create_machine(
        {
            "context": {"seen": []},
            "initial": "on",
            "states": {
                "on": {
                    "invoke": {
                        "src": "counting",
                        "input": 3,
                        "onSnapshot": {
                            "actions": assign(
                                lambda a, p: {
                                    "seen": [*a.context["seen"], a.event["snapshot"].context]
                                }
                            )
                        },
                        "onDone": "off",
                    }
                },
                "off": {},
            },
        }
    )
    actor = create_actor(machine).start()
    snapshot = await wait_for(actor, lambda s: s.matches("off"), timeout=20_000)
    assert [n for n in snapshot.context["seen"] if n is not None] == [0, 1, 2]


async def test_a_stream_of_events_speaks_for_itself() -> None:
    async def keys(args: Any) -> AsyncIterator[dict[str, Any]]:
        for key in "ab":
            yield {"type": "KEY", "key": key}

    machine = setup(actors={"keys": from_event_observable(keys)}).create_machine(
        {
            "context": {"text": ""},
            "invoke": {"src": "keys"},
            "on": {
                "KEY": {
                    "actions": assign({"text": lambda a, p: a.context["text"] + a.event["key"]})
                }
            },
        }
    )
    actor = create_actor(machine).start()
    await wait_for(actor, lambda s: s.context["text"] == "ab", timeout=20_000)


# Transition actors


def test_a_reducer_goes_from_state_to_state() -> None:
    def count(state: dict[str, int], event: Any, scope: Any) -> dict[str, int]:
        match event["type"]:
            case "UP":
                return {"n": state["n"] + 1}
            case "DOWN":
                return {"n": state["n"] - 1}
        return state

    actor = create_actor(from_transition(count, lambda args: {"n": args.input}), input=5).start()
    for event_type in ("UP", "UP", "DOWN", "OTHER"):
        actor.send({"type": event_type})
    assert actor.get_snapshot().context == {"n": 6}


# Invoke and spawn


def test_a_machine_invokes_another_with_input_and_takes_its_output() -> None:
    child = create_machine(
        {
            "id": "child",
            "context": lambda args: {"n": args.input["n"]},
            "initial": "asking",
            "output": lambda args: {"double": args.context["n"] * 2},
            "states": {
                "asking": {"entry": send_parent({"type": "HELLO"}), "on": {"OK": "done"}},
                "done": {"type": "final"},
            },
        }
    )
    machine = setup(actors={"child": child}).create_machine(
        {
            "context": {"heard": 0, "result": None},
            "initial": "on",
            "states": {
                "on": {
                    "invoke": {
                        "id": "child",
                        "src": "child",
                        "input": {"n": 4},
                        "onDone": {
                            "target": "off",
                            "actions": assign({"result": lambda a, p: a.event["output"]}),
                        },
                    },
                    "on": {
                        "HELLO": {
                            "actions": assign({"heard": lambda a, p: a.context["heard"] + 1})
                        },
                        "OK": {"actions": send_to("child", {"type": "OK"})},
                    },
                },
                "off": {},
            },
        }
    )
    actor = create_actor(machine).start()
    assert actor.get_snapshot().children["child"].get_snapshot().value == "asking"
    actor.send({"type": "OK"})
    assert actor.get_snapshot().value == "off"
    assert actor.get_snapshot().context == {"heard": 1, "result": {"double": 8}}


def test_as_many_children_as_needed_are_spawned_and_kept_in_context() -> None:
    todo = create_machine(
        {
            "context": lambda args: {"text": args.input["text"], "done": False},
            "on": {"DO": {"actions": assign({"done": True})}},
        }
    )
    machine = setup(actors={"todo": todo}).create_machine(
        {
            "context": {"todos": []},
            "on": {
                "NEW": {
                    "actions": assign(
                        lambda a, p: {
                            "todos": [
                                *a.context["todos"],
                                a.spawn(
                                    "todo", id=f"todo-{len(a.context['todos'])}", input=a.event
                                ),
                            ]
                        }
                    )
                },
                "DO": {
                    "actions": send_to(
                        lambda a, p: a.context["todos"][a.event["which"]], {"type": "DO"}
                    )
                },
            },
        }
    )
    actor = create_actor(machine).start()
    for text in ("tea", "cake"):
        actor.send({"type": "NEW", "text": text})
    actor.send({"type": "DO", "which": 1})
    todos = actor.get_snapshot().context["todos"]
    assert [todo.id for todo in todos] == ["todo-0", "todo-1"]
    assert [todo.get_snapshot().context for todo in todos] == [
        {"text": "tea", "done": False},
        {"text": "cake", "done": True},
    ]


# Systems


def test_actors_find_each_other_by_their_names_in_the_system() -> None:
    postman = create_machine(
        {
            "on": {
                "POST": {"actions": send_to(lambda a, p: a.system.get("house"), {"type": "LETTER"})}
            }
        }
    )
    house = create_machine(
        {
            "context": {"letters": 0},
            "on": {
                "LETTER": {"actions": assign({"letters": lambda a, p: a.context["letters"] + 1})}
            },
        }
    )
    machine = setup(actors={"postman": postman, "house": house}).create_machine(
        {
            "invoke": [
                {"src": "postman", "systemId": "postman"},
                {"src": "house", "systemId": "house"},
            ]
        }
    )
    actor = create_actor(machine, system_id="town").start()
    actor.system.get("postman").send({"type": "POST"})
    assert set(actor.system.get_all()) == {"town", "postman", "house"}
    assert actor.system.get("house").get_snapshot().context == {"letters": 1}


# Persistence


def test_an_actor_goes_on_from_what_was_stored_children_and_all() -> None:
    child = create_machine(
        {"id": "c", "initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {}}}
    )
    machine = setup(actors={"child": child}).create_machine(
        {
            "id": "m",
            "context": {"n": 1},
            "initial": "on",
            "states": {
                "on": {"invoke": {"id": "kid", "src": "child"}, "after": {100: "off"}},
                "off": {},
            },
            "on": {"GO": {"actions": send_to("kid", {"type": "GO"})}},
        }
    )
    actor = create_actor(machine, clock=SimulatedClock()).start()
    actor.send({"type": "GO"})
    stored = json.dumps(actor.get_persisted_snapshot())
    actor.stop()
    clock = SimulatedClock()
    restored = create_actor(machine, snapshot=json.loads(stored), clock=clock).start()
    assert restored.get_snapshot().children["kid"].get_snapshot().value == "b"
    clock.increment(100)
    assert restored.get_snapshot().value == "off"


def test_events_kept_in_order_bring_an_actor_to_the_same_place() -> None:
    machine = create_machine(
        {
            "context": {"dice": []},
            "on": {
                "ROLL": {
                    "actions": assign(
                        lambda a, p: {"dice": [*a.context["dice"], a.random.randint(1, 6)]}
                    )
                }
            },
        }
    )
    kept: list[Any] = []
    actor = create_actor(
        machine,
        seed=7,
        inspect=lambda event: (
            kept.append(event["event"])
            if event["type"] == "@xstate.event" and event["sourceRef"] is None
            else None
        ),
    ).start()
    for _ in range(3):
        actor.send({"type": "ROLL"})
    again = create_actor(machine, seed=7).start()
    for event in kept:
        if not event["type"].startswith("xstate."):
            again.send(event)
    assert again.get_snapshot().context == actor.get_snapshot().context


# Inspection


def test_inspection_tells_of_actors_events_and_snapshots() -> None:
    child = create_machine({"id": "child"})
    machine = setup(actors={"child": child}).create_machine(
        {
            "on": {"GO": {"actions": send_to("kid", {"type": "HI"})}},
            "invoke": {"id": "kid", "src": "child"},
        }
    )
    told: list[tuple[Any, ...]] = []

    def look(event: dict[str, Any]) -> None:
        if event["type"] in ("@xstate.actor", "@xstate.event"):
            what = event.get("event", {}).get("type")
            source = event.get("sourceRef")
            told.append((event["actorRef"].id, what, source and source.id))

    actor = create_actor(machine, id="top", inspect=look).start()
    actor.send({"type": "GO"})
    assert told == [
        ("top", None, None),
        ("kid", None, None),
        ("top", "xstate.init", None),
        ("kid", "xstate.init", "top"),
        ("top", "GO", None),
        ("kid", "HI", "top"),
    ]


def test_a_child_that_fails_fails_its_parent_unless_that_takes_the_error() -> None:
    def fail(args: Any) -> None:
        raise ValueError("broken")

    failing = from_callback(fail)
    for handled in (True, False):
        handler = {"onError": "sorry"} if handled else {}
        machine = setup(actors={"failing": failing}).create_machine(
            {
                "initial": "on",
                "states": {"on": {"invoke": {"src": "failing", **handler}}, "sorry": {}},
            }
        )
        errors: list[Any] = []
        actor = create_actor(machine)
        actor.subscribe(error=errors.append)
        actor.start()
        assert actor.get_snapshot().status == ("active" if handled else "error")
        assert [str(error) for error in errors] == ([] if handled else ["broken"])


async def test_a_wait_that_lasts_too_long_says_so() -> None:
    actor = create_actor(create_machine({})).start()
    with pytest.raises(TimeoutError):
        await wait_for(actor, lambda snapshot: False, timeout=1)
