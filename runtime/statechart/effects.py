"""Effects: what a transition asks the world to do, as data.

Made by the step, in the order in which they are to be performed; `runtime/perform.py` performs them
in a room, `runtime/actor.py` at once in a standalone actor. `actor` is an address: empty for the
root, otherwise the path of ids joined by "/".

A room sees `Act Start Stop Mail Emit Log Declared`. The pure `transition` shows, besides `Act Emit
Log Declared`, what one machine asks of its own surroundings: `Raise SendTo Cancel SpawnChild
StopChild`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scope import ActorLogic, ActorRef, Event


@dataclass(frozen=True, slots=True)
class Act:
    """A custom action: `run(args, params)` calls it with the context and event of its place."""

    actor: str
    type: str
    params: Any
    run: Callable[[Any, Any], Any]
    args: Any


@dataclass(frozen=True, slots=True)
class Start:
    """Start a coroutine, callback or stream. `number` tells this start from every other one."""

    actor: str
    logic: ActorLogic
    src: str
    input: Any
    id: str
    number: int = 0
    type: ClassVar[str] = "xstate.start"


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop what `Start` started under this address."""

    actor: str
    type: ClassVar[str] = "xstate.stop"


@dataclass(frozen=True, slots=True)
class Mail:
    """An event for an actor that runs outside the turn."""

    actor: str
    event: Event
    type: ClassVar[str] = "xstate.mail"


@dataclass(frozen=True, slots=True)
class Emit:
    """An event the actor emitted to whoever listens."""

    actor: str
    event: Event
    type: ClassVar[str] = "xstate.emit"


@dataclass(frozen=True, slots=True)
class Log:
    """A value to log; `label` is None when there is none."""

    actor: str
    label: str | None
    value: Any
    type: ClassVar[str] = "xstate.log"


@dataclass(frozen=True, slots=True)
class Declared:
    """An effect that the host understands by name, its params resolved within the turn."""

    actor: str
    name: str
    params: Any

    @property
    def type(self) -> str:
        """The declared name: what XState calls an action's type."""
        return self.name


@dataclass(frozen=True, slots=True)
class Raise:
    """An event a machine raises to itself; `delay` in ms, None for at once."""

    event: Event
    delay: float | None
    id: str | None
    type: ClassVar[str] = "xstate.raise"


@dataclass(slots=True)
class SendTo:
    """An event for another actor. `target` is the id of a child until that child exists; what
    inspection has `shown` of it learns of the child, too.
    """

    target: ActorRef | str
    event: Event
    delay: float | None
    id: str | None
    shown: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    type: ClassVar[str] = "xstate.sendTo"


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the newest delayed event that was sent under this id."""

    id: str
    type: ClassVar[str] = "xstate.cancel"


@dataclass(frozen=True, slots=True)
class SpawnChild:
    """Start a child that has been made."""

    child: ActorRef
    type: ClassVar[str] = "xstate.spawnChild"


@dataclass(frozen=True, slots=True)
class StopChild:
    """Stop a child; None where there is none, which the pure `transition` shows all the same."""

    child: ActorRef | None
    type: ClassVar[str] = "xstate.stopChild"


#: What rooms perform.
Effect = Act | Start | Stop | Mail | Emit | Log | Declared
#: What the pure `transition` shows.
StepEffect = Act | Emit | Log | Declared | Raise | SendTo | Cancel | SpawnChild | StopChild
