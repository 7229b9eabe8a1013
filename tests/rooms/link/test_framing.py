"""Framing: both sides of a link as values, bytes carried by hand."""

from __future__ import annotations

import pytest

from rooms.errors import LinkError
from rooms.link import framing
from rooms.link.framing import GRANT, MAX_MESSAGE, MISSED, PIECE, WINDOW, Framing

SECRET = b"s" * 32


def side(*, dials: bool, secret: bytes = SECRET) -> Framing:
    return Framing(dials=dials, secret=secret, nonce=(b"d" if dials else b"l") * 16)


def carry(one: Framing, other: Framing) -> tuple[list[bytes], list[bytes]]:
    """Carry bytes until neither has any: what came to the one, and to the other."""
    ones: list[bytes] = []
    others: list[bytes] = []
    while True:
        there, back = one.take(), other.take()
        if not there and not back:
            return ones, others
        others += other.receive(there)
        ones += one.receive(back)


def opened() -> tuple[Framing, Framing]:
    one, other = side(dials=True), side(dials=False)
    carry(one, other)
    assert one.open
    assert other.open
    return one, other


def test_messages_come_out_whole_and_in_order_however_they_are_cut() -> None:  # [LINK1]
    one, other = opened()
    sent = [b"", b"a", b"b" * 200, b"c" * PIECE, b"d" * (PIECE + 1), b"e" * 3 * PIECE, b"f"]
    for message in sent:
        one.send(message)
    data = one.take()
    came: list[bytes] = []
    for start in range(0, len(data), 7_001):
        came += other.receive(data[start : start + 7_001])
    assert came == sent
    one.send(b"byte by byte")
    assert [m for byte in one.take() for m in other.receive(bytes((byte,)))] == [b"byte by byte"]


def test_what_was_sent_before_the_handshake_waits_for_the_proof() -> None:  # [LINK2]
    one, other = side(dials=True), side(dials=False)
    one.send(b"early")
    assert b"early" not in one.take()
    one = side(dials=True)
    one.send(b"early")
    assert carry(one, other)[1] == [b"early"]


def test_who_doesnt_know_the_secret_gets_no_word() -> None:  # [LINK2]
    one, other = side(dials=True), side(dials=False, secret=b"x" * 32)
    one.send(b"secret")
    with pytest.raises(LinkError, match="doesn't know"):
        carry(one, other)
    assert not one.open
    assert not other.open
    assert b"secret" not in one.take()


@pytest.mark.parametrize("nonce", [b"m" * 16, b"d" * 16])
def test_a_proof_thrown_back_is_none(nonce: bytes) -> None:  # [LINK2]
    one = side(dials=True)
    hello = one.take()
    one.receive(hello.replace(b"d" * 16, nonce))
    with pytest.raises(LinkError, match="doesn't know"):
        one.receive(one.take())


@pytest.mark.parametrize(("dialled", "listened"), [(b"x", b"l"), (b"d", b"x")])
def test_a_proof_is_good_for_its_own_link_alone(  # [LINK2]
    dialled: bytes, listened: bytes
) -> None:
    one, other = side(dials=True), side(dials=False)
    hello = one.take()
    one.receive(other.take())
    proof = one.take()
    again = Framing(dials=False, secret=SECRET, nonce=listened * 16)
    again.receive(hello.replace(b"d" * 16, dialled * 16))
    with pytest.raises(LinkError, match="doesn't know"):
        again.receive(proof)


def test_another_version_is_no_link(monkeypatch: pytest.MonkeyPatch) -> None:  # [LINK2]
    one = side(dials=True)
    monkeypatch.setattr(framing, "VERSION", 2)
    with pytest.raises(LinkError, match="speaks version 2, this one"):
        monkeypatch.undo()
        monkeypatch.setattr(framing, "VERSION", 1)
        newer = side(dials=False)
        newer._out = [newer.take().replace(b"\x92\x01", b"\x92\x02")]
        carry(one, newer)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0\0\0\0\0",
        b"\0\0\0\x02\x00\xc1",
        b"\0\0\0\x02\x02x",
        b"\0\0\0\x02\x09x",
    ],
)
def test_nonsense_ends_it(nonsense: bytes) -> None:  # [LINK2]
    with pytest.raises(LinkError):
        side(dials=False).receive(nonsense)


def test_no_more_is_under_way_than_was_granted() -> None:  # [LINK3] [LINK4]
    one, other = opened()
    message = b"x" * (PIECE - 5)
    for _ in range(3 * WINDOW // PIECE):
        one.send(message)
    first = one.take()
    assert WINDOW - PIECE <= len(first) <= WINDOW
    assert one.take() == b""
    came = other.receive(first)
    ones, others = carry(one, other)
    assert ones == []
    assert came + others == [message] * (3 * WINDOW // PIECE)


def test_a_small_message_waits_behind_a_big_one() -> None:  # [LINK1] [LINK3]
    one, other = opened()
    big = b"b" * (WINDOW + 2 * PIECE)
    sent = [big, b"small", big, b"small"]
    for message in sent:
        one.send(message)
    assert carry(one, other)[1] == sent


def test_what_is_under_way_is_known_and_soon_no_more_when_it_is_taken() -> None:  # [LINK3] [FAIR4]
    one, other = opened()
    assert one.under_way == 0
    message = b"m" * PIECE
    for _ in range(2 * WINDOW // PIECE):
        one.send(message)
    assert 2 * WINDOW <= one.under_way <= 2 * WINDOW + 2 * WINDOW // PIECE * 5
    carry(one, other)
    assert one.under_way < GRANT


def test_a_side_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:  # [LINK3]
    monkeypatch.setattr(framing, "MAX_WAITING", WINDOW)
    one, _ = opened()
    with pytest.raises(LinkError, match="waiting"):
        for _ in range(3 * WINDOW // PIECE):
            one.send(b"x" * PIECE)


def test_a_message_has_a_bound_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:  # [LINK4]
    one, other = opened()
    with pytest.raises(LinkError, match="too big"):
        one.send(b"x" * (MAX_MESSAGE + 1))
    one.send(b"x" * 3 * PIECE)
    monkeypatch.setattr(framing, "MAX_MESSAGE", 2 * PIECE - 1)
    with pytest.raises(LinkError, match="too big"):
        other.receive(one.take())


def test_silence_is_the_end_and_any_byte_is_life() -> None:  # [LINK5]
    one, other = opened()
    for _ in range(3 * MISSED):
        one.tick()
        carry(one, other)
    for _ in range(MISSED):
        one.tick()
    other.send(b"x")
    one.receive(other.take()[:1])
    for _ in range(MISSED):
        one.tick()
    with pytest.raises(LinkError, match="nothing came"):
        one.tick()


def test_who_may_be_silent_for_longer_is() -> None:  # [ISOLATE3]
    one = Framing(dials=False, secret=SECRET, nonce=b"l" * 16, missed=10 * MISSED)
    carry(one, side(dials=True))
    for _ in range(10 * MISSED):
        one.tick()
    with pytest.raises(LinkError, match="nothing came"):
        one.tick()


def test_a_handshake_that_never_ends_is_given_up() -> None:  # [LINK5]
    one = side(dials=True)
    for _ in range(MISSED):
        one.tick()
    with pytest.raises(LinkError):
        one.tick()
