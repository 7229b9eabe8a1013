"""Listening: uvicorn set up for this door, started and stopped by its parts.

In: a bound socket and the router's application. Out: a server that accepts once `start` returned,
and stops in steps, so that what is said at the end is said in the right order. Signals and process
exit are `rooms/server.py`'s affair, never uvicorn's.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rooms.errors import UsageError
from rooms.router.sockets import Socket
from rooms.sync.messages import MAX_BYTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_PING_EVERY: Final = 20.0
_PONG_WITHIN: Final = 20.0
_REQUESTS_END_WITHIN: Final = 1.0
_BACKLOG: Final = 2048
_REQUEST_WITHIN: Final = 10.0  # s for its head, and until a body gets on


def bind(address: str, port: int, *, shared: bool = False, option: str = "--port") -> socket.socket:
    """A bound TCP socket that nothing can connect to yet; port 0 takes a free one. `shared`: other
    processes may listen there too, and each gets some of the connections. `option`: how whoever
    started this says which port.

    Raises:
        UsageError: the address isn't ours, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that say they are TCP:
    # without it an outcome waits 40 ms for the ACK of the frame before it.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((address, port))
    except OSError as error:
        bound.close()
        raise _refused(address, port, error, option) from error
    return bound


def _refused(address: str, port: int, error: OSError, option: str = "--port") -> UsageError:
    """In use, or for root alone: another port. Everything else is about the address."""
    if option == "--port" and error.errno not in (errno.EADDRINUSE, errno.EACCES):
        option = "--bind"
    return UsageError(
        f"can't listen on {address} port {port}: {error.strerror}; choose another with {option}"
    )


class Requests(H11Protocol):
    """uvicorn's connection for plain requests, which would wait for ever for one to be whole: who
    sends nothing, or a byte now and then, has a socket of ours for nothing.
    """

    _watch: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look(None)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._forget()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _look(self, before: object) -> None:
        """Hang up where what was awaited `before` still is."""
        awaited: object = None
        if self.conn.their_state is h11.IDLE:
            awaited = self.cycle, "head"
        elif self.conn.their_state is h11.SEND_BODY:
            awaited = self.cycle, self._received
        if awaited is not None and awaited == before:
            self.transport.abort()
        else:
            self._watch = self.loop.call_later(_REQUEST_WITHIN, self._look, awaited)

    def _forget(self) -> None:
        if self._watch is not None:
            self._watch.cancel()


class Listening:
    """One listening socket and its connections."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._bound = bound
        self._config = uvicorn.Config(
            app,
            http=Requests,
            ws=Socket,
            ws_max_size=MAX_BYTES,
            ws_ping_interval=_PING_EVERY,
            ws_ping_timeout=_PONG_WITHIN,
            ws_per_message_deflate=False,  # it forbids frames that are shared
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",  # its info lines have query strings, and these have tokens
            server_header=False,
            date_header=False,
            backlog=_BACKLOG,
        )
        self._server = uvicorn.Server(self._config)

    async def start(self) -> None:
        """Accept connections from now on. Raises UsageError: another process does already."""
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        try:
            await self._server.startup(sockets=[self._bound])
        except OSError as error:  # two may be bound to one port as long as neither listens
            address, port, *_ = self._bound.getsockname()
            raise _refused(address, port, error) from error

    def close(self) -> None:
        """Accept no more; open sockets stay. A plain connection ends with the request that it has:
        who takes a stream up again finds another server, and isn't refused here for good.
        """
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, Requests):
                connection.shutdown()

    async def stop(self) -> None:
        """Let requests end for a second, then hang up on everybody.

        uvicorn's own `shutdown` does as much, with waits of 0.1 s.
        """
        state = self._server.server_state
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            _, late = await asyncio.wait(state.tasks, timeout=_REQUESTS_END_WITHIN)
            for task in late:
                task.cancel()
        self._bound.close()
