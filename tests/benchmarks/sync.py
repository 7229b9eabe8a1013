"""What it costs to tell everybody: the step of a view, and its way to 1,000 connections.

    python -m tests.benchmarks.sync [seconds per figure]

A step: one field changes among 10 players of 20 fields, or among 100; the old and the new view
share what didn't change, as machines leave them. "Rebuilt" views share nothing, as an author's
function may make them. A fan-out: 1,000 connections watch through 1, 10 or 1,000 view keys, the
change is in each of their views, and what is counted ends with the bytes for the link. The best of
five rounds; JSON where nothing else is said.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from rooms.sync import messages
from rooms.sync.codec import Codec, encode
from rooms.sync.diff import apply, diff
from rooms.sync.fanout import Fanout

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
ROUNDS = 5


def cost(run: Callable[[], object]) -> float:
    """Microseconds a call, the best round."""
    best, count = float("inf"), 1
    deadline = time.perf_counter() + SECONDS
    for number in itertools.count():
        began = time.perf_counter()
        for _ in range(count):
            run()
        took = time.perf_counter() - began
        best = min(best, took / count)
        count = max(1, int(SECONDS / ROUNDS / best))
        if number >= ROUNDS and time.perf_counter() > deadline:
            return best * 1e6
    raise AssertionError


def game(players: int) -> dict[str, Any]:
    """A view with that many players of 20 fields."""
    everybody = {f"player-{i}": {f"field{j}": i * j for j in range(20)} for i in range(players)}
    return {"value": "playing", "status": "active", "context": {"players": everybody, "round": 3}}


def scored(view: dict[str, Any], player: str, score: int) -> dict[str, Any]:
    """The view with one field of one player changed, and all else shared."""
    players = view["context"]["players"]
    changed = {**players, player: {**players[player], "field3": score}}
    return {**view, "context": {**view["context"], "players": changed}}


def show(what: str, us: float, more: str = "") -> None:
    print(f"{what:<52}{us:>9.1f} µs  {more}")


def steps(players: int) -> None:
    old = game(players)
    new = scored(old, "player-5", 99)
    rebuilt = json.loads(json.dumps(new))
    ops = diff(old, new)
    patch = messages.patch("aB3dE5gH.12", "aB3dE5gH.13", ops)
    show(f"diff, 1 of {players} × 20 fields", cost(lambda: diff(old, new)))
    show("  rebuilt", cost(lambda: diff(old, rebuilt)))
    show("apply", cost(lambda: apply(old, ops)))
    for codec in get_args(Codec):
        for what, message in [("patch", patch), ("whole view", old)]:
            us = cost(partial(encode, message, codec))
            show(f"encode the {what}, {codec}", us, f"{len(encode(message, codec))} bytes")


def log() -> None:
    old = [{"id": f"m{i}", "text": "hello"} for i in range(100)]
    new = [*old[1:], {"id": "m100", "text": "hello"}]
    rebuilt = json.loads(json.dumps(new))
    more = f"{len(encode(diff(old, new), 'json'))} bytes"
    show("diff, a list of 100 that lost its first and got one", cost(lambda: diff(old, new)), more)
    show("  rebuilt", cost(lambda: diff(old, rebuilt)))


def fanout(keys: int) -> None:
    room = Fanout("nonce", None, itertools.count(1))
    base = game(10)
    for channel in range(1000):
        room.attach(channel, "json", channel % keys, base, None, 0)
    views = itertools.cycle([scored(base, "player-5", 1), scored(base, "player-5", 2)])

    def change() -> None:
        view = next(views)
        told = room.update(lambda key: view, 0, fail)
        assert len(told) == keys

    us = cost(change)
    show(f"fan-out to 1,000 connections by {keys} view keys", us, f"{us / keys:.1f} µs a key")


def fail(key: Hashable, error: Exception) -> None:
    raise error


if __name__ == "__main__":
    steps(10)
    steps(100)
    log()
    for number in (1, 10, 1000):
        fanout(number)
