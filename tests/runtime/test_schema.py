"""Schemas: what is shown, what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict

from runtime import setup
from runtime.schema import event_check, json_schema


class Add(TypedDict):
    type: Literal["add"]
    by: int
    note: NotRequired[str]


class Reset(TypedDict):
    type: Literal["reset"]


class Point(TypedDict):
    x: int


class Move(TypedDict):
    to: Point
    path: list[Point]
    how: Literal["fast", "slow"] | None


@dataclass
class Named:
    name: str
    age: int = 0


class Model(BaseModel):
    size: int


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    size: int


class Context(TypedDict):
    n: int


class Tree(TypedDict):
    name: str
    children: list[Tree]


class Pair(TypedDict):
    other: NotRequired[Other]


class Other(TypedDict):
    pair: Pair | None


class Broken(TypedDict):
    self: NotRequired[Broken]
    nothing: NoSuchType  # type: ignore[name-defined]  # noqa: F821


def check(events: Any) -> Any:
    return event_check(setup(events=events).create_machine({}))


def test_a_union_of_typed_dicts_is_told_apart_by_type() -> None:
    wrong = check(Add | Reset)
    assert wrong({"type": "add", "by": 1}) is None
    assert wrong({"type": "add", "by": 1, "note": "x"}) is None
    assert wrong({"type": "reset"}) is None
    assert wrong({"type": "add"}) == "by: Field required"
    assert wrong({"type": "add", "by": "1"}) == "by: Input should be a valid integer"
    assert wrong({"type": "add", "by": True}) == "by: Input should be a valid integer"
    assert wrong({"type": "reset", "x": 1}) == "x: Extra inputs are not permitted"
    assert wrong({"type": "other"}) == "no event of type 'other' is declared"


def test_fields_may_be_given_by_event_type_in_every_form() -> None:
    wrong = check({"move": Move, "named": Named, "model": Model, "loose": Loose, "bare": None})
    move = {"type": "move", "to": {"x": 1}, "path": [{"x": 2}], "how": None}
    assert wrong(move) is None
    assert wrong({**move, "path": [{"x": 2, "y": 3}]}) == "path.0.y: Extra inputs are not permitted"
    assert wrong({**move, "how": "so"}).startswith("how")
    assert wrong({"type": "named", "name": "a"}) is None
    assert wrong({"type": "named", "name": "a", "age": "1"}) is not None
    assert wrong({"type": "model", "size": 1}) is None
    assert wrong({"type": "model", "size": 1, "x": 1}) == "x: Extra inputs are not permitted"
    assert wrong({"type": "loose", "size": 1, "x": 1}) is None
    assert wrong({"type": "bare"}) is None
    assert wrong({"type": "bare", "x": 1}) is not None
    assert wrong({"type": "unknown"}) == "no event of type 'unknown' is declared"


def test_without_a_schema_everything_fits() -> None:
    assert event_check(setup().create_machine({}))({"type": "any"}) is None
    assert check({"type": "object"})({"type": "any"}) is None


def test_json_schema_shows_what_was_given() -> None:
    machine = setup(
        context=Context,
        events=Add | Reset,
        input={"type": "object", "properties": {"n": {"type": "integer"}}},
        emitted={"said": {"type": "object", "properties": {"text": {"type": "string"}}}},
    ).create_machine({})
    shown = json_schema(machine)
    assert shown["context"]["properties"]["n"]["type"] == "integer"
    assert shown["context"]["required"] == ["n"]
    assert shown["context"]["additionalProperties"] is False
    assert shown["input"] == {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert set(shown["events"]["$defs"]) == {"Add", "Reset"}
    assert shown["emitted"]["anyOf"][0]["properties"]["type"] == {"const": "said"}
    assert shown["emitted"]["anyOf"][0]["required"] == ["type"]


def test_events_by_type_become_one_schema() -> None:
    machine = setup(events={"named": Named, "bare": None}).create_machine({})
    shown = json_schema(machine)["events"]
    assert shown["$defs"]["named"]["properties"]["type"]["const"] == "named"
    assert shown["$defs"]["bare"]["required"] == ["type"]


def test_an_annotation_that_is_no_record_serves_too() -> None:
    wrong = check(dict[str, Any])
    assert wrong({"type": "any", "x": 1}) is None


@pytest.mark.parametrize("schema", [{"anyOf": []}, {"$ref": "#"}, {"enum": ["a"]}])
def test_json_schema_itself_is_not_taken_for_event_types(schema: Any) -> None:
    assert json_schema(setup(events=schema).create_machine({}))["events"] == schema


def test_a_record_may_refer_to_itself() -> None:
    wrong = check({"grow": Tree})
    twig = {"name": "twig", "children": []}
    assert wrong({"type": "grow", "name": "tree", "children": [twig]}) is None
    told = wrong({"type": "grow", "name": "tree", "children": [{**twig, "leaf": 1}]})
    assert told == "children.0.leaf: Extra inputs are not permitted"
    shown = json_schema(setup(context=Tree).create_machine({}))["context"]
    assert shown["$ref"] == "#/$defs/Tree"
    assert shown["$defs"]["Tree"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}


def test_records_may_refer_to_each_other() -> None:
    wrong = check({"set": Pair})
    assert wrong({"type": "set", "other": {"pair": {"other": {"pair": None}}}}) is None
    told = wrong({"type": "set", "other": {"pair": {"other": {"pair": 1}}}})
    assert told.startswith("other.pair.other.pair: ")
    shown = json_schema(setup(context=Other).create_machine({}))["context"]
    assert set(shown["$defs"]) == {"Pair", "Other"}


def test_a_record_that_can_t_be_made_says_so_every_time() -> None:
    for _ in range(2):
        with pytest.raises(NameError, match="NoSuchType"):
            json_schema(setup(context=Broken).create_machine({}))
