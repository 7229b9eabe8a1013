"""The prover finds what gives a secret away, however it does, and says when it proved nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client import connect
from examples.counter.counter import app as counter
from rooms import App, UsageError, Viewer, count, everything, own, policy, reply, shown
from rooms.definition import Room
from rooms.errors import Leak
from rooms.sync.backlog import Backlog, Step
from rooms.sync.diff import diff
from rooms.sync.views import show
from rooms.testing import prove_no_leak, served
from runtime import assign, emit, setup

if TYPE_CHECKING:
    from pathlib import Path

    from rooms.testing import Player


def context_of(args: Any) -> dict[str, Any]:
    """A deck that is secret, a hand for everybody who drew, and what all may know."""
    return {"deck": args.input, "hands": {}, "drawn": 0, "shuffles": 0}


def draw(args: Any, params: Any) -> dict[str, Any]:
    card, *rest = args.context["deck"]
    hands = args.context["hands"]
    mine = [*hands.get(args.event["sender"], ()), card]
    return {
        "deck": rest,
        "hands": {**hands, args.event["sender"]: mine},
        "drawn": args.context["drawn"] + 1,
    }


def shuffle(args: Any, params: Any) -> dict[str, Any]:
    """Only what is hidden changes, and how often depends on the secret."""
    top = args.context["deck"][0] if args.context["deck"] else 0
    return {"shuffles": args.context["shuffles"] + top}


MACHINE = setup(
    actions={
        "draw": assign(draw),
        "shuffle": assign(shuffle),
        "answer": reply(lambda args, params: args.context["deck"][:1]),
        "shout": emit(lambda args, params: {"type": "top", "card": args.context["deck"][:1]}),
    },
    guards={
        "any": lambda args, params: bool(args.context["deck"]),
        "low": lambda args, params: args.context["deck"][:1] < [5],
    },
    delays={"top": lambda args, params: 100 * (args.context["deck"] or [1])[0]},
).create_machine(
    {
        "id": "cards",
        "context": context_of,
        "initial": "play",
        "states": {
            "play": {
                "on": {
                    "draw": {"guard": "any", "actions": "draw"},
                    "shuffle": {"actions": "shuffle"},
                    "peek": {"guard": "low", "actions": "shuffle"},
                    "ask": {"actions": ["shuffle", "answer"]},
                    "shout": {"actions": ["shuffle", "shout"]},
                    "think": "thinking",
                }
            },
            "thinking": {"after": {"top": "play"}},
        },
    }
)


class Cards(Room):
    """Everybody knows how many cards each has, and only their own."""

    machine = MACHINE
    view = policy(
        {"value status context.drawn": shown, "context.deck": count, "context.hands.*": own | count}
    )


DECKS = ([1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1])
PLAYS = [{"type": "draw"}, {"type": "shuffle"}]


def prove(kind: Any, *types: str, **more: Any) -> None:
    """Ann draws and knows; the others watch, and send the rest."""

    def plays(player: Player) -> Any:
        type = player.chance.choice(["draw", "shuffle", *types])
        return {"type": type} if player.viewer.id == "ann" or type != "draw" else None

    given = {"secrets": DECKS, "plays": plays, "knows": ["ann"], "runs": 5, **more}
    prove_no_leak(kind, **given)


def test_a_view_that_hides_the_secret_is_proved() -> None:  # [VIEW4]
    prove(Cards)


def test_what_several_say_at_one_moment_is_read_too(caplog: pytest.LogCaptureFixture) -> None:
    class Lively(Cards):
        volatile = ("wave",)

    prove(Lively, "wave", "wave", "wave")
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_whose_secret_it_is_may_know() -> None:
    with pytest.raises(Leak, match="ann can tell the secrets apart"):
        prove(Cards, knows=[])


def test_a_view_that_shows_too_much() -> None:
    class Open(Cards):
        view = everything

    with pytest.raises(Leak) as caught:
        prove(Open)
    assert caught.value.viewer == "bob"
    assert caught.value.run == 0
    assert caught.value.place == 1, "the first view, right after room.you"
    assert '"deck":[1' in str(caught.value)


def test_the_play_that_leaks_can_be_played_again() -> None:
    def plays(player: Player) -> Any:
        return {"type": player.chance.choice(["draw"] + ["shuffle"] * 40)}

    class Late(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            drawn = snapshot.context["drawn"]
            return show(snapshot, context={"deck": snapshot.context["deck"]} if drawn > 2 else {})

    with pytest.raises(Leak) as caught:
        prove_no_leak(Late, secrets=DECKS, plays=plays)
    assert caught.value.run > 0
    with pytest.raises(Leak) as again:
        prove_no_leak(Late, secrets=DECKS, plays=plays, seed=caught.value.run, runs=1)
    assert str(again.value) == str(caught.value)


def test_a_number_that_follows_from_the_secret() -> None:
    class Long(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot, context={"long": sum(snapshot.context["deck"]) > 12})

    with pytest.raises(Leak):
        prove(Long)


def test_the_order_of_keys_counts() -> None:
    class Ordered(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot, context={f"k{n}": 1 for n in snapshot.context["deck"]})

    with pytest.raises(Leak):
        prove_no_leak(Ordered, secrets=DECKS, plays=[{"type": "shuffle"}], runs=1)


def test_a_view_key_that_follows_from_the_secret() -> None:
    class Keyed(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot)

        def view_key(self, snapshot: Any, viewer: Viewer) -> Any:
            return snapshot.context["shuffles"] > 8

    with pytest.raises(Leak):
        prove(Keyed)


@pytest.mark.parametrize(
    "type",
    [
        "peek",  # whether an event is accepted or ignored
        "ask",  # its result
        "shout",  # an emitted event
        "think",  # when something happens
    ],
)
def test_what_no_view_shows_gives_it_away(type: str) -> None:
    with pytest.raises(Leak):
        prove(Cards, type)


class Pausing(Room):
    """A pause as long as the secret, once, and no word of it."""

    machine = setup(delays={"secret": lambda args, params: args.context["ms"]}).create_machine(
        {
            "context": lambda args: {"ms": args.input},
            "initial": "idle",
            "states": {
                "idle": {"on": {"think": "thinking"}},
                "thinking": {"after": {"secret": "rested"}},
                "rested": {},
            },
        }
    )
    view = policy({"value": shown})


def think(player: Player) -> Any:
    return {"type": "think"} if player.view["value"] == "idle" else None


@pytest.mark.parametrize(("secrets", "told"), [((5, 6), "rested"), ((5, 10_000_000), "nothing")])
def test_the_same_at_another_time_or_not_at_all(secrets: Any, told: str) -> None:
    with pytest.raises(Leak) as caught:
        prove_no_leak(
            Pausing, secrets=secrets, plays=think, viewers=["ann"], seed=8, runs=1, steps=3
        )
    one, other = str(caught.value).splitlines()[1:]
    assert "rested" in one
    assert told in other
    if told == "rested":
        assert one.split(" ms ")[1] == other.split(" ms ")[1], "nothing but the time differs"


def test_why_somebody_is_sent_away_counts() -> None:
    class Closed(Cards):
        def allow_join(self, viewer: Viewer, snapshot: Any) -> bool | str:
            return viewer.id == "ann" or f"the deck is {snapshot.context['deck']}"

    with pytest.raises(Leak, match=r"(?s)bob can tell.*the deck is"):
        prove(Closed)


def unfiltered(self: Backlog, view: Any) -> Step:
    """A diff of all that changed, filtered then: a step for each change, be there nothing left."""
    ops = diff(self.view, view)
    base, self.view = self.cursor, view
    self._steps.append(Step(base, ops))
    self._sizes.append(0)
    self._number += 1
    self.cursor = f"{self._name}.{self._number}"
    return self._steps[-1]


def counting(self: Backlog, view: Any) -> Step | None:
    """Numbers of the room, not of the view: gaps tell what wasn't seen."""
    before = self.view
    step = unfiltered(self, view)
    if diff(before, view):
        return step
    self._steps.pop()
    self._sizes.pop()
    return None


@pytest.mark.parametrize("mutant", [unfiltered, counting])
def test_views_that_are_diffed_before_they_are_filtered(  # [VIEW4] [VIEW5]
    mutant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plays(player: Player) -> Any:
        return {"type": player.chance.choice(["draw", "peek" if player.knows else "draw"])}

    everybody: dict[str, Any] = {
        "secrets": DECKS,
        "plays": plays,
        "knows": ["ann"],
        "viewers": ["ann", "eve"],
    }

    class Table(Cards):
        view = policy({"value status context.drawn": shown})

    prove_no_leak(Table, **everybody, runs=5)
    monkeypatch.setattr(Backlog, "step", mutant)
    with pytest.raises(Leak):
        prove_no_leak(Table, **everybody, runs=5)


def test_a_secret_that_comes_out_rightly() -> None:
    class Finished(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            context = snapshot.context
            over = {"deck": context["deck"]} if context["drawn"] == 3 else {}
            return show(snapshot, context={"drawn": context["drawn"], **over})

    prove_no_leak(
        Finished,
        secrets=DECKS,
        plays=PLAYS,
        until=lambda view: view["context"]["drawn"] == 3,
    )
    with pytest.raises(Leak):
        prove_no_leak(
            Finished,
            secrets=DECKS,
            plays=PLAYS,
            until=lambda view: view["context"]["drawn"] == 4,
        )


def test_when_it_comes_out_counts() -> None:
    class Sudden(Cards):
        def view(self, snapshot: Any, viewer: Viewer) -> Any:
            return show(snapshot, context={"over": snapshot.context["shuffles"] > 8})

    with pytest.raises(Leak, match="until"):
        prove_no_leak(
            Sudden,
            secrets=DECKS,
            plays=PLAYS,
            until=lambda view: view["context"]["over"],
        )


def test_secrets_of_any_kind() -> None:
    """A function makes the room of a secret, where it isn't the machine's input."""

    def made(secret: list[int]) -> type[Room]:
        class Made(Cards):
            def input(self) -> Any:
                return secret

            @classmethod
            async def authenticate(cls, door: Any) -> None:
                """Nobody gets in; but in a play people are whom it says."""

        return Made

    prove(made)


def test_those_who_know_have_the_secret_to_play_by() -> None:
    seen: list[Any] = []

    def plays(player: Player) -> Any:
        seen.append((player.viewer.id, player.secret))
        return {"type": "shuffle" if player.view["status"] == "active" else "draw"}

    prove_no_leak(Cards, secrets=DECKS, plays=plays, knows=["ann"], viewers=["ann", "bob"], runs=1)
    assert ("ann", DECKS[0]) in seen
    assert ("ann", DECKS[1]) in seen
    assert {secret for who, secret in seen if who == "bob"} == {None}


def test_nothing_is_proved_by_secrets_that_make_no_difference() -> None:
    with pytest.raises(UsageError, match="made no difference"):
        prove(Cards, secrets=[DECKS[0], list(DECKS[0])])


def test_nothing_is_proved_by_plays_that_do_nothing() -> None:
    with pytest.raises(UsageError, match="no event of these plays was ever accepted"):
        prove_no_leak(Cards, secrets=DECKS, plays=[{"type": "unknown"}], runs=2)


def test_nothing_is_proved_with_one_secret_or_nobody_to_keep_it_from() -> None:
    with pytest.raises(UsageError, match="two secrets"):
        prove(Cards, secrets=DECKS[:1])
    with pytest.raises(UsageError, match="everybody knows"):
        prove(Cards, viewers=["ann"])


async def test_it_runs_a_loop_of_its_own() -> None:
    with pytest.raises(UsageError, match="call it from a `def`"):
        prove(Cards)


async def test_an_app_is_served_within_a_test_and_goes_on_in_the_next(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/rooms.db"
    async with served(counter, store=store) as url, connect(f"{url}/rooms/counter/a") as room:
        await room.send({"type": "increment"})
    async with served(counter, store=store) as url, connect(f"{url}/rooms/counter/a") as room:
        assert room.context == {"count": 1}
    async with served(counter) as url, connect(f"{url}/rooms/counter/a") as room:
        assert room.context == {"count": 0}


async def test_what_cant_be_served_says_why() -> None:
    with pytest.raises(UsageError, match="nothing:"):
        async with served(App(cards=Cards), store="nothing:"):
            """Never comes here."""
