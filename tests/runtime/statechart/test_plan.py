"""What one microstep does: exits, transitions, entries, and what is done by them."""

from __future__ import annotations

from typing import Any

from runtime import Event, raise_
from tests.runtime.play import note, started, value_after


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
