"""Properties of random charts: legal configurations, equal faces, restoring at any step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import (
    Actor,
    RuntimeFault,
    SimulatedClock,
    StateMachine,
    System,
    create_actor,
    transition,
)
from tests.runtime.charts import events, machines

if TYPE_CHECKING:
    from runtime.statechart.nodes import StateNode

thorough = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Random charts fail and log a lot."""
    caplog.set_level(100, logger="runtime")


def begin(machine: StateMachine, **options: Any) -> Actor:
    actor = create_actor(machine, seed=1, **options)
    actor.subscribe(error=lambda error: None)
    return actor.start()


def feed(actor: Actor, clock: SimulatedClock, event: Any) -> None:
    if isinstance(event, int):
        clock.increment(event)
    else:
        actor.send(event)


def legal(nodes: tuple[StateNode, ...]) -> None:
    active = set(nodes)
    assert len(active) == len(nodes)
    for node in nodes:
        assert node.type != "history"
        assert node.parent is None or node.parent in active
        inner = [child for child in node.regions() if child in active]
        if node.type == "compound":
            assert len(inner) == 1, node
        elif node.type == "parallel":
            assert inner == node.regions(), node


@thorough
@given(machines(), events)
def test_configurations_are_always_legal(machine: StateMachine, script: list[Any]) -> None:
    seen: list[Any] = []
    clock = SimulatedClock()

    def look(event: Any) -> None:
        if event["type"] == "@xstate.microstep" and hasattr(event["snapshot"], "nodes"):
            seen.append(event["snapshot"])

    actor = begin(machine, clock=clock, inspect=look)
    for event in script:
        feed(actor, clock, event)
    for snapshot in seen:
        legal(snapshot.nodes)


@thorough
@given(machines(), events)
def test_what_is_entered_and_not_left_is_active(machine: StateMachine, script: list[Any]) -> None:
    inside: set[str] = set()

    def entering(node_id: str) -> Any:
        return lambda args, params: inside.add(node_id)

    def leaving(node_id: str) -> Any:
        return lambda args, params: inside.remove(node_id)

    def traced(config: dict[str, Any]) -> dict[str, Any]:
        states = {key: traced(inner) for key, inner in config.get("states", {}).items()}
        more = {**config, "states": states} if states else dict(config)
        if config.get("type") != "history":
            more["entry"] = [entering(config["id"]), *config.get("entry", [])]
            more["exit"] = [*config.get("exit", []), leaving(config["id"])]
        return more

    watched = StateMachine(traced(dict(machine.config)), machine.implementations)
    clock = SimulatedClock()
    actor = begin(watched, clock=clock)
    for event in script:
        snapshot = actor.get_snapshot()
        if snapshot.status != "active":
            break
        assert inside == {node.id for node in snapshot.nodes}
        feed(actor, clock, event)
    if actor.get_snapshot().status == "done":
        assert inside == set()


def shown(snapshot: Any) -> Any:
    return (snapshot.value, snapshot.context, snapshot.status, snapshot.output, snapshot.tags)


@thorough
@given(machines(), st.lists(st.sampled_from("ABC"), max_size=6))
def test_the_pure_face_and_the_actor_agree(machine: StateMachine, names: list[str]) -> None:
    """As far as only the machine itself is concerned: nothing rolled, no children, no mail."""
    text = json.dumps(machine.to_json())
    if any(word in text for word in ("roll", "spawn", "invoke", "tellKid", "count")):
        return
    actor = create_actor(machine, clock=SimulatedClock())
    actor.subscribe(error=lambda error: None)
    snapshot = actor.start().get_snapshot()
    for name in names:
        if snapshot.status != "active":
            break
        actor.send({"type": name})
        if actor.get_snapshot().status == "error":
            break
        snapshot, _ = transition(machine, snapshot, {"type": name})
        assert shown(snapshot) == shown(actor.get_snapshot())


def persisted(actor: Actor) -> Any:
    return json.loads(json.dumps(actor.get_persisted_snapshot()))


@thorough
@given(machines(), events, events)
def test_restoring_at_any_step_changes_nothing_that_follows(
    machine: StateMachine, before: list[Any], after: list[Any]
) -> None:
    clock = SimulatedClock()
    actor = begin(machine, clock=clock)
    for event in before:
        feed(actor, clock, event)
    if actor.get_snapshot().status == "error":
        return
    other_clock = SimulatedClock(clock.now())
    restored = create_actor(machine, snapshot=persisted(actor), clock=other_clock).start()
    restored.subscribe(error=lambda error: None)
    assert persisted(restored) == persisted(actor)
    for event in after:
        feed(actor, clock, event)
        feed(restored, other_clock, event)
        assert unordered(persisted(restored)) == unordered(persisted(actor))


def unordered(snapshot: Any) -> Any:
    """History in any order: it is listed as it was entered, which restoring needn't keep."""
    history = {
        key: sorted(node["id"] for node in nodes) for key, nodes in snapshot["historyValue"].items()
    }
    return {**snapshot, "historyValue": history}


def run_system(machine: StateMachine, script: list[Any], *, restore: bool) -> list[Any]:
    """Each persisted snapshot of a system on its way through a script, timers and all."""
    system = System(machine, on_error="stop")
    now = 0
    snapshot = system.initial(now=now, seed=1).snapshot
    trace = []
    for event in script:
        if restore:
            text = json.dumps(system.persist(snapshot))
            system = System(machine, on_error="stop")
            snapshot = system.restore(json.loads(text), now=now).snapshot
        if isinstance(event, int):
            now += event
            for timer in sorted(snapshot.timers, key=lambda timer: timer.due):
                if timer.due <= now:
                    snapshot = system.fire(snapshot, timer, now=now).snapshot
        else:
            snapshot = system.step(snapshot, event, now=now).snapshot
        trace.append(system.persist(snapshot))
        if snapshot.root.status == "error":
            break  # its children live on, but are not started again by a restore
    return trace


@thorough
@given(machines(), events)
def test_a_system_restored_before_every_step_does_the_same(
    machine: StateMachine, script: list[Any]
) -> None:
    restoring = run_system(machine, script, restore=True)
    through = run_system(machine, script, restore=False)
    assert [unordered(s) for s in restoring] == [unordered(s) for s in through]


@thorough
@given(machines(), events)
def test_a_room_and_a_standalone_actor_do_the_same(
    machine: StateMachine, script: list[Any]
) -> None:
    clock = SimulatedClock()
    actor = begin(machine, clock=clock)
    trace = []
    for event in script:
        feed(actor, clock, event)
        trace.append(persisted(actor))
    for one, other in zip(trace, run_system(machine, script, restore=False), strict=False):
        for key in ("value", "context", "status", "children", "historyValue"):
            assert one[key] == other[key]


@thorough
@given(machines(), events)
def test_an_older_snapshot_is_never_disturbed(machine: StateMachine, script: list[Any]) -> None:
    system = System(machine)
    try:
        snapshot = system.initial(now=0, seed=1).snapshot
    except RuntimeFault:
        return  # a chart that doesn't even begin
    kept = [(snapshot, system.persist(snapshot))]
    for event in script:
        if not isinstance(event, int):
            snapshot = system.step(snapshot, event, now=0).snapshot
            kept.append((snapshot, system.persist(snapshot)))
    for snapshot, then in kept:
        assert system.persist(snapshot) == then
        assert json.dumps(system.share(snapshot)) == json.dumps(then)
