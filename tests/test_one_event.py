"""One event, walked by hand through every pure stage, from a browser's bytes to its screen.

Nothing here waits, listens or stores: what a process does between the stages is only to carry their
values. The same path, drawn, is in the README.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson

from rooms.definition import Room
from rooms.host import door
from rooms.host.marks import ACCEPTED, Mark, Marks
from rooms.link import protocol
from rooms.link.protocol import Fanout as Frame
from rooms.link.protocol import Joined, Said, Tell
from rooms.router.frames import frame
from rooms.store.port import Commit, SessionId
from rooms.sync import codec, messages
from rooms.sync.conversation import Accept, Conversation
from rooms.sync.diff import apply
from rooms.sync.fanout import Fanout
from rooms.sync.views import Viewer, everything
from runtime import System, assign, setup

NOW = 1_800_000_000_000

counter = setup(
    actions={"add": assign({"count": lambda args, params: args.context["count"] + params["by"]})}
).create_machine(
    {
        "id": "counter",
        "context": {"count": 0},
        "on": {"increment": {"actions": {"type": "add", "params": {"by": 1}}}},
    }
)


class Counter(Room):
    machine = counter
    view = everything


def unsent(key: object, error: Exception) -> None:
    raise error


def test_one_event() -> None:
    ann = Viewer("ann")
    room = Counter("counter", "shared")
    system = System(counter)
    before = system.initial(now=NOW, seed=1).snapshot
    fanout = Fanout("nonce123", None, count(1))
    joined, first = fanout.attach(7, "json", "all", everything(before.root), None, NOW)
    assert isinstance(joined, Joined)
    assert isinstance(first, Tell)
    screen = orjson.loads(first.data)

    # the router: bytes, then a message within the wire's rules, then the link
    said = b'{"type":"room.send","seq":1,"event":{"type":"increment"}}'
    message = messages.read(codec.decode(said, "json"))
    crossed = protocol.decode(protocol.encode(Said(7, message)))
    assert crossed == Said(7, message)

    # the host: what may be said now; whether it may be done; who did it
    conversation = Conversation()
    accept = conversation.receive(message)
    assert accept == Accept(1, {"type": "increment"}, None)
    assert isinstance(accept, Accept)
    assert door.judge(room, ann, accept.event, None, before.root, lambda event: None) is None
    stamped = {**accept.event, "sender": ann.id}

    # the machine: one step, in memory
    step = system.step(before, stamped, now=NOW)
    assert step.error is None
    assert step.taken
    assert before.root.context == {"count": 0}
    after = step.snapshot

    # the commit: state and outcome together, or neither
    marks = Marks({})
    marks.settle("ann\x00client", 1, ACCEPTED, NOW)
    commit = Commit(
        id=SessionId("counter", "shared"),
        incarnation="host",
        epoch=1,
        generation="g",
        prev=0,
        new=1,
        version=room.version(),
        due=after.next_due,
        snapshot=orjson.dumps(system.persist(after)),
        marks=marks.changes(),
    )
    assert commit.snapshot is not None
    stored: Any = orjson.loads(commit.snapshot)
    assert system.restore(stored, now=NOW).snapshot.root.context == {"count": 1}
    mark = commit.marks["ann\x00client"]
    assert mark is not None
    assert Mark.load(mark).outcomes == {1: ACCEPTED}

    # the gate is open: the view, its step, its bytes, once for everybody; then the outcome
    (sent,) = fanout.update(lambda key: everything(after.root), NOW, unsent)
    assert isinstance(sent, Frame)
    conversation.settle(1)
    outcome = fanout.tell(7, messages.outcome(1, "accepted", fanout.cursor(7)), 1)

    # the router again: one frame for every socket of the lane
    assert frame(sent.data, "json")[-len(sent.data) :] == sent.data

    # the browser: a patch from what it holds to what it shows
    patch = orjson.loads(sent.data)
    assert patch["base"] == screen["cursor"] == sent.base
    view = apply(screen["view"], patch["ops"])
    assert view == {"status": "active", "context": {"count": 1}}
    assert orjson.loads(outcome.data) == {
        "type": "room.outcome",
        "seq": 1,
        "outcome": "accepted",
        "cursor": patch["cursor"],
    }
