"""A line to one server: a connection of its own, on which whatever waits is sent together.

In: commands, from the loop, in order. Out: their replies, in that order. While one group is under
way the next gathers, and is sent as one when the first is answered: that is the store's group
commit. A group whose commands have to be on replicas ends with WAIT, which waits for what this
connection wrote before, so it has to be this one (Redis, WAIT).

A command under way is never cancelled: whoever stops waiting loses the answer. When the connection
is lost, or doesn't answer in time, what was sent has an unknown outcome; what wasn't is sent on the
next connection, or was refused if there is none.

Next: the scripts in `lua/`.
"""

from __future__ import annotations

import asyncio
from asyncio import timeout as at_most  # noqa: TID251 - of CONNECT_WITHIN and ANSWER_WITHIN
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hiredis import pack_command
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    ReadOnlyError,
    ResponseError,
)

from rooms.errors import StoreError, UnknownOutcome
from rooms.store.redis import scripts
from rooms.tasks import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio.connection import AbstractConnection

Command = tuple["str | bytes | int", ...]

CONNECT_WITHIN: Final = 3.0
"""Seconds until a server that can't be reached is given up; the next question tries again."""
ANSWER_WITHIN: Final = 5.0
"""Seconds until a group that isn't answered is given up, with its connection."""
WAIT_WITHIN: Final = 1000
"""How long replicas have to say that they have something (ms)."""
AT_ONCE: Final = 1000
"""The most commands that are sent together."""
NOT_NOW: Final = (ReadOnlyError, MasterDownError, ClusterDownError)
"""What a server says that isn't the one to ask any more; it has done nothing then."""


def _pack(command: Command) -> bytes:
    packed: bytes = pack_command(command)  # type: ignore[arg-type]  # its stub: a tuple of one
    return packed


_BRING: Final = [_pack(("SCRIPT", "LOAD", script.text)) for script in scripts.ALL]


@dataclass(slots=True)
class _Asked:
    commands: list[bytes]
    replicas: int
    answer: asyncio.Future[list[Any]]


class Line:
    """One connection at a time to one server, made when it is needed. `connect` makes one;
    `name` is what errors call the server.
    """

    def __init__(self, name: str, connect: Callable[[], Awaitable[AbstractConnection]]) -> None:
        self._name = name
        self._connect = connect
        self._connection: AbstractConnection | None = None
        self._waiting: deque[_Asked] = deque()
        self._running: asyncio.Task[None] | None = None

    def ask(self, commands: Sequence[Command], replicas: int = 0) -> asyncio.Future[list[Any]]:
        """Have these sent one after the other. Each reply is a value, a ResponseError, or
        UnknownOutcome where it was carried out and isn't on that many replicas.

        The answer raises UnknownOutcome when they may or may not have been carried out; StoreError
        when they were not.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()
        packed = [_pack(command) for command in commands]
        self._waiting.append(_Asked(packed, replicas, answer))
        if self._running is None:
            self._running = loop.create_task(self._run())
        return answer

    async def close(self) -> None:
        """Finish what was asked, and let go of the connection."""
        while self._running is not None:
            await asyncio.wait([self._running])
        await self._let_go()

    async def _run(self) -> None:
        try:
            while self._waiting:
                try:
                    connection = await self._connected()
                except Exception as error:  # whatever it was, nobody may wait for ever
                    refused = list(self._waiting)
                    self._waiting.clear()
                    _fail(refused, StoreError(f"{self._name} can't be reached: {_reason(error)}"))
                else:
                    await self._send(connection, self._next_group())
        finally:
            self._running = None

    def _next_group(self) -> list[_Asked]:
        group, size = [self._waiting.popleft()], 0
        while self._waiting and (size := size + len(group[-1].commands)) < AT_ONCE:
            group.append(self._waiting.popleft())
        return group

    async def _connected(self) -> AbstractConnection:
        if self._connection is not None and _has_ended(self._connection):
            await self._let_go()
        if self._connection is None:
            # A server may take a connection and say nothing; what waits must hear of it.
            async with at_most(CONNECT_WITHIN):
                connection = await self._connect()
                try:
                    for reply in await _exchange(connection, _BRING):
                        if isinstance(reply, ResponseError):
                            raise reply
                except BaseException:
                    await connection.disconnect(nowait=True)
                    raise
            self._connection = connection
        return self._connection

    async def _send(self, connection: AbstractConnection, group: list[_Asked]) -> None:
        replicas = max(asked.replicas for asked in group)
        commands = [command for asked in group for command in asked.commands]
        wait = [_pack(("WAIT", replicas, WAIT_WITHIN))] if replicas else []
        try:
            async with at_most(ANSWER_WITHIN):
                replies = await _exchange(connection, [*commands, *wait])
                if any(isinstance(reply, NoScriptError) for reply in replies):
                    replies = await _bring_scripts(connection, commands, wait, replies)
        except Exception as error:  # whatever it was, what was sent may have been carried out
            await self._let_go()
            lost = f"{self._name} didn't answer ({_reason(error)}): load it again"
            _fail(group, UnknownOutcome(lost))
            return
        have = replies.pop() if wait else 0
        if any(isinstance(reply, NOT_NOW) for reply in replies):
            await self._let_go()  # the next connection may find another server
        rest = iter(replies)
        for asked in group:
            mine = list(islice(rest, len(asked.commands)))
            if asked.answer.done():
                continue  # who waited was cancelled
            if asked.replicas and (isinstance(have, ResponseError) or have < asked.replicas):
                few = UnknownOutcome(
                    f"{self._name}: not on {asked.replicas} replicas after {WAIT_WITHIN} ms "
                    f"({have}): load it again"
                )
                mine = [reply if isinstance(reply, ResponseError) else few for reply in mine]
            asked.answer.set_result(mine)

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


async def _exchange(connection: AbstractConnection, commands: Sequence[bytes]) -> list[Any]:
    """Send all, then read all replies; an error that is a reply is one of them."""
    await connection.send_packed_command(commands, check_health=False)
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except ResponseError as error:
            replies.append(error)
    return replies


async def _bring_scripts(
    connection: AbstractConnection,
    commands: Sequence[bytes],
    wait: Sequence[bytes],
    replies: list[Any],
) -> list[Any]:
    """Somebody flushed the server's scripts: what it didn't know it hasn't carried out."""
    again = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    later = await _exchange(connection, [*_BRING, *(commands[i] for i in again), *wait])
    for i, reply in zip(again, later[len(_BRING) :], strict=False):
        replies[i] = reply
    return [*replies[: len(commands)], *later[len(later) - len(wait) :]]


def _has_ended(connection: AbstractConnection) -> bool:
    """Whether the server let go of it while nothing was under way: what is sent now wouldn't come
    there, and isn't unknown.
    """
    reader = connection._reader
    return reader is None or reader.at_eof() or reader.exception() is not None


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _fail(group: Sequence[_Asked], error: StoreError) -> None:
    for asked in group:
        resolve(asked.answer, type(error)(str(error)))
