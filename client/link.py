"""One room's connection, kept up for as long as the room will have us.

In: an address for each attempt, and frames. Out: messages in order, and what state the connection
is in. Here are decided: who comes back after which close code (SPEC, CLOSE), when, and that a
silent socket is a dead one. What the messages mean is `client/room.py`'s affair.

There is one socket and one timer at a time; whatever a former socket still has to say is nobody's.
Next: `client/room.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from client.backoff import delay
from client.errors import RoomClosed
from rooms.errors import Closing as Unreadable
from rooms.sync.codec import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.websocket import Dial, Socket
    from rooms.sync.codec import Codec

Connection = Literal["connecting", "open", "waiting", "moving", "closed"]
Message = dict[str, Any]

FOR_GOOD: Final = frozenset({1008, 1009, 4400, 4403, 4404, 4409, 4410})

# milliseconds
CONNECT: Final = 10_000  # until a socket is open, and from there to its first word
ANSWER: Final = 5_000  # until the door answers
IDLE: Final = 25_000  # all may be quiet before the door is asked whether it is still there
STRAY: Final = 30_000  # so long an attempt that was given up may still arrive at the server
STABLE: Final = 5_000  # a connection has to hold for the next loss to count as the first one

_CROWDED: Final = 65_536  # bytes unsent, beyond which what may be dropped is


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a room isn't connected. `retry_after`: ms the server asked to wait; None: for good."""

    code: int
    reason: str
    retry_after: int | None


class Timer(Protocol):
    """Something that will happen, unless it is cancelled."""

    def cancel(self) -> None: ...


class Timers(Protocol):
    """Time, in ms."""

    def now(self) -> float:
        """A clock that goes on evenly."""

    def call_later(self, ms: float, run: Callable[[], None]) -> Timer:
        """Have `run` called in `ms`."""


class LoopTimers:
    """The running loop's time."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        return self._loop.time() * 1000

    def call_later(self, ms: float, run: Callable[[], None]) -> Timer:
        return self._loop.call_later(ms / 1000, run)


class Owner(Protocol):
    """Whose connection it is."""

    async def address(self, refused: bool) -> str:
        """Where to connect. RoomClosed: nowhere any more; other errors: not now."""

    def renewable(self) -> bool:
        """Whether another address could help after 4401."""

    def receive(self, message: Message, first: bool) -> None:
        """A message; `first` is the `room.you` that opens a connection."""

    def changed(self, state: Connection) -> None:
        """The connection's state is another one."""


class Link:
    """The connection of one façade."""

    __slots__ = (
        "_announced",
        "_attempt",
        "_deadline",
        "_dial",
        "_expecting",
        "_finding",
        "_leaving",
        "_opened",
        "_owner",
        "_roll",
        "_socket",
        "_stray",
        "_subprotocol",
        "_timer",
        "_timers",
        "_wakes",
        "_what",
        "closing",
        "codec",
        "dialed",
        "state",
    )

    def __init__(
        self,
        owner: Owner,
        dial: Dial,
        subprotocol: str | None,
        timers: Timers,
        roll: Callable[[], float],
    ) -> None:
        self.state: Connection = "connecting"
        self.closing: Closing | None = None
        self.dialed = 0.0  # when the current attempt began
        self._owner = owner
        self._dial = dial
        self._subprotocol = subprotocol
        self.codec: Codec = "msgpack" if subprotocol == "rooms.v1.msgpack" else "json"
        self._timers = timers
        self._roll = roll
        self._socket: Socket | None = None
        self._finding: asyncio.Task[None] | None = None  # the address
        self._leaving: set[asyncio.Task[None]] = set()  # former sockets
        self._attempt = 0
        self._opened = float("inf")
        self._expecting = False  # something was sent, and nothing heard since
        self._announced: Closing | None = None
        self._stray = 0.0  # until when an attempt of ours that was given up may arrive
        self._timer: Timer | None = None
        self._wakes = 0.0  # when the timer fires …
        self._deadline = 0.0  # … and when it should: a frame moves that, not the timer
        self._what: Callable[[], None] = self._probe

    # -------------------------------------------------------------- the room's

    def open(self) -> None:
        """Connect now, whatever was before."""
        self._abandon()
        refused = self.closing is not None and self.closing.code == 4401
        self.dialed = self._timers.now()
        self._arm(CONNECT, lambda: self._lost(1006, "no connection in time"))
        self._enter("connecting")
        self._finding = asyncio.get_running_loop().create_task(self._find(refused))

    def send(self, message: bytes, droppable: bool = False) -> bool:
        """Put a message on the wire. False: there is none, or it is crowded with others."""
        if self._socket is None or self.state == "connecting":
            return False
        if droppable and self._socket.unsent > _CROWDED:
            return False
        return self._put(message)

    def close(self) -> None:
        """Close for good."""
        if self.state != "closed":
            self._end(Closing(1000, "closed by the page", None))

    async def wait_closed(self) -> None:
        """Until nothing is left of former sockets."""
        if self._leaving:
            await asyncio.wait(self._leaving)

    # -------------------------------------------------------------- connecting

    async def _find(self, refused: bool) -> None:
        try:
            url = await self._owner.address(refused)
        except RoomClosed as error:
            self._finding = None
            self._end(Closing(error.code, error.reason, None))
        except Exception as error:  # a token that couldn't be fetched may come another time
            self._finding = None
            self._lost(4401 if refused else 1006, repr(error))
        else:
            self._finding = None
            try:
                self._socket = self._dial(url, self._subprotocol, self)
            except ValueError as error:
                self._end(Closing(1006, str(error), None))

    def opened(self) -> None:
        """The socket is open; the server has the first word."""
        self._arm(CONNECT, self._probe)

    def received(self, data: bytes) -> None:
        """A frame came."""
        self._expecting = False
        self._arm(IDLE, self._probe)
        try:
            message = decode(data, self.codec, max_claim=len(data))
        except Unreadable:
            message = None
        if type(message) is not dict or type(message.get("type")) is not str:
            self._lost(1006, "a frame that isn't a message")
            return
        before, kind = self.state, message["type"]
        first = before == "connecting" and kind == "room.you"
        if first:
            self.state = "open"
            self.closing = None
            self._opened = self._timers.now()
            self._probe()
        elif kind == "room.status" and before != "connecting":
            self.state = "moving" if message.get("status") == "moving" else "open"
        elif kind == "room.closing":
            retry_after = message.get("retry_after", 0)
            self._announced = Closing(message["code"], message["reason"], retry_after)
        state = self.state
        self._owner.receive(message, first)
        if state != before:
            self._owner.changed(state)

    def ended(self, code: int, reason: str) -> None:
        """The socket is gone."""
        self._lost(code, reason, gone=True)

    # -------------------------------------------------------------- signs of life

    def _put(self, message: bytes) -> bool:
        if self._socket is None or not self._socket.send(message):
            return False
        if not self._expecting:
            self._expecting = True
            self._arm(ANSWER, self._probe)
        return True

    def _probe(self) -> None:
        """Ask the door for a sign of life, and for the time."""
        self._expecting = True
        if self._socket is not None:
            ping = {"type": "room.ping", "t": self._timers.now()}
            self._socket.send(encode(ping, self.codec))
        self._arm(ANSWER, lambda: self._lost(1006, "the server is silent"))

    # -------------------------------------------------------------- ends

    def _lost(self, code: int, reason: str, gone: bool = False) -> None:
        """The socket is `gone`, or as good as gone."""
        closing = self._announced or Closing(code, reason, 0)
        if closing.code == 4401:
            back = self._owner.renewable()
        elif closing.code == 4410:  # nobody has our name: the newer connection is our own, late
            back = self._timers.now() < self._stray
        else:
            back = closing.retry_after is not None and closing.code not in FOR_GOOD
        if not back:
            self._end(Closing(closing.code, closing.reason, None))
            return
        self._abandon(gone)
        after = closing.retry_after or 0
        self.closing = Closing(closing.code, closing.reason, after)
        if self._timers.now() - self._opened >= STABLE:
            self._attempt = 0
        self._opened = float("inf")
        self._arm(delay(self._attempt, self._roll(), after), self.open)
        self._attempt += 1
        self._enter("waiting")

    def _end(self, closing: Closing) -> None:
        self._abandon()
        self.closing = closing
        self._enter("closed")

    def _abandon(self, gone: bool = False) -> None:
        """Nothing of the current attempt counts any more; its socket is `gone` or is given up."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._announced = None
        self._expecting = False
        finding, self._finding = self._finding, None
        if finding is not None:
            finding.cancel()
        socket, self._socket = self._socket, None
        if socket is not None:
            if not gone:
                self._stray = self._timers.now() + STRAY
            socket.close()
            leaving = asyncio.get_running_loop().create_task(socket.wait_closed())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    def _enter(self, state: Connection) -> None:
        if state != self.state:
            self.state = state
            self._owner.changed(state)

    # -------------------------------------------------------------- one timer

    def _arm(self, ms: float, run: Callable[[], None]) -> None:
        """Have `run` called in `ms`, unless something else is armed before.

        Most of the time a frame only postpones what was armed; then the timer stays as it is and,
        when it fires, waits for the rest.
        """
        self._deadline = self._timers.now() + ms
        self._what = run
        if self._timer is not None:
            if self._wakes <= self._deadline:
                return
            self._timer.cancel()
        self._wakes = self._deadline
        self._timer = self._timers.call_later(ms, self._fire)

    def _fire(self) -> None:
        self._timer = None
        left = self._deadline - self._timers.now()
        if left > 0:
            self._wakes = self._deadline
            self._timer = self._timers.call_later(left, self._fire)
        else:
            self._what()
