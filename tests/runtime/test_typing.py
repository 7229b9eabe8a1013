"""What mypy sees: types given once to `setup` hold in functions, snapshots and `send`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
from typing import Any, Literal, TypedDict
from runtime import (
    Args, ContextArgs, create_actor, create_machine, from_promise, setup, to_promise, wait_for
)

class Context(TypedDict):
    count: int

class Inc(TypedDict):
    type: Literal["inc"]
    by: int

class Reset(TypedDict):
    type: Literal["reset"]

s = setup[Context, Inc | Reset]()

def big(args: Args[Context, Inc | Reset], params: Any) -> bool:
    return args.context["count"] > 3

machine = s.extend(
    actions={"add": s.assign({"count": lambda a, p: a.context["count"] + 1, "other": 5})},
    guards={"big": big},
).create_machine({"context": {"count": 0}})
actor = create_actor(machine).start()
actor.send({"type": "inc", "by": 1})
count: int = actor.get_snapshot().context["count"]
loose = create_actor(create_machine({})).start()
loose.send({"type": "anything"})
loose.get_snapshot().output["anything"]
create_actor(create_machine({}), input=5)

class Input(TypedDict):
    start: int

class Output(TypedDict):
    total: int

full = setup[Context, Inc, Input, Output](input=Input, output=Output)

def first(args: ContextArgs[Input]) -> Context:
    return {"count": args.input["start"]}

counter = full.create_machine({
    "context": full.create_context(lambda args: {"count": args.input["start"]}),
    "initial": "end",
    "states": {"end": {"type": "final"}},
    "output": full.create_output(lambda args: {"total": args.context["count"]}),
})
counting = create_actor(counter, input=Input(start=1)).start()
total: int = counting.get_snapshot().output["total"]
none: bool = counting.get_snapshot().output is None

async def wait() -> int:
    snapshot = await wait_for(counting, lambda snapshot: snapshot.context["count"] > 3)
    return (await to_promise(counting))["total"] + snapshot.context["count"]

async def work(args: Any) -> int:
    return 5

create_actor(from_promise(work), input="x")
create_actor(counter.provide(actions={}), input={"start": 2})
"""
MISTAKES = {
    'actor.send({"type": "nope"})': "typeddict-item",
    'actor.send({"type": "inc"})': "typeddict-item",
    'actor.get_snapshot().context["cuont"]': "typeddict-item",
    's.assign({"count": lambda a, p: a.context["cuont"]})': "typeddict-item",
    's.raise_({"type": "zip"})': "arg-type",
    'actor.subscribe(next=lambda snapshot: snapshot.context["cuont"])': "typeddict-item",
    's.extend(guards={"g": lambda a, p: a.context["cuont"] > 3})': "typeddict-item",
    's.extend(delays={"d": lambda a, p: a.context["cuont"]})': "typeddict-item",
    'text: str = actor.get_snapshot().context["count"]': "assignment",
    'create_actor(counter, input=Input(start="one"))': "typeddict-item",
    "create_actor(counter, input=5)": "misc",
    'counting.get_snapshot().output["totl"]': "typeddict-item",
    'letters: str = counting.get_snapshot().output["total"]': "assignment",
    'full.create_context(lambda args: {"count": args.input["begin"]})': "typeddict-item",
    'full.create_context(lambda args: {"count": "1"})': "typeddict-item",
    'full.create_output(lambda args: {"total": args.context["cuont"]})': "typeddict-item",
    'counting.send({"type": "reset"})': "typeddict-item",
}


def test_types_are_seen_and_mistakes_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    lines = PROGRAM.splitlines()
    program.write_text("\n".join([*lines, *MISTAKES]))
    # A process of its own: mypy changes this one's limits and its collector of garbage for good.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr == ""
    found = {
        int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]")
        for line in run.stdout.splitlines()
        if ": error:" in line
    }
    expected = {len(lines) + number: code for number, code in enumerate(MISTAKES.values(), 1)}
    assert found == expected, run.stdout
