"""Several hosts behind one router: where sessions go, and what becomes of their sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rooms.errors import CloseCode
from rooms.link.protocol import (
    Answer,
    Asleep,
    Attach,
    Detach,
    Elsewhere,
    Fanout,
    Joined,
    Keep,
    Leaving,
    Live,
    Message,
    Request,
    Said,
    Tell,
    Unheard,
    encode,
)
from rooms.placement.ring import place
from rooms.router.channels import MAX_EARLY_BYTES, Channel
from rooms.router.hosts import FIRST_PAUSE, LONGEST_PAUSE
from rooms.router.routing import MAX_PAUSES, MOVING_AFTER, Routing
from rooms.store.port import HostInfo
from tests.rooms.router.test_routing import EVENT, Peer, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.router.channels import Host

STATUS = {word: json.dumps({"type": "room.status", "status": word}) for word in ("moving", "live")}


class Link:
    """One host, as a script: what it was sent."""

    def __init__(self, routing: Routing, name: str) -> None:
        self.routing = routing
        self.info = HostInfo(f"incarnation of {name}", name, {"quiz": "1"}, 0)
        self.sent: list[Message] = []
        self.host: Host

    def arrive(self) -> None:
        self.host = self.routing.meet(self.info, self._send)

    def _send(self, message: Message) -> None:
        encode(message)
        self.sent.append(message)

    def took(self) -> list[Message]:
        sent, self.sent = self.sent, []
        return sent

    def attaches(self) -> list[Attach]:
        """The Attaches among what it was sent since the last look."""
        return [message for message in self.took() if isinstance(message, Attach)]

    def says(self, *messages: Message) -> None:
        for message in messages:
            encode(message)
            self.routing.receive(self.host, message)


class Fleet:
    """A router and its hosts; time moves when `pass_time` says so."""

    def __init__(self, *names: str) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.routing = Routing(lambda seconds, call: self.timers.append((seconds, call)))
        self.links = {name: Link(self.routing, name) for name in names}
        for link in self.links.values():
            link.arrive()

    def at_home(self, session: str = "s") -> tuple[Link, Link]:
        """The host where this session wakes, and another one."""
        found = place("quiz", session, [link.info for link in self.links.values()])
        assert found is not None
        here = self.links[found.address]
        return here, next(link for link in self.links.values() if link is not here)

    def open(
        self,
        session: str = "s",
        cursor: str | None = None,
        client: str | None = None,
        kind: str = "quiz",
    ) -> tuple[Channel, Peer]:
        peer, number = Peer(), self.routing.number()
        viewer = {"id": "ada", "role": "player", "claims": {}}
        client = client or f"client number {number}"
        attach = Attach(
            number, kind, session, viewer, client, None, cursor, "json", True,
            None, "t", {}, {}, None, False, 0,
        )  # fmt: skip
        return self.routing.open(attach, peer), peer

    def joined(self, link: Link, epoch: int = 5) -> tuple[Channel, Peer]:
        """A channel that was let in by this host."""
        channel, peer = self.open()
        link.says(Live("quiz", "s", epoch), Tell(channel.number, b"you"))
        link.says(Joined(channel.number, 1, epoch), Tell(channel.number, b"view", cursor="n.1"))
        peer.took()
        for each in self.links.values():
            each.took()
        return channel, peer

    def pass_time(self) -> float:
        """Let the pause end; how long it was (s)."""
        [timer] = [timer for timer in self.timers if timer[0] != MOVING_AFTER]
        self.timers.remove(timer)
        timer[1]()
        return timer[0]

    def half_a_second(self) -> None:
        """So much has passed."""
        for timer in [timer for timer in self.timers if timer[0] == MOVING_AFTER]:
            self.timers.remove(timer)
            timer[1]()

    def number(self, channel: Channel, seq: int) -> dict[str, Any]:
        message = {"type": "room.send", "seq": seq, "event": EVENT}
        self.routing.say(channel, message, 50)
        return message


def said(messages: list[Message]) -> list[dict[str, Any]]:
    return [message.message for message in messages if isinstance(message, Said)]


def statuses(peer: Peer) -> list[str]:
    return [
        word for data in peer.took() for word in STATUS if f'"status":"{word}"'.encode() in data
    ]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet("a", "b")


# ---------------------------------------------------------------------- where


def test_a_session_is_asked_for_where_it_would_wake(fleet: Fleet) -> None:  # [PLACE1]
    for session in map(str, range(20)):
        here, other = fleet.at_home(session)
        fleet.open(session)
        assert len(here.attaches()) == 1
        assert other.took() == []


def test_who_is_told_where_it_is_goes_there(fleet: Fleet) -> None:  # [PLACE4]
    here, there = fleet.at_home()
    channel, _ = fleet.open()
    fleet.routing.say(channel, {"type": "early"}, 20)
    numbered = fleet.number(channel, 1)
    [first, *_] = here.took()
    assert isinstance(first, Attach)
    here.says(Elsewhere(first.channel, there.info.address))
    sent = there.took()
    assert isinstance(sent[0], Attach)
    assert said(sent) == [numbered, {"type": "early"}]
    late, _ = fleet.open()  # the next one asks there at once
    assert [attach.channel for attach in there.attaches()] == [late.number]


def test_all_who_asked_at_the_wrong_host_go_to_the_right_one(fleet: Fleet) -> None:
    here, there = fleet.at_home()
    channels = [fleet.open()[0] for _ in range(3)]
    for attach in here.attaches():
        here.says(Elsewhere(attach.channel, there.info.address))
    assert [a.channel for a in there.attaches()] == [channel.number for channel in channels]


def test_hosts_that_point_to_each_other_are_asked_seldom(fleet: Fleet) -> None:  # [ROUTE7]
    here, there = fleet.at_home()
    _, peer = fleet.open()
    pauses = []
    for _ in range(MAX_PAUSES):
        asked = 0
        while True:
            [*ones], [*others] = here.attaches(), there.attaches()
            if not ones and not others:
                break
            asked += 1
            for attach in ones:
                here.says(Elsewhere(attach.channel, there.info.address))
            for attach in others:
                there.says(Elsewhere(attach.channel, here.info.address))
        assert 1 <= asked <= 4
        pauses.append(fleet.pass_time())
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == LONGEST_PAUSE
    for link in (here, there):
        for attach in link.attaches():
            link.says(Elsewhere(attach.channel, "nobody"))
    assert peer.closings[0].code is CloseCode.OVERLOADED


def test_a_host_that_cant_be_reached_is_waited_for(fleet: Fleet) -> None:  # [ROUTE7]
    here, _ = fleet.at_home()
    channel, _ = fleet.open()
    here.says(Elsewhere(channel.number, "c"))
    assert here.attaches()  # of before
    new = Link(fleet.routing, "c")
    new.arrive()  # what waits doesn't wait for the pause to end
    assert len(here.attaches() + new.attaches() + fleet.at_home()[1].attaches()) == 1


def test_a_host_that_comes_meanwhile_shortens_no_later_pause(fleet: Fleet) -> None:  # [ROUTE7]
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    for link in (here, there):
        fleet.routing.lost(link.host)
    for _ in range(3):
        fleet.pass_time()
    there.sent.clear()
    there.arrive()
    there.says(Elsewhere(channel.number, "dead"))  # it isn't there: another pause
    pauses = [timer for timer in fleet.timers if timer[0] != MOVING_AFTER]
    assert len(pauses) == 2
    pauses[0][1]()  # of before the host came
    assert len(there.attaches()) == 1
    pauses[1][1]()
    assert len(there.attaches()) == 1
    assert peer.closings == []


# ---------------------------------------------------------------------- a host is lost


def test_a_lost_host_closes_no_socket_and_its_sessions_go_on_at_once(  # [ROUTE1] [ROUTE2]
    fleet: Fleet,
) -> None:
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    here.says(Keep(channel.number, {"x": 1}))
    second, first = fleet.number(channel, 2), fleet.number(channel, 1)
    fleet.routing.lost(here.host)
    assert peer.closings == []
    assert statuses(peer) == []
    [attach, *rest] = there.took()
    assert isinstance(attach, Attach)
    assert (attach.cursor, attach.greeted, attach.attachment) == ("n.1", True, {"x": 1})
    assert said(rest) == [first, second]
    fleet.half_a_second()
    assert statuses(peer) == ["moving"]
    there.says(Live("quiz", "s", 6), Joined(channel.number, 1, 6))
    there.says(Tell(channel.number, b"newest", cursor="m.1"))
    written = peer.took()
    assert b'"live"' in written[0]
    assert written[1:] == [text(b"newest")]


def test_sessions_in_which_somebody_waits_for_an_answer_go_on_first(
    fleet: Fleet,
) -> None:  # [ROUTE1]
    here, there = fleet.at_home()
    others = [name for name in map(str, range(50)) if fleet.at_home(name)[0] is here][:3]
    for name in others:
        channel, _ = fleet.open(name)
        here.says(Live("quiz", name, 5), Joined(channel.number, 1, 5))
    busy, _ = fleet.joined(here)
    fleet.number(busy, 1)
    fleet.routing.lost(here.host)
    assert [attach.session for attach in there.attaches()] == ["s", *others]


def test_with_no_other_host_everything_waits_for_one(fleet: Fleet) -> None:  # [ROUTE3] [ROUTE4]
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    for link in (there, here):
        fleet.routing.lost(link.host)
    numbered = fleet.number(channel, 1)
    for n in range(3):
        fleet.routing.say(channel, {"type": "plain", "n": n}, 20)
    fleet.half_a_second()
    assert statuses(peer) == ["moving"]
    here.sent.clear()
    here.arrive()
    sent = here.took()
    assert isinstance(sent[0], Attach)
    assert said(sent)[0] == numbered
    assert [m["n"] for m in said(sent)[1:]] == [0, 1, 2]
    here.says(Joined(channel.number, 1, 6))
    here.took()
    fleet.routing.lost(here.host)  # it was let in: they may have been handled
    here.arrive()
    assert said(here.took()) == [numbered]


def test_what_waits_has_a_bound_of_bytes(fleet: Fleet) -> None:  # [ROUTE3]
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    for link in (here, there):
        fleet.routing.lost(link.host)
    peer.took()
    fleet.routing.say(channel, EVENT, MAX_EARLY_BYTES)
    assert peer.took() == []
    fleet.routing.say(channel, EVENT, 1)
    assert b'"busy"' in peer.took()[0]


def test_what_a_lost_host_may_have_had_isnt_said_again(fleet: Fleet) -> None:  # [ROUTE4]
    here, there = fleet.at_home()
    channel, _ = fleet.open()
    fleet.routing.say(channel, EVENT, 20)
    fleet.routing.lost(here.host)
    assert said(there.took()) == []


def test_what_was_said_before_one_was_let_in_is_said_once(fleet: Fleet) -> None:  # [ROUTE4]
    here, _ = fleet.at_home()
    channel, _ = fleet.open()
    fleet.routing.say(channel, {"type": "early"}, 20)
    here.says(Joined(channel.number, 1, 5))
    here.took()
    here.says(Asleep("quiz", "s", 5))
    fleet.routing.say(channel, {"type": "late"}, 20)
    assert said(here.took()) == [{"type": "late"}]


def test_who_was_asleep_there_is_left_asleep(fleet: Fleet) -> None:
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    here.says(Asleep("quiz", "s", 5))
    fleet.routing.lost(here.host)
    fleet.half_a_second()
    assert (there.took(), peer.took(), fleet.timers) == ([], [], [])
    fleet.routing.say(channel, EVENT, 20)
    assert said(there.took()) == [EVENT]


def test_what_was_shared_as_the_room_ended_is_said_to_the_next_host(fleet: Fleet) -> None:
    # [ROUTE1]
    here, there = fleet.at_home()
    channel, _ = fleet.joined(here)
    shares = {"type": "room.presence", "data": {"at": 1}}
    fleet.routing.say(channel, shares, 20)
    here.says(Leaving(), Asleep("quiz", "s", 5))
    assert said(there.took()) == [shares]


def test_the_next_host_hears_who_left_while_nobody_had_it(fleet: Fleet) -> None:  # [ROUTE8]
    here, there = fleet.at_home()
    channel, _ = fleet.joined(here)
    here.says(Asleep("quiz", "s", 5))
    fleet.routing.lost(here.host)
    fleet.routing.close(channel)
    attach, detach = there.took()
    assert isinstance(attach, Attach)
    assert detach == Detach(attach.channel)


def test_the_next_host_hears_nothing_of_who_was_taken_over(fleet: Fleet) -> None:  # [OPEN5]
    here, there = fleet.at_home()
    old, peer = fleet.joined(here)
    here.says(Asleep("quiz", "s", 5))
    fleet.routing.lost(here.host)
    newer, _ = fleet.open(client=old.attach.client)
    [attach] = there.took()
    assert isinstance(attach, Attach)
    assert attach.channel == newer.number
    [closing] = peer.closings
    assert closing.code is CloseCode.TAKEN_OVER


def test_a_request_of_a_lost_host_is_asked_again_only_if_it_asks(fleet: Fleet) -> None:  # [ROUTE5]
    here, there = fleet.at_home()
    got: dict[str, Answer] = {}

    def ask(method: str) -> int:
        viewer = {"id": "ada", "role": "player", "claims": {}}
        number = fleet.routing.number()
        request = Request(number, "quiz", "s", method, "", {}, {}, b"", viewer, None, True)
        fleet.routing.request(request, lambda answer: got.__setitem__(method, answer))
        return number

    look, _ = ask("GET"), ask("POST")
    assert len(here.took()) == 2
    fleet.routing.lost(here.host)
    assert got["POST"].status == 503
    [again] = there.took()
    assert isinstance(again, Request)
    assert again.method == "GET"
    there.says(Answer(look, 200, {}, b"{}"))
    assert got["GET"].status == 200


def test_a_request_that_wasnt_taken_goes_on_whatever_it_is(fleet: Fleet) -> None:  # [ROUTE5]
    here, there = fleet.at_home()
    viewer = {"id": "ada", "role": "player", "claims": {}}
    number = fleet.routing.number()
    request = Request(number, "quiz", "s", "POST", "", {}, {}, b"", viewer, None, True)
    answers: list[Answer] = []
    fleet.routing.request(request, answers.append)
    here.says(Elsewhere(number, "b" if there.info.address == "b" else "a"))
    assert there.took() == [request]
    there.says(Elsewhere(number, "nowhere"))
    assert fleet.pass_time() == FIRST_PAUSE
    assert here.took() == [request, request]
    here.says(Answer(number, 200, {}, b"{}"))
    assert len(answers) == 1


def test_what_a_host_asks_of_another_is_answered_by_its_own_number_and_not_tried_for_ever(
    fleet: Fleet,
) -> None:  # [ROUTE5]
    here, there = fleet.at_home()
    for number in (71, 72):
        there.says(Request(number, "quiz", "s", "POST", "", letter={}))
    first, second = (asked.request for asked in here.took() if isinstance(asked, Request))
    here.says(Answer(first, 200, {}, b"{}"), Elsewhere(second, "nowhere"))
    assert there.took() == [Answer(71, 200, {}, b"{}")]
    for _, call in sorted(fleet.timers, key=lambda timer: -timer[0]):  # it has waited so long
        call()
    assert here.took() == there.took() == []


# ---------------------------------------------------------------------- incarnations


def test_a_new_incarnation_elsewhere_takes_its_channels_with_it(fleet: Fleet) -> None:  # [LINK7]
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    before = channel.number
    there.says(Live("quiz", "s", 6))
    assert here.took() == [Detach(before, moved=True)]
    [attach] = there.attaches()
    assert attach.channel == channel.number != before
    here.says(
        Tell(before, b"old", cursor="n.2"), Fanout(1, "n.1", "n.2", b"old"), Joined(before, 1, 5)
    )
    assert peer.took() == []
    there.says(Elsewhere(channel.number, here.info.address))  # and back again
    here.says(Tell(before, b"old", cursor="n.2"), Fanout(1, "n.1", "n.2", b"old"))
    assert peer.took() == []


def test_lanes_of_two_hosts_may_have_one_number(fleet: Fleet) -> None:
    here, there = fleet.at_home()
    _, peer = fleet.joined(here)
    there.says(Fanout(1, "n.1", "n.2", b"theirs"))
    assert peer.took() == []
    here.says(Fanout(1, "n.1", "n.2", b"ours"))
    assert peer.took() == [text(b"ours")]


def test_an_older_incarnation_that_speaks_late_is_ignored(fleet: Fleet) -> None:  # [ROUTE6]
    here, there = fleet.at_home()
    channel, _ = fleet.joined(here, epoch=5)
    there.says(Live("quiz", "s", 4))
    assert here.took() == there.took() == []
    assert channel.host is here.host


def test_only_its_own_host_says_that_a_session_sleeps(fleet: Fleet) -> None:
    here, there = fleet.at_home()
    channel, _ = fleet.joined(here)
    there.says(Asleep("quiz", "s", 5))
    fleet.routing.say(channel, EVENT, 20)
    assert here.took() == [Said(channel.number, EVENT)]


# ---------------------------------------------------------------------- a host that leaves


def test_what_a_leaving_host_gives_back_goes_on_at_once(fleet: Fleet) -> None:  # [ROUTE9] [ROUTE2]
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    fleet.routing.say(channel, {"type": "late", "n": 1}, 20)
    fleet.routing.say(channel, {"type": "late", "n": 2}, 20)
    here.took()
    here.says(Leaving())
    assert there.took() == here.took() == []
    here.says(Unheard(channel.number, {"type": "late", "n": 1}))
    old = channel.number
    here.says(Asleep("quiz", "s", 5))
    [attach, *rest] = there.took()
    assert isinstance(attach, Attach)
    assert [m["n"] for m in said(rest)] == [1]
    here.says(Unheard(old, {"type": "late", "n": 2}))  # it came after the room had gone
    assert [m["n"] for m in said(there.took())] == [2]
    assert peer.took() == []


def test_a_leaving_host_gets_no_session_any_more(fleet: Fleet) -> None:  # [PLACE3]
    here, there = fleet.at_home()
    here.says(Leaving())
    channel, _ = fleet.open()
    assert here.took() == []
    assert [attach.channel for attach in there.attaches()] == [channel.number]


def test_what_the_store_knows_late_makes_no_leaving_host_stay(fleet: Fleet) -> None:  # [PLACE3]
    here, there = fleet.at_home()
    here.says(Leaving())
    here.host.listed(here.info)  # its last heartbeat was before that
    channel, _ = fleet.open()
    assert [attach.channel for attach in there.attaches()] == [channel.number]


def test_a_host_that_the_store_takes_for_dead_gets_no_session(fleet: Fleet) -> None:  # [PLACE1]
    here, there = fleet.at_home()
    here.host.listed(None)
    channel, _ = fleet.open()
    assert [attach.channel for attach in there.attaches()] == [channel.number]
    here.host.listed(here.info)
    other, _ = fleet.open(next(n for n in map(str, range(99)) if fleet.at_home(n)[0] is here))
    assert [attach.channel for attach in here.attaches()] == [other.number]


def test_who_waits_at_a_host_that_has_no_lease_any_more_goes_on_to_another(  # [ROUTE10]
    fleet: Fleet,
) -> None:
    here, there = fleet.at_home()
    channel, peer = fleet.joined(here)
    here.says(Asleep("quiz", "s", 5))
    message = fleet.number(channel, 1)
    fleet.routing.say(channel, {"type": "late"}, 20)
    assert len(here.attaches()) == 1
    old = channel.number
    fleet.routing.listed(here.host, here.info)
    assert there.took() == []
    fleet.routing.listed(here.host, None)
    assert Detach(old, moved=True) in here.took()
    [attach, *rest] = there.took()
    assert isinstance(attach, Attach)
    assert attach.cursor == "n.1"
    assert said(rest) == [message]  # the plain one may have been handled
    here.says(Joined(old, 1, 6), Elsewhere(old, None))  # too late
    fleet.routing.listed(here.host, None)
    assert there.took() == here.took() == []
    assert peer.closings == []


def test_a_room_that_is_there_stays_at_a_host_that_the_store_lists_no_more(  # [ROUTE10]
    fleet: Fleet,
) -> None:
    here, there = fleet.at_home()
    fleet.joined(here)
    fleet.open()
    fleet.routing.listed(here.host, None)
    assert there.took() == []
    assert len(here.took()) == 1


@pytest.mark.parametrize("kind", ["quiz", "unknown"])
def test_who_waits_at_the_only_host_stays_though_it_has_no_lease(kind: str) -> None:  # [ROUTE10]
    fleet = Fleet("one")
    one = fleet.links["one"]
    fleet.open(kind=kind)
    assert len(one.took()) == 1
    fleet.routing.listed(one.host, None)
    assert one.took() == []
    assert fleet.timers == []


def test_what_was_asked_of_a_leaving_host_goes_to_another(fleet: Fleet) -> None:  # [ROUTE9]
    here, there = fleet.at_home()
    channel, _ = fleet.open()
    here.says(Leaving(), Elsewhere(channel.number, None))
    assert len(there.attaches()) == 1
