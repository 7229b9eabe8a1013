"""The surroundings of actors in a room: within a turn everything is recorded as effects, nothing is
done.

The same actors as in a standalone system run here; between turns they rest. `freeze` makes a value
of them all that shares what didn't change, `thaw` makes them again from such a value.
Next: runtime/system.py
"""

from __future__ import annotations

import math
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn

from .actor import Actor
from .errors import EventError, UnboundedStepError
from .mailbox import MESSAGE_LIMIT
from .statechart.effects import Act, Declared, Emit, Log, Mail, Start, Stop
from .statechart.snapshot import Snapshot
from .surroundings import Surroundings
from .timers import Timer, unnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .statechart.args import Args
    from .statechart.effects import Effect
    from .statechart.nodes import Transition
    from .statechart.plan import Plan
    from .statechart.scope import ActorLogic, Event, Scope

_SYNC = "xstate.snapshot."


class ChildRef:
    """An actor as it was in one system snapshot: what it is, and its snapshot then."""

    __slots__ = (
        "_snapshot",
        "address",
        "id",
        "logic",
        "number",
        "session_id",
        "shared",
        "src",
        "sync_snapshot",
        "system_id",
    )

    def __init__(self, actor: Actor, snapshot: Any) -> None:
        self.id: str = actor.id
        self.address: str = actor.address
        self.session_id: str = actor.session_id
        self.logic: ActorLogic = actor.logic
        self.src: Any = actor.src
        self.system_id: str | None = actor.system_id
        self.sync_snapshot: bool | None = actor.sync_snapshot
        self.number: int = actor.number
        self._snapshot = snapshot
        #: What `System.share` persisted of it.
        self.shared: dict[str, Any] | None = None

    def get_snapshot(self) -> Any:
        """Its snapshot at that moment."""
        return self._snapshot

    def get_persisted_snapshot(self) -> dict[str, Any]:
        """That snapshot as plain JSON data."""
        return dict(self.logic.get_persisted_snapshot(self._snapshot))

    def get_shared_snapshot(self) -> Mapping[str, Any]:
        """The same, as `System.share` has it."""
        return shared_snapshot(self.logic, self._snapshot)

    def send(self, event: Event) -> NoReturn:
        """A value can't receive."""
        raise EventError(f"'{self.id}' is a value: send with System.step(target='{self.address}')")

    def __repr__(self) -> str:
        return f"<ChildRef {self.address}>"


def shared_snapshot(logic: ActorLogic, snapshot: Any) -> Mapping[str, Any]:
    """A snapshot persisted with its data as it is, where the logic can do that."""
    share = getattr(logic, "get_shared_snapshot", logic.get_persisted_snapshot)
    shared: Mapping[str, Any] = share(snapshot)
    return shared


class Recording(Surroundings):
    """One system, at rest or within a turn. `args.system` in a room.

    `starts` numbers the starts of outside actors; it is part of the system's state, too. Errors are
    part of the snapshot: who hosts the system reports them.
    """

    registers = True

    def __init__(self, *, strict: bool, seed: int, count: int = 1, starts: int = 0) -> None:
        self.inspector = None
        self.strict = strict
        self.seed = seed
        self.count = count
        self.starts = starts
        self.root: Any = None
        self.timers: tuple[Timer, ...] = ()
        self.effects: list[Effect] = []
        self.witness = self
        self.taken: list[tuple[Scope, Event, tuple[Transition, ...]]] = []
        self.touched: dict[Actor, None] = {}
        self.frozen: dict[Actor, ChildRef] = {}
        #: While restoring: what becomes of coroutines that were running; otherwise None.
        self.restoring: str | None = None
        self.interrupted: list[Actor] = []
        self.thread: int | None = None
        self._now: float = 0
        self._messages = 0
        self._by_session: dict[str, Actor] = {}
        self._by_address: dict[str, Actor] = {}

    # A turn.

    def begin(self, now: float) -> None:
        """A turn begins: forget what the last one recorded."""
        self.thread = get_ident()
        self._now = now
        self._messages = 0
        self.effects = []
        self.taken.clear()
        self.touched = {self.root: None} if self.root is not None else {}

    def forget(self) -> None:
        """Let go of every actor, and of itself: there is no turn any more."""
        self.root = None
        del self.witness
        self.taken.clear()
        self.interrupted.clear()
        for actors in (self.touched, self.frozen):
            actors.clear()
        for names in (self._by_session, self._by_address):
            names.clear()
        self._by_system_id = None

    def end(self) -> None:
        """The turn is over: nobody may send until the next one."""
        self.thread = None
        if self._random is not None:
            self.seed = self._random.state

    def find(self, address: str) -> Actor | None:
        """The actor at an address, if it runs."""
        return self._by_address.get(address) if address else self.root

    # Values.

    def freeze(self, actor: Actor) -> Any:
        """The actor's snapshot with its children as they are now; the same object if nothing
        changed.
        """
        snapshot = actor.get_snapshot()
        children = getattr(snapshot, "children", None)
        if not children:
            return snapshot
        frozen = {id: self._frozen_ref(child) for id, child in children.items()}
        known = self.frozen.get(actor)
        before = known.get_snapshot() if known is not None else None
        if isinstance(before, Snapshot) and before.children == frozen and _alike(before, snapshot):
            return before
        return _with_children(snapshot, frozen)

    def _frozen_ref(self, actor: Actor) -> ChildRef:
        known = self.frozen.get(actor)
        if known is not None and actor not in self.touched:
            return known
        snapshot = self.freeze(actor)
        if known is not None and known.get_snapshot() is snapshot and known.number == actor.number:
            return known
        ref = self.frozen[actor] = ChildRef(actor, snapshot)
        return ref

    def freeze_root(self) -> ChildRef:
        """The whole system as a value."""
        return self._frozen_ref(self.root)

    def thaw(self, root: ChildRef) -> None:
        """Make the actors of a frozen system again."""
        self.root = self._thaw(root, None)

    def _thaw(self, ref: ChildRef, parent: Actor | None) -> Actor:
        actor = Actor(
            ref.logic,
            self,
            parent=parent,
            id=ref.id,
            src=ref.src,
            sync_snapshot=ref.sync_snapshot,
            session_id=ref.session_id,
            at_rest=True,
        )
        actor.address = ref.address
        actor.number = ref.number
        actor.system_id = ref.system_id
        snapshot = ref.get_snapshot()
        children = getattr(snapshot, "children", None)
        if children:
            thawed = {id: self._thaw(child, actor) for id, child in children.items()}
            snapshot = _with_children(snapshot, thawed)
        if actor.resume(snapshot):
            self.register(actor)
        self.frozen[actor] = ref
        return actor

    # Who there is.

    def replaced(self, parent: Actor, child: Actor) -> None:
        """Another child gets this one's id: stop it, it could be neither addressed nor stored."""
        parent.release(child)

    def register(self, actor: Actor) -> None:
        """The actor starts."""
        self._by_session[actor.session_id] = actor
        self._by_address[actor.address] = actor
        self._touch(actor)
        super().register(actor)

    def unregister(self, actor: Actor) -> None:
        """The actor has ended, or is about to."""
        super().unregister(actor)
        self._by_session.pop(actor.session_id, None)
        if self._by_address.get(actor.address) is actor:
            del self._by_address[actor.address]
        self.frozen.pop(actor, None)

    def spared(self, child: Actor) -> None:
        """A rollback gave the child back, which was about to be stopped."""
        if child.runs:
            self._by_session[child.session_id] = child
            self._by_address[child.address] = child

    def resolve(self, ref: Any) -> Any:
        """The actor behind a ref that was kept in context, whichever snapshot it comes from."""
        if ref.__class__ is Actor and ref.system is self:
            return ref
        return self._by_session.get(ref.session_id, ref)

    # Time, chance and life.

    def now(self) -> float:
        """The time of the turn, ms."""
        return self._now

    def start(self, actor: Actor) -> None:
        """Machines start their children; what waits for the world is started by the host."""
        logic: Any = actor.logic
        if not getattr(logic, "outside", False):
            if hasattr(logic, "start"):
                logic.start(actor.get_snapshot(), actor)
            return
        if self.restoring == "fail" and getattr(logic, "settles", False):
            self.interrupted.append(actor)
            return
        if actor.number == 0 or self.restoring != "resume":
            self.starts += 1
            actor.number = self.starts
        src = actor.src if isinstance(actor.src, str) else ""
        given = getattr(actor.get_snapshot(), "input", None)
        self.effects.append(Start(actor.address, logic, src, given, actor.id, actor.number))

    def stop_outside(self, actor: Actor) -> None:
        """The host is to end what it started."""
        self.effects.append(Stop(actor.address))

    def mail_outside(self, actor: Actor, event: Event) -> None:
        """The host is to hand the event to what it started."""
        self.effects.append(Mail(actor.address, event))

    def refuse(self, actor: Actor) -> NoReturn:
        """Somebody sends outside of a turn."""
        raise EventError(
            f"'{actor.id}' is part of a room and at rest: send through the room, "
            "or from a custom action's args.self"
        )

    def call_threadsafe(self, function: Callable[[Any], None], value: Any) -> NoReturn:
        """Rooms have their own doors."""
        raise EventError("an actor of a room has no send_threadsafe: send through the room")

    # What is recorded.

    def microstep(self, scope: Scope, snapshot: Snapshot, event: Event, plan: Plan | None) -> None:
        """A machine has taken transitions, or has failed with a child for want of one."""
        if plan is not None or snapshot.status == "error":
            self.taken.append((scope, event, () if plan is None else plan.transitions))

    def relay(self, source: Any, target: Any, event: Event) -> None:
        """Mail from one actor to another."""
        if self.restoring is not None and event["type"].startswith(_SYNC):
            return  # restoring repeats a snapshot its parent knows already
        self._messages += 1
        if self._messages > MESSAGE_LIMIT:
            raise UnboundedStepError("messages between actors", MESSAGE_LIMIT)
        target = self.resolve(target)
        if target.__class__ is not Actor:
            return  # it has ended
        self._touch(target)
        target.deliver(event)

    def act(
        self,
        actor: Actor,
        type: str,
        params: Any,
        run: Callable[[Any, Any], Any] | None,
        args: Args,
    ) -> None:
        """A custom action, to be run after the turn."""
        if run is not None:
            self.effects.append(Act(actor.address, type, params, run, args))

    def log(self, actor: Actor, label: str | None, value: Any) -> None:
        """A value to log."""
        self.effects.append(Log(actor.address, label, value))

    def declare(self, actor: Actor, name: str, params: Any) -> None:
        """A declared effect."""
        self.effects.append(Declared(actor.address, name, params))

    def emit(self, actor: Actor, event: Event) -> None:
        """An emitted event."""
        self.effects.append(Emit(actor.address, event))

    def schedule(
        self, source: Actor, target: Any, event: Event, delay: float, id: str | None
    ) -> None:
        """A delayed event; an infinite delay never ends."""
        if delay == math.inf:
            return
        target = self.resolve(target)
        due = math.ceil(self._now + max(delay, 0))
        named = unnamed(event, self._now, self.timers) if id is None else id
        timer = Timer(
            due,
            target.address,
            source.address,
            event,
            named,
            math.floor(self._now),
            (source.session_id, target.session_id),
        )
        self.timers = (*self.timers, timer)

    def cancel(self, source: Actor, id: str) -> None:
        """Forget the newest delayed event that this actor sent under this id."""
        for index in range(len(self.timers) - 1, -1, -1):
            timer = self.timers[index]
            if timer.id == id and timer.sent_by(source):
                self.timers = self.timers[:index] + self.timers[index + 1 :]
                return

    def ended(self, actor: Actor) -> None:
        """Forget all delayed events that this actor sent, and how to find it."""
        if any(timer.sent_by(actor) for timer in self.timers):
            self.timers = tuple(timer for timer in self.timers if not timer.sent_by(actor))
        self.unregister(actor)

    def _touch(self, actor: Actor | None) -> None:
        while actor is not None and actor not in self.touched:
            self.touched[actor] = None
            actor = actor.parent


def _alike(one: Snapshot, other: Snapshot) -> bool:
    return (
        one.configuration is other.configuration
        and one.context is other.context
        and one.status == other.status
        and one.rare is other.rare
    )


def _with_children(snapshot: Snapshot, children: dict[str, Any]) -> Snapshot:
    return Snapshot(
        snapshot.configuration,
        snapshot.context,
        children,
        snapshot.status,
        snapshot.rare,
    )
