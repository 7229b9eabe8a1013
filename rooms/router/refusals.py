"""Answers of the door itself over plain HTTP: a refusal has the status that its close code stands
for, and says when to come back (SPEC, OPEN3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

if TYPE_CHECKING:
    from rooms.errors import Closing
    from rooms.link.protocol import Json


def refused(closing: Closing) -> Response:
    """The refusal as a response."""
    body = {"code": int(closing.code), "reason": closing.reason}
    response = json(body, closing.code.http_status)
    if closing.retry_after is not None:
        response.headers["retry-after"] = str(-(-closing.retry_after // 1000))
    return response


def json(data: Json, status: int = 200) -> Response:
    """Data that nobody keeps."""
    headers = {"cache-control": "no-store"}
    return Response(orjson.dumps(data), status, headers, media_type="application/json")
