"""XState's rules of transitions and steps, by their number in the list of what often goes wrong.

All of them were seen in XState 5; where ours differs on purpose, the test says so.
"""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    Actor,
    DefinitionError,
    Event,
    SimulatedClock,
    UnboundedStepError,
    assign,
    create_actor,
    create_machine,
    emit,
    raise_,
    send_to,
    setup,
    transition,
)


def note(trace: list[str], what: str) -> Any:
    """An action that leaves a trace."""
    return lambda args, params: trace.append(what)


def started(config: dict[str, Any], **implementations: Any) -> Actor:
    """A started actor on a simulated clock."""
    machine = create_machine(config, implementations)
    return create_actor(machine, clock=SimulatedClock()).start()


def value_after(config: dict[str, Any], *types: str, **implementations: Any) -> Any:
    """The state value after events of these types."""
    actor = started(config, **implementations)
    for event_type in types:
        actor.send({"type": event_type})
    return actor.get_snapshot().value


# 1


def test_exact_descriptors_come_first_and_longer_wildcards_before_shorter() -> None:
    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"*": "any", "a.*": "short", "a.b.*": "long", "a.b.c": "exact"}},
            "any": {},
            "short": {},
            "long": {},
            "exact": {},
        },
    }
    assert value_after(config, "a.b.c") == "exact"
    assert value_after(config, "a.b.d") == "long"
    assert value_after(config, "a.x") == "short"
    assert value_after(config, "z") == "any"


def test_wildcards_of_a_state_are_tried_before_its_parent() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "initial": "s",
                "on": {"GO": "parent"},
                "states": {
                    "s": {"on": {"*": "wild", "GO": {"target": "never", "guard": "no"}}},
                    "wild": {},
                    "never": {},
                },
            },
            "parent": {},
        },
    }
    assert value_after(config, "GO", guards={"no": lambda a, p: False}) == {"p": "wild"}


# 2


def test_a_partial_wildcard_matches_its_own_prefix() -> None:
    config = {"initial": "s", "states": {"s": {"on": {"foo.*": "t"}}, "t": {}}}
    assert value_after(config, "foo") == "t"
    assert value_after(config, "foobar") == "s"


@pytest.mark.parametrize("forbidden", [{}, {"actions": []}, None])
def test_an_empty_transition_forbids_the_event(forbidden: Any) -> None:
    config = {
        "initial": "s",
        "on": {"EV": ".t"},
        "states": {"s": {"on": {"EV": forbidden}}, "t": {}},
    }
    actor = started(config)
    assert not actor.get_snapshot().can({"type": "EV"})
    actor.send({"type": "EV"})
    assert actor.get_snapshot().value == "s"


def test_an_empty_list_of_candidates_falls_through_to_the_parent() -> None:
    config = {"initial": "s", "on": {"EV": ".t"}, "states": {"s": {"on": {"EV": []}}, "t": {}}}
    assert value_after(config, "EV") == "t"


# 3


def test_a_list_is_several_candidates_not_several_targets() -> None:
    config = {
        "initial": "s",
        "states": {"s": {"on": {"GO": ["#x", "#y"]}}, "x": {"id": "x"}, "y": {"id": "y"}},
    }
    assert value_after(config, "GO") == "x"


def test_several_targets_enter_parallel_regions() -> None:
    regions = {
        key: {"initial": "one", "states": {"one": {}, "two": {}}} for key in ("left", "right")
    }
    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"GO": {"target": ["p.left.two", "p.right.two"]}}},
            "p": {"type": "parallel", "states": regions},
        },
    }
    assert value_after(config, "GO") == {"p": {"left": "two", "right": "two"}}


# 4


def test_always_is_evaluated_after_every_event_and_sees_it() -> None:
    seen: list[str] = []

    def look(args: Any, params: Any) -> bool:
        seen.append(args.event["type"])
        return bool(args.event["type"] == "NOW")

    config = {
        "initial": "s",
        "states": {"s": {"always": {"target": "t", "guard": "look"}}, "t": {}},
    }
    actor = started(config, guards={"look": look})
    actor.send({"type": "UNKNOWN"})
    actor.send({"type": "NOW"})
    assert actor.get_snapshot().value == "t"
    assert seen == ["xstate.init", "UNKNOWN", "NOW"]


# 5


def test_always_runs_before_raised_events_and_those_are_first_in_first_out() -> None:
    trace: list[str] = []
    config = {
        "initial": "s",
        "states": {
            "s": {
                "on": {
                    "GO": {
                        "target": "t",
                        "actions": [raise_({"type": "ONE"}), raise_({"type": "TWO"})],
                    }
                }
            },
            "t": {"always": {"target": "u", "actions": note(trace, "always")}},
            "u": {
                "on": {
                    "ONE": {"actions": note(trace, "one")},
                    "TWO": {"actions": note(trace, "two")},
                }
            },
        },
    }
    value_after(config, "GO")
    assert trace == ["always", "one", "two"]


# 6


def test_subscribers_hear_of_every_processed_event_even_if_nothing_changed() -> None:
    actor = started({"initial": "s", "states": {"s": {}}})
    heard: list[Any] = []
    actor.subscribe(heard.append)
    actor.send({"type": "UNKNOWN"})
    assert [snapshot.value for snapshot in heard] == ["s"]


def test_an_error_gives_no_next_and_done_gives_next_then_complete() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"FAIL": {"actions": fail}, "END": "end"}},
            "end": {"type": "final"},
        },
    }
    heard: list[str] = []

    def subscribe(actor: Actor) -> None:
        actor.subscribe(
            next=lambda snapshot: heard.append(f"next {snapshot.status}"),
            error=lambda error: heard.append(f"error {error}"),
            complete=lambda: heard.append("complete"),
        )

    failing = started(config)
    subscribe(failing)
    failing.send({"type": "FAIL"})
    assert heard == ["error no"]
    heard.clear()
    ending = started(config)
    subscribe(ending)
    ending.send({"type": "END"})
    assert heard == ["next done", "complete"]
    heard.clear()
    subscribe(ending)
    assert heard == ["complete"]


# 7


def test_creating_an_actor_computes_its_first_macrostep_but_custom_actions_wait() -> None:
    trace: list[str] = []
    machine = create_machine(
        {
            "context": {"n": 0},
            "initial": "s",
            "states": {
                "s": {
                    "entry": [assign({"n": lambda a, p: 1}), note(trace, "entered")],
                    "always": "t",
                },
                "t": {},
            },
        }
    )
    actor = create_actor(machine)
    assert actor.get_snapshot().value == "t"
    assert actor.get_snapshot().context == {"n": 1}
    assert trace == []
    actor.start()
    assert trace == ["entered"]


# 9


def test_entering_runs_entry_initial_actions_child_entry_then_raised_events() -> None:
    trace: list[str] = []
    config = {
        "initial": "off",
        "states": {
            "off": {"on": {"GO": "on"}},
            "on": {
                "entry": [note(trace, "entry"), raise_({"type": "RAISED"})],
                "initial": {"target": "child", "actions": note(trace, "initial")},
                "on": {"RAISED": {"actions": note(trace, "raised")}},
                "states": {"child": {"entry": note(trace, "child entry")}},
            },
        },
    }
    value_after(config, "GO")
    assert trace == ["entry", "initial", "child entry", "raised"]


# 10


def test_assigns_and_custom_actions_interleave_and_emits_wait_for_the_new_snapshot() -> None:
    trace: list[Any] = []
    config = {
        "context": {"n": 0},
        "on": {
            "GO": {
                "actions": [
                    emit({"type": "told"}),
                    lambda a, p: trace.append(a.context["n"]),
                    assign({"n": lambda a, p: 1}),
                    lambda a, p: trace.append(a.context["n"]),
                    lambda a, p: trace.append(("old", a.self.get_snapshot().context["n"])),
                ]
            }
        },
    }
    actor = started(config)
    actor.on("told", lambda event: trace.append(("new", actor.get_snapshot().context["n"])))
    actor.send({"type": "GO"})
    assert trace == [0, 1, ("old", 0), ("new", 1)]


# 11


def test_a_send_made_in_an_action_or_a_subscriber_is_queued() -> None:
    trace: list[str] = []
    config = {
        "on": {
            "GO": {
                "actions": [
                    lambda a, p: a.self.send({"type": "SENT"}),
                    note(trace, "after send"),
                ]
            },
            "SENT": {"actions": note(trace, "sent")},
            "AGAIN": {"actions": note(trace, "again")},
        }
    }
    actor = started(config)
    first = True

    def once(snapshot: Any) -> None:
        nonlocal first
        if first:
            first = False
            actor.send({"type": "AGAIN"})
            trace.append("subscriber")

    actor.subscribe(once)
    actor.send({"type": "GO"})
    assert trace == ["after send", "subscriber", "sent", "again"]


def test_sending_to_oneself_is_an_event_of_its_own() -> None:
    config = {
        "context": {"n": 0},
        "on": {
            "GO": {"actions": send_to(lambda a, p: a.self, {"type": "INC"})},
            "INC": {"actions": assign({"n": lambda a, p: a.context["n"] + 1})},
        },
    }
    actor = started(config)
    heard: list[int] = []
    actor.subscribe(lambda snapshot: heard.append(snapshot.context["n"]))
    actor.send({"type": "GO"})
    assert heard == [0, 1]


# 13


def test_a_target_within_the_source_does_not_leave_it_without_reenter() -> None:
    trace: list[str] = []
    config = {
        "initial": "p",
        "states": {
            "p": {
                "entry": note(trace, "p in"),
                "exit": note(trace, "p out"),
                "initial": "a",
                "on": {
                    "SELF": "p",
                    "CHILD": ".b",
                    "REENTER": {"target": ".b", "reenter": True},
                    "NOTHING": {"reenter": True},
                },
                "states": {
                    "a": {"entry": note(trace, "a in"), "exit": note(trace, "a out")},
                    "b": {
                        "entry": note(trace, "b in"),
                        "exit": note(trace, "b out"),
                        "on": {"ATOM": "b", "ATOM2": {"target": "b", "reenter": True}},
                    },
                },
            }
        },
    }
    actor = started(config)

    def after(event_type: str) -> list[str]:
        trace.clear()
        actor.send({"type": event_type})
        return list(trace)

    assert after("SELF") == ["a out", "a in"]
    assert after("CHILD") == ["a out", "b in"]
    assert after("ATOM") == []
    assert after("ATOM2") == ["b out", "b in"]
    assert after("REENTER") == ["b out", "p out", "p in", "b in"]
    assert after("NOTHING") == []


# 14


def test_the_top_final_state_runs_all_exits_and_drops_raised_events() -> None:
    trace: list[str] = []
    config = {
        "exit": note(trace, "root out"),
        "initial": "s",
        "states": {
            "s": {
                "exit": note(trace, "s out"),
                "on": {"END": {"target": "end", "actions": raise_({"type": "LOST"})}},
            },
            "end": {"type": "final", "exit": note(trace, "end out")},
        },
        "on": {"LOST": {"actions": note(trace, "lost")}},
    }
    actor = started(config)
    actor.send({"type": "END"})
    assert trace == ["s out", "end out", "root out"]
    assert actor.get_snapshot().status == "done"


def test_stop_runs_no_exit_actions() -> None:
    trace: list[str] = []
    actor = started({"initial": "s", "states": {"s": {"exit": note(trace, "out")}}})
    assert actor.stop().get_snapshot().status == "stopped"
    assert trace == []


# 15


def test_output_needs_an_output_on_the_root_and_comes_from_the_done_event() -> None:
    final = {"type": "final", "output": lambda a: a.context["n"] + 1}
    config = {"context": {"n": 1}, "initial": "end", "states": {"end": final}}
    assert started(config).get_snapshot().output is None
    seen: list[Event] = []

    def output(args: Any) -> Any:
        seen.append(args.event)
        return {"got": args.event["output"]}

    assert started({**config, "id": "m", "output": output}).get_snapshot().output == {"got": 2}
    assert seen == [{"type": "xstate.done.state.m.end", "output": 2}]


# 16


def test_a_parallel_state_with_an_atomic_region_is_never_done() -> None:
    final_region = {"initial": "f", "states": {"f": {"type": "final"}}}
    config = {"type": "parallel", "states": {"a": final_region, "b": {}}}
    assert started(config).get_snapshot().status == "active"


def test_done_events_come_region_by_region_then_for_the_parallel_state() -> None:
    heard: list[str] = []

    def hear(args: Any, params: Any) -> None:
        heard.append(args.event["type"])

    region = {"initial": "s", "states": {"s": {"on": {"END": "f"}}, "f": {"type": "final"}}}
    config = {
        "id": "m",
        "initial": "p",
        "on": {"*": {"actions": hear}},
        "states": {"p": {"type": "parallel", "states": {"a": region, "b": region}}},
    }
    value_after(config, "END")
    assert heard == [
        "xstate.done.state.m.p.a",
        "xstate.done.state.m.p.b",
        "xstate.done.state.m.p",
    ]


# 17


def test_guards_of_all_regions_see_the_context_before_the_event() -> None:
    region = {
        "initial": "s",
        "states": {
            "s": {
                "on": {
                    "GO": {
                        "target": "t",
                        "guard": lambda a, p: a.context["n"] == 0,
                        "actions": assign({"n": lambda a, p: a.context["n"] + 1}),
                    }
                }
            },
            "t": {},
        },
    }
    config = {"context": {"n": 0}, "type": "parallel", "states": {"a": region, "b": region}}
    assert value_after(config, "GO") == {"a": "t", "b": "t"}


def test_of_conflicting_transitions_the_first_region_wins() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "states": {"a": {"on": {"GO": "#one"}}, "b": {"on": {"GO": "#two"}}},
            },
            "one": {"id": "one"},
            "two": {"id": "two"},
        },
    }
    assert value_after(config, "GO") == "one"


# 18


def history_config(trace: list[str]) -> dict[str, Any]:
    return {
        "initial": "off",
        "states": {
            "off": {"on": {"BACK": "on.hist"}},
            "on": {
                "initial": {"target": "a", "actions": note(trace, "initial")},
                "on": {"LEAVE": "off"},
                "states": {"a": {"on": {"NEXT": "b"}}, "b": {}, "hist": {"type": "history"}},
            },
        },
    }


def test_history_never_visited_takes_the_initial_state_with_its_actions() -> None:
    trace: list[str] = []
    assert value_after(history_config(trace), "BACK") == {"on": "a"}
    assert trace == ["initial"]


def test_restored_history_runs_no_initial_actions() -> None:
    trace: list[str] = []
    assert value_after(history_config(trace), "BACK", "NEXT", "LEAVE", "BACK") == {"on": "b"}
    assert trace == ["initial"]


# 19


def test_an_own_id_replaces_the_path_in_event_names() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "s",
            "states": {
                "s": {
                    "id": "custom",
                    "after": {10: "s"},
                    "initial": "inner",
                    "states": {"inner": {}},
                    "invoke": {"src": create_machine({"id": "child"})},
                }
            },
        }
    )
    node = machine.get_state_node_by_id("#custom")
    assert "xstate.after.10.custom" in node.transitions
    assert node.invoke[0].id == "0.custom"
    assert node.states["inner"].id == "m.s.inner"


# 24


def test_what_a_chart_refers_to_must_exist_when_it_is_built() -> None:
    def error(config: dict[str, Any]) -> str:
        with pytest.raises(DefinitionError) as caught:
            setup(
                actions={"greet": lambda a, p: None},
                guards={"isOpen": lambda a, p: True},
                delays={"short": 10},
                actors={},
            ).create_machine({"initial": "a", "states": {"a": config, "open": {}}})
        return str(caught.value)

    assert error({"entry": "great"}) == (
        "at states.a.entry: unknown action 'great'; did you mean 'greet'?"
    )
    assert error({"on": {"GO": {"target": "open", "guard": "isopen"}}}) == (
        "at states.a.on.GO.guard: unknown guard 'isopen'; did you mean 'isOpen'?"
    )
    assert "unknown delay 'shrt'; did you mean 'short'?" in error({"after": {"shrt": "open"}})
    assert "unknown actor 'fetch'" in error({"invoke": {"src": "fetch"}})
    assert "state 'opn' does not exist on '#(machine)'; did you mean 'open'?" in error(
        {"on": {"GO": "opn"}}
    )
    assert "at states.a.initial" in error({"initial": "x", "states": {"y": {}}})


def test_a_chart_meant_to_be_completed_says_so_only_when_it_is_used() -> None:
    machine = create_machine({"entry": "greet"}, incomplete=True)
    with pytest.raises(DefinitionError, match="unknown action 'greet'"):
        create_actor(machine)
    greeted: list[str] = []
    create_actor(machine.provide(actions={"greet": note(greeted, "hello")})).start()
    assert greeted == ["hello"]


# 26


def test_can_ignores_the_status() -> None:
    actor = started({"initial": "end", "on": {"GO": ".end"}, "states": {"end": {"type": "final"}}})
    assert actor.get_snapshot().status == "done"
    assert actor.get_snapshot().can({"type": "GO"})


def test_regions_without_children_have_an_empty_value() -> None:
    config = {
        "initial": "p",
        "states": {
            "p": {
                "type": "parallel",
                "states": {"a": {}, "b": {"initial": "c", "states": {"c": {}}}},
            }
        },
    }
    assert value_after(config) == {"p": {"a": {}, "b": "c"}}


def test_matches_covers_deeper_values_but_not_beyond_the_leaf() -> None:
    config = {
        "initial": "a",
        "states": {"a": {"initial": "b", "states": {"b": {}}}},
    }
    snapshot = started(config).get_snapshot()
    assert snapshot.matches("a")
    assert snapshot.matches("a.b")
    assert snapshot.matches({"a": "b"})
    assert not snapshot.matches("a.b.c")
    assert not snapshot.matches("b")


# steps without end


def test_a_cycle_of_eventless_transitions_is_an_error() -> None:
    config = {"initial": "a", "states": {"a": {"always": "b"}, "b": {"always": "a"}}}
    machine = create_machine({**config, "options": {"maxIterations": 50}})
    snapshot = create_actor(machine).get_snapshot()
    assert snapshot.status == "error"
    assert isinstance(snapshot.error, UnboundedStepError)


def test_the_pure_face_raises_what_guards_raise() -> None:
    machine = create_machine({"on": {"GO": {"guard": lambda a, p: 1 / 0, "actions": []}}})
    snapshot = create_actor(machine).get_snapshot()
    with pytest.raises(Exception, match="Unable to evaluate guard in transition for event 'GO'"):
        transition(machine, snapshot, {"type": "GO"})
