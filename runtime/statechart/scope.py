"""What actor logic may ask of the actor that runs it, and what an actor asks of its logic.

The step (`step.py`) and every other logic work against these; `runtime/actor.py` implements them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    # Only type checkers see defaults: machines of which nothing is declared are machines of Any.
    from typing import Generic as Generic

    from typing_extensions import TypeVar

    from .args import Args
    from .snapshot import Snapshot

    ContextT = TypeVar("ContextT", default=Any)
    EventT = TypeVar("EventT", default=Any)
    EventT_contra = TypeVar("EventT_contra", default=Any, contravariant=True)
    InputT = TypeVar("InputT", default=Any)
    InputT_contra = TypeVar("InputT_contra", default=Any, contravariant=True)
    OutputT = TypeVar("OutputT", default=Any)
    SnapshotT = TypeVar("SnapshotT", default=Any)
    SnapshotT_co = TypeVar("SnapshotT_co", default=Any, covariant=True)
else:
    from typing import TypeVar

    ContextT = TypeVar("ContextT")
    EventT = TypeVar("EventT")
    EventT_contra = TypeVar("EventT_contra", contravariant=True)
    InputT = TypeVar("InputT")
    InputT_contra = TypeVar("InputT_contra", contravariant=True)
    OutputT = TypeVar("OutputT")
    SnapshotT = TypeVar("SnapshotT")
    SnapshotT_co = TypeVar("SnapshotT_co", covariant=True)

    class Generic:
        """When the program runs, a class with some of its types given is the class itself."""

        __slots__ = ()

        def __class_getitem__(cls, types: Any) -> type:
            return cls


#: An event: a dict with a string `type`, otherwise plain JSON data.
Event = dict[str, Any]


class ActorRef(Protocol):
    """A handle to an actor: may be kept in context, sent to, and asked for its snapshot."""

    id: str
    session_id: str

    def send(self, event: Event) -> None:
        """Put an event into the actor's mailbox."""

    def get_snapshot(self) -> Any:
        """The actor's snapshot."""


@runtime_checkable
class ActorLogic(Protocol[InputT_contra, SnapshotT_co, EventT_contra]):
    """Behaviour of an actor: machines, coroutines, reducers, or an object of one's own.

    Optional besides: `start(snapshot, scope)` and `restore_snapshot(persisted, scope)`.
    """

    def transition(self, snapshot: Any, event: EventT_contra, scope: Any) -> Any:
        """The next snapshot. May raise: the actor's status becomes `error`."""

    def get_initial_snapshot(self, scope: Any, input: InputT_contra) -> SnapshotT_co:
        """The first snapshot: an object with `status`, `output` and `error`."""

    def get_persisted_snapshot(self, snapshot: Any) -> Mapping[str, Any]:
        """The snapshot as plain JSON data that aliases nothing."""


class Scope:
    """The working state of a macrostep, and the machine's way to its surroundings.

    `base` is the snapshot the microstep started from, `children` those it will have, `queue` the
    raised events, `deferred` the effects to perform when the macrostep is done, `awaited` the ids
    of children about to be invoked, `output` the machine's once it is done.
    Of `system` the step asks for `strict` (raise what a first step raises), `inspector` and
    `witness` (who is told of each microstep, or None).
    """

    __slots__ = ("awaited", "base", "children", "deferred", "output", "queue", "system")

    awaited: tuple[str, ...]
    base: Snapshot
    children: dict[str, Any]
    deferred: list[Any]
    output: Any
    queue: list[Event]
    system: Any

    address: str
    id: str
    parent: Any

    def spawn(
        self,
        src: Any,
        id: str | None,
        input: Any,
        system_id: str | None,
        sync_snapshot: bool | None,
        *,
        in_place: bool = False,
    ) -> ActorRef:
        """Make a child from logic or from the name of some, put it into `children`, and defer its
        start: among initial actions to its place, if that matters.
        """
        raise NotImplementedError

    def restore_child(self, id: str, src: str, data: Mapping[str, Any]) -> ActorRef:
        """Make a child again from its persisted form."""
        raise NotImplementedError

    def release(self, child: Any) -> None:
        """Free the child's system ids now; stop it in place if it has not been started, else defer
        that.
        """
        raise NotImplementedError

    def act(
        self, type: str, params: Any, run: Callable[[Any, Any], Any] | None, args: Args
    ) -> None:
        """A custom action, in place."""
        raise NotImplementedError

    def show(self, type: str, params: Any) -> None:
        """One of XState's own actions, in place, for those who inspect."""
        raise NotImplementedError

    def log(self, label: str | None, value: Any) -> None:
        """A value to log, in place."""
        raise NotImplementedError

    def declare(self, name: str, params: Any) -> None:
        """A declared effect, in place."""
        raise NotImplementedError

    def now(self) -> float:
        """The time of this macrostep, ms."""
        raise NotImplementedError

    def random(self) -> Random:
        """The system's generator."""
        raise NotImplementedError
