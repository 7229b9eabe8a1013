"""A router on a real port, with a host that a test speaks for."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import httpx

from rooms.host.clock import elapsed
from rooms.link import memory
from rooms.link.protocol import (
    Answer,
    Attach,
    Detach,
    Fanout,
    Hosted,
    Joined,
    Message,
    Request,
    Said,
    Tell,
    encode,
)
from rooms.pace import Pace
from rooms.router.limits import Limits
from rooms.router.listening import Listening, bind
from rooms.router.router import Router
from rooms.store.port import HostInfo
from rooms.sync import codec, messages
from tests.wire import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import pytest

M = TypeVar("M", bound=Message)
SECRET = b"s" * 32
NOW = 1_700_000_000_000


class Host:
    """The other end of the link: lets everybody in, and writes down what it is told."""

    def __init__(self, end: memory.End) -> None:
        self.end = end
        self.heard: list[Message] = []
        self.headers = {"etag": '"n.1"'}  # of what it answers
        self._arrived = asyncio.Event()
        end.listen(self._on_message)

    def _on_message(self, message: Message) -> None:
        encode(message)
        self.heard.append(message)
        self._arrived.set()
        if isinstance(message, Attach):
            self.let_in(message)
        elif isinstance(message, Request):
            body = codec.encode({"method": message.method, "path": message.path}, "json")
            self.end.send(Answer(message.request, 200, self.headers, body))

    def let_in(self, attach: Attach) -> None:
        viewer = attach.viewer
        name = cast("codec.Codec", attach.codec)
        if not attach.greeted:
            you = messages.you(
                id=viewer["id"],
                role=viewer["role"],
                connection=str(attach.channel),
                token=attach.renewed,
                seq=0,
                now=NOW,
            )
            self.end.send(Tell(attach.channel, codec.encode(you, name)))
        self.end.send(Joined(attach.channel, 1 if name == "json" else 2))
        view = messages.view("n.1", NOW, {"value": "on"})
        self.end.send(Tell(attach.channel, codec.encode(view, name), cursor="n.1"))

    async def until(self, what: Callable[[list[Message]], bool]) -> None:
        """Wait until this is true of what was heard."""

        async def arrived() -> None:
            while not what(self.heard):
                self._arrived.clear()
                await self._arrived.wait()

        try:
            await asyncio.wait_for(arrived(), WITHIN)
        except TimeoutError:
            raise AssertionError(f"not within {WITHIN} s; heard {self.heard}") from None

    async def gone(self, connections: int = 1) -> None:
        """Wait until so many connections have left."""
        await self.until(lambda heard: len(self.all(Detach)) >= connections)

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def said(self) -> list[dict[str, Any]]:
        return [message.message for message in self.all(Said)]

    def emit(self, size: int) -> None:
        """An event of so many bytes for everybody."""
        data = codec.encode(messages.emitted({"type": "e", "pad": "x" * size}), "json")
        self.end.send(Fanout(1, None, None, data))


class Door:
    """A running router."""

    def __init__(self, router: Router, host: Host, port: int, listening: Listening) -> None:
        self.router = router
        self.host = host
        self.port = port
        self.listening = listening
        self.url = f"http://127.0.0.1:{port}"
        self.now = NOW

    def room(self, path: str = "counter/x") -> str:
        return f"{self.url}/rooms/{path}"


@asynccontextmanager
async def open_door(
    pages: Path | None = None,
    limits: Limits | None = None,
    kinds: dict[str, bool] | None = None,
    origins: frozenset[str] = frozenset(),
    facade: Path = Path(__file__).parents[3] / "client/js",
) -> AsyncIterator[Door]:
    """Run a router on a free port; the test is its host."""
    ours, theirs = memory.pair()
    opened: Door
    kinds = kinds or {"counter": False, "club": True}
    router = Router(
        secret=SECRET,
        now=lambda: opened.now,
        pace=Pace(elapsed),
        limits=limits or Limits(),
        pages=pages,
        facade=facade,
        origins=origins,
    )
    router.meet(HostInfo("host", "", dict.fromkeys(kinds, "1"), 0), ours)
    theirs.send(Hosted(kinds, None))
    await router.hosted()
    bound = bind("127.0.0.1", 0)
    listening = Listening(router.app, bound)
    opened = Door(router, Host(theirs), bound.getsockname()[1], listening)
    await listening.start()
    try:
        yield opened
    finally:
        listening.close()
        await router.close()
        await listening.stop()


def at_the_door(
    test: Callable[..., Awaitable[None]], **given: Any
) -> Callable[[pytest.MonkeyPatch], Awaitable[None]]:
    """A test that needs a running router, and perhaps somebody who asks it, with both."""

    async def play(monkeypatch: pytest.MonkeyPatch) -> None:
        async with (
            open_door() as door,
            httpx.AsyncClient(base_url=door.url, trust_env=False, timeout=WITHIN) as client,
        ):
            every = {"door": door, "client": client, "monkeypatch": monkeypatch, **given}
            names = inspect.signature(test).parameters
            await test(**{name: every[name] for name in names})

    play.__name__ = test.__name__
    return play
