"""The operator's door (`--metrics`): metrics, health and readiness of a process, apart from the
port that clients use.

In: an address, `PORT` (on this machine alone) or `ADDRESS:PORT`. Out: `/metrics`, `/health` and
`/ready`. Nobody proves who they are here: it belongs on an address that only the operator's network
reaches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from rooms.router.listening import Listening, bind
from rooms.router.refusals import health, readiness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

logger = logging.getLogger(__name__)

_ANSWER_WITHIN: Final = 2.0  # s


@contextlib.asynccontextmanager
async def serving(
    address: str | None,
    measure: Callable[[], Callable[[], Awaitable[bytes]]],
    state: Callable[[], str],
) -> AsyncIterator[str | None]:
    """Serve this process's metrics and its `state` (`ready`, or why not) for as long as the block
    lasts. Gives the URL. `address` None: nothing is served, and nothing is loaded for it.

    Raises:
        UsageError: the port can't be had.
    """
    if address is None:
        yield None
        return
    from rooms.metrics import CONTENT_TYPE

    read = measure()

    async def metrics(request: Request) -> Response:
        return Response(await read(), headers={"content-type": CONTENT_TYPE})

    async def lives(request: Request) -> Response:
        return health()

    async def ready(request: Request) -> Response:
        return readiness(state())

    routes = [Route("/metrics", metrics), Route("/health", lives), Route("/ready", ready)]
    host, port = parse(address)
    bound = bind(host, port, option="--metrics")
    listening = Listening(Starlette(routes=routes), bound)
    try:
        await listening.start()
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{bound.getsockname()[1]}"
    finally:
        listening.close()
        await listening.stop()


def parse(address: str) -> tuple[str, int]:
    """Address and port of `PORT` or `ADDRESS:PORT`. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError(address)
    return host.strip("[]") or "127.0.0.1", int(port)


async def read_page(url: str) -> str | None:
    """The metrics at another process's door; None where it doesn't say."""
    host, port = parse(url.removeprefix("http://"))
    try:
        return await asyncio.wait_for(_read(host, port), _ANSWER_WITHIN)
    except (OSError, TimeoutError, ValueError) as error:
        logger.warning("%s has no metrics to say: %r", url, error)
        return None


async def _read(host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ValueError(head[:200])
    return body.decode()
