"""The inside of an actor: its mailbox, and the processing of one event at a time.

An event is taken to rest by the actor's logic; then deferred effects are performed in order,
observers hear of it, and the parent of an actor that has finished or failed. What arrives meanwhile
waits: nothing is ever nested. Whatever goes beyond the actor is asked of its system: `live.py` does
it at once, `recording.py` records it for a host.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from .errors import NoEventLoopError, UnboundedStepError
from .observers import present
from .snapshots import ActorSnapshot, field
from .statechart.effects import Cancel, Emit, Raise, SendTo, SpawnChild, StopChild
from .statechart.events import INIT, STOP, done_actor_event, error_actor_event, snapshot_event
from .statechart.scope import EventT, Generic, Scope, SnapshotT
from .statechart.snapshot import Snapshot
from .statechart.step import with_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from .observers import Observer
    from .statechart.scope import ActorLogic, Event

NOT_STARTED, RUNNING, STOPPED = range(3)
#: How many messages between the actors of a system one outside event may cause.
MESSAGE_LIMIT = 10_000
_STOP_EVENT: Event = {"type": STOP}
#: Stands for the init event where nobody sees it.
_UNSEEN: Event = {"type": INIT}


class Mailbox(Scope, Generic[SnapshotT, EventT]):
    """What `Actor` is made of. `number` tells one start of outside logic from the next; `running`
    is what it started.
    """

    __slots__ = (
        "_attended",
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

    logic: ActorLogic
    input: Any
    #: None where `spawn` was told nothing of it: XState persists the difference.
    sync_snapshot: bool | None
    system_id: str | None
    #: Whether an update may concern observers or a parent that syncs. Most actors have neither.
    _attended: bool
    _busy: bool
    _listeners: dict[str, list[Observer]] | None
    _mail: deque[Event] | None
    _now: float | None
    _observers: list[Observer] | None
    _orphans: list[Any] | None
    _prelude: list[Callable[[], None]] | None
    _processing_status: int
    _snapshot: Any
    _transition: Callable[[Any, Event, Any], Any]

    @property
    def runs(self) -> bool:
        """Whether it has been started and hasn't ended."""
        return self._processing_status == RUNNING

    def begin(self) -> None:
        """Start: children first, then what the initial macrostep left, then what waits in the
        mailbox.
        """
        if self._processing_status != NOT_STARTED:
            return
        system = self.system
        if self.system_id is not None or system.registers:
            system.register(self)
        self._processing_status = RUNNING
        self._now = None
        snapshot = self._snapshot
        event: Event = _UNSEEN
        if system.inspector is not None:
            event = {"type": INIT, "input": self.input}
            system.inspector.event(self.parent, self, event)
        self._busy = True
        try:
            status = field(snapshot, "status")
            if status == "done":
                self._update(snapshot, event)
                return
            if status == "error":
                self._failed(field(snapshot, "error"))
                return
            try:
                system.start(self)
            except NoEventLoopError:
                raise
            except Exception as error:
                self.fail(error)
                return
            if self._attended or self.deferred or self._prelude or event is not _UNSEEN:
                self._update(snapshot, event)
        finally:
            self._busy = False
        if self._mail and self._processing_status == RUNNING:
            self._process(self._mail.popleft())

    def deliver(self, event: Event) -> None:
        """Process the event now, or after the one at hand."""
        if self._busy or self._processing_status != RUNNING:
            self._keep(event)
        else:
            self._process(event)

    def stop_soon(self) -> None:
        """Stop once the event at hand is processed; what waits in the mailbox is dropped.

        A root that hasn't started may do so later, a child doesn't.
        """
        if self._processing_status == STOPPED:
            return
        if self._mail:
            self._mail.clear()
        if self._processing_status != NOT_STARTED:
            self.deliver(_STOP_EVENT)
        elif self.parent is not None:
            self._processing_status = STOPPED

    def fail(self, error: BaseException) -> None:
        """The logic has failed, or what runs beside it: so has the actor."""
        self._set_error(error)
        self._failed(error)

    def resume(self, snapshot: Any) -> bool:
        """Go on with a snapshot as if never interrupted; whether it still runs."""
        self._snapshot = snapshot
        self._processing_status = RUNNING if field(snapshot, "status") == "active" else STOPPED
        return self.runs

    def _keep(self, event: Event) -> None:
        if self._processing_status == STOPPED:
            self.system.undeliverable(self, event)
            return
        if self._mail is None:
            self._mail = deque()
        self._mail.append(event)

    def _process(self, event: Event) -> None:
        """Process this event, and after it what has arrived meanwhile."""
        self._busy = True
        left = 0  # how many more may arrive: actors that answer each other never come to rest
        try:
            while True:
                self._now = None
                try:
                    snapshot = self._transition(self._snapshot, event, self)
                except Exception as error:
                    self._roll_back(error)
                else:
                    if (
                        self._attended
                        or self.deferred
                        or self.system.inspector is not None
                        or snapshot.__class__ is not Snapshot
                        or snapshot.status != "active"
                    ):
                        self._update(snapshot, event)
                    else:
                        self._snapshot = snapshot
                if not self._mail:
                    return
                left = left - 1 if left else MESSAGE_LIMIT + len(self._mail)
                if not left:
                    self._roll_back(UnboundedStepError("messages between actors", MESSAGE_LIMIT))
                    return
                event = self._mail.popleft()
        finally:
            self._busy = False

    def _roll_back(self, error: Exception) -> None:
        self.queue.clear()
        self.deferred.clear()
        if self.system.strict:
            raise error
        for child in getattr(self._snapshot, "children", {}).values():
            self.system.spared(child)
        self.fail(error)

    def _update(self, given: Any, event: Event) -> None:
        self._snapshot = snapshot = given
        if self.deferred or self._prelude is not None:
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
                self._notify(self._observers, snapshot)
        elif status == "done":
            if self._observers:
                self._notify(self._observers, snapshot)
            self._complete()
            if self.parent is not None:
                done = done_actor_event(self.id, field(snapshot, "output"))
                self.system.relay(self, self.parent, done)
        elif status == "error":
            self._failed(field(snapshot, "error"))
        if self.system.inspector is not None:
            self.system.inspector.snapshot(self, event, given)
        if event["type"] == STOP:
            self._complete()

    def _perform(self) -> None:
        """Initial actions first, then deferred effects, in order."""
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
                    effect.child.begin()
                elif kind is Cancel:
                    system.cancel(self, effect.id)
                elif kind is StopChild:
                    effect.child.stop_soon()
        except NoEventLoopError:
            raise
        except Exception as error:
            if system.strict:
                raise
            self._set_error(error)
        finally:
            self.deferred.clear()

    def _later(self, deed: Callable[[], None]) -> None:
        if self._prelude is None:
            self._prelude = []
        self._prelude.append(deed)

    def _ended(self) -> None:
        if self._processing_status != RUNNING:
            return
        if self._mail:
            self._mail.clear()
        self._processing_status = STOPPED
        self.system.ended(self)
        if self._orphans is not None:
            children = self._snapshot.children
            for orphan in self._orphans:
                if children.get(orphan.id) is not orphan:  # a rollback may have given it back
                    orphan.stop_soon()

    def _failed(self, error: Any) -> None:
        self._ended()
        observers = present(self._observers or [])
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

    def _set_error(self, error: BaseException) -> None:
        snapshot = self._snapshot
        if isinstance(snapshot, Snapshot):
            self._snapshot = with_error(snapshot, error)
        elif isinstance(snapshot, ActorSnapshot):
            self._snapshot = snapshot.replace(status="error", error=error)
        else:
            self._snapshot = ActorSnapshot("error", error=error)

    # Those who watch.

    def _notify(self, observers: list[Observer], snapshot: Any) -> None:
        for observer in present(observers):
            if observer.next is not None:
                self._tell(observer.next, snapshot)

    def _complete(self) -> None:
        self._ended()
        if self._observers or self._listeners:
            for observer in present(self._observers or []):
                if observer.complete is not None:
                    self._tell(observer.complete)
            self._forget_observers()

    def _tell(self, function: Callable[..., Any], *values: Any) -> None:
        try:
            function(*values)
        except Exception as error:
            self.system.report(self, error)

    def _forget_observers(self) -> None:
        if self._observers:
            self._observers.clear()
        if self._listeners:
            self._listeners.clear()
