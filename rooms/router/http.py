"""Plain HTTP at the door: requests on a room, one-time codes, health.

In: what isn't a WebSocket. A request on a room is checked as a socket would be, then answered by
the host as it stands. Refusals are the sockets' too, with a status instead of a close code.

Next inward: `rooms/router/routing.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import Answer, Request
from rooms.router.admission import joined, params_of
from rooms.sync.messages import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request as HttpRequest

    from rooms.link.protocol import Json
    from rooms.router.admission import Admissions
    from rooms.router.codes import Codes
    from rooms.router.routing import Routing
    from rooms.router.tokens import Tokens

logger = logging.getLogger(__name__)

_ANSWER_WITHIN: Final = 30.0  # s; a room that takes longer is as good as out of reach
_ASK_AGAIN: Final = {"cache-control": "no-cache", "vary": "authorization"}
_SAFE: Final = frozenset({"GET", "HEAD"})


class UnsupportedType(Exception):
    """A POST to a room that isn't JSON (415). What a browser's form can send never is."""


class Http:
    """The plain side of the door. `now` is the store's time in ms."""

    def __init__(
        self,
        routing: Routing,
        admissions: Admissions,
        tokens: Tokens,
        codes: Codes,
        now: Callable[[], int],
    ) -> None:
        self._routing = routing
        self._admissions = admissions
        self._tokens = tokens
        self._codes = codes
        self._now = now
        self.draining = False

    async def room(self, request: HttpRequest) -> Response:
        """`/rooms/{kind}/{session}[/…]`: the host answers."""
        path = request.path_params
        try:
            admission = self._admissions.admit(
                path["kind"], path["session"], request.query_params, request.headers, socket=False
            )
            if request.method not in _SAFE:
                self._admissions.check_origin(request.headers)
            if request.method == "POST" and path["rest"] in ("", "/"):
                _check_type(request)
            body = await _body(request)
        except Closing as closing:
            return _refused(request, closing)
        except UnsupportedType as error:
            return _json({"reason": str(error)}, 415)
        asked = Request(
            request=self._routing.number(),
            kind=admission.kind,
            session=admission.session,
            method="GET" if request.method == "HEAD" else request.method,
            path=path["rest"],
            params=params_of(request.query_params),
            headers=joined(request.headers),
            body=body,
            viewer=admission.identity.viewer(),
            token=admission.token,
            create=admission.create,
        )
        answer = await self._ask(asked)
        if answer is None:
            return _refused(request, Closing(CloseCode.OVERLOADED, "the room doesn't answer"))
        return Response(answer.body, answer.status, {**_ASK_AGAIN, **answer.headers})

    async def make_code(self, request: HttpRequest) -> Response:
        """`POST /rooms/-/codes` with a token: a code that moves its viewer to another device."""
        try:
            self._admissions.check_origin(request.headers)
            token = self._admissions.bearer(request.headers)
            if token is None:
                raise Closing(CloseCode.UNAUTHENTICATED, "send `Authorization: Bearer <token>`")
            identity = self._tokens.read(token, self._now())
            if not identity.own:
                raise Closing(CloseCode.FORBIDDEN, "this token's issuer signs in other devices")
            self._slow_down(request)
        except Closing as closing:
            return _refused(request, closing)
        code, expires = self._codes.make(identity.subject, self._now())
        return _json({"code": code, "expires": expires})

    async def take_code(self, request: HttpRequest) -> Response:
        """`POST /rooms/-/codes/{code}`: a token of the viewer who asked for it, once."""
        try:
            self._admissions.check_origin(request.headers)
            self._slow_down(request)
            subject = self._codes.take(request.path_params["code"], self._now())
            if subject is None:
                raise Closing(CloseCode.NOT_FOUND, "there is no such code (any more)")
        except Closing as closing:
            return _refused(request, closing)
        return _json({"token": self._tokens.issue(subject, self._now())})

    async def health(self, request: HttpRequest) -> Response:
        """`/health`: 200 while new connections are welcome."""
        return _json({"status": "draining"}, 503) if self.draining else _json({"status": "ok"})

    async def not_found(self, request: HttpRequest) -> Response:
        """What lies below our own paths and is nothing."""
        return _json({"reason": "there is nothing here"}, 404)

    async def _ask(self, asked: Request) -> Answer | None:
        """What the host answers; None when it doesn't in time."""
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def answered(answer: Answer) -> None:
            if not waiting.done():
                waiting.set_result(answer)

        self._routing.request(asked, answered)
        try:
            return await asyncio.wait_for(waiting, _ANSWER_WITHIN)
        except TimeoutError:
            return None
        finally:
            self._routing.abandon(asked.request)

    def _slow_down(self, request: HttpRequest) -> None:
        address = request.client.host if request.client else ""
        if not self._codes.allowed(address, self._now()):
            raise Closing(CloseCode.TOO_MANY, "too many tries from your address", 10_000)


def _check_type(request: HttpRequest) -> None:
    media, _, _ = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != "application/json":
        raise UnsupportedType("POST an event as `Content-Type: application/json`")


async def _body(request: HttpRequest) -> bytes:
    """The body, within the limit. Raises Closing 1009."""
    too_big = Closing(CloseCode.TOO_BIG, f"a body has at most {MAX_BYTES} bytes")
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > MAX_BYTES:
        raise too_big
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise too_big
    return bytes(body)


def _refused(request: HttpRequest, closing: Closing) -> Response:
    logger.info("refused %s %.200r: %s", request.method, request.url.path, closing)
    response = _json(
        {"code": int(closing.code), "reason": closing.reason}, closing.code.http_status
    )
    if closing.retry_after is not None:
        response.headers["retry-after"] = str(-(-closing.retry_after // 1000))
    return response


def _json(data: Json, status: int = 200) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(data), status, headers, media_type="application/json")
