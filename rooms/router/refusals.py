"""Answers of a door itself over plain HTTP: a refusal has the status that its close code stands
for, and says when to come back (SPEC, OPEN3); whether the process lives, and is ready (METRIC2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from rooms.errors import Closing
    from rooms.link.protocol import Json

READY: Final = "ready"


def refused(closing: Closing) -> Response:
    """The refusal as a response."""
    response = json(closing.body, closing.code.http_status)
    response.headers.update(closing.headers)
    return response


def health() -> Response:
    """The process lives."""
    return json({"status": "ok"})


def readiness(state: str) -> Response:
    """200 while the state is `ready`, else 503."""
    return json({"status": state}, 200 if state == READY else 503)


def json(data: Json, status: int = 200) -> Response:
    """Data that nobody keeps."""
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(data), status, headers, media_type="application/json")
