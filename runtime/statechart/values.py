"""State values: `"open"` or nested dicts, and the paths and keys they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: "open", or {"open": "clean"}, or {"left": …, "right": …} for parallel regions.
StateValue = str | dict[str, Any]


def matches_state(pattern: StateValue, value: StateValue) -> bool:
    """Whether `value` lies within `pattern`: `"a"` covers `{"a": "b"}`, and `"a.b"` equals it."""
    pattern, value = to_state_value(pattern), to_state_value(value)
    if isinstance(value, str):
        return pattern == value
    if isinstance(pattern, str):
        return pattern in value
    return all(key in value and matches_state(part, value[key]) for key, part in pattern.items())


def to_state_value(value: StateValue) -> StateValue:
    """A dotted path as a nested value; anything else as it is."""
    return path_to_state_value(to_state_path(value)) if isinstance(value, str) else value


def to_state_path(path: str | Sequence[str]) -> list[str]:
    """The keys of a dotted path; a backslash takes the next character as it stands."""
    if not isinstance(path, str):
        return list(path)
    if "\\" not in path:
        return path.split(".")
    keys = [""]
    characters = iter(path)
    for character in characters:
        if character == ".":
            keys.append("")
        else:
            keys[-1] += next(characters, "") if character == "\\" else character
    return keys


def path_to_state_value(path: Sequence[str]) -> StateValue:
    """`["a", "b", "c"]` → `{"a": {"b": "c"}}`."""
    value: StateValue = path[-1]
    for key in reversed(path[:-1]):
        value = {key: value}
    return value


def javascript_order(keys: Iterable[str]) -> list[str]:
    """Keys as JavaScript enumerates them: integer-like ones ascending, then as declared."""
    declared = list(keys)
    indexes = [key for key in declared if is_index(key)]
    if not indexes:
        return declared
    return sorted(indexes, key=int) + [key for key in declared if not is_index(key)]


def is_index(key: str) -> bool:
    """Whether JavaScript takes this key for an array index (below 2^32 - 1, no leading zero)."""
    return (
        key.isdecimal()
        and key.isascii()
        and (key == "0" or key[0] != "0")
        and int(key) < 4294967295
    )


def text_keys(mapping: Mapping[Any, Any]) -> dict[str, Any]:
    """A mapping with text keys in JavaScript's order; `after: {1000: …}` may have number keys."""
    as_text = {key if isinstance(key, str) else _number_key(key): mapping[key] for key in mapping}
    return {key: as_text[key] for key in javascript_order(as_text)}


def _number_key(key: float) -> str:
    return str(int(key)) if isinstance(key, float) and key.is_integer() else str(key)
