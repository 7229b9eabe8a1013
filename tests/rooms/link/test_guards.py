"""Guards of links, each switched off: the test of its rule sees it."""

from __future__ import annotations

from typing import Any

import pytest

from rooms.link.framing import Framing
from rooms.link.stream import StreamEnd
from tests.guards import Guards
from tests.rooms.link import test_framing as framing
from tests.rooms.link import test_links as links
from tests.sim.mutants import edited

GUARDS = Guards()


# -------------------------------------------------------------------------------- whole, in order


@GUARDS.seen_by(framing.test_messages_come_out_whole_and_in_order_however_they_are_cut)
def pieces_are_messages(swap: Any) -> None:
    """A message that travelled in pieces comes out as its last one."""
    edited(swap, Framing, "_frame", "if self._pieces:", "if False:")


@GUARDS.seen_by(framing.test_messages_come_out_whole_and_in_order_however_they_are_cut)
def half_a_frame_is_one(swap: Any) -> None:
    """What has come of a frame counts as the frame."""
    edited(swap, Framing, "receive", "if end > len(came):", "if False:")


@GUARDS.seen_by(framing.test_a_small_message_waits_behind_a_big_one)
def small_ones_overtake(swap: Any) -> None:
    """What there is credit for goes, whatever waits before it."""
    edited(swap, Framing, "_put", "not self._waiting and ", "")


@GUARDS.seen_by(links.test_a_link_that_is_cut_ends_once_for_both_sides)
def end_heard_twice(swap: Any) -> None:
    """The end of a link is told as often as somebody notices it."""
    edited(swap, StreamEnd, "connection_lost", "if self._lost:", "if False:")


# -------------------------------------------------------------------------------- handshake


@GUARDS.seen_by(framing.test_another_version_is_no_link)
def version_not_compared(swap: Any) -> None:
    """Whatever version the other side speaks, it is spoken to."""
    edited(swap, Framing, "_shake", "if version != VERSION:", "if False:")


@GUARDS.seen_by(framing.test_who_doesnt_know_the_secret_gets_no_word)
def proof_not_compared(swap: Any) -> None:
    """Any proof is one."""
    edited(swap, Framing, "_shake", "if not hmac.compare_digest(", "if not max(")


@GUARDS.seen_by(framing.test_a_proof_thrown_back_is_none, nonce=b"d" * 16)
def proof_of_either_role(swap: Any) -> None:
    """Who listens proves itself with the words of who dials."""
    edited(swap, Framing, "_proof", "role + asked + own", "asked + own")


@GUARDS.seen_by(framing.test_a_proof_is_good_for_its_own_link_alone, dialled=b"d", listened=b"x")
def proof_not_over_the_askers_nonce(swap: Any) -> None:
    """A proof that was overheard is one for ever."""
    edited(swap, Framing, "_proof", "role + asked + own", "role + own")


@GUARDS.seen_by(framing.test_a_proof_is_good_for_its_own_link_alone, dialled=b"x", listened=b"l")
def proof_not_over_ones_own_nonce(swap: Any) -> None:
    """A proof that one process was asked for is one for another."""
    edited(swap, Framing, "_proof", "role + asked + own", "role + asked")


@GUARDS.seen_by(framing.test_what_was_sent_before_the_handshake_waits_for_the_proof)
def spoken_to_before_the_proof(swap: Any) -> None:
    """Who hasn't proved itself is sent messages."""
    edited(swap, Framing, "_put", "self.open and ", "")


@GUARDS.seen_by(framing.test_nonsense_ends_it, nonsense=b"\0\0\0\x02\x02x")
def heard_before_the_proof(swap: Any) -> None:
    """Who hasn't proved itself is listened to."""
    edited(swap, Framing, "_frame", "case _ if not self.open:", "case _ if False:")


# -------------------------------------------------------------------------------- bounds


@GUARDS.seen_by(framing.test_no_more_is_under_way_than_was_granted)
def credit_ignored(swap: Any) -> None:
    """All is sent at once, whatever the other side has taken."""
    edited(swap, Framing, "_put", " and len(frame) <= self._credit", "")


@GUARDS.seen_by(framing.test_no_more_is_under_way_than_was_granted)
def credit_not_given_back(swap: Any) -> None:
    """What was taken isn't granted again."""
    edited(swap, Framing, "_count", "if self._taken >= GRANT:", "if False:")


@GUARDS.seen_by(framing.test_a_side_that_takes_nothing_is_given_up)
def waits_without_bound(swap: Any) -> None:
    """Ever more waits for a side that takes nothing."""
    edited(swap, Framing, "_put", "if self._waiting_size > MAX_WAITING:", "if False:")


@GUARDS.seen_by(framing.test_a_message_has_a_bound_on_both_sides)
def sent_however_big(swap: Any) -> None:
    """A message of any size is sent."""
    edited(swap, Framing, "send", "if size > MAX_MESSAGE:", "if False:")


@GUARDS.seen_by(framing.test_a_message_has_a_bound_on_both_sides)
def taken_however_big(swap: Any) -> None:
    """A message of any size is taken."""
    edited(swap, Framing, "_frame", "if self._pieces_size > MAX_MESSAGE:", "if False:")


@GUARDS.seen_by(framing.test_nonsense_ends_it, nonsense=b"GET / HTTP/1.1\r\n")
def frame_of_any_size(swap: Any) -> None:
    """A frame of any size is waited for."""
    edited(swap, Framing, "receive", "if not 1 <= size <= PIECE + 1:", "if False:")


# -------------------------------------------------------------------------------- half open


@GUARDS.seen_by(framing.test_silence_is_the_end_and_any_byte_is_life)
def silence_is_borne(swap: Any) -> None:
    """Pings that nobody answers are sent for ever."""
    edited(swap, Framing, "tick", "if self._missed >= self._may_miss:", "if False:")


@GUARDS.seen_by(framing.test_silence_is_the_end_and_any_byte_is_life)
def bytes_are_no_life(swap: Any) -> None:
    """What comes doesn't count against the pings that were missed."""
    edited(swap, Framing, "receive", "self._missed = 0", "self")


@pytest.mark.parametrize("name", GUARDS)
async def test_the_loss_of_a_guard_is_seen(name: str, request: pytest.FixtureRequest) -> None:
    await GUARDS.lose(name, request)
