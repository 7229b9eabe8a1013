"""Rules 6 to 10: questions, confirming, the recap and its votes, the end, pauses."""

from __future__ import annotations

import random
from typing import Any

import pytest

from examples.trivia.context import MOST
from examples.trivia.play import shuffled
from examples.trivia.questions import QUESTIONS
from tests.examples.table import Table, right, wrong


@pytest.fixture
def table() -> Table:
    """Ann, the host, and Bob in the first prepare timer of two categories with two questions."""
    table = Table()
    table.join("ann", "bob")
    table.begin("ann", "bob")
    return table


def long_game(**timing: int) -> Table:
    """One with all questions, so that every type comes."""
    table = Table(MOST["categories"], MOST["questions"], **timing)
    table.join("ann", "bob", "cat")
    table.begin("ann", "bob", "cat")
    return table


# --------------------------------------------------------------------------- a question


def test_five_seconds_to_prepare_then_the_question_with_its_own_time(table: Table) -> None:  # 6
    assert table.left == 5000
    table.advance(4999)
    assert table.phase == "prepare"
    table.advance(1)
    assert table.phase == "answering"
    assert table.left == table.question.seconds * 1000


def test_the_prepare_timer_shows_category_number_and_points_only(table: Table) -> None:  # 6
    seen = table.sees("ann")["context"]
    assert seen["question"] is None
    assert seen["round"] == {
        "category": table.question.category,
        "points": table.question.points,
        "seconds": table.question.seconds,
        "chapter": 1,
        "chapters": 2,
        "number": 1,
        "of": 2,
    }
    assert table.question.prompt not in str(seen)


def test_all_see_the_options_in_one_shuffled_order() -> None:
    table = long_game()
    question = table.open("sortable")
    shown = table.sees("ann")["context"]["question"]["options"]
    assert sorted(shown) == sorted(question.options)
    assert shown != list(question.answers)
    assert shown == table.sees("bob")["context"]["question"]["options"]


def test_a_poll_keeps_the_order_of_its_options() -> None:
    table = long_game()
    question = table.open("poll")
    assert table.sees("ann")["context"]["question"]["options"] == list(question.options)


def test_a_question_ends_when_time_is_up(table: Table) -> None:  # 7
    question = table.open()
    table.send("ann", "answer", value=right(question))
    table.advance(table.left - 1)
    assert table.phase == "answering"
    table.advance(1)
    assert table.phase == "prepare"
    assert table.context["ask"] == 1
    points = table.context["answers"][question.id][table.id("ann")]["points"]
    assert points == question.points  # what was entered counts, confirmed or not


def test_a_question_ends_when_all_have_confirmed(table: Table) -> None:  # 7
    question = table.open()
    assert table.send("ann", "confirm", value=right(question))
    assert table.phase == "answering"
    assert table.send("bob", "confirm", value=None)
    assert table.phase == "prepare"
    assert table.context["ask"] == 1


def test_confirming_locks(table: Table) -> None:  # 7
    question = table.open()
    table.send("ann", "answer", value=wrong(question))
    assert table.send("ann", "confirm")
    assert not table.send("ann", "answer", value=right(question))
    assert not table.send("ann", "confirm", value=right(question))
    assert table.sees("ann")["context"]["answer"] == {"value": wrong(question), "confirmed": True}


def test_unconfirm_is_possible_until_the_end(table: Table) -> None:  # 7
    question = table.open()
    table.send("ann", "confirm", value=wrong(question))
    assert table.send("ann", "unconfirm")
    assert table.send("ann", "confirm", value=right(question))
    table.send("bob", "confirm", value=None)
    assert not table.send("ann", "unconfirm")
    points = table.context["answers"][question.id]
    assert points[table.id("ann")]["points"] == question.points


def test_nothing_to_confirm_is_no_confirmation(table: Table) -> None:
    table.open()
    assert not table.send("ann", "confirm")
    assert not table.send("ann", "unconfirm")


def test_what_is_no_answer_is_not_taken(table: Table) -> None:
    table = long_game()
    table.open("radio")
    assert not table.send("ann", "answer", value="Narnia")
    assert not table.send("ann", "confirm", value=["Narnia"])
    assert not table.send("ann", "answer")


def test_answers_are_only_heard_while_a_question_is_open(table: Table) -> None:
    assert table.phase == "prepare"
    assert not table.send("ann", "answer", value="x")
    assert not table.send("ann", "confirm", value=None)
    table.to_recap()
    assert not table.send("ann", "answer", value="x")


def test_who_is_away_blocks_nobody(table: Table) -> None:  # 7
    table.open()
    table.send("ann", "confirm", value=None)
    table.tell("away", "bob")
    assert table.phase == "answering"
    table.advance(3000)
    assert table.phase == "prepare"


def test_a_reload_does_not_end_the_question(table: Table) -> None:  # 7, 11
    table.open()
    table.send("ann", "confirm", value=None)
    table.tell("away", "bob")
    table.advance(1000)
    table.tell("back", "bob")
    table.advance(5000)
    assert table.phase == "answering"
    assert table.send("bob", "confirm", value=None)
    assert table.phase == "prepare"


def test_nobody_there_ends_no_question(table: Table) -> None:  # 7
    table.open()
    table.tell("away", "ann")
    table.tell("away", "bob")
    table.advance(4000)
    assert table.phase == "answering"


def test_who_joins_mid_question_plays_from_the_next(table: Table) -> None:  # 7
    question = table.open()
    table.join("cat")
    assert not table.send("cat", "answer", value=right(question))
    assert "next one" in str(table.refused("cat", "confirm", value=None))
    assert not table.sees("cat")["context"]["players"][table.id("cat")]["plays"]
    table.send("ann", "confirm", value=None)
    table.send("bob", "confirm", value=None)
    assert table.phase == "prepare"  # cat wasn't waited for
    question = table.open()
    assert table.send("cat", "confirm", value=right(question))
    table.send("ann", "confirm", value=None)
    table.send("bob", "confirm", value=None)
    assert table.phase == "item"


def test_who_joins_during_prepare_plays_at_once(table: Table) -> None:
    table.join("cat")
    table.open()
    assert table.send("cat", "confirm", value=None)


# --------------------------------------------------------------------------- pause


@pytest.mark.parametrize("at", ["prepare", "answering"])
def test_any_player_pauses_and_the_time_left_is_kept_exactly(table: Table, at: str) -> None:  # 10
    if at == "answering":
        table.open()
    table.advance(1234)
    left = table.left
    assert table.send("bob", "pause")
    assert table.phase == "paused"
    timer = table.sees("ann")["context"]["timer"]
    assert (timer["due"], timer["left"]) == (None, left)
    table.advance(1_000_000)
    assert table.phase == "paused"
    table.send("ann", "resume")
    table.send("bob", "resume")
    assert table.phase == at
    assert table.left == left
    table.advance(left - 1)
    assert table.phase == at
    table.advance(1)
    assert table.phase != at


def test_resuming_needs_every_vote(table: Table) -> None:  # 10
    table.send("ann", "pause")
    assert table.send("ann", "resume")
    assert table.send("ann", "resume")  # again is no second vote
    assert table.phase == "paused"
    table.send("bob", "resume")
    assert table.phase == "prepare"


def test_votes_of_players_who_left_do_not_count(table: Table) -> None:  # 10
    table.join("cat")
    table.send("cat", "pause")
    table.send("cat", "resume")
    table.tell("away", "cat")
    table.tell("left", "cat")
    table.send("ann", "resume")
    assert table.phase == "paused"  # cat's vote is not bob's
    table.send("bob", "resume")
    assert table.phase == "prepare"


def test_who_leaves_is_not_waited_for(table: Table) -> None:  # 10
    table.send("ann", "pause")
    table.send("ann", "resume")
    table.tell("away", "bob")
    assert table.phase == "paused"
    table.advance(3000)
    assert table.phase == "prepare"


def test_who_joins_in_a_pause_has_a_vote(table: Table) -> None:  # 10
    table.send("ann", "pause")
    table.join("cat")
    table.send("ann", "resume")
    table.send("bob", "resume")
    assert table.phase == "paused"
    table.send("cat", "resume")
    assert table.phase == "prepare"


def test_a_pause_hears_no_answer_and_loses_none(table: Table) -> None:  # 10
    question = table.open()
    table.send("ann", "answer", value=right(question))
    table.send("bob", "pause")
    assert not table.send("ann", "answer", value=wrong(question))
    assert not table.send("ann", "confirm", value=wrong(question))
    table.send("ann", "resume")
    table.send("bob", "resume")
    assert table.sees("ann")["context"]["answer"]["value"] == right(question)
    assert table.send("ann", "confirm")


def test_a_second_pause_starts_with_no_votes(table: Table) -> None:
    for _ in range(2):
        table.send("ann", "pause")
        assert table.context["resuming"] == []
        table.send("ann", "resume")
        assert table.phase == "paused"
        table.send("bob", "resume")
        assert table.phase == "prepare"


def test_nothing_else_can_be_paused(table: Table) -> None:
    table.to_recap()
    assert not table.send("ann", "pause")


def test_a_game_that_everybody_left_waits(table: Table) -> None:  # 11
    table.open()
    table.advance(2000)
    left = table.left
    table.tell("left", "ann")
    table.tell("left", "bob")
    assert table.phase == "paused"
    assert table.snapshot.next_due is None  # it can sleep for days
    table.advance(1_000_000_000)
    table.tell("joined", "bob")
    assert table.phase == "paused"
    table.send("bob", "resume")
    assert table.phase == "answering"
    assert table.left == left


def test_a_recap_that_everybody_left_ends_in_a_pause(table: Table) -> None:
    table.to_recap()
    table.tell("left", "ann")
    table.tell("left", "bob")
    table.advance(1_000_000)
    assert table.phase == "paused"
    assert table.snapshot.next_due is None


# --------------------------------------------------------------------------- recap


def test_the_recap_walks_through_the_category(table: Table) -> None:  # 8
    questions = []
    for _ in range(2):
        questions.append(table.open())
        table.send("ann", "confirm", value=right(table.question))
        table.send("bob", "confirm", value=wrong(table.question))
    for question in questions:
        entry = table.sees("ann")["context"]["recap"]
        assert entry["id"] == question.id
        assert entry["answers"] == list(question.answers)
        assert entry["results"][table.id("ann")]["value"] == right(question)
        assert entry["results"][table.id("bob")]["value"] == wrong(question)
        assert table.send("ann", "next")
    assert table.phase == "prepare"
    assert table.context["chapter"] == 1


def test_the_recap_moves_on_after_thirty_seconds(table: Table) -> None:  # 8
    first = table.to_recap()
    assert table.left == 30_000
    table.advance(29_999)
    assert table.question == first
    table.advance(1)
    assert table.question != first
    assert table.left == 30_000


def test_only_the_host_moves_the_recap_on(table: Table) -> None:  # 8
    table.to_recap()
    assert not table.send("bob", "next")
    assert table.refused("bob", "next") == "only the host can do that"
    assert table.send("ann", "next")
    table.tell("left", "ann")
    assert table.send("bob", "next")


def text_recap() -> Table:
    """The recap of a text question: Ann is right, Bob and Cat misspelt it."""
    table = long_game()
    question = table.open("text")
    table.send("ann", "answer", value=right(question))
    table.send("bob", "answer", value="somewhat wrong")
    table.send("cat", "answer", value="")
    assert table.to_recap("text") == question
    return table


def score(table: Table, viewer: str) -> float:
    seen = table.sees(viewer)["context"]
    return float(seen["players"][table.id(viewer)]["score"])


def test_a_majority_of_votes_decides_at_once(table: Table) -> None:  # 8
    table = text_recap()
    bob, points = table.id("bob"), table.question.points
    before = score(table, "bob")
    assert table.send("ann", "vote", player=bob, correct=True)
    assert score(table, "bob") == before + points
    assert table.send("cat", "vote", player=bob, correct=False)
    assert score(table, "bob") == before  # a tie keeps the automatic result
    assert table.send("cat", "vote", player=bob, correct=True)  # changed her mind
    assert score(table, "bob") == before + points


def test_votes_can_take_points(table: Table) -> None:  # 8
    table = text_recap()
    before = score(table, "ann")
    table.send("bob", "vote", player=table.id("ann"), correct=False)
    assert score(table, "ann") == before - table.question.points


def test_one_vote_a_voter(table: Table) -> None:  # 8
    table = text_recap()
    for _ in range(3):
        table.send("ann", "vote", player=table.id("bob"), correct=True)
    results = table.sees("ann")["context"]["recap"]["results"]
    assert results[table.id("bob")]["votes"] == {table.id("ann"): True}


def test_nobody_votes_on_their_own_answer(table: Table) -> None:  # 8
    table = text_recap()
    bob = table.id("bob")
    assert not table.send("bob", "vote", player=bob, correct=True)
    assert table.refused("bob", "vote", player=bob, correct=True)


def test_votes_are_for_answers_that_there_are(table: Table) -> None:
    table = text_recap()
    nobodies: list[object] = [None, "p99", ["p1"], {}]
    for player in nobodies:
        assert not table.send("ann", "vote", player=player, correct=True)
    assert not table.send("ann", "vote", player=table.id("bob"), correct="yes")


def test_votes_are_for_free_answers_only() -> None:  # 8
    table = long_game()
    table.send("bob", "confirm", value=right(table.open("radio")))
    table.to_recap("radio")
    assert not table.send("ann", "vote", player=table.id("bob"), correct=False)


def test_votes_end_when_the_recap_moves_on(table: Table) -> None:  # 8
    table = text_recap()
    bob = table.id("bob")
    before = score(table, "bob")
    table.send("ann", "vote", player=bob, correct=True)
    worth = table.question.points
    table.send("ann", "next")
    table.send("ann", "vote", player=bob, correct=False)
    assert score(table, "bob") == before + worth


# --------------------------------------------------------------------------- the end


def play_to_the_end(table: Table) -> None:
    for _ in range(4):
        question = table.open()
        table.send("ann", "confirm", value=right(question))
        table.send("bob", "confirm", value=wrong(question))
        while table.phase == "item":
            table.send("ann", "next")
    assert table.phase == "ranking"


def test_after_the_last_recap_comes_the_ranking(table: Table) -> None:  # 9
    play_to_the_end(table)
    seen = table.sees("bob")["context"]
    assert [row["player"] for row in seen["ranking"]] == [table.id("ann"), table.id("bob")]
    assert [row["rank"] for row in seen["ranking"]] == [1, 2]
    assert len(seen["review"]) == 4
    assert table.snapshot.next_due is None


def test_play_again_returns_all_to_the_lobby(table: Table) -> None:  # 9
    play_to_the_end(table)
    asked = set(table.context["answers"])
    assert not table.send("eve", "again")
    assert table.send("bob", "again")
    assert table.phase == "waiting"
    players = table.sees("ann")["context"]["players"].values()
    assert [player["name"] for player in players] == ["Ann", "Bob"]
    assert all(player["score"] == 0 and not player["ready"] for player in players)
    table.begin("ann", "bob")
    dealt = {ask["question"] for each in table.context["chapters"] for ask in each["asks"]}
    assert not dealt & asked


def test_questions_come_again_only_when_all_were_asked() -> None:
    table = Table(categories=10, questions=4)
    table.join("ann")
    asked: set[str] = set()
    for game in range(4):
        table.begin("ann")
        asks = [ask["question"] for each in table.context["chapters"] for ask in each["asks"]]
        assert len(set(asks)) == 40
        asked.update(asks)
        assert len(asked) == min(120, 40 * (game + 1))
        while table.phase != "ranking":
            table.advance(table.left)
        table.send("ann", "again")


def test_no_sortable_lies_in_the_right_order() -> None:
    class NoChance(random.Random):
        def sample(self, population: Any, k: int, **_: Any) -> Any:
            return sorted(population, key=right(question).index)[:k]

    question = next(each for each in QUESTIONS.values() if each.type == "sortable")
    assert shuffled(question, NoChance()) != list(question.answers)


def test_chance_is_the_seed_alone() -> None:
    def dealt(seed: int) -> object:
        table = Table(seed=seed)
        table.join("ann")
        table.begin("ann")
        return table.context["chapters"]

    assert dealt(1) == dealt(1)
    assert dealt(1) != dealt(2)


def test_every_question_can_be_asked_answered_and_shown() -> None:  # 2, 6 to 9
    table = long_game(prepare=1, answer=1000, recap=1, countdown=1)
    seen = set()
    while table.phase != "ranking":
        if table.phase == "answering":
            seen.add(table.question.id)
            assert table.send("ann", "confirm", value=right(table.question))
            assert table.send("bob", "confirm", value=wrong(table.question))
            assert table.send("cat", "confirm", value=None)
        else:
            table.advance(table.left)
    assert seen == set(QUESTIONS)
    ann, bob, cat = (score(table, viewer) for viewer in ("ann", "bob", "cat"))
    assert ann > bob > cat == 0
    assert ann == sum(question.points for question in QUESTIONS.values())


# --------------------------------------------------------------------------- robustness


def test_a_question_ends_at_the_same_time_after_a_crash(table: Table) -> None:  # 14
    question = table.open()
    table.send("ann", "confirm", value=right(question))
    due = table.context["timer"]["due"]
    table.restart(after=5000)
    assert table.phase == "answering"
    assert table.context["timer"]["due"] == due == table.snapshot.next_due
    table.advance(due - table.now - 1)
    assert table.phase == "answering"
    table.advance(1)
    assert table.phase == "prepare"
    given = table.context["answers"][question.id]
    assert given[table.id("ann")]["points"] == question.points
    assert list(given) == [table.id("ann")]


def test_a_pause_outlives_a_crash(table: Table) -> None:
    table.open()
    table.advance(777)
    left = table.left
    table.send("ann", "pause")
    table.restart(after=60_000)
    table.send("ann", "resume")
    table.send("bob", "resume")
    assert table.phase == "answering"
    assert table.left == left


def test_the_context_is_plain_json_in_every_phase(table: Table) -> None:
    table.restart()
    table.open()
    table.restart()
    table.to_recap()
    table.restart()
    while table.phase != "ranking":
        table.advance(table.left)
    table.restart()
    assert table.send("ann", "again")
