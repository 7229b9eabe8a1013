"""Router and host apart, each a process of its own: what `rooms host` and `rooms router` run, and
`rooms serve` with several of them. `server.py` is both in one.

In: settings, and for a host the App. Out: a process that does its part until it is told to stop. A
host that stops gives its rooms over to others; a router that stops tells its connections when to
come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rooms import operations
from rooms.errors import StoreError, UsageError
from rooms.host.clock import Clock, elapsed
from rooms.host.host import Host
from rooms.link.stream import LINK, Tls, Traffic, listen
from rooms.pace import Pace
from rooms.router.dialing import Dialing
from rooms.router.limits import Limits
from rooms.router.listening import Listening, bind
from rooms.router.router import Router
from rooms.server import (
    drain,
    facade_folder,
    first_of,
    metrics_of,
    pages_of,
    replicas_wanted,
    signalled,
    signing_secret,
    store_time,
    url_of,
)
from rooms.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.app import App
    from rooms.host.tenant import Nursery
    from rooms.link.protocol import Message
    from rooms.link.stream import StreamEnd
    from rooms.settings import Settings
    from rooms.store.port import Store

logger = logging.getLogger(__name__)

_ASK_TIME_EVERY: Final = 2.5  # s


async def serve_host(
    app: App,
    settings: Settings,
    *,
    ready: Callable[[str], None],
    watched: Callable[[str], None],
    nursery: Nursery | None,
) -> None:
    """Keep rooms until SIGINT or SIGTERM. `ready` gets the address at which routers find it,
    `watched` the URL of the operator's door, if there is one. `nursery` is where rooms get
    processes of their own.

    Raises:
        UsageError: it can't listen there, or the store can't be shared.
        StoreError: the store can't be opened.
    """
    async with contextlib.AsyncExitStack() as ending:
        store = await _shared_store(settings, replicas_wanted(app))
        ending.push_async_callback(store.close)
        ends: list[StreamEnd[Message]] = []
        traffic = Traffic()
        serve: Callable[[StreamEnd[Message]], None] = ends.append  # until it may
        listener = await listen(
            settings.listen,
            await store.secret(),
            lambda end: serve(end),
            LINK,
            tls=_tls(settings),
            traffic=traffic,
        )
        ending.callback(listener.close)
        address = settings.advertise or listener.address
        host = Host(
            app.kinds,
            store,
            address=address,
            weight=settings.weight,
            pages=pages_of(app),
            nursery=nursery,
        )
        door = operations.serving(
            settings.metrics, lambda: metrics_of(host, None, traffic), lambda: host.state
        )
        if url := await ending.enter_async_context(door):
            watched(url)
        if nursery is not None:  # it imports the App, too: no room that comes here waits for that
            await nursery.warmed()
        await host.start()
        for end in ends:
            host.serve(end)

        def serve_too(end: StreamEnd[Message]) -> None:
            ends[:] = [*(one for one in ends if not one.lost), end]
            host.serve(end)

        serve = serve_too
        ending.push_async_callback(_give_over, host, ends)
        with signalled() as stopped:
            ready(address)
            await stopped.wait()


async def _give_over(host: Host, ends: list[StreamEnd[Message]]) -> None:
    """Let every room go elsewhere. What routers had said before they knew comes back to them."""
    await drain(host)
    if ends:
        await asyncio.wait([asyncio.ensure_future(end.settle()) for end in ends])
    for end in ends:
        end.close()


async def serve_router(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    linked: Callable[[list[str]], None],
    watched: Callable[[str], None],
) -> None:
    """Hold sockets until SIGINT or SIGTERM. `ready` gets the URL, once a host is there and
    connections are accepted; `linked` the addresses of the hosts it has links to, at each change;
    `watched` the URL of the operator's door, if there is one.

    Raises:
        UsageError: the address or port can't be had, or the store can't be shared.
        StoreError: the store can't be opened.
    """
    async with contextlib.AsyncExitStack() as ending:
        bound = bind(settings.bind, settings.port, shared=True)
        ending.callback(bound.close)
        store = await _shared_store(settings)
        ending.push_async_callback(store.close)
        clock = Clock()
        await _ask_time(store, clock)
        asking = asyncio.ensure_future(_ask_time_on(store, clock))
        ending.callback(asking.cancel)
        router = Router(
            secret=await signing_secret(store, settings.secret),
            now=clock.now,
            pace=Pace(elapsed),
            limits=Limits() if settings.limits else Limits.off(),
            pages=_pages(settings),
            facade=facade_folder(),
            origins=frozenset(settings.origins),
        )
        traffic = Traffic()
        door = operations.serving(
            settings.metrics, lambda: metrics_of(None, router, traffic), lambda: router.state
        )
        if url := await ending.enter_async_context(door):
            watched(url)
        secret, tls = await store.secret(), _tls(settings)
        dialing = Dialing(router, store, secret, tls=tls, traffic=traffic, changed=linked)
        dialing.start()
        ending.push_async_callback(dialing.stop)
        with signalled() as stopped:
            if await first_of(router.hosted(), stopped.wait()) != 0:
                return
            listening = Listening(router.app, bound)
            await listening.start()
            ending.push_async_callback(listening.stop)
            ending.push_async_callback(router.close)
            ending.callback(listening.close)
            ready(url_of(settings.bind, bound.getsockname()[1]))
            await stopped.wait()


async def _ask_time(store: Store, clock: Clock) -> None:
    asked = clock.elapsed()
    clock.measured(await store.now(), asked, clock.elapsed())


async def _ask_time_on(store: Store, clock: Clock) -> None:
    while True:
        await asyncio.sleep(_ASK_TIME_EVERY)  # noqa: TID251 - between two questions
        try:
            await _ask_time(store, clock)
        except StoreError as error:
            logger.warning("the store's time can't be asked: %s", error)


async def _shared_store(settings: Settings, replicas: int = 0) -> Store:
    """The store, which other processes use too."""
    if settings.store == "memory:" or settings.store.startswith("sqlite:"):
        raise UsageError(
            f"{settings.store} is one process's: on one machine take "
            "`rooms serve APP --hosts N --routers M`, which shares it; on several, redis://…"
        )
    return await open_store(settings.store, now=store_time(), elapsed=elapsed, replicas=replicas)


def _tls(settings: Settings) -> Tls | None:
    return Tls(*settings.link_tls) if settings.link_tls else None


def _pages(settings: Settings) -> Path | None:
    if settings.pages is None:
        return None
    pages = Path(settings.pages)
    if not pages.is_dir():
        raise UsageError(f"--pages {pages}: there is no such folder")
    return pages
