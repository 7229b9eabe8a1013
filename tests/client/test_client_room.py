"""What a program reads of a room, says to it, and is told."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from client import Outcome, Room, RoomClosed
from client.outbox import LARGEST, NUMBERS, WAITING, WINDOW
from rooms.sync.codec import encode
from tests.client.world import START, World, settled

if TYPE_CHECKING:
    from collections.abc import Callable

    from rooms.sync.codec import Codec

# ------------------------------------------------------------------ reading


async def test_before_there_is_a_view() -> None:
    room = World().room
    assert (room.view, room.value, room.status, room.cursor, room.me) == (None,) * 5
    assert (dict(room.context), dict(room.children), dict(room.timers)) == ({}, {}, {})
    assert (list(room.tags), room.output, room.error) == ([], None, None)
    assert not room.matches("a")
    assert not room.has_tag("a")
    assert not room.can("a")
    assert not room.cast({"type": "a"})
    room.close()


async def test_all_that_a_view_says() -> None:
    view = {
        "value": {"playing": "open"},
        "context": {"n": 0},
        "status": "active",
        "tags": ["busy"],
        "children": {"p": {"value": "x"}},
        "output": 0,
        "error": {"message": "x"},
        "can": ["add"],
        "timers": {"question": START + 5},
    }
    room = (await World().joined(view)).room
    for name in ("value", "context", "status", "tags", "children", "output", "error", "timers"):
        assert getattr(room, name) == view[name]
    assert room.view == view
    assert room.matches("playing")
    assert room.matches({"playing": "open"})
    assert room.has_tag("busy")
    assert room.can("add")
    assert room.can({"type": "add", "by": 1})
    assert not room.can("remove")


async def test_the_servers_clock() -> None:
    world = World()
    await settled()
    world.socket.accept()
    world.greet(now=START + 500)
    assert world.room.now() == pytest.approx(START + 500, abs=1)
    ping = world.socket.take(pings=True)[0]
    await world.time.advance(100)
    world.socket.deliver({"type": "room.pong", "t": ping["t"], "now": START + 550})
    assert world.room.now() == pytest.approx(START + 600, abs=1)
    await world.time.advance(1000)
    assert world.room.now() == pytest.approx(START + 1600, abs=1)


# ------------------------------------------------------------------ listening


async def test_a_subscriber_is_called_at_once_when_there_is_a_view_then_after_each_change() -> None:
    world = World()
    early: list[Any] = []
    late: list[Any] = []
    world.room.subscribe(lambda room: early.append(room.value))
    await world.joined({"value": "a"})
    subscription = world.room.subscribe(lambda room: late.append(room.value))
    world.show("n.2", {"value": "b"})
    subscription.unsubscribe()
    subscription.unsubscribe()
    world.show("n.3", {"value": "c"})
    assert (early, late) == (["a", "b", "c"], ["a", "b"])


async def test_one_that_raises_is_reported_and_the_others_are_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = await World().joined()
    seen: list[Any] = []

    def broken(room: Room) -> None:
        raise ZeroDivisionError

    world.room.subscribe(broken)
    world.room.subscribe(lambda room: seen.append(room.value))
    world.show("n.2", {"value": "b"})
    assert seen == ["a", "b"]
    assert caplog.text.count("a listener of a room failed") == 2


async def test_who_unsubscribes_another_while_all_are_told_spares_it() -> None:
    world = await World().joined()
    seen: list[str] = []
    world.room.subscribe(lambda room: second.unsubscribe() if room.value == "b" else None)
    second = world.room.subscribe(lambda room: seen.append(room.value))
    world.show("n.2", {"value": "b"})
    assert seen == ["a"]


async def test_the_same_function_may_subscribe_twice() -> None:
    world = await World().joined()
    seen: list[Any] = []
    tell: Callable[[Room], None] = lambda room: seen.append(room.value)  # noqa: E731
    first = world.room.subscribe(tell)
    world.room.subscribe(tell)
    first.unsubscribe()
    world.show("n.2", {"value": "b"})
    assert seen == ["a", "a", "b"]


@pytest.mark.parametrize("code", [1000, 4403])
async def test_an_observer_learns_of_the_end(code: int) -> None:
    world = await World().joined()
    seen: list[Any] = []

    def watch() -> None:
        world.room.subscribe(
            error=lambda error: seen.append(str(error)), complete=lambda: seen.append("complete")
        )

    watch()
    if code == 1000:
        world.room.close()
    else:
        world.socket.drop(code, "full")
    watch()  # whoever comes too late learns of it as well
    told = "complete" if code == 1000 else "the room is closed (4403: full)"
    assert seen == [told, told]


async def test_emitted_events_go_to_those_who_listen_to_their_type_or_to_all() -> None:
    world = await World().joined()
    cheers: list[Any] = []
    everything: list[Any] = []
    world.room.on("cheer", cheers.append)
    world.room.on("*", everything.append)
    for type in ("cheer", "boo"):
        world.socket.deliver({"type": "room.emitted", "event": {"type": type}})
    assert cheers == [{"type": "cheer"}]
    assert everything == [{"type": "cheer"}, {"type": "boo"}]


async def test_presence_and_connection_have_listeners_of_their_own() -> None:
    world = World()
    states: list[str] = []
    present: list[Any] = []
    world.room.on_connection(states.append)
    world.room.on_present(lambda viewers: present.append(dict(viewers)))
    await world.joined()
    world.socket.deliver({"type": "room.present", "viewers": {"ann": {}, "bob": None}})
    world.socket.drop()
    assert states == ["connecting", "open", "waiting"]
    assert present == [{}, {"ann": {}}]


async def test_a_refused_message_is_a_warning_unless_somebody_listens(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = await World().joined()
    refusal = {"type": "room.error", "code": "sender", "reason": "no"}
    with caplog.at_level(logging.WARNING):
        world.socket.deliver({**refusal, "seq": 1})  # its outcome will say so
        assert caplog.text == ""
        world.socket.deliver(refusal)
        assert "sender: no" in caplog.text
        caplog.clear()
        seen: list[Any] = []
        world.room.on("room.error", seen.append)
        world.socket.deliver(refusal)
    assert seen == [refusal]
    assert caplog.text == ""


# ------------------------------------------------------------------ saying


async def test_the_outcome_comes_when_subscribers_have_been_told_of_the_view_it_led_to() -> None:
    world = await World().joined()  # [SEND5]
    order: list[str] = []
    world.room.subscribe(lambda room: order.append(room.value))
    outcome = world.room.send({"type": "go"})
    outcome.add_done_callback(lambda done: order.append(done.result().outcome))
    patch = {"type": "room.patch", "base": "n.1", "cursor": "n.2", "ops": [[["value"], "b"]]}
    world.socket.deliver(patch)
    world.socket.deliver({"type": "room.outcome", "seq": 1, "outcome": "accepted", "cursor": "n.2"})
    assert await outcome == Outcome("accepted", "n.2")
    await settled()
    assert order == ["a", "b", "accepted"]


async def test_an_event_is_sent_as_it_was_when_it_was_sent() -> None:
    world = World()
    event: dict[str, Any] = {"type": "add", "by": [1]}
    world.room.send(event)
    event["by"].append(2)
    await world.joined()
    world.room.reconnect()
    await settled()
    world.socket.accept()
    world.greet()
    assert world.socket.take()[0]["event"] == {"type": "add", "by": [1]}
    world.room.close()


async def test_more_than_a_thousand_waiting_are_turned_away() -> None:
    world = World()
    outcomes = [world.room.send({"type": "a"}) for _ in range(WAITING)]
    turned_away = await world.room.send({"type": "a"})
    assert turned_away.outcome == "rejected"
    assert "waiting" in turned_away.reason
    await settled()
    world.socket.accept()
    world.greet()
    assert [frame["seq"] for frame in world.socket.take()] == list(range(1, WINDOW + 1))
    world.socket.deliver({"type": "room.outcome", "seq": 1, "outcome": "ignored"})
    assert await outcomes[0] == Outcome("ignored")
    assert [frame["seq"] for frame in world.socket.take()] == [WINDOW + 1]
    world.room.close()


@pytest.mark.parametrize("codec", ["json", "msgpack"])
@pytest.mark.parametrize("child", [None, "c" * 1_000])
async def test_what_no_server_reads_isnt_sent(codec: Codec, child: str | None) -> None:
    world = await World(protocol=f"rooms.v1.{codec}").joined()  # [SEND12] [DOOR2]

    def say(size: int) -> asyncio.Future[Outcome]:
        event = {"type": "say", "text": "x" * size}
        return world.room.send(event) if child is None else world.room.send_to(child, event)

    size = LARGEST
    while (refused := say(size)).done():
        assert await refused == Outcome("rejected", reason="an event has at most 64 KiB")
        size -= 1
    assert not world.room.cast({"type": "say", "text": "x" * LARGEST})
    with pytest.raises(ValueError, match="presence has at most 2 KB"):
        world.room.presence("x" * LARGEST)
    [largest] = world.socket.take()
    numbers = {"seq": 2**53, "acked": 2**53}  # as high as they can be
    assert LARGEST - NUMBERS < len(encode({**largest, **numbers}, codec)) <= LARGEST
    assert world.room.connection == "open"
    world.room.close()


@pytest.mark.parametrize(
    "event", ["go", None, {}, {"type": 1}, {"type": "room.get"}, {"type": "a", "b": {1}}]
)
async def test_what_is_no_event_is_the_callers_mistake(event: Any) -> None:
    world = await World().joined()
    for say in (world.room.send, world.room.cast):
        with pytest.raises(TypeError):
            say(event)
    assert world.socket.take() == []


async def test_casts_are_dropped_when_the_way_out_is_full() -> None:
    world = await World().joined()
    world.socket.unsent = 65_537
    assert not world.room.cast({"type": "move"})
    world.room.send({"type": "kept"})
    world.socket.unsent = 65_536
    assert world.room.cast({"type": "move"})
    assert [frame["type"] for frame in world.socket.take()] == ["room.send", "move"]
    world.room.close()


async def test_outcomes_that_wait_for_a_view_are_told_when_the_room_ends_instead() -> None:
    world = World()
    outcome = world.room.send({"type": "a"})
    await settled()
    world.socket.accept()
    world.greet()
    world.socket.deliver({"type": "room.outcome", "seq": 1, "outcome": "accepted", "cursor": "n.1"})
    await settled()
    assert not outcome.done()
    world.room.close()
    assert (await outcome).outcome == "accepted"


async def test_who_gives_up_an_outcome_gives_up_no_event() -> None:
    world = await World().joined()
    given_up = world.room.send({"type": "a"})
    given_up.cancel()
    world.socket.deliver({"type": "room.outcome", "seq": 1, "outcome": "accepted", "cursor": "n.1"})
    kept = world.room.send({"type": "b"})
    world.socket.deliver({"type": "room.outcome", "seq": 2, "outcome": "accepted", "cursor": "n.1"})
    assert (await kept).outcome == "accepted"
    lost = world.room.send({"type": "c"})
    lost.cancel()
    world.room.close()


async def test_nobody_has_to_await_anything(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.room.send({"type": "a"})
    world.room.close()
    world.room.send({"type": "b"})
    del world
    await settled()
    assert caplog.text == ""


# ------------------------------------------------------------------ waiting


async def test_awaiting_a_room_waits_for_its_first_view() -> None:
    world = World()
    waiting = asyncio.ensure_future(world.room.ready())
    await settled()
    assert not waiting.done()
    await world.joined()
    assert await waiting is world.room
    assert await world.room is world.room
    async with world.room:
        assert world.state() == "open"
    assert world.state() == "closed"


async def test_who_gives_up_waiting_for_the_first_view_leaves() -> None:
    world = World()
    waiting = asyncio.ensure_future(world.room.ready())
    await settled()
    waiting.cancel()
    await settled()
    assert world.state() == "closed"


async def test_wait_for_asks_now_and_at_each_change() -> None:
    world = await World().joined({"value": "a"})
    assert await world.room.wait_for(lambda room: room.matches("a")) is world.room
    waiting = asyncio.ensure_future(world.room.wait_for(lambda room: room.matches("c")))
    for number, value in enumerate("bc"):
        await settled()
        assert not waiting.done()
        world.show(f"n.{number + 2}", {"value": value})
    await waiting
    crowd = asyncio.ensure_future(world.room.wait_for(lambda room: room.present_count == 2))
    away = asyncio.ensure_future(world.room.wait_for(lambda room: room.connection == "waiting"))
    await settled()
    world.socket.deliver({"type": "room.present", "viewers": {"ann": {}, "bob": {}}})
    await crowd
    world.socket.drop()
    await away
    assert not world.room._observers._all


async def test_wait_for_has_a_bound_that_says_what_it_saw() -> None:
    world = await World().joined({"value": "a"})
    waiting = asyncio.ensure_future(world.room.wait_for(lambda room: False, timeout=1000))
    await world.time.advance(999)
    assert not waiting.done()
    await world.time.advance(1)
    with pytest.raises(TimeoutError, match=r"after 1000 ms the room is still .* open 'a' n\.1"):
        await waiting
    assert not world.room._observers._all


@pytest.mark.parametrize("code", [1000, 4403])
async def test_wait_for_ends_with_the_room(code: int) -> None:
    world = await World().joined()
    waiting = asyncio.ensure_future(world.room.wait_for(lambda room: False))
    await settled()
    if code == 1000:
        world.room.close()
    else:
        world.socket.drop(code)
    with pytest.raises(RoomClosed) as closed:
        await waiting
    assert closed.value.code == code


async def test_a_predicate_that_raises_says_so_to_who_waits() -> None:
    world = await World().joined()
    with pytest.raises(ZeroDivisionError):
        await world.room.wait_for(lambda room: 1 // 0 == 1)
