"""The actor system as a value: one outside event in, the next system snapshot and effects out.

Pure in effect: time is `now` (ms), chance is `seed`. A room drives it, commits the snapshot, then
performs the effects. The actors of the snapshot that was made last are kept at hand; a step from
any other snapshot makes its actors again first.
Next: runtime/perform.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .actor import Actor
from .addresses import ids_of
from .errors import RestoreError
from .logic import REJECT
from .recording import Recording, shared_snapshot
from .statechart.events import AFTER
from .statechart.snapshot import Snapshot
from .timers import Timer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .recording import ChildRef
    from .statechart.effects import Effect
    from .statechart.nodes import Transition
    from .statechart.scope import ActorLogic, Event

#: How `Performer` wraps what an outside actor has to say: `number` tells what comes too late, `to`
#: is self or parent.
OUTSIDE = "xstate.outside"
#: Its event when the outside actor has failed without an event of its own.
FAILED = "xstate.outside.failed"


class Taken(NamedTuple):
    """A transition that was taken: by which actor, for which event, from which node to which (full
    ids).

    `source` is empty where no transition of a machine was: a child's error that nobody handled,
    another logic's step.
    """

    actor: str
    event: str
    source: str
    targets: tuple[str, ...]


class SystemSnapshot:
    """Every actor of one system at one moment: immutable, sharing structure with its predecessor.

    `root` is the root's snapshot, `timers` the delayed events in the order in which they were sent,
    `next_due` the absolute ms of the earliest of them.
    """

    __slots__ = ("_count", "_ref", "_seed", "_starts", "next_due", "root", "timers")

    def __init__(
        self, ref: ChildRef, timers: tuple[Timer, ...], count: int, starts: int, seed: int
    ) -> None:
        self._ref = ref
        self._count = count
        self._starts = starts
        self._seed = seed
        self.root: Any = ref.get_snapshot()
        self.timers = timers
        self.next_due = min(timer.due for timer in timers) if timers else None

    @property
    def seed(self) -> int:
        """The state of the system's generator."""
        return self._seed

    def refs(self) -> Iterator[ChildRef]:
        """Every actor of the system, the root first."""
        pending = [self._ref]
        for ref in pending:
            yield ref
            pending += getattr(ref.get_snapshot(), "children", {}).values()

    def actor(self, address: str) -> Any:
        """The snapshot of the actor at `address`, or None."""
        snapshot = self.root
        for id in ids_of(address):
            child = getattr(snapshot, "children", {}).get(id)
            if child is None:
                return None
            snapshot = child.get_snapshot()
        return snapshot


class Step(NamedTuple):
    """What one outside event did. With an `error`, `snapshot` is the one given in and nothing else
    happened.
    """

    snapshot: SystemSnapshot
    effects: tuple[Effect, ...]
    taken: tuple[Taken, ...]
    error: Exception | None


class System:
    """Runs one actor system for a host that keeps its snapshots.

    Args:
        logic: of the root. Raises DefinitionError if it lacks implementations.
        id: of the root actor.
        on_error: what an exception in a guard, an assign or the like does: `reject` drops the whole
            step, `stop` puts
            the actor into status `error`, as in XState.
    """

    def __init__(
        self,
        logic: ActorLogic,
        *,
        id: str | None = None,
        on_error: Literal["reject", "stop"] = "reject",
    ) -> None:
        complete = getattr(logic, "require_complete", None)
        if complete is not None:
            complete()
        self._logic = logic
        self._id = id
        self._strict = on_error == "reject"
        self._recording: Recording | None = None
        self._latest: SystemSnapshot | None = None

    def initial(self, *, input: Any = None, now: int, seed: int) -> Step:
        """The system's first snapshot, its initial macrostep done.

        There is no earlier snapshot to keep: what an initial action raises is raised here.
        """
        recording = Recording(strict=self._strict, seed=seed)
        recording.begin(now)
        recording.root = Actor(self._logic, recording, id=self._id, input=input)
        recording.root.start()
        return self._finish(None, recording, None)

    def step(
        self, snapshot: SystemSnapshot, event: Event, *, now: int, target: str | None = None
    ) -> Step:
        """One outside event, to the root or to the actor at the address `target`, run to
        quiescence.

        Never raises for the machine's fault: see `Step.error`.
        """
        recording = self._load(snapshot)
        actor = recording.find(target or "")
        if actor is not None and event["type"] == OUTSIDE:
            if actor.number != event["number"] or not actor.runs:
                return Step(snapshot, (), (), None)  # from a start that is over
            if event["to"] == "parent":
                actor = actor.parent
            event = event["event"]
        if actor is None:
            return Step(snapshot, (), (), None)
        return self._turn(snapshot, recording, actor, event, now, target is not None)

    def fire(self, snapshot: SystemSnapshot, timer: Timer, *, now: int) -> Step:
        """A due timer: takes it from the list and delivers its event. One that isn't in the list
        does nothing.
        """
        if timer not in snapshot.timers:
            return Step(snapshot, (), (), None)
        recording = self._load(snapshot)
        remaining = list(snapshot.timers)
        remaining.remove(timer)
        recording.timers = tuple(remaining)
        actor = recording.find(timer.target)
        if actor is None or not timer.meant_for(actor):
            recording.begin(now)
            return self._finish(snapshot, recording, None)
        return self._turn(snapshot, recording, actor, timer.event, now, False)

    def persist(self, snapshot: SystemSnapshot) -> dict[str, Any]:
        """The system as plain JSON in XState's shape, aliasing nothing."""
        persisted = dict(self._logic.get_persisted_snapshot(snapshot.root))
        if snapshot.timers:
            persisted["timers"] = [timer.to_json() for timer in snapshot.timers]
        return _numbered(persisted, snapshot)

    def share(self, snapshot: SystemSnapshot) -> dict[str, Any]:
        """What `persist` gives, with the data as it is: neither copied nor checked, not to be
        changed. What two snapshots have in common, these have in common, by identity: what changed
        between them is found without looking at the rest.
        """
        shared = dict(shared_snapshot(self._logic, snapshot.root))
        if snapshot.timers:
            shared["timers"] = [timer.shared_json() for timer in snapshot.timers]
        return _numbered(shared, snapshot)

    def restore(
        self,
        persisted: Mapping[str, Any],
        *,
        now: int,
        invoked: Literal["restart", "fail", "resume"] = "restart",
        asleep_since: int | None = None,
    ) -> Step:
        """The system from its persisted form; the effects start its outside actors again.

        Args:
            invoked: what becomes of coroutines that were running: started anew, failed, or started
                under their old
                number, which serves as an idempotency key.
            asleep_since: given when timers keep what was left of them: the clock stood still from
                then until now.

        Raises:
            RestoreError: with what differs, before anything is touched.
        """
        recording = Recording(
            strict=self._strict,
            seed=persisted.get("seed", 0),
            count=persisted.get("counter", 1),
            starts=persisted.get("starts", 0),
        )
        recording.begin(now)
        shift = 0 if asleep_since is None else now - asleep_since
        recording.timers = tuple(
            Timer.from_json(timer, shift) for timer in persisted.get("timers") or ()
        )
        restored = getattr(self._logic, "restore_snapshot", None)
        if restored is None:
            raise RestoreError("", f"{self._logic!r} can't restore snapshots")
        recording.root = Actor(self._logic, recording, id=self._id, persisted=persisted)
        recording.restoring = invoked
        recording.root.start()
        recording.restoring = None
        recording.timers = tuple(
            _heard(recording.find(timer.target), timer, recording.timers)
            for timer in recording.timers
        )
        for actor in recording.interrupted:
            error = RestoreError(actor.address, "it was interrupted while it ran")
            recording.relay(actor, actor, {"type": REJECT, "data": error})
        return self._finish(None, recording, None)

    def forget(self) -> None:
        """Let go of the actors of the last step, which refer to each other; a later step makes them
        again from its snapshot.
        """
        if self._recording is not None:
            self._recording.forget()
        self._recording = self._latest = None

    def _load(self, snapshot: SystemSnapshot) -> Recording:
        recording = self._recording
        if recording is None or self._latest is not snapshot:
            recording = Recording(
                strict=self._strict,
                seed=snapshot._seed,
                count=snapshot._count,
                starts=snapshot._starts,
            )
            recording.timers = snapshot.timers
            recording.thaw(snapshot._ref)
            self._recording, self._latest = recording, snapshot
        return recording

    def _turn(
        self,
        snapshot: SystemSnapshot,
        recording: Recording,
        actor: Actor,
        event: Event,
        now: int,
        addressed: bool,
    ) -> Step:
        recording.begin(now)
        try:
            if event["type"] == FAILED:
                actor.fail(event["error"])
            else:
                recording.relay(None, actor, event)
        except Exception as error:
            self._recording = None  # its actors are halfway
            return Step(snapshot, (), (), error)
        return self._finish(snapshot, recording, actor if addressed else None, event["type"])

    def _finish(
        self,
        before: SystemSnapshot | None,
        recording: Recording,
        addressed: Actor | None,
        event_type: str = "",
    ) -> Step:
        recording.end()
        others = {
            actor: recording.frozen.get(actor)
            for actor in recording.touched
            if not isinstance(actor.get_snapshot(), Snapshot)
        }
        ref = recording.freeze_root()
        taken = [
            Taken(scope.address, event["type"], *_ends(transition))
            for scope, event, transitions in recording.taken
            for transition in transitions or (None,)
            if transition is None or not transition.forbidden
        ]
        for actor, known in others.items():
            if actor is addressed or recording.frozen.get(actor) is not known:
                taken.append(Taken(actor.address, event_type, "", ()))
        if (
            before is not None
            and before._ref is ref
            and before.timers is recording.timers
            and before._seed == recording.seed
            and before._count == recording.count
        ):
            after = before
        else:
            after = SystemSnapshot(
                ref, recording.timers, recording.count, recording.starts, recording.seed
            )
        self._recording, self._latest = recording, after
        return Step(after, tuple(recording.effects), tuple(taken), None)


def _numbered(persisted: dict[str, Any], snapshot: SystemSnapshot) -> dict[str, Any]:
    persisted["counter"] = snapshot._count
    persisted["starts"] = snapshot._starts
    persisted["seed"] = snapshot._seed
    return persisted


def _heard(actor: Actor | None, timer: Timer, timers: Sequence[Timer]) -> Timer:
    """A stored timer as the machine of now knows it. Where a state's delay is another one, what was
    set runs on to its own due time; the new delay counts from when the state is entered next.

    Raises RestoreError: the state or its delayed transition is no more, or which of several is
    meant can't be told; lost in silence, the state might never end.
    """
    type, snapshot = timer.event["type"], None if actor is None else actor.get_snapshot()
    if not isinstance(snapshot, Snapshot) or not type.startswith(AFTER):
        return timer
    nodes = snapshot.configuration.nodes
    if any(type in node.transitions for node in nodes):
        return timer
    mine = [one.event["type"] for one in timers if one.target == timer.target]
    for node in nodes:
        of_node = {one for one in mine if one.endswith(f".{node.id}")}
        new = {t.event_type for t in node.after} - of_node
        old = {one for one in of_node if one.startswith(AFTER) and one not in node.transitions}
        if old == {type} and len(new) == 1:
            (now,) = new
            id = now if timer.id == type else timer.id
            return replace(timer, event={**timer.event, "type": now}, id=id)
    raise RestoreError("timers", f"'{type}' is of no state that this machine is in")


def _ends(transition: Transition | None) -> tuple[str, tuple[str, ...]]:
    if transition is None:
        return "", ()
    return transition.source.id, tuple(node.id for node in transition.targets or ())
