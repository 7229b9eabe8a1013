"""Observers and subscriptions: who wants to know, and how they stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


class Subscription:
    """A place among subscribers, given up by `unsubscribe`."""

    __slots__ = ("_among",)

    def __init__(self, among: Subscribers, observer: Observer) -> None:
        self._among = among
        among[self] = observer

    def unsubscribe(self) -> None:
        """Hear no more. May be called twice."""
        self._among.pop(self, None)


#: Those who hear of the same, in the order in which they came.
Subscribers = dict[Subscription, Observer]


def each(among: Subscribers) -> Iterator[Observer]:
    """All of them, as a JavaScript Set is gone through: who comes meanwhile is told too, who has
    left isn't.
    """
    told: set[Subscription] = set()
    while pending := [subscription for subscription in among if subscription not in told]:
        for subscription in pending:
            told.add(subscription)
            if subscription in among:
                yield among[subscription]


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
