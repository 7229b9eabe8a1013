"""The composition root: one process that is router and host, joined by a pair of queues.

In: an `App` and `Settings`. Out: a server that accepts connections until it is told to stop. Each
part is made here and given what it needs; in what order they start, and in what order they end so
that nothing acknowledged is lost and everybody knows when to come back, is decided here too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rooms import operations
from rooms.definition import replicas_of
from rooms.errors import UsageError
from rooms.host.clock import elapsed
from rooms.host.host import Host
from rooms.link import memory
from rooms.router.limits import Limits
from rooms.router.listening import Listening, bind
from rooms.router.refusals import READY
from rooms.router.router import Router
from rooms.store import file_of, lockfile, open_store
from runtime.clock import LoopClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from rooms.app import App
    from rooms.host.tenant import Nursery
    from rooms.link.stream import Traffic
    from rooms.settings import Settings
    from rooms.store.port import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_WALL: Final = LoopClock()
_DRAINED_WITHIN: Final = 10.0
_MIN_SECRET: Final = 32  # bytes, as RFC 7518, 3.2 asks of HS256


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run this in an event loop of its own: uvloop's where there is one."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):  # there is none for Windows
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


async def serve(
    app: App,
    settings: Settings,
    *,
    ready: Callable[[str], None],
    development: bool = False,
    nursery: Nursery | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until this task is cancelled; a second signal ends at once.

    `ready` gets the URL when connections are accepted; nothing accepts before. In `development` a
    page opened on this machine may see all that its operator may. `nursery` is where rooms get
    processes of their own.

    Raises:
        UsageError: the address or port can't be had, the store or secret can't be used.
        StoreError: the store can't be opened (StoreLocked: by another process).
    """
    async with contextlib.AsyncExitStack() as ending:
        bound = bind(settings.bind, settings.port)
        ending.callback(bound.close)
        store = await open_store(
            settings.store, now=store_time(), elapsed=elapsed, replicas=replicas_wanted(app)
        )
        ending.push_async_callback(store.close)
        secret = await signing_secret(store, settings.secret)

        host = Host(app.kinds, store, pages=pages_of(app), nursery=nursery)
        router = Router(
            secret=secret,
            now=host.clock.now,
            pace=host.pace,
            limits=Limits() if settings.limits else Limits.off(),
            pages=None,
            facade=facade_folder(),
            origins=frozenset(settings.origins),
            development=development,
        )
        door = operations.serving(
            settings.metrics,
            lambda: metrics_of(host, router),
            lambda: router.state if host.state == READY else host.state,
        )
        await ending.enter_async_context(door)
        await host.start()
        ending.push_async_callback(drain, host)
        ours, theirs = memory.pair()
        host.serve(theirs)
        router.meet(host.info, ours)
        await router.hosted()
        listening = Listening(router.app, bound)
        await listening.start()
        ending.push_async_callback(listening.stop)
        ending.push_async_callback(router.close)
        ending.callback(listening.close)

        url = url_of(settings.bind, bound.getsockname()[1])
        file = file_of(settings.store)
        if file is not None:
            lockfile.announce(file, url)  # where the command line asks for what is live
        with signalled() as stopped:
            ready(url)
            await stopped.wait()


def metrics_of(
    host: Host | None = None, router: Router | None = None, traffic: Traffic | None = None
) -> Callable[[], Awaitable[bytes]]:
    """What reads the metrics of these parts."""
    from rooms import metrics

    read = metrics.of_process(host, router, traffic)

    async def measured() -> bytes:
        return read()

    return measured


def pages_of(app: App) -> str | None:
    """The folder of its pages, as its hosts say it."""
    return None if app.pages is None else str(app.pages)


def replicas_wanted(app: App) -> int:
    """How many replicas the strictest kind's `durability` wants."""
    return max(replicas_of(kind) for kind in app.kinds.values())


def store_time() -> Callable[[], int]:
    """The time that an embedded store tells: the wall's when this process began, and what has
    elapsed since. A step of the wall clock then moves no timer, in either direction (SPEC TIME6).
    """
    begun = _WALL.now() - elapsed()
    return lambda: int(begun + elapsed())


async def signing_secret(store: Store, given: str | None) -> bytes:
    """What signs tokens: the operator's, or one that the store made once and keeps."""
    if not given:
        return await store.secret()
    if len(given.encode()) < _MIN_SECRET:
        raise UsageError(f"ROOMS_SECRET has at least {_MIN_SECRET} characters, random ones")
    return given.encode()


async def drain(host: Host) -> None:
    """Let a host store what it has, but not for ever."""
    try:
        await asyncio.wait_for(host.drain(), _DRAINED_WITHIN)
    except TimeoutError:
        logger.error("rooms took over %d s to store what they have", _DRAINED_WITHIN)


def facade_folder() -> Path:
    """The folder of the browser's façade, which is another package's."""
    spec = find_spec("client")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "js"


@contextlib.contextmanager
def signalled() -> Iterator[asyncio.Event]:
    """An event that the first signal sets. The second finds the system's own handling again."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def forget() -> None:
        for number in _SIGNALS:
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)

    def stop() -> None:
        stopped.set()
        forget()

    for number in _SIGNALS:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        forget()


async def first_of(*awaited: Awaitable[Any], within: float | None = None) -> int | None:
    """The place of the one that ends first, None: none of them does within so many seconds. The
    others are cancelled.
    """
    waits = [asyncio.ensure_future(one) for one in awaited]
    done, rest = await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    for wait in rest:
        wait.cancel()
    return next((place for place, wait in enumerate(waits) if wait in done), None)


def url_of(address: str, port: int) -> str:
    """Where a browser on this machine finds it."""
    if address in ("0.0.0.0", "::", ""):
        address = "127.0.0.1"
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
