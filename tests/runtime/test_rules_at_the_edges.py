"""What charts do that stand at the edge of what is usual: found by holding them against XState."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from runtime import (
    DefinitionError,
    RestoreError,
    RuntimeFault,
    SimulatedClock,
    System,
    assign,
    create_actor,
    create_machine,
    forward_to,
    initial_transition,
    raise_,
    send_to,
    to_promise,
    transition,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Counter:
    """Logic of one's own, whose snapshots are dicts. `LAST` is its end."""

    def transition(self, snapshot: Any, event: Any, scope: Any) -> Any:
        if event["type"] == "LAST":
            return {**snapshot, "status": "done", "output": snapshot["context"]}
        return {**snapshot, "context": snapshot["context"] + 1}

    def get_initial_snapshot(self, scope: Any, input: Any = None) -> dict[str, Any]:
        return {"status": "active", "context": 0}

    def get_persisted_snapshot(self, snapshot: Any) -> Mapping[str, Any]:
        return snapshot  # type: ignore[no-any-return]


def test_logic_with_dicts_for_snapshots_may_be_invoked_from_the_start() -> None:
    machine = create_machine(
        {
            "invoke": {"id": "count", "src": Counter()},
            "on": {"UP": {"actions": forward_to("count")}},
        }
    )
    actor = create_actor(machine).start()
    actor.send({"type": "UP"})
    assert actor.get_snapshot().children["count"].get_snapshot()["context"] == 1


async def test_the_output_of_such_logic_is_promised_too() -> None:
    actor = create_actor(Counter()).start()
    actor.send({"type": "UP"})
    actor.send({"type": "LAST"})
    assert await to_promise(actor) == 1


def test_an_assign_that_returns_nothing_changes_nothing() -> None:
    def perhaps(args: Any, params: Any) -> Any:
        if args.event["by"] > 0:
            return {"n": args.context["n"] + args.event["by"]}
        return None

    given = {"actions": {"perhaps": assign(perhaps)}}
    machine = create_machine({"context": {"n": 1}, "on": {"ADD": {"actions": "perhaps"}}}, given)
    actor = create_actor(machine).start()
    for by in (-1, 2):
        actor.send({"type": "ADD", "by": by})
        assert actor.get_snapshot().status == "active"
    assert actor.get_snapshot().context == {"n": 3}


def test_a_context_function_that_returns_nothing_makes_an_empty_one() -> None:
    actor = create_actor(create_machine({"context": lambda args: None})).start()
    assert (actor.get_snapshot().status, actor.get_snapshot().context) == ("active", {})


def test_a_key_with_a_dot_in_it_is_no_path() -> None:
    machine = create_machine(
        {
            "initial": "start",
            "states": {
                "start": {"on": {"KEY": "a\\.b", "PATH": "a.b"}},
                "a.b": {},
                "a": {"initial": "b", "states": {"b": {}}},
            },
        }
    )
    for event, value in (("KEY", "a.b"), ("PATH", {"a": "b"})):
        actor = create_actor(machine).start()
        actor.send({"type": event})
        assert actor.get_snapshot().value == value


def test_an_action_that_makes_an_action_is_told_that_nothing_comes_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def forgetful(args: Any, params: Any) -> Any:
        return assign({"n": 2})

    actor = create_actor(create_machine({"context": {"n": 1}, "entry": forgetful})).start()
    assert actor.get_snapshot().context == {"n": 1}
    assert "action 'forgetful' returned a 'xstate.assign', which does nothing" in caplog.text


def test_who_subscribes_while_others_are_told_is_told_too_and_who_has_left_is_not() -> None:
    actor = create_actor(create_machine({})).start()
    told: list[str] = []

    def first(snapshot: Any) -> None:
        told.append("first")
        second.unsubscribe()
        actor.subscribe(lambda snapshot: told.append("third"))

    actor.subscribe(first)
    second = actor.subscribe(lambda snapshot: told.append("second"))
    actor.send({"type": "GO"})
    assert told == ["first", "third"]


def test_an_infinite_delay_never_ends() -> None:
    machine = create_machine(
        {
            "initial": "waiting",
            "states": {"waiting": {"after": {"ever": "over"}}, "over": {}},
        },
        {"delays": {"ever": math.inf}},
    )
    clock = SimulatedClock()
    actor = create_actor(machine, clock=clock).start()
    clock.increment(1e12)
    assert actor.get_snapshot().value == "waiting"
    assert "timers" not in actor.get_persisted_snapshot()
    assert System(machine).initial(now=0, seed=0).snapshot.timers == ()


def test_a_guard_that_is_another_name_for_one_has_no_params_of_its_own() -> None:
    given: list[Any] = []

    def note(args: Any, params: Any) -> bool:
        given.append(params)
        return True

    machine = create_machine(
        {"on": {"GO": {"guard": {"type": "alias", "params": 5}, "actions": raise_({"type": "R"})}}},
        {"guards": {"note": note, "alias": "note"}},
    )
    create_actor(machine).start().send({"type": "GO"})
    assert given == [None]


def test_an_actor_that_was_stopped_before_it_started_may_still_start() -> None:
    actor = create_actor(
        create_machine({"initial": "a", "states": {"a": {"on": {"N": "b"}}, "b": {}}})
    )
    actor.stop().start().send({"type": "N"})
    assert actor.get_snapshot().value == "b"


def test_a_stop_event_from_anybody_stops() -> None:
    ended: list[str] = []
    actor = create_actor(create_machine({})).start()
    actor.subscribe(complete=lambda: ended.append("complete"))
    actor.send({"type": "xstate.stop"})
    assert (actor.get_snapshot().status, actor.runs, ended) == ("stopped", False, ["complete"])


def test_inspection_tells_of_no_step_for_an_init_event_and_by_what_id_was_sent() -> None:
    seen: list[Any] = []
    machine = create_machine(
        {
            "invoke": {"id": "count", "src": Counter()},
            "on": {"GO": {"actions": send_to("count", {"type": "UP"})}},
        }
    )
    actor = create_actor(machine, inspect=seen.append).start()
    seen.clear()
    actor.send({"type": "xstate.init"})
    assert [event["type"] for event in seen] == ["@xstate.event", "@xstate.snapshot"]
    actor.send({"type": "GO"})
    (sent,) = [event["action"]["params"] for event in seen if event["type"] == "@xstate.action"]
    assert sent["targetId"] == "count"


def test_inspection_shows_the_child_that_an_initial_entry_action_sends_to() -> None:
    seen: list[Any] = []
    machine = create_machine(
        {
            "initial": "a",
            "states": {
                "a": {
                    "entry": send_to("count", {"type": "UP"}),
                    "invoke": {"id": "count", "src": Counter()},
                }
            },
        }
    )
    actor = create_actor(machine, inspect=seen.append).start()
    (sent, _) = [event["action"]["params"] for event in seen if event["type"] == "@xstate.action"]
    assert sent["to"] is actor.get_snapshot().children["count"]


def test_what_is_no_logic_makes_no_actor() -> None:
    logic: Any = {"initial": "a"}
    with pytest.raises(DefinitionError, match="no actor logic"):
        create_actor(logic)


def test_the_pure_face_stops_the_children_of_a_done_snapshot_again() -> None:
    machine = create_machine(
        {
            "invoke": {"id": "count", "src": Counter()},
            "initial": "a",
            "states": {"a": {"on": {"END": "b"}}, "b": {"type": "final"}},
        }
    )
    snapshot, _ = initial_transition(machine)
    for event in ("END", "ANY"):
        snapshot, effects = transition(machine, snapshot, {"type": event})
        assert [effect.type for effect in effects] == ["xstate.stopChild"]


@pytest.mark.parametrize("error", ["lost", None, StopIteration()])
async def test_who_waits_for_an_actor_hears_of_any_error(error: Any) -> None:
    actor = create_actor(create_machine({})).start()
    waiting = [
        asyncio.ensure_future(to_promise(actor)),
        asyncio.ensure_future(wait_for(actor, lambda snapshot: False)),
    ]
    await asyncio.tasks.sleep(0)
    actor.send({"type": "xstate.error.actor.x", "error": error})
    for late in (*waiting, to_promise(actor), wait_for(actor, lambda snapshot: False)):
        with pytest.raises(RuntimeFault, match=f"^the actor failed: {re.escape(repr(error))}"):
            await late


async def test_a_predicate_may_fail_with_anything() -> None:
    actor = create_actor(create_machine({"on": {"GO": {}}})).start()
    seen = iter([False])
    waiting = asyncio.ensure_future(wait_for(actor, lambda snapshot: next(seen)))
    await asyncio.tasks.sleep(0)
    actor.send({"type": "GO"})
    with pytest.raises(RuntimeFault, match="StopIteration"):
        await waiting


@pytest.mark.parametrize("snapshot", [5, "active", ["active"]])
def test_what_is_no_snapshot_restores_nothing(snapshot: Any) -> None:
    with pytest.raises(RestoreError, match=r"^cannot restore: no snapshot: "):
        create_actor(create_machine({}), snapshot=snapshot)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_hasnt_are_not_persisted(number: float) -> None:
    for context in ({"n": number}, {"list": [1.5, number]}, {"deep": {"a": [], "n": number}}):
        actor = create_actor(create_machine({"context": context})).start()
        assert actor.get_snapshot().context == context
        with pytest.raises(RuntimeFault, match="is not plain JSON data"):
            actor.get_persisted_snapshot()
