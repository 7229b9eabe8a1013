"""Tests for rooms: a server of an App within a test; and that nobody can tell a secret from what
they are sent.

In: a kind of room, secrets that only it may know, and what people do. Out: nothing, or `Leak`. The
real host and routing run on a store in memory, on a clock of their own: nothing waits for real.

```python
prove_no_leak(Poker, secrets=[{"deck": one}, {"deck": other}], plays=[{"type": "bet"}])
```
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import selectors
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from rooms.definition import Room
from rooms.errors import Leak, UsageError
from rooms.host.clock import Clock
from rooms.host.host import Host
from rooms.link import memory
from rooms.link.protocol import Attach
from rooms.router.frames import payloads
from rooms.router.routing import Routing
from rooms.server import serve
from rooms.settings import Settings
from rooms.store.memory import MemoryStore
from rooms.store.port import SessionId
from rooms.sync import messages
from rooms.sync.codec import decode
from rooms.sync.diff import apply
from rooms.sync.views import Viewer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from rooms.app import App
    from rooms.errors import Closing
    from rooms.router.channels import Channel
    from rooms.sync.messages import Json, View

    Event = Mapping[str, Any]
    Plays = Sequence[Event] | Callable[["Player"], Event | None]

_AT: Final = SessionId("room", "proved")
_EPOCH: Final = 1_800_000_000_000
_PAUSES: Final = (20, 500, 3_000, 12_000, 40_000)


@contextlib.asynccontextmanager
async def served(app: App, *, store: str = "memory:") -> AsyncIterator[str]:
    """The address of a server of this App, which runs in this event loop until the block ends.

    It is the real one, without limits, on a free port of this machine, of the App as `checked`;
    with another `store` than one in memory, the next server goes on where it ended.

    Raises:
        RoomsError: it can't be started.
    """
    address = asyncio.get_running_loop().create_future()
    settings = Settings(port=0, store=store, limits=False)
    server = asyncio.create_task(serve(app.checked(), settings, ready=address.set_result))
    try:
        await asyncio.wait([server, address], return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            server.result()
        yield await address
    finally:
        server.cancel()
        await asyncio.wait([server])


def prove_no_leak(
    room: type[Room] | Callable[[Any], type[Room]],
    *,
    secrets: Sequence[Any],
    plays: Plays,
    viewers: Sequence[Viewer | str] = ("ann", "bob", "eve"),
    knows: Iterable[str] = (),
    until: Callable[[View], object] | None = None,
    runs: int = 20,
    steps: int = 60,
    seed: int = 0,
) -> None:
    """Play the same random play with each of the secrets, and compare all that viewers are sent.

    Every byte counts: views, cursors, outcomes, closings, their number, their order, and the
    millisecond they come at. People send events, numbered or plain, connect again with the cursor
    they hold, ask for the whole view, and let time pass, so that the room sleeps and wakes, too.

    Call it from a plain test: it runs an event loop of its own.

    Args:
        room: a kind whose machine takes a secret as its `input`; or a function that gives the kind
            for a secret.
        secrets: two or more, which differ in nothing that `viewers` may know.
        plays: the events anybody may send; or a function of a `Player` that says what they send
            now (None: nothing). It decides by what the player sees, and by `player.chance`.
        viewers: who is there.
        knows: the ids of those who may know the secret: what they are sent isn't compared, and
            `player.secret` is theirs.
        until: whether a view tells the secret rightly, as at the end of a game: what a viewer is
            sent from that view on isn't compared.
        runs: how many plays, each from a seed of its own, beginning with `seed`.
        steps: how long a play is.

    Raises:
        Leak: a viewer could tell two secrets apart. It says who, by what, and in which play.
        UsageError: nothing would be proved: no state of the room ever differed, or nobody is left
            who mustn't know.
    """
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError("prove_no_leak runs a loop of its own: call it from a `def`")
    watched = [each if isinstance(each, Viewer) else Viewer(each) for each in viewers]
    knowing = frozenset(knows)
    if len(secrets) < 2:
        raise UsageError("prove_no_leak compares two secrets or more")
    if not {viewer.id for viewer in watched} - knowing:
        raise UsageError("everybody knows the secret: name a viewer who mustn't")
    differed = accepted = False
    for run in range(seed, seed + runs):
        ended: list[_Ended] = []
        for secret in secrets:
            script = _Script(run, steps, plays, watched, knowing, until, secret)
            ended.append(_play(_kind(room, secret), script))
            _compare(run, ended[0], ended[-1])
        differed |= any(each.state != ended[0].state for each in ended)
        accepted |= any(each.state is not None for each in ended)
    if not accepted:
        raise UsageError("no event of these plays was ever accepted: nothing was proved")
    if not differed:
        raise UsageError(
            "the secrets made no difference to what the room stores: nothing was proved; "
            "does the machine use its `input`, and are the plays long enough?"
        )


class Player:
    """Somebody in a play: who they are (`viewer`), what they see (`view`), their `chance`, and the
    `secret`, for those who know it."""

    def __init__(self, stage: _Stage, viewer: Viewer, script: _Script) -> None:
        self.viewer = viewer
        self.view: View = {}
        self.chance = Random(0)
        self.told: list[_Told] = []
        self.knows = viewer.id in script.knows
        self.secret = script.secret if self.knows else None
        self._stage = stage
        self._until = None if self.knows else script.until
        self.over = self.knows
        """Whether what they are sent isn't compared any more."""
        self._cursor: str | None = None
        self._seq = 0
        self._channel: Channel | None = None

    # the socket, for the router

    def write(self, data: bytes) -> None:
        """Frames of the router's: what they tell goes down as it came."""
        for told in payloads(data):
            self._hear(told)

    def _hear(self, data: bytes) -> None:
        before = self.view
        message = decode(data, "json", max_claim=len(data))
        match message["type"]:
            case "room.view":
                self.view, self._cursor = message["view"], message["cursor"]
            case "room.patch":
                self.view, self._cursor = apply(self.view, message["ops"]), message["cursor"]
        if self._until is not None and self.view is not before and self._until(self.view):
            self._tell(b"(until)")
            self.over = True
        self._tell(data)

    def close(self, closing: Closing) -> None:
        """The server ended the connection."""
        self._channel = None
        self._tell(f"(closed {closing} {closing.retry_after})".encode())

    def pause(self) -> None:
        """Too much is unanswered: nothing more is read."""

    def resume(self) -> None:
        """There is room again."""

    # the person

    def connect(self) -> None:
        """Open a connection, with the cursor they hold."""
        viewer, routing = self.viewer, self._stage.routing
        attach = Attach(
            channel=routing.number(),
            kind=_AT.kind,
            session=_AT.session,
            viewer={"id": viewer.id, "role": viewer.role, "claims": dict(viewer.claims)},
            client=f"client-of-{viewer.id}",
            since=None,
            cursor=self._cursor,
            codec="json",
            create=True,
        )
        self._channel = routing.open(attach, self)

    def leave(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            self._stage.routing.close(self._channel)
            self._channel = None

    def say(self, message: dict[str, Json]) -> None:
        """Send a message, or connect again where there is no connection."""
        if self._channel is None:
            self.connect()
        else:
            read = messages.read(message)
            self._stage.routing.say(self._channel, read, len(str(message)))

    def send(self, event: Event, *, numbered: bool) -> None:
        """Send an event."""
        if not numbered:
            self.say(dict(event))
        elif self._channel is None:
            self.connect()
        else:
            self._seq += 1
            self.say({"type": "room.send", "seq": self._seq, "event": dict(event)})

    def _tell(self, data: bytes) -> None:
        if not self.over:
            self.told.append(_Told(self._stage.loop.ms, data))


@dataclass(frozen=True, slots=True)
class _Told:
    """What somebody was sent, and when (ms)."""

    at: int
    data: bytes

    def __str__(self) -> str:
        return f"after {self.at} ms {self.data!r}"


@dataclass(frozen=True, slots=True)
class _Ended:
    """A play that is over: what each viewer was told, and what was stored."""

    told: dict[str, list[_Told]]
    state: bytes | None


@dataclass(frozen=True, slots=True)
class _Script:
    """What is to happen in a play."""

    seed: int
    steps: int
    plays: Plays
    viewers: Sequence[Viewer]
    knows: frozenset[str]
    until: Callable[[View], object] | None
    secret: Any


class _Stage:
    """One host and one router, joined by a link, on a store in memory."""

    def __init__(self, kind: type[Room], loop: _Loop, chance: Random) -> None:
        self.loop = loop
        self.store = MemoryStore(
            lambda: _EPOCH + loop.ms, elapsed=loop.elapsed, random_bytes=chance.randbytes
        )
        self.host = Host(
            {_AT.kind: kind}, self.store, clock=Clock(loop.elapsed), chance=chance.randbytes
        )
        ours, theirs = memory.pair()
        self.routing = Routing(loop.call_later)
        met = self.routing.meet(self.host.info, ours.send)
        ours.listen(lambda message: self.routing.receive(met, message))
        self.host.serve(theirs)

    async def pass_time(self, ms: int) -> None:
        """Let time pass, and all happen that happens meanwhile."""
        passed = self.loop.create_future()
        self.loop.call_later(ms / 1000, passed.set_result, None)
        await passed


def _play(kind: type[Room], script: _Script) -> _Ended:
    loop = _Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_act(kind, loop, script))


async def _act(kind: type[Room], loop: _Loop, script: _Script) -> _Ended:
    chance = Random(script.seed)
    stage = _Stage(kind, loop, Random(f"host {script.seed}"))
    await stage.host.start()
    players = [Player(stage, viewer, script) for viewer in script.viewers]
    for player in players:
        player.connect()
        await stage.pass_time(1)
    for step in range(script.steps):
        player = chance.choice(players)
        player.chance = Random(f"{script.seed} {step}")
        numbered, pause = chance.random() < 0.5, chance.choice(_PAUSES)
        match chance.choices(("send", "wait", "return", "get"), (16, 3, 2, 1))[0]:
            case "send":
                event = _choose(script.plays, player)
                if event is not None:
                    player.send(event, numbered=numbered)
            case "wait":
                await stage.pass_time(pause)
            case "return":
                player.leave()
                await stage.pass_time(pause if numbered else 1)
                player.connect()
            case "get":
                player.say({"type": "room.get"})
        await stage.pass_time(1)
        if all(player.over for player in players):
            break
    await stage.host.drain()
    record = await stage.store.load(_AT)
    told = {player.viewer.id: player.told for player in players if not player.knows}
    return _Ended(told, None if record is None else record.snapshot)


def _choose(plays: Plays, player: Player) -> Event | None:
    if not isinstance(plays, Sequence):
        return plays(player)
    return player.chance.choice(plays)


def _kind(room: type[Room] | Callable[[Any], type[Room]], secret: Any) -> type[Room]:
    """The kind of room that has this secret. Who is there is decided already."""
    own: dict[str, Any] = {"authenticate": Room.__dict__["authenticate"]}
    if inspect.isclass(room):
        own["input"] = lambda self: secret
    else:
        room = room(secret)
    return type(room.__name__, (room,), own)


def _compare(run: int, one: _Ended, other: _Ended) -> None:
    """Raises Leak for the first byte in which somebody was told different things."""
    for viewer, told in one.told.items():
        other_told = other.told[viewer]
        for place, (this, that) in enumerate(zip(told, other_told, strict=False)):
            if this != that:
                raise Leak(viewer, run, place, str(this), str(that))
        if len(told) != len(other_told):
            place = min(len(told), len(other_told))
            this_, that_ = (
                str(each[place]) if place < len(each) else "nothing" for each in (told, other_told)
            )
            raise Leak(viewer, run, place, this_, that_)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time goes on by itself when there is nothing else to do: from one timer
    to the next, in whole milliseconds."""

    def __init__(self) -> None:
        self.ms = 0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        """The loop's clock (s)."""
        return self.ms / 1000

    def elapsed(self) -> float:
        """The same in ms."""
        return float(self.ms)


class _Skipping(selectors.SelectSelector):
    """Where a loop waits: this one doesn't."""

    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Skip the wait."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen here: something waits for the world")
        if timeout > 0:
            self._loop.ms += max(1, math.ceil(timeout * 1000 - 1e-6))
        return super().select(0)
