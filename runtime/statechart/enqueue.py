"""`enqueue_actions`: a function decides which actions run, by asking guards and enqueueing.

Its callback runs inside the turn; what it enqueues runs right after it, in order, each seeing the
context of its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import actions as builtin
from .args import Args
from .scope import ContextT, EventT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .args import StepArgs
    from .library import Library


class Enqueue:
    """`args.enqueue(action)`, and a method for each of XState's own actions."""

    __slots__ = ("actions",)

    def __init__(self) -> None:
        self.actions: list[Any] = []

    def __call__(self, action: Any) -> None:
        """Enqueue an action: a name, `{"type", "params"}`, a function, or one of XState's own."""
        self.actions.append(action)

    def assign(self, assignment: Any) -> None:
        """Enqueue `assign`."""
        self.actions.append(builtin.assign(assignment))

    def raise_(self, event: Any, *, id: str | None = None, delay: Any = None) -> None:
        """Enqueue `raise_`."""
        self.actions.append(builtin.raise_(event, id=id, delay=delay))

    def send_to(self, target: Any, event: Any, *, id: str | None = None, delay: Any = None) -> None:
        """Enqueue `send_to`."""
        self.actions.append(builtin.send_to(target, event, id=id, delay=delay))

    def send_parent(self, event: Any, *, id: str | None = None, delay: Any = None) -> None:
        """Enqueue `send_parent`."""
        self.actions.append(builtin.send_parent(event, id=id, delay=delay))

    def forward_to(self, target: Any, *, id: str | None = None, delay: Any = None) -> None:
        """Enqueue `forward_to`."""
        self.actions.append(builtin.forward_to(target, id=id, delay=delay))

    def emit(self, event: Any) -> None:
        """Enqueue `emit`."""
        self.actions.append(builtin.emit(event))

    def log(self, value: Any = None, label: str | None = None) -> None:
        """Enqueue `log`."""
        self.actions.append(builtin.log(value, label))

    def cancel(self, id: Any) -> None:
        """Enqueue `cancel`."""
        self.actions.append(builtin.cancel(id))

    def spawn_child(self, src: Any, **options: Any) -> None:
        """Enqueue `spawn_child`; it takes the same options."""
        self.actions.append(builtin.spawn_child(src, **options))

    def stop_child(self, child: Any) -> None:
        """Enqueue `stop_child`."""
        self.actions.append(builtin.stop_child(child))


class EnqueueArgs(Args[ContextT, EventT]):
    """The args of the callback: `enqueue` and `check` besides the usual."""

    __slots__ = ("check", "enqueue")

    enqueue: Enqueue
    check: Callable[[Any], bool]


class EnqueueActions(builtin.BuiltinAction):
    """Let a function decide which actions run."""

    __slots__ = ("collect",)
    type = "xstate.enqueueActions"

    def __init__(self, collect: Callable[..., Any]) -> None:
        self.collect = collect

    def compile(self, library: Library, path: str) -> builtin.Run:
        collect = library.function(self.collect, f"{path}.enqueueActions")

        def run(args: StepArgs, params: Any) -> None:
            given: EnqueueArgs = EnqueueArgs(args.context, args.event, args._scope)
            given.enqueue = enqueue = Enqueue()

            def check(condition: Any) -> bool:
                guard = library.guard(condition, path)
                return bool(guard.check(given, guard.params))

            given.check = check
            collect(given, params)
            for config in enqueue.actions:
                action = library.action(config, path)
                action.run(args, action.params)

        return run


def enqueue_actions(collect: Callable[..., Any]) -> Any:
    """Run the actions that `collect(args, params)` enqueues with `args.enqueue`;
    `args.check(guard)` asks a guard.
    """
    return EnqueueActions(collect)
