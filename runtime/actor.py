"""Actors: running instances of logic, as everybody sees them, and as their own logic does.

Next: runtime/mailbox.py
"""

from __future__ import annotations

from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

from .addresses import address_under
from .errors import EventError
from .mailbox import NOT_STARTED, RUNNING, STOPPED, Mailbox
from .observers import Observer, Subscription, present, to_observer
from .snapshots import ActorSnapshot, field
from .statechart.effects import SpawnChild, StopChild
from .statechart.scope import EventT, SnapshotT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from .statechart.args import Args
    from .statechart.scope import ActorLogic, Event


class Actor(Mailbox[SnapshotT, EventT]):
    """A running instance of logic. Made by `create_actor`, by `invoke` and by spawning.

    `id` is its name among its siblings, `address` the path of ids from the root, `session_id` its
    own in its system; `system`, `parent`, `logic`, `src`, `system_id` are XState's.
    """

    __slots__ = ()

    def __init__(
        self,
        logic: ActorLogic,
        system: Any,
        parent: Actor | None = None,
        id: str | None = None,
        src: Any = None,
        input: Any = None,
        system_id: str | None = None,
        sync_snapshot: bool | None = None,
        persisted: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        at_rest: bool = False,
    ) -> None:
        self.logic = logic
        self._transition = logic.transition
        self.system = system
        self.parent = parent
        if session_id is None:
            if parent is None:
                session_id = "x:0"
            elif persisted is None:
                session_id = system.book_id()
            else:  # not counted again, so that what comes next is called as it would have been
                session_id = f"x:/{address_under(parent.address, str(id))}"
        self.session_id = session_id
        self.id = session_id if id is None else id
        self.src = logic if src is None else src
        self.input = input
        self.system_id = system_id
        self.sync_snapshot = sync_snapshot
        self.address = "" if parent is None else address_under(parent.address, self.id)
        self.number = 0
        self.running: Any = None
        self.queue = []
        self.deferred = []
        self.awaited = ()
        self._attended = bool(sync_snapshot)
        self._mail = None
        self._observers = None
        self._listeners = None
        self._orphans = None
        self._prelude = None
        self._busy = False
        self._now = None
        self._processing_status = NOT_STARTED
        self._snapshot = None
        if system.inspector is not None:
            system.inspector.actor(self)
        if system_id is not None:
            system.set(system_id, self)
        if at_rest:
            return  # the system knows the snapshot, and that the actor has been started
        try:
            if persisted is None:
                self._snapshot = logic.get_initial_snapshot(self, input)
            else:
                self._snapshot = _restored(logic, persisted, self)
        except Exception as error:
            if persisted is not None or system.strict:
                raise
            self._snapshot = ActorSnapshot("error", error=error)
        if system_id is not None and field(self._snapshot, "status") != "active":
            system.unregister(self)

    # What everybody may do with an actor.

    @property
    def ref(self) -> Actor[SnapshotT, EventT]:
        """Itself, as XState has it."""
        return self

    def get_snapshot(self) -> SnapshotT:
        """The latest snapshot."""
        snapshot: SnapshotT = self._snapshot
        if snapshot is None:
            raise EventError("Snapshot can't be read while the actor initializes itself")
        return snapshot

    def get_persisted_snapshot(self) -> dict[str, Any]:
        """The actor as plain JSON data; a root's with the timers and counters of its system."""
        persisted: Any = self.logic.get_persisted_snapshot(self._snapshot)
        if persisted is self._snapshot:
            persisted = dict(persisted)  # what is given out aliases nothing
        found: dict[str, Any] = persisted
        return self.system.persisted(self, found) if self.parent is None else found

    def send(self, event: EventT) -> None:
        """Send an event. When the outermost `send` returns, all that follows from it is done."""
        system = self.system
        if system.thread != get_ident():
            system.refuse(self)
        try:
            event["type"]  # type: ignore[index]
        except (TypeError, KeyError):
            hint = f"; use send({{'type': '{event}'}})" if isinstance(event, str) else ""
            raise EventError(
                f"Only event dicts may be sent to actors, not {event!r}{hint}"
            ) from None
        if system.inspector is not None:
            system.inspector.event(None, self, event)
        if self._busy or self._processing_status != RUNNING:
            self._keep(event)  # type: ignore[arg-type]
        else:
            self._process(event)  # type: ignore[arg-type]

    def send_threadsafe(self, event: EventT) -> None:
        """Send from any thread: the event loop in which the system was started processes it."""
        self.system.call_threadsafe(self.send, event)

    def start(self) -> Actor[SnapshotT, EventT]:
        """Start the actor, or the whole system with its root. Starting twice does nothing."""
        if self.parent is None and self._processing_status == NOT_STARTED:
            self.system.started()
        self.begin()
        return self

    def stop(self) -> Actor[SnapshotT, EventT]:
        """Stop a root and with it the system. Exit actions don't run; children are stopped."""
        if self.parent is not None:
            raise EventError("A non-root actor cannot be stopped directly.")
        self.stop_soon()
        return self

    def subscribe(
        self,
        observer: Any = None,
        error: Callable[[Any], Any] | None = None,
        complete: Callable[[], Any] | None = None,
        *,
        next: Callable[[SnapshotT], Any] | None = None,
    ) -> Subscription:
        """Hear of every processed event, once per event.

        The observer is a function of the snapshot, a mapping or an object with `next error
        complete`, or those as keywords. A late one hears only how the actor ended.
        """
        entry = to_observer(observer, error, complete, next=next)
        if self._processing_status != STOPPED:
            self._attended = True
            if self._observers is None:
                self._observers = []
            elif not self._busy:
                present(self._observers)
            return Subscription(self._observers, entry)
        status = field(self._snapshot, "status")
        if status == "done" and entry.complete is not None:
            self._tell(entry.complete)
        elif status == "error":
            failure = field(self._snapshot, "error")
            if entry.error is None:
                self.system.report(self, failure)
            else:
                self._tell(entry.error, failure)
        return Subscription([], entry)

    def select(
        self, selector: Callable[[Any], Any], equal: Callable[[Any, Any], bool] | None = None
    ) -> Selection:
        """A part of the snapshot, to `get` and to `subscribe` to: told only when it changes (`==`
        unless given).
        """
        return Selection(self, selector, equal)

    def on(self, type: str, handler: Callable[[Event], Any]) -> Subscription:
        """Hear of events the actor emits: of one type, or of all with "*"."""
        if self._listeners is None:
            self._listeners = {}
        among = present(self._listeners.setdefault(type, []))
        return Subscription(among, Observer(handler, None, None))

    def listeners(self, type: str) -> list[Observer]:
        """Those who listen to emitted events of this type, then those who listen to all."""
        if self._listeners is None:
            return []
        return [*self._listeners.get(type, ()), *self._listeners.get("*", ())]

    def to_json(self) -> dict[str, Any]:
        """How a ref appears in JSON."""
        return {"xstate$$type": 1, "id": self.id}

    def __repr__(self) -> str:
        return f"<Actor {self.id}>"

    # What logic asks of the actor that runs it.

    @property
    def self(self) -> Actor[SnapshotT, EventT]:
        """The actor, as `scope.self`."""
        return self

    def spawn(
        self,
        src: Any,
        id: str | None,
        input: Any,
        system_id: str | None,
        sync_snapshot: bool | None,
        *,
        in_place: bool = False,
    ) -> Actor:
        logic = self.logic.actor_logic(src) if isinstance(src, str) else src  # type: ignore[attr-defined]
        if logic is None:
            raise EventError(f"Actor logic '{src}' not implemented in machine '{self.id}'")
        replaced = None if id is None else self.children.get(id)
        if replaced is not None and replaced._processing_status != STOPPED:
            self.system.replaced(self, replaced)
        child = Actor(logic, self.system, self, id, src, input, system_id, sync_snapshot)
        self.children = {**self.children, child.id: child}
        if in_place and self._processing_status == NOT_STARTED:
            self._later(child.begin)
        else:
            self.deferred.append(SpawnChild(child))
        return child

    def orphan(self, child: Actor) -> None:
        """Another child gets this one's id: it goes on by itself until this actor ends."""
        self._orphans = [*(self._orphans or ()), child]

    def restore_child(self, id: str, src: str, data: Mapping[str, Any]) -> Actor:
        child = Actor(
            self.logic.actor_logic(src),  # type: ignore[attr-defined]
            self.system,
            parent=self,
            id=id,
            src=src,
            system_id=data.get("systemId"),
            sync_snapshot=data.get("syncSnapshot"),
            persisted=data["snapshot"],
        )
        child.number = data.get("start", 0)
        return child

    def release(self, child: Any) -> None:
        child = self.system.resolve(child)
        if self.system.inspector is not None:
            self.show(StopChild.type, child)
        child.give_up_ids()
        if self._processing_status == NOT_STARTED:
            self._later(lambda: None if child.runs else child.stop_soon())
        elif not child.runs:
            child.stop_soon()
            return
        self.deferred.append(StopChild(child))

    def give_up_ids(self) -> None:
        """Free the system ids of this actor and of all below it."""
        for child in getattr(self._snapshot, "children", {}).values():
            self.system.resolve(child).give_up_ids()
        self.system.unregister(self)

    def act(
        self, type: str, params: Any, run: Callable[[Any, Any], Any] | None, args: Args
    ) -> None:
        self._in_place(self.system.act, type, params, run, args)

    def show(self, type: str, params: Any) -> None:
        self._in_place(self.system.inspector.action, type, params)

    def log(self, label: str | None, value: Any) -> None:
        self._in_place(self.system.log, label, value)

    def declare(self, name: str, params: Any) -> None:
        self._in_place(self.system.declare, name, params)

    def _in_place(self, do: Callable[..., None], *values: Any) -> None:
        """Now, or among initial actions once the actor starts."""
        if self._processing_status == RUNNING:
            do(self, *values)
        else:
            self._later(partial(do, self, *values))

    def emit(self, event: Event) -> None:
        """Emit an event at once: for logic that isn't a machine."""
        self.system.emit(self, event)

    def send_back(self, event: Event) -> None:
        """Send to the parent, unless stopped: for what runs beside a logic's transitions."""
        if self.parent is not None and field(self._snapshot, "status") != "stopped":
            self.system.relay(self, self.parent, event)

    def send_self(self, event: Event) -> None:
        """Send to this actor, as long as it runs: for what runs beside a logic's transitions."""
        if self._processing_status == RUNNING:
            self.system.relay(self, self, event)

    def now(self) -> float:
        if self._now is None:
            self._now = self.system.now()
        return self._now

    def random(self) -> Random:
        return self.system.random()  # type: ignore[no-any-return]


class Selection:
    """A selected part of an actor's snapshot."""

    __slots__ = ("_actor", "_equal", "_selector")

    def __init__(
        self,
        actor: Actor,
        selector: Callable[[Any], Any],
        equal: Callable[[Any, Any], bool] | None,
    ) -> None:
        self._actor = actor
        self._selector = selector
        self._equal = equal or (lambda before, after: bool(before == after))

    def get(self) -> Any:
        """The part as it is now."""
        return self._selector(self._actor.get_snapshot())

    def subscribe(self, observer: Any) -> Subscription:
        """Hear of the part whenever it changes."""
        entry = to_observer(observer)
        last = self.get()

        def look(snapshot: Any) -> None:
            nonlocal last
            selected = self._selector(snapshot)
            if not self._equal(last, selected):
                last = selected
                if entry.next is not None:
                    entry.next(selected)

        return self._actor.subscribe(look)


def _restored(logic: Any, persisted: Mapping[str, Any], scope: Actor) -> Any:
    restore = getattr(logic, "restore_snapshot", None)
    return persisted if restore is None else restore(persisted, scope)
