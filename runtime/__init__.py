"""Actors and statecharts with XState v5's semantics: no network, no storage.

What is listed here is public; `runtime/README.md` documents it.
"""

from .errors import DefinitionError, RestoreError, RuntimeFault
from .perform import Performer
from .statechart.effects import Act, Declared, Effect, Emit, Log, Mail, Start, Stop
from .statechart.scope import ActorLogic, ActorRef, Event
from .statechart.snapshot import Snapshot
from .system import Step, System, SystemSnapshot, Taken
from .timers import Timer

__all__ = [
    "Act",
    "ActorLogic",
    "ActorRef",
    "Declared",
    "DefinitionError",
    "Effect",
    "Emit",
    "Event",
    "Log",
    "Mail",
    "Performer",
    "RestoreError",
    "RuntimeFault",
    "Snapshot",
    "Start",
    "Step",
    "Stop",
    "System",
    "SystemSnapshot",
    "Taken",
    "Timer",
]
