"""Intake: which socket is read next, so that no flood holds up who has little to say (SPEC, FAIR5).

In: sockets that have more to be read than may be at once, or whose room has said more than others;
and plain requests on such a room. Out: turns, one room after the other and in a room one after the
other, while the room's host keeps up; who waits isn't read from the network either. `rooms/pace.py`
says whose turn it is. Next inward: `rooms/router/sockets.py`, `rooms/router/http.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from rooms.pace import once_caught_up
from rooms.router.channels import Session

if TYPE_CHECKING:
    from rooms.pace import Pace

AT_ONCE: Final = 2.0
"""How long (ms) one socket is read until it is another one's turn."""
REQUEST: Final = 0.3
"""What a plain request takes of its room's time (ms); its pieces are too many to be measured."""
MOST_ASKED: Final = 1024
"""Of so many sessions without connections it is known how much was asked of late."""


class Reader(Protocol):
    """A socket whose turn may come."""

    def read_on(self) -> None:
        """Read for at most `AT_ONCE`."""


class Intake:
    """The reading of one router, by sessions. `pace` shares out the time of its process."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.elapsed, self.owes, self.worked = pace.elapsed, pace.owes, pace.worked
        self._waiting: dict[Session, deque[Reader]] = {}
        self._asked: dict[tuple[str, str], Session] = {}  # of late, without a connection

    def wait(self, session: Session, reader: Reader) -> None:
        """Let this socket read on when it is its turn; it waits for one turn at a time."""
        waiting = self._waiting.get(session)
        if waiting is not None:
            waiting.append(reader)
            return
        self._waiting[session] = deque([reader])
        self._soon(session)

    async def turn(self, name: tuple[str, str], connected: Session | None) -> None:
        """Wait until a plain request on the session of this name may go on; `connected` is that,
        where it has connections.
        """
        session = connected or self._asked.pop(name, None) or Session(name)
        if connected is None:
            self._asked[name] = session
            if len(self._asked) > MOST_ASKED:
                del self._asked[next(iter(self._asked))]
        if session.full or self.owes(session.account):
            turn = _Turn()
            self.wait(session, turn)
            await turn.came.wait()
        self.worked(session.account, self.elapsed() - REQUEST)

    def _soon(self, session: Session) -> None:
        self._pace.in_turn(session.account, partial(self._next, session))

    def _next(self, session: Session) -> None:
        if session.full:
            once_caught_up(lambda: session.full, partial(self._soon, session))
            return
        waiting = self._waiting[session]
        try:
            waiting.popleft().read_on()
        finally:
            if waiting:
                self._soon(session)
            else:
                del self._waiting[session]


class _Turn:
    """What a request waits for."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    def read_on(self) -> None:
        self.came.set()
