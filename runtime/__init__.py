"""Actors and statecharts with XState v5's semantics: no network, no storage.

What is listed here is public; `runtime/README.md` documents it.
"""

# actors
from .actor import Actor, Selection
from .awaiting import create_empty_actor, to_promise, wait_for
from .clock import Clock, SimulatedClock

# errors
from .errors import (
    DefinitionError,
    EndedError,
    EventError,
    GuardError,
    MutationError,
    NoEventLoopError,
    PersistedError,
    RestoreError,
    RuntimeFault,
    SystemIdError,
    ThreadError,
    UnboundedStepError,
    UnknownActorError,
)
from .inspection import InspectionEvent
from .live import create_actor
from .logic import (
    from_callback,
    from_event_observable,
    from_observable,
    from_promise,
    from_transition,
)
from .observers import Observer, Subscription, to_observer

# systems as values
from .perform import Performer

# the pure face
from .pure import (
    get_initial_microsteps,
    get_microsteps,
    get_next_snapshot,
    get_next_transitions,
    initial_transition,
    transition,
)

# machines
from .snapshots import ActorSnapshot
from .statechart.actions import (
    assign,
    cancel,
    declare,
    emit,
    forward_to,
    log,
    raise_,
    send_parent,
    send_to,
    spawn_child,
    stop_child,
)
from .statechart.args import Args, ContextArgs
from .statechart.configuration import get_state_nodes
from .statechart.effects import Act, Declared, Effect, Emit, Log, Mail, Start, StepEffect, Stop
from .statechart.enqueue import enqueue_actions
from .statechart.events import assert_event
from .statechart.guards import and_, not_, or_, state_in
from .statechart.inquiry import map_state
from .statechart.machine import StateMachine, create_machine
from .statechart.nodes import StateNode, Transition
from .statechart.scope import ActorLogic, ActorRef, Event
from .statechart.setup import Setup, setup
from .statechart.snapshot import Snapshot, is_machine_snapshot
from .statechart.values import StateValue, matches_state, path_to_state_value
from .system import Step, System, SystemSnapshot, Taken
from .timers import Timer

__all__ = [
    # machines
    "Args",
    "Event",
    "Setup",
    "Snapshot",
    "StateMachine",
    "StateNode",
    "StateValue",
    "Transition",
    "and_",
    "assert_event",
    "assign",
    "cancel",
    "create_machine",
    "declare",
    "emit",
    "enqueue_actions",
    "forward_to",
    "get_state_nodes",
    "is_machine_snapshot",
    "log",
    "map_state",
    "matches_state",
    "not_",
    "or_",
    "path_to_state_value",
    "raise_",
    "send_parent",
    "send_to",
    "setup",
    "spawn_child",
    "state_in",
    "stop_child",
    # actors
    "Actor",
    "ActorLogic",
    "ActorRef",
    "ActorSnapshot",
    "Clock",
    "ContextArgs",
    "InspectionEvent",
    "Observer",
    "Selection",
    "SimulatedClock",
    "Subscription",
    "create_actor",
    "create_empty_actor",
    "from_callback",
    "from_event_observable",
    "from_observable",
    "from_promise",
    "from_transition",
    "to_observer",
    "to_promise",
    "wait_for",
    # the pure face
    "StepEffect",
    "get_initial_microsteps",
    "get_microsteps",
    "get_next_snapshot",
    "get_next_transitions",
    "initial_transition",
    "transition",
    # systems as values
    "Act",
    "Declared",
    "Effect",
    "Emit",
    "Log",
    "Mail",
    "Performer",
    "Start",
    "Step",
    "Stop",
    "System",
    "SystemSnapshot",
    "Taken",
    "Timer",
    # errors
    "DefinitionError",
    "EndedError",
    "EventError",
    "GuardError",
    "MutationError",
    "NoEventLoopError",
    "PersistedError",
    "RestoreError",
    "RuntimeFault",
    "SystemIdError",
    "ThreadError",
    "UnboundedStepError",
    "UnknownActorError",
]
