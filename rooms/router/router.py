"""The process at the door: one ASGI application before all rooms.

In: sockets and requests. Here the parts are put together: admission, connections, plain HTTP,
pages; behind them routing and its links to the hosts. It imports no application code: what it must
know of it (names of kinds, the pages' folder) hosts say.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import Hosted
from rooms.router.admission import Admissions
from rooms.router.connections import Connections
from rooms.router.development import Development
from rooms.router.http import Http
from rooms.router.intake import Intake
from rooms.router.pages import Pages
from rooms.router.parties import PartyConnection
from rooms.router.routing import Routing
from rooms.router.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import PurePosixPath

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rooms.link.memory import End
    from rooms.link.protocol import Message as LinkMessage
    from rooms.pace import Pace
    from rooms.router.channels import Host
    from rooms.router.limits import Limits
    from rooms.store.port import HostInfo
    from rooms.tally import RouterTally

_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_SECURITY: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "content-security-policy": "frame-ancestors 'self'",
}
_RETRY: Final = (200, 1500)  # ms between which clients of a closing server come back
_GONE_WITHIN: Final = 1.0


class Router:
    """All that stands between the network and the links to hosts.

    `secret` signs tokens; `now` is the store's time in ms; `pace` shares out the time of this
    process; `pages` and `facade` are folders of files; pages of `origins` (`https://example.com`)
    may use it from elsewhere. Which kinds of rooms there are, and the pages where none were given,
    it learns from hosts. `development`: pages opened on this machine may ask as its operator.
    """

    def __init__(
        self,
        *,
        secret: bytes,
        now: Callable[[], int],
        pace: Pace,
        limits: Limits,
        pages: Path | None,
        facade: Path,
        origins: frozenset[str] = frozenset(),
        development: bool = False,
    ) -> None:
        tokens = Tokens(secret)
        self._kinds: dict[str, bool] = {}  # whether each has an `authenticate` of its own
        self._pages = None if pages is None else Pages(pages)
        self._hosted = asyncio.Event()
        admissions = Admissions(self._kinds, tokens, now, origins)
        self._development = Development(tokens, admissions, now) if development else None
        self._routing = Routing(_later)
        self._connections = Connections(self._routing, admissions, limits, now, Intake(pace))
        self._http = Http(self._routing, admissions, self._connections)
        self.app: ASGIApp = _with_headers(self._application(facade, origins))

    def meet(self, info: HostInfo, end: End, lost: Callable[[], None] = lambda: None) -> Host:
        """There is a host, at the other end of this link; `lost` is called at its end."""
        routing = self._routing
        host = routing.meet(info, end.send, lambda: end.under_way)

        def ended() -> None:
            lost()
            routing.lost(host)

        def heard(message: LinkMessage) -> None:
            if type(message) is Hosted:
                self._hear(message)
            else:
                routing.receive(host, message)

        end.listen(heard, ended)
        return host

    def listed(self, host: Host, info: HostInfo | None) -> None:
        """This is what the store says of a host; None: that it doesn't live."""
        self._routing.listed(host, info)

    @property
    def tally(self) -> RouterTally:
        """What it has done."""
        return self._routing.tally

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._routing.channels

    @property
    def hosts(self) -> int:
        """How many it has a link to."""
        return self._routing.links

    @property
    def state(self) -> str:
        """`ready` while new connections are welcome; else `draining` or `no host`."""
        return self._http.state

    async def hosted(self) -> None:
        """Wait until a host has said what it has rooms of."""
        await self._hosted.wait()

    def _hear(self, hosted: Hosted) -> None:
        """What a host has: kinds that weren't known, and pages where nobody gave any."""
        self._kinds.update(hosted.kinds)
        if self._pages is None and hosted.pages is not None and Path(hosted.pages).is_dir():
            self._pages = Pages(Path(hosted.pages))
        self._hosted.set()

    async def close(self) -> None:
        """Tell every connection that the server is going, and when to come back; give them a second
        to hang up.
        """
        self._http.draining = True
        await self._connections.close(
            lambda: Closing(CloseCode.GOING_AWAY, "the server restarts", random.randint(*_RETRY)),
            _GONE_WITHIN,
        )

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._pages or _no_page)(scope, receive, send)

    def _application(self, facade: Path, origins: frozenset[str]) -> Starlette:
        http, connections = self._http, self._connections
        room, party = (
            f"/{door}/{{kind}}/{{session}}{{rest:path}}" for door in ("rooms", "parties")
        )
        session = "/rooms/-/sessions/{kind}/{session}"
        routes: list[BaseRoute] = [
            Route("/health", http.health),
            Route("/ready", http.ready),
            Route(session + "{rest:path}", http.operate, methods=_METHODS),
            Route("/rooms/-/{rest:path}", http.operate, methods=_METHODS),
            WebSocketRoute(session, partial(connections.serve, operator=True)),
            Route(room, http.room, methods=[*_METHODS, "OPTIONS"]),
            WebSocketRoute(room, connections.serve),
            Route(party, http.room, methods=[*_METHODS, "OPTIONS"]),
            WebSocketRoute(party, partial(connections.serve, make=PartyConnection)),
            WebSocketRoute("/{path:path}", connections.serve),
            Route("/rooms/{kind}", http.rooms, methods=["GET"]),
            Route("/rooms{rest:path}", http.not_found),
            Route("/parties{rest:path}", http.not_found),
            Mount("/client", Pages(facade, allowed=_is_facade, fallback=False)),
            Mount("/", self._page),
        ]
        if self._development is not None:
            routes.insert(0, Route("/rooms/-/token", self._development.token))
        application = Starlette(routes=routes)
        application.router.redirect_slashes = False
        if origins:
            application.add_middleware(
                CORSMiddleware,
                allow_origins=sorted(origins),
                allow_methods=_METHODS,
                allow_headers=[
                    "authorization",
                    "content-type",
                    "idempotency-key",
                    "if-none-match",
                    "last-event-id",
                ],
                expose_headers=["etag", "retry-after"],
            )
        return application


async def _no_page(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("Not Found", 404)(scope, receive, send)


def _later(seconds: float, run: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_later(seconds, run)


def _is_facade(path: PurePosixPath) -> bool:
    """Modules of the façade itself: neither its tests nor what these are made with."""
    return path.suffix == ".js" and not {"node_modules", "test", "tests"} & set(path.parts)


def _with_headers(app: ASGIApp) -> ASGIApp:
    """Put the security headers on every plain response."""

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, send_with if scope["type"] == "http" else send)

    return with_headers
