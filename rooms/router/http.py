"""Plain HTTP at the door: requests on a room, health.

In: what isn't a WebSocket. A request on a room is checked as a socket would be, then answered by
the host as it stands. Refusals are the sockets' too, with a status instead of a close code.

Next inward: `rooms/router/routing.py`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import Answer, Request
from rooms.router.admission import joined, params_of
from rooms.router.refusals import READY, health, json, readiness, refused
from rooms.sync.messages import CURSOR_PATTERN, MAX_BYTES
from rooms.tasks import resolve

if TYPE_CHECKING:
    from starlette.requests import Request as HttpRequest

    from rooms.router.admission import Admission, Admissions
    from rooms.router.connections import Connections
    from rooms.router.routing import Routing

logger = logging.getLogger(__name__)

_ANSWER_WITHIN: Final = 30.0  # s; a room that takes longer is as good as out of reach
_ASK_AGAIN: Final = {"cache-control": "no-cache", "vary": "authorization"}
MAX_IMPORT: Final = 64 * 1024 * 1024
"""The most bytes of a session that an operator brings."""
MAX_HEAD: Final = 32 * 1024
"""The most bytes of a request's headers, which travel on to its host."""
_ALLOWED: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_SAFE: Final = frozenset({"GET", "HEAD"})


class Http:
    """The plain side of the door."""

    def __init__(self, routing: Routing, admissions: Admissions, connections: Connections) -> None:
        self._routing = routing
        self._connections = connections
        self._admissions = admissions
        self._visits = connections.visits
        self._intake = connections.intake
        self.draining = False

    @property
    def state(self) -> str:
        """`ready` while new connections are welcome; else `draining` or `no host`."""
        if self.draining:
            return "draining"
        return READY if self._routing.reachable else "no host"

    async def room(self, request: HttpRequest) -> Response:
        """`/rooms/{kind}/{session}[/…]`: the host answers."""
        path = request.path_params
        if request.method == "OPTIONS":  # a preflight of a named origin was answered before
            return Response(status_code=204, headers={"allow": _ALLOWED})
        try:
            self._count(request)
            if _wants_stream(request):
                return self._stream(request)
            admission = self._admit(request, path["session"])
            if request.method not in _SAFE:
                self._admissions.check_origin(request.headers)
            body = await _body(request)
        except Closing as closing:
            return self._refused(request, closing)
        known = self._routing.session(admission.kind, admission.session)
        await self._intake.turn((admission.kind, admission.session), known)
        return await self._asked(request, admission, path["rest"], body)

    async def rooms(self, request: HttpRequest) -> Response:
        """`/rooms/{kind}`: the host answers with those that are listed."""
        try:
            self._count(request)
            admission = self._admit(request, None)
        except Closing as closing:
            return self._refused(request, closing)
        return await self._asked(request, admission, "", b"")

    async def operate(self, request: HttpRequest) -> Response:
        """`/rooms/-/…`: what only an operator may ask; the host answers."""
        path = request.path_params
        try:
            self._count(request)
            self._admissions.check_operator(request.headers)
            body = await _body(request, MAX_IMPORT)
        except Closing as closing:
            return self._refused(request, closing)
        session = path.get("session", "")
        asked = Request(
            request=self._routing.number(),
            kind=path.get("kind", ""),
            session=session,
            method=request.method,
            path=path["rest"] if session else f"/{path['rest']}",
            params=params_of(request.query_params),
            body=body,
            operator=True,
        )
        return await self._answered(asked)

    def _count(self, request: HttpRequest) -> None:
        """Raises Closing: too many come from this address, or this one has too much of a head."""
        self._visits.request(_address(request), asyncio.get_running_loop().time())
        if sum(len(name) + len(value) for name, value in request.headers.raw) > MAX_HEAD:
            raise Closing(CloseCode.TOO_BIG, f"headers have at most {MAX_HEAD} bytes")

    def _admit(self, request: HttpRequest, session: str | None) -> Admission:
        """Who asks for what. Raises Closing, as a socket would be refused."""
        kind, query = request.path_params["kind"], request.query_params
        admission = self._admissions.admit(kind, session, query, request.headers, socket=False)
        self._visits.ask(admission.identity.subject, asyncio.get_running_loop().time())
        return admission

    def _stream(self, request: HttpRequest) -> Response:
        """A connection of server-sent events. Raises Closing, as a socket would be refused."""
        self._admissions.check_origin(request.headers)
        admission = self._admit(request, request.path_params["session"])
        resumed = request.headers.get("last-event-id", "")
        if CURSOR_PATTERN.fullmatch(resumed):  # the newest that it holds; its address is of before
            admission = replace(admission, cursor=resumed)
        return self._connections.stream(admission, _address(request))

    async def health(self, request: HttpRequest) -> Response:
        """`/health`: the process lives."""
        return health()

    async def ready(self, request: HttpRequest) -> Response:
        """`/ready`: 200 while new connections are welcome, else 503."""
        return readiness(self.state)

    async def not_found(self, request: HttpRequest) -> Response:
        """What lies below our own paths and is nothing."""
        return json({"reason": "there is nothing here"}, 404)

    async def _asked(
        self, request: HttpRequest, admission: Admission, path: str, body: bytes
    ) -> Response:
        asked = Request(
            request=self._routing.number(),
            kind=admission.kind,
            session=admission.session,
            method="GET" if request.method == "HEAD" else request.method,
            path=path,
            params=params_of(request.query_params),
            headers=joined(request.headers),
            body=body,
            viewer=admission.identity.viewer(),
            token=admission.token,
            create=admission.create,
        )
        return await self._answered(asked)

    async def _answered(self, asked: Request) -> Response:
        answer = await self._ask(asked)
        if answer is None:
            return refused(Closing(CloseCode.OVERLOADED, "the room doesn't answer"))
        response = Response(answer.body, answer.status)
        for name, lines in {**_ASK_AGAIN, **answer.headers}.items():
            for line in lines.split("\n"):
                response.headers.append(name, line)
        return response

    async def _ask(self, asked: Request) -> Answer | None:
        """What the host answers; None when it doesn't in time."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._routing.request(asked, partial(resolve, waiting))
        try:
            return await asyncio.wait_for(waiting, _ANSWER_WITHIN)
        except TimeoutError:
            return None
        finally:
            self._routing.abandon(asked.request)

    def _refused(self, request: HttpRequest, closing: Closing) -> Response:
        self._routing.tally.refused += 1
        logger.info("refused %s %.200r: %s", request.method, request.url.path, closing)
        return refused(closing)


def _address(request: HttpRequest) -> str:
    return request.client.host if request.client else ""


def _wants_stream(request: HttpRequest) -> bool:
    """Whether this asks for server-sent events of a room."""
    return (
        request.method == "GET"
        and request.path_params["rest"] in ("", "/")
        and "text/event-stream" in request.headers.get("accept", "")
    )


async def _body(request: HttpRequest, most: int = MAX_BYTES) -> bytes:
    """The body, of at most so many bytes. Raises Closing: 1009; 4400, it ends too early."""
    too_big = Closing(CloseCode.TOO_BIG, f"a body has at most {most} bytes")
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > most:
        raise too_big
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_big
    except ClientDisconnect as gone:
        raise Closing(CloseCode.BAD_MESSAGE, "who sent it hung up") from gone
    return bytes(body)
