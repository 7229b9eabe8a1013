"""`rooms watch`: a session's state, or what one viewer sees of it, a line each time that changes.

In: a running server to ask as its operator. Out: lines of JSON, {"view"} and {"emitted"}. A server
that restarts is waited for; a session that is deleted ends it.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from rooms.errors import StoreError
from rooms.inventory import one_line
from rooms.sync.diff import apply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rooms.access import Remote
    from rooms.store.port import SessionId

LONGEST_FRAME: Final = 64 * 1024 * 1024
TRIES: Final = 20
"""How often a server that went away is looked for again."""
PAUSE: Final = 1.0


async def watch(
    find: Callable[[], Awaitable[Remote]],
    id: SessionId,
    viewer: str | None,
    role: str | None,
    say: Callable[[str], None],
) -> None:
    """Say what changes until the session is gone. `find` gives the server, anew after each restart.

    Raises:
        StoreError: it can't be watched, or no longer.
    """
    whom = {name: value for name, value in (("as", viewer), ("role", role)) if value is not None}
    path = f"/rooms/-/sessions/{quote(id.kind)}/{quote(id.session)}?{urlencode(whom)}"
    watched, tries = _Watched(say), 0
    while True:
        try:
            remote = await find()
            async with connect(
                remote.url.replace("http", "ws", 1) + path,
                additional_headers=remote.headers(),
                max_size=LONGEST_FRAME,
                compression=None,
                proxy=None,
            ) as socket:
                tries = 0
                await watched.until_closed(socket)
        except (OSError, InvalidHandshake, StoreError) as error:
            if watched.over or not watched.shown or tries == TRIES:
                raise error if isinstance(error, StoreError) else StoreError(str(error)) from error
        tries += 1
        await asyncio.sleep(PAUSE)  # noqa: TID251 - a person waits


class _Watched:
    """What was shown last. `over`: there is nothing more to come."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.shown: Any = None
        self.over = False

    async def until_closed(self, socket: ClientConnection) -> None:
        """Show what changes. Raises StoreError: it is over."""
        view: Any = None
        try:
            while True:
                message = json.loads(await socket.recv())
                match message["type"]:
                    case "room.view":
                        view = message["view"]
                    case "room.patch":
                        view = apply(view, message["ops"])
                    case "room.emitted":
                        self._say(one_line({"emitted": message["event"]}))
                    case "room.closing" if message["retry_after"] is None:
                        self.over = True
                        raise StoreError(message["reason"])
                if view is not None and view != self.shown:
                    self.shown = view
                    self._say(one_line({"view": view}))
        except ConnectionClosed:
            pass
