"""The performer: what a host starts, how it hears of it, and what it stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from runtime import (
    Declared,
    Event,
    Performer,
    StateMachine,
    System,
    SystemSnapshot,
    assign,
    create_actor,
    create_machine,
    declare,
    emit,
    from_callback,
    from_event_observable,
    from_observable,
    from_promise,
    log,
    send_to,
    setup,
)


class Host:
    """A room in miniature: steps a system, performs its effects at once, takes what comes back."""

    def __init__(self, machine: StateMachine) -> None:
        self.system = System(machine)
        self.reported: list[BaseException] = []
        self.logged: list[Any] = []
        self.emitted: list[tuple[str, Event]] = []
        self.declared: list[Declared] = []
        self.arrived = asyncio.Event()
        self.performer = Performer(
            self.deliver,
            report=lambda address, error: self.reported.append(error),
            logger=lambda *values: self.logged.append(values),
            emit=lambda address, event: self.emitted.append((address, event)),
            declared=self.declared.append,
        )
        self.snapshot: SystemSnapshot
        self.take(self.system.initial(now=0, seed=1))

    def take(self, step: Any) -> None:
        assert step.error is None
        self.snapshot = step.snapshot
        for effect in step.effects:
            self.performer.perform(effect, step.snapshot)

    def send(self, type: str, **fields: Any) -> None:
        self.take(self.system.step(self.snapshot, {"type": type, **fields}, now=0))

    def deliver(self, address: str, event: Event) -> None:
        self.take(self.system.step(self.snapshot, event, now=0, target=address))
        self.arrived.set()

    async def until(self, **context: Any) -> None:
        """Wait for what comes from outside until the context has these values."""
        async with asyncio.timeout(20):  # noqa: TID251 - a bound, not a wait
            while not context.items() <= self.snapshot.root.context.items():
                self.arrived.clear()
                await self.arrived.wait()


def keeping(key: str, field: str) -> Any:
    return {"actions": assign({key: lambda a, p: a.event[field]})}


def working(**actors: Any) -> StateMachine:
    """A machine that runs one outside actor while it works, and keeps what it hears of it."""
    return setup(actors=actors).create_machine(
        {
            "context": {"out": None, "error": None, "got": None},
            "initial": "work",
            "on": {"GOT": keeping("got", "value")},
            "states": {
                "work": {
                    "invoke": {
                        "id": "it",
                        "src": next(iter(actors)),
                        "input": 20,
                        "onDone": keeping("out", "output"),
                        "onError": keeping("error", "error"),
                        "onSnapshot": {
                            "actions": assign({"got": lambda a, p: a.event["snapshot"].context})
                        },
                    },
                    "on": {"STOP": "rest", "TELL": {"actions": send_to("it", {"type": "TOLD"})}},
                },
                "rest": {"on": {"START": "work"}},
            },
        }
    )


async def test_a_coroutine_runs_and_its_result_is_an_event() -> None:
    async def add(args: Any) -> Any:
        return args.input + 1

    host = Host(working(add=from_promise(add)))
    assert len(host.performer) == 1
    await host.until(out=21)
    assert len(host.performer) == 0


async def test_a_coroutine_that_raises_has_failed() -> None:
    async def fail(args: Any) -> Any:
        raise ValueError("no")

    host = Host(working(fail=from_promise(fail)))
    await host.arrived.wait()
    assert str(host.snapshot.root.context["error"]) == "no"


async def test_stopping_cancels_and_nothing_late_is_delivered() -> None:
    cancelled = asyncio.Event()

    async def wait(args: Any) -> Any:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    host = Host(working(wait=from_promise(wait)))
    await asyncio.tasks.sleep(0)
    host.send("STOP")
    await cancelled.wait()
    assert len(host.performer) == 0
    assert not host.arrived.is_set()


async def test_stop_all_stops_everything() -> None:
    stopped: list[str] = []
    host = Host(working(cb=from_callback(lambda args: lambda: stopped.append("cb"))))
    host.performer.stop_all()
    assert stopped == ["cb"]
    assert len(host.performer) == 0


async def test_a_callback_receives_and_sends_back() -> None:
    def echo(args: Any) -> None:
        args.receive(lambda event: args.send_back({"type": "GOT", "value": event["type"]}))

    host = Host(working(echo=from_callback(echo)))
    host.send("TELL")
    assert host.snapshot.root.context["got"] is None  # it is a turn of its own
    await host.until(got="TOLD")


async def test_what_a_callback_sends_back_at_its_start_is_a_turn_of_its_own() -> None:
    def hasty(args: Any) -> None:
        args.send_back({"type": "GOT", "value": 1})

    host = Host(working(hasty=from_callback(hasty)))
    assert host.snapshot.root.context["got"] is None
    await host.until(got=1)


async def test_a_callback_that_raises_has_failed() -> None:
    def fail(args: Any) -> None:
        raise ValueError("no")

    host = Host(working(fail=from_callback(fail)))
    await host.arrived.wait()
    assert str(host.snapshot.root.context["error"]) == "no"
    assert len(host.performer) == 0


async def test_an_async_iterator_syncs_its_values_and_ends() -> None:
    async def values(args: Any) -> Any:
        yield args.input + 1
        yield args.input + 2

    host = Host(working(values=from_observable(values)))
    await host.until(got=22)
    while len(host.performer):
        await asyncio.tasks.sleep(0)


async def test_a_stream_of_events_speaks_to_the_parent() -> None:
    class Source:
        def subscribe(self, observer: Any) -> None:
            observer.next({"type": "GOT", "value": 1})
            observer.next({"type": "GOT", "value": 2})

    host = Host(working(source=from_event_observable(lambda args: Source())))
    await host.until(got=2)


async def test_actions_are_performed_and_what_they_raise_is_only_reported() -> None:
    seen: list[Any] = []

    def act(args: Any, params: Any) -> None:
        seen.append((args.context, args.self.get_snapshot().value, args.system.get("nobody")))
        args.self.send({"type": "SENT"})
        raise ValueError("no")

    machine = create_machine(
        {
            "context": {"n": 0},
            "on": {
                "GO": {"actions": [act, assign({"n": lambda a, p: 1})]},
                "SENT": {"actions": assign({"n": lambda a, p: 2})},
            },
        }
    )
    host = Host(machine)
    host.send("GO")
    assert seen == [({"n": 0}, {}, None)]
    assert [str(error) for error in host.reported] == ["no"]
    assert host.snapshot.root.context == {"n": 1}
    await host.until(n=2)


async def test_an_action_that_makes_an_action_is_told_that_nothing_comes_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = create_machine({"on": {"GO": {"actions": lambda args, params: assign({"n": 1})}}})
    Host(machine).send("GO")
    assert "'xstate.assign', which does nothing" in caplog.text


async def test_logs_emits_and_declared_effects_go_to_their_takers() -> None:
    tell = declare("host.tell")
    machine = create_machine(
        {"on": {"GO": {"actions": [log("a"), log("b", "label"), emit({"type": "e"}), tell(1)]}}}
    )
    host = Host(machine)
    host.send("GO")
    assert host.logged == [("a",), ("label", "b")]
    assert host.emitted == [("", {"type": "e"})]
    assert host.declared == [Declared("", "host.tell", 1)]


async def test_system_ids_are_found_by_actions() -> None:
    found: list[Any] = []
    machine = setup(actors={"cb": from_callback(lambda args: None)}).create_machine(
        {
            "invoke": {"id": "it", "src": "cb", "systemId": "helper"},
            "on": {"GO": {"actions": lambda a, p: found.append(a.system.get("helper").address)}},
        }
    )
    host = Host(machine)
    host.send("GO")
    assert found == ["it"]
    assert host.reported == []


async def test_a_start_has_a_key_which_only_a_restore_that_resumes_gives_again() -> None:
    keys: list[str | None] = []

    async def call(args: Any) -> None:
        keys.append(args.key)
        await asyncio.get_running_loop().create_future()

    machine = working(it=from_promise(call))
    host = Host(machine)
    persisted = host.system.persist(host.snapshot)
    await asyncio.tasks.sleep(0)
    for invoked in ("resume", "restart"):
        host.performer.stop_all()
        host.take(host.system.restore(persisted, now=0, invoked=invoked))
        await asyncio.tasks.sleep(0)
    host.performer.stop_all()
    assert keys[0] == keys[1] != keys[2]
    actor = create_actor(machine).start()
    await asyncio.tasks.sleep(0)
    assert keys[3] is None
    actor.stop()


@pytest.mark.parametrize("kind", [from_promise, from_callback])
async def test_a_room_that_restores_starts_them_again(kind: Any) -> None:
    started: list[int] = []

    def start(args: Any) -> None:
        started.append(args.input)

    async def start_async(args: Any) -> None:
        start(args)
        await asyncio.get_running_loop().create_future()

    machine = working(it=kind(start_async if kind is from_promise else start))
    host = Host(machine)
    await asyncio.tasks.sleep(0)
    host.performer.stop_all()
    host.take(host.system.restore(host.system.persist(host.snapshot), now=0))
    await asyncio.tasks.sleep(0)
    assert started == [20, 20]
    host.performer.stop_all()
