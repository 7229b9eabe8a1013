"""Observers and subscriptions: who wants to know, and how they stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Observer:
    """Up to three functions: `next(value)`, `error(exception)`, `complete()`."""

    __slots__ = ("complete", "error", "next")

    def __init__(
        self,
        next: Callable[[Any], Any] | None,
        error: Callable[[Any], Any] | None,
        complete: Callable[[], Any] | None,
    ) -> None:
        self.next = next
        self.error = error
        self.complete = complete


#: In the place of who has left: so nobody is passed over while others are being told, and who comes
#: meanwhile is told too, as when a JavaScript Set is gone through.
_GONE = Observer(None, None, None)


class Subscription:
    """A place in a list of subscribers, given up by `unsubscribe`."""

    __slots__ = ("_among", "_entry")

    def __init__(self, among: list[Observer], entry: Observer) -> None:
        self._among = among
        self._entry = entry
        among.append(entry)

    def unsubscribe(self) -> None:
        """Hear no more. May be called twice."""
        if self._entry in self._among:
            self._among[self._among.index(self._entry)] = _GONE


def present(among: list[Observer]) -> list[Observer]:
    """The list, the places of those who have left closed up: not while it is gone through."""
    if _GONE in among:
        among[:] = [entry for entry in among if entry is not _GONE]
    return among


def to_observer(
    observer: Any = None,
    error: Callable[[Any], Any] | None = None,
    complete: Callable[[], Any] | None = None,
    *,
    next: Callable[[Any], Any] | None = None,
) -> Observer:
    """An observer from a function, a mapping, an object with `next error complete`, or keywords."""
    if isinstance(observer, Observer):
        return observer
    if isinstance(observer, dict):
        return Observer(observer.get("next"), observer.get("error"), observer.get("complete"))
    if observer is None or callable(observer):
        return Observer(observer or next, error, complete)
    return Observer(
        getattr(observer, "next", None),
        getattr(observer, "error", None),
        getattr(observer, "complete", None),
    )
