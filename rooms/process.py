"""A process that serves one App, or is a host or router of it: what `rooms serve` does itself, and
`rooms dev` starts; with several, `rooms serve` too.

In: an App and the settings. Out: a server, until it is told to stop. Started by `supervisor.py` it
makes itself ready first and then waits for its orders, so that the next one can stand by; it says
what to watch and where it can be reached, as lines of JSON over a socket, and ends at once when
that socket does: whatever kills the parent, nothing is left behind.

Next: `server.py`.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rooms import loading
from rooms.children import PARENT, Parent
from rooms.collector import Collector
from rooms.errors import RoomsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rooms.app import App
    from rooms.loading import Place
    from rooms.nursery import Nursery
    from rooms.settings import Settings

# Seconds after which a thread that computes lets others have a turn. The store's thread needs a few
# of them for a commit: beside a loop at its limit it gets some 100 commits a second through at
# Python's own 5 ms, and four to five times as many at this.
SWITCH_INTERVAL = 0.0005


def serve(
    place: Place,
    settings: Settings,
    *,
    loaded: Callable[[], None],
    ready: Callable[[str, bool], None],
    development: bool = False,
) -> None:
    """Load and serve until SIGTERM or SIGINT. `ready` gets the URL and whether there are pages.

    Raises:
        RoomsError: it can't be served; the message says what to change.
    """
    _configure(settings)
    with tuned():
        app = loading.load(place)
        if development:
            app = app.checked()
        loaded()
        from rooms import server

        def served(url: str) -> None:
            ready(url, app.pages is not None)

        nursery = _nursery(app, place, settings)
        server.run(
            server.serve(app, settings, ready=served, development=development, nursery=nursery)
        )


def host(
    place: Place,
    settings: Settings,
    *,
    ready: Callable[[str], None],
    watched: Callable[[str], None] = lambda url: None,
    name: str = "",
) -> None:
    """Load, and keep rooms for routers until SIGTERM or SIGINT. `ready` gets the address, `watched`
    the URL of the operator's door; the log says `name` where it is one process of several.

    Raises:
        RoomsError: it can't be; the message says what to change.
    """
    _configure(settings, name)
    with tuned():
        app = loading.load(place)
        from rooms import apart, server

        nursery = _nursery(app, place, settings, name)
        server.run(apart.serve_host(app, settings, ready=ready, watched=watched, nursery=nursery))


def router(
    settings: Settings,
    *,
    ready: Callable[[str], None],
    linked: Callable[[list[str]], None] = lambda addresses: None,
    watched: Callable[[str], None] = lambda url: None,
    name: str = "",
) -> None:
    """Hold sockets before hosts until SIGTERM or SIGINT. `ready` gets the URL, `linked` the
    addresses of the hosts at each change, `watched` the URL of the operator's door; the log says
    `name` where it is one process of several.

    Raises:
        RoomsError: it can't be; the message says what to change.
    """
    _configure(settings, name)
    with tuned():
        from rooms import apart, server

        server.run(apart.serve_router(settings, ready=ready, linked=linked, watched=watched))


def nurse(place: Place, settings: Settings, parent: Parent, name: str) -> None:
    """Load, and fork processes for rooms until the host is gone. Raises RoomsError."""
    _configure(settings, name)
    app = loading.load(place)
    from rooms import nursery

    parent.say(ready=True)
    nursery.serve(app, parent.socket)


def _nursery(app: App, place: Place, settings: Settings, name: str = "") -> Nursery | None:
    """Where the processes of rooms come from, if this App has such rooms."""
    if all(kind.isolation == "shared" for kind in app.kinds.values()):
        return None
    from rooms.nursery import Nursery

    return Nursery(place.target, settings, f"rooms-of-{name}" if name else "rooms")


def _configure(settings: Settings, name: str = "") -> None:
    from rooms import logs

    logs.configure(settings.log_format, name)
    if settings.traces:
        from rooms import tracing

        tracing.enable()


@contextmanager
def tuned() -> Iterator[None]:
    """Meanwhile this process is one that has many rooms, or their store, and threads beside its
    loop.
    """
    before, collector = sys.getswitchinterval(), Collector()
    sys.setswitchinterval(SWITCH_INTERVAL)
    collector.start()
    try:
        yield
    finally:
        collector.stop()
        sys.setswitchinterval(before)


@contextmanager
def failing(say: Callable[[str], object]) -> Iterator[None]:
    """An error meant for whoever started this ends it with one line: status 2 for wrong usage, 1
    otherwise.
    """
    try:
        yield
    except RoomsError as error:
        say(f"rooms: {error}")
        sys.exit(2 if isinstance(error, UsageError) else 1)


def main() -> None:
    """`python -m rooms.process [NAME]`, by a supervisor."""
    parent = Parent(socket.socket(fileno=int(os.environ.pop(PARENT))))
    import rooms.server  # noqa: F401 - takes longer than all that follows

    target, settings, role = parent.orders()
    with failing(lambda line: sys.stderr.write(f"{line}\n")):
        match role:
            case "host":
                found = loading.find(target)
                host(
                    found,
                    settings,
                    ready=lambda address: parent.say(ready=address),
                    watched=lambda url: parent.say(watched=url),
                    name=sys.argv[-1],
                )
            case "router":
                router(
                    settings,
                    ready=lambda url: parent.say(ready=url),
                    linked=lambda addresses: parent.say(linked=addresses),
                    watched=lambda url: parent.say(watched=url),
                    name=sys.argv[-1],
                )
            case "nursery":
                nurse(loading.find(target), settings, parent, name=sys.argv[-1])
            case "development":
                # Of two sources of one length, saved in one second, Python would run the first.
                sys.dont_write_bytecode = True
                place = loading.find(target)
                serve(
                    place,
                    settings,
                    loaded=lambda: parent.say(sources=loading.sources(place)),
                    ready=lambda url, pages: parent.say(ready=url, pages=pages),
                    development=True,
                )


if __name__ == "__main__":
    main()
