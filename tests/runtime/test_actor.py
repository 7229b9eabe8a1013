"""Actors as everybody uses them."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from runtime import (
    EventError,
    NoEventLoopError,
    SimulatedClock,
    SystemIdError,
    ThreadError,
    assign,
    create_actor,
    create_machine,
    declare,
    emit,
    from_callback,
    log,
    setup,
    spawn_child,
)

counter = create_machine(
    {
        "context": {"n": 0},
        "on": {
            "INC": {"actions": assign({"n": lambda a, p: a.context["n"] + 1})},
            "SAY": {"actions": emit(lambda a, p: {"type": "said", "n": a.context["n"]})},
            "ROLL": {"actions": assign({"n": lambda a, p: a.random.randrange(10**6)})},
            "NOW": {"actions": assign({"n": lambda a, p: a.now})},
        },
    }
)


def test_subscriptions_come_in_every_form_and_end() -> None:
    class Watching:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def next(self, snapshot: Any) -> None:
            self.seen.append(snapshot.context["n"])

    actor = create_actor(counter)
    by_function: list[int] = []
    by_mapping: list[int] = []
    by_object = Watching()
    first = actor.subscribe(lambda snapshot: by_function.append(snapshot.context["n"]))
    actor.subscribe({"next": lambda snapshot: by_mapping.append(snapshot.context["n"])})
    actor.subscribe(by_object)
    assert actor.start() is actor
    actor.send({"type": "INC"})
    first.unsubscribe()
    first.unsubscribe()
    actor.send({"type": "INC"})
    assert by_function == [0, 1]
    assert by_mapping == by_object.seen == [0, 1, 2]


def test_starting_twice_and_stopping_twice_do_nothing_more() -> None:
    actor = create_actor(counter)
    heard: list[Any] = []
    actor.subscribe(next=heard.append, complete=lambda: heard.append("complete"))
    actor.start().start()
    actor.stop().stop()
    assert len(heard) == 2
    assert heard[1] == "complete"


def test_what_is_sent_before_the_start_is_done_at_the_start() -> None:
    actor = create_actor(counter)
    actor.send({"type": "INC"})
    assert actor.get_snapshot().context == {"n": 0}
    assert actor.start().get_snapshot().context == {"n": 1}


def test_what_is_sent_after_the_end_is_noticed_and_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    actor = create_actor(counter, id="late").start().stop()
    with caplog.at_level(logging.WARNING, logger="runtime"):
        actor.send({"type": "INC"})
    assert actor.get_snapshot().context == {"n": 0}
    assert "event 'INC' was sent to stopped actor 'late'" in caplog.text


def test_only_event_dicts_may_be_sent() -> None:
    actor = create_actor(counter).start()
    with pytest.raises(EventError, match="use send\\(\\{'type': 'INC'\\}\\)"):
        actor.send("INC")
    with pytest.raises(EventError):
        actor.send({})
    actor.send({"type": "*"})
    assert isinstance(actor.get_snapshot().error, EventError)


def test_a_child_can_not_be_stopped_from_outside() -> None:
    machine = setup(actors={"c": counter}).create_machine({"entry": spawn_child("c", id="c")})
    child = create_actor(machine).start().get_snapshot().children["c"]
    with pytest.raises(EventError, match="non-root"):
        child.stop()


def test_emitted_events_reach_those_who_listen_to_their_type_or_to_all() -> None:
    actor = create_actor(counter).start()
    heard: list[Any] = []
    said = actor.on("said", lambda event: heard.append(("said", event["n"])))
    actor.on("*", lambda event: heard.append(("any", event["n"])))
    actor.on("other", lambda event: pytest.fail("never emitted"))
    actor.send({"type": "SAY"})
    said.unsubscribe()
    actor.send({"type": "SAY"})
    assert heard == [("said", 0), ("any", 0), ("any", 0)]


def test_what_observers_and_listeners_raise_is_reported_and_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(value: Any = None) -> None:
        raise ValueError("observer")

    actor = create_actor(counter).start()
    heard: list[Any] = []
    actor.subscribe(next=fail, complete=fail)
    actor.subscribe(heard.append)
    actor.on("said", fail)
    with caplog.at_level(logging.ERROR, logger="runtime"):
        actor.send({"type": "INC"})
        actor.send({"type": "SAY"})
        actor.stop()
    assert len(heard) == 2
    assert caplog.text.count("ValueError: observer") == 4  # next twice
    assert actor.get_snapshot().status == "stopped"


def test_a_selection_tells_only_of_changes() -> None:
    actor = create_actor(counter).start()
    parity = actor.select(lambda snapshot: snapshot.context["n"] // 2)
    heard: list[int] = []
    parity.subscribe(heard.append)
    for _ in range(4):
        actor.send({"type": "INC"})
    assert heard == [1, 2]
    assert parity.get() == 2


def test_an_error_is_told_to_late_subscribers_too(caplog: pytest.LogCaptureFixture) -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    actor = create_actor(create_machine({"on": {"GO": {"actions": fail}}})).start()
    errors: list[Any] = []
    actor.subscribe(error=errors.append)
    actor.send({"type": "GO"})
    actor.subscribe(error=errors.append)
    assert [str(error) for error in errors] == ["no", "no"]
    with caplog.at_level(logging.ERROR, logger="runtime"):
        actor.subscribe(lambda snapshot: None)
    assert "no" in caplog.text


async def test_unhandled_errors_reach_the_loops_exception_handler() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("no")

    handled: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: handled.append(context))
    create_actor(create_machine({"on": {"GO": {"actions": fail}}})).start().send({"type": "GO"})
    assert str(handled[0]["exception"]) == "no"


def test_another_thread_is_refused() -> None:
    actor = create_actor(counter).start()
    refused: list[BaseException] = []

    def intrude() -> None:
        try:
            actor.send({"type": "INC"})
        except ThreadError as error:
            refused.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join()
    assert "send_threadsafe" in str(refused[0])
    assert actor.get_snapshot().context == {"n": 0}


async def test_send_threadsafe_is_for_other_threads() -> None:
    actor = create_actor(counter).start()
    done = asyncio.Event()
    actor.subscribe(lambda snapshot: done.set())
    await asyncio.to_thread(actor.send_threadsafe, {"type": "INC"})
    await done.wait()
    assert actor.get_snapshot().context == {"n": 1}


def test_send_threadsafe_needs_a_loop() -> None:
    with pytest.raises(NoEventLoopError):
        create_actor(counter).start().send_threadsafe({"type": "INC"})


def test_time_is_the_clocks_and_chance_the_seeds() -> None:
    clock = SimulatedClock(5)
    actor = create_actor(counter, clock=clock).start()
    actor.send({"type": "NOW"})
    assert actor.get_snapshot().context == {"n": 5}

    def rolls(**options: Any) -> list[int]:
        rolling = create_actor(counter, **options).start()
        found = []
        for _ in range(3):
            rolling.send({"type": "ROLL"})
            found.append(rolling.get_snapshot().context["n"])
        return found

    assert rolls(seed=1) == rolls(seed=1)
    assert rolls(seed=1) != rolls(seed=2)
    assert rolls() != rolls()


def test_chance_goes_on_where_it_was_after_a_restore() -> None:
    actor = create_actor(counter, seed=3).start()
    actor.send({"type": "ROLL"})
    persisted = actor.get_persisted_snapshot()
    actor.send({"type": "ROLL"})
    restored = create_actor(counter, snapshot=persisted).start()
    restored.send({"type": "ROLL"})
    assert restored.get_snapshot().context == actor.get_snapshot().context


def test_logs_go_to_the_logger_with_their_label(caplog: pytest.LogCaptureFixture) -> None:
    machine = create_machine({"entry": [log("plain"), log("value", "label")]})
    logged: list[Any] = []
    create_actor(machine, logger=lambda *values: logged.append(values)).start()
    assert logged == [("plain",), ("label", "value")]
    with caplog.at_level(logging.INFO, logger="runtime"):
        create_actor(machine).start()
    assert "label value" in caplog.text


def test_declared_effects_have_no_performer_in_a_standalone_actor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell = declare("host.tell")
    with caplog.at_level(logging.INFO, logger="runtime"):
        create_actor(create_machine({"entry": tell({"k": 1})})).start()
    assert "'host.tell' has no performer" in caplog.text


def test_two_actors_can_not_have_one_system_id() -> None:
    silent = from_callback(lambda args: None)
    machine = setup(actors={"c": silent}).create_machine(
        {
            "entry": spawn_child("c", id="one", system_id="same"),
            "on": {"TWO": {"actions": spawn_child("c", id="two", system_id="same")}},
        }
    )
    actor = create_actor(machine, system_id="root").start()
    actor.subscribe(error=lambda error: None)
    assert set(actor.system.get_all()) == {"root", "same"}
    assert actor.system.get("root") is actor
    actor.send({"type": "TWO"})
    assert isinstance(actor.get_snapshot().error, SystemIdError)


def test_a_root_can_be_stopped_by_one_of_its_own_observers() -> None:
    actor = create_actor(counter)
    actor.subscribe(lambda snapshot: actor.stop())
    actor.start()
    assert actor.get_snapshot().status == "stopped"


def test_refs_know_themselves() -> None:
    actor = create_actor(counter, id="me")
    assert actor.ref is actor
    assert actor.self is actor
    assert repr(actor) == "<Actor me>"


def test_the_places_of_those_who_left_are_closed_up() -> None:
    actor = create_actor(
        create_machine({"on": {"GO": {"actions": emit({"type": "GONE"})}}})
    ).start()
    told: list[str] = []
    for _ in range(3):
        actor.subscribe(lambda snapshot: told.append("left")).unsubscribe()
        actor.on("GONE", lambda event: told.append("left")).unsubscribe()
    actor.subscribe(lambda snapshot: told.append("here"))
    actor.on("GONE", lambda event: told.append("emitted"))
    assert (len(actor._observers or ()), len(actor.listeners("GONE"))) == (1, 1)
    actor.send({"type": "GO"})
    assert told == ["emitted", "here"]
