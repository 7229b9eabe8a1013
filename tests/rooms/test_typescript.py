"""`rooms types`: what a page sends and sees, as TypeScript."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

import pytest

from examples.trivia.app import app as trivia
from rooms import App, Room, everything, policy, shown
from rooms.typescript import types
from runtime import assign, create_machine, setup

if TYPE_CHECKING:
    from collections.abc import Iterable


class Card(TypedDict):
    suit: Literal["hearts", "spades"]
    rank: int
    note: NotRequired[str | None]


@dataclass
class Table:
    cards: list[Card]
    names: dict[str, str]
    pair: tuple[int, bool]


TABLE = setup(
    context=Table, events={"play": Card, "fold": None}, emitted={"cheer": None}
).create_machine(
    {
        "context": {"cards": [], "names": {}, "pair": [1, True]},
        "initial": "open",
        "states": {
            "open": {},
            "busy": {"type": "parallel", "states": {"left-hand": {}, "right": {}}},
            "over": {"initial": "won", "states": {"won": {}, "lost": {"type": "final"}}},
        },
        "on": {"play": "#(machine).busy", "fold": "#(machine).over"},
    }
)


class Cards(Room):
    machine = TABLE
    view = everything


def lines(app: App) -> dict[str, str]:
    """Each type's definition by its name."""
    found = (line.removeprefix("export type ") for line in types(app).splitlines())
    return dict(line.rstrip(";").split(" = ", 1) for line in found if " = " in line)


def test_schemas_become_types() -> None:
    said = lines(App(cards=Cards))
    card = '{ suit: "hearts" | "spades"; rank: number; note?: string | null'
    assert said["CardsEvent"] == f'{card}; type: "play" }} | {{ type: "fold" }}'
    assert said["CardsState"] == (
        f"{{ cards: Array<{card} }}>; names: Record<string, string>; pair: [number, boolean] }}"
    )
    assert said["CardsContext"] == "CardsState"
    assert said["CardsEmitted"] == '{ type: "cheer" }'
    assert said["CardsValue"] == (
        '"open" | { busy: { "left-hand": {}; right: {} } } | { over: "won" | "lost" }'
    )


def test_without_schemas_there_are_the_events_and_the_first_context() -> None:
    class Free(Room):
        machine = create_machine(
            {
                "context": {"public": {"n": 1, "who": None, "all": [1, "a"], "none": []}, "x": {}},
                "on": {
                    type: {"actions": assign({})}
                    for type in ("go", "stop-now", "room.left", "*")
                },
            }
        )  # fmt: skip
        volatile = ("cursor",)

    kinds: dict[str, Any] = {"my-free.kind": Free}
    said = lines(App(**kinds))
    assert said["MyFreeKindEvent"] == (
        '{ type: "go"; [field: string]: unknown } | { type: "stop-now"; [field: string]: unknown }'
        ' | { type: "cursor"; [field: string]: unknown }'
    )
    assert said["MyFreeKindState"] == (
        "{ public: { n: number; who: unknown; all: Array<number | string>; none: Array<unknown> };"
        " x: Record<string, unknown> }"
    )
    assert said["MyFreeKindContext"].startswith("MyFreeKindState extends { public: infer")


@pytest.mark.parametrize(
    ("view", "context"),
    [
        (policy({"context.cards": shown}), "SomeOf<CardsState>"),
        (lambda snapshot, viewer: {}, "any"),
    ],
    ids=["policy", "function"],
)
def test_what_a_view_leaves_of_the_context_is_not_promised(view: Any, context: str) -> None:
    kind = type("Kind", (Room,), {"machine": TABLE, "view": view})
    assert lines(App(cards=kind))["CardsContext"] == context


def test_a_type_within_itself_ends() -> None:
    class Kind(Room):
        machine = setup(
            context={
                "$ref": "#/$defs/Tree",
                "$defs": {
                    "Tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}
                },
            }
        ).create_machine({"context": {}})

    assert lines(App(kind=Kind))["KindState"] == "{ left?: unknown }"


def _compilers() -> Iterable[str]:
    yield str(Path(__file__).parents[2] / "client/js/node_modules/.bin/tsc")
    yield "tsc"


def test_a_compiler_takes_them(tmp_path: Path) -> None:
    compiler = next((found for name in _compilers() if (found := shutil.which(name))), None)
    if compiler is None:
        pytest.skip("needs TypeScript: cd client/js && npm ci")
    (tmp_path / "rooms.d.ts").write_text(types(App(cards=Cards)) + types(trivia))
    (tmp_path / "page.ts").write_text(
        'import type { CardsEvent, CardsContext, CardsValue } from "./rooms";\n'
        'export const event: CardsEvent = { type: "play", suit: "hearts", rank: 2 };\n'
        'export const value: CardsValue = { over: "won" };\n'
        "export const first = (context: CardsContext): number => context.cards[0].rank;\n"
        "// @ts-expect-error\n"
        'export const wrong: CardsEvent = { type: "play", suit: "clubs", rank: 2 };\n'
    )
    done = subprocess.run(
        [compiler, "--noEmit", "--strict", "--skipLibCheck", "false", "page.ts"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.returncode == 0
