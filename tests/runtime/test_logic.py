"""Coroutines, callbacks, streams and reducers as standalone actors and as children."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from runtime import (
    Actor,
    ActorSnapshot,
    DefinitionError,
    EndedError,
    NoEventLoopError,
    assign,
    create_actor,
    create_empty_actor,
    create_machine,
    from_callback,
    from_event_observable,
    from_observable,
    from_promise,
    from_transition,
    send_to,
    setup,
    to_promise,
    wait_for,
)


class Source:
    """Something to subscribe to, whose values come when the test says."""

    def __init__(self, *early: Any) -> None:
        self.early = early
        self.observer: Any = None
        self.unsubscribed = False

    def subscribe(self, observer: Any) -> Source:
        self.observer = observer
        for value in self.early:
            observer.next(value)
        return self

    def unsubscribe(self) -> None:
        self.unsubscribed = True


def parent_of(logic: Any, **invoke: Any) -> Actor:
    """A machine that invokes this logic and keeps what it hears of it."""
    machine = setup(actors={"it": logic}).create_machine(
        {
            "context": {"out": None, "heard": []},
            "initial": "on",
            "states": {
                "on": {
                    "invoke": {
                        "id": "it",
                        "src": "it",
                        "onDone": {"actions": assign({"out": lambda a, p: a.event["output"]})},
                        "onError": {"actions": assign({"out": lambda a, p: str(a.event["error"])})},
                        **invoke,
                    },
                    "on": {"OFF": "off", "TELL": {"actions": send_to("it", {"type": "TOLD"})}},
                },
                "off": {},
            },
            "on": {
                "HEARD": {
                    "actions": assign(
                        {"heard": lambda a, p: [*a.context["heard"], a.event["value"]]}
                    )
                }
            },
        }
    )
    return create_actor(machine)


# coroutines


async def test_a_coroutine_gives_its_output() -> None:
    async def double(args: Any) -> int:
        return int(args.input * 2)

    actor = create_actor(from_promise(double), input=21)
    assert actor.get_snapshot().status == "active"
    assert await to_promise(actor.start()) == 42
    assert actor.get_snapshot().status == "done"


async def test_a_coroutine_that_raises_fails_its_actor() -> None:
    async def fail(args: Any) -> None:
        raise ValueError("no")

    actor = create_actor(from_promise(fail))
    waiting = asyncio.ensure_future(to_promise(actor))
    await asyncio.tasks.sleep(0)
    actor.start()
    with pytest.raises(ValueError, match="no"):
        await waiting


async def test_a_parent_hears_of_done_and_failed_coroutines() -> None:
    async def work(args: Any) -> str:
        if args.input == "fail":
            raise ValueError("no")
        return "worked"

    for given, out in (("go", "worked"), ("fail", "no")):
        actor = parent_of(from_promise(work), input=given).start()
        await wait_for(actor, lambda s, out=out: s.context["out"] == out, timeout=20_000)  # type: ignore[misc]


async def test_leaving_the_state_cancels_a_coroutine() -> None:
    ended = asyncio.Event()

    async def work(args: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    actor = parent_of(from_promise(work)).start()
    await asyncio.tasks.sleep(0)
    actor.send({"type": "OFF"})
    await ended.wait()
    assert actor.get_snapshot().context["out"] is None


async def test_a_coroutine_may_emit_and_know_itself() -> None:
    async def work(args: Any) -> str:
        args.emit({"type": "half"})
        assert args.system.get("none") is None
        return str(args.self.id)

    actor = create_actor(from_promise(work), id="worker")
    heard: list[Any] = []
    actor.on("half", heard.append)
    assert await to_promise(actor.start()) == "worker"
    assert heard == [{"type": "half"}]


async def test_a_function_that_is_no_coroutine_settles_too() -> None:
    assert await to_promise(create_actor(from_promise(lambda args: 5)).start()) == 5


def test_without_a_loop_a_coroutine_can_not_start_and_says_so() -> None:
    async def work(args: Any) -> None:
        """Never runs."""

    with pytest.raises(NoEventLoopError, match="from_promise needs a running event loop"):
        create_actor(from_promise(work)).start()


async def test_a_settled_coroutine_is_not_run_again_after_a_restore() -> None:
    runs: list[int] = []

    async def work(args: Any) -> int:
        runs.append(1)
        return 5

    logic = from_promise(work)
    actor = create_actor(logic).start()
    await to_promise(actor)
    persisted = json.loads(json.dumps(actor.get_persisted_snapshot()))
    assert persisted["status"] == "done"
    again = create_actor(logic, snapshot=persisted).start()
    assert again.get_snapshot().output == 5
    assert runs == [1]


# callbacks


def test_a_callback_sends_back_receives_and_cleans_up() -> None:
    trace: list[str] = []

    def run(args: Any) -> Any:
        args.receive(lambda event: args.send_back({"type": "HEARD", "value": event["type"]}))
        args.send_back({"type": "HEARD", "value": args.input})
        return lambda: trace.append("cleaned up")

    actor = parent_of(from_callback(run), input="at once").start()
    actor.send({"type": "TELL"})
    assert actor.get_snapshot().context["heard"] == ["at once", "TOLD"]
    actor.send({"type": "OFF"})
    assert trace == ["cleaned up"]


def test_a_stopped_callback_is_heard_no_more() -> None:
    backs: list[Any] = []
    actor = parent_of(from_callback(lambda args: backs.append(args.send_back))).start()
    actor.send({"type": "OFF"})
    backs[0]({"type": "HEARD", "value": 1})
    assert actor.get_snapshot().context["heard"] == []


# streams


def test_the_values_of_a_stream_are_its_context() -> None:
    source = Source(1, 2)
    actor = create_actor(from_observable(lambda args: source))
    seen: list[Any] = []
    actor.subscribe(lambda snapshot: seen.append(snapshot.context))
    actor.start()
    source.observer.next(3)
    assert seen == [None, 1, 2, 3]
    actor.stop()
    assert source.unsubscribed
    assert actor.get_snapshot().status == "stopped"


def test_a_stream_ends_or_fails() -> None:
    ending, failing = Source(), Source()
    done = parent_of(from_observable(lambda args: ending)).start()
    ending.observer.complete()
    assert done.get_snapshot().children["it"].get_snapshot().status == "done"
    failed = parent_of(from_observable(lambda args: failing)).start()
    failing.observer.next(1)
    failing.observer.error(ValueError("dry"))
    assert failed.get_snapshot().context["out"] == "dry"
    persisted = failed.get_snapshot().children["it"].get_persisted_snapshot()
    assert list(persisted) == ["status", "error", "context"]


def test_a_stream_of_events_speaks_to_its_parent() -> None:
    source = Source({"type": "HEARD", "value": 1})
    actor = parent_of(from_event_observable(lambda args: source)).start()
    source.observer.next({"type": "HEARD", "value": 2})
    assert actor.get_snapshot().context["heard"] == [1, 2]
    source.observer.complete()
    assert actor.get_snapshot().children["it"].get_snapshot().status == "done"


async def test_an_async_iterator_is_a_stream() -> None:
    async def count(args: Any) -> Any:
        for number in range(args.input):
            yield number

    actor = create_actor(from_observable(count), input=3).start()
    await to_promise(actor)
    assert actor.get_snapshot().context == 2


async def test_an_async_iterator_that_raises_fails() -> None:
    async def fail(args: Any) -> Any:
        yield 1
        raise ValueError("dry")

    actor = parent_of(from_observable(fail)).start()
    await wait_for(actor, lambda s: s.context["out"] == "dry", timeout=20_000)


async def test_stopping_cancels_an_async_iterator() -> None:
    ended = asyncio.Event()

    async def wait(args: Any) -> Any:
        try:
            yield await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    actor = create_actor(from_observable(wait)).start()
    await asyncio.tasks.sleep(0)
    actor.stop()
    await ended.wait()


def test_what_is_no_stream_is_an_error() -> None:
    actor = create_actor(from_observable(lambda args: 5))
    errors: list[Any] = []
    actor.subscribe(error=errors.append)
    actor.start()
    assert isinstance(errors[0], DefinitionError)


def test_a_finished_stream_is_not_subscribed_to_again() -> None:
    source = Source()
    logic = from_observable(lambda args: source)
    actor = create_actor(logic).start()
    source.observer.next(7)
    source.observer.complete()
    persisted = json.loads(json.dumps(actor.get_persisted_snapshot()))
    source.observer = None
    assert create_actor(logic, snapshot=persisted).start().get_snapshot().context == 7
    assert source.observer is None


# reducers and one's own


def test_a_reducer_keeps_what_it_returns() -> None:
    def reduce(state: Any, event: Any, scope: Any) -> Any:
        return state + event["by"] if event["type"] == "ADD" else state

    actor = create_actor(from_transition(reduce, lambda args: args.input), input=5).start()
    actor.send({"type": "ADD", "by": 2})
    assert actor.get_snapshot().context == 7
    assert create_actor(from_transition(reduce, 1)).get_snapshot().context == 1
    persisted = actor.get_persisted_snapshot()
    assert persisted == {"status": "active", "context": 7, "counter": 1}
    again = create_actor(actor.logic, snapshot=persisted).start()
    again.send({"type": "ADD", "by": 1})
    assert again.get_snapshot().context == 8


def test_an_object_with_the_three_functions_is_logic() -> None:
    class Counting:
        def transition(self, snapshot: Any, event: Any, scope: Any) -> Any:
            return {**snapshot, "count": snapshot["count"] + 1}

        def get_initial_snapshot(self, scope: Any, input: Any) -> Any:
            return {"status": "active", "output": None, "error": None, "count": 0}

        def get_persisted_snapshot(self, snapshot: Any) -> Any:
            return dict(snapshot)

    actor = create_actor(Counting()).start()
    seen: list[int] = []
    actor.subscribe(lambda snapshot: seen.append(snapshot["count"]))
    actor.send({"type": "ANY"})
    assert seen == [1]
    assert actor.get_persisted_snapshot()["count"] == 1
    again = create_actor(Counting(), snapshot=actor.get_persisted_snapshot()).start()
    again.send({"type": "ANY"})
    assert again.get_snapshot()["count"] == 2


def test_logic_may_be_wrapped_by_other_logic() -> None:
    class Logged:
        """Higher-order logic: tells of each event, then does what it wraps."""

        def __init__(self, inner: Any, told: list[str]) -> None:
            self.inner = inner
            self.told = told

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def transition(self, snapshot: Any, event: Any, scope: Any) -> Any:
            self.told.append(event["type"])
            return self.inner.transition(snapshot, event, scope)

        def get_initial_snapshot(self, scope: Any, input: Any) -> Any:
            return self.inner.get_initial_snapshot(scope, input)

        def get_persisted_snapshot(self, snapshot: Any) -> Any:
            return self.inner.get_persisted_snapshot(snapshot)

    told: list[str] = []
    machine = create_machine({"initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {}}})
    actor = create_actor(Logged(machine, told)).start()
    actor.send({"type": "GO"})
    assert told == ["GO"]
    assert actor.get_snapshot().value == "b"


def test_logic_that_fails_at_first_is_an_actor_in_error() -> None:
    def fail(args: Any) -> Any:
        raise ValueError("no")

    actor = create_actor(from_transition(lambda s, e, scope: s, fail))
    assert isinstance(actor.get_snapshot(), ActorSnapshot)
    assert actor.get_snapshot().status == "error"


def test_an_empty_actor_does_nothing() -> None:
    actor = create_empty_actor().start()
    actor.send({"type": "ANY"})
    assert actor.get_snapshot().context is None


# waiting


async def test_waiting_ends_with_what_was_waited_for_or_says_why_not() -> None:
    machine = create_machine(
        {
            "initial": "a",
            "states": {"a": {"on": {"GO": "b", "END": "end"}}, "b": {}, "end": {"type": "final"}},
        }
    )
    actor = create_actor(machine).start()
    assert (await wait_for(actor, lambda s: s.matches("a"))).value == "a"
    waiting = asyncio.ensure_future(wait_for(actor, lambda s: s.matches("b")))
    await asyncio.tasks.sleep(0)
    actor.send({"type": "GO"})
    assert (await waiting).value == "b"
    with pytest.raises(TimeoutError, match="didn't get there within 1 ms"):
        await wait_for(actor, lambda s: s.matches("a"), timeout=1)
    ending = create_actor(machine).start()
    waiting = asyncio.ensure_future(wait_for(ending, lambda s: s.matches("b")))
    await asyncio.tasks.sleep(0)
    ending.send({"type": "END"})
    with pytest.raises(EndedError):
        await waiting


async def test_what_a_predicate_or_an_actor_raises_ends_the_wait() -> None:
    def fail(args: Any, params: Any) -> None:
        raise ValueError("actor")

    machine = create_machine({"on": {"GO": {"actions": fail}, "NOP": {"actions": []}}})
    actor = create_actor(machine).start()
    waiting = asyncio.ensure_future(wait_for(actor, lambda s: s.status == "error"))
    await asyncio.tasks.sleep(0)
    actor.send({"type": "GO"})
    with pytest.raises(ValueError, match="actor"):
        await waiting
    other = create_actor(machine).start()
    looks: list[Any] = []

    def predicate(snapshot: Any) -> bool:
        looks.append(snapshot)
        if len(looks) > 1:
            raise ValueError("predicate")
        return False

    waiting = asyncio.ensure_future(wait_for(other, predicate))
    await asyncio.tasks.sleep(0)
    other.send({"type": "NOP"})
    with pytest.raises(ValueError, match="predicate"):
        await waiting
