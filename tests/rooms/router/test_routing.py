"""Routing: link messages in, frames and link messages out, with a scripted host and sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import CloseCode, Closing
from rooms.link.protocol import (
    Answer,
    Asleep,
    Attach,
    Close,
    Detach,
    Fanout,
    Joined,
    Keep,
    Live,
    Message,
    Moment,
    Request,
    Said,
    Tell,
    Want,
    encode,
)
from rooms.router.channels import (
    MAX_HELD_BYTES,
    STOP_READING,
    STOP_READING_BYTES,
    Channel,
    Place,
)
from rooms.router.frames import frame
from rooms.router.routing import MAX_PAUSES, MOVING_AFTER, Routing
from rooms.store.port import HostInfo

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = {"type": "increment"}


def text(data: bytes) -> bytes:
    return frame(data, "json")


class Peer:
    """A socket that writes down what happens to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closings: list[Closing] = []
        self.paused = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self, closing: Closing) -> None:
        self.closings.append(closing)

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def took(self) -> list[bytes]:
        written, self.written = self.written, []
        return written


class Door:
    """A router's routing, and the host's end of its link."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.routing = Routing(self._later)
        self.host = self.routing.meet(HostInfo("one", "one", {"counter": "1"}, 0), self._send)

    def _later(self, seconds: float, run: Callable[[], None]) -> None:
        self.timers.append((seconds, run))

    def _send(self, message: Message) -> None:
        encode(message)  # a link carries only what encodes
        self.sent.append(message)

    def took(self) -> list[Message]:
        sent, self.sent = self.sent, []
        return sent

    def open(
        self,
        session: str = "s",
        codec: str = "json",
        cursor: str | None = None,
        client: str | None = None,
    ) -> tuple[Channel, Peer]:
        peer, number = Peer(), self.routing.number()
        attach = Attach(
            channel=number,
            kind="counter",
            session=session,
            viewer={"id": "ada", "role": "player", "claims": {}},
            client=client or f"client number {number}",
            since=None,
            cursor=cursor,
            codec=codec,
            create=True,
            token=None,
            renewed="t",
            params={},
            headers={},
            attachment=None,
            greeted=False,
            settled=0,
        )
        return self.routing.open(attach, peer), peer

    def joined(
        self,
        session: str = "s",
        codec: str = "json",
        lane: int = 1,
        cursor: str = "n.1",
        client: str | None = None,
    ) -> tuple[Channel, Peer]:
        """A channel that was greeted and holds the view at `cursor`."""
        channel, peer = self.open(session, codec, client=client)
        self.hear(Tell(channel.number, b"you"), Joined(channel.number, lane))
        self.hear(Tell(channel.number, b"view", cursor=cursor))
        peer.took()
        self.took()
        return channel, peer

    def hear(self, *messages: Message) -> None:
        for message in messages:
            self.routing.receive(self.host, message)

    def number(self, channel: Channel, seq: int, size: int = 50, **more: Any) -> dict[str, Any]:
        message = {"type": "room.send", "seq": seq, "event": EVENT, **more}
        self.routing.say(channel, message, size)
        return message


def attach_of(messages: list[Message], channel: Channel) -> Attach:
    (found,) = [m for m in messages if isinstance(m, Attach) and m.channel == channel.number]
    return found


# ---------------------------------------------------------------------- opening and speaking


def test_opening_asks_the_host_once() -> None:
    door = Door()
    channel, _ = door.open(cursor="n.7")
    attach = attach_of(door.took(), channel)
    assert (attach.greeted, attach.settled, attach.cursor) == (False, 0, "n.7")
    assert attach.renewed == "t"


def test_what_is_said_follows_the_attach_in_order() -> None:
    door = Door()
    channel, _ = door.open()
    door.routing.say(channel, EVENT, 20)
    message = door.number(channel, 1)
    assert door.took()[1:] == [Said(channel.number, EVENT), Said(channel.number, message)]


def test_a_tell_is_framed_for_its_codec() -> None:  # [OPEN1]
    door = Door()
    one, as_text = door.open()
    two, as_binary = door.open(codec="msgpack")
    door.hear(Tell(one.number, b"{}"), Tell(two.number, b"\x80"))
    assert as_text.written == [b"\x81\x02{}"]
    assert as_binary.written == [b"\x82\x01\x80"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_have_the_lengths_of_the_rfc(size: int) -> None:
    data = frame(b"x" * size, "json")
    header = data[: len(data) - size]
    assert header[0] == 0x81
    if size < 126:
        assert header[1:] == bytes([size])
    elif size < 65_536:
        assert header[1:] == b"\x7e" + size.to_bytes(2, "big")
    else:
        assert header[1:] == b"\x7f" + size.to_bytes(8, "big")


def test_closing_is_told_to_the_host_once_and_nothing_is_written_after_it() -> None:
    door = Door()
    channel, peer = door.joined()
    door.routing.close(channel)
    door.routing.close(channel)
    assert door.took() == [Detach(channel.number)]
    door.hear(
        Tell(channel.number, b"late"),
        Fanout(1, "n.1", "n.2", b"late"),
        Joined(channel.number, 2),
        Keep(channel.number, {}),
        Close(channel.number, 4410, "late", None),
    )
    assert peer.written == []
    assert peer.closings == []


def test_the_hosts_close_reaches_the_socket_with_its_code() -> None:  # [OPEN3]
    door = Door()
    channel, peer = door.open()
    door.hear(Close(channel.number, 4403, "full", None))
    (closing,) = peer.closings
    assert (closing.code, closing.reason, closing.retry_after) == (4403, "full", None)


def test_sessions_and_lanes_are_forgotten_with_their_last_channel() -> None:
    door = Door()
    one, _ = door.joined()
    two, _ = door.joined()
    for channel in (one, two):
        door.routing.close(channel)
    routing = door.routing
    assert (routing._sessions, routing._channels, door.host.lanes, door.host.channels) == (
        {},
        {},
        {},
        {},
    )


# ---------------------------------------------------------------------- fan-out


def test_a_fan_out_is_framed_once_for_all_who_hold_its_base() -> None:  # [VIEW5]
    door = Door()
    peers = [door.joined()[1] for _ in range(3)]
    door.hear(Fanout(1, "n.1", "n.2", b"patch"))
    frames = [peer.took()[0] for peer in peers]
    assert frames == [text(b"patch")] * 3
    assert frames[0] is frames[1] is frames[2]
    door.hear(Fanout(1, "n.2", "n.3", b"next"))
    assert [peer.took() for peer in peers] == [[text(b"next")]] * 3
    assert door.took() == []


def test_who_isnt_at_the_base_asks_once() -> None:  # [VIEW6]
    door = Door()
    channel, peer = door.joined(cursor="n.1")
    door.hear(Fanout(1, "n.2", "n.3", b"a"), Fanout(1, "n.3", "n.4", b"b"))
    assert peer.took() == []
    assert door.took() == [Want(channel.number, "n.1", 0, present=False)]
    door.hear(Tell(channel.number, b"newest", cursor="n.4"), Fanout(1, "n.4", "n.5", b"c"))
    assert peer.took() == [text(b"newest"), text(b"c")]
    assert door.took() == []


def test_a_channel_hears_only_its_newest_lane() -> None:
    door = Door()
    channel, peer = door.joined(lane=1)
    door.hear(Joined(channel.number, 2), Tell(channel.number, b"other", cursor="m.1"))
    door.hear(Fanout(1, None, None, b"old lane"), Fanout(2, "m.1", "m.2", b"new lane"))
    assert peer.took() == [text(b"other"), text(b"new lane")]


def test_what_has_no_base_goes_to_everybody_of_the_lane() -> None:
    door = Door()
    _, here = door.joined(lane=1, cursor="n.1")
    _, elsewhere = door.joined(lane=1, cursor="n.9")
    _, other = door.joined(lane=2)
    door.hear(Fanout(1, None, None, b"emitted"))
    assert [p.took() for p in (here, elsewhere, other)] == [
        [text(b"emitted")],
        [text(b"emitted")],
        [],
    ]


# ---------------------------------------------------------------------- slow connections


def test_a_slow_connection_gets_the_newest_once_it_drained() -> None:  # [VIEW10]
    door = Door()
    channel, peer = door.joined()
    door.number(channel, 1)
    door.took()
    door.routing.slow(channel)
    door.hear(
        Fanout(1, "n.1", "n.2", b"patch"),
        Tell(channel.number, b"outcome 1", seq=1),
        Tell(channel.number, b"view", cursor="n.3"),
    )
    assert peer.took() == []
    door.routing.drained(channel)
    assert door.took() == [Want(channel.number, "n.1", 0, present=False)]
    door.hear(Tell(channel.number, b"newest", cursor="n.3"))
    door.hear(Tell(channel.number, b"outcome 1", seq=1))
    assert peer.took() == [text(b"newest"), text(b"outcome 1")]


def test_a_slow_connection_that_missed_nothing_asks_nothing() -> None:
    door = Door()
    channel, peer = door.joined()
    door.routing.slow(channel)
    door.routing.drained(channel)
    door.hear(Fanout(1, "n.1", "n.2", b"patch"))
    assert peer.took() == [text(b"patch")]
    assert door.took() == []


def test_what_was_emitted_meanwhile_comes_after_the_view() -> None:  # [VIEW9]
    door = Door()
    channel, peer = door.joined()
    door.routing.slow(channel)
    door.hear(Fanout(1, "n.1", "n.2", b"patch"), Fanout(1, None, None, b"emitted 1"))
    door.routing.drained(channel)
    door.hear(Fanout(1, None, None, b"emitted 2"))
    assert peer.took() == []
    door.hear(Tell(channel.number, b"newest", cursor="n.2"))
    assert peer.took() == [text(b"newest"), text(b"emitted 1"), text(b"emitted 2")]


def test_what_was_emitted_meanwhile_comes_at_once_when_no_view_was_missed() -> None:
    door = Door()
    channel, peer = door.joined()
    door.routing.slow(channel)
    door.hear(Fanout(1, None, None, b"emitted"))
    door.routing.drained(channel)
    assert peer.took() == [text(b"emitted")]
    assert door.took() == []


def test_outcomes_wait_for_the_view_that_was_asked_for() -> None:  # [SEND5]
    door = Door()
    channel, peer = door.joined()
    door.number(channel, 1)
    door.hear(Fanout(1, "n.5", "n.6", b"patch"))  # not at its base
    door.hear(Tell(channel.number, b"outcome 1", seq=1))
    assert peer.took() == []
    door.hear(Tell(channel.number, b"newest", cursor="n.6"))
    door.hear(Tell(channel.number, b"outcome 1", seq=1))
    assert peer.took() == [text(b"newest"), text(b"outcome 1")]


def test_what_a_slow_connection_wasnt_told_is_said_again_to_the_next_incarnation() -> None:
    door = Door()  # [SEND2] [VIEW10]: the next one may know nothing of it: a deleted session's
    channel, _ = door.joined()
    door.number(channel, 1)
    door.took()
    door.routing.slow(channel)
    door.hear(Tell(channel.number, b"outcome 1", seq=1), Asleep("counter", "s", 1))
    sent = door.took()
    assert attach_of(sent, channel).settled == 0
    assert [said.message["seq"] for said in sent if isinstance(said, Said)] == [1]


def test_what_is_to_be_sent_again_wakes_no_room() -> None:  # [SEND4]
    door = Door()
    channel, _ = door.joined()
    door.number(channel, 3)
    door.hear(Tell(channel.number, b"resend", again=2))
    door.took()
    door.hear(Asleep("counter", "s", 1))
    assert door.took() == []
    door.number(channel, 2)
    assert [said.message["seq"] for said in door.took() if isinstance(said, Said)] == [2, 3]


def test_too_much_that_cant_be_merged_closes_a_slow_connection() -> None:
    door = Door()
    channel, peer = door.joined()
    _, other = door.joined()
    door.routing.slow(channel)
    size = MAX_HELD_BYTES // 4
    for _ in range(4):
        door.hear(Fanout(1, None, None, b"e" * size))
    (closing,) = peer.closings
    assert closing.code is CloseCode.OVERLOADED
    assert closing.retry_after is not None
    assert door.took() == [Detach(channel.number)]
    assert len(other.took()) == 4


# ---------------------------------------------------------------------- numbered messages


def test_the_socket_isnt_read_with_too_many_unanswered() -> None:  # [SEND6]
    door = Door()
    channel, peer = door.joined()
    for seq in range(1, STOP_READING):
        door.number(channel, seq)
    assert not peer.paused
    door.number(channel, STOP_READING)
    assert peer.paused
    door.hear(Tell(channel.number, b"outcome", seq=1))
    assert not peer.paused


def test_the_socket_isnt_read_with_too_many_bytes_unanswered() -> None:
    door = Door()
    channel, peer = door.joined()
    door.number(channel, 1, size=STOP_READING_BYTES - 1)
    door.number(channel, 1, size=STOP_READING_BYTES - 1)  # a repeat counts once
    assert not peer.paused
    door.number(channel, 2, size=1)
    assert peer.paused
    door.number(channel, 3, size=1, acked=1)
    assert not peer.paused


@pytest.mark.parametrize("event", [EVENT, {"type": "increment", "seq": 7, "acked": 9}])
def test_plain_events_arent_kept(event: dict[str, Any]) -> None:  # [SEND1]
    door = Door()
    channel, _ = door.joined()
    door.routing.say(channel, event, 20)
    door.hear(Asleep("counter", "s", 1), Live("counter", "s", 2))
    assert [m for m in door.took() if isinstance(m, Said)] == [Said(channel.number, event)]


# ---------------------------------------------------------------------- sleep, wake, move


def test_sockets_sleep_quietly_and_the_next_message_wakes_all() -> None:  # [SLEEP1] [SLEEP2]
    door = Door()
    one, _ = door.joined()
    two, peer = door.joined()
    door.hear(Asleep("counter", "s", 1))
    assert door.took() == []
    door.hear(Fanout(1, "n.1", "n.2", b"of a lane that is gone"))
    assert peer.took() == []
    door.routing.say(two, EVENT, 20)
    sent = door.took()
    for channel in (one, two):
        attach = attach_of(sent, channel)
        assert (attach.greeted, attach.cursor) == (True, "n.1")
    assert sent[-1] == Said(two.number, EVENT)


def test_a_new_connection_or_a_request_wakes_those_who_are_there() -> None:  # [SLEEP2]
    for wake in ("open", "request"):
        door = Door()
        channel, _ = door.joined()
        door.hear(Asleep("counter", "s", 1))
        if wake == "open":
            door.open()
        else:
            door.routing.request(request(door), lambda answer: None)
        assert attach_of(door.took(), channel).greeted


def test_who_was_taken_over_is_put_before_no_other_incarnation() -> None:  # [OPEN5]
    door = Door()
    _, old = door.joined(client="same")
    newer, peer = door.open(client="same")
    other, _ = door.joined()
    door.took()
    door.hear(Asleep("counter", "s", 1), Live("counter", "s", 2), Joined(newer.number, 1, 2))
    [attach] = [message for message in door.took() if isinstance(message, Attach)]
    assert attach.channel == other.number
    assert [closing.code for closing in old.closings] == [CloseCode.TAKEN_OVER]
    assert peer.closings == []


def test_a_room_that_woke_by_itself_gets_its_channels() -> None:
    door = Door()
    channel, _ = door.joined()
    door.hear(Asleep("counter", "s", 1), Live("counter", "s", 2))
    assert attach_of(door.took(), channel).greeted
    door.hear(Live("counter", "s", 2))
    assert door.took() == []


def test_another_incarnation_without_a_word_gets_them_too() -> None:
    door = Door()
    door.hear(Live("counter", "s", 1))
    channel, _ = door.open()
    door.hear(Live("counter", "s", 1), Joined(channel.number, 1))
    door.took()
    door.hear(Live("counter", "s", 2))
    assert attach_of(door.took(), channel)


def test_what_is_unanswered_is_said_again_in_order() -> None:  # [SEND2]
    door = Door()
    channel, _ = door.joined()
    third = door.number(channel, 3)
    second = door.number(channel, 2)
    first = door.number(channel, 1)
    door.hear(Tell(channel.number, b"outcome 1", seq=1))
    door.took()
    door.hear(Asleep("counter", "s", 1))
    sent = door.took()
    assert attach_of(sent, channel).settled == 1
    assert sent[1:] == [Said(channel.number, second), Said(channel.number, third)]
    assert first not in [m.message for m in sent if isinstance(m, Said)]


def test_a_numbered_message_that_wakes_the_room_is_said_once() -> None:  # [SLEEP2]
    door = Door()
    channel, _ = door.joined()
    door.hear(Asleep("counter", "s", 1))
    message = door.number(channel, 1)
    sent = door.took()
    assert attach_of(sent, channel)
    assert sent[1:] == [Said(channel.number, message)]


def test_a_channel_whose_attach_is_under_way_isnt_attached_twice() -> None:
    door = Door()
    door.joined()
    late, _ = door.open()
    message = door.number(late, 1)
    door.took()
    door.hear(Asleep("counter", "s", 1), Live("counter", "s", 2))
    sent = door.took()
    assert late.number not in [m.channel for m in sent if isinstance(m, Attach)]
    assert Said(late.number, message) not in sent


def test_an_attachment_comes_back_with_the_next_attach() -> None:
    door = Door()
    channel, _ = door.joined()
    door.hear(Keep(channel.number, {"seat": 3}), Asleep("counter", "s", 1))
    door.routing.say(channel, EVENT, 20)
    assert attach_of(door.took(), channel).attachment == {"seat": 3}


def test_the_end_of_another_incarnation_concerns_nobody() -> None:
    door = Door()
    channel, _ = door.joined()
    door.hear(Live("counter", "s", 2))
    door.hear(Asleep("counter", "s", 1))
    door.routing.say(channel, EVENT, 20)
    assert door.took() == [Said(channel.number, EVENT)]


def test_who_was_asking_when_the_room_fell_asleep_asks_again() -> None:
    door = Door()
    channel, peer = door.joined()
    door.routing.slow(channel)
    door.hear(Fanout(1, "n.1", "n.2", b"patch"), Asleep("counter", "s", 1))
    door.routing.drained(channel)
    sent = door.took()
    assert attach_of(sent, channel).cursor == "n.1"
    assert sent[-1] == Want(channel.number, "n.1", 0, present=False)
    door.hear(Tell(channel.number, b"newest", cursor="n.2"))
    assert peer.took() == [text(b"newest")]


def test_a_router_that_goes_tells_nobody_that_they_left() -> None:  # [SEAT3]
    door = Door()
    peers = [door.joined()[1] for _ in range(2)]
    retry = iter([300, 700])
    door.routing.leave(lambda: Closing(CloseCode.GOING_AWAY, "restart", next(retry)))
    assert [peer.closings[0].retry_after for peer in peers] == [300, 700]
    assert door.took() == []


def test_where_no_host_comes_everybody_shall_come_back() -> None:  # [ROUTE7]
    door = Door()
    peers = [door.joined()[1] for _ in range(2)]
    door.routing.lost(door.host)
    for _ in range(MAX_PAUSES):
        assert [peer.closings for peer in peers] == [[], []]
        [pause] = [run for wait, run in door.timers if wait != MOVING_AFTER]
        door.timers.clear()
        pause()
    assert [peer.closings[0].code for peer in peers] == [CloseCode.OVERLOADED] * 2


# ---------------------------------------------------------------------- requests


def request(door: Door) -> Request:
    viewer = {"id": "ada", "role": "player", "claims": {}}
    number = door.routing.number()
    return Request(number, "counter", "s", "GET", "", {}, {}, b"", viewer, None, True)


def test_a_request_is_answered_once() -> None:
    door = Door()
    answers: list[Answer] = []
    asked = request(door)
    door.routing.request(asked, answers.append)
    assert door.took() == [asked]
    answer = Answer(asked.request, 200, {}, b"{}")
    door.hear(answer, answer)
    assert answers == [answer]


def test_an_abandoned_request_is_answered_to_nobody() -> None:
    door = Door()
    answers: list[Answer] = []
    asked = request(door)
    door.routing.request(asked, answers.append)
    door.routing.abandon(asked.request)
    door.hear(Answer(asked.request, 200, {}, b"{}"))
    assert answers == []


# ---------------------------------------------------------------------- while a room isn't there


def words(written: list[bytes]) -> list[str]:
    return [json.loads(data[2:])["status"] for data in written if b"room.status" in data]


def test_who_waits_for_its_room_is_told_and_told_again_when_it_is_there() -> None:  # [STATUS1]
    door = Door()
    channel, peer = door.joined()
    waiting, other = door.open()  # never let in: it has nothing on screen
    door.hear(Asleep("counter", "s", 1))
    assert door.timers == []
    door.number(channel, 1)
    ((seconds, look),) = door.timers
    assert seconds == MOVING_AFTER
    look()
    assert words(peer.took()) == ["moving"]
    assert other.took() == []
    door.number(channel, 2)  # it is told once
    for _, later in door.timers[1:]:
        later()
    assert peer.took() == []
    door.hear(Joined(channel.number, 2), Tell(channel.number, b"view", cursor="n.1"))
    written = peer.took()
    assert words(written) == ["live"]
    assert written[1] == text(b"view")
    assert waiting.place is Place.ASKED


def test_a_room_that_is_there_at_once_is_no_news() -> None:  # [STATUS1]
    door = Door()
    channel, peer = door.joined()
    door.hear(Asleep("counter", "s", 1))
    door.number(channel, 1)
    door.hear(Joined(channel.number, 2), Tell(channel.number, b"view", cursor="n.1"))
    for _, look in door.timers:
        look()
    assert words(peer.took()) == []
    door.routing.close(channel)
    for _, look in door.timers:
        look()


def test_volatile_messages_are_one_write_for_who_keeps_up() -> None:  # [VOLATILE2]
    door = Door()
    (one, first), (two, second) = door.joined(), door.joined()
    door.hear(Moment(1, None, {"a": b"1", "b": b"2"}))
    assert first.took() == second.took() == [text(b"1") + text(b"2")]
    door.hear(Moment(1, two.number, {"a": b"3"}), Moment(1, 99, {"a": b"4"}), Moment(9, None, {}))
    assert (first.took(), second.took()) == ([], [text(b"3")])
    assert one.place is Place.INSIDE


def test_so_much_of_plain_events_waits_for_a_room_that_isnt_there() -> None:  # [SEND6]
    door = Door()
    channel, peer = door.open()
    door.took()
    for _ in range(3):
        door.routing.say(channel, EVENT, MAX_HELD_BYTES // 2)
    assert door.took() == [Said(channel.number, EVENT)] * 2
    assert b'"busy"' in peer.took()[0]
    door.number(channel, 1)
    assert len(door.took()) == 1
    door.hear(Joined(channel.number, 1))
    for _ in range(3):
        door.routing.say(channel, EVENT, MAX_HELD_BYTES // 2)
    assert len(door.took()) == 3
    assert peer.took() == []
