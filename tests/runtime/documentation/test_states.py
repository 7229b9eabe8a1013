"""What XState's pages on states and transitions show, in our own words, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from runtime import (
    SimulatedClock,
    assign,
    create_actor,
    create_machine,
    log,
    setup,
)
from tests.runtime.play import note, started, value_after

# States


def test_a_snapshot_tells_where_the_machine_is() -> None:
    machine = create_machine(
        {
            "id": "parcel",
            "initial": "packed",
            "context": {"weight": 3},
            "states": {
                "packed": {
                    "tags": ["here"],
                    "meta": {"icon": "box"},
                    "description": "It waits for the courier.",
                    "on": {"COLLECT": "moving"},
                },
                "moving": {
                    "initial": "van",
                    "states": {"van": {"on": {"LOAD": "plane"}}, "plane": {}},
                },
            },
        }
    )
    actor = create_actor(machine).start()
    packed = actor.get_snapshot()
    assert (packed.value, packed.context, packed.status) == ("packed", {"weight": 3}, "active")
    assert packed.has_tag("here")
    assert packed.get_meta() == {"parcel.packed": {"icon": "box"}}
    assert packed.can({"type": "COLLECT"})
    assert not packed.can({"type": "LOAD"})
    assert machine.states["packed"].description == "It waits for the courier."
    actor.send({"type": "COLLECT"})
    moving = actor.get_snapshot()
    assert moving.value == {"moving": "van"}
    assert moving.matches("moving")
    assert moving.matches({"moving": "van"})
    assert not moving.matches("packed")


# Initial states


def test_a_machine_starts_in_its_initial_state_at_every_level() -> None:
    config = {
        "initial": "asleep",
        "states": {
            "asleep": {"on": {"WAKE": "awake"}},
            "awake": {"initial": "yawning", "states": {"yawning": {}, "working": {}}},
        },
    }
    assert value_after(config) == "asleep"
    assert value_after(config, "WAKE") == {"awake": "yawning"}


# Transitions


def test_events_lead_to_siblings_children_and_states_by_id() -> None:
    config = {
        "id": "form",
        "initial": "editing",
        "on": {"JUMP": ".sent"},
        "states": {
            "editing": {
                "initial": "empty",
                "on": {"FILL": ".filled", "SEND": {"target": "sent"}},
                "states": {"empty": {}, "filled": {"on": {"CLEAR": "empty", "OUT": "#archive"}}},
            },
            "sent": {"initial": "fresh", "states": {"fresh": {}, "old": {"id": "archive"}}},
        },
    }
    assert value_after(config, "FILL") == {"editing": "filled"}
    assert value_after(config, "FILL", "CLEAR") == {"editing": "empty"}
    assert value_after(config, "FILL", "OUT") == {"sent": "old"}
    assert value_after(config, "SEND") == {"sent": "fresh"}
    assert value_after(config, "JUMP") == {"sent": "fresh"}


def test_a_self_transition_acts_and_only_reentering_leaves() -> None:
    trace: list[str] = []
    tick = {"actions": note(trace, "tick")}
    state = {
        "entry": note(trace, "in"),
        "exit": note(trace, "out"),
        "on": {"TICK": tick, "AGAIN": {"target": "on", "reenter": True}, "SAME": {"target": "on"}},
    }
    value_after({"initial": "on", "states": {"on": state}}, "TICK", "SAME", "AGAIN")
    assert trace == ["in", "tick", "out", "in"]


def test_the_deepest_state_that_takes_an_event_wins_and_may_forbid_it() -> None:
    config = {
        "initial": "shop",
        "states": {
            "shop": {
                "initial": "open",
                "on": {"CLOSE": "away"},
                "states": {
                    "open": {"on": {"RUSH": "busy"}},
                    "busy": {"on": {"CLOSE": {}, "CALM": "open"}},
                },
            },
            "away": {},
        },
    }
    assert value_after(config, "CLOSE") == "away"
    assert value_after(config, "RUSH", "CLOSE") == {"shop": "busy"}
    assert value_after(config, "RUSH", "CALM", "CLOSE") == "away"


def test_wildcards_take_what_nothing_else_takes() -> None:
    config = {
        "initial": "s",
        "states": {
            "s": {"on": {"mouse.click": "clicked", "mouse.*": "moved", "*": "other"}},
            "clicked": {},
            "moved": {},
            "other": {},
        },
    }
    for event_type, value in (
        ("mouse.click", "clicked"),
        ("mouse.move.fast", "moved"),
        ("mouse", "moved"),
        ("key", "other"),
    ):
        assert value_after(config, event_type) == value


def test_several_targets_put_parallel_regions_where_they_belong() -> None:
    region = {"initial": "off", "states": {"off": {}, "on": {}}}
    config = {
        "id": "desk",
        "initial": "dark",
        "states": {
            "dark": {"on": {"LIGHT": {"target": ["lit.lamp.on", "lit.screen.on"]}}},
            "lit": {"type": "parallel", "states": {"lamp": region, "screen": region}},
        },
    }
    assert value_after(config, "LIGHT") == {"lit": {"lamp": "on", "screen": "on"}}


# Eventless transitions


def test_eventless_transitions_are_taken_as_soon_as_their_guard_passes() -> None:
    machine = create_machine(
        {
            "context": {"degrees": 18},
            "initial": "fine",
            "on": {"MEASURED": {"actions": assign({"degrees": lambda a, p: a.event["degrees"]})}},
            "states": {
                "fine": {
                    "always": [
                        {"target": "cold", "guard": lambda a, p: a.context["degrees"] < 10},
                        {"target": "hot", "guard": lambda a, p: a.context["degrees"] > 30},
                    ]
                },
                "cold": {},
                "hot": {},
            },
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "MEASURED", "degrees": 25})
    assert actor.get_snapshot().value == "fine"
    actor.send({"type": "MEASURED", "degrees": 31})
    assert actor.get_snapshot().value == "hot"


# Delayed transitions


def test_a_delay_is_a_number_a_name_or_a_function_and_ends_with_its_state() -> None:
    machine = setup(
        delays={"patience": 300, "growing": lambda args, params: args.context["tries"] * 100},
    ).create_machine(
        {
            "context": {"tries": 2},
            "initial": "waiting",
            "states": {
                "waiting": {"after": {"growing": "asking"}, "on": {"SKIP": "asking"}},
                "asking": {"after": {"patience": "leaving"}, "on": {"ANSWER": "talking"}},
                "leaving": {"after": {1000: [{"guard": lambda a, p: False}, {"target": "gone"}]}},
                "talking": {},
                "gone": {},
            },
        }
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    for wait, value in ((199, "waiting"), (1, "asking"), (299, "asking"), (1, "leaving")):
        clock.increment(wait)
        assert actor.get_snapshot().value == value
    clock.increment(1000)
    assert actor.get_snapshot().value == "gone"
    hasty = create_actor(machine, clock=clock).start()
    hasty.send({"type": "SKIP"})
    hasty.send({"type": "ANSWER"})
    clock.increment(5000)
    assert hasty.get_snapshot().value == "talking"


# Parent states


def test_a_parents_transitions_hold_for_all_its_children() -> None:
    trace: list[str] = []
    config = {
        "initial": "lesson",
        "states": {
            "lesson": {
                "entry": note(trace, "bell"),
                "exit": note(trace, "bell"),
                "initial": "reading",
                "on": {"END": "break"},
                "states": {"reading": {"on": {"NEXT": "writing"}}, "writing": {}},
            },
            "break": {},
        },
    }
    assert value_after(config, "NEXT", "END") == "break"
    assert trace == ["bell", "bell"]


# Final states


def test_a_final_child_completes_its_parent_and_a_final_root_child_the_machine() -> None:
    machine = create_machine(
        {
            "id": "crossing",
            "initial": "go",
            "output": lambda args: {"seconds": args.event["output"]["left"]},
            "states": {
                "go": {
                    "initial": "walk",
                    "onDone": "stop",
                    "states": {"walk": {"on": {"HURRY": "over"}}, "over": {"type": "final"}},
                },
                "stop": {"type": "final", "output": lambda args: {"left": 0}},
            },
        }
    )
    told: list[str] = []
    actor = create_actor(machine)
    actor.subscribe(complete=lambda: told.append("complete"))
    actor.start().send({"type": "HURRY"})
    assert actor.get_snapshot().status == "done"
    assert actor.get_snapshot().output == {"seconds": 0}
    assert told == ["complete"]


# Parallel states


def test_regions_are_active_at_once_and_take_events_each_for_themselves() -> None:
    config = {
        "type": "parallel",
        "states": {
            "track": {
                "initial": "paused",
                "states": {
                    "paused": {"on": {"PLAY": "playing"}},
                    "playing": {"on": {"ALL": "paused"}},
                },
            },
            "volume": {
                "initial": "loud",
                "states": {"loud": {"on": {"ALL": "quiet"}}, "quiet": {}},
            },
        },
    }
    assert value_after(config) == {"track": "paused", "volume": "loud"}
    assert value_after(config, "PLAY") == {"track": "playing", "volume": "loud"}
    assert value_after(config, "PLAY", "ALL") == {"track": "paused", "volume": "quiet"}


def test_a_parallel_state_is_done_when_all_its_regions_are() -> None:
    def task(event_type: str) -> dict[str, Any]:
        states = {"todo": {"on": {event_type: "ready"}}, "ready": {"type": "final"}}
        return {"initial": "todo", "states": states}

    config = {
        "initial": "cooking",
        "states": {
            "cooking": {
                "type": "parallel",
                "onDone": "serving",
                "states": {"rice": task("RICE"), "soup": task("SOUP")},
            },
            "serving": {},
        },
    }
    assert value_after(config, "RICE") == {"cooking": {"rice": "ready", "soup": "todo"}}
    assert value_after(config, "RICE", "SOUP") == "serving"


# History states


@pytest.mark.parametrize(("history", "back"), [("shallow", {"on": "b"}), ("deep", {"on": "b"})])
def test_history_remembers_the_child(history: str, back: Any) -> None:
    config = {
        "initial": "off",
        "states": {
            "off": {"on": {"ON": "on.last", "FRESH": "on"}},
            "on": {
                "initial": "a",
                "on": {"OFF": "off"},
                "states": {
                    "a": {"on": {"B": "b"}},
                    "b": {},
                    "last": {"type": "history", "history": history},
                },
            },
        },
    }
    assert value_after(config, "ON") == {"on": "a"}
    assert value_after(config, "ON", "B", "OFF", "ON") == back
    assert value_after(config, "ON", "B", "OFF", "FRESH") == {"on": "a"}


def test_deep_history_remembers_all_the_way_down_and_a_target_is_its_default() -> None:
    config = {
        "initial": "cart",
        "states": {
            "cart": {"on": {"PAY": "payment.last", "BACK": "payment.deep"}},
            "payment": {
                "initial": "card",
                "on": {"LEAVE": "cart"},
                "states": {
                    "card": {
                        "initial": "number",
                        "states": {"number": {"on": {"NEXT": "code"}}, "code": {}},
                    },
                    "cash": {"on": {"CARD": "card"}},
                    "last": {"type": "history", "target": "cash"},
                    "deep": {"type": "history", "history": "deep"},
                },
            },
        },
    }
    assert value_after(config, "PAY") == {"payment": "cash"}
    steps = ("PAY", "CARD", "NEXT", "LEAVE")
    assert value_after(config, *steps, "PAY") == {"payment": {"card": "number"}}
    assert value_after(config, *steps, "BACK") == {"payment": {"card": "code"}}


# Tags


def test_tags_group_states() -> None:
    config = {
        "initial": "loading",
        "states": {
            "loading": {"tags": ["busy", "visible"], "on": {"OK": "saving"}},
            "saving": {"tags": "busy", "on": {"OK": "idle"}},
            "idle": {"tags": ["visible"]},
        },
    }
    actor = started(config)
    seen = []
    for _ in range(3):
        seen.append(sorted(actor.get_snapshot().tags))
        actor.send({"type": "OK"})
    assert seen == [["busy", "visible"], ["busy"], ["visible"]]


# Context


def test_context_is_given_made_from_input_and_changed_by_assign_alone() -> None:
    machine = create_machine(
        {
            "context": lambda args: {"name": args.input["name"], "visits": 0},
            "on": {
                "VISIT": {
                    "actions": [
                        assign({"visits": lambda a, p: a.context["visits"] + 1, "seen": True}),
                        assign(lambda a, p: {"name": a.context["name"].upper()}),
                        log(lambda a, p: a.context["visits"]),
                    ]
                }
            },
        }
    )
    lines: list[Any] = []
    actor = create_actor(machine, input={"name": "ada"}, logger=lines.append).start()
    first = actor.get_snapshot()
    actor.send({"type": "VISIT"})
    assert first.context == {"name": "ada", "visits": 0}
    assert actor.get_snapshot().context == {"name": "ADA", "visits": 1, "seen": True}
    assert lines == [1]
