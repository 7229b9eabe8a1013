"""A connection is kept up, and nobody waits for a silent one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client import RoomClosed
from client.link import ANSWER, CONNECT, IDLE, STRAY
from tests.client.world import START, World, settled

if TYPE_CHECKING:
    from collections.abc import Awaitable


def pings(world: World) -> list[Any]:
    return [frame for frame in world.socket.take(pings=True) if frame["type"] == "room.ping"]


async def test_an_attempt_that_gets_no_socket_in_time_is_given_up() -> None:
    world = World()
    await world.time.advance(CONNECT - 1)
    assert (world.state(), len(world.sockets)) == ("connecting", 1)
    await world.time.advance(1)
    assert world.state() == "waiting"
    await world.time.advance(125)
    assert len(world.sockets) == 2


async def test_so_is_a_token_that_never_comes() -> None:
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    world = World(token=lambda: never)
    await world.time.advance(CONNECT)
    assert (world.state(), len(world.sockets)) == ("waiting", 0)
    world.room.close()


async def test_a_door_that_says_nothing_at_first_is_asked_then_left() -> None:
    world = World()
    await settled()
    world.socket.accept()
    await world.time.advance(CONNECT - 1)
    assert pings(world) == []
    await world.time.advance(1)
    assert len(pings(world)) == 1
    await world.time.advance(ANSWER)
    assert world.state() == "waiting"


async def test_the_time_is_asked_for_on_every_connection() -> None:
    world = World()
    await settled()
    world.socket.accept()
    world.greet()
    assert pings(world) == [{"type": "room.ping", "t": START}]


async def test_taken_over_by_an_attempt_that_was_given_up_and_came_late() -> None:
    world = await World().joined()
    world.room.reconnect()
    await settled()
    world.socket.accept()
    world.greet()
    world.socket.drop(4410, "a newer connection of yours took over")
    assert world.state() == "waiting"
    await world.time.advance(125)
    world.socket.accept()
    world.greet()
    await world.time.advance(0)
    assert (world.state(), len(world.sockets)) == ("open", 3)


async def test_taken_over_when_no_attempt_of_its_own_can_be_under_way() -> None:
    world = await World().joined()
    world.room.reconnect()
    await settled()
    world.socket.accept()
    world.greet()
    world.socket.deliver({"type": "room.pong", "t": START, "now": START})
    await world.time.advance(IDLE - 1)
    world.socket.deliver({"type": "room.pong", "t": START, "now": START})
    await world.time.advance(STRAY - IDLE + 1)
    world.socket.drop(4410, "a newer connection of yours took over")
    assert world.state() == "closed"


async def test_quiet_then_a_ping_then_another_connection() -> None:
    world = await World().joined()
    await world.time.advance(IDLE - 1)
    assert pings(world) == []
    await world.time.advance(1)
    assert len(pings(world)) == 1
    await world.time.advance(ANSWER - 1)
    assert world.state() == "open"
    await world.time.advance(1)
    assert world.state() == "waiting"
    assert world.room.closing is not None
    assert (world.room.closing.code, world.room.closing.retry_after) == (1006, 0)
    await world.time.advance(125)
    assert len(world.sockets) == 2


async def test_whatever_is_heard_is_a_sign_of_life() -> None:
    world = await World().joined()
    for number in range(20):
        await world.time.advance(IDLE - 1000)
        world.socket.deliver({"type": "room.status", "status": "live"})
        assert pings(world) == [], number
    await world.time.advance(IDLE)
    world.socket.deliver({"type": "room.pong", "t": world.time.now(), "now": START})
    await world.time.advance(ANSWER + 1)
    assert world.state() == "open"


async def test_what_is_sent_and_not_answered_makes_it_ask_sooner() -> None:
    world = await World().joined()
    world.room.send({"type": "a"})
    await world.time.advance(ANSWER - 1)
    world.room.send({"type": "b"})  # doesn't put it off
    await world.time.advance(1)
    assert len(pings(world)) == 1
    await world.time.advance(ANSWER)
    assert world.state() == "waiting"
    world.room.close()


async def test_one_timer_serves_a_busy_connection() -> None:
    world = await World().joined()
    timer = next(iter(world.time.pending))
    for _ in range(100):
        world.socket.deliver({"type": "room.status", "status": "live"})
    assert list(world.time.pending) == [timer]


async def test_a_socket_left_behind_has_no_say_any_more() -> None:
    world = await World().joined()
    old = world.socket
    listener = old.listener
    world.room.reconnect()
    await settled()
    assert old.listener is None
    assert listener is not None
    assert len(world.sockets) == 2
    assert world.state() == "connecting"


async def test_a_closed_room_has_no_socket_and_no_timer() -> None:
    world = await World().joined()
    world.room.close()
    await world.room.wait_closed()
    assert world.time.pending == {}
    assert world.socket.listener is None
    with pytest.raises(RoomClosed):
        world.room.reconnect()


async def test_closing_while_connecting_makes_no_socket() -> None:
    world = World()
    world.room.close()
    await settled()
    assert world.sockets == []
    with pytest.raises(RoomClosed):
        await world.room


async def test_closing_while_being_told_of_a_connection_is_the_end_of_it() -> None:
    world = World()
    world.room.on_connection(lambda state: world.room.close() if state == "open" else None)
    await settled()
    world.socket.accept()
    world.greet()
    assert world.state() == "closed"
    await world.time.advance(60_000)
    assert len(world.sockets) == 1


async def test_an_address_that_no_socket_can_be_made_for_isnt_tried_again() -> None:
    def dial(*_: object) -> Any:
        raise ValueError("no such thing")

    world = World()
    world.room.close()
    world.room._link._dial = dial
    world.room._link.open()
    await settled()
    assert world.room.closing is not None
    assert (world.state(), world.room.closing.reason) == ("closed", "no such thing")


async def test_the_subprotocol_says_what_is_spoken() -> None:
    for protocol in ("rooms.v1.json", "rooms.v1.msgpack", None):
        world = await World(protocol=protocol).joined({"value": "b"})
        assert world.socket.subprotocol == protocol
        assert world.room.value == "b"
        world.room.send({"type": "add", "by": 1})
        assert world.socket.take() == [
            {"type": "room.send", "seq": 1, "event": {"type": "add", "by": 1}}
        ]


async def test_the_client_id_is_128_bits_that_nobody_else_has() -> None:
    worlds = [World() for _ in range(10)]
    await settled()
    clients = {world.socket.query["client"] for world in worlds}
    assert len(clients) == 10
    assert all(len(client) == 32 for client in clients)


# ------------------------------------------------------------------ tokens


async def test_a_function_is_asked_for_every_connection() -> None:
    tokens = iter(["t1", "t2"])

    async def token() -> str:
        return next(tokens)

    world = await World(token=token).joined(None, token="renewed")
    assert world.socket.query["token"] == "t1"
    assert world.room.token == "renewed"
    world.socket.drop()
    await world.time.advance(125)
    assert world.socket.query["token"] == "t2"


async def test_4401_comes_back_with_a_new_token() -> None:  # [CLOSE1]
    tokens = iter(["old", "new"])
    world = await World(token=lambda: next(tokens)).joined()
    world.socket.drop(4401, "expired")
    assert world.state() == "waiting"
    await world.time.advance(125)
    assert world.socket.query["token"] == "new"
    await world.joined()
    assert world.state() == "open"


async def test_and_not_with_the_same_one() -> None:
    world = await World(token=lambda: "old").joined(None, token="renewed")
    world.socket.drop(4401, "expired")
    await world.time.advance(125)
    assert world.room.closing is not None
    assert (world.state(), world.room.closing.code) == ("closed", 4401)
    assert len(world.sockets) == 1


async def test_a_function_that_raises_is_asked_again() -> None:
    calls: list[int] = []

    def token() -> str | Awaitable[str | None] | None:
        calls.append(1)
        if len(calls) == 2:
            raise OSError("offline")
        return "old"

    world = await World(token=token).joined()
    world.socket.drop(4401, "expired")
    await world.time.advance(125)
    assert (world.state(), len(calls)) == ("waiting", 2)
    await world.time.advance(250)
    assert (world.state(), len(calls)) == ("closed", 3)


async def test_who_the_server_made_us_is_who_we_are_next_time() -> None:  # [ID2]
    world = await World().joined(None, token="t1")
    assert world.room.token == "t1"
    again = World(token=world.room.token)
    await settled()
    assert again.socket.query["token"] == "t1"
