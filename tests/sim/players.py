"""Players: the real façade, and somebody who sends, leaves, comes back and reads slowly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from client import RoomClosed, connect
from client.errors import OutcomeLost
from rooms.router.tokens import Tokens
from rooms.sync.codec import encode
from tests.sim.loop import EPOCH, Process, passed
from tests.sim.network import Wire
from tests.sim.servers import SECRET

if TYPE_CHECKING:
    from client import Room
    from client.room import Outcome
    from client.websocket import Listener
    from rooms.sync.codec import Codec
    from tests.sim.network import Near
    from tests.sim.world import World

EVENTS = {
    "write": 6.0,
    "odd": 3.0,
    "whisper": 1.0,
    "mutter": 1.0,
    "arm": 2.0,
    "work": 1.0,
    "ring": 1.0,
    "hand": 1.0,
    "broken": 1.0,
    "fired": 0.3,
}
"""What players send, and how often each, unless their world has others."""


class Player:
    """A browser's tab, with one page open at a time; each page is a façade of its own. Several tabs
    may be one viewer's.
    """

    def __init__(self, world: World, name: str, where: str, viewer: str | None = None) -> None:
        self.world = world
        self.name = name
        self.viewer = viewer or name
        self.where = where
        self.process = Process(world.loop, name)
        self.token = Tokens(SECRET).issue(self.viewer, EPOCH)
        self.shares: dict[str, list[dict[str, Any]]] = {}
        """What each page shared of the moment."""
        self.points = 0
        """How often it has pointed: each time at the next number."""
        self.pointers: dict[str, int] = {}
        """Where this page saw others point last."""
        self.room: Room
        self.wire: Wire | None = None
        self.unanswered: set[int] = set()
        self._pages = 0
        self._sent = 0
        self._codec = world.dice.choice(["rooms.v1.json", "rooms.v1.msgpack"])
        self.process.soon(self._open)

    @property
    def page(self) -> str:
        """The name of the façade."""
        return f"{self.name}.{self._pages}"

    def begin(self) -> None:
        """Do things, until the world is calm."""
        self.process.soon(self._live)

    # ------------------------------------------------------------------ what a player does

    def _open(self) -> None:
        self._pages += 1
        self._sent = 0
        self.unanswered.clear()
        self.points, self.pointers = 0, {}
        room = connect(
            f"http://sim/rooms/{self.where}",
            token=self.token,
            protocol=self._codec,
            roll=self.world.dice.random,
            dial=self._dial,
        )
        room._client = f"façade-{self.page}".encode().hex()  # not of the system's chance
        page = self.page
        room.subscribe(lambda room: self._shown(page, room), error=self._refused)
        room.on("point", lambda event: self._saw_point(page, event))
        room.on("wrote", lambda event: self._heard(page, room, event))
        self.room = room

    def _live(self) -> None:
        self._living = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        world, dice = self.world, self.world.dice
        faults = world.faults.people
        names, weights = ["send", *faults], [12.0, *faults.values()]
        while world.faults.on:
            await passed(dice.expovariate(1 / world.pace))
            if not world.faults.on:
                return
            match dice.choices(names, weights)[0]:
                case "send":
                    for _ in range(dice.choice((1, 1, 1, 2, 6))):
                        self.send(dice.choices(*zip(*world.events.items(), strict=True))[0])
                case "reconnect":
                    self.room.reconnect()
                case "reload":
                    self.reload()
                case "renew":
                    self.renew()
                case "share" if self.where.startswith("table"):
                    self.share()
                    self.point()
                case "repeat":
                    self.room._put(self.room._outbox.again())
                case "cut" | "silence" | "stall" as fault:
                    await self._trouble(fault)

    async def _trouble(self, fault: str) -> None:
        wire = self.wire
        if wire is None:
            return
        match fault:
            case "cut":
                wire.lose()
            case "silence":
                wire.silence()
            case "stall":
                wire.stall()
                await passed(self.world.dice.uniform(0.1, 6))
                wire.read_on()

    def send(self, type: str) -> None:
        """Send one numbered event, and write down what becomes of it."""
        self._sent += 1
        n, page, room = self._sent, self.page, self.room
        event: dict[str, Any] = {"type": type, "who": page, "n": n}
        if type in ("whisper", "mutter"):
            event["secret"] = self.secret(n)
        elif type in ("arm", "work"):
            event["delay"] = self.world.dice.choice((10, 500, 4_000, 12_000))
        elif type == "deadly":
            event["cause"] = self.world.dice.choice(("cpu", "memory", "crashed"))
        elif type == "fired":
            event = {"type": "fired", "entry": f"{page}:{n}"}
        self.world.history.sent(page, n, self.where)
        self.unanswered.add(n)
        room.send(event).add_done_callback(lambda done: self._answered(room, page, n, done))

    def tell(self, *types: str) -> None:
        """Send these, as this player."""
        for type in types:
            self.process.run(self.send, type)

    def secret(self, n: int) -> str:
        """What nobody else may see."""
        return f"secret of {self.viewer}: {self.page} {n}"

    def renew(self) -> None:
        """Bring a fresh token."""
        token = Tokens(SECRET).issue(self.viewer, self.world.loop.now())
        codec: Codec = "msgpack" if self._codec == "rooms.v1.msgpack" else "json"
        self.room._link.send(encode({"type": "room.token", "token": token}, codec))

    def point(self) -> None:
        """Point at something, at this moment: volatile."""
        self.points += 1
        if self.where.startswith("table"):
            self.room.cast({"type": "point", "who": self.page, "at": self.points})

    def share(self) -> None:
        """Tell the others where one's pointer is."""
        data = {"at": self.world.dice.randrange(100)}
        self.shares.setdefault(self.page, []).append(data)
        self.room.presence(data)

    def reload(self) -> None:
        """Close the page, and open another one."""
        self.room.close()
        self._open()

    # ------------------------------------------------------------------ what a player learns

    def _answered(self, room: Room, page: str, n: int, done: asyncio.Future[Outcome]) -> None:
        history = self.world.history
        if page == self.page:
            self.unanswered.discard(n)
        error = done.exception()
        if error is None:
            outcome = done.result()
            context = None if room.view is None else room.context
            shows = None if context is None else (context["life"], len(context["log"]))
            history.answered(page, n, outcome.outcome, outcome.result, shows=shows)
        elif isinstance(error, RoomClosed | OutcomeLost):
            history.lost(page, n)
        else:
            raise error

    def _shown(self, page: str, room: Room) -> None:
        if room.cursor is not None:
            self.world.history.shown(page, room.view, room.cursor)

    def _saw_point(self, page: str, event: dict[str, Any]) -> None:
        who, at = event["who"], event["at"]
        if page == self.page:
            if at <= self.pointers.get(who, 0):
                what = f"{page} saw {who} point at {self.pointers[who]}, then {at}"
                self.world.history.violated("pointer", what)
            self.pointers[who] = at

    def _heard(self, page: str, room: Room, event: dict[str, Any]) -> None:
        self.world.history.heard(page, event, room.view)

    def _refused(self, error: Exception) -> None:
        assert isinstance(error, RoomClosed)
        if error.code == 4409 and self.world.excuses(error):
            self.process.soon(self._open)  # what became of its numbers, nobody can know any more
            return
        self.world.history.violated("turned away", f"{self.page}: {error}")

    def told(self, page: str, message: dict[str, Any]) -> None:
        """What a server wrote for a page of this player's, whether or not it arrives."""
        self.world.watch(self, page, message)

    def _dial(self, url: str, subprotocol: str | None, listener: Listener) -> Near:
        self.world.history.asked(self.page)
        self.world.dialled += 1
        server = self.world.door()
        wire = Wire(self.world.loop, self.world.faults, self, server, url, subprotocol, listener)
        server.wires.append(wire)
        self.wire = wire
        if not server.up:
            wire.lose()
        return wire.near
