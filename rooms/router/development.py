"""What a page of this machine may have while its author develops it (SPEC, ADMIN11).

`rooms dev` alone puts this at the door. In: a request. Out: an operator's token, with which a page
shows its author the whole state, the machine, and what others are shown; or 403.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from rooms.errors import CloseCode, Closing
from rooms.router.limits import is_loopback
from rooms.router.refusals import json, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import Headers
    from starlette.requests import Request
    from starlette.responses import Response

    from rooms.router.admission import Admissions
    from rooms.router.tokens import Tokens

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PASSED_ON: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")


class Development:
    """Hands out tokens to whoever sits at this machine."""

    def __init__(self, tokens: Tokens, admissions: Admissions, now: Callable[[], int]) -> None:
        self._tokens = tokens
        self._admissions = admissions
        self._now = now

    async def token(self, request: Request) -> Response:
        """`/rooms/-/token`: for a page of this very server, opened on this very machine."""
        address = request.client.host if request.client else ""
        try:
            self._admissions.check_origin(request.headers)
            if not (is_loopback(address) and _meant_for_here(request.headers)):
                raise Closing(CloseCode.FORBIDDEN, "this is for pages opened on this machine")
        except Closing as closing:
            return refused(closing)
        return json({"token": self._tokens.issue_operator(self._now())})


def _meant_for_here(headers: Headers) -> bool:
    """Whether nobody passed this on, and no other site sent it: neither by its pages, nor under a
    name of its own that leads here.
    """
    site = headers.get("sec-fetch-site", "same-origin")
    try:
        name = urlsplit(f"//{headers.get('host', '')}").hostname
    except ValueError:
        return False
    passed_on = any(header in headers for header in _PASSED_ON)
    return name in _HERE and site in ("same-origin", "none") and not passed_on
