"""Those who want to be told. One that raises is reported and doesn't stop the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Observer:
    """One who listens: to what comes, to a failure that ends it, to its ordinary end."""

    next: Callable[..., Any] | None = None
    error: Callable[[Exception], Any] | None = None
    complete: Callable[[], Any] | None = None


class Subscription:
    """What `unsubscribe` ends."""

    __slots__ = ("_listeners", "_observer")

    def __init__(self, listeners: Listeners, observer: Observer) -> None:
        self._listeners = listeners
        self._observer = observer

    def unsubscribe(self) -> None:
        """Be told nothing any more. Harmless when repeated."""
        self._listeners.remove(self._observer)


class Listeners:
    """Everybody who listens to one thing, in the order they came."""

    __slots__ = ("_all", "_end")

    def __init__(self) -> None:
        self._all: dict[Observer, None] = {}
        self._end: tuple[Literal["error", "complete"], tuple[Any, ...]] | None = None

    def add(self, observer: Observer, now: tuple[Any, ...] | None = None) -> Subscription:
        """One more; `now` is what there is to tell it at once."""
        if self._end is None:
            self._all[observer] = None
        if now is not None:
            _call(observer.next, now)
        if self._end is not None:
            what, why = self._end
            _call(getattr(observer, what), why)
        return Subscription(self, observer)

    def remove(self, observer: Observer) -> None:
        """One fewer."""
        self._all.pop(observer, None)

    def tell(self, *args: Any) -> bool:
        """Tell all: who comes meanwhile the next time, who leaves meanwhile not any more. False:
        there was nobody.
        """
        everybody = list(self._all)
        for observer in everybody:
            if observer in self._all:
                _call(observer.next, args)
        return bool(everybody)

    def end(self, what: Literal["error", "complete"], *why: Any) -> None:
        """Tell all, and whoever still comes, that nothing will follow."""
        self._end = (what, why)
        everybody = list(self._all)
        self._all.clear()
        for observer in everybody:
            _call(getattr(observer, what), why)


def _call(listener: Callable[..., Any] | None, args: tuple[Any, ...]) -> None:
    if listener is None:
        return
    try:
        listener(*args)
    except Exception:
        _log.exception("a listener of a room failed")
