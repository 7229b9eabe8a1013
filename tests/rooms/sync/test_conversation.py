"""The numbers of a client's events, one message at a time; and any order of arrival whatever."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rooms.sync.conversation import (
    Accept,
    Conversation,
    Get,
    Pending,
    Refuse,
    Repeat,
    Resend,
    TooOld,
)


def numbered(seq: int, **more: Any) -> dict[str, Any]:
    return {"type": "room.send", "seq": seq, "event": {"type": "e", "n": seq}, **more}


def test_an_event_sent_plainly_is_accepted_without_a_number() -> None:  # [SEND1]
    event = {"type": "increment"}
    assert Conversation().receive(event) == Accept(None, event, None)


def test_numbers_are_accepted_in_order_each_once() -> None:  # [SEND2]
    talk = Conversation()
    assert talk.receive(numbered(1)) == Accept(1, {"type": "e", "n": 1}, None)
    assert talk.receive(numbered(2)) == Accept(2, {"type": "e", "n": 2}, None)
    assert talk.received == 2
    assert talk.settled == 0


def test_an_event_for_a_child_names_it() -> None:
    message = {"type": "room.send_to", "seq": 1, "child": "p", "event": {"type": "e"}}
    assert Conversation().receive(message) == Accept(1, {"type": "e"}, "p")


def test_a_number_that_is_being_handled_is_not_taken_again() -> None:  # [SEND3]
    talk = Conversation()
    talk.receive(numbered(1))
    assert talk.receive(numbered(1)) == Pending()


def test_a_number_that_is_settled_is_answered_again() -> None:  # [SEND3]
    talk = Conversation()
    talk.receive(numbered(1))
    talk.settle(1)
    assert talk.receive(numbered(1)) == Repeat(1)


def test_it_goes_on_from_the_marks() -> None:  # [SEND3]
    talk = Conversation(settled=7)
    assert talk.receive(numbered(7)) == Repeat(7)
    assert talk.receive(numbered(8)) == Accept(8, {"type": "e", "n": 8}, None)


def test_a_gap_is_asked_for_once_until_it_is_filled() -> None:  # [SEND4]
    talk = Conversation()
    assert talk.receive(numbered(3)) == Resend(1)
    assert talk.receive(numbered(4)) == Pending()
    assert isinstance(talk.receive(numbered(1)), Accept)
    assert talk.receive(numbered(3)) == Resend(2)


def test_a_new_connection_is_asked_again() -> None:  # [SEND4]
    talk = Conversation()
    talk.receive(numbered(3))
    talk.resume(0)
    assert talk.receive(numbered(3)) == Resend(1)


def test_what_the_client_has_the_outcome_of_is_over() -> None:
    """A crash at level `memory` forgot events that were acknowledged: the client goes on."""
    talk = Conversation(settled=3)
    assert isinstance(talk.receive(numbered(6, acked=5)), Accept)
    assert talk.received == 6


def test_a_claim_to_have_the_outcome_of_this_very_event_moves_nothing() -> None:
    talk = Conversation(settled=3)
    assert talk.receive(numbered(6, acked=6)) == Resend(4)


def test_a_router_vouches_for_the_outcomes_it_wrote() -> None:
    talk = Conversation()
    talk.resume(2)
    assert isinstance(talk.receive(numbered(3)), Accept)
    talk.resume(1)
    assert talk.received == 3


def test_an_event_that_the_door_refused_takes_its_number() -> None:  # [DOOR9]
    talk = Conversation()
    refused = {"code": "sender", "reason": "no"}
    assert talk.receive({"type": "room.send", "seq": 1, "refused": refused}) == Refuse(
        1, "sender", "no"
    )
    assert isinstance(talk.receive(numbered(2)), Accept)


def test_a_client_that_may_have_been_forgotten_is_never_taken() -> None:
    talk = Conversation(stale=True)
    assert talk.receive(numbered(1)) == TooOld()
    assert talk.received == 0
    assert isinstance(talk.receive({"type": "plain"}), Accept)


def test_the_full_view_may_be_asked_for() -> None:
    talk = Conversation()
    assert talk.receive({"type": "room.get"}) == Get()


@given(st.lists(st.integers(1, 8), max_size=60), st.integers(0, 5))
def test_however_they_arrive_each_number_is_accepted_at_most_once_and_in_order(
    arrivals: list[int], settled: int
) -> None:  # [SEND2]
    talk = Conversation(settled=settled)
    accepted = [
        reaction.seq
        for seq in arrivals
        if isinstance(reaction := talk.receive(numbered(seq)), Accept)
    ]
    assert accepted == list(range(settled + 1, settled + 1 + len(accepted)))
