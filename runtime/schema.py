"""Schemas: what a machine's context, events, input and output look like, as JSON Schema and as a
check at the door.

A schema is given to `setup` as a TypedDict, a dataclass, a pydantic model, any other annotation, or
as JSON Schema, which is shown but not checked. `events` is one schema for all of them, or a mapping
of event type to the schema of its fields (None: it has none). Values are never converted, and
unknown fields are refused unless a model allows them.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from typing import TYPE_CHECKING, Any, Literal, Union, is_typeddict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .statechart.machine import StateMachine

_KEYWORDS = ("$ref", "type", "anyOf", "oneOf", "allOf", "enum", "const")


def json_schema(machine: StateMachine) -> dict[str, Any]:
    """JSON Schema of what `setup` was told: of `context events input output emitted`, as far as
    given.
    """
    return {
        name: _shown(_event_union(schema) if name in ("events", "emitted") else schema)
        for name, schema in machine.schemas.items()
    }


def event_check(machine: StateMachine) -> Callable[[Mapping[str, Any]], str | None]:
    """What is wrong with an event's shape, or None; without a schema nothing ever is."""
    schema = machine.schemas.get("events")
    if schema is None or _is_json_schema(schema):
        return lambda event: None
    if isinstance(schema, dict):
        checks = {name: _check(_with_type(name, fields)) for name, fields in schema.items()}
    else:
        checks = {name: _check(option) for option in _options(schema) for name in _types(option)}
        if not checks:
            return _check(schema)

    def check(event: Mapping[str, Any]) -> str | None:
        known = checks.get(event["type"])
        return f"no event of type '{event['type']}' is declared" if known is None else known(event)

    return check


def _check(schema: Any) -> Callable[[Mapping[str, Any]], str | None]:
    from pydantic import ValidationError  # slow to import, and needed only where there are schemas

    if _is_json_schema(schema):
        return lambda event: None
    adapter = _adapter(schema)

    def check(event: Mapping[str, Any]) -> str | None:
        try:
            adapter.validate_python(event, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            return ": ".join([".".join(str(part) for part in first["loc"]), first["msg"]])
        return None

    return check


def _shown(schema: Any) -> dict[str, Any]:
    shown: dict[str, Any] = schema if _is_json_schema(schema) else _adapter(schema).json_schema()
    return shown


def _adapter(schema: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(_strict(schema))


def _event_union(schema: Any) -> Any:
    if not isinstance(schema, dict) or _is_json_schema(schema):
        return schema
    each = [_with_type(name, fields) for name, fields in schema.items()]
    if any(_is_json_schema(fields) for fields in each):
        return {"anyOf": [_shown(fields) for fields in each]}
    return functools.reduce(operator.or_, each)


def _with_type(event_type: str, fields: Any) -> Any:
    """The fields of one event type, and the type itself."""
    if isinstance(fields, dict):
        properties = {"type": {"const": event_type}, **fields.get("properties", {})}
        required = ["type", *(key for key in fields.get("required", ()) if key != "type")]
        return {**fields, "type": "object", "properties": properties, "required": required}
    from pydantic import create_model

    base = None if fields is None else _model(fields)
    own: dict[str, Any] = {"type": (Literal[event_type], ...)}
    if base is not None:
        return create_model(event_type, __base__=base, **own)
    return create_model(event_type, __config__=_FORBID, **own)


_FORBID: Any = {"extra": "forbid", "strict": True}


def _options(schema: Any) -> tuple[Any, ...]:
    union = typing.get_origin(schema) in (Union, types.UnionType)
    return typing.get_args(schema) if union else (schema,)


def _types(schema: Any) -> tuple[str, ...]:
    """The event types an annotation says it is for."""
    hint = typing.get_type_hints(schema).get("type") if isinstance(schema, type) else None
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _strict(schema: Any) -> Any:
    """The annotation with every record in it as a model that refuses unknown fields."""
    if is_typeddict(schema) or hasattr(schema, "__dataclass_fields__"):
        return _model(schema)
    if hasattr(schema, "model_fields"):
        return _model(schema)
    inner = typing.get_args(schema)
    origin = typing.get_origin(schema)
    if not inner or origin is Literal:
        return schema
    if origin in (Union, types.UnionType):
        return functools.reduce(operator.or_, [_strict(option) for option in inner])
    return origin[tuple(_strict(option) for option in inner)]


#: Record → its model, or a reference to it while it is being made.
_models: dict[Any, Any] = {}
#: The name of such a reference → the model, until all that are made together are whole.
_unfinished: dict[str, Any] = {}


def _model(schema: Any) -> Any:
    """The model of a record. A record that refers to itself finds a reference there."""
    if schema in _models:
        return _models[schema]
    outermost = not _unfinished
    name = f"_{len(_models)}"
    _models[schema], _unfinished[name] = typing.ForwardRef(name), None
    try:
        model = _models[schema] = _unfinished[name] = _made(schema)
        if outermost:
            for unfinished in _unfinished.values():
                unfinished.model_rebuild(_types_namespace=_unfinished)
    except BaseException:
        del _models[schema]
        raise
    finally:
        if outermost:
            _unfinished.clear()
    return model


def _made(schema: Any) -> Any:
    from pydantic import Field, create_model

    if hasattr(schema, "model_fields"):
        allowed = "extra" in schema.model_config
        return schema if allowed else type(schema.__name__, (schema,), {"model_config": _FORBID})
    hints = typing.get_type_hints(schema, include_extras=True)
    optional = {
        key
        for key, hint in hints.items()
        if typing.get_origin(hint) is typing.NotRequired
        or (
            key not in getattr(schema, "__required_keys__", hints)
            and typing.get_origin(hint) is not typing.Required
        )
        or hasattr(schema, key)  # the default of a dataclass
    }
    fields: dict[str, Any] = {
        key: (_strict(_bare(hint)), Field(default_factory=object) if key in optional else ...)
        for key, hint in hints.items()
    }
    return create_model(schema.__name__, __config__=_FORBID, **fields)


def _bare(hint: Any) -> Any:
    if typing.get_origin(hint) in (typing.NotRequired, typing.Required):
        return typing.get_args(hint)[0]
    return hint


def _is_json_schema(schema: Any) -> bool:
    """Whether it is JSON Schema itself, rather than a mapping of event types to the schemas of
    their fields.
    """
    return isinstance(schema, dict) and any(
        isinstance(schema.get(key), (str, list)) for key in _KEYWORDS
    )
