"""How the command line reaches a store's sessions: through the server that has it open, or alone.

In: the settings, and a URL if one was given. Out: an `Operator`, whom one asks what SPEC's ADMIN
rules name. A server of this machine is found through its store, whose lock file says where it is;
where none runs, the store is opened here, and answers the same questions the same way.

Next: `rooms/router/http.py` and `rooms/host/administration.py`; alone, only the latter.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from rooms.errors import StoreError, StoreLocked, UsageError
from rooms.store import file_of, is_redis, lockfile, open_store
from rooms.tasks import resolve
from runtime.clock import LoopClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from rooms.definition import Room
    from rooms.settings import Settings
    from rooms.store.port import SessionId

LOCK_WAIT: Final = 300  # ms: a server doesn't let go of its file in 5 s either
ANSWER_WITHIN: Final = 30.0  # s
_NO_KINDS: Final[Mapping[str, type[Room]]] = {}


class Operator(ABC):
    """Who may ask for what operators may."""

    async def ask(
        self,
        method: str,
        id: SessionId | None,
        path: str = "",
        *,
        params: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Any:
        """The answer. `path` is what follows the session, or without one what is about many.

        Raises:
            StoreError: it can't be, as things stand.
            UsageError: it was asked wrongly.
        """
        return _judged(*await self._answer(method, id, path, params or {}, body))

    @abstractmethod
    async def _answer(
        self, method: str, id: SessionId | None, path: str, params: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and body of an HTTP answer, whoever gives it."""


@asynccontextmanager
async def operator(
    settings: Settings,
    url: str | None = None,
    kinds: Mapping[str, type[Room]] | None = _NO_KINDS,
    *,
    create: bool = False,
) -> AsyncIterator[Operator]:
    """Who asks the server at `url`, or the one that has the store open; else the store itself, with
    rooms of these kinds (None: that wouldn't do); with `create` it is made where there is none.

    Raises:
        UsageError: there is no such store, or no secret to sign with.
        StoreError: it can't be opened, or the server can't be reached.
    """
    if url is not None:
        yield Remote(url, await _secret(settings))
        return
    path = _file(settings.store) if create else _existing(settings.store)
    try:
        async with _alone(path, kinds or {}) as local:
            if kinds is None:
                raise UsageError(f"no server has {path} open: name its App with --app")
            yield local
            return
    except StoreLocked:
        address = lockfile.announced(path)
        if address is None:
            raise
    yield Remote(address, await _secret(settings))


async def remote(settings: Settings, url: str | None) -> Remote:
    """The server at `url`, or the one that has the store open.

    Raises:
        UsageError: there is no such store, or no secret to sign with.
        StoreError: no server has it open.
    """
    if url is None:
        path = _existing(settings.store)
        url = lockfile.announced(path)
        if url is None:
            raise StoreError(f"no server has {path} open: there is nothing to watch")
    return Remote(url, await _secret(settings))


def _existing(store: str) -> Path:
    path = _file(store)
    if not path.is_file():
        raise UsageError(f"there is no store {path} yet; name another with --store")
    return path


def _file(store: str) -> Path:
    path = file_of(store)
    if is_redis(store):
        raise UsageError("several processes may have that store: name a server of it with --url")
    if path is None:
        raise UsageError(
            "memory: keeps nothing once its server has ended; name a file with --store, or a "
            "running server with --url"
        )
    return path


async def _secret(settings: Settings) -> bytes:
    """What the server signs with, as far as can be known here. Raises StoreError."""
    from rooms.store.schema import read_secret

    if settings.secret:
        return settings.secret.encode()
    if is_redis(settings.store):
        store = await open_store(
            settings.store, now=lambda: int(LoopClock().now()), elapsed=lambda: 0
        )
        try:
            return await store.secret()
        finally:
            await store.close()
    path = file_of(settings.store)
    if path is None or not path.is_file():
        raise UsageError("set ROOMS_SECRET to what the server signs with, or name its --store")
    return read_secret(path)


class Remote(Operator):
    """A running server, asked over HTTP with an operator's token."""

    def __init__(self, url: str, secret: bytes) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--url {url}: take http://… or https://…")
        self.url = url.rstrip("/")
        self._secret = secret

    def headers(self) -> dict[str, str]:
        """What lets an operator in."""
        from rooms.router.tokens import Tokens

        token = Tokens(self._secret).issue_operator(int(LoopClock().now()))
        return {"Authorization": f"Bearer {token}"}

    async def _answer(
        self, method: str, id: SessionId | None, path: str, params: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        where = "" if id is None else f"/sessions/{quote(id.kind)}/{quote(id.session)}"
        query = f"?{urlencode(params)}" if params else ""
        request = urllib.request.Request(
            f"{self.url}/rooms/-{where}{path}{query}",
            body or None,
            {**self.headers(), "Content-Type": "application/json"},
            method=method,
        )
        status, answer = await asyncio.to_thread(_fetch, request)
        if status == 401:
            raise UsageError(
                f"{self.url} has another secret: set ROOMS_SECRET to what it signs with, or name "
                "its --store"
            )
        return status, answer


def _fetch(request: urllib.request.Request) -> tuple[int, bytes]:
    """Raises StoreError: nobody answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ANSWER_WITHIN) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise StoreError(f"{request.host} can't be reached: {reason}") from error


def _judged(status: int, answer: bytes) -> Any:
    """What was answered. An event's outcome is one, also where it was rejected."""
    try:
        body = json.loads(answer)
    except ValueError:
        raise StoreError(f"that server isn't ours: it answered {status}") from None
    if status < 400 or (isinstance(body, dict) and "outcome" in body):
        return body
    reason = body.get("reason", f"status {status}") if isinstance(body, dict) else str(status)
    raise UsageError(reason) if status == 422 else StoreError(reason)


@asynccontextmanager
async def _alone(path: Path, kinds: Mapping[str, type[Room]]) -> AsyncIterator[Operator]:
    """The store itself, opened for as long as this takes, by a host without a door."""
    from rooms.host.clock import elapsed
    from rooms.host.host import Host
    from rooms.link import memory
    from rooms.store.sqlite import SqliteStore

    wall = LoopClock()
    store = await SqliteStore.open(
        path, now=lambda: int(wall.now()), elapsed=elapsed, lock_wait=LOCK_WAIT
    )
    try:
        host = Host(kinds, store)
        await host.start()
        ours, theirs = memory.pair()
        host.serve(theirs)
        try:
            yield _Local(ours)
        finally:
            await host.drain()
    finally:
        await store.close()


class _Local(Operator):
    """A host of this process, asked as a router would."""

    def __init__(self, end: Any) -> None:
        self._end = end
        self._answers: dict[int, asyncio.Future[Any]] = {}
        end.listen(self._hear)

    async def _answer(
        self, method: str, id: SessionId | None, path: str, params: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        from rooms.link.protocol import Request

        number = len(self._answers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._end.send(
            Request(
                request=number,
                kind="" if id is None else id.kind,
                session="" if id is None else id.session,
                method=method,
                path=path,
                params=dict(params),
                body=body,
                operator=True,
            )
        )
        answer = await asyncio.wait_for(self._answers[number], ANSWER_WITHIN)
        return answer.status, answer.body

    def _hear(self, message: Any) -> None:
        waiting = self._answers.get(getattr(message, "request", -1))
        if waiting is not None:
            resolve(waiting, message)
