"""What mypy sees: types given once to `setup` hold in functions, snapshots and `send`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy import api

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
from typing import Any, Literal, TypedDict
from runtime import Args, create_actor, create_machine, setup

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
}


def test_types_are_seen_and_mistakes_found(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    lines = PROGRAM.splitlines()
    program.write_text("\n".join([*lines, *MISTAKES]))
    output, errors, _ = api.run(["--strict", "--no-error-summary", str(program)])
    assert errors == ""
    found = {
        int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]")
        for line in output.splitlines()
        if ": error:" in line
    }
    expected = {len(lines) + number: code for number, code in enumerate(MISTAKES.values(), 1)}
    assert found == expected, output
