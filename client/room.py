"""The façade: one room as a program has it.

What one calls and reads is all here; what it says goes out through `client/outbox.py` and
`client/link.py`, and what comes in is taken apart in `receive`, message by message as the wire
lists them. The names are those of the JavaScript façade, in snake_case; times are in ms.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from client.address import located, with_query
from client.clock import Clock
from client.errors import OutcomeLost, RoomClosed
from client.link import Link, LoopTimers
from client.listeners import Listeners, Observer
from client.outbox import Outbox, too_large
from client.shown import NOTHING, Shown
from client.token import Token
from client.websocket import WebSocket
from rooms.errors import PatchError
from rooms.sync.codec import embed, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from client.link import Closing, Connection, Message, Timers
    from client.listeners import Subscription
    from client.token import Given
    from client.websocket import Dial

_log = logging.getLogger(__name__)
_dice = random.Random()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event, and the cursor of the view that shows it."""

    outcome: Literal["accepted", "ignored", "rejected"]
    cursor: str | None = None
    reason: Any = None
    result: Any = None


@dataclass(slots=True)
class _Posted:
    head: Message
    event: bytes
    outcome: asyncio.Future[Outcome]


def connect(
    address: str,
    *,
    create: bool = True,
    token: Given | None = None,
    params: Mapping[str, str | int | float | bool | None] | None = None,
    protocol: str | None = "rooms.v1.json",
    timers: Timers | None = None,
    roll: Callable[[], float] = _dice.random,
    dial: Dial = WebSocket,
) -> Room:
    """Connect to a room, `http(s)://…/rooms/{kind}/{session}`, and stay connected.

    ```python
    room = await connect("http://127.0.0.1:1999/rooms/counter/a")  # until there is a view
    async with connect("http://127.0.0.1:1999/rooms/counter/a") as room: ...  # and closed again
    ```

    `create=False`: a session that doesn't exist is refused (4404) instead of made. `token`: who we
    are; a function, which may be async, is asked for each connection. Without one the server makes
    us somebody, and `room.token` says who. `params`: more of the query. `protocol`:
    `rooms.v1.json`, `rooms.v1.msgpack`, or None for no subprotocol. `timers`, `roll` and `dial` are
    for tests. Needs a running loop.

    Raises ValueError: no address of a room.
    """
    url = located(address, params or {})
    return Room(url, create, token, protocol, timers or LoopTimers(), roll, dial)


class Room(Shown):
    """One room, kept connected; `connect` makes it. Awaiting it waits for its first view."""

    def __init__(
        self,
        url: str,
        create: bool,
        token: Given | None,
        protocol: str | None,
        timers: Timers,
        roll: Callable[[], float],
        dial: Dial,
    ) -> None:
        super().__init__()
        self.me: Mapping[str, str] | None = None
        """Who we are here: id, role and connection; None until the server said so."""
        self.present: Mapping[str, Any] = NOTHING
        """Who is here, and their presence data, by viewer id."""
        self.present_count = 0
        """How many are here; in a large room that is all one is told."""
        self._url = url
        self._create = create
        self._token = Token(token)
        self._timers = timers
        # Only in memory: two façades that shared it would take the room from each other.
        self._client = secrets.token_hex(16)
        self._since: int | None = None
        self._clock = Clock()
        self._outbox: Outbox[_Posted] = Outbox()
        self._asked = False  # for the whole view, as what came didn't fit
        self._parked: list[Callable[[], None]] = []  # outcomes that wait for that view
        self._presence: bytes | None = None
        self._observers = Listeners()
        self._connections = Listeners()
        self._presents = Listeners()
        self._emitted: dict[str, Listeners] = {}
        self._ready: asyncio.Future[Room] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(_retrieved)  # nobody has to await it
        self._link = Link(self, dial, protocol, timers, roll)
        self._link.open()

    # -------------------------------------------------------------- its life

    def __await__(self) -> Generator[Any, None, Room]:
        return self.ready().__await__()

    async def __aenter__(self) -> Room:
        return await self.ready()

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self.wait_closed()

    async def ready(self) -> Room:
        """The room, when there is a view. RoomClosed: there will never be one.

        Who gives up waiting for the first view closes the room.
        """
        try:
            return await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            if not self._ready.done():
                self.close()
            raise

    def close(self) -> None:
        """Leave for good. What is unanswered fails with RoomClosed."""
        self._link.close()

    async def wait_closed(self) -> None:
        """Until the sockets are gone, too."""
        await self._link.wait_closed()

    def reconnect(self) -> None:
        """Drop the connection and make a new one now. Raises RoomClosed."""
        if (closed := self._closed()) is not None:
            raise closed
        self._link.open()

    # -------------------------------------------------------------- what is so

    @property
    def connection(self) -> Connection:
        """`connecting`, `open`, `waiting` (will retry), `moving` or `closed`."""
        return self._link.state

    @property
    def closing(self) -> Closing | None:
        """Why the room isn't connected; None while it is."""
        return self._link.closing

    @property
    def token(self) -> str | None:
        """The token to connect with as the same viewer."""
        return self._token.value

    def now(self) -> int:
        """The server's clock, ms, as well as it is known."""
        return round(self._timers.now() + self._clock.offset)

    # -------------------------------------------------------------- what one says

    def send(self, event: Message) -> asyncio.Future[Outcome]:
        """Send an event. It is kept and sent again until its outcome came, and has its effect
        exactly once.

        The outcome comes when the view that it led to was shown. It fails with RoomClosed when the
        room is closed for good, and with OutcomeLost. An event too many (over a thousand are
        waiting), or of over 64 KiB, is `rejected` here, without having been sent.
        """
        return self._post({"type": "room.send"}, event)

    def send_to(self, child: str, event: Message) -> asyncio.Future[Outcome]:
        """Send an event to a child of the machine."""
        return self._post({"type": "room.send_to", "child": child}, event)

    def cast(self, event: Message) -> bool:
        """Send an event at most once, and only now. False: not connected, or too slowly, or too
        large.
        """
        message = self._encoded(event)
        return not too_large(message) and self._link.send(message, droppable=True)

    def presence(self, data: Any) -> None:
        """Tell the others something volatile, where the room has presence; the latest counts.

        Raises ValueError: it is far too large (2 KB is what a server takes).
        """
        presence = encode({"type": "room.presence", "data": data}, self._link.codec)
        if too_large(presence):
            raise ValueError("presence has at most 2 KB")
        self._presence = presence
        self._link.send(presence)

    # -------------------------------------------------------------- what one is told

    def subscribe(
        self,
        next: Callable[[Room], Any] | None = None,
        *,
        error: Callable[[Exception], Any] | None = None,
        complete: Callable[[], Any] | None = None,
    ) -> Subscription:
        """`next` is called with the room at once when there is a view, then whenever it changed;
        `error` when the server closed the room for good, `complete` when we did.
        """
        now = None if self.view is None else (self,)
        return self._observers.add(Observer(next, error, complete), now)

    def on(self, type: str, listener: Callable[[Message], Any]) -> Subscription:
        """Called with each event of this type that the machine emits; `"*"`: with every one.

        `"room.error"`: with what the server says of a message that it refused. As long as nobody
        listens, refused casts are warnings in the log.
        """
        return self._emitted.setdefault(type, Listeners()).add(Observer(listener))

    def on_connection(self, listener: Callable[[Connection], Any]) -> Subscription:
        """Called at once and with each change of `connection`."""
        return self._connections.add(Observer(listener), (self.connection,))

    def on_present(self, listener: Callable[[Mapping[str, Any]], Any]) -> Subscription:
        """Called at once and with each change of `present`."""
        return self._presents.add(Observer(listener), (self.present,))

    async def wait_for(
        self,
        predicate: Callable[[Room], bool],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 -- as XState's waitFor has it, in ms
    ) -> Room:
        """The room, as soon as `predicate` says yes: asked now, and with each change of the view,
        the connection or who is present. `timeout` is in ms.

        Raises TimeoutError, RoomClosed, and what the predicate raises.
        """
        met: asyncio.Future[Room] = asyncio.get_running_loop().create_future()

        def ask(*_: object) -> None:
            try:
                if not met.done() and predicate(self):
                    met.set_result(self)
            except Exception as error:
                met.set_exception(error)

        def fail(error: Exception) -> None:
            if not met.done():
                met.set_exception(error)

        def late() -> None:
            fail(TimeoutError(f"after {timeout} ms the room is still {self!r}"))

        def left() -> None:
            fail(RoomClosed(1000, "closed by the page"))

        watching = [
            self.subscribe(ask, error=fail, complete=left),
            self.on_connection(ask),
            self.on_present(ask),
        ]
        timer = None if timeout is None else self._timers.call_later(timeout, late)
        try:
            return await met
        finally:
            for subscription in watching:
                subscription.unsubscribe()
            if timer is not None:
                timer.cancel()

    def __repr__(self) -> str:
        where = self._url.partition("?")[0]
        return f"<Room {where} {self.connection} {self.value!r} {self.cursor}>"

    # -------------------------------------------------------------- out

    def _post(self, head: Message, event: Message) -> asyncio.Future[Outcome]:
        posted = _Posted(head, self._encoded(event), asyncio.get_running_loop().create_future())
        posted.outcome.add_done_callback(_retrieved)  # nobody has to await it
        if (closed := self._closed()) is not None:
            posted.outcome.set_exception(closed)
        elif too_large(encode(head, self._link.codec), posted.event):
            reason = "an event has at most 64 KiB"
            posted.outcome.set_result(Outcome("rejected", reason=reason))
        elif not self._outbox.add(posted):
            reason = "too many events are waiting to be sent"
            posted.outcome.set_result(Outcome("rejected", reason=reason))
        else:
            self._flush()
        return posted.outcome

    def _encoded(self, event: Message) -> bytes:
        """The event as it goes out, as it was when it was sent."""
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(kind, str):
            raise TypeError('an event is a dict with a type: {"type": "increment"}')
        if kind.startswith("room."):
            raise TypeError(f"{kind}: names with room. are the room's own")
        return encode(event, self._link.codec)

    def _flush(self) -> None:
        """Nothing numbered leaves before the server has said, in its `room.you`, who we are."""
        if self.connection in ("open", "moving"):
            self._put(self._outbox.take())

    def _put(self, numbered: list[tuple[int, _Posted]]) -> None:
        acked = self._outbox.acked
        for seq, posted in numbered:
            message = {**posted.head, "seq": seq}
            if acked:
                message["acked"] = acked
            self._link.send(embed(message, "event", posted.event, self._link.codec))

    def _ask(self) -> None:
        if not self._asked:
            self._link.send(encode({"type": "room.get"}, self._link.codec))
        self._asked = True

    # -------------------------------------------------------------- in: what the link asks of us

    async def address(self, refused: bool) -> str:
        """Where to connect next."""
        token = await self._token.next(refused)
        query = {
            "client": self._client,
            "since": self._since,
            "cursor": self.cursor,
            "token": token,
            "create": None if self._create else 0,
        }
        return with_query(self._url, query)

    def renewable(self) -> bool:
        """Whether there may be another token."""
        return self._token.renewable

    def receive(self, message: Message, first: bool) -> None:
        """One message of the server."""
        kind, now = message["type"], message.get("now")
        if isinstance(now, int | float):
            sent = self._link.dialed if first else message.get("t", -inf)
            self._clock.sample(now, self._timers.now(), sent)
        match kind:
            case "room.you":
                self._welcome(message, first)
            case "room.view":
                self._show(lambda: self._replica.replace(message["cursor"], message["view"]))
            case "room.patch":
                self._show(
                    lambda: self._replica.patch(message["base"], message["cursor"], message["ops"])
                )
            case "room.unchanged":
                self._show(lambda: self._replica.confirm(message["cursor"]))
            case "room.outcome":
                self._settle(message)
            case "room.resend":
                self._put(self._outbox.again(message["from"]))
            case "room.emitted":
                event = message["event"]
                for heard in (event["type"], "*"):
                    if heard in self._emitted:
                        self._emitted[heard].tell(event)
            case "room.present":
                self._meet(message.get("viewers", {}), message.get("count"), message.get("all"))
            case "room.error":
                listeners = self._emitted.get("room.error")
                told = listeners is not None and listeners.tell(message)
                if not told and not message.get("seq"):
                    what = (message.get("code"), message.get("reason"))
                    _log.warning("the room refused a message: %s: %s", *what)

    def changed(self, state: Connection) -> None:
        """The connection's state is another one."""
        if (closed := self._closed()) is not None:
            self._release()
            for posted in self._outbox.clear():
                if not posted.outcome.done():
                    posted.outcome.set_exception(closed)
            if not self._ready.done():
                self._ready.set_exception(closed)
            if closed.code == 1000:
                self._observers.end("complete")
            else:
                self._observers.end("error", closed)
        self._connections.tell(state)

    def _closed(self) -> RoomClosed | None:
        closing = self.closing
        if self.connection != "closed" or closing is None:
            return None
        return RoomClosed(closing.code, closing.reason)

    # -------------------------------------------------------------- in: message by message

    def _welcome(self, you: Message, first: bool) -> None:
        me = you["me"]
        if self.me is not None and self.me["id"] != me["id"]:
            for posted in self._outbox.disown(you["seq"]):
                if not posted.outcome.done():
                    posted.outcome.set_exception(OutcomeLost())
        self.me = me
        if self._since is None:
            self._since = you["now"]
        if you.get("token"):
            self._token.keep(you["token"])
        if first:
            self._asked = False
            self._put(self._outbox.again())
            if self._presence is not None:
                self._link.send(self._presence)
        self._flush()

    def _show(self, change: Callable[[], None]) -> None:
        """Take a change of the view; then subscribers are told, and only then what waited for
        it.
        """
        before = self.view
        try:
            change()
        except PatchError:
            self._ask()
            return
        self._asked = False
        if self.view is not before:
            self._observers.tell(self)
        if not self._ready.done():
            self._ready.set_result(self)
        self._release()

    def _release(self) -> None:
        parked, self._parked = self._parked, []
        for settle in parked:
            settle()

    def _settle(self, message: Message) -> None:
        posted = self._outbox.settle(message["seq"])
        if posted is None:
            return  # said before
        cursor = message.get("cursor")
        outcome = Outcome(message["outcome"], cursor, message.get("reason"), message.get("result"))

        def settle() -> None:
            if not posted.outcome.done():
                posted.outcome.set_result(outcome)

        if cursor is not None and (self._asked or self.view is None):
            self._parked.append(settle)
        else:
            settle()
        self._flush()

    def _meet(self, viewers: Mapping[str, Any], count: int | None, all: bool | None) -> None:
        """Who is here: all of them, or what changed."""
        everybody = dict(viewers) if all else {**self.present, **viewers}
        self.present = {id: data for id, data in everybody.items() if data is not None}
        self.present_count = len(self.present) if count is None else count
        self._presents.tell(self.present)


def _retrieved(future: asyncio.Future[Any]) -> None:
    """Whether anybody looks at the outcome is their choice."""
    if not future.cancelled():
        future.exception()
