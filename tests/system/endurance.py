"""Many clients that come and go while their server is killed, and what they must find in the end;
and a room that is put to sleep and woken a thousand times.

    python -m tests.system.endurance            # fifty clients, twenty kills; some minutes
    python -m tests.system.endurance --kills 5
    python -m tests.system.endurance --only sleep --wakes 10000

What they said and were told, what they saw and what is there in the end goes through the checker of
`tests/histories.py`; the suite plays smaller versions (`test_kill.py`,
`test_sleep.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from client import Room, RoomClosed, connect
from rooms.access import Remote
from rooms.errors import CloseCode
from rooms.store.schema import read_secret
from tests.histories import History, Violation
from tests.system.closings import Closed, watch
from tests.system.processes import running

if TYPE_CHECKING:
    from tests.system.processes import Server

APP = "tests/system/endured.py"
BRIEF = "tests/system/brief.py"
"""The same, where leases are brief."""
LATE = 12_000
"""How late a timer may be, beside what the longest blow took (ms), on a machine that has other
things to do."""
PATIENT_FOR = 12.0
"""How long who waits for a room isn't turned away (s): STORE10, ROUTE7."""
SETTLED_WITHIN = 90.0
NOW_AND_THEN = 0.25
"""Until who has done all that was to be done does a little more (s)."""
EVENTS = {"write": 6, "odd": 3, "arm": 2, "work": 1, "broken": 1}


Strike = Callable[[], Awaitable[None]]
"""Something that befalls a server; done when it is over."""


async def within(seconds: float, what: str, condition: Callable[[], bool]) -> None:
    """Wait until it is so. Raises AssertionError: it isn't in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        if loop.time() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        await moment()


async def moment() -> None:
    """Let others have their turn, before something is looked at again."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_later(0.02, passed.set_result, None)
    await passed


def restarting(server: Server) -> Strike:
    """Killing a server, and starting it again."""

    async def strike() -> None:
        server.kill()
        await asyncio.to_thread(server.start)

    return strike


async def struck(
    strike: Strike, times: int, work: Sequence[asyncio.Future[None]], done: Callable[[], float]
) -> float:
    """Strike whenever the next share of the work is done (0 to 1); how long the longest blow took
    (s). Raises what the work did.
    """
    loop = asyncio.get_running_loop()
    longest = 0.0

    def is_done(share: float) -> bool:
        for one in work:
            if one.done():
                one.result()
        return done() >= share

    for blow in range(times):
        share = (blow + 1) / (times + 1)
        await within(120, f"{share:.0%} of the work", partial(is_done, share))
        begun = loop.time()
        await strike()
        longest = max(longest, loop.time() - begun)
    return longest


# -------------------------------------------------------------------------------- a counter


async def count(
    url: str, clients: int, each: int, strike: Strike, times: int, dice: random.Random
) -> int:
    """Clients that increment one counter, and reconnect as they like; the sum is exact in the end,
    and everybody sees it. Returns the sum.
    """
    rooms = [connect(f"{url}/rooms/counter/endured") for _ in range(clients)]
    total, outcomes = clients * each, list[str]()

    async def play(room: Room) -> None:
        for _ in range(each):
            if dice.random() < 0.15:
                room.reconnect()
            outcomes.append((await room.send({"type": "increment"})).outcome)

    playing = [asyncio.ensure_future(play(room)) for room in rooms]
    await struck(strike, times, playing, lambda: len(outcomes) / total)
    await asyncio.wait_for(asyncio.gather(*playing), SETTLED_WITHIN)
    assert outcomes == ["accepted"] * total
    for room in rooms:
        await room.wait_for(lambda room: room.context["count"] == total, timeout=60_000)
        room.close()
    await asyncio.gather(*(room.wait_closed() for room in rooms))
    return total


# -------------------------------------------------------------------------------- a log


class _Writer:
    """A client of a ledger, all of whose doings are written into the history."""

    def __init__(self, history: History, url: str, where: str, name: str) -> None:
        self.name = name
        self.room = connect(f"{url}/rooms/{where}")
        self.done = 0
        self.closed: list[Closed] = []
        self._history = history
        self._where = where
        history.asked(name)
        self.room.subscribe(self._shown)
        self.room.on("wrote", lambda event: history.heard(name, event, self.room.view))
        watch(self.room, name, self.closed)

    async def play(self, each: int, over: asyncio.Future[None], dice: random.Random) -> None:
        """Send one event after the other, sometimes several at once, over any number of
        connections; when that is done, one now and then until it is `over`, so that the rooms are
        awake whatever befalls them.
        """
        n = 0
        while n < each or not over.done():
            if n >= each:
                await asyncio.wait([over], timeout=NOW_AND_THEN)
            if dice.random() < 0.15:
                self._history.asked(self.name)
                self.room.reconnect()
            burst = min(dice.choice((1, 1, 4)), max(each - n, 1))
            await asyncio.gather(*(self._send(n + k + 1, dice) for k in range(burst)))
            n += burst

    async def _send(self, n: int, dice: random.Random) -> None:
        type = dice.choices(list(EVENTS), list(EVENTS.values()))[0]
        event: dict[str, Any] = {"type": type, "who": self.name, "n": n}
        if type in ("arm", "work"):
            event["delay"] = dice.choice((10, 500, 3_000))
        self._history.sent(self.name, n, self._where)
        try:
            outcome = await self.room.send(event)
        except RoomClosed:
            self._history.lost(self.name, n)
            raise
        context = self.room.context
        shows = (context["life"], len(context["log"]))
        result = outcome.result
        self._history.answered(self.name, n, outcome.outcome, result, shows=shows)
        self.done += 1

    def _shown(self, room: Room) -> None:
        if room.cursor is not None:
            self._history.shown(self.name, room.view, room.cursor)


async def log(
    url: str,
    kind: str,
    clients: int,
    each: int,
    strike: Strike,
    times: int,
    dice: random.Random,
    *,
    rooms: int = 1,
    named: str = "endured",
    keeps_sockets: bool = False,
    late: int = LATE,
) -> list[Violation]:
    """Clients that write into the logs of one room or several, set timers and begin work; which
    promises were broken. `keeps_sockets`: that no socket is closed is one of them, unless a blow
    takes longer than is waited for a room; `late`: how late a timer may be, beside that (ms).
    """
    history = History()
    tables: list[list[_Writer]] = [[] for _ in range(rooms)]
    for n in range(clients):
        writer = _Writer(history, url, f"{kind}/{named}-{n % rooms}", f"w{n}")
        tables[n % rooms].append(writer)
    writers = [writer for table in tables for writer in table]
    over = asyncio.get_running_loop().create_future()
    playing = [asyncio.ensure_future(writer.play(each, over, dice)) for writer in writers]
    total = clients * each
    done = lambda: sum(writer.done for writer in writers) / total  # noqa: E731
    longest = await struck(strike, times, playing, done)
    over.set_result(None)
    history.late = late + round(longest * 1000)
    await asyncio.wait_for(asyncio.gather(*playing), SETTLED_WITHIN)
    for table in tables:
        settled = partial(_settled, table)
        await within(SETTLED_WITHIN, "all see the same, and every timer has fired", settled)
        await _look(history, table)
    for writer in writers:
        for closed in writer.closed if keeps_sockets else ():
            if closed.why.code != CloseCode.OVERLOADED or longest < PATIENT_FOR:
                history.violated("socket", str(closed))
        writer.room.close()
    await asyncio.gather(*(writer.room.wait_closed() for writer in writers))
    return history.check()


def _settled(table: list[_Writer]) -> bool:
    """Whether everybody sees the same, and nothing is left to happen."""
    logs = [writer.room.context["log"] for writer in table]
    begun = sum(">" in line or "~" in line for line in logs[0])
    return all(log == logs[0] for log in logs) and begun == sum("!" in line for line in logs[0])


async def _look(history: History, table: list[_Writer]) -> None:
    """Write down what everybody sees in the end, and what somebody does who comes then."""
    async with connect(table[0].room._url) as fresh:

        def seen() -> bool:
            """Whether they know of who has just come: a seat more, where rooms have seats."""
            seats = fresh.context.get("seats")
            return all(writer.room.context.get("seats") == seats for writer in table)

        await within(SETTLED_WITHIN, "everybody sees who has come to look", seen)
        for writer in table:
            history.holds(writer.name, writer.room.context, {**fresh.context, **_own(writer)})
        history.ended(fresh.context["life"], fresh.context["log"], fresh.now())


def _own(writer: _Writer) -> dict[str, Any]:
    """What only this one sees."""
    return {name: writer.room.context[name] for name in ("secret",) if name in writer.room.context}


# -------------------------------------------------------------------------------- a game


class Guest:
    """One who plays a game to its end, or only watches; `roams`: and reconnects now and then."""

    def __init__(self, url: str, where: str, n: int, *, plays: bool, roams: bool = True) -> None:
        watch = {} if plays else {"watch": "1"}
        self.room = connect(f"{url}/rooms/{where}", params=watch)
        self.name = f"Player {n}"
        self.plays = plays
        self._roams = roams
        self.answers: dict[str, Any] = {}
        """By question: what was accepted."""
        self.dues: dict[tuple[Any, ...], set[int]] = {}
        """By place in the game: when it was said to end."""
        self.room.subscribe(self._seen)

    def _seen(self, room: Room) -> None:
        timer, round = room.context["timer"], room.context.get("round") or {}
        place = (str(room.value), round.get("chapter"), round.get("number"))
        if timer is not None and timer["due"] is not None:
            self.dues.setdefault(place, set()).add(timer["due"])

    def over(self) -> bool:
        """Whether the game is."""
        return bool(self.room.view and self.room.value == "ranking")

    async def play(self, dice: random.Random, table: int) -> None:
        """Join a table of so many, answer every question, until the ranking."""
        room = self.room
        if self.plays:
            await self._say({"type": "join", "name": self.name})
            await room.wait_for(lambda room: len(room.context["players"]) >= table, timeout=60_000)
            await self._say({"type": "ready"})  # once all are there: a newcomer stops the countdown
        while not self.over():
            if self._roams and dice.random() < 0.02:
                room.reconnect()
            asked = room.context.get("question") if room.view else None
            if self.plays and asked is not None and asked["id"] not in self.answers:
                value = _answer(asked, dice)
                said = await room.send({"type": "answer", "value": value})
                if said.outcome == "accepted":
                    self.answers[asked["id"]] = value
                    await room.send({"type": "confirm"})
            await moment()

    async def _say(self, event: dict[str, Any]) -> None:
        outcome = await self.room.send(event)
        assert outcome.outcome == "accepted", (event, outcome)


def _answer(asked: dict[str, Any], dice: random.Random) -> Any:
    options = asked["options"]
    match asked["type"]:
        case "text":
            return f"guess {dice.randrange(1000)}"
        case "checkboxes":
            return dice.sample(options, dice.randint(1, len(options)))
        case "sortable":
            return dice.sample(options, len(options))
        case _:
            return dice.choice(options)


async def game(
    url: str,
    kind: str,
    players: int,
    watch: int,
    strike: Strike,
    times: int,
    dice: random.Random,
) -> None:
    """A game of trivia; nobody's answer is lost, no countdown begins anew, all see one ending."""
    where = f"{kind}/endured"
    guests = [Guest(url, where, n, plays=n < players) for n in range(players + watch)]
    playing = [asyncio.ensure_future(guest.play(dice, players)) for guest in guests]
    asks = {"quick": 2, "long": 10}[kind]
    whole = 1 + 3 * asks  # the countdown; of each question to prepare, to answer, and its recap

    def done() -> float:
        if all(guest.over() for guest in guests):
            return 1  # a place that passed while no server was up was seen by nobody
        return len({place for guest in guests for place in guest.dues}) / whole

    await struck(strike, times, playing, done)
    await asyncio.wait_for(asyncio.gather(*playing), SETTLED_WITHIN)
    await judged(guests)


async def judged(guests: list[Guest]) -> None:
    """What must be so when a game is over; then everybody leaves."""
    first = guests[0].room
    await within(60, "all see one ranking", lambda: _same(guests, first.context["ranking"]))
    review = {entry["id"]: entry["results"] for entry in first.context["review"]}
    seats = {player["name"]: id for id, player in first.context["players"].items()}
    scores = {id: player["score"] for id, player in first.context["players"].items()}
    for guest in guests:
        for question, value in guest.answers.items():
            assert review[question][seats[guest.name]]["value"] == value, (guest.name, question)
        if guest.plays:
            mine = (results.get(seats[guest.name], {}) for results in review.values())
            points = sum(result.get("points", 0) for result in mine)
            assert abs(points - scores[seats[guest.name]]) < 0.01, (guest.name, points, scores)
        for place, dues in guest.dues.items():
            assert len(dues) == 1, f"{place} was to end at {sorted(dues)}"
        async with connect(guest.room._url, token=guest.room.token) as again:
            same = partial(_same_view, again, guest.room)  # of who has just come back, too
            await within(60, f"{guest.name} sees the same once more", same)
    for guest in guests:
        guest.room.close()
    await asyncio.gather(*(guest.room.wait_closed() for guest in guests))


def _same_view(one: Room, other: Room) -> bool:
    return one.view == other.view


def _same(guests: list[Guest], ranking: Any) -> bool:
    return all(guest.room.context["ranking"] == ranking for guest in guests)


# -------------------------------------------------------------------------------- a sleeper


async def dream(server: Server, times: int) -> int:
    """A room that is put to sleep and woken so many times; what is stored of it, and what it shows
    when it wakes, stay the same bit by bit, though it is changed and changed back now and then.
    Returns how many bytes that is.
    """
    file, where = server.folder / "rooms.db", "dream/endured"
    operator = Remote(server.url, read_secret(file)).headers()
    async with httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as http:

        async def turn() -> None:
            answer = (await http.post(f"/rooms/{where}", json={"type": "turn"})).json()
            assert answer["outcome"] == "accepted", answer

        async def view() -> str:
            return _text((await http.get(f"/rooms/{where}")).json()["view"])

        async def asleep() -> str:
            loop = asyncio.get_running_loop()
            end = loop.time() + 30
            while True:
                stored = (await http.get(f"/rooms/-/sessions/{where}", headers=operator)).json()
                if not stored["live"]:
                    return _text(stored["snapshot"])
                assert loop.time() < end, "it isn't asleep within 30 s"
                await moment()

        for _ in range(2):
            await turn()
        shown, kept, begun = await view(), await asleep(), _epoch(file, where)
        for wake in range(times):
            if wake % 10 == 5:
                await turn()
                assert await asleep() != kept
                await turn()
                assert await asleep() == kept, f"after {wake} wakes and two turns"
            assert await view() == shown, f"after {wake} wakes"
            assert await asleep() == kept, f"after {wake} wakes"
    assert _epoch(file, where) - begun >= times
    return len(kept)


def _text(value: Any) -> str:
    """What tells apart all that JSON does, the order of keys too."""
    return json.dumps(value)


def _epoch(file: Path, where: str) -> int:
    """Which of the store's acquisitions gave this session its last room."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        statement = "SELECT epoch FROM sessions WHERE kind = ? AND session = ?"
        return int(db.execute(statement, where.split("/")).fetchone()[0])


# -------------------------------------------------------------------------------- the command


async def main() -> int:
    """Everything, at full size."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.endurance", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--each", type=int, default=100, help="events of each client")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--wakes", type=int, default=1_000, help="of the room that sleeps")
    parser.add_argument("--only", choices=["kills", "sleep"])
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder, running(APP, Path(folder)) as server:
        if asked.only != "kills":
            size_kept = await _timed(f"{asked.wakes} wakes", dream(server, asked.wakes))
            print(f"  of a state of {size_kept:,} bytes")  # noqa: T201
        if asked.only == "sleep":
            return 0
        strikes = (restarting(server), int(asked.kills), dice)
        size = (int(asked.clients), int(asked.each), *strikes)
        total = await _timed("a counter", count(server.url, *size))
        print(f"  the sum is {total}")  # noqa: T201
        for kind in ("ledger", "table"):
            for violation in await _timed(f"a log, {kind}", log(server.url, kind, *size)):
                print(f"  {violation}")  # noqa: T201
                return 1
        players = min(12, int(asked.clients))
        watch = int(asked.clients) - players
        await _timed("trivia", game(server.url, "long", players, watch, *strikes))
    return 0


async def _timed(what: str, work: Awaitable[Any]) -> Any:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    result = await work
    print(f"{what}: kept, in {loop.time() - begun:.0f} s")  # noqa: T201
    return result


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
