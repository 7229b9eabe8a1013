"""Actors: a mailbox and a snapshot around some logic, one event at a time.

An event comes in through `send`; it is processed to rest, deferred effects are performed, observers
hear of it, and the parent of a finished or failed one. An event that arrives meanwhile waits in the
mailbox: nothing is ever nested. What actors can't do by themselves (time, timers, logging, running
actions) they ask of their system: `live.py` does it at once, `system.py` records it for a host.
"""

from __future__ import annotations

from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING, Any

from .errors import EventError, NoEventLoopError
from .observers import Observer, Subscription, to_observer
from .statechart.effects import Cancel, Emit, Raise, SendTo, SpawnChild, StopChild
from .statechart.events import INIT, STOP, done_actor_event, error_actor_event, snapshot_event
from .statechart.scope import Scope
from .statechart.snapshot import Snapshot
from .statechart.step import with_error
from .timers import address_under

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from .statechart.args import Args
    from .statechart.scope import ActorLogic, Event

NOT_STARTED, RUNNING, STOPPED = range(3)
_STOP_EVENT: Event = {"type": STOP}


class ActorSnapshot:
    """The snapshot of an actor that isn't a machine. Never changed: `replace` makes another one."""

    __slots__ = ("context", "error", "input", "output", "status")

    def __init__(
        self,
        status: str = "active",
        *,
        context: Any = None,
        output: Any = None,
        error: Any = None,
        input: Any = None,
    ) -> None:
        self.status = status
        self.context = context
        self.output = output
        self.error = error
        self.input = input

    def replace(self, **changes: Any) -> ActorSnapshot:
        """The same snapshot with some fields changed."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return ActorSnapshot(**{**fields, **changes})

    def __repr__(self) -> str:
        return f"<ActorSnapshot {self.status} context={self.context!r} output={self.output!r}>"


class Actor(Scope):
    """A running instance of logic. Made by `create_actor`, by `invoke` and by spawning.

    `running` belongs to logic that waits for the world: what it started. `number` tells one start
    from the next.
    """

    __slots__ = (
        "_busy",
        "_listeners",
        "_mail",
        "_now",
        "_observers",
        "_orphans",
        "_prelude",
        "_processing_status",
        "_snapshot",
        "_transition",
        "address",
        "id",
        "input",
        "logic",
        "number",
        "parent",
        "running",
        "session_id",
        "src",
        "sync_snapshot",
        "system_id",
    )

    def __init__(
        self,
        logic: ActorLogic,
        system: Any,
        *,
        parent: Actor | None = None,
        id: str | None = None,
        src: Any = None,
        input: Any = None,
        system_id: str | None = None,
        sync_snapshot: bool = False,
        persisted: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        at_rest: bool = False,
    ) -> None:
        self.logic = logic
        self._transition = logic.transition
        self.system = system
        self.parent = parent
        if session_id is None and persisted is not None:
            # restored: not counted again, so that what comes next is called as it would have been
            session_id = "x:0" if parent is None else f"x:/{address_under(parent.address, str(id))}"
        self.session_id = session_id or system.book_id()
        self.id = id if id is not None else self.session_id
        self.src = logic if src is None else src
        self.input = input
        self.system_id = system_id
        self.sync_snapshot = sync_snapshot
        self.address = "" if parent is None else system.address(parent, self.id)
        self.number = 0
        self.running = None
        self.queue = []
        self.deferred = []
        self.awaited = ()
        self.taken = system.taken
        self._mail: deque[Event] | None = None
        self._observers: list[Observer] | None = None
        self._listeners: dict[str, list[Any]] | None = None
        self._orphans: list[Actor] | None = None
        self._prelude: list[Callable[[], None]] | None = None
        self._busy = False
        self._now: float | None = None
        self._processing_status = NOT_STARTED
        if system.inspector is not None:
            system.inspector.actor(self)
        if system_id is not None:
            system.set(system_id, self)
        self._snapshot: Any = None
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
        if system_id is not None and _field(self._snapshot, "status") != "active":
            system.unregister(self)

    # What everybody may do with an actor.

    @property
    def ref(self) -> Actor:
        """Itself, as XState has it."""
        return self

    def get_snapshot(self) -> Any:
        """The latest snapshot."""
        return self._snapshot

    def get_persisted_snapshot(self) -> dict[str, Any]:
        """The actor as plain JSON data; a root's with the timers and counters of its system."""
        persisted = dict(self.logic.get_persisted_snapshot(self._snapshot))
        return self.system.persisted(persisted) if self.parent is None else persisted

    def send(self, event: Event) -> None:
        """Send an event. When the outermost `send` returns, everything that follows from it has
        been done.
        """
        system = self.system
        if system.thread != get_ident():
            system.refuse(self)
        try:
            event["type"]
        except (TypeError, KeyError):
            hint = f"; use send({{'type': '{event}'}})" if isinstance(event, str) else ""
            raise EventError(
                f"Only event dicts may be sent to actors, not {event!r}{hint}"
            ) from None
        if system.inspector is not None:
            system.inspector.event(None, self, event)
        self.deliver(event)

    def send_threadsafe(self, event: Event) -> None:
        """Send an event from any thread; it is processed by the event loop in which the actor was
        started.
        """
        self.system.call_threadsafe(self.send, event)

    def start(self) -> Actor:
        """Start the actor, or the whole system with its root. Starting twice does nothing."""
        if self._processing_status != NOT_STARTED:
            return self
        system = self.system
        if self.parent is None:
            system.started(self)
        system.register(self)
        self._processing_status = RUNNING
        self._now = None
        event: Event = {"type": INIT, "input": self.input}
        if system.inspector is not None:
            system.inspector.event(self.parent, self, event)
        status = _field(self._snapshot, "status")
        self._busy = True
        try:
            if status == "done":
                self._update(self._snapshot, event)
                return self
            if status == "error":
                self._fail(_field(self._snapshot, "error"))
                return self
            if self.parent is None:
                system.start_timers()
            if getattr(self.logic, "start", None) is not None:
                try:
                    system.start_logic(self)
                except NoEventLoopError:
                    raise
                except Exception as error:
                    self.fail(error)
                    return self
            self._update(self._snapshot, event)
            self._drain()
        finally:
            self._busy = False
        return self

    def stop(self) -> Actor:
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
        next: Callable[[Any], Any] | None = None,
    ) -> Subscription:
        """Hear of every processed event: a function, a mapping or object with `next error
        complete`, or keywords.
        """
        entry = to_observer(observer, error, complete, next=next)
        if self._processing_status != STOPPED:
            if self._observers is None:
                self._observers = []
            self._observers.append(entry)
            return Subscription(self._observers, entry)
        status = _field(self._snapshot, "status")
        if status == "done" and entry.complete is not None:
            self._tell(entry.complete)
        elif status == "error":
            failure = _field(self._snapshot, "error")
            if entry.error is None:
                self.system.report(self, failure)
            else:
                self._tell(entry.error, failure)
        return Subscription([], entry)

    def on(self, type: str, handler: Callable[[Event], Any]) -> Subscription:
        """Hear of events the actor emits: of one type, or of all with "*"."""
        if self._listeners is None:
            self._listeners = {}
        among = self._listeners.setdefault(type, [])
        entry = Observer(handler, None, None)
        among.append(entry)
        return Subscription(among, entry)

    def listeners(self, type: str) -> list[Any]:
        """Those who listen to emitted events of this type, then those who listen to all."""
        if self._listeners is None:
            return []
        return [*self._listeners.get(type, ()), *self._listeners.get("*", ())]

    def to_json(self) -> dict[str, Any]:
        """How a ref appears in JSON."""
        return {"xstate$$type": 1, "id": self.id}

    def __repr__(self) -> str:
        return f"<Actor {self.id}>"

    # What the step and other logic ask of the actor that runs them.

    @property
    def self(self) -> Actor:
        """The actor, as `scope.self`."""
        return self

    def spawn(
        self, src: Any, id: str | None, input: Any, system_id: str | None, sync_snapshot: bool
    ) -> Actor:
        logic = self.logic.actor_logic(src) if isinstance(src, str) else src  # type: ignore[attr-defined]
        if logic is None:
            raise EventError(f"Actor logic '{src}' not implemented in machine '{self.id}'")
        child = Actor(
            logic,
            self.system,
            parent=self,
            id=id,
            src=src,
            input=input,
            system_id=system_id,
            sync_snapshot=sync_snapshot,
        )
        replaced = self.children.get(child.id)
        if replaced is not None and replaced._processing_status != STOPPED:
            self._orphans = [*(self._orphans or ()), replaced]
        self.children = {**self.children, child.id: child}
        self.deferred.append(SpawnChild(child))
        return child

    def restore_child(self, id: str, src: str, data: Mapping[str, Any]) -> Actor:
        child = Actor(
            self.logic.actor_logic(src),  # type: ignore[attr-defined]
            self.system,
            parent=self,
            id=id,
            src=src,
            system_id=data.get("systemId"),
            sync_snapshot=bool(data.get("syncSnapshot")),
            persisted=data["snapshot"],
        )
        child.number = data.get("start", 0)
        return child

    def release(self, child: Any) -> None:
        child = self.system.resolve(child)
        child.unregister_all()
        if child._processing_status == RUNNING:
            self.deferred.append(StopChild(child))
        else:
            child.stop_soon()

    def act(
        self, type: str, params: Any, run: Callable[[Any, Any], Any] | None, args: Args
    ) -> None:
        if self._processing_status == RUNNING:
            self.system.act(self, type, params, run, args)
        else:
            self._later(lambda: self.system.act(self, type, params, run, args))

    def log(self, label: str | None, value: Any) -> None:
        if self._processing_status == RUNNING:
            self.system.log(self, label, value)
        else:
            self._later(lambda: self.system.log(self, label, value))

    def declare(self, name: str, params: Any) -> None:
        if self._processing_status == RUNNING:
            self.system.declare(self, name, params)
        else:
            self._later(lambda: self.system.declare(self, name, params))

    def emit(self, event: Event) -> None:
        """Emit an event at once: for logic that isn't a machine."""
        self.system.emit(self, event)

    def send_back(self, event: Event) -> None:
        """Send to the parent, unless stopped: for what runs beside a logic's transitions."""
        if self.parent is not None and _field(self._snapshot, "status") != "stopped":
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

    # The mailbox.

    def deliver(self, event: Event) -> None:
        """Process the event now, or after the one at hand."""
        if self._processing_status == STOPPED:
            self.system.undeliverable(self, event)
            return
        if self._busy or self._processing_status == NOT_STARTED:
            if self._mail is None:
                self._mail = deque()
            self._mail.append(event)
            return
        self._busy = True
        try:
            self._process(event)
            if self._mail:
                self._drain()
        finally:
            self._busy = False

    def stop_soon(self) -> None:
        """Stop once the event at hand is processed; what waits in the mailbox is dropped."""
        if self._processing_status == STOPPED:
            return
        if self._mail:
            self._mail.clear()
        if self._processing_status == NOT_STARTED:
            self._processing_status = STOPPED
            return
        self.deliver(_STOP_EVENT)

    def unregister_all(self) -> None:
        """Free the system ids of this actor and of all below it."""
        for child in getattr(self._snapshot, "children", {}).values():
            self.system.resolve(child).unregister_all()
        self.system.unregister(self)

    def _drain(self) -> None:
        mail = self._mail
        while mail:
            self._process(mail.popleft())

    def _process(self, event: Event) -> None:
        self._now = None
        try:
            snapshot = self._transition(self._snapshot, event, self)
        except Exception as error:
            self.queue.clear()
            self.deferred.clear()
            if self.system.strict:
                raise
            self.fail(error)
            return
        self._update(snapshot, event)
        if event is _STOP_EVENT:
            self._stopped()
            self._complete()

    def _update(self, snapshot: Any, event: Event) -> None:
        self._snapshot = snapshot
        if self._prelude is not None or self.deferred:
            self._perform()
            snapshot = self._snapshot
        try:
            status = snapshot.status
        except AttributeError:
            status = snapshot["status"]
        if status == "active":
            if self.sync_snapshot:
                self.system.relay(self, self.parent, snapshot_event(self.id, snapshot))
            if self._observers:
                self._notify(snapshot)
        elif status == "done":
            if self._observers:
                self._notify(snapshot)
            self._stopped()
            self._complete()
            if self.parent is not None:
                done = done_actor_event(self.id, _field(snapshot, "output"))
                self.system.relay(self, self.parent, done)
        elif status == "error":
            self._fail(_field(snapshot, "error"))
        if self.system.inspector is not None:
            self.system.inspector.snapshot(self, event, snapshot)

    def _perform(self) -> None:
        """Carry out what the macrostep left: initial actions first, then deferred effects, in
        order.
        """
        system = self.system
        try:
            if self._prelude is not None:
                prelude, self._prelude = self._prelude, None
                for deed in prelude:
                    deed()
            for effect in self.deferred:
                kind = effect.__class__
                if kind is SendTo:
                    if effect.delay is None:
                        system.relay(self, effect.target, effect.event)
                    else:
                        system.schedule(self, effect.target, effect.event, effect.delay, effect.id)
                elif kind is Raise:
                    system.schedule(self, self, effect.event, effect.delay, effect.id)
                elif kind is Emit:
                    system.emit(self, effect.event)
                elif kind is SpawnChild:
                    if effect.child._processing_status == NOT_STARTED:
                        effect.child.start()
                elif kind is Cancel:
                    system.cancel(self, effect.id)
                elif kind is StopChild:
                    effect.child.stop_soon()
            self.deferred.clear()
        except NoEventLoopError:
            self.deferred.clear()
            raise
        except Exception as error:
            self.deferred.clear()
            if system.strict:
                raise
            self._set_error(error)

    def _later(self, deed: Callable[[], None]) -> None:
        if self._prelude is None:
            self._prelude = []
        self._prelude.append(deed)

    def _notify(self, snapshot: Any) -> None:
        for observer in tuple(self._observers or ()):
            if observer.next is not None:
                self._tell(observer.next, snapshot)

    def _tell(self, function: Callable[..., Any], *values: Any) -> None:
        try:
            function(*values)
        except Exception as error:
            self.system.report(self, error)

    def _complete(self) -> None:
        for observer in tuple(self._observers or ()):
            if observer.complete is not None:
                self._tell(observer.complete)
        self._forget_observers()

    def _fail(self, error: Any) -> None:
        self._stopped()
        observers = tuple(self._observers or ())
        unhandled = not observers and self.parent is None
        for observer in observers:
            if observer.error is None:
                unhandled = True
            else:
                self._tell(observer.error, error)
        self._forget_observers()
        if unhandled:
            self.system.report(self, error)
        if self.parent is not None:
            self.system.relay(self, self.parent, error_actor_event(self.id, error))

    def _stopped(self) -> None:
        if self._processing_status != RUNNING:
            return
        self.system.cancel_all(self)
        if self._mail:
            self._mail.clear()
        self._processing_status = STOPPED
        self.system.unregister(self)
        for orphan in self._orphans or ():
            orphan.stop_soon()

    def _forget_observers(self) -> None:
        if self._observers:
            self._observers.clear()
        if self._listeners:
            self._listeners.clear()

    def _set_error(self, error: BaseException) -> None:
        snapshot = self._snapshot
        if isinstance(snapshot, Snapshot):
            self._snapshot = with_error(snapshot, error)
        elif isinstance(snapshot, ActorSnapshot):
            self._snapshot = snapshot.replace(status="error", error=error)
        else:
            self._snapshot = ActorSnapshot("error", error=error)

    # What a host of systems asks.

    @property
    def runs(self) -> bool:
        """Whether it has been started and hasn't ended."""
        return self._processing_status == RUNNING

    def fail(self, error: BaseException) -> None:
        """What runs beside the logic has failed: so has the actor."""
        self._set_error(error)
        self._fail(error)

    def resume(self, snapshot: Any) -> bool:
        """Go on with a snapshot as if never interrupted; whether it still runs."""
        self._snapshot = snapshot
        self._processing_status = RUNNING if _field(snapshot, "status") == "active" else STOPPED
        return self.runs


def _restored(logic: Any, persisted: Mapping[str, Any], scope: Actor) -> Any:
    restore = getattr(logic, "restore_snapshot", None)
    return persisted if restore is None else restore(persisted, scope)


def _field(snapshot: Any, name: str) -> Any:
    """A field of a snapshot, which custom logic may make as an object or as a dict."""
    return snapshot.get(name) if isinstance(snapshot, dict) else getattr(snapshot, name, None)
