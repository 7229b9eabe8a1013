"""Rooms without a machine: their hooks, one at a time, each with all that it does or nothing."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import PlainTextResponse

from rooms.app import App
from rooms.definition import Room
from rooms.errors import TooBig, UsageError
from rooms.host.hooks.session import LONGEST
from rooms.link.memory import pair
from rooms.sync.views import everything, show
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.rooms.host.stage import Tab


class Chat(Room):
    """Everything that is said is kept, and told to everybody else."""

    def on_message(self, connection: Any, message: Any) -> Any:
        count = self.storage.get("count", 0) + 1
        self.storage.put("count", count)
        self.storage.put(f"line/{count:04}", message)
        self.broadcast(message, exclude=connection)
        return {"count": count}


async def stage(room: type[Room] = Chat) -> Stage:
    return await Stage(chat=room).start()


def events(tab: Tab) -> list[Any]:
    """What the room said to it since the last call."""
    return [message["event"] for message in tab.took() if message["type"] == "room.emitted"]


async def storage(on: Stage) -> dict[str, Any]:
    """What is stored."""
    record = await on.record("chat/x")
    return {} if record is None else {k: json.loads(v) for k, v in record.storage.items() if k}


async def test_a_chat_tells_the_others_when_it_is_stored() -> None:  # [HOOK1]
    on = await stage()
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    assert ann.view == {"status": "active"}
    ann.took(), bob.took()
    with on.store.holding():
        seq = await ann.send("said", text="hi")
        assert events(bob) == []
    await on.settle()
    said = {"type": "said", "text": "hi", "sender": "ann"}
    assert events(bob) == [said]
    assert ann.outcome(seq)["outcome"] == "accepted"
    assert ann.outcome(seq)["result"] == {"count": 1}
    assert events(ann) == []
    assert await storage(on) == {"count": 1, "line/0001": said}


async def test_hooks_run_one_at_a_time_in_the_order_of_what_happened() -> None:  # [HOOK1]
    trace: list[str] = []
    gates: dict[str, asyncio.Event] = {}

    class Slow(Room):
        async def on_start(self) -> None:
            await self.note("start")

        async def on_connect(self, connection: Any, request: Any) -> None:
            await self.note(f"connect {connection.viewer.id}")

        async def on_message(self, connection: Any, message: Any) -> None:
            await self.note(f"{message['type']} {connection.viewer.id}")

        async def on_close(self, connection: Any) -> None:
            await self.note(f"close {connection.viewer.id}")

        def on_request(self, request: Any) -> Any:
            trace.append("request")
            return PlainTextResponse("there")

        async def note(self, what: str) -> None:
            trace.append(f"{what} begins")
            gates[what] = asyncio.Event()
            await gates[what].wait()
            trace.append(f"{what} ends")

    on = await stage(Slow)
    ann = await on.connect("ann", "chat/x")
    bob = await on.connect("bob", "chat/x")
    await ann.say("one")
    await bob.say("two")
    await ann.say("three")
    asked = on.ask("GET", "chat/x", path="/")
    expected = ["start", "connect ann", "connect bob", "one ann", "two bob", "three ann"]
    done: list[str] = []
    for what in expected:
        await on.settle()
        assert trace == [*done, f"{what} begins"]
        gates[what].set()
        done += [f"{what} begins", f"{what} ends"]
        await on.settle()
    assert trace == [*done, "request"]
    answer = asked()
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"there")
    await bob.leave()
    gates["close bob"].set()
    await on.settle()
    assert trace[-1] == "close bob ends"


async def test_what_a_hook_that_raises_wrote_and_sent_is_dropped() -> None:  # [HOOK3]
    errors: list[tuple[Any, str]] = []

    class Fragile(Chat):
        def on_connect(self, connection: Any, request: Any) -> None:
            connection.set_state({"greeted": True})

        async def on_message(self, connection: Any, message: Any) -> Any:
            result = Chat.on_message(self, connection, message)
            connection.set_state({"said": message["type"]})
            self.storage.set_alarm(self.now + 1000)
            connection.send({"type": "echo"})
            if message["type"] == "broken":
                raise ValueError("secret of the stack")
            return result

        def on_error(self, connection: Any, error: Exception) -> None:
            assert self.storage.get_alarm() is None or errors
            errors.append((connection.state, str(error)))
            self.storage.put("errors", len(errors))

    on = await stage(Fragile)
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    ann.took(), bob.took()
    seq = await ann.send("broken")
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert "secret" not in ann.outcome(seq)["reason"]
    assert errors == [({"greeted": True}, "secret of the stack")]
    assert events(ann) == events(bob) == []
    assert await storage(on) == {"errors": 1}, "what on_error writes counts"
    await ann.say("broken")
    assert [m["code"] for m in ann.took() if m["type"] == "room.error"] == ["failed"]
    await ann.send("fine")
    assert [event["type"] for event in events(bob)] == ["fine"]
    assert (await storage(on))["count"] == 1
    await ann.send("broken")
    assert errors[-1][0] == {"said": "fine"}


async def test_a_numbered_event_has_one_outcome_whatever_happens() -> None:  # [HOOK4]
    on = await stage()
    ann = await on.connect("ann", "chat/x", client="one")
    seq = await ann.send("said")
    await on.crash()
    ann = await on.connect("ann", "chat/x", client="one")
    await ann.send("said", seq=seq)
    assert ann.outcome(seq)["result"] == {"count": 1}
    await ann.send("said", seq=seq + 1)
    await on.advance(30_000)
    assert not on.awake("chat/x")
    await ann.send("said", seq=seq + 1)
    assert (await storage(on))["count"] == 2


async def test_a_repeat_that_comes_while_its_hook_runs_waits_for_it() -> None:  # [HOOK4]
    calls: list[Any] = []
    go = asyncio.Event()

    class Slow(Room):
        async def on_message(self, connection: Any, message: Any) -> None:
            calls.append(message["type"])
            await go.wait()

    on = await stage(Slow)
    ann = await on.connect("ann", "chat/x", client="one")
    await ann.send("said", seq=1)
    again = await on.connect("ann", "chat/x", client="one")
    await again.send("said", seq=1)
    go.set()
    await on.settle()
    assert calls == ["said"]
    assert again.outcomes() == [(1, "accepted")]


async def test_an_event_that_no_hook_hears_is_ignored() -> None:  # [HOOK4]
    class Deaf(Room):
        def on_connect(self, connection: Any, request: Any) -> None:
            connection.send({"type": "hello", "to": connection.viewer.id})

    on = await stage(Deaf)
    ann = await on.connect("ann", "chat/x")
    assert events(ann) == [{"type": "hello", "to": "ann"}]
    seq = await ann.send("said")
    assert ann.outcome(seq)["outcome"] == "ignored"
    assert await on.record("chat/x") is None


async def test_the_rules_of_the_door_hold_for_hooks_too() -> None:  # [SEND7]
    class Guarded(Chat):
        def allow_send(self, viewer: Any, event: Any, snapshot: Any) -> Any:
            return event["type"] != "forbidden" or "not that"

        def allow_join(self, viewer: Any, snapshot: Any) -> Any:
            return viewer.role != "stranger" or "no strangers"

    on = await stage(Guarded)
    ann = await on.connect("ann", "chat/x")
    first, second = await ann.send("said"), await ann.send("forbidden")
    assert ann.outcome(first)["outcome"] == "accepted"
    assert ann.outcome(second)["reason"] == "not that"
    stranger = await on.connect("eve", "chat/x", role="stranger")
    assert stranger.closing is not None
    assert stranger.closing.code == 4403
    answer = await on.request("POST", "chat/x", {"type": "said"})
    assert json.loads(answer.body)["result"] == {"count": 2}


@pytest.mark.parametrize("codec", ["json", "msgpack"])
async def test_text_and_bytes_are_events_where_there_are_only_events(  # [HOOK5]
    codec: str,
) -> None:
    class Mixed(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            connection.send("text")
            connection.send(b"\x00bytes")
            self.broadcast({"type": "event", "of": message["type"]})

    on = await stage(Mixed)
    ann = await on.connect("ann", "chat/x", codec=codec)
    await ann.say("go")
    assert events(ann) == [
        {"type": "message", "data": "text"},
        {"type": "message", "base64": "AGJ5dGVz"},
        {"type": "event", "of": "go"},
    ]


async def test_at_parties_text_and_bytes_are_as_they_are() -> None:  # [PARTY3]
    heard: list[Any] = []

    class Echo(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            heard.append(message)
            connection.send(message)
            self.broadcast({"type": "heard"}, exclude=[connection.id])

    on = await stage(Echo)
    raw, ann = await on.connect("bob", "chat/x", codec="party"), await on.connect("ann", "chat/x")
    assert raw.frames == [], "it hears nothing but what the room says"
    raw.put_raw("hello")
    raw.put_raw(b"\xff\x00")
    await on.settle()
    assert heard == ["hello", b"\xff\x00"]
    assert raw.frames == ["hello", b"\xff\x00"]
    await ann.say("from elsewhere")
    assert raw.frames[2:] == ['{"type":"heard"}']


async def test_at_parties_a_machine_is_seen_as_snapshots_and_patches() -> None:  # [PARTY1] [PARTY2]
    on = await Stage(counter=Counter).start()
    bob, ann = await on.connect("bob", codec="party"), await on.connect("ann")
    frames = [json.loads(frame) for frame in bob.frames]
    assert [frame["type"] for frame in frames] == ["party.snapshot.update"]
    assert frames[0]["snapshot"] == {"tags": [], "children": {}, **ann.view}
    bob.put_raw(json.dumps({"type": "increment", "by": 2}))
    for refused in ("{", '{"type":"secret"}', '{"type":"broken"}', '{"type":"xstate.init"}'):
        bob.put_raw(refused)
    bob.put_raw('{"type":"party.sendTo","actorId":"child","event":{"type":"e"}}')
    await on.settle()
    assert ann.view["context"] == {"count": 2}
    assert [json.loads(frame) for frame in bob.frames[1:]] == [
        {
            "type": "party.snapshot.patch",
            "operations": [{"op": "add", "path": "/context/count", "value": 2}],
        }
    ]
    bob.put_raw('{"type":"party.snapshot.get"}')
    await on.advance(60_000)
    assert not on.awake()
    bob.put_raw(json.dumps({"type": "shout"}))
    await on.settle()
    frames = [json.loads(frame) for frame in bob.frames[2:]]
    assert [frame["type"] for frame in frames] == ["party.snapshot.update", "party.snapshot.patch"]
    assert ann.view["context"] == {"count": 3}


async def test_a_connection_is_the_same_through_sleep_move_and_crash() -> None:  # [HOOK6]
    connects: list[str] = []

    class Known(Room):
        def tags(self, connection: Any) -> list[str]:
            return [f"role:{connection.viewer.role}"]

        def on_connect(self, connection: Any, request: Any) -> None:
            connects.append(connection.viewer.id)
            connection.set_state({"n": 0, "query": dict(request.query_params)})

        def on_message(self, connection: Any, message: Any) -> Any:
            state = connection.set_state(lambda state: {**state, "n": state["n"] + 1})
            return [connection.id, state, len(self.connections("role:player"))]

    on = await stage(Known)
    ann = await on.connect("ann", "chat/x", params={"color": "red"})
    await on.connect("eve", "chat/x", role="spectator")
    seq = await ann.send("said")
    id, state, players = ann.outcome(seq)["result"]
    assert state == {"n": 1, "query": {"color": "red"}}
    assert players == 1
    assert [m["me"]["connection"] for m in ann.inbox if m["type"] == "room.you"] == [id]
    await on.advance(60_000)
    assert not on.awake("chat/x")
    seq = await ann.send("said")
    assert ann.outcome(seq)["result"] == [id, {"n": 2, "query": {"color": "red"}}, 1]
    assert connects == ["ann", "eve"]


async def test_a_connection_that_goes_while_its_room_sleeps_is_closed_too() -> None:  # [HOOK7]
    closed: list[Any] = []

    class Closing(Chat):
        def on_connect(self, connection: Any, request: Any) -> None:
            connection.set_state(connection.viewer.id)

        def on_close(self, connection: Any) -> None:
            closed.append((connection.state, len(self.connections())))
            self.broadcast({"type": "gone", "who": connection.viewer.id})

    on = await stage(Closing)
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    eve = await on.connect("eve", "chat/x")
    await eve.leave()
    assert closed == [("eve", 2)]
    assert events(bob) == events(ann) == [{"type": "gone", "who": "eve"}]
    await on.advance(60_000)
    assert not on.awake("chat/x")
    await ann.leave()
    await on.settle()
    assert closed[1:] == [("ann", closed[1][1])]


async def test_who_is_not_let_in_by_on_connect_hears_so_and_isnt_closed_again() -> None:  # [HOOK3]
    class Picky(Room):
        def on_connect(self, connection: Any, request: Any) -> None:
            if connection.viewer.id == "eve":
                raise ValueError("who is that")
            if connection.viewer.id == "mallory":
                connection.send({"type": "bye"})
                connection.close(4000, "not you")

        def on_close(self, connection: Any) -> None:
            self.storage.put(f"closed/{connection.viewer.id}", True)

    on = await stage(Picky)
    eve, mallory = await on.connect("eve", "chat/x"), await on.connect("mallory", "chat/x")
    assert eve.closing is not None
    assert (eve.closing.code, eve.closing.retry_after) == (1013, 5_000)
    assert events(mallory) == [{"type": "bye"}]
    assert mallory.closing is not None
    assert (mallory.closing.code, mallory.closing.reason) == (4000, "not you")
    assert mallory.closing.retry_after is None
    assert await storage(on) == {"closed/mallory": True}


async def test_what_changes_nothing_stored_makes_no_revision() -> None:  # [HOOK8]
    class Relay(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            if message["type"] == "kept":
                self.storage.put("kept", message["what"])
            self.broadcast(message)

    on = await stage(Relay)
    ann = await on.connect("ann", "chat/x")
    for _ in range(3):
        await ann.say("said")
    assert on.store.calls["commit_many"] == 0
    assert len(events(ann)) == 3
    await ann.send("said")
    record = await on.record("chat/x")
    assert record is not None
    assert record.revision == 1, "something was accepted: the session exists"
    for what in (1, 1, 2):
        await ann.send("kept", what=what)
    record = await on.record("chat/x")
    assert record is not None
    assert record.revision == 3, "writing what is there already changes nothing"


async def test_an_alarm_wakes_its_room() -> None:  # [HOOK9]
    rung: list[Any] = []

    class Clock(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            self.storage.set_alarm(self.now + message["in"])

        async def on_alarm(self) -> None:
            rung.append((self.now, self.storage.get_alarm()))
            self.storage.put("rung", len(rung))
            if len(rung) < 2:
                self.storage.set_alarm(self.now + 120_000)

    on = await stage(Clock)
    ann = await on.connect("ann", "chat/x")
    begun = on.now()
    await ann.say("set", **{"in": 90_000})
    await ann.leave()
    await on.advance(60_000)
    assert not on.awake("chat/x")
    await on.advance(31_000)
    assert rung == [(begun + 90_000, None)]
    assert on.awake("chat/x")
    await on.crash()
    await on.advance(121_000)
    assert rung[1:] == [(begun + 210_000, None)]
    assert await storage(on) == {"rung": 2}
    record = await on.record("chat/x")
    assert record is not None
    assert record.due is None


async def test_an_alarm_that_fails_comes_again_and_is_given_up(  # [HOOK9]
    caplog: pytest.LogCaptureFixture,
) -> None:
    rung: list[int] = []

    class Clock(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            self.storage.set_alarm(self.now + 1_000)

        def on_alarm(self) -> None:
            rung.append(self.now)
            self.storage.put("never", True)
            raise ValueError("not now")

    on = await stage(Clock)
    ann = await on.connect("ann", "chat/x")
    await ann.say("set")
    await on.advance(2_500)
    await on.crash()
    await on.advance(300_000)
    waits = [after - before for before, after in pairwise(rung)]
    assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000]
    assert "timer 'on_alarm' failed, attempt 8" in caplog.text
    record = await on.record("chat/x")
    assert record is not None
    assert record.due is None
    assert await storage(on) == {}
    (letter,) = record.outbox.values()
    assert json.loads(letter)["error"] == "ValueError('not now')"
    assert json.loads(letter)["dead"] == rung[-1]


async def test_on_request_has_every_plain_request_and_answers_when_it_is_stored() -> None:
    # [HOOK10]
    class Page(Room):
        async def on_request(self, request: Any) -> Any:
            if request.method == "GET":
                return PlainTextResponse(str(self.storage.get("count", 0)))
            self.storage.put("count", self.storage.get("count", 0) + 1)
            if b"broken" in await request.body():
                raise ValueError("secret of the stack")
            return None if request.url.path.endswith("nothing") else PlainTextResponse("done", 201)

    on = await stage(Page)
    with on.store.holding():
        asked = on.ask("POST", "chat/x", b"form=data")
        await on.settle()
        assert asked() is None
    await on.settle()
    answer = asked()
    assert answer is not None
    assert (answer.status, answer.body) == (201, b"done")
    assert (await on.request("POST", "chat/x", b"broken")).status == 500
    assert (await on.request("PUT", "chat/x", b"", path="/nothing")).status == 404
    assert (await on.request("GET", "chat/x")).body == b"2"


async def test_a_hook_that_takes_too_long_has_failed(  # [HOOK11]
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Stuck(Room):
        async def on_message(self, connection: Any, message: Any) -> None:
            self.storage.put("began", True)
            if message["type"] == "stuck":
                await asyncio.get_running_loop().create_future()

    on = await stage(Stuck)
    ann = await on.connect("ann", "chat/x")
    stuck, fine = await ann.send("stuck"), await ann.send("fine")
    await on.advance(LONGEST * 1000 - 1)
    assert ann.outcomes() == []
    await on.advance(1)
    assert ann.outcomes() == [(stuck, "rejected"), (fine, "accepted")]
    assert "over 30 s" in caplog.text


async def test_a_room_that_can_view_its_storage_is_synchronised() -> None:  # [HOOK12]
    class Seen(Chat):
        view: Any = everything

    class Filtered(Chat):
        def view(self, snapshot: Any, viewer: Any) -> Any:
            return show(snapshot, context={"count": snapshot.context.get("count", 0)})

        def view_key(self, snapshot: Any, viewer: Any) -> Any:
            return None

    on = await stage(Seen)
    ann = await on.connect("ann", "chat/x")
    seq = await ann.send("said")
    assert ann.view["context"]["count"] == 1
    assert ann.outcome(seq)["cursor"] == ann.cursor
    await on.crash()
    ann = await on.connect("ann", "chat/x")
    assert ann.view["context"]["line/0001"]["type"] == "said"

    on = await stage(Filtered)
    ann = await on.connect("ann", "chat/x")
    await ann.say("said")
    assert ann.view["context"] == {"count": 1}


async def test_a_room_that_fails_to_start_refuses_who_waits_and_tries_again() -> None:  # [HOOK1]
    starts: list[int] = []

    class Late(Chat):
        async def on_start(self) -> None:
            starts.append(self.now)
            self.storage.put("started", len(starts))
            if len(starts) == 1:
                raise OSError("the world isn't there yet")

    on = await stage(Late)
    ann = await on.connect("ann", "chat/x")
    assert ann.closing is not None
    assert (ann.closing.code, ann.closing.retry_after) == (1013, 5_000)
    assert await storage(on) == {}
    ann = await on.connect("ann", "chat/x")
    assert ann.closing is None
    assert await storage(on) == {"started": 2}


async def test_nothing_that_a_refused_commit_would_have_stored_is_seen() -> (
    None
):  # [HOOK2] [HOOK13]
    on = await stage()
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    await ann.send("said", text=1)
    ann.took(), bob.took()
    on.store.fail_next(written=False)
    await ann.send("said", text=2)
    await on.advance(5_000)
    assert [event["text"] for event in events(bob)] == [2], "said once, by the next incarnation"
    assert (await storage(on))["count"] == 2


@pytest.mark.parametrize("how", ["sleep", "drop"])
@pytest.mark.parametrize("who", ["a request", "another router"])
async def test_who_stayed_connected_misses_nothing_of_what_a_waking_room_says(  # [HOOK13]
    how: str, who: str
) -> None:
    on = await stage()
    ann, bob = await on.connect("ann", "chat/x"), await on.connect("bob", "chat/x")
    await ann.send("said", text=1)
    if how == "sleep":
        await on.advance(60_000)
        assert not on.awake("chat/x")
    else:
        on.store.fail_next(written=False)
        with on.store.holding():
            await ann.say("said", text=2)
    ann.took(), bob.took()
    if who == "a request":
        on.ask("POST", "chat/x", {"type": "said", "text": 3})
    else:
        on.add_router()
        eve = await on.connect("eve", "chat/x")
        await eve.say("said", text=3)
    await on.advance(5_000)
    assert [event["text"] for event in events(bob)] == [3]
    assert [event["text"] for event in events(ann)] == [3]


async def test_who_stayed_connected_hears_what_the_alarm_says_that_woke_the_room() -> None:
    # [HOOK9] [HOOK13]
    class Bell(Room):
        def on_connect(self, connection: Any, request: Any) -> None:
            if self.storage.get_alarm() is None:
                self.storage.set_alarm(self.now + 90_000)

        def on_alarm(self) -> None:
            self.broadcast({"type": "rang"})

    on = await stage(Bell)
    tabs = [await on.connect(f"v{n}", "chat/x") for n in range(70)]
    await on.advance(60_000)
    assert not on.awake("chat/x")
    await on.advance(31_000)
    assert [events(tab) for tab in tabs] == [[{"type": "rang"}]] * 70


async def test_a_router_that_doesnt_answer_is_waited_for_a_second() -> None:  # [HOOK13]
    on = await stage()
    await on.connect("ann", "chat/x")
    await on.advance(60_000)
    silent, end = pair()
    on.host.serve(end)
    silent.listen(lambda message: None, lambda: None)
    asked = on.ask("POST", "chat/x", {"type": "said"})
    await on.advance(999)
    assert asked() is None
    await on.advance(2)
    assert asked() is not None
    await on.advance(60_000)
    asked = on.ask("POST", "chat/x", {"type": "said"})
    await on.settle()
    silent.close()
    await on.settle()
    assert asked() is not None, "a router that is lost isn't waited for"


async def test_a_hook_that_runs_when_its_room_is_lost_has_done_nothing() -> None:  # [HOOK2]
    go = asyncio.Event()
    calls: list[str] = []

    class Slow(Chat):
        async def on_message(self, connection: Any, message: Any) -> Any:
            calls.append(message["type"])
            if message["type"] == "slow":
                await go.wait()
            return Chat.on_message(self, connection, message)

    on = await stage(Slow)
    ann = await on.connect("ann", "chat/x")
    on.store.fail_next(written=False)
    with on.store.holding():
        await ann.send("said")
        await ann.send("slow")
    await on.settle()
    go.set()
    await on.advance(5_000)
    assert calls == ["said", "slow", "said", "slow"]
    assert ann.outcomes() == [(1, "accepted"), (2, "accepted")]
    assert (await storage(on))["count"] == 2


async def test_a_room_sleeps_and_drains_after_its_hook_has_ended() -> None:  # [SLEEP1]
    go = asyncio.Event()

    class Slow(Chat):
        async def on_message(self, connection: Any, message: Any) -> Any:
            await go.wait()
            return Chat.on_message(self, connection, message)

    on = await stage(Slow)
    ann = await on.connect("ann", "chat/x")
    await ann.send("said")
    await on.advance(20_000)
    assert on.awake("chat/x"), "a running hook keeps its room awake"
    draining = asyncio.ensure_future(on.host.drain())
    await on.settle()
    assert not draining.done()
    go.set()
    await draining
    assert (await storage(on))["count"] == 1


async def test_memory_rooms_store_when_they_sleep() -> None:  # [HOOK2]
    class Volatile(Chat):
        durability = "memory"

    on = await stage(Volatile)
    ann = await on.connect("ann", "chat/x")
    await ann.send("said")
    assert on.store.calls["commit_many"] == 0
    await on.advance(30_000)
    assert (await storage(on))["count"] == 1


async def test_what_is_there_only_in_a_hook_says_so() -> None:
    kept: list[Any] = []

    class Leaky(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            kept.extend([self, self.storage, connection])

    on = await stage(Leaky)
    ann = await on.connect("ann", "chat/x")
    await ann.say("said")
    room, storage, connection = kept
    uses: list[Callable[[], Any]] = [
        lambda: room.storage,
        lambda: room.broadcast("x"),
        lambda: room.connections(),
        lambda: storage.get("x"),
        lambda: storage.put("x", 1),
        lambda: connection.send("x"),
        lambda: connection.set_state(1),
        lambda: connection.close(),
    ]
    for use in uses:
        with pytest.raises(UsageError):
            use()
    assert connection.state is None
    assert "ann" in repr(connection)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda room, connection: connection.send({"no": "type"}),
        lambda room, connection: connection.send({"type": "x", "data": {1, 2}}),
        lambda room, connection: connection.send(["a", "list"]),
        lambda room, connection: connection.set_state("x" * 16_400),
        lambda room, connection: connection.set_state({1, 2}),
        lambda room, connection: connection.close(1001),
        lambda room, connection: connection.close(2999),
        lambda room, connection: room.broadcast("x", exclude=[3]),
        lambda room, connection: room.broadcast("x" * 65_537),
        lambda room, connection: room.storage.put("", 1),
        lambda room, connection: room.storage.put("k" * 2049, 1),
        lambda room, connection: room.storage.put("k", {1, 2}),
        lambda room, connection: room.storage.put("k", "x" * (128 * 1024)),
        lambda room, connection: room.storage.set_alarm(1.5),
    ],
)
async def test_misuse_fails_its_hook_and_says_what_is_allowed(
    misuse: Callable[[Any, Any], None],
) -> None:
    errors: list[Exception] = []

    class Misused(Room):
        def on_message(self, connection: Any, message: Any) -> None:
            misuse(self, connection)

        def on_error(self, connection: Any, error: Exception) -> None:
            errors.append(error)

    on = await stage(Misused)
    ann = await on.connect("ann", "chat/x")
    seq = await ann.send("said")
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert [type(error) for error in errors] in ([UsageError], [TooBig])


async def test_an_answer_that_isnt_json_rejects_its_event() -> None:  # [HOOK3]
    class Odd(Chat):
        def on_message(self, connection: Any, message: Any) -> Any:
            self.storage.put("never", True)
            return {1, 2}

    on = await stage(Odd)
    ann = await on.connect("ann", "chat/x")
    seq = await ann.send("said")
    assert ann.outcome(seq)["outcome"] == "rejected"
    assert await storage(on) == {}


@pytest.mark.parametrize("tags", [["x"] * 10, [""], ["x" * 257], [3]])
async def test_tags_that_cant_be_refuse_the_connection(tags: Any) -> None:
    class Tagged(Chat):
        def tags(self, connection: Any) -> Any:
            return tags

    on = await stage(Tagged)
    ann = await on.connect("ann", "chat/x")
    assert ann.closing is not None
    assert ann.closing.code == 1013


async def test_a_session_of_a_machine_isnt_opened_by_hooks() -> None:  # [SLEEP4]
    on = await stage(Counter)
    ann = await on.connect("ann", "chat/x")
    await ann.send("increment")
    await on.restart()
    on.kinds = {"chat": Chat}
    await on.restart()
    ann = await on.connect("ann", "chat/x")
    assert ann.closing is not None
    assert ann.closing.code == 4409
    assert (await on.stored("chat/x"))["context"] == {"count": 1}


def test_an_app_takes_a_room_of_hooks_and_no_room_of_nothing() -> None:
    assert App(chat=Chat).kinds == {"chat": Chat}

    class Nothing(Room):
        pass

    with pytest.raises(UsageError, match="no `machine`, and none of on_start"):
        App(nothing=Nothing)


def test_a_room_has_a_machine_or_hooks() -> None:
    with pytest.raises(UsageError, match="nothing calls its on_alarm and on_message"):

        class Both(Counter):
            def on_message(self, connection: Any, message: Any) -> None: ...

            def on_alarm(self) -> None: ...


async def test_a_storage_that_would_be_too_big_refuses_its_event_alone() -> None:  # [SIZE1]
    class Small(Chat):
        max_state = 1_000

    on = await stage(Small)
    ann = await on.connect("ann", "chat/x")
    for size in (300, 700, 300):
        await ann.send("said", text="x" * size)
    assert [word for _, word in ann.outcomes()] == ["accepted", "rejected", "accepted"]
    assert "too big" in ann.outcome(2)["reason"]
    assert (await storage(on))["count"] == 2


async def test_an_operator_sees_sends_and_moves_a_room_of_hooks() -> None:  # [ADMIN2]
    on = await stage()
    ann = await on.connect("ann", "chat/x")
    await ann.send("said", text="hi")
    status, sent = await on.operated("POST", "chat/x", body={"event": {"type": "op"}})
    assert (status, sent["result"]) == (200, {"count": 2})
    _, shown = await on.operated("GET", "chat/x")
    assert shown["storage"]["count"] == 2
    assert shown["storage"]["line/0002"]["type"] == "op"
    _, export = await on.operated("GET", "chat/x", path="/export")
    again = json.dumps({**export, "session": "y"}).encode()
    assert (await on.operated("PUT", "chat/y", body=json.loads(again)))[0] == 200
    bob = await on.connect("bob", "chat/y")
    seq = await bob.send("said")
    assert bob.outcome(seq)["result"] == {"count": 3}


async def test_rooms_of_hooks_are_listed_and_expire_as_others() -> None:  # [LIST1]
    class Lobby(Chat):
        listed = True
        ttl = 60_000

        def listing(self, snapshot: Any) -> dict[str, Any]:
            return {"public": {"said": snapshot.context.get("count", 0)}}

        view: Any = everything

    on = await stage(Lobby)
    await on.request("POST", "chat/x", {"type": "said"})
    answer = await on.request("GET", "chat/")
    assert [room["public"] for room in json.loads(answer.body)["rooms"]] == [{"said": 1}]
    await on.advance(200_000)
    assert await on.record("chat/x") is None
