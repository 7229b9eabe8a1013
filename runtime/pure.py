"""The pure face: one machine, a snapshot and an event in, the next snapshot and effects out.
Nothing is done.

Delayed effects carry their relative delay; children are made but receive nothing, and what is kept
of them is inert.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .actor import Actor
from .mailbox import RUNNING
from .statechart.effects import Act, Declared, Log, Raise, StopChild
from .statechart.selection import candidates_of
from .surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from .statechart.args import Args
    from .statechart.effects import StepEffect
    from .statechart.machine import StateMachine
    from .statechart.nodes import Transition
    from .statechart.plan import Plan
    from .statechart.scope import ActorLogic, Event
    from .statechart.snapshot import Snapshot

#: One microstep: the snapshot after it and the effects it asks for.
Microstep = tuple[Any, "tuple[StepEffect, ...]"]


def initial_transition(
    logic: ActorLogic, input: Any = None, *, now: float = 0, seed: int = 0
) -> tuple[Any, tuple[StepEffect, ...]]:
    """The logic's first snapshot, and the effects of getting there."""
    actor = _InertActor(logic, _InertSystem(now, seed, None))
    snapshot = logic.get_initial_snapshot(actor, input)
    return snapshot, tuple(actor.deferred)


def transition(
    logic: ActorLogic, snapshot: Any, event: Event, *, now: float = 0, seed: int = 0
) -> tuple[Any, tuple[StepEffect, ...]]:
    """The snapshot after an event, and its effects. Raises what guards and assigns raise.

    `now` (ms) and `seed` are what `args.now` and `args.random` go by.
    """
    actor = _InertActor(logic, _InertSystem(now, seed, snapshot), snapshot)
    after = logic.transition(snapshot, event, actor)
    return after, tuple(actor.deferred)


def get_next_snapshot(
    logic: ActorLogic, snapshot: Any, event: Event, *, now: float = 0, seed: int = 0
) -> Any:
    """The snapshot after an event, its effects forgotten."""
    return transition(logic, snapshot, event, now=now, seed=seed)[0]


def get_initial_microsteps(
    machine: StateMachine, input: Any = None, *, now: float = 0, seed: int = 0
) -> list[Microstep]:
    """The microsteps of a machine's initial macrostep. Raises what guards and assigns raise."""
    actor = _InertActor(machine, _InertSystem(now, seed, None))
    trace = actor.system.witness = _Trace(actor)
    first = machine.get_initial_snapshot(actor, input)
    if first.error is not None:
        raise first.error
    return trace.microsteps


def get_microsteps(
    machine: StateMachine, snapshot: Snapshot, event: Event, *, now: float = 0, seed: int = 0
) -> list[Microstep]:
    """The microsteps a machine takes for an event."""
    actor = _InertActor(machine, _InertSystem(now, seed, snapshot), snapshot)
    trace = actor.system.witness = _Trace(actor)
    machine.transition(snapshot, event, actor)
    return trace.microsteps


def get_next_transitions(snapshot: Snapshot) -> list[Transition]:
    """All transitions that could come next, whatever their guards say: leaves first, each before
    its ancestors.
    """
    return candidates_of(snapshot.configuration)


class _InertActor(Actor):
    """The scope of a transition that nobody performs."""

    __slots__ = ()

    def __init__(self, logic: ActorLogic, system: _InertSystem, snapshot: Any = None) -> None:
        super().__init__(logic, system, id="", session_id="x:", at_rest=True)
        self._processing_status = RUNNING
        self._snapshot = snapshot
        system.actor = self

    def release(self, child: Any) -> None:
        self.deferred.append(StopChild(child))  # the child may be part of other snapshots too


class _InertSystem(Surroundings):
    """Surroundings in which everything becomes an effect of the one actor."""

    def __init__(self, now: float, seed: int, snapshot: Any) -> None:
        self.actor: Any = None
        self.inspector = _Raised()
        self.witness: _Trace | None = None
        self.seed = seed
        self._now = now
        self._known = set(getattr(snapshot, "children", ()))

    def book_id(self) -> str:
        number = 0
        while f"x:{number}" in self._known:
            number += 1
        self._known.add(f"x:{number}")
        return f"x:{number}"

    def replaced(self, parent: Actor, child: Actor) -> None:
        """Nobody lives."""

    def now(self) -> float:
        return self._now

    def act(
        self,
        actor: Actor,
        type: str,
        params: Any,
        run: Callable[[Any, Any], Any] | None,
        args: Args,
    ) -> None:
        if actor is self.actor:
            actor.deferred.append(Act("", type, params, run or _nothing, args))

    def log(self, actor: Actor, label: str | None, value: Any) -> None:
        actor.deferred.append(Log("", label, value))

    def declare(self, actor: Actor, name: str, params: Any) -> None:
        actor.deferred.append(Declared("", name, params))

    def emit(self, actor: Actor, event: Event) -> None:
        """Reducers emit through their scope: nobody hears."""

    def stop_outside(self, actor: Actor) -> None:
        """Nothing runs."""

    def mail_outside(self, actor: Actor, event: Event) -> None:
        """Nothing runs."""

    def relay(self, source: Any, target: Any, event: Event) -> None:
        """Nobody receives."""


class _Raised:
    """Puts among the effects, as XState does, for those who read along, what asks for nothing: an
    event that is raised at once, which has been taken already, and to stop whom there isn't.
    """

    def action(self, actor: Any, type: str, params: Any) -> None:
        if type == Raise.type and params["delay"] is None:
            actor.deferred.append(Raise(params["event"], None, params["id"]))
        elif type == StopChild.type and params is None:
            actor.deferred.append(StopChild(None))

    def actor(self, actor: Any) -> None:
        """Children are made, not started."""


class _Trace:
    """Keeps the microsteps of one actor."""

    def __init__(self, actor: Actor) -> None:
        self.microsteps: list[Microstep] = []
        self._actor = actor
        self._seen = 0

    def microstep(self, actor: Any, snapshot: Any, event: Event, plan: Plan | None) -> None:
        if actor is self._actor:
            effects = tuple(actor.deferred[self._seen :])
            self._seen = len(actor.deferred)
            self.microsteps.append((snapshot, effects))


def _nothing(args: Any, params: Any) -> None:
    """An action without implementation does nothing."""
