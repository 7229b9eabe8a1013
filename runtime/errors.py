"""What can go wrong in the runtime, and what the caller should do about it.

RuntimeFault
├── DefinitionError      the chart is wrong: mend it where `path` points
├── RestoreError         stored state doesn't fit this machine: migrate it, or use the machine that
wrote it
├── PersistedError       an error read back from a persisted snapshot: only its name and message are
left
├── GuardError           a guard raised: its own exception is the cause
├── UnboundedStepError   the chart went round in circles without coming to rest
├── UnknownActorError    an event was sent to an actor that isn't there
├── SystemIdError        a system id is already taken
├── MutationError        development only: a function changed the context instead of returning a new
one
├── EndedError           what was waited for can't come any more: the actor has ended
├── EventError           what was sent is no event, or not the event expected
├── NoEventLoopError     a coroutine or a real timer needs a running event loop
└── ThreadError          an actor was used from another thread than its own: use `send_threadsafe`

An actor's own failure isn't raised to its sender: it becomes the actor's status `error`.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class RuntimeFault(Exception):
    """Root of the tree."""


class DefinitionError(RuntimeFault):
    """The chart can't be built.

    Args:
        path: where in the config, as `states.open.on.CLOSE`; empty for the whole.
        problem: what is wrong there.
        hint: what to do instead, such as the nearest known name.
    """

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        where = f"at {path}: " if path else ""
        advice = f" ({hint})" if hint else ""
        super().__init__(f"{where}{problem}{advice}")
        self.path = path
        self.problem = problem
        self.hint = hint


class RestoreError(RuntimeFault):
    """Stored state can't be restored into this machine.

    Args:
        path: the address of the actor and the part of its state, empty for the root.
        problem: what differs.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"cannot restore {path}: {problem}" if path else f"cannot restore: {problem}"
        )
        self.path = path
        self.problem = problem


class PersistedError(RuntimeFault):
    """What is left of an exception after it was persisted."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


class GuardError(RuntimeFault):
    """A guard raised while a transition was selected. The exception it raised is `__cause__`."""

    def __init__(self, guard: str, event_type: str, node_id: str, cause: BaseException) -> None:
        named = f"guard '{guard}'" if guard else "guard"
        super().__init__(
            f"Unable to evaluate {named} in transition for event '{event_type}' "
            f"in state node '{node_id}':\n{cause}"
        )
        self.guard = guard
        self.event_type = event_type
        self.node_id = node_id


class UnboundedStepError(RuntimeFault):
    """A step exceeded its bound of microsteps or of messages: the chart never comes to rest."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(
            f"Infinite loop detected: more than {limit} {what} in one step without coming to rest "
            "(look for a cycle of eventless transitions, raised events or replies)"
        )
        self.limit = limit


class UnknownActorError(RuntimeFault):
    """An event was sent to an actor that doesn't exist."""

    def __init__(self, target: object, sender: str, known: Iterable[str] = ()) -> None:
        super().__init__(
            f"Unable to send event to actor '{target}' from '{sender}'{nearest(str(target), known)}"
        )
        self.target = target
        self.sender = sender


class SystemIdError(RuntimeFault):
    """Two actors of one system asked for the same system id."""

    def __init__(self, system_id: str) -> None:
        super().__init__(f"Actor with system ID '{system_id}' already exists.")
        self.system_id = system_id


class MutationError(RuntimeFault):
    """A function of the chart changed the context it was given. Only machines made by `checked()`
    look.
    """

    def __init__(self, path: str, name: str) -> None:
        super().__init__(
            f"{name} (at {path}) changed the context it was given: "
            "return what changes from assign, and copy the path to it"
        )
        self.path = path
        self.name = name


class EndedError(RuntimeFault):
    """The actor ended before what was waited for."""

    def __init__(self, actor_id: str) -> None:
        super().__init__(f"Actor '{actor_id}' terminated without satisfying predicate")


class EventError(RuntimeFault, TypeError):
    """What was sent isn't an event, or isn't the one that was expected."""


class NoEventLoopError(RuntimeFault):
    """Something that waits for the world was started outside a running event loop."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} needs a running event loop: start the actor inside `async def`"
            + (", or give it a SimulatedClock" if what == "a timer" else "")
        )


class ThreadError(RuntimeFault):
    """An actor was used from another thread than the one that started it."""

    def __init__(self, actor_id: str) -> None:
        super().__init__(
            f"actor '{actor_id}' belongs to another thread: use send_threadsafe(event)"
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that names the known word closest to `name`, or nothing."""
    match = get_close_matches(name, list(known), n=1)
    return f"; did you mean '{match[0]}'?" if match else ""
