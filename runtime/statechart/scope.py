"""What actor logic may ask of the actor that runs it, and what an actor asks of its logic.

The step (`step.py`) and every other logic work against these; `runtime/actor.py` implements them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An event: a dict with a string `type`, otherwise plain JSON data.
Event = dict[str, Any]


class ActorRef(Protocol):
    """A handle to an actor: may be kept in context, sent to, and asked for its snapshot."""

    @property
    def id(self) -> str: ...

    @property
    def session_id(self) -> str: ...

    def send(self, event: Event) -> None: ...

    def get_snapshot(self) -> Any: ...


@runtime_checkable
class ActorLogic(Protocol):
    """Behaviour of an actor: machines, coroutines, reducers, or an object of one's own."""

    def transition(self, snapshot: Any, event: Event, scope: Any) -> Any:
        """The next snapshot. May raise: the actor's status becomes `error`."""

    def get_initial_snapshot(self, scope: Any, input: Any) -> Any:
        """The first snapshot: an object with `status`, `output` and `error`."""

    def get_persisted_snapshot(self, snapshot: Any) -> Mapping[str, Any]:
        """The snapshot as plain JSON data that aliases nothing."""
