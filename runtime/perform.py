"""Performing effects: coroutines, callbacks and streams run here, in the event loop of a host.

In come effects whose snapshot is durable; out go events for the system, through `deliver`, never
nested in `perform`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .chance import SeededRandom
from .logic import LAST_WORDS
from .logs import LOG, log_value, warn_of_unused
from .snapshots import ActorSnapshot
from .statechart.args import Args
from .statechart.effects import Act, Declared, Emit, Log, Mail, Start, Stop
from .system import FAILED, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .statechart.effects import Effect
    from .statechart.scope import Event
    from .system import SystemSnapshot


class Performer:
    """Performs the effects of one system and owns what they started.

    Args:
        deliver: gets (address, event) when an outside actor finishes, fails, emits a value or sends
            back, and when a
            custom action sends; give both to `System.step`.
        report: gets (address, exception) when an action or a clean-up raised; nothing else comes of
            it.
        logger: gets what `log` logs, `(value)` or `(label, value)`; standard logging unless given.
        emit: gets (address, event) for each emitted event.
        declared: gets each declared effect; without it they are logged.
        keys: what the keys of outside actors (`args.key`) begin with, so that they are no other
            system's.
    """

    def __init__(
        self,
        deliver: Callable[[str, Event], None],
        *,
        report: Callable[[str, BaseException], None],
        logger: Callable[..., None] | None = None,
        emit: Callable[[str, Event], None] | None = None,
        declared: Callable[[Declared], None] | None = None,
        keys: str = "",
    ) -> None:
        self._deliver = deliver
        self._report = report
        self._logger = logger or log_value
        self._emit = emit
        self._declared = declared
        self.keys = keys
        self._running: dict[str, _Outside] = {}

    def perform(self, effect: Effect, system: SystemSnapshot) -> None:
        """Perform one effect now. What an action raises is reported and changes nothing."""
        match effect:
            case Act(actor, type, params, run, args):
                try:
                    warn_of_unused(type, run(_acting(args, self, actor, system), params))
                except Exception as error:
                    self._report(actor, error)
            case Start():
                self._start(effect, system)
            case Stop(actor):
                self._stop(actor)
            case Mail(actor, event):
                outside = self._running.get(actor)
                if outside is not None:
                    outside.attempt(outside.logic.receive, event, outside)
            case Emit(actor, event):
                self.emit(actor, event)
            case Log(_, None, value):
                self._logger(value)
            case Log(_, label, value):
                self._logger(label, value)
            case Declared():
                if self._declared is not None:
                    self._declared(effect)
                else:
                    LOG.info("declared effect '%s' has no performer", effect.name)

    def stop_all(self) -> None:
        """Cancel everything this performer started; nothing of it is delivered any more."""
        for address in list(self._running):
            self._stop(address)

    def __len__(self) -> int:
        return len(self._running)

    # What outside actors and custom actions ask.

    def emit(self, address: str, event: Event) -> None:
        """An actor emits."""
        if self._emit is not None:
            self._emit(address, event)

    def soon(self, address: str, event: Event) -> None:
        """Deliver, but not within what is being performed."""
        asyncio.get_running_loop().call_soon(self._deliver, address, event)

    def is_running(self, outside: _Outside) -> bool:
        """Whether it is still what runs at its address."""
        return self._running.get(outside.address) is outside

    def forget(self, outside: _Outside) -> None:
        """It has ended by itself."""
        if self.is_running(outside):
            del self._running[outside.address]

    def _start(self, effect: Start, system: SystemSnapshot) -> None:
        self._stop(effect.actor)
        outside = self._running[effect.actor] = _Outside(self, effect, system)
        outside.attempt(outside.logic.start, ActorSnapshot(input=effect.input), outside)

    def _stop(self, address: str) -> None:
        outside = self._running.pop(address, None)
        if outside is not None:
            try:
                outside.logic.stop(outside)
            except Exception as error:
                self._report(address, error)


class _Outside:
    """The scope of one start of outside logic: what `logic.py` asks for, answered through the
    performer.
    """

    def __init__(self, performer: Performer, effect: Start, system: SystemSnapshot) -> None:
        self.address = effect.actor
        self.key = f"{performer.keys}{effect.number}"
        self.logic: Any = effect.logic
        self.running: Any = None
        self.self = _Handle(performer, effect.actor, effect.id, system)
        self.system = _Directory(performer, system)
        self._performer = performer
        self._number = effect.number

    def emit(self, event: Event) -> None:
        if self._performer.is_running(self):
            self._performer.emit(self.address, event)

    def send_back(self, event: Event) -> None:
        self._say("parent", event)

    def send_self(self, event: Event) -> None:
        self._say("self", event)
        if event["type"] in LAST_WORDS:
            self._performer.forget(self)

    def attempt(self, function: Callable[..., Any], *values: Any) -> None:
        """Call into the logic; if that raises, the actor has failed."""
        try:
            function(*values)
        except Exception as error:
            self._say("self", {"type": FAILED, "error": error})
            self._performer.forget(self)

    def _say(self, to: str, event: Event) -> None:
        if self._performer.is_running(self):
            wrapped = {"type": OUTSIDE, "number": self._number, "to": to, "event": event}
            self._performer.soon(self.address, wrapped)


class _Handle:
    """An actor as custom actions and outside logic see it after the turn."""

    def __init__(self, performer: Performer, address: str, id: str, system: SystemSnapshot) -> None:
        self.id = id
        self.address = address
        self._performer = performer
        self._system = system

    def send(self, event: Event) -> None:
        """Send an event: it will be a turn of its own."""
        self._performer.soon(self.address, event)

    def get_snapshot(self) -> Any:
        """The actor's snapshot as of the effect."""
        return self._system.actor(self.address)


class _Directory:
    """`args.system` after the turn."""

    def __init__(self, performer: Performer, system: SystemSnapshot) -> None:
        self._performer = performer
        self._system = system

    def get(self, system_id: str) -> _Handle | None:
        """The actor with this system id."""
        return self.get_all().get(system_id)

    def get_all(self) -> dict[str, _Handle]:
        """System id → actor."""
        return {
            ref.system_id: _Handle(self._performer, ref.address, ref.id, self._system)
            for ref in self._system.refs()
            if ref.system_id is not None
        }


class _Acting:
    """The scope behind the args of a custom action."""

    __slots__ = ("_now", "_random", "self", "system")

    def __init__(self, handle: _Handle, directory: _Directory, now: float, seed: int) -> None:
        self.self = handle
        self.system = directory
        self._now = now
        self._random = seed

    def now(self) -> float:
        return self._now

    def random(self) -> SeededRandom:
        return SeededRandom(self._random)


def _acting(args: Any, performer: Performer, address: str, system: SystemSnapshot) -> Args:
    handle = _Handle(performer, address, args.self.id, system)
    scope: Any = _Acting(handle, _Directory(performer, system), args.now, system.seed)
    return ActionArgs(args.context, args.event, scope)


class ActionArgs(Args):
    """The args of a custom action that runs after its turn."""

    __slots__ = ()

    @property
    def self(self) -> Any:
        return self._scope.self  # type: ignore[attr-defined]
