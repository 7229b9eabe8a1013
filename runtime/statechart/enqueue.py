"""`enqueue_actions`: a function decides which actions run, by asking guards and enqueueing.

Its callback runs inside the turn; what it enqueues runs right after it, in order, each seeing the
context of its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec

from . import actions as builtin
from .args import Args
from .scope import ContextT, EventT

if TYPE_CHECKING:
    from collections.abc import Callable

    from .args import StepArgs
    from .library import Library

P = ParamSpec("P")


def _enqueuing(
    make: Callable[P, builtin.BuiltinAction],
) -> Callable[Concatenate[Enqueue, P], None]:
    """A method that enqueues what `make` makes of the same arguments."""

    def enqueue(self: Enqueue, /, *args: P.args, **options: P.kwargs) -> None:
        self.actions.append(make(*args, **options))

    return enqueue


class Enqueue:
    """`args.enqueue(action)`, and a method for each of XState's own actions, of the same name and
    with the same arguments.
    """

    __slots__ = ("actions",)

    def __init__(self) -> None:
        self.actions: list[Any] = []

    def __call__(self, action: Any) -> None:
        """Enqueue an action: a name, `{"type", "params"}`, a function, or one of XState's own."""
        self.actions.append(action)

    assign = _enqueuing(builtin.assign)
    raise_ = _enqueuing(builtin.raise_)
    send_to = _enqueuing(builtin.send_to)
    send_parent = _enqueuing(builtin.send_parent)
    forward_to = _enqueuing(builtin.forward_to)
    emit = _enqueuing(builtin.emit)
    log = _enqueuing(builtin.log)
    cancel = _enqueuing(builtin.cancel)
    spawn_child = _enqueuing(builtin.spawn_child)
    stop_child = _enqueuing(builtin.stop_child)


class EnqueueArgs(Args[ContextT, EventT]):
    """The args of the callback: `enqueue` and `check` besides the usual."""

    __slots__ = ("check", "enqueue")

    enqueue: Enqueue
    check: Callable[[Any], bool]


@dataclass(slots=True, eq=False)
class EnqueueActions(builtin.BuiltinAction):
    """Let a function decide which actions run."""

    type: ClassVar[str] = "xstate.enqueueActions"
    collect: Callable[..., Any]

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


def enqueue_actions(collect: Callable[..., Any]) -> builtin.BuiltinAction:
    """Run the actions that `collect(args, params)` enqueues with `args.enqueue`;
    `args.check(guard)` asks a guard.
    """
    return EnqueueActions(collect)
