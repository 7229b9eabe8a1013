"""Rules 12 and 13: who may see what, and who may send what."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from examples.trivia.app import Trivia, app
from examples.trivia.permissions import FIELDS
from examples.trivia.questions import QUESTIONS
from examples.trivia.view import SPECTATOR
from rooms.definition import Door
from rooms.sync.views import Viewer
from tests.examples.table import Table, right, wrong

PLAYERS = ("ann", "bob", "cat")


def secret(viewer: str, question: str = "it") -> str:
    """A free answer that nobody else would give."""
    return f"{viewer}'s secret on {question}"


def check_hidden(table: Table) -> None:
    """What nobody may see now is in no view."""
    context = table.context
    asks = [[ask["question"] for ask in chapter["asks"]] for chapter in context["chapters"]]
    before = [id for chapter in asks[: context["chapter"]] for id in chapter]
    in_recap = table.matches({"game": "recap"})
    told = before + (asks[context["chapter"]][: context["ask"] + 1] if in_recap else [])
    shown = [*told, *([table.question.id] if context["takers"] is not None else [])]
    for viewer, role in [*((name, "player") for name in PLAYERS), ("eve", SPECTATOR)]:
        seen = table.sees(viewer, role)
        seen["context"].pop("answer", None)  # one's own
        text = json.dumps(seen)
        options = (seen["context"].get("question") or {}).get("options", [])
        for question in (QUESTIONS[id] for chapter in asks for id in chapter):
            if question.id not in shown:
                assert json.dumps(question.prompt) not in text
            if question.id in told:
                continue
            for word in set(question.answers).difference(options):
                assert json.dumps(word) not in text
            if question.answers:
                assert json.dumps(list(question.answers)) not in text
            for name in PLAYERS:
                assert json.dumps(secret(name, question.id)) not in text


@pytest.mark.parametrize("seed", range(6))
def test_nothing_shows_before_its_time(seed: int) -> None:  # rule 12
    """Whole games of random play; after every step every view is looked through."""
    chance = random.Random(seed)
    table = Table(categories=4, questions=4, seed=seed)
    table.join(*PLAYERS)
    table.begin(*PLAYERS)
    phases = set()
    while table.phase != "ranking":
        check_hidden(table)
        phases.add(table.phase)
        who = chance.choice(PLAYERS)
        question = table.question
        value = secret(who, question.id) if question.type == "text" else right(question)
        do = chance.choice(["answer", "confirm", "confirm", "pause", "resume", "next", "wait"])
        match do:
            case "answer" | "confirm":
                table.send(who, do, value=value)
            case "wait" if table.phase != "paused":
                table.advance(chance.choice([1000, table.left]))
            case "pause" if chance.random() < 0.7:
                pass
            case _:
                table.send(who, do)
    assert phases == {"prepare", "answering", "paused", "item"}


def opened(type: str = "text") -> Table:
    table = Table(categories=10, questions=12)
    table.join(*PLAYERS)
    table.begin(*PLAYERS)
    table.open(type)
    return table


def test_everybody_sees_who_has_confirmed_and_not_what() -> None:  # rule 12
    table = opened()
    table.send("ann", "confirm", value=secret("ann"))
    for viewer in ("bob", "eve"):
        seen = table.sees(viewer)["context"]
        assert seen["players"][table.id("ann")]["confirmed"]
        assert not seen["players"][table.id("bob")]["confirmed"]
        assert secret("ann") not in json.dumps(seen)
    assert table.sees("ann")["context"]["answer"]["value"] == secret("ann")


def test_an_answer_being_typed_changes_nobody_elses_view() -> None:  # rule 12
    table = opened()
    before = [table.sees(viewer) for viewer in ("bob", "eve")]
    table.send("ann", "answer", value=secret("ann"))
    assert [table.sees(viewer) for viewer in ("bob", "eve")] == before


def test_points_of_a_category_wait_for_its_recap() -> None:  # rule 12
    table = Table(categories=2, questions=3)
    table.join("ann", "bob")
    table.begin("ann", "bob")
    scores = []
    while table.matches({"game": "round"}):
        question = table.open()
        table.send("ann", "confirm", value=right(question))
        table.send("bob", "confirm", value=None)
        if table.matches({"game": "round"}):
            scores.append(table.sees("bob")["context"]["players"][table.id("ann")]["score"])
    assert scores == [0, 0]
    assert table.sees("bob")["context"]["players"][table.id("ann")]["score"] > 0


def test_the_recap_shows_all_answers_of_its_question_to_all() -> None:  # rule 12
    table = opened()
    table.send("ann", "answer", value=secret("ann"))
    table.to_recap("text")
    for viewer, role in (("bob", "player"), ("eve", SPECTATOR)):
        entry = table.sees(viewer, role)["context"]["recap"]
        assert entry["results"][table.id("ann")]["value"] == secret("ann")
        assert entry["answers"] == list(table.question.answers)


def test_a_spectator_sees_what_everybody_sees() -> None:  # rule 12
    table = opened()
    table.send("ann", "answer", value=secret("ann"))
    seen = table.sees("ann")
    for own in ("me", "code", "answer"):
        seen["context"].pop(own)
    assert seen == table.sees("eve", SPECTATOR)
    assert table.sees("ann", SPECTATOR) == table.sees("eve", SPECTATOR)  # her own second screen


def test_no_view_names_a_device() -> None:
    table = Table()
    table.join("device-ann", "device-bob")
    table.begin("device-ann", "device-bob")
    table.open()
    for viewer in ("device-ann", "eve"):
        assert "device-" not in json.dumps(table.sees(viewer))


@pytest.mark.parametrize("type", FIELDS)
def test_a_spectator_can_send_nothing(type: str) -> None:  # rule 12
    assert "spectators" in str(opened().refused("eve", type, role=SPECTATOR))
    assert "spectators" in str(opened().refused("ann", type, role=SPECTATOR))


@pytest.mark.parametrize(
    "type", ["patience.over", "timer", "score", "grade", "disconnect", "done", ""]
)
def test_what_the_server_makes_no_client_can_send(type: str) -> None:  # rule 13
    assert "not for players" in str(opened().refused("ann", type))


@pytest.mark.parametrize("field", ["player", "from", "points", "viewer", "now"])
@pytest.mark.parametrize("type", ["answer", "confirm", "ready", "resume", "pause"])
def test_acting_for_another_is_refused_with_a_reason(type: str, field: str) -> None:  # rule 13
    assert "themselves" in str(opened().refused("bob", type, **{field: "p1"}))


@pytest.mark.parametrize("type", [type for type in FIELDS if type not in ("join", "claim")])
def test_who_has_no_seat_is_told_to_join(type: str) -> None:
    assert opened().refused("eve", type) == "join the game first"


def test_players_may_do_what_players_do() -> None:
    table = opened()
    assert table.refused("ann", "confirm", value="x") is None
    assert table.refused("ann", "pause") is None
    assert table.refused("ann", "vote", player="p2", correct=True) is None
    assert table.refused("eve", "join", name="Eve") is None
    assert table.refused("bob", "join", name="Bob") == "you have a seat already"


async def test_watch_in_the_link_makes_a_spectator() -> None:  # rule 12
    async def role(**params: str) -> str:
        viewer = await Trivia.authenticate(Door("trivia", "x", Viewer("ann"), params=params))
        assert viewer is not None
        return viewer.role

    assert await role(watch="") == SPECTATOR
    assert await role() == "player"


def test_the_room_asks_the_same_questions() -> None:
    table = opened()
    room, seen = Trivia("trivia", "x"), table.snapshot.root
    ann, eve = Viewer("ann"), Viewer("eve", SPECTATOR)
    assert app.kinds == {"trivia": Trivia}
    assert json.loads(json.dumps(room.view(seen, ann))) == table.sees("ann")
    assert room.view_key(seen, ann) == table.id("ann")
    assert room.view_key(seen, eve) == room.view_key(seen, Viewer("zoe")) is None
    event: dict[str, Any] = {"type": "pause", "sender": "ann"}
    assert room.allow_send(ann, event, seen) is True
    assert room.allow_send(eve, event, seen) == "spectators watch; they can't send anything"


def test_a_wrong_answer_is_no_right_one() -> None:
    """The tests' own helpers: what they call wrong is worth nothing."""
    from examples.trivia.scoring import grade

    for question in QUESTIONS.values():
        if question.type != "poll":
            assert grade(question, {"a": wrong(question), "b": right(question)}) == {
                "a": 0,
                "b": question.points,
            }
