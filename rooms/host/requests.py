"""Plain HTTP requests on a room: read here, answered by the room (SPEC, HTTP).

In: `Request` from the link, and who asks. Out: an `Ask` for the room's mailbox, or a refusal at
once. Size and Origin were the router's to judge. Next: `rooms/host/session.py`.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from rooms.errors import BadMessage, Closing, UsageError
from rooms.host import recall
from rooms.host.ask import Ask, Visit
from rooms.sync import messages
from rooms.sync.codec import decode

if TYPE_CHECKING:
    from rooms.host.ask import Response
    from rooms.host.kinds import Kind
    from rooms.link.memory import End
    from rooms.link.protocol import Attach, Request
    from rooms.store.port import Store
    from rooms.sync.views import Viewer

MAX_KEY: Final = 200


def read(end: End, request: Request, kind: Kind, viewer: Viewer, store: Store) -> Ask | None:
    """What the room is asked; None when the request was answered here."""
    plain = Ask(end, request.request, viewer, create=request.create)
    if "on_request" in kind.hooks:
        return _visit(end, request, viewer)
    if request.path in ("", "/"):
        if request.method == "GET" and recall.wanted(request):
            return recall.read(end, request, kind.room, viewer, store)
        if request.method == "GET":
            plain.known = request.headers.get("if-none-match")
            return plain
        if request.method == "POST":
            return _event(plain, request)
    if not kind.answers_requests:
        plain.reply(404, {"reason": "there is nothing here"})
        return None
    return _visit(end, request, viewer)


def _visit(end: End, request: Request, viewer: Viewer) -> Visit:
    """A request for the author's hook."""
    call = partial(_on_request, request)
    return Visit(end, request.request, viewer, call, create=request.create)


def _event(ask: Ask, request: Request) -> Ask | None:
    media, _, _ = request.headers.get("content-type", "").partition(";")
    if media.strip().lower() != "application/json":  # what another site's form can send never is
        ask.reply(415, {"reason": "POST an event as `Content-Type: application/json`"})
        return None
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= MAX_KEY:
        ask.reply(400, {"reason": f"an Idempotency-Key has 1 to {MAX_KEY} characters"})
        return None
    try:
        event = decode(request.body, "json")
        messages.check_event(event)
    except Closing:
        ask.reply(400, {"reason": "a body is one event as JSON"})
        return None
    except BadMessage as bad:
        ask.reply(422, {"outcome": "rejected", "code": bad.code, "reason": bad.reason})
        return None
    ask.event = event
    if key is not None:
        ask.key = "http " + _digest(key.encode()).hex()
        ask.digest = _digest(orjson.dumps(event, option=orjson.OPT_SORT_KEYS))
    return ask


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


async def _on_request(request: Request, room: Any) -> Response | None:
    """Give the author a Starlette request, and take the response apart for the link."""
    from starlette.requests import Request as StarletteRequest

    scope = _scope(request, request.method, request.path)
    status, headers, body = 200, dict[str, str](), bytearray()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for header in message["headers"]:
                name, line = (part.decode("latin-1") for part in header)
                headers[name] = f"{headers[name]}\n{line}" if name in headers else line
        else:
            body.extend(message.get("body", b""))

    response = room.on_request(StarletteRequest(scope, receive))
    if inspect.isawaitable(response):
        response = await response
    if response is None:
        return None
    if not callable(response):
        raise UsageError(f"on_request gives a Starlette response, or None, not {response!r:.80}")
    await response(scope, receive, send)
    headers.pop("content-length", None)
    return status, headers, bytes(body)


def opening(attach: Attach) -> Any:
    """The request that opened a connection, as Starlette's; its headers where the kind has an
    `authenticate` of its own.
    """
    from starlette.requests import Request as StarletteRequest

    return StarletteRequest(_scope(attach, "GET", ""))


def _scope(asked: Request | Attach, method: str, path: str) -> dict[str, Any]:
    from urllib.parse import urlencode

    return {
        "type": "http",
        "method": method,
        "path": f"/rooms/{asked.kind}/{asked.session}{path}",
        "root_path": "",
        "scheme": "http",
        "query_string": urlencode(asked.params).encode(),
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in asked.headers.items()],
    }
