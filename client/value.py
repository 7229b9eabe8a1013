"""State values, and which of them match (PURE).

As XState has it: `"a"`, `"a.b"` or `{"a": "b"}`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

StateValue = Any  # a state's name, or a dict from names to state values


def matches(value: StateValue, wanted: StateValue) -> bool:
    """Whether a machine whose value is `value` is in the state `wanted`, which may be less deep."""
    if value is None:
        return False
    held = _unfolded(value) if isinstance(value, str) else value
    want = _unfolded(wanted) if isinstance(wanted, str) else wanted
    if isinstance(want, str):
        return bool(held == want) if isinstance(held, str) else want in held
    if isinstance(held, str):
        return False
    return all(state in held and matches(held[state], inner) for state, inner in want.items())


@lru_cache(maxsize=1024)
def _unfolded(path: str) -> StateValue:
    """`"a.b"` as `{"a": "b"}`; a dot that belongs to a name is written `\\.`"""
    if "." not in path and "\\" not in path:
        return path
    names = [""]
    letters = iter(path)
    for letter in letters:
        if letter == ".":
            names.append("")
        else:
            names[-1] += next(letters, "") if letter == "\\" else letter
    value: StateValue = names.pop()
    while names:
        value = {names.pop(): value}
    return value
