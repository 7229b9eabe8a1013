"""The actor system as a value: one outside event in, the next system snapshot and effects out.

Pure in effect: time is `now` (ms), chance is `seed`. A room drives it, commits the snapshot, then performs the effects.
Next: runtime/perform.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .statechart.effects import Effect
    from .statechart.scope import ActorLogic, Event
    from .statechart.snapshot import Snapshot
    from .timers import Timer


class Taken(NamedTuple):
    """A transition that was taken: by which actor, for which event, from which node to which (full ids)."""

    actor: str
    event: str
    source: str
    targets: tuple[str, ...]


class SystemSnapshot:
    """Every actor of one system at one moment: immutable, sharing structure with its predecessor."""

    __slots__ = ("next_due", "root", "timers")

    root: Snapshot
    timers: tuple[Timer, ...]
    next_due: int | None

    def actor(self, address: str) -> Snapshot | None:
        """The snapshot of the actor at `address`, or None."""
        raise NotImplementedError


class Step(NamedTuple):
    """What one outside event did. With an `error`, `snapshot` is the one given in and nothing else happened."""

    snapshot: SystemSnapshot
    effects: tuple[Effect, ...]
    taken: tuple[Taken, ...]
    error: Exception | None


class System:
    """Runs one actor system for a host that keeps its snapshots."""

    def __init__(
        self,
        logic: ActorLogic,
        *,
        id: str | None = None,
        on_error: Literal["reject", "stop"] = "reject",
    ) -> None:
        raise NotImplementedError

    def initial(self, *, input: Any = None, now: int, seed: int) -> Step:
        """The system's first snapshot, its initial macrostep done."""
        raise NotImplementedError

    def step(
        self, snapshot: SystemSnapshot, event: Event, *, now: int, target: str | None = None
    ) -> Step:
        """One outside event, to the root or to the actor at the address `target`, run to quiescence."""
        raise NotImplementedError

    def fire(self, snapshot: SystemSnapshot, timer: Timer, *, now: int) -> Step:
        """A due timer: takes it from the list and delivers its event."""
        raise NotImplementedError

    def persist(self, snapshot: SystemSnapshot) -> dict[str, Any]:
        """The system as plain JSON in XState's shape, aliasing nothing."""
        raise NotImplementedError

    def restore(
        self,
        persisted: Mapping[str, Any],
        *,
        now: int,
        invoked: Literal["restart", "fail", "resume"] = "restart",
        timers: Literal["deadline", "remaining"] = "deadline",
    ) -> Step:
        """The system from its persisted form; the effects start its outside actors again."""
        raise NotImplementedError
