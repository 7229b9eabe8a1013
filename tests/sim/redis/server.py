"""A simulated server: its data, the scripts that it runs, its replicas, and what WAIT says of them.

A primary hands each change to its replicas, which have it a while later, in order, and say so. A
command's changes are one piece, as a script's are. A primary that lost its place answers as before
until it is told; then it is a replica, and refuses what would change anything.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError

from tests.sim.loop import STEP
from tests.sim.redis.data import Data
from tests.sim.redis.lua import Compiled, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.sim.loop import Process, SimLoop
    from tests.sim.redis.roads import Connection

WRITES: Final = frozenset(
    b"SET DEL HSET HINCRBY HDEL SADD SREM ZADD ZREM ZREMRANGEBYSCORE XADD XDEL".split()
)


@cache
def _compiled(text: bytes) -> Compiled:
    return Compiled(text.decode())


class Said:
    """What a server knows of one connection."""

    def __init__(self) -> None:
        self.wrote = 0
        """The offset of what it changed last: what its WAIT waits for."""
        self.asking = False
        self.everywhere = False
        """Whether it doesn't matter to it who has which keys."""


class Server:
    """One server. `lag` says how long a change takes to a replica (s)."""

    def __init__(
        self, name: str, loop: SimLoop, environment: Process, lag: Callable[[], float]
    ) -> None:
        self.name = name
        self.loop = loop
        self.data = Data()
        self.offset = 0
        self.up = True
        self.primary: Server | None = None
        self.replicas: list[_Replica] = []
        self.connections: dict[Connection, None] = {}
        self.witness: Callable[[str, Sequence[bytes], Any], None] | None = None
        """Is told of each script that ran, its arguments, and what it answered."""
        self.slots: Callable[[Server], list[Any]] | None = None
        """In a cluster: what CLUSTER SLOTS answers …"""
        self.judge: Callable[[Server, Sequence[bytes], bool], None] | None = None
        """… and who raises what it answers instead, asked for keys, after ASKING or not."""
        self.stalled_until = 0.0
        """Until then it hears nothing of its primary (s)."""
        self._environment = environment
        self._lag = lag
        self._scripts: dict[bytes, bytes] = {}
        self._disk = (0, Data())
        self._piece: list[Sequence[bytes]] = []
        self._waiting: list[_Waiter] = []

    def __repr__(self) -> str:
        return f"<{self.name} at {self.offset}>"

    # ------------------------------------------------------------------ commands

    def run(self, command: Sequence[bytes], said: Said) -> Any:
        """What it answers a command, errors too. `later` is how WAIT is answered."""
        before = self.offset
        try:
            return self._run(command, said)
        except ResponseError as error:
            return error
        finally:
            said.asking = command[0].upper() == b"ASKING"
            self._hand_on()
            if self.offset > before:
                said.wrote = self.offset

    def _run(self, command: Sequence[bytes], said: Said) -> Any:
        match command[0].upper():
            case b"EVALSHA":
                self._judge(command[3 : 3 + int(command[2])], said)
                return self._script(command[1], int(command[2]), command[3:])
            case b"SCRIPT":  # LOAD
                sha = sha1(command[2], usedforsecurity=False).hexdigest().encode()
                self._scripts[sha] = command[2]
                return sha
            case b"CONFIG":
                return []
            case b"ASKING":
                return b"OK"
            case b"CLUSTER" if self.slots is not None:
                return self.slots(self)
            case b"TIME":
                return self._command(command)
            case _:
                self._judge(command[1:2], said)
                return self._command(command)

    def _judge(self, keys: Sequence[bytes], said: Said) -> None:
        if self.judge is not None and not said.everywhere:
            self.judge(self, keys, said.asking)

    def _command(self, command: Sequence[bytes]) -> Any:
        if command[0] == b"TIME":
            now = self.loop.now()
            return [b"%d" % (now // 1000), b"%d" % (now % 1000 * 1000)]
        writes = command[0] in WRITES
        if writes and self.primary is not None:
            raise ReadOnlyError("You can't write against a read only replica.")
        changes = self.data.changes
        answer = self.data.run(command)
        if writes and self.data.changes > changes:
            self._piece.append(command)
        return answer

    def call(self, *command: bytes | float) -> Any:
        """A script's `redis.call`. Raises ResponseError."""
        given = [one if isinstance(one, bytes) else b"%.17g" % one for one in command]
        return _lua(self._command(given))

    def _script(self, sha: bytes, keys: int, rest: Sequence[bytes]) -> Any:
        text = self._scripts.get(sha)
        if text is None:
            raise NoScriptError("No matching script. Please use EVAL.")
        args = list(rest[keys:])
        answer = _compiled(text).run(self.call, list(rest[:keys]), args)
        if self.witness is not None:
            self.witness(sha.decode(), args, answer)
        return answer

    # ------------------------------------------------------------------ replicas

    def wait(
        self, said: Said, replicas: int, ms: int, answer: Callable[[int | Exception], None]
    ) -> None:
        """WAIT: say how many replicas have what this connection changed last, once it is enough, or
        after so many ms.
        """
        if self.primary is not None:
            answer(ResponseError("WAIT cannot be used with replica instances."))
            return
        waiter = _Waiter(said.wrote, replicas, answer)
        self._waiting.append(waiter)
        self._look()
        if waiter in self._waiting:
            self._environment.at(self.loop.time() + ms / 1000, self._give_up, waiter)

    def follow(self, primary: Server, *, cut: bool = True) -> None:
        """Be its replica, from what it has now; who was connected still is, unless `cut`."""
        self.primary = primary
        self.replicas.clear()
        self.data, self.offset = primary.data.copy(), primary.offset
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.answer(ResponseError("UNBLOCKED force unblock from blocking operation"))
        if cut:
            self.cut_all()
        primary.replicas = [one for one in primary.replicas if one.server is not self]
        primary.replicas.append(_Replica(self, primary.offset))

    def promote(self) -> None:
        """Be a primary, with what it has."""
        self.primary = None
        self.replicas.clear()
        self.cut_all()

    def _hand_on(self) -> None:
        piece, self._piece = self._piece, []
        if not piece:
            return
        self.offset += 1
        for replica in self.replicas:
            later = self.loop.time() + self._lag()
            replica.arrives = max(replica.arrives + STEP, later, replica.server.stalled_until)
            self._environment.at(replica.arrives, self._arrive, replica, self.offset, piece)

    def _arrive(self, replica: _Replica, offset: int, piece: list[Sequence[bytes]]) -> None:
        server = replica.server
        if not self.up or not server.up or replica not in self.replicas:
            return  # it isn't its replica any more
        for command in piece:
            server.data.run(command)
        server.offset = offset

        def heard() -> None:
            replica.has = offset
            self._look()

        self._environment.at(self.loop.time() + self._lag() / 4, heard)

    def _look(self) -> None:
        for waiter in list(self._waiting):
            if self._have(waiter) >= waiter.replicas:
                self._give_up(waiter)

    def _have(self, waiter: _Waiter) -> int:
        return sum(replica.has >= waiter.offset for replica in self.replicas)

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            waiter.answer(self._have(waiter))

    # ------------------------------------------------------------------ trouble

    def cut_all(self) -> None:
        """It hangs up on everybody."""
        self._waiting.clear()
        for connection in list(self.connections):
            connection.lose()

    def stop(self) -> None:
        """Its process has ended."""
        self.up = False
        self.cut_all()

    def sync(self) -> None:
        """Its disk has what it has now."""
        self._disk = (self.offset, self.data.copy())

    def unsync(self) -> None:
        """Its disk has nothing."""
        self._disk = (0, Data())

    def start(self, *, from_disk: bool) -> None:
        """It is there again, with what its system had, or only what its disk has."""
        if from_disk:
            self.offset, data = self._disk
            self.data = data.copy()
        self._scripts.clear()
        self.up = True


class _Replica:
    """One replica, as its primary knows it."""

    def __init__(self, server: Server, has: int) -> None:
        self.server = server
        self.has = has
        self.arrives = 0.0


class _Waiter:
    def __init__(
        self, offset: int, replicas: int, answer: Callable[[int | Exception], None]
    ) -> None:
        self.offset = offset
        self.replicas = replicas
        self.answer = answer


def _lua(answer: Any) -> Any:
    """An answer as a script has it: lists count from 1, what isn't there is false."""
    if answer is None:
        return False
    return Table(map(_lua, answer)) if isinstance(answer, list) else answer
