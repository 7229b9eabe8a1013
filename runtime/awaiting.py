"""Waiting for actors, in coroutines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, overload

from .errors import EndedError, RuntimeFault
from .live import create_actor
from .logic import from_transition
from .snapshots import field

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actor import Actor
    from .statechart.scope import OutputT, SnapshotT
    from .statechart.snapshot import Snapshot


async def wait_for(
    actor: Actor[SnapshotT, Any],
    predicate: Callable[[SnapshotT], bool],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - XState has it
) -> SnapshotT:
    """The first snapshot, from now on, that satisfies the predicate.

    Args:
        timeout: in ms.

    Raises:
        TimeoutError: it took longer.
        EndedError: the actor ended without; an actor's own error is raised as it is.
    """
    snapshot = actor.get_snapshot()
    if predicate(snapshot):
        return snapshot
    found: asyncio.Future[SnapshotT] = asyncio.get_running_loop().create_future()

    def look(snapshot: SnapshotT) -> None:
        try:
            if not found.done() and predicate(snapshot):
                found.set_result(snapshot)
        except Exception as error:
            found.set_exception(_raisable(error))

    def fail(error: Any) -> None:
        if not found.done():
            found.set_exception(_raisable(error))

    subscription = actor.subscribe(
        next=look, error=fail, complete=lambda: fail(EndedError(actor.id))
    )
    bound = None if timeout is None else timeout / 1000
    try:
        async with asyncio.timeout(bound):  # noqa: TID251 - the caller's own bound
            return await found
    except TimeoutError:
        raise TimeoutError(f"actor '{actor.id}' didn't get there within {timeout} ms") from None
    finally:
        subscription.unsubscribe()


@overload
async def to_promise(actor: Actor[Snapshot[Any, OutputT], Any]) -> OutputT: ...


@overload
async def to_promise(actor: Actor) -> Any: ...


async def to_promise(actor: Actor[Any, Any]) -> Any:
    """The actor's output once it is done; raises its error, as RuntimeFault if that is no exception
    or none that a coroutine may raise.
    """
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    subscription = actor.subscribe(
        complete=lambda: done.set_result(field(actor.get_snapshot(), "output")),
        error=lambda error: done.set_exception(_raisable(error)),
    )
    try:
        return await done
    finally:
        subscription.unsubscribe()


def create_empty_actor() -> Actor:
    """An actor that does nothing."""
    return create_actor(from_transition(lambda state, event, scope: None, None))


def _raisable(error: Any) -> BaseException:
    """An actor's error may be any data; and StopIteration would never reach who waits."""
    if isinstance(error, BaseException) and not isinstance(error, StopIteration):
        return error
    return RuntimeFault(f"the actor failed: {error!r}")
