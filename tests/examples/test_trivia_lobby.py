"""Rules 4, 5 and 11: the lobby, the host, coming and going, moving a seat."""

from __future__ import annotations

import pytest

from examples.trivia.context import SEATS
from tests.examples.table import Table


@pytest.fixture
def table() -> Table:
    return Table()


def test_players_join_and_see_each_other(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    seen = table.sees("bob")["context"]
    assert [player["name"] for player in seen["players"].values()] == ["Ann", "Bob"]
    assert seen["me"] == table.id("bob")


def test_a_viewer_who_has_not_joined_is_no_player(table: Table) -> None:
    table.join("ann")
    table.tell("joined", "eve")
    assert "me" not in table.sees("eve")["context"]
    assert not table.send("eve", "ready")
    assert table.send("ann", "ready")
    assert table.phase == "countdown"


@pytest.mark.parametrize("name", ["", "   ", None, 7, "\u200b\n", ["Ann"]])
def test_a_name_is_needed(table: Table, name: object) -> None:
    assert not table.send("ann", "join", name=name)


def test_names_are_cleaned_cut_and_told_apart(table: Table) -> None:
    table.send("a", "join", name="  Ann \n of   Green Gables, the one and only ")
    table.send("b", "join", name="ann of green gables, the")
    table.send("c", "join", name="Bob")
    assert table.player("a")["name"] == "Ann of Green Gables, the"
    assert table.player("b")["name"] == "ann of green gables, the 2"
    assert table.player("c")["name"] == "Bob"


def test_one_viewer_has_one_seat(table: Table) -> None:  # rule 11: two tabs are one player
    table.join("ann")
    assert not table.send("ann", "join", name="Ann again")
    assert len(table.context["players"]) == 1


def test_the_table_has_sixteen_seats(table: Table) -> None:  # rule 17
    table.join(*(f"player-{i}" for i in range(SEATS)))
    assert not table.send("late", "join", name="Late")
    assert "full" in str(table.refused("late", "join", name="Late"))


def test_rename_while_not_ready(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    assert table.send("ann", "rename", name="Anna")
    table.send("ann", "ready")
    assert not table.send("ann", "rename", name="Annabel")
    assert table.player("ann")["name"] == "Anna"


def test_everybody_ready_starts_a_countdown_of_five_seconds(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    table.send("ann", "ready")
    assert table.phase == "waiting"
    table.send("bob", "ready")
    assert table.phase == "countdown"
    assert table.left == 5000
    table.advance(4999)
    assert table.phase == "countdown"
    table.advance(1)
    assert table.phase == "prepare"


def test_an_empty_lobby_never_starts(table: Table) -> None:
    assert table.phase == "waiting"
    table.join("ann")
    table.send("ann", "ready")
    table.send("ann", "quit")
    assert table.phase == "waiting"
    assert table.context["timer"] is None


def test_unready_cancels_the_countdown(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    table.send("ann", "ready")
    table.send("bob", "ready")
    table.advance(3000)
    table.send("bob", "unready")
    assert table.phase == "waiting"
    table.advance(60_000)
    assert table.phase == "waiting"


def test_a_new_player_cancels_the_countdown(table: Table) -> None:  # rule 5
    table.join("ann")
    table.send("ann", "ready")
    assert table.phase == "countdown"
    table.join("bob")
    assert table.phase == "waiting"
    table.send("bob", "ready")
    assert table.left == 5000


def test_an_onlooker_does_not_cancel_the_countdown(table: Table) -> None:
    table.join("ann")
    table.send("ann", "ready")
    table.tell("joined", "eve")
    assert table.phase == "countdown"


def test_who_is_not_connected_blocks_nobody(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    table.send("ann", "ready")
    table.tell("away", "bob")
    assert table.phase == "waiting"  # a reload is no absence
    table.advance(3000)
    assert table.phase == "countdown"


def test_who_comes_back_at_once_is_waited_for(table: Table) -> None:
    table.join("ann", "bob")
    table.send("ann", "ready")
    table.tell("away", "bob")
    table.advance(2000)
    table.tell("back", "bob")
    table.tell("away", "bob")
    table.advance(2000)  # the first absence's patience is over, this one's isn't
    assert table.phase == "waiting"
    table.tell("back", "bob")
    table.advance(60_000)
    assert table.phase == "waiting"
    assert table.player("bob")["presence"] == "here"


def test_a_connection_that_changes_at_once_is_no_absence(table: Table) -> None:
    table.join("ann", "bob")
    table.send("ann", "ready")
    table.tell("away", "bob")
    table.tell("back", "bob")  # in the same millisecond
    table.advance(60_000)
    assert table.phase == "waiting"


def test_leaving_takes_the_ready_back_but_keeps_the_seat(table: Table) -> None:  # rule 11
    table.join("ann", "bob")
    table.send("bob", "ready")
    table.tell("away", "bob")
    table.tell("left", "bob")
    assert not table.player("bob")["ready"]
    table.tell("joined", "bob")
    assert table.player("bob")["presence"] == "here"
    assert table.player("bob")["name"] == "Bob"
    table.send("ann", "ready")
    assert table.phase == "waiting"


def test_the_creator_is_host(table: Table) -> None:  # rule 5
    table.join("ann", "bob")
    assert table.context["host"] == table.id("ann")


def test_the_longest_joined_connected_player_inherits(table: Table) -> None:  # rule 5
    table.join("ann", "bob", "cat")
    table.tell("away", "bob")
    table.tell("away", "ann")
    assert table.context["host"] == table.id("ann")  # away isn't left
    table.tell("left", "ann")
    assert table.context["host"] == table.id("cat")
    table.tell("joined", "ann")
    assert table.context["host"] == table.id("cat")


def test_when_all_have_left_the_first_to_return_is_host(table: Table) -> None:
    table.join("ann", "bob")
    table.tell("left", "bob")
    table.tell("left", "ann")
    assert table.context["host"] == table.id("ann")
    table.tell("joined", "bob")
    assert table.context["host"] == table.id("bob")


def test_the_host_removes_an_absent_player(table: Table) -> None:  # rule 5
    table.join("ann", "bob", "cat")
    bob = table.id("bob")
    assert not table.send("ann", "remove", player=bob)  # still here
    table.tell("away", "bob")
    assert not table.send("cat", "remove", player=bob)  # no host
    assert table.refused("cat", "remove", player=bob) == "only the host can do that"
    assert not table.send("ann", "remove", player="p99")
    assert not table.send("ann", "remove", player=[bob])
    assert table.send("ann", "remove", player=bob)
    assert [player["name"] for player in table.context["players"].values()] == ["Ann", "Cat"]


def test_a_removed_player_may_join_again(table: Table) -> None:
    table.join("ann", "bob")
    table.tell("away", "bob")
    table.send("ann", "remove", player=table.id("bob"))
    table.advance(3000)  # the patience with the removed one ends in silence
    table.join("bob")
    assert table.player("bob")["seat"] == 3


def test_the_host_sets_the_length(table: Table) -> None:
    table.join("ann", "bob")
    assert table.send("ann", "configure", categories=10, questions=12)
    assert table.context["settings"] == {"categories": 10, "questions": 12}
    assert not table.send("bob", "configure", categories=1, questions=1)
    for odd in ({"categories": 11}, {"questions": 0}, {"questions": True}, {"categories": "3"}):
        assert not table.send("ann", "configure", **{"categories": 3, "questions": 3, **odd})
    assert not table.send("ann", "configure", categories=3)


# --------------------------------------------------------------------------- moving a seat


def test_a_code_moves_a_seat_to_another_device(table: Table) -> None:  # rule 11
    table.join("ann", "bob")
    seat = table.id("ann")
    assert table.send("ann", "code")
    code = table.sees("ann")["context"]["code"]["code"]
    assert code not in str(table.sees("bob"))
    table.tell("joined", "phone")
    assert table.send("phone", "claim", code=f" {code[:4].lower()}-{code[4:]}")
    assert table.id("phone") == seat
    assert "me" not in table.sees("ann")["context"]
    assert not table.send("ann", "ready")
    assert table.send("phone", "ready")


def test_the_former_device_going_is_no_absence(table: Table) -> None:
    table.join("ann")
    table.send("ann", "code")
    table.send("phone", "claim", code=table.sees("ann")["context"]["code"]["code"])
    assert not table.tell("away", "ann")
    assert not table.tell("left", "ann")
    assert table.player("phone")["presence"] == "here"


def test_a_code_works_once(table: Table) -> None:
    table.join("ann")
    table.send("ann", "code")
    code = table.sees("ann")["context"]["code"]["code"]
    assert table.send("phone", "claim", code=code)
    assert not table.send("tablet", "claim", code=code)


def test_a_code_ends_and_a_new_one_replaces_it(table: Table) -> None:
    table.join("ann")
    table.send("ann", "code")
    old = table.sees("ann")["context"]["code"]["code"]
    table.send("ann", "code")
    new = table.sees("ann")["context"]["code"]["code"]
    assert old != new
    assert not table.send("phone", "claim", code=old)
    table.advance(600_000)
    assert not table.send("phone", "claim", code=new)


@pytest.mark.parametrize("code", [None, "", 7, "AAAA-AAAA"])
def test_a_wrong_code_moves_nothing(table: Table, code: object) -> None:
    table.join("ann")
    table.send("ann", "code")
    assert not table.send("phone", "claim", code=code)


def test_a_player_cannot_take_a_second_seat(table: Table) -> None:
    table.join("ann", "bob")
    table.send("ann", "code")
    code = table.sees("ann")["context"]["code"]["code"]
    assert not table.send("bob", "claim", code=code)
    assert table.refused("bob", "claim", code=code) == "you have a seat already"


def test_a_seat_moves_in_the_middle_of_a_game(table: Table) -> None:  # rule 11: at any time
    table.join("ann", "bob")
    table.begin("ann", "bob")
    table.open()
    table.send("ann", "code")
    table.send("phone", "claim", code=table.sees("ann")["context"]["code"]["code"])
    assert table.send("phone", "confirm", value=None)


# --------------------------------------------------------------------------- robustness


def test_the_lobby_sleeps_and_comes_back(table: Table) -> None:  # rule 15
    table.join("ann", "bob")
    table.send("ann", "ready")
    before = table.context
    table.restart(after=86_400_000)
    assert table.context == before
    assert table.send("bob", "ready")
    assert table.phase == "countdown"


def test_a_countdown_fires_on_time_after_a_restart(table: Table) -> None:  # rule 15
    table.join("ann")
    table.send("ann", "ready")
    due = table.context["timer"]["due"]
    table.restart(after=2000)
    assert table.snapshot.next_due == due
    table.advance(2999)
    assert table.phase == "countdown"
    table.advance(1)
    assert table.phase == "prepare"
