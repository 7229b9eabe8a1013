"""Which server has which partition: one server, the primary that sentinels name, or a cluster.

In: a store's URL. Out: `Servers`, who sends commands about a partition to the server that has it
now, on lines of our own. Commits have a line to themselves, so that nothing else waits while they
wait for replicas.

    redis://[user:password@]host[:port][/db]        rediss:// with TLS
    redis+unix:///path/of/socket[?db=0]
    redis+sentinel://[user:password@]host[:port][,host[:port] …]/name[/db]
    redis+cluster://[user:password@]host[:port][,host[:port] …]

Each takes `?prefix=…`, what the names of its keys begin with (`rooms:`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from rooms.errors import StoreError, UsageError
from rooms.store.redis.cluster import Address, Cluster
from rooms.store.redis.line import CONNECT_WITHIN, Line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from urllib.parse import SplitResult

    from redis.asyncio.connection import AbstractConnection

    from rooms.store.redis.line import Command

PREFIX: Final = "rooms:"
PORT: Final = 6379
SENTINEL_PORT: Final = 26379


class Servers(Protocol):
    """Who has the partitions."""

    async def ask(
        self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0, commits: bool = False
    ) -> list[Any]:
        """Have commands sent, each to who has its partition, those of a server in their order.

        For each a reply, or the error: ResponseError as the server gave it, UnknownOutcome when it
        may have been carried out or isn't on that many replicas yet, else StoreError.
        """

    async def close(self) -> None:
        """Finish what was asked, and let go of all connections."""


class Single:
    """One server has everything. `connect` connects to whichever that is now."""

    def __init__(self, name: str, connect: Callable[[], Awaitable[AbstractConnection]]) -> None:
        self._commits = Line(name, connect)
        self._others = Line(name, connect)

    async def ask(
        self, asked: Sequence[tuple[int, Command]], *, replicas: int = 0, commits: bool = False
    ) -> list[Any]:
        line = self._commits if commits else self._others
        try:
            return await line.ask([command for _, command in asked], replicas)
        except StoreError as error:
            return [error] * len(asked)

    async def close(self) -> None:
        await self._commits.close()
        await self._others.close()


def open_servers(url: str) -> tuple[Servers, str]:
    """The servers that a store's URL names, and the prefix of its keys. Nothing is connected yet.

    Raises:
        UsageError: there can be no such servers.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    prefix = query.pop("prefix", PREFIX)
    parts = parts._replace(query=urlencode(query))
    name = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
    try:
        if parts.scheme.endswith("+sentinel"):
            return _through_sentinels(name, parts), prefix
        if parts.scheme.endswith("+cluster"):
            return _cluster(parts), prefix
        scheme = "unix" if parts.scheme == "redis+unix" else parts.scheme
        return _one(name, urlunsplit(parts._replace(scheme=scheme))), prefix
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


# Nothing is repeated behind our back, answered commands may take as long as `Line` lets them.
_OURS: Final[dict[str, Any]] = {
    "protocol": 2,
    "retry": Retry(NoBackoff(), 0),
    "socket_timeout": None,
    "socket_connect_timeout": CONNECT_WITHIN,
}


def _one(name: str, url: str) -> Single:
    make = _connections(url)
    make({})  # tells at once of options that can't be

    async def connect() -> AbstractConnection:
        return await _connected(make({}))

    return Single(name, connect)


def _through_sentinels(name: str, parts: SplitResult) -> Single:
    """The primary that sentinels name, asked again for each connection."""
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the path begins with the name of the primary: /mymaster, or /mymaster/0")
    make = _connections(_anywhere(parts, db))

    async def connect() -> AbstractConnection:
        known = Sentinel(  # type: ignore[no-untyped-call]
            _addresses(parts, SENTINEL_PORT),
            sentinel_kwargs={"socket_timeout": CONNECT_WITHIN, "retry": _OURS["retry"]},
        )
        try:
            host, port = await known.discover_master(service)
        finally:
            for one in known.sentinels:
                await one.aclose()
        return await _connected(make({"host": host, "port": port}))

    return Single(name, connect)


def _cluster(parts: SplitResult) -> Cluster:
    """The cluster that some servers of it are named of."""
    make = _connections(_anywhere(parts, ""))
    make({})

    async def connect(address: Address) -> AbstractConnection:
        return await _connected(make(address._asdict()))

    return Cluster(_addresses(parts, PORT), connect)


async def _connected(connection: AbstractConnection) -> AbstractConnection:
    """This, once it is connected; nothing is left of it where that can't be."""
    try:
        await connection.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _addresses(parts: SplitResult, port: int) -> list[Address]:
    """The servers that a URL lists."""
    each = [urlsplit(f"redis://{one}") for one in parts.netloc.rpartition("@")[2].split(",")]
    return [Address(one.hostname or "localhost", one.port or port) for one in each]


def _anywhere(parts: SplitResult, db: str) -> str:
    """What such a URL says of each connection, wherever it goes."""
    login, at, _ = parts.netloc.rpartition("@")
    scheme = parts.scheme.partition("+")[0]
    return urlunsplit((scheme, f"{login}{at}localhost", f"/{db}", parts.query, ""))


def _connections(url: str) -> Callable[[dict[str, Any]], AbstractConnection]:
    options: dict[str, Any] = dict(parse_url(url))
    kind = options.pop("connection_class", Connection)

    def make(where: dict[str, Any]) -> AbstractConnection:
        try:
            connection: AbstractConnection = kind(**{**options, **_OURS, **where})
        except TypeError as error:
            raise ValueError(f"after the ?: {str(error).rpartition(') ')[2]}") from None
        except RedisError as error:
            raise ValueError(str(error)) from None
        return connection

    return make
