"""What a view says, under the names that machines have."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from client.replica import Replica
from client.value import matches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from client.value import StateValue
    from rooms.sync.messages import View

T = TypeVar("T")

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Shown:
    """The fields of the view that is held; each is empty where the view hasn't got it."""

    def __init__(self) -> None:
        self._replica = Replica()

    @property
    def view(self) -> View | None:
        """The view as it was sent; None before the first. Never changed in place."""
        return self._replica.view

    @property
    def cursor(self) -> str | None:
        """What the server calls the view that is held."""
        return self._replica.cursor

    @property
    def value(self) -> StateValue:
        """The machine's state value."""
        return self._field("value", None)

    @property
    def context(self) -> Any:
        """What is shown of the machine's context."""
        return self._field("context", NOTHING)

    @property
    def status(self) -> str | None:
        """`active`, `done`, `error` or `stopped`."""
        return self._field("status", None)

    @property
    def tags(self) -> Sequence[str]:
        """The tags of the active states."""
        return self._field("tags", ())

    @property
    def children(self) -> Mapping[str, View]:
        """The views of child actors, by id."""
        return self._field("children", NOTHING)

    @property
    def output(self) -> Any:
        """The output of a machine that is done."""
        return self._field("output", None)

    @property
    def error(self) -> Any:
        """What is told of a machine's failure."""
        return self._field("error", None)

    @property
    def timers(self) -> Mapping[str, int]:
        """Names of running timers and when they are due, ms by the server's clock."""
        return self._field("timers", NOTHING)

    def matches(self, value: StateValue) -> bool:
        """Whether the machine is in this state, or in one within it."""
        return matches(self.value, value)

    def has_tag(self, tag: str) -> bool:
        """Whether an active state has this tag."""
        return tag in self.tags

    def can(self, event: str | Mapping[str, Any]) -> bool:
        """Whether this event would do something now; False where the room doesn't tell."""
        return (event if isinstance(event, str) else event["type"]) in self._field("can", ())

    def _field(self, name: str, otherwise: T) -> T:
        shown: T = (self._replica.view or NOTHING).get(name, otherwise)
        return shown
