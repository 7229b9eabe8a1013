"""`rooms types`: TypeScript types of what a page sends to each kind of room, and gets to see.

In: an App, whose machines say what their events and context are (JSON Schema, from `setup`), or at
least which events they know and how their context begins. Out: one module of types, for
`Room<CounterContext, CounterEvent>` of the façade.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from rooms.sync.policy import Policy
from rooms.sync.views import everything, public
from runtime import StateMachine, System
from runtime.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rooms.app import App
    from rooms.definition import Room
    from runtime.statechart.nodes import StateNode

_HEAD: Final = """\
// Made by `rooms types`. In a page:
//   /** @type {import("/client/index.js").Room<TITLEContext, TITLEEvent>} */
//   const room = connect("/rooms/NAME/…");
"""
_SOME_OF: Final = """\
/** A policy shows some of it, or how many items there are. */
type SomeOf<T> = T extends object ? { [K in keyof T]?: SomeOf<T[K]> | number } : T;
"""
_SIMPLE: Final = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def types(app: App) -> str:
    """The module's text."""
    first = next(iter(app.kinds))
    blocks = [_HEAD.replace("TITLE", _title(first)).replace("NAME", first)]
    if any(isinstance(room.view, Policy) for room in app.kinds.values()):
        blocks.append(_SOME_OF)
    for name, room in app.kinds.items():
        if isinstance(room.machine, StateMachine):
            blocks.append("\n".join(_types_of(name, room)))
    return "\n".join(blocks)


def _types_of(name: str, room: type[Room]) -> Iterator[str]:
    machine: StateMachine = room.machine
    title = _title(name)
    schemas = json_schema(machine)
    yield f"/** What may be sent to a {name}. */"
    if "events" in schemas:
        yield f"export type {title}Event = {_Writer(schemas['events']).type()};"
    else:
        yield f"export type {title}Event = {_union(map(_free_event, _events(room)))};"
    whole = "context" not in schemas
    context = _sketch(_first_context(name, room)) if whole else _Writer(schemas["context"]).type()
    yield f"/** What its machine knows{', as far as it begins' if whole else ''}. */"
    yield f"export type {title}State = {context};"
    if room.view is everything:
        seen = f"{title}State"
    elif room.view is public:
        seen = f"{title}State extends {{ public: infer Seen }} ? Seen : unknown"
    else:
        seen = f"SomeOf<{title}State>" if isinstance(room.view, Policy) else "any"
    yield "/** What is shown of that. */"
    yield f"export type {title}Context = {seen};"
    yield "/** The machine's state. */"
    yield f"export type {title}Value = {_value(machine.root)};"
    if "emitted" in schemas:
        yield "/** What it emits. */"
        yield f"export type {title}Emitted = {_Writer(schemas['emitted']).type()};"


def _title(kind: str) -> str:
    """The kind's name as types begin with it."""
    parts = re.split(r"[^A-Za-z0-9]+", kind)
    return "".join(part[:1].upper() + part[1:] for part in parts)


def _events(room: type[Room]) -> list[str]:
    """The types that somebody may send, or cast; wildcards name none."""
    ours = ("xstate.", "room.")
    known = [*room.machine.events, *room.volatile]
    return [event for event in known if "*" not in event and not event.startswith(ours)]


def _free_event(type: str) -> str:
    return f"{{ type: {json.dumps(type)}; [field: string]: unknown }}"


def _first_context(name: str, room: type[Room]) -> Any:
    """The context that a session begins with."""
    made = room(name, "types")
    return System(room.machine).initial(input=made.input(), now=0, seed=1).snapshot.root.context


def _value(node: StateNode) -> str:
    """The values that a state can have, as XState writes them."""
    regions = node.regions()
    if node.type == "parallel":
        return f"{{ {'; '.join(f'{_key(child.key)}: {_value(child)}' for child in regions)} }}"
    leaves = [json.dumps(child.key) for child in regions if not child.regions()]
    deeper = [f"{{ {_key(child.key)}: {_value(child)} }}" for child in regions if child.regions()]
    return _union([*leaves, *deeper]) if regions else "{}"


class _Writer:
    """Writes one JSON Schema as a type; what it defines is written in its place."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._definitions = schema.get("$defs", {})
        self._within: list[str] = []

    def type(self) -> str:
        return self._type(self._schema)

    def _type(self, schema: Any) -> str:
        match schema:
            case {"$ref": str(reference)}:
                return self._referred(reference.rpartition("/")[2])
            case {"const": value}:
                return json.dumps(value)
            case {"enum": [*values]}:
                return _union(json.dumps(value) for value in values)
            case {"anyOf": [*options]} | {"oneOf": [*options]}:
                return _union(self._type(option) for option in options)
            case {"allOf": [*options]}:
                return " & ".join(self._type(option) for option in options)
            case {"type": [*names]}:
                return _union(self._type({**schema, "type": name}) for name in names)
            case {"type": "array", "prefixItems": [*items]}:
                return f"[{', '.join(self._type(item) for item in items)}]"
            case {"type": "array"}:
                return f"Array<{self._type(schema.get('items', {}))}>"
            case {"type": "object"} | {"properties": _}:
                return self._object(schema)
            case {"type": str(name)}:
                return _SIMPLE.get(name, "unknown")
            case _:
                return "unknown"

    def _object(self, schema: Mapping[str, Any]) -> str:
        required = schema.get("required", ())
        fields = [
            f"{_key(key)}{'' if key in required else '?'}: {self._type(field)}"
            for key, field in schema.get("properties", {}).items()
        ]
        more = schema.get("additionalProperties", not fields)
        if more and not fields:
            return f"Record<string, {'unknown' if more is True else self._type(more)}>"
        if more:
            fields.append("[field: string]: unknown")
        return f"{{ {'; '.join(fields)} }}"

    def _referred(self, name: str) -> str:
        if name in self._within or name not in self._definitions:
            return "unknown"  # a type within itself
        self._within.append(name)
        try:
            return self._type(self._definitions[name])
        finally:
            self._within.pop()


def _sketch(value: Any) -> str:
    """A type that this value has. An empty list or dict says nothing of what it will hold."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case [*items]:
            return f"Array<{_union(map(_sketch, items)) if items else 'unknown'}>"
        case {} if value:
            return (
                f"{{ {'; '.join(f'{_key(key)}: {_sketch(item)}' for key, item in value.items())} }}"
            )
        case _:
            return "Record<string, unknown>"


def _union(options: Any) -> str:
    return " | ".join(dict.fromkeys(options)) or "never"


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)
