"""Parts of data that stay the same object while what they are made of does (PURE).

For views that an author writes as a function: what `pick`, `omit` and `map_values` give for the
same source is the very object of the time before, so that the next step (`rooms/sync/diff.py`)
doesn't look into it. What they are given is never changed, as all data of a machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rooms.sync.messages import Json

T = TypeVar("T")

REMEMBERED: Final = 4096
"""Results that are kept at least; at most twice as many."""


class _Recent:
    """The newest results by what they were made from. A source is kept with its result, so that its
    id stays its own."""

    def __init__(self) -> None:
        self._young: dict[Any, tuple[Any, Any]] = {}
        self._old: dict[Any, tuple[Any, Any]] = {}

    def get(self, how: Any, source: Any, make: Callable[[], T]) -> T:
        """The result for this source, made at the first time."""
        name = (how, id(source))
        found = self._young.get(name)
        if found is None:
            found = self._old.get(name) or (source, make())
            if len(self._young) >= REMEMBERED:
                self._old, self._young = self._young, {}
            self._young[name] = found
        result: T = found[1]
        return result


recent: Final = _Recent()


def pick(source: Mapping[str, Json], *keys: str) -> dict[str, Json]:
    """Those of `keys` that `source` has: `pick(player, "name", "score")`."""
    return recent.get(
        ("pick", keys), source, lambda: {key: source[key] for key in keys if key in source}
    )


def omit(source: Mapping[str, Json], *keys: str) -> dict[str, Json]:
    """All of `source` but `keys`."""
    return recent.get(
        ("omit", keys), source, lambda: {key: source[key] for key in source if key not in keys}
    )


def map_values(source: Mapping[str, Json], make: Callable[[Json], Json]) -> dict[str, Json]:
    """`make(value)` for each value: of those that are the same objects as before, as it was before.

    `make` is one function, made once (a module's, not a lambda in the view), and looks at nothing
    but its value.

    ```python
    def seen(player):
        return pick(player, "name", "score")

    def view(self, snapshot, viewer):
        return show(snapshot, context={"players": map_values(snapshot.context["players"], seen)})
    ```
    """
    return recent.get(
        ("map", make), source, lambda: {key: _made(make, source[key]) for key in source}
    )


def _made(make: Callable[[Json], Json], value: Json) -> Json:
    if type(value) is not dict and type(value) is not list:
        return make(value)
    return recent.get(("of", make), value, lambda: make(value))
