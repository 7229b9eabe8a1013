"""Logic of actors that aren't machines: coroutines, callbacks, streams, reducers.

Their transitions are pure, like a machine's. Those that wait for the world (`outside`) besides
`start`, `receive` and `stop` what runs beside them; they tell their actor with events of their own,
through the scope: the live actor in a standalone system, `perform.py`'s in a room.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from .errors import DefinitionError, NoEventLoopError
from .snapshots import ActorSnapshot
from .statechart.events import STOP
from .statechart.persistence import revive, revive_error
from .statechart.snapshot import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .statechart.scope import Event

RESOLVE = "xstate.promise.resolve"
REJECT = "xstate.promise.reject"
NEXT = "xstate.observable.next"
ERROR = "xstate.observable.error"
COMPLETE = "xstate.observable.complete"
#: The last words of outside logic → the status it then has, and where its data is kept.
LAST_WORDS = {
    RESOLVE: ("done", "output"),
    REJECT: ("error", "error"),
    ERROR: ("error", "error"),
    COMPLETE: ("done", "output"),
}


class LogicArgs:
    """What a logic's function is given: `input self system emit key`; for callbacks `send_back`
    and `receive` besides.
    """

    __slots__ = ("_scope", "input")

    def __init__(self, scope: Any, input: Any) -> None:
        self._scope = scope
        self.input = input

    @property
    def self(self) -> Any:
        """The actor itself."""
        return self._scope.self

    @property
    def system(self) -> Any:
        """The actor system."""
        return self._scope.system

    @property
    def key(self) -> str | None:
        """An idempotency key: no other start's, ever, but again this one's when a restore resumes
        it. None in a standalone system, which keeps none.
        """
        return getattr(self._scope, "key", None)

    def emit(self, event: Event) -> None:
        """Emit an event to the actor's listeners."""
        self._scope.emit(event)


class CallbackArgs(LogicArgs):
    """The args of a callback."""

    __slots__ = ("_listeners",)

    def __init__(self, scope: Any, input: Any, listeners: list[Callable[[Event], Any]]) -> None:
        super().__init__(scope, input)
        self._listeners = listeners

    def send_back(self, event: Event) -> None:
        """Send an event to the parent, as long as this actor isn't stopped."""
        self._scope.send_back(event)

    def receive(self, listener: Callable[[Event], Any]) -> None:
        """Hear of events sent to this actor."""
        self._listeners.append(listener)


class _Logic:
    """What all of them share: snapshots are `ActorSnapshot`s, persisted under XState's keys."""

    __slots__ = ("config",)

    def __init__(self, config: Callable[..., Any]) -> None:
        self.config = config

    def get_initial_snapshot(self, scope: Any, input: Any = None) -> ActorSnapshot:
        return ActorSnapshot(input=input)

    def get_persisted_snapshot(self, snapshot: ActorSnapshot) -> dict[str, Any]:
        shared = self.get_shared_snapshot(snapshot)
        return {key: plain(value) for key, value in shared.items()}

    def get_shared_snapshot(self, snapshot: ActorSnapshot) -> dict[str, Any]:
        """The same with the data as it is, neither copied nor checked."""
        persisted = {"status": snapshot.status}
        for key in ("output", "error", "context", "input"):
            value = getattr(snapshot, key)
            if value is not None:
                persisted[key] = value
        return persisted

    def restore_snapshot(self, persisted: Mapping[str, Any], scope: Any) -> ActorSnapshot:
        return ActorSnapshot(
            persisted.get("status", "active"),
            context=revive(persisted.get("context"), {}),
            output=revive(persisted.get("output"), {}),
            error=revive_error(persisted.get("error")),
            input=revive(persisted.get("input"), {}),
        )


class _OutsideLogic(_Logic):
    """Logic with something that runs beside its transitions; `scope.running` keeps hold of it."""

    __slots__ = ()
    outside = True

    def receive(self, event: Event, scope: Any) -> None:
        """An event for what runs: most take none."""

    def stop(self, scope: Any) -> None:
        """End what runs."""

    def transition(self, snapshot: ActorSnapshot, event: Any, scope: Any) -> ActorSnapshot:
        if snapshot.status != "active":
            return snapshot
        event_type = event["type"]
        if event_type == STOP:
            scope.system.stop_outside(scope)
            return snapshot.replace(status="stopped", input=None)
        if event_type in LAST_WORDS:
            status, kept = LAST_WORDS[event_type]
            return snapshot.replace(status=status, input=None, **{kept: event.get("data")})
        return snapshot


class PromiseLogic(_OutsideLogic):
    """A coroutine function: done with what it returns, failed with what it raises, cancelled when
    stopped.
    """

    __slots__ = ()
    settles = True

    def start(self, snapshot: ActorSnapshot, scope: Any) -> None:
        if snapshot.status != "active":
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NoEventLoopError("from_promise") from None
        made = self.config(LogicArgs(scope, snapshot.input))
        scope.running = loop.create_task(_settled(made, scope))
        if inspect.iscoroutine(made):  # stopped before its first step, it would never be awaited
            scope.running.add_done_callback(lambda _: made.close())

    def stop(self, scope: Any) -> None:
        running, scope.running = scope.running, None
        if running is not None:
            running.cancel()


class CallbackLogic(_OutsideLogic):
    """A function that sends back and receives events; what it returns, if anything, cleans up after
    it.
    """

    __slots__ = ()

    def transition(self, snapshot: ActorSnapshot, event: Any, scope: Any) -> ActorSnapshot:
        if event["type"] == STOP:
            scope.system.stop_outside(scope)
            return snapshot.replace(status="stopped", error=None)
        scope.system.mail_outside(scope, event)
        return snapshot

    def start(self, snapshot: ActorSnapshot, scope: Any) -> None:
        listeners: list[Callable[[Event], Any]] = []
        scope.running = [listeners, None]
        clean_up = self.config(CallbackArgs(scope, snapshot.input, listeners))
        if scope.running is not None:
            scope.running[1] = clean_up

    def receive(self, event: Event, scope: Any) -> None:
        if scope.running is not None:
            for listener in tuple(scope.running[0]):
                listener(event)

    def stop(self, scope: Any) -> None:
        running, scope.running = scope.running, None
        if running is not None and callable(running[1]):
            running[1]()


class ObservableLogic(_OutsideLogic):
    """A stream: an async iterator or an object with `subscribe(observer)`. Its last value is the
    context.

    With `events` its values are events for the parent instead.
    """

    __slots__ = ("events",)

    def __init__(self, config: Callable[..., Any], *, events: bool) -> None:
        super().__init__(config)
        self.events = events

    def transition(self, snapshot: ActorSnapshot, event: Any, scope: Any) -> ActorSnapshot:
        if event["type"] == NEXT and not self.events and snapshot.status == "active":
            return snapshot.replace(context=event["data"])
        return super().transition(snapshot, event, scope)

    def start(self, snapshot: ActorSnapshot, scope: Any) -> None:
        if snapshot.status == "done":
            return
        source = self.config(LogicArgs(scope, snapshot.input))
        observer = _StreamObserver(scope, self.events)
        if hasattr(source, "subscribe"):
            scope.running = source.subscribe(observer)
            return
        if not hasattr(source, "__aiter__"):
            raise DefinitionError(
                "", f"no stream: {source!r}", "return an async iterator or an object with subscribe"
            )
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise NoEventLoopError("an async iterator") from None
        scope.running = loop.create_task(_pumped(source, observer))

    def stop(self, scope: Any) -> None:
        running, scope.running = scope.running, None
        if isinstance(running, asyncio.Task):
            running.cancel()
        elif running is not None:
            end = getattr(running, "unsubscribe", None) or getattr(running, "dispose", None)
            if end is not None:
                end()


class TransitionLogic(_Logic):
    """A reducer: the context is what `fn(state, event, scope)` returns."""

    __slots__ = ("initial",)

    def __init__(self, config: Callable[[Any, Event, Any], Any], initial: Any) -> None:
        super().__init__(config)
        self.initial = initial

    def transition(self, snapshot: ActorSnapshot, event: Any, scope: Any) -> ActorSnapshot:
        try:
            context = self.config(snapshot.context, event, scope)
        except Exception:
            if event["type"] == STOP:  # one that knows only its own events may still be stopped
                return snapshot
            raise
        return snapshot if context is snapshot.context else snapshot.replace(context=context)

    def get_initial_snapshot(self, scope: Any, input: Any = None) -> ActorSnapshot:
        initial = self.initial
        return ActorSnapshot(
            context=initial(LogicArgs(scope, input)) if callable(initial) else initial
        )


def from_promise(function: Callable[..., Any]) -> PromiseLogic:
    """Logic from `async fn(args)`: `args.input self system emit key`. It runs as a task of the
    running event loop.
    """
    return PromiseLogic(function)


def from_callback(function: Callable[..., Any]) -> CallbackLogic:
    """Logic from `fn(args)`: `args.send_back(event)`, `args.receive(listener)`; it may return a
    clean-up.
    """
    return CallbackLogic(function)


def from_observable(function: Callable[..., Any]) -> ObservableLogic:
    """Logic from `fn(args)` that returns a stream: each value becomes the actor's context."""
    return ObservableLogic(function, events=False)


def from_event_observable(function: Callable[..., Any]) -> ObservableLogic:
    """Logic from `fn(args)` that returns a stream of events for the parent."""
    return ObservableLogic(function, events=True)


def from_transition(function: Callable[[Any, Event, Any], Any], initial: Any) -> TransitionLogic:
    """Logic from a reducer `fn(state, event, scope)` and its first state, or a function of (args)
    that makes it.
    """
    return TransitionLogic(function, initial)


class _StreamObserver:
    """Hands a stream's values to its actor, or events to the parent."""

    def __init__(self, scope: Any, events: bool) -> None:
        self._scope = scope
        self._events = events

    def next(self, value: Any) -> None:
        if self._events:
            self._scope.send_back(value)
        else:
            self._scope.send_self({"type": NEXT, "data": value})

    def error(self, error: Any) -> None:
        self._scope.send_self({"type": ERROR, "data": error})

    def complete(self) -> None:
        self._scope.send_self({"type": COMPLETE})


async def _settled(made: Any, scope: Any) -> None:
    try:
        output = await made if inspect.isawaitable(made) else made
    except asyncio.CancelledError:
        raise
    except Exception as error:
        scope.send_self({"type": REJECT, "data": error})
    else:
        scope.send_self({"type": RESOLVE, "data": output})


async def _pumped(source: Any, observer: _StreamObserver) -> None:
    try:
        async for value in source:
            observer.next(value)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        observer.error(error)
    else:
        observer.complete()
