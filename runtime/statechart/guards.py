"""Guards that are built from others: `and_ or_ not_ state_in`. They may stand wherever a guard may.

Next: runtime/statechart/library.py, which turns any guard of a config into a check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .values import matches_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .args import Args
    from .library import Library
    from .values import StateValue

    Check = Callable[[Args, Any], Any]


class BuiltinGuard:
    """A guard that knows how to make its check."""

    __slots__ = ()
    type = ""

    def compile(self, library: Library, path: str) -> Check:
        """The check, its parts resolved by `library`."""
        raise NotImplementedError


class _Composed(BuiltinGuard):
    __slots__ = ("guards", "type")

    def __init__(self, type: str, guards: Sequence[Any]) -> None:
        self.type = type
        self.guards = list(guards)

    def compile(self, library: Library, path: str) -> Check:
        parts = [library.guard(guard, f"{path}.{self.type}") for guard in self.guards]
        checks = [(part.check, part.params) for part in parts]
        if self.type == "not":
            ((check, own),) = checks
            return lambda args, _: not check(args, own)
        quantify = all if self.type == "and" else any
        return lambda args, _: quantify(check(args, own) for check, own in checks)


class _StateIn(BuiltinGuard):
    __slots__ = ("value",)
    type = "stateIn"

    def __init__(self, value: StateValue) -> None:
        self.value = value

    def compile(self, library: Library, path: str) -> Check:
        value = self.value
        if isinstance(value, str) and value.startswith("#"):
            node = library.node(value, path)
            return lambda args, _: node() in args._scope.base.configuration.node_set
        return lambda args, _: matches_state(value, args._scope.base.configuration.value)


def and_(guards: Sequence[Any]) -> BuiltinGuard:
    """All of these guards pass."""
    return _Composed("and", guards)


def or_(guards: Sequence[Any]) -> BuiltinGuard:
    """One of these guards passes."""
    return _Composed("or", guards)


def not_(guard: Any) -> BuiltinGuard:
    """This guard doesn't pass."""
    return _Composed("not", [guard])


def state_in(value: StateValue) -> BuiltinGuard:
    """The state lies within `value`, or the node `"#id"` is active."""
    return _StateIn(value)
