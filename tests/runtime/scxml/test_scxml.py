"""SCXML's rules as a table: machines, and what they must be and have said after each event.

Each file of `cases/` is a list of cases. A case's `run` is a list of `[what happens, value, what
actions said, more of the snapshot]`: "" is the start, a text an event, a number so many
milliseconds; the last two may be missing. Actions and guards are data: `"word"` says the word,
`{"raise": "e"}`, `{"raiseAfter": ["e", ms, id]}`, `{"tellAfter": ["e", key, ms]}` (with the
context's value as `value`), `{"cancel": id}`, `{"sendSelf": "e"}`, `{"sendTo": [child, "e"]}`,
`{"sendAfter": [child, "e", ms]}`, `{"forward": child}`, `{"sendParent": "e"}`,
`{"sendParentAfter": ["e", ms]}`, `{"assign": {…}}`, `{"add": key}`, `{"show": key}`,
`{"event": true}`, `{"output": true}` and `{"field": key}` (say the event's type, its output, a
field), `{"check": guard}` (says yes or no); guards are `"never"`, `{"eq": [key, value]}`,
`{"in": "#id"}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime import (
    SimulatedClock,
    assign,
    cancel,
    create_actor,
    enqueue_actions,
    forward_to,
    raise_,
    send_parent,
    send_to,
    setup,
    state_in,
)

CASES: list[dict[str, Any]] = [
    case
    for path in sorted((Path(__file__).parent / "cases").glob("*.json"))
    for case in json.loads(path.read_text())
]


class Chart:
    """Turns a case's data into a config whose actions speak into `said`."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def config(self, data: Any, key: str = "") -> Any:
        match key, data:
            case "actions" | "entry" | "exit", _:
                return [self.action(item) for item in (data if isinstance(data, list) else [data])]
            case "guard", _:
                return self.guard(data)
            case "output", {"from": name}:
                return lambda args: args.context[name]
            case "context" | "output", _:
                return data
            case _, dict():
                return {name: self.config(item, name) for name, item in data.items()}
            case _, list():
                return [self.config(item) for item in data]
        return data

    def action(self, data: Any) -> Any:
        match data:
            case str():
                return lambda args, params: self.said.append(data)
            case {"raise": event}:
                return raise_({"type": event})
            case {"raiseAfter": [event, delay, *name]}:
                return raise_({"type": event}, delay=delay, id=name[0] if name else None)
            case {"tellAfter": [event, name, delay]}:
                return raise_(
                    lambda args, params: {"type": event, "value": args.context[name]}, delay=delay
                )
            case {"cancel": name}:
                return cancel(name)
            case {"sendSelf": event}:
                return send_to(lambda args, params: args.self, {"type": event})
            case {"sendTo": [child, event]}:
                return send_to(child, {"type": event})
            case {"sendAfter": [child, event, delay]}:
                return send_to(child, {"type": event}, delay=delay)
            case {"forward": child}:
                return forward_to(child)
            case {"sendParentAfter": [event, delay]}:
                return send_parent({"type": event}, delay=delay)
            case {"sendParent": event}:
                return send_parent({"type": event})
            case {"assign": values}:
                return assign(values)
            case {"add": name}:
                return assign({name: lambda args, params: args.context[name] + 1})
            case {"show": name}:
                return lambda args, params: self.said.append(f"{name}={args.context[name]}")
            case {"event": True}:
                return lambda args, params: self.said.append(args.event["type"])
            case {"field": name}:
                return lambda args, params: self.said.append(f"{name}={args.event[name]}")
            case {"check": condition}:
                guard = self.guard(condition)
                return enqueue_actions(
                    lambda args, params: self.said.append("yes" if args.check(guard) else "no")
                )
            case {"output": True}:
                return lambda args, params: self.said.append(
                    json.dumps(args.event["output"], separators=(",", ":"))
                )
        raise ValueError(data)

    def guard(self, data: Any) -> Any:
        match data:
            case "never":
                return lambda args, params: False
            case {"eq": [name, value]}:
                return lambda args, params: args.context[name] == value
            case {"in": state}:
                return state_in(state)
        raise ValueError(data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_scxml(case: dict[str, Any]) -> None:
    chart = Chart()
    actors = (
        {"child": setup().create_machine(chart.config(case["child"]))} if "child" in case else {}
    )
    machine = setup(actors=actors).create_machine(chart.config(case["machine"]))
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock)
    for happening, value, *rest in case["run"]:
        chart.said.clear()
        if happening == "":
            actor.start()
        elif isinstance(happening, str):
            actor.send({"type": happening})
        else:
            clock.increment(happening)
        snapshot = actor.get_snapshot()
        assert snapshot.value == value
        if rest:
            assert " ".join(chart.said) == rest[0]
        for name, expected in (rest[1] if len(rest) > 1 else {}).items():
            assert getattr(snapshot, name) == expected
