"""XState's pages on routes, context, actions, guards and transitions, in our own words."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    SimulatedClock,
    assign,
    create_actor,
    create_machine,
    enqueue_actions,
    log,
    not_,
    setup,
)


def add(name: str, by: Any = 1) -> Any:
    return assign({name: lambda args, params: args.context[name] + by})


# Routes

SHOP = {
    "id": "shop",
    "initial": "front",
    "states": {
        "front": {"id": "front", "route": {}, "entry": "tell"},
        "orders": {
            "initial": "list",
            "states": {
                "list": {"id": "list", "route": {}},
                "detail": {
                    "id": "detail",
                    "route": {"guard": lambda args, params: args.event.get("number") == 7},
                },
            },
        },
        "cellar": {"id": "cellar"},
    },
}


@pytest.mark.parametrize(
    ("event", "value"),
    [
        ({"to": "#list"}, {"orders": "list"}),
        ({"to": "#detail"}, "front"),
        ({"to": "#detail", "number": 7}, {"orders": "detail"}),
        ({"to": "#cellar"}, "front"),
        ({"to": "#shop.orders.list"}, "front"),
    ],
)
def test_a_route_leads_from_anywhere_to_a_state_that_has_one(event: Any, value: Any) -> None:
    actor = create_actor(create_machine(SHOP, {"actions": {"tell": lambda a, p: None}})).start()
    actor.send({"type": "xstate.route", **event})
    assert actor.get_snapshot().value == value


def test_a_route_to_the_current_state_enters_it_again() -> None:
    told: list[str] = []
    machine = create_machine(SHOP, {"actions": {"tell": lambda a, p: told.append("front")}})
    create_actor(machine).start().send({"type": "xstate.route", "to": "#front"})
    assert told == ["front", "front"]


def test_a_route_into_one_region_starts_the_others_at_their_beginnings() -> None:
    """XState's page has them untouched; XState itself does this."""
    regions = {
        "list": {"initial": "new", "states": {"new": {"on": {"EDIT": "edit"}}, "edit": {}}},
        "filter": {
            "initial": "all",
            "states": {"all": {}, "open": {"id": "open", "route": {}}},
        },
    }
    actor = create_actor(create_machine({"type": "parallel", "states": regions})).start()
    actor.send({"type": "EDIT"})
    actor.send({"type": "xstate.route", "to": "#open"})
    assert actor.get_snapshot().value == {"list": "new", "filter": "open"}


# Context, input and output


def test_the_first_event_carries_the_input() -> None:
    machine = create_machine(
        {
            "context": {"user": None},
            "entry": assign({"user": lambda args, params: args.event["input"]["user"]}),
        }
    )
    assert create_actor(machine, input={"user": "ann"}).get_snapshot().context == {"user": "ann"}


def test_a_context_is_made_anew_for_each_actor() -> None:
    made: list[int] = []

    def context(args: Any) -> Any:
        made.append(1)
        return {"number": len(made)}

    machine = create_machine({"context": context})
    assert [create_actor(machine).get_snapshot().context["number"] for _ in range(2)] == [1, 2]


def test_output_may_be_fixed_and_final_states_hand_theirs_to_done_events() -> None:
    machine = create_machine(
        {
            "context": {"given": None},
            "initial": "asking",
            "states": {
                "asking": {
                    "initial": "open",
                    "states": {
                        "open": {"on": {"ANSWER": "answered"}},
                        "answered": {
                            "type": "final",
                            "output": lambda args: {"answer": args.event["answer"]},
                        },
                    },
                    "onDone": {
                        "target": "over",
                        "actions": assign({"given": lambda a, p: a.event["output"]}),
                    },
                },
                "over": {"type": "final"},
            },
            "output": {"message": "Process completed."},
        }
    )
    ended: list[Any] = []
    actor = create_actor(machine)
    actor.subscribe(complete=lambda: ended.append(actor.get_snapshot().output))
    actor.start().send({"type": "ANSWER", "answer": 7})
    assert ended == [{"message": "Process completed."}]
    assert actor.get_snapshot().context == {"given": {"answer": 7}}


# Actions and guards


def test_calling_an_action_creator_in_an_action_does_nothing_enqueueing_does() -> None:
    machine = create_machine(
        {
            "context": {"n": 0},
            "on": {
                "WRONG": {"actions": lambda args, params: assign({"n": 5}) and None},
                "RIGHT": {
                    "actions": enqueue_actions(
                        lambda args, params: args.enqueue.assign({"n": args.context["n"] + 1})
                    )
                },
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "WRONG"})
    assert actor.get_snapshot().context == {"n": 0}
    actor.send({"type": "RIGHT"})
    assert actor.get_snapshot().context == {"n": 1}


def test_an_enqueueing_action_gets_params_and_hands_them_on() -> None:
    greeted: list[str] = []
    machine = setup(
        actions={
            "greet": lambda args, params: greeted.append(params["name"]),
            "do_things": enqueue_actions(
                lambda args, params: args.enqueue(
                    {"type": "greet", "params": {"name": params["name"]}}
                )
            ),
        }
    ).create_machine({"entry": {"type": "do_things", "params": {"name": "World"}}})
    create_actor(machine).start()
    assert greeted == ["World"]


def test_logs_go_to_the_actors_logger() -> None:
    lines: list[Any] = []
    machine = create_machine(
        {"on": {"GO": {"actions": [log("some message"), log(lambda a, p: a.event["type"], "got")]}}}
    )
    actor = create_actor(machine, logger=lambda *values: lines.append(values)).start()
    actor.send({"type": "GO"})
    assert lines == [("some message",), ("got", "GO")]


def test_a_setup_is_extended_step_by_step_and_may_build_on_what_it_has() -> None:
    base = setup(guards={"known": lambda a, p: True, "allowed": lambda a, p: False})
    app = base.extend(
        guards={"refused": not_("allowed")},
        actions={"note": assign({"noted": True})},
        delays={"soon": 250},
    )
    machine = app.create_machine(
        {
            "context": {"noted": False},
            "initial": "checking",
            "states": {
                "checking": {
                    "after": {"soon": {"guard": "refused", "actions": "note", "target": "over"}}
                },
                "over": {},
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    clock.increment(250)
    assert (actor.get_snapshot().value, actor.get_snapshot().context) == ("over", {"noted": True})


def test_a_guard_is_replaced_with_the_params_it_had() -> None:
    machine = setup(
        guards={"valid": lambda args, params: len(args.event["text"]) <= params["most"]}
    ).create_machine(
        {
            "initial": "form",
            "states": {
                "form": {
                    "on": {
                        "SUBMIT": {
                            "guard": {"type": "valid", "params": {"most": 3}},
                            "target": "sent",
                        }
                    }
                },
                "sent": {},
            },
        }
    )
    strict = machine.provide(
        guards={"valid": lambda args, params: args.event["text"] == "x" * params["most"]}
    )
    for made, text, value in (
        (machine, "ab", "sent"),
        (strict, "ab", "form"),
        (strict, "xxx", "sent"),
    ):
        actor = create_actor(made).start()
        actor.send({"type": "SUBMIT", "text": text})
        assert actor.get_snapshot().value == value


# Transitions


@pytest.mark.parametrize(
    ("descriptor", "event_type", "taken"),
    [
        ("mouse.*", "mouse", True),
        ("mouse.*", "mouse.click", True),
        ("mouse.*", "mouse.click.left", True),
        ("mouse.*", "mouses", False),
        ("mouse.click.*", "mouse.click.left", True),
        ("mouse.click.*", "mouse.move", False),
        ("mouse*", "mouse.click", False),
        ("mouse*", "mouses", False),
        ("mouse.click*", "mouse.click.left", False),
    ],
)
def test_a_partial_wildcard_matches_whole_words(
    descriptor: str, event_type: str, taken: bool
) -> None:
    actor = create_actor(
        create_machine({"initial": "a", "states": {"a": {"on": {descriptor: "b"}}, "b": {}}})
    ).start()
    actor.send({"type": event_type})
    assert actor.get_snapshot().matches("b") is taken


def test_a_parallel_machine_sets_several_regions_or_one_and_the_others_begin_again() -> None:
    """XState's page has the others untouched; XState itself does this."""
    machine = create_machine(
        {
            "type": "parallel",
            "states": {
                "mode": {"initial": "light", "states": {"light": {}, "dark": {}}},
                "theme": {"initial": "plain", "states": {"plain": {}, "custom": {}}},
            },
            "on": {
                "BOTH": {"target": [".mode.dark", ".theme.custom"]},
                "ONE": {"target": ".mode.light"},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "BOTH"})
    assert actor.get_snapshot().value == {"mode": "dark", "theme": "custom"}
    actor.send({"type": "ONE"})
    assert actor.get_snapshot().value == {"mode": "light", "theme": "plain"}


def test_a_state_that_is_left_at_once_is_never_seen_one_with_a_delay_of_nothing_is() -> None:
    def passing(through: dict[str, Any]) -> list[Any]:
        states = {"a": {"on": {"GO": "b"}}, "b": through, "c": {}}
        clock = SimulatedClock()
        actor = create_actor(create_machine({"initial": "a", "states": states}), clock=clock)
        seen: list[Any] = []
        actor.subscribe(lambda snapshot: seen.append(snapshot.value))
        actor.start().send({"type": "GO"})
        clock.increment(0)
        return seen

    assert passing({"always": "c"}) == ["a", "c"]
    assert passing({"after": {0: "c"}}) == ["a", "b", "c"]


def test_a_delay_may_grow_with_every_attempt() -> None:
    machine = setup(delays={"patience": lambda a, p: a.context["tries"] * 1_000}).create_machine(
        {
            "context": {"tries": 1},
            "initial": "trying",
            "states": {
                "trying": {
                    "after": {
                        "patience": {"target": "trying", "reenter": True, "actions": add("tries")}
                    }
                }
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    seen = []
    for ms in (1_000, 1_999, 1, 3_000):
        clock.increment(ms)
        seen.append(actor.get_snapshot().context["tries"])
    assert seen == [2, 2, 3, 4]
