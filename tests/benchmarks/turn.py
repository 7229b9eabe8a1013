"""Where the time of a turn goes: one event, stage by stage.

    python -m tests.benchmarks.turn [seconds a figure]

Each stage is run by itself on the values that the stage before it left, as
`tests/test_one_event.py` walks them: its microseconds, and its share. The last column is a whole
turn's work in a host without sockets, many events a turn: mailbox, gate and link are in it, and the
view, its diff and its encoding are made once for all of a turn. The ratio's peer is the least that
any server of this kind does: parse the event, change a dict, write the whole state and the event's
outcome as JSON.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from rooms.definition import Room
from rooms.host import door, record
from rooms.host.clock import elapsed
from rooms.host.kinds import kind
from rooms.host.marks import ACCEPTED, Marks
from rooms.store import open_store
from rooms.sync import codec, messages
from rooms.sync.diff import diff
from rooms.sync.views import Viewer, everything
from runtime import System, assign, setup
from tests.benchmarks.levels import Timed
from tests.benchmarks.sync import cost

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_800_000_000_000
SAID = b'{"type":"room.send","seq":1,"event":{"type":"score"}}'


class _Stage(NamedTuple):
    name: str
    run: Callable[[], object]


def game(players: int) -> type[Room]:
    """A kind with so many players of ten fields, one of whom an event scores."""

    def score(args: Any, params: Any) -> Any:
        everybody = args.context["players"]
        one = everybody["p0"]
        return {"players": {**everybody, "p0": {**one, "f3": one["f3"] + 1}}}

    everybody = {f"p{n}": {f"f{field}": n for field in range(10)} for n in range(players)}
    machine = setup(actions={"score": assign(score)}).create_machine(
        {"id": "game", "context": {"players": everybody}, "on": {"score": {"actions": "score"}}}
    )
    options = {"machine": machine, "view": staticmethod(everything), "sleep_after": 600_000}
    return type("Game", (Room,), {**options, "durability": "memory"})


def stages(room_kind: type[Room]) -> list[_Stage]:
    """The stages of one event in such a room."""
    room, ann = room_kind("game", "x"), Viewer("ann")
    validate = kind("game", room_kind).validate
    system = System(room.machine)
    before = system.initial(now=NOW, seed=1).snapshot
    event = {"type": "score"}
    stamped = {**event, "sender": "ann"}
    step = system.step(before, stamped, now=NOW)
    assert step.taken
    old, new = room.view(before.root, ann), room.view(step.snapshot.root, ann)
    ops = diff(old, new)
    marks, known = Marks({}), system.share(before)

    def store() -> object:
        marks.settle("ann\x00client", 1, ACCEPTED, NOW)
        return record.dump_shared(system.share(step.snapshot), known), marks.changes()

    def encode() -> object:
        told = codec.encode(messages.patch("nonce123.0", "nonce123.1", ops), "json")
        return told, codec.encode(messages.outcome(1, "accepted", "nonce123.1"), "json")

    return [
        _Stage("parse", lambda: messages.read(codec.decode(SAID, "json"))),
        _Stage("validate", lambda: door.judge(room, ann, event, None, before.root, validate)),
        _Stage("transition", lambda: system.step(before, stamped, now=NOW)),
        _Stage("commit", store),
        _Stage("view", lambda: room.view(step.snapshot.root, ann)),
        _Stage("diff", lambda: diff(old, new)),
        _Stage("encode", encode),
    ]


def least(room_kind: type[Room]) -> Callable[[], object]:
    """What has to be done in any case."""
    first = System(room_kind.machine).initial(now=NOW, seed=1).snapshot
    state = {"players": dict(first.root.context["players"])}

    def run() -> object:
        event = orjson.loads(SAID)["event"]
        one = state["players"]["p0"]
        state["players"] = {**state["players"], "p0": {**one, "f3": one["f3"] + 1}}
        return orjson.dumps(state), orjson.dumps({"outcome": "accepted", **event})

    return run


async def whole(room_kind: type[Room]) -> float:
    """Microseconds of this process's work for one event in a host; level `memory`."""
    store = await open_store("memory:", now=lambda: int(time.time() * 1000), elapsed=elapsed)
    bench = Timed(store, room_kind)
    await bench.start()
    bench.event = "score"
    channels = [bench.attach("x") for _ in range(16)]
    await bench.run(channels, 0.2)
    worked = time.process_time()
    await bench.run(channels, 1.0)
    worked = time.process_time() - worked
    await bench.host.drain()
    return worked / len(bench.took) * 1e6


async def main() -> None:
    """One table."""
    names: list[str] = []
    for players in (1, 16, 100):
        room_kind = game(players)
        costs = {stage.name: cost(stage.run) for stage in stages(room_kind)}
        if not names:
            names = list(costs)
            print(
                "µs an event   " + "".join(f"{name:>14}" for name in [*names, "sum", "in a host"])
            )
        total, host, bare = sum(costs.values()), await whole(room_kind), cost(least(room_kind))
        cells = "".join(f"{each:8.1f} {each / total:4.0%}" for each in costs.values())
        print(
            f"{players:4} players  {cells}{total:14.1f}{host:14.1f}   {total / bare:.1f}× the least"
        )


if __name__ == "__main__":
    asyncio.run(main())
