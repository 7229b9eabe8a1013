"""Mutants by name: each is one change to the real code, made while a `with` block lasts."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
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
