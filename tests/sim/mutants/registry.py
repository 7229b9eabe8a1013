"""Mutants by name: each is one change to the real code, made while a `with` block lasts."""

from __future__ import annotations

import inspect
from contextlib import ExitStack, contextmanager
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MUTANTS: Final[dict[str, Callable[[Callable[[Any, str, Any], None]], None]]] = {}


def mutant(
    make: Callable[[Callable[[Any, str, Any], None]], None],
) -> Callable[[Callable[[Any, str, Any], None]], None]:
    """Name a mutant by its function, which puts the changes in place."""
    MUTANTS[make.__name__] = make
    return make


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """The code with one guard switched off; None: as it is."""
    with ExitStack() as changes:
        if name is not None:
            changes.enter_context(applied(MUTANTS[name]))
        yield


@contextmanager
def applied(make: Callable[[Callable[[Any, str, Any], None]], None]) -> Iterator[None]:
    """The code with the changes of one mutant."""
    with ExitStack() as changes:
        make(
            lambda owner, attribute, value: changes.enter_context(
                patch.object(owner, attribute, value)
            )
        )
        yield


def edited(
    swap: Callable[[Any, str, Any], None], owner: Any, name: str, old: str, new: str
) -> None:
    """Put a function in place that says `new` where its source says `old`, which it does once: the
    mutant is that one line.
    """
    static = inspect.getattr_static(owner, name)
    function = inspect.unwrap(getattr(static, "fget", None) or getattr(static, "__func__", static))
    source = dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{name} says {source.count(old)} times {old!r}"
    source = source.replace(old, new)
    if inspect.isclass(owner):  # outside of its class nobody knows what is above it
        source = source.replace("super()", f"super({owner.__name__}, self)")
    code = compile(source, f"<{name} edited>", "exec", annotations.compiler_flag)
    made: dict[str, Any] = {}
    exec(code, function.__globals__, made)
    swap(owner, name, made[name])
