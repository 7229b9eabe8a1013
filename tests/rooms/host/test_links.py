"""What a host knows of its routers' connections: by number, by session, by lane."""

from __future__ import annotations

from rooms.host.links import Links
from rooms.link.memory import MemoryEnd
from rooms.link.protocol import Attach
from rooms.store.port import SessionId
from rooms.tally import HostTally

ONE, OTHER = SessionId("counter", "one"), SessionId("counter", "other")


def attach(number: int, at: SessionId) -> Attach:
    return Attach(
        channel=number,
        kind=at.kind,
        session=at.session,
        viewer={"id": "ann", "role": "player", "claims": {}},
        client="c",
        since=None,
        cursor=None,
        codec="json",
        create=True,
        token=None,
        renewed=None,
        params={},
        headers={},
        attachment=None,
        greeted=False,
        settled=0,
    )


def test_a_sessions_connections_are_known_until_they_are_forgotten() -> None:
    links, end = Links(HostTally()), MemoryEnd()
    links.add(end)
    first, second = (links.open(end, attach(number, ONE), ONE) for number in (1, 2))
    third = links.open(end, attach(3, OTHER), OTHER)
    assert links.open(end, attach(1, ONE), ONE) is first
    assert links.of(ONE) == [first, second]
    links.forget(first)
    links.forget(first)
    assert links.of(ONE) == [second]
    assert links.remove(end) == [second, third]
    assert links.of(ONE) == links.of(OTHER) == []


def test_nothing_is_kept_of_a_session_that_nobody_is_connected_to() -> None:
    links, end = Links(HostTally()), MemoryEnd()
    links.add(end)
    links.forget(links.open(end, attach(1, ONE), ONE))
    assert links._sessions == {}


def test_what_is_shared_here_is_newer_than_what_its_router_had_kept() -> None:  # [ROUTE1]
    links, end = Links(HostTally()), MemoryEnd()
    links.add(end)
    channel = links.open(end, attach(1, ONE), ONE)
    channel.attach_again({"presence": {"at": 1}, "kept": None})
    assert channel.presence == {"at": 1}
    channel.presence = {"at": 2}
    channel.attach_again({"presence": {"at": 1}, "kept": {"met": 1}})
    assert (channel.presence, channel.kept) == ({"at": 2}, {"met": 1})
