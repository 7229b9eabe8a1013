"""Who we are to the server: the token for the next connection.

In: a token, a function that gives one, or nothing, and what the server renews. Out: the token to
connect with. It is kept in memory; who wants to be the same person in another process keeps
`room.token`.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from client.errors import RoomClosed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Given = str | Callable[[], str | Awaitable[str | None] | None]


class Token:
    """What was given, and what became of it."""

    __slots__ = ("_given", "_last", "value")

    def __init__(self, given: Given | None) -> None:
        self._given = given
        self._last: str | None = None  # what a function gave, before the server renewed it
        self.value: str | None = given if isinstance(given, str) else None

    @property
    def renewable(self) -> bool:
        """Whether there can be another one, should the server refuse this one."""
        return callable(self._given) or (self._given is None and self.value is not None)

    async def next(self, refused: bool) -> str | None:
        """The token for a new connection; `refused`: the server refused the last one (4401).

        Raises RoomClosed: there is only the refused one. Raises whatever the function that was
        given does: ask it again later.
        """
        if callable(self._given):
            given = self._given()
            token = await given if inspect.isawaitable(given) else given
            if refused and token == self._last:
                raise RoomClosed(4401, "`token` gave the refused token again")
            self._last = self.value = token
        elif refused:
            self.value = None
        return self.value

    def keep(self, token: str) -> None:
        """The server renewed it."""
        self.value = token
