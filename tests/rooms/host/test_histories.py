"""Random histories: players who reconnect and repeat, a store that fails and lies, crashes, sleep.

Whatever happens, in the end: every numbered event has happened exactly once, in its client's order;
nothing that was acknowledged is missing; everybody sees what is stored. A failing seed stays here
as a test of its own.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from rooms.definition import Room
from rooms.sync.messages import MAX_UNANSWERED
from rooms.sync.views import everything
from runtime import assign, create_machine
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from tests.rooms.host.stage import Tab

SEEDS = 60
PLAYERS = 3
STEPS = 60


def _write(args: Any, params: Any) -> dict[str, Any]:
    line = f"{args.event['who']}:{args.event['n']}"
    return {"log": [*args.context["log"], line]}


class Log(Room):
    """It writes down each event, and one of three only where the number is even."""

    view = everything
    machine = create_machine(
        {
            "id": "log",
            "context": {"log": []},
            "on": {
                "write": {"actions": assign(_write)},
                "even": {
                    "guard": lambda args, params: args.event["n"] % 2 == 0,
                    "actions": assign(_write),
                },
            },
        }
    )


class Player:
    """A façade's behaviour: numbers, keeps what is unanswered, says it again after `room.you`."""

    def __init__(self, on: Stage, name: str) -> None:
        self.on = on
        self.name = name
        self.next = 1
        self.unanswered: dict[int, dict[str, Any]] = {}
        self.outcomes: dict[int, str] = {}
        self.tab: Tab | None = None
        self.client = f"client-of-{name}"

    async def connect(self, *, leaving: bool = True) -> None:
        cursor, view = None, None
        if self.tab is not None:
            cursor, view = self.tab.cursor, self.tab.view
            if self.tab.closing is None and leaving:
                await self.tab.leave()
        self.tab = await self.on.connect(
            self.name, "log/x", client=self.client, cursor=cursor, view=view
        )
        self.read()
        for seq, event in sorted(self.unanswered.items()):
            self.put(seq, event)

    def put(self, seq: int, event: dict[str, Any]) -> None:
        assert self.tab is not None
        if self.tab.closing is None:
            acked = min(self.unanswered, default=self.next) - 1
            self.tab.put({"type": "room.send", "seq": seq, "event": event, "acked": acked})

    def send(self, type: str) -> None:
        if self.next - min(self.unanswered, default=self.next) >= MAX_UNANSWERED:
            return
        event = {"type": type, "who": self.name, "n": self.next}
        self.unanswered[self.next] = event
        self.next += 1
        self.put(self.next - 1, event)

    def read(self) -> None:
        """Take in what was told; an outcome that came before stays what it was."""
        assert self.tab is not None
        for message in self.tab.took():
            if message["type"] == "room.outcome":
                seq, word = message["seq"], message["outcome"]
                assert self.outcomes.setdefault(seq, word) == word
                self.unanswered.pop(seq, None)
            elif message["type"] == "room.resend":
                for seq, event in sorted(self.unanswered.items()):
                    if seq >= message["from"]:
                        self.put(seq, event)


async def play(seed: int) -> None:
    dice = random.Random(seed)
    on = await Stage(log=Log).start()
    players = [Player(on, f"p{number}") for number in range(PLAYERS)]
    for player in players:
        await player.connect()
    slow: list[ExitStack] = []
    for _ in range(STEPS):
        player = dice.choice(players)
        match dice.choices(
            [
                "send",
                "reconnect",
                "take over",
                "slow",
                "fail",
                "lie",
                "crash",
                "restart",
                "sleep",
                "",
            ],
            [40, 5, 3, 6, 3, 3, 2, 1, 2, 6],
        ):
            case ["send"]:
                for _ in range(dice.randint(1, 5)):
                    player.send(dice.choice(["write", "write", "even"]))
                if dice.random() < 0.5:
                    await on.settle()
            case ["reconnect"]:
                await player.connect()
            case ["take over"]:
                await player.connect(leaving=False)
            case ["slow"]:
                if slow:
                    slow.pop().close()
                else:
                    slow.append(ExitStack())
                    method = dice.choice(["commit_many", "acquire", "release"])
                    slow[0].enter_context(on.store.holding(method))
            case ["fail"]:
                on.store.fail_next(written=False)
            case ["lie"]:
                on.store.fail_next(written=True)
            case ["crash"]:
                slow.clear()
                await on.crash()
            case ["restart"] if not slow:
                await on.restart()
            case ["sleep"]:
                await on.advance(20_000)
            case _:
                await on.advance(dice.randint(1, 3_000))
        for one in players:
            one.read()
            if one.tab is not None and one.tab.closing is not None:
                await one.connect()
    for late in slow:
        late.close()
    await check(on, players)


async def check(on: Stage, players: list[Player]) -> None:
    for _ in range(20):
        await on.advance(3_000)
        for player in players:
            if player.tab is None or player.tab.closing is not None:
                await player.connect()
            player.read()
    log: list[str] = (await on.stored("log/x"))["context"]["log"]
    for player in players:
        assert not player.unanswered, "every event has its outcome"
        assert sorted(player.outcomes) == list(range(1, player.next))
        accepted = [seq for seq, word in sorted(player.outcomes.items()) if word == "accepted"]
        assert [line for line in log if line.startswith(player.name)] == [
            f"{player.name}:{seq}" for seq in accepted
        ]
        assert player.tab is not None
        assert player.tab.view["context"]["log"] == log


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_whatever_happens_each_event_happens_once(seed: int) -> None:  # [SEND2] [STORE3]
    await play(seed)
