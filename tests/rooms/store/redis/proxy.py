"""A way to a server that a test can get in: it swallows replies, holds them back, or ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Proxy:
    """Listens on a Unix socket for one server's."""

    def __init__(self, to: Path, at: Path) -> None:
        self._to = to
        self.at = at
        self._swallows = False
        self._links: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.swallowed = asyncio.Event()

    @property
    def url(self) -> str:
        return f"redis+unix://{self.at}"

    def swallow_replies(self) -> None:
        """What is asked from now on is carried out, and nobody hears of it."""
        self._swallows = True
        self.swallowed.clear()

    def heal(self) -> None:
        self._swallows = False

    def cut(self) -> None:
        """End all connections."""
        for link in self._links:
            link.transport.abort()
        self._links.clear()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(self._to))
        self._links += (writer, to_server)
        for one in (self._carry(reader, to_server, False), self._carry(from_server, writer, True)):
            task = asyncio.create_task(one)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replies: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if replies and self._swallows:
                    self.swallowed.set()
                else:
                    writer.write(data)
        except OSError:
            pass
        writer.close()

    async def end(self) -> None:
        self.cut()
        while self._tasks:
            await asyncio.wait(self._tasks)


@asynccontextmanager
async def between(server: Path) -> AsyncIterator[Proxy]:
    """A proxy before the server that listens on this socket."""
    proxy = Proxy(server, server.with_name("proxy.sock"))
    listening = await asyncio.start_unix_server(proxy.meet, str(proxy.at))
    try:
        yield proxy
    finally:
        listening.close()
        await proxy.end()
        proxy.at.unlink(missing_ok=True)
