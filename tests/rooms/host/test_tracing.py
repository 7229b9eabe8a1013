"""Traces: one event of a connection is one trace, from the door to what is shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rooms import tracing
from rooms.errors import UsageError
from rooms.host.clock import elapsed
from rooms.link.protocol import Said, decode, encode
from rooms.pace import Pace
from rooms.router.connections import Connection, Connections
from rooms.router.intake import Intake
from rooms.router.limits import Limits
from rooms.store.port import SessionId
from tests.rooms.host.machines import Counter
from tests.rooms.host.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def spans() -> Iterator[Any]:
    """The spans that are ended, as an exporter would get them."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.tracer = provider.get_tracer("skyrooms")
    yield exporter.get_finished_spans
    tracing.tracer = None


class Socket:
    """What a connection writes to."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop

    def write(self, data: bytes) -> None:
        pass

    def close(self, code: int, reason: str, last_words: bytes) -> None:
        pytest.fail(reason)

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


async def test_an_event_is_one_trace_from_the_door_to_what_is_shown(
    spans: Any,
) -> None:  # [METRIC6]
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    intake = Intake(Pace(elapsed))
    others = Connections(on.routing, None, Limits(), on.now, intake)  # type: ignore[arg-type]
    connection = Connection(others, Socket(on.loop), "json", None)
    connection._channel = ann.channel
    connection.on_frame(
        b'{"type":"room.send","seq":1,"acked":0,"event":{"type":"increment"}}', True
    )
    await on.settle()
    assert ann.view["context"]["count"] == 1
    found = spans()
    names = [span.name for span in found]
    assert names == ["rooms.receive", "rooms.turn", "rooms.commit", "rooms.fan_out"]
    assert len({span.context.trace_id for span in found}) == 1
    receive, turn, *_ = found
    assert receive.parent is None
    assert {span.parent.span_id for span in found[1:]} == {receive.context.span_id}
    assert turn.attributes == {
        "rooms.session": "counter/x",
        "rooms.epoch": 1,
        "rooms.revision": 1,
        "rooms.event": "room.send",
    }
    assert receive.attributes["rooms.session"] == "counter/x"


def test_a_turn_is_of_the_trace_that_the_link_carried(spans: Any) -> None:  # [METRIC6]
    carried = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.turn(SessionId("counter", "x"), "increment", carried):
        pass
    [turn] = spans()
    assert turn.context.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert turn.parent.span_id == 0xB7AD6B7169203331


async def test_a_commit_that_fails_ends_its_span(spans: Any) -> None:
    on = await Stage(counter=Counter).start()
    ann = await on.connect()
    await ann.send("increment")
    on.store.fail_next(written=False)
    event = {"type": "room.send", "seq": 2, "acked": 1, "event": {"type": "increment"}}
    with tracing.received(ann.channel, "room.send"):
        on.routing.say(ann.channel, event, 50)
    await on.settle()
    [commit] = [span for span in spans() if span.name == "rooms.commit"]
    assert [event.name for event in commit.events] == ["exception"]


async def test_without_traces_the_link_carries_none() -> None:  # [METRIC6]
    on = await Stage(counter=Counter).start()
    heard: list[Said] = []
    on._watch = lambda message: heard.append(message) if isinstance(message, Said) else None
    ann = await on.connect()
    await ann.send("increment")
    assert [said.trace for said in heard] == [None]


def test_the_link_carries_whose_trace_it_is() -> None:
    said = Said(7, {"type": "room.get"}, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert decode(encode(said)) == said


def test_traces_that_cannot_be_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    with pytest.raises(UsageError, match="pip install"):
        tracing.enable()
    assert tracing.tracer is None
