"""One world from one seed: two servers on one store, players, faults; then calm, and judgement."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final
from unittest.mock import patch

import orjson

from rooms.errors import PatchError
from rooms.host import journal
from rooms.host import record as stored
from rooms.host.history import past
from rooms.store.port import SessionId
from tests.histories import History, Violation
from tests.sim import partial
from tests.sim.bounds import exceeded, left
from tests.sim.closings import excused
from tests.sim.complaints import Complaints
from tests.sim.faults import PARTIAL, Faults
from tests.sim.loop import Process, SimLoop, passed
from tests.sim.machines import FAR, Ledger, as_slept, seen
from tests.sim.players import EVENTS, Player
from tests.sim.robots import Robot
from tests.sim.servers import Server
from tests.sim.store import Way, WitnessedStore, run_now
from tests.sim.watchers import Watcher

if TYPE_CHECKING:
    from client import RoomClosed
    from rooms.effects import Attempt
    from rooms.host.room import LiveRoom
    from rooms.router.channels import Channel
    from rooms.store.port import Record

PLAYERS = 3
SMALL: Final = (journal.SMALL, 512, 64)
"""Up to how many bytes states are stored whole, by seed: those of worlds are small."""
_SECRET = re.compile(r"secret of (\w+):")
NOTHING: Mapping[str, Any] = MappingProxyType({})
STILL: Final = 14.0
"""After this no link is half open any more, and no lease ends of what went wrong (s): what is
volatile would get lost.
"""
QUIET = 27.0
"""After this every seat is what it is, and every timer has fired (s)."""
ASLEEP = 30.0
"""After this a room that was left is asleep (s)."""
LATE = 300
"""How late a timer may be while nothing is wrong (ms), beside what the store's slowness costs …"""
LATE_IN_TROUBLE = 45_000
"""… and while something is: a lease has to expire, and what failed is tried again."""


Script = Callable[["World"], Coroutine[Any, Any, None]]
"""What happens in a world."""


class World:
    """All there is: `play` it once.

    `weather` forces some of its faults; a `script` is what happens instead of what chance wants.
    """

    again = 60.0
    """By when everything works again after the faults (s)."""
    events: ClassVar[Mapping[str, float]] = EVENTS
    """What players send, and how often each."""

    def __init__(
        self, seed: int, weather: Mapping[str, Any] = NOTHING, script: Script | None = None
    ) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.loop = SimLoop()
        self.faults = Faults(self.dice, random.Random(f"{seed}, in part"))
        self.faults.force(weather)
        self.history = History(late=self._lateness())
        self.loop.witness = self
        self.environment = Process(self.loop, "environment")
        self.store: Any = self._open_store()
        self.pace = weather.get("pace") or self.dice.choice([0.3, 0.7, 2.0])
        self.servers: list[Server] = []
        self.players: list[Player] = []
        self.robots: list[Robot] = []
        self.watchers: list[Watcher] = []
        self.favourite = 0
        """The server that new connections come to."""
        self.dialled = 0
        """How many connections there ever were, at most."""
        self.digest = hashlib.blake2b(digest_size=8)
        """Of every message to a player, and when it was written: equal for equal worlds."""
        self.retired: list[Server] = []
        """Those that have been replaced, and may not have ended."""
        self._leaving: list[Server] = []
        self._pointing: list[Player] = []
        """Who was there when all pointed at something, in the end."""
        self._script = script
        self._ended = False

    def play(self) -> list[Violation]:
        """Run it, and say which promises were broken."""
        logs = Complaints(self.history)
        logger = logging.getLogger("rooms")
        logger.addHandler(logs)
        before, logger.propagate = logger.propagate, False
        random.seed(self.seed)  # a router that closes draws from it when to come back
        small = SMALL[self.seed % len(SMALL)]
        try:
            with patch.object(journal, "SMALL", small), patch.object(journal, "MAX_PATCHES", 8):
                self.loop.run_until_complete(self._play())
        finally:
            self._ended = True
            for process in self._processes():
                process.kill()
            self.loop.close()
            logger.removeHandler(logs)
            logger.propagate = before
        for fault in self.loop.faults:
            self.history.violated("bug", f"{fault.get('message')}: {fault['exception']!r}")
        return self.history.check()

    async def _play(self) -> None:
        self.servers = self._open_doors()
        where = self.faults.kinds
        self.players = [Player(self, f"p{n}", self.dice.choice(where)) for n in range(PLAYERS)]
        if self._script is None:
            if self.dice.random() < self.faults.tabs:  # another tab of the first one's
                self.players.append(Player(self, "tab", self.players[0].where, "p0"))
            if self.dice.random() < 0.4:
                self.robots.append(Robot(self, "robot", self.dice.choice(where)))
            if self.dice.random() < 0.3:
                self.watchers.append(Watcher(self, "watcher", self.dice.choice(where)))
        if self._script is not None:
            await self._script(self)
        else:
            for one in self.people():
                one.begin()
            await self._trouble()
        await passed(0.01)  # a server that was told to drain last is no longer one that stays
        self._calm()
        await self._settled()
        if PARTIAL.keys() & self.faults.machines.keys():  # a lease may still end of that
            await passed(STILL)
            await self._settled()
        await self._answered()
        for player in self.players:
            player.process.run(player.send, "write")
        await self._answered()
        self._pointing = [one for one in self.players if one.room.connection == "open"]
        for player in self._pointing:
            player.process.run(player.point)
        await passed(QUIET)
        self._compare_views()
        await self._sleep()

    def _open_store(self) -> Any:
        """The store, as whoever plays the world sees it: it answers at once."""
        return WitnessedStore(self.loop, self.history, self.dice)

    def way(self, process: Process) -> Any:
        """A host's way to the store."""
        return Way(self.loop, self.store, process, self.faults, self.environment)

    def _open_doors(self) -> list[Server]:
        servers = 1 if self.faults.gentle and self._script is None else 2
        return [Server(self, f"server-{number}") for number in range(servers)]

    def members(self) -> list[Server]:
        """The servers that there are."""
        return self.servers

    # ------------------------------------------------------------------ trouble

    async def _trouble(self) -> None:
        machines, end = self.faults.machines, self.loop.time() + self.faults.lasting
        while self.loop.time() < end:
            await passed(self.dice.expovariate(1 / 4))
            self._look_at_bounds()
            if machines:
                fault = self.dice.choices(list(machines), list(machines.values()))[0]
                self._strike(fault, self.dice.choice(self.servers))

    def _strike(self, fault: str, server: Server) -> None:
        dice, process = self.dice, server.process
        match fault:
            case "kill":
                process.after(dice.randrange(60), lambda: self.kill_in_trouble(server))
            case "pause" if not process.paused:
                process.pause()
                pause = dice.choice((0.5, 4.0, 11.0, 16.0))
                self.environment.at(self.loop.time() + pause, process.resume)
            case "drain" if server.up and not process.paused:
                process.soon(server.drain)
            case "cut off":
                server.way.cut_off_until = self.loop.time() + dice.choice((2.0, 6.0, 12.0, 18.0))
            case "delete":
                self._delete(SessionId(*dice.choice(self.players).where.split("/")))
            case _:
                partial.strike(fault, self, server)
        if dice.random() < 0.4:
            self.favourite = dice.randrange(len(self.servers))

    def kill_in_trouble(self, server: Server) -> None:
        """It ends, unless nothing is to go wrong any more."""
        if self.faults.on:
            self.kill(server)

    def kill(self, server: Server, *, again: bool = True) -> None:
        """A server ends here and now; another one is started, soon, if `again`."""
        if server.process.dead or self._ended:
            return
        server.process.kill()
        for connection in (*server.wires, *server.streams):
            connection.lose()
        if self.dice.random() < 0.5 and server.host is not None:
            self.certify(server.host.incarnation)
        if again:
            soon = self.loop.time() + self.dice.uniform(0.05, 3)
            self.environment.at(soon, self._replace, server)

    def certify(self, incarnation: str) -> None:
        """A supervisor has reaped it, and tells the store."""
        run_now(self.store.retire(incarnation))

    def _replace(self, server: Server) -> None:
        """Start another one in the place of a server that ended."""
        if server in self.servers:
            place = self.servers.index(server)
            self.servers[place] = Server(self, server.process.name)

    def _delete(self, id: SessionId) -> None:
        self._end_life(id, deleted=True)
        run_now(self.store.delete(id))

    # ------------------------------------------------------------------ the end

    def _calm(self) -> None:
        """Nothing goes wrong any more, and one server is enough: a router knows one host."""
        self.faults.calm()
        for server in self.servers:
            server.process.resume()
            server.way.cut_off_until = 0.0
        kept = next((server for server in self.servers if server.up), None)
        for server in self.servers:
            if server is not kept and not server.draining:
                self.kill(server, again=False)
        self._leaving = [server for server in self.servers if server.draining]
        self.servers = [kept or Server(self, "server-0")]
        self.favourite = 0
        for player in self.players:
            if player.wire is not None:
                player.wire.read_on()

    async def _settled(self) -> None:
        """Wait until every page is connected, and who was to drain is gone: at one moment."""
        await self._within(self.again, self._is_settled)
        for player in self.players:
            if player.room.connection != "open":
                what = f"{player.page} is {player.room.connection}: {player.room.closing}"
                self.history.violated("unavailable", what)
        for watcher in self.watchers:
            if not watcher.open:
                self.history.violated("unavailable", f"{watcher.name} hears nothing")
        for server in self._leaving:
            if not server.process.dead:
                self.history.violated("drain", f"{server.process} doesn't come to its end")

    async def _answered(self) -> None:
        """Wait until every event has its outcome."""
        people = self.people()
        await self._within(self.again, lambda: not any(one.unanswered for one in people))
        for one in people:
            if one.unanswered:
                what = f"{one.name} {sorted(one.unanswered)}"
                self.history.violated("unanswered", what)

    def _is_settled(self) -> bool:
        servers = any(server.up for server in self.servers)
        gone = all(server.process.dead for server in self._leaving)
        pages = all(player.room.connection == "open" for player in self.players)
        return servers and gone and pages and all(watcher.open for watcher in self.watchers)

    async def _within(self, seconds: float, done: Callable[[], bool]) -> None:
        end = self.loop.time() + seconds
        while self.loop.time() < end and not done():
            await passed(0.25)

    async def _sleep(self) -> None:
        """Everybody leaves, everything sleeps, and what is stored then is what counts."""
        for player in self.players:
            player.process.run(player.room.close)
        for watcher in self.watchers:
            watcher.leave()
        await passed(ASLEEP)
        for server in self.members():
            for kept in left(server):
                self.history.violated("kept", kept)
        for where in dict.fromkeys(one.where for one in self.people()):
            self._end_life(SessionId(*where.split("/")))

    def _end_life(self, id: SessionId, deleted: bool = False) -> None:
        context = self._stored(id)
        if context is not None and not deleted:
            here = [who for who, seat in context["seats"].items() if seat != "left"]
            if here:
                self.history.violated("seat", f"{id}: {here} have gone, and nobody was told")
        if context is not None:
            self.history.ended(context["life"], context["log"], self.loop.now(), deleted=deleted)
            if id.kind == "diary":
                met = sum(context["met"].values())
                if self.faults.gentle and met > self.dialled:
                    self.history.violated("met again", f"{id}: {met} of {self.dialled}")
            else:
                self._look_back(id, context)
            far = self._stored(SessionId("ledger", FAR))
            received = [] if far is None else far["received"]
            self.history.handed(context["handed"], received, all=not deleted)

    def performs(self, life: str, entry: str, attempt: Attempt) -> None:
        """A room begins a durable effect; sometimes it fails."""
        self.history.performed(life, attempt.key, entry, (attempt.epoch, attempt.number))
        if self.faults.on and not self.faults.gentle and self.dice.random() < 0.2:
            raise OSError("the bell is out of order")

    def ends(self, entry: str, cause: str) -> None:
        """A room is at an event that is too much for a process of its own; here it has none."""

    def performed(self, life: str, attempt: Attempt) -> None:
        """It has done it."""
        self.history.done(life, (attempt.epoch, attempt.number))

    def _look_back(self, id: SessionId, context: Any) -> None:
        """Every revision that is to be kept can be shown, and lies on the way to the newest."""
        record = run_now(self.store.load(id))
        assert record is not None
        before: list[str] = []
        ends = True
        for revision in range(max(1, record.revision - Ledger.history), record.revision + 1):
            try:
                found = run_now(past(self.store, id, revision))
            except (ValueError, PatchError) as error:
                found = None
                self.history.violated("history", f"{id} at {revision}: {error!r}")
            if found is None and record.version != Ledger.version():
                before, ends = [], False  # whoever migrated it has begun a new history
                continue
            if found is None:
                self.history.violated("history", f"{id} at {revision} isn't kept")
                continue
            then = found.persisted["context"]
            if then["life"] != context["life"] or then["log"][: len(before)] != before:
                self.history.violated("history", f"{id} at {revision} was {then['log']}")
            before, ends = then["log"], True
        if ends and before != context["log"]:
            self.history.violated("history", f"{id} came to {before}, not {context['log']}")

    def _stored(self, id: SessionId) -> Any:
        return self._context(id, run_now(self.store.load(id)))

    def _context(self, id: SessionId, record: Record | None) -> Any:
        """What a record says of its session."""
        if record is None or record.snapshot is None:
            return None
        if id.kind == "diary":
            return {key: json.loads(value) for key, value in record.storage.items() if key}
        try:
            return stored.state(record)["context"]
        except (ValueError, PatchError) as error:
            self.history.violated("unrestorable", f"{id} at {record.revision}: {error!r}")
            return None

    def _compare_views(self) -> None:
        """Everybody sees what is stored, as far as it is for them; it is true of who is here."""
        for player in self.players:
            if player.room.connection == "open":
                self._compare_view(player, player.page, player.room.view)
                self._compare_presence(player)
                self._compare_seat(player)
                self._compare_pointers(player)
        for watcher in self.watchers:
            if watcher.open:
                self._compare_view(watcher, watcher.name, watcher.replica.view)

    def _compare_view(self, one: Player | Watcher, page: str, view: Any) -> None:
        context = self._stored(SessionId(*one.where.split("/")))
        if context is not None and view is not None:
            if one.where.startswith("table"):
                context = seen(context, one.viewer)
            self.history.holds(page, view["context"], context)

    def _compare_pointers(self, player: Player) -> None:
        """Nothing went wrong any more when they pointed: all of them have seen it. Who had lost its
        socket in silence, and missed it only then, saw and said nothing.
        """
        for other in self._pointing if player in self._pointing else ():
            if other.where == player.where and other.where.startswith("table"):
                seen, points = player.pointers.get(other.page), other.points
                if seen != points and other.viewer not in self._several():
                    what = f"{player.page} saw {other.page} point at {seen}, not {points}"
                    self.history.violated("pointer", what)

    def _several(self) -> set[str]:
        """The viewers with several tabs, of which only the latest that pointed is told."""
        viewers = [player.viewer for player in self.players]
        return {viewer for viewer in viewers if viewers.count(viewer) > 1}

    def _compare_seat(self, player: Player) -> None:
        context = self._stored(SessionId(*player.where.split("/")))
        if context is not None and player.where.startswith("table"):
            seat = context["seats"].get(player.viewer)
            if seat != "here":
                self.history.violated("seat", f"{player.page} is open, and its seat is {seat}")

    def _compare_presence(self, player: Player) -> None:
        """Everybody knows who is here, and what they shared last: on one of the connections that
        a viewer has, as far as the server knows.
        """
        if not player.where.startswith("table"):
            return
        shared: dict[str, list[Any]] = {}
        for watcher in self.watchers:
            if watcher.where == player.where:
                shared[watcher.viewer] = [{}]
        for other in self.players:
            if other.where == player.where:
                every = (wire for server in self.servers for wire in server.wires)
                wires = [wire for wire in every if wire.player is other]
                told = shared.setdefault(other.viewer, [])
                told.append(other.shares.get(other.page, [{}])[-1])
                for page in {wire.page for wire in wires if wire.far.alive} - {other.page}:
                    told += [{}, *other.shares.get(page, [])]  # what it said last may be lost
        present = player.room.present
        for viewer in shared.keys() | present.keys():
            if present.get(viewer) not in shared.get(viewer, []):
                what = f"{player.page} believes {viewer} shares {present.get(viewer)}"
                self.history.violated("presence", f"{what}, not {shared.get(viewer)}")

    # ------------------------------------------------------------------ looks

    def people(self) -> list[Player | Robot | Watcher]:
        """Everybody who is not a server."""
        return [*self.players, *self.robots, *self.watchers]

    def _look_at_bounds(self) -> None:
        for server in self.servers:
            if server.up:
                for what in exceeded(server):
                    self.history.violated("unbounded", what)

    def _lateness(self) -> int:
        if not self.faults.gentle:
            return LATE_IN_TROUBLE
        return LATE + round(self.faults.store * 20_000)

    def excuses(self, error: RoomClosed) -> bool:
        """Whether a page may hear that it can't go on: what its session knew of it was deleted."""
        return bool(self.faults.machines.get("delete"))

    def may_close(self, server: Server, channel: Channel) -> bool:
        """Whether a server may close a socket because its room is out of reach."""
        return excused(self, server, channel)

    def lease_time(self) -> float:
        """The time by which leases end in the history (ms)."""
        return self.loop.elapsed()

    def door(self) -> Server:
        """Which server a new connection comes to: mostly everybody to the same one."""
        if self.faults.on and self.dice.random() < self.faults.roaming:
            return self.dice.choice(self.servers)
        favourite = self.servers[self.favourite]
        if favourite.up:
            return favourite
        return next((server for server in self.servers if server.up), favourite)

    def compare(self, id: SessionId, room: LiveRoom) -> None:
        """A room woke: it is what was stored."""
        record = self._record(id, room.claim.epoch)
        if record is not None and record.revision == room.session.revision:
            was, now = stored.state(record), room.session.dump(room.session.snapshot)
            self.history.restored(str(id), as_slept(orjson.dumps(was)), as_slept(now))
            if self.faults.curious:
                self._look_back(id, was["context"])

    def _record(self, id: SessionId, epoch: int) -> Record | None:
        """What is stored of a session that was acquired last at this epoch."""
        row = self.store._rows.get(id)
        if row is None or row.snapshot is None or row.epoch != epoch:
            return None
        record: Record | None = row.record()
        return record

    def watch(self, player: Player, page: str, message: dict[str, Any]) -> None:
        """A server wrote this for a player's page."""
        self.digest.update(f"{self.loop.time()} {page} {message}".encode())
        match message["type"]:
            case "room.outcome":
                told = (message["outcome"], message.get("result"))
                self.history.told(page, message["seq"], *told)
            case "room.patch":
                if not message["ops"]:
                    self.history.violated("leak", f"{page}: a step that it can't see")
                self.look_for_secrets(player, page, message["ops"])
            case "room.view":
                self.look_for_secrets(player, page, message["view"])

    def look_for_secrets(self, one: Player | Robot | Watcher, page: str, shown: Any) -> None:
        """Somebody is shown this: nobody else's secrets are in it."""
        if not one.where.startswith("table"):
            return
        told = set(_SECRET.findall(json.dumps(shown))) - {one.viewer}
        if told:
            self.history.violated("leak", f"{page} saw secrets of {sorted(told)}")

    def _processes(self) -> list[Process]:
        people = [one.process for one in self.people()]
        servers = [server.process for server in (*self.members(), *self._leaving)]
        return [*people, *servers, self.environment]
