"""The live surroundings of a standalone actor system: everything is done at once, in XState's
order.

Owns the clock, the timers, the system ids, the inspector and the generator of one system, and runs
its custom actions.
"""

from __future__ import annotations

import asyncio
import math
import os
from threading import get_ident
from typing import TYPE_CHECKING, Any, NoReturn

from .actor import Actor
from .addresses import ids_of
from .clock import LoopClock
from .errors import DefinitionError, NoEventLoopError, RestoreError, ThreadError
from .inspection import Inspector
from .logs import LOG, log_value, warn_of_unused
from .observers import to_observer
from .surroundings import Surroundings
from .timers import Timer, unnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .chance import SeededRandom
    from .clock import Clock
    from .observers import Subscription
    from .statechart.args import Args
    from .statechart.scope import ActorLogic, Event, EventT, InputT, SnapshotT


# mypy takes a dict that is written out in a call for no TypedDict: it passes, but isn't checked.
def create_actor(
    logic: ActorLogic[InputT, SnapshotT, EventT],
    *,
    input: InputT | dict[str, Any] | None = None,
    snapshot: Any = None,
    clock: Clock | None = None,
    logger: Callable[..., None] | None = None,
    inspect: Any = None,
    id: str | None = None,
    system_id: str | None = None,
    seed: int | None = None,
) -> Actor[SnapshotT, EventT]:
    """An actor with a system of its own, not started yet.

    Args:
        logic: a machine, or other actor logic.
        input: for the logic's first snapshot.
        snapshot: a persisted snapshot to go on from, instead of a first one.
        clock: the real time unless given; `SimulatedClock` for tests.
        logger: gets what `log` logs, `(value)` or `(label, value)`; standard logging unless given.
        inspect: an observer of inspection events.
        id: the actor's own; made up unless given.
        system_id: by which others find it with `system.get`.
        seed: of `args.random`; drawn unless given or persisted.

    Raises:
        DefinitionError: the machine lacks implementations.
        RestoreError: the snapshot isn't one of this logic.
    """
    missing = getattr(logic, "missing", None)
    if missing:
        raise missing[0]
    if missing is None and not hasattr(logic, "transition"):
        hint = "a machine, from_promise(…) and the like, or an object of one's own"
        raise DefinitionError("", f"no actor logic: {logic!r}", hint)
    if snapshot is not None and not isinstance(snapshot, dict):
        if not hasattr(snapshot, "status"):
            raise RestoreError("", f"no snapshot: {snapshot!r}")
        snapshot = logic.get_persisted_snapshot(snapshot)
    system = LiveSystem(clock, logger, seed, snapshot)
    if inspect is not None:
        system.inspect(inspect)
    # By position: keywords would cost as much again as all that the constructor does.
    return Actor(logic, system, None, id, None, input, system_id, None, snapshot)


class _Pending:
    """A timer that is still to come."""

    __slots__ = ("handle", "source", "target", "timer")

    def __init__(self, timer: Timer, source: Actor, target: Any) -> None:
        self.timer = timer
        self.source = source
        self.target = target
        self.handle: Any = None

    @property
    def key(self) -> tuple[str, str]:
        """By what `cancel` knows it."""
        return self.source.session_id, self.timer.id

    def outlasts(self, root: Actor) -> bool:
        """Whether both its ends are persisted: one whose id was given to another child isn't."""
        return (
            _find(root, self.timer.source) is self.source
            and _find(root, self.timer.target) is self.target
        )


class LiveSystem(Surroundings):
    """One system of live actors. `inspect`, too, is for everybody. A `seed` of None is drawn when
    it is needed.
    """

    clock: Clock = LoopClock()
    logger: Callable[..., None] = staticmethod(log_value)
    seed: int | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _pending: list[_Pending] | None = None
    #: (session id, timer id) → the timer that `cancel` takes.
    _latest: dict[tuple[str, str], _Pending] | None = None
    _restored: list[Timer] | None = None

    def __init__(
        self,
        clock: Clock | None,
        logger: Callable[..., None] | None,
        seed: int | None,
        persisted: Mapping[str, Any] | None,
    ) -> None:
        self.thread = get_ident()
        # Asked for with every event: an instance's own attributes are found several times quicker.
        self.inspector: Inspector | None = None
        self.witness: Inspector | None = None
        if clock is not None:
            self.clock = clock
        if logger is not None:
            self.logger = logger
        if seed is not None:
            self.seed = seed
        if persisted is not None:
            self.count = persisted.get("counter", 1)
            if seed is None:
                self.seed = persisted.get("seed")
            if persisted.get("timers"):
                self._restored = [Timer.from_json(timer) for timer in persisted["timers"]]

    # For everybody.

    def inspect(self, observer: Any) -> Subscription:
        """Watch everything that happens in this system."""
        if self.inspector is None:
            self.inspector = self.witness = Inspector("x:0")
        return self.inspector.observe(to_observer(observer))

    def replaced(self, parent: Actor, child: Actor) -> None:
        """Another child gets this one's id."""
        parent.orphan(child)

    # Time, chance and life.

    def now(self) -> float:
        """The time, ms."""
        return self.clock.now()

    def random(self) -> SeededRandom:
        """The generator behind `args.random`."""
        if self.seed is None:
            self.seed = int.from_bytes(os.urandom(8))
        return super().random()

    def started(self) -> None:
        """The root starts: this thread and its event loop, if any, own the system from now on."""
        self.thread = get_ident()
        self._loop = asyncio._get_running_loop()  # None, where the public one raises

    def start(self, actor: Actor) -> None:
        """Let logic begin what it does outside of transitions; with the root, persisted timers run
        on.
        """
        if self._restored is not None and actor.parent is None:
            self._start_timers(actor)
        start = getattr(actor.logic, "start", None)
        if start is not None:
            start(actor._snapshot, actor)

    def _start_timers(self, root: Actor) -> None:
        """What is overdue fires at once."""
        restored, self._restored = self._restored, None
        for timer in restored or ():
            source, target = _find(root, timer.source), _find(root, timer.target)
            if source is not None and target is not None:
                self._set_timer(timer, source, target)

    def stop_outside(self, actor: Actor) -> None:
        """End what the logic of a stopped actor has begun."""
        actor.logic.stop(actor)  # type: ignore[attr-defined]

    def mail_outside(self, actor: Actor, event: Event) -> None:
        """Hand an event to logic that runs outside of transitions."""
        actor.logic.receive(event, actor)  # type: ignore[attr-defined]

    def call_threadsafe(self, function: Callable[[Any], None], value: Any) -> None:
        """Call in the thread of the event loop in which the system was started."""
        if self._loop is None:
            raise NoEventLoopError("send_threadsafe")
        self._loop.call_soon_threadsafe(function, value)

    def refuse(self, actor: Actor) -> NoReturn:
        """Another thread than ours wants to send."""
        raise ThreadError(actor.id)

    # Doing.

    def relay(self, source: Any, target: Any, event: Event) -> None:
        """Mail from one actor to another."""
        if self.inspector is not None:
            self.inspector.event(source, target, event)
        target.deliver(event)

    def act(
        self,
        actor: Actor,
        type: str,
        params: Any,
        run: Callable[[Any, Any], Any] | None,
        args: Args,
    ) -> None:
        """Run a custom action."""
        if self.inspector is not None:
            self.inspector.action(actor, type, params)
        if run is not None:
            made = run(args, params)
            if made is not None:
                warn_of_unused(type, made)

    def log(self, actor: Actor, label: str | None, value: Any) -> None:
        """Log a value."""
        if label is None:
            self.logger(value)
        else:
            self.logger(label, value)

    def declare(self, actor: Actor, name: str, params: Any) -> None:
        """There is no host to perform a declared effect."""
        LOG.info("declared effect '%s' has no performer: %r", name, params)

    def emit(self, actor: Actor, event: Event) -> None:
        """Tell those who listen."""
        listeners = actor.listeners(event["type"])
        for listener in listeners:
            try:
                if listener.next is not None:
                    listener.next(event)
            except Exception as error:
                self.report(actor, error)

    def schedule(
        self, source: Actor, target: Any, event: Event, delay: float, id: str | None
    ) -> None:
        """Deliver an event later; after an infinite delay never."""
        if delay == math.inf:
            return
        now = self.clock.now()
        named = unnamed(event, now) if id is None else id
        due = math.ceil(now + delay)
        timer = Timer(due, target.address, source.address, event, named, math.floor(now))
        self._set_timer(timer, source, target, delay)

    def cancel(self, source: Actor, id: str) -> None:
        """Forget the newest delayed event that this actor sent under this id."""
        pending = (self._latest or {}).pop((source.session_id, id), None)
        if pending is not None and self._pending is not None:
            self._pending.remove(pending)
            self.clock.clear_timeout(pending.handle)

    def ended(self, actor: Actor) -> None:
        """Forget all delayed events that this actor sent; its system id is free."""
        if self._pending:
            self._cancel_all(actor)
        if actor.system_id is not None:
            self.unregister(actor)

    def _cancel_all(self, source: Actor) -> None:
        for pending in tuple(self._pending or ()):
            if pending.source is source:
                self._latest.pop(pending.key, None)  # type: ignore[union-attr]
                self._pending.remove(pending)  # type: ignore[union-attr]
                self.clock.clear_timeout(pending.handle)

    def undeliverable(self, actor: Actor, event: Event) -> None:
        """An event came too late."""
        LOG.warning("event '%s' was sent to stopped actor '%s'", event["type"], actor.id)

    def report(self, actor: Actor, error: Any) -> None:
        """An error nobody handles: to logging and to the event loop's exception handler."""
        LOG.error("unhandled error in actor '%s': %s", actor.id, error, exc_info=_traceback(error))
        if self._loop is not None and not self._loop.is_closed():
            context = {"message": f"unhandled error in actor '{actor.id}'", "exception": error}
            self._loop.call_exception_handler(context)

    def persisted(self, root: Actor, snapshot: dict[str, Any]) -> dict[str, Any]:
        """The root's persisted snapshot, with what belongs to the system."""
        if self._restored or self._pending:
            timers = self._restored or [
                pending.timer for pending in self._pending or () if pending.outlasts(root)
            ]
            if timers:
                snapshot["timers"] = [timer.to_json() for timer in timers]
        snapshot["counter"] = self.count
        if self._random is not None:
            snapshot["seed"] = self._random.state
        elif self.seed is not None:
            snapshot["seed"] = self.seed
        return snapshot

    def _set_timer(
        self, timer: Timer, source: Actor, target: Any, delay: float | None = None
    ) -> None:
        if self._pending is None:
            self._pending, self._latest = [], {}
        pending = _Pending(timer, source, target)
        wait = max(timer.due - self.clock.now(), 0) if delay is None else delay

        def fire() -> None:
            self._pending.remove(pending)  # type: ignore[union-attr]
            self._latest.pop(pending.key, None)  # type: ignore[union-attr]
            self.relay(source, target, timer.event)

        pending.handle = self.clock.set_timeout(fire, wait)
        self._pending.append(pending)
        self._latest[pending.key] = pending  # type: ignore[index]


def _find(root: Actor, address: str) -> Actor | None:
    actor: Any = root
    for id in ids_of(address):
        actor = getattr(actor.get_snapshot(), "children", {}).get(id)
        if actor is None:
            return None
    return actor  # type: ignore[no-any-return]


def _traceback(error: Any) -> Any:
    return error if isinstance(error, BaseException) else None
