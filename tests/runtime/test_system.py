"""The system as a value: steps, effects, what was taken, errors, timers, restoring."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runtime import (
    Act,
    Declared,
    Emit,
    Log,
    Mail,
    RestoreError,
    Start,
    StateMachine,
    Step,
    Stop,
    System,
    SystemSnapshot,
    assign,
    cancel,
    create_machine,
    declare,
    emit,
    from_callback,
    from_promise,
    from_transition,
    log,
    raise_,
    send_parent,
    send_to,
    setup,
    spawn_child,
)

NOW = 1_000_000


async def double(args: Any) -> Any:
    return args.input * 2


counter = from_transition(lambda state, event, scope: state + event.get("by", 0), 0)
tell_host = declare("host.tell")


def adding(key: str) -> Any:
    return assign({key: lambda a, p: a.context[key] + 1})


kid = create_machine(
    {
        "id": "kid",
        "context": {"n": 0},
        "on": {
            "PING": {"actions": [adding("n"), send_parent({"type": "PONG"})]},
            "QUIET": {"actions": adding("n")},
        },
    }
)


def family() -> StateMachine:
    """A machine with everything a room may meet."""
    return setup(
        actors={
            "kid": kid,
            "double": from_promise(double),
            "ear": from_callback(lambda a: None),
            "counter": counter,
        },
        actions={"shout": lambda a, p: None},
    ).create_machine(
        {
            "id": "family",
            "version": "1",
            "context": {"pongs": 0, "doubled": None},
            "initial": "calm",
            "invoke": {"id": "kid", "src": "kid"},
            "on": {
                "PING": {"actions": [send_to("kid", {"type": "PING"}), "shout"]},
                "PONG": {"actions": adding("pongs")},
                "FAIL": {"actions": [adding("pongs"), assign({"x": lambda a, p: 1 // 0})]},
                "TELL": {"actions": tell_host(lambda a, p: {"heard": a.event["type"]})},
                "SAY": {"actions": [log("hello"), emit({"type": "said"})]},
                "COUNT": {"actions": spawn_child("counter", id="counter")},
                "ROLL": {"actions": assign({"roll": lambda a, p: a.random.randrange(1000)})},
                "NOW": {"actions": assign({"at": lambda a, p: a.now})},
                "LOOP": {"actions": send_to(lambda a, p: a.self, {"type": "LOOP"})},
                "LATER": {"actions": raise_({"type": "PONG"}, delay=500)},
            },
            "states": {
                "calm": {"on": {"WORK": "busy"}, "after": {60_000: "asleep"}},
                "busy": {
                    "invoke": [
                        {
                            "id": "double",
                            "src": "double",
                            "input": 21,
                            "onDone": {
                                "target": "calm",
                                "actions": assign({"doubled": lambda a, p: a.event["output"]}),
                            },
                            "onError": "failed",
                        },
                        {"id": "ear", "src": "ear"},
                    ],
                    "on": {"HEAR": {"actions": send_to("ear", {"type": "HEARD"})}, "REST": "calm"},
                },
                "failed": {},
                "asleep": {},
            },
        }
    )


@pytest.fixture
def system() -> System:
    return System(family())


@pytest.fixture
def begun(system: System) -> SystemSnapshot:
    return system.initial(now=NOW, seed=7).snapshot


def types(step: Step) -> list[str]:
    return [type(effect).__name__ for effect in step.effects]


def test_a_step_runs_the_whole_system_to_rest(system: System, begun: SystemSnapshot) -> None:
    step = system.step(begun, {"type": "PING"}, now=NOW)
    assert step.snapshot.root.context["pongs"] == 1
    assert step.snapshot.actor("kid").context == {"n": 1}
    assert [(taken.actor, taken.event) for taken in step.taken] == [
        ("", "PING"),
        ("kid", "PING"),
        ("", "PONG"),
    ]


def test_a_snapshot_is_a_value_that_later_steps_do_not_touch(
    system: System, begun: SystemSnapshot
) -> None:
    later = system.step(begun, {"type": "PING"}, now=NOW).snapshot
    assert begun.root.context["pongs"] == 0
    assert begun.root.children["kid"].get_snapshot().context == {"n": 0}
    assert later.root.children["kid"].get_snapshot().context == {"n": 1}


def test_a_step_from_an_older_snapshot_does_what_it_did_then(
    system: System, begun: SystemSnapshot
) -> None:
    once = system.step(begun, {"type": "PING"}, now=NOW)
    twice = system.step(once.snapshot, {"type": "PING"}, now=NOW)
    again = system.step(begun, {"type": "PING"}, now=NOW)
    assert system.persist(again.snapshot) == system.persist(once.snapshot)
    assert system.persist(twice.snapshot)["context"]["pongs"] == 2


def test_what_nobody_takes_changes_nothing_at_all(system: System, begun: SystemSnapshot) -> None:
    step = system.step(begun, {"type": "UNKNOWN"}, now=NOW)
    assert step.snapshot is begun
    assert step.taken == ()
    assert step.effects == ()


def test_a_forbidden_event_counts_as_ignored() -> None:
    system = System(create_machine({"on": {"EV": {}}}))
    begun = system.initial(now=NOW, seed=1).snapshot
    assert system.step(begun, {"type": "EV"}, now=NOW).taken == ()


def test_unchanged_parts_keep_their_identity(system: System, begun: SystemSnapshot) -> None:
    child_only = system.step(begun, {"type": "QUIET"}, now=NOW, target="kid")
    assert child_only.snapshot.root is not begun.root
    assert child_only.snapshot.root.context is begun.root.context
    root_only = system.step(begun, {"type": "TELL"}, now=NOW)
    assert root_only.snapshot is begun
    assert root_only.taken != ()


def test_an_exception_drops_the_whole_step(system: System, begun: SystemSnapshot) -> None:
    step = system.step(begun, {"type": "FAIL"}, now=NOW)
    assert isinstance(step.error, ZeroDivisionError)
    assert step.snapshot is begun
    assert (step.effects, step.taken) == ((), ())
    after = system.step(begun, {"type": "PING"}, now=NOW)
    assert after.snapshot.root.context["pongs"] == 1


def test_on_error_stop_is_the_way_of_xstate() -> None:
    system = System(family(), on_error="stop")
    begun = system.initial(now=NOW, seed=1).snapshot
    step = system.step(begun, {"type": "FAIL"}, now=NOW)
    assert step.error is None
    assert step.snapshot.root.status == "error"
    assert step.snapshot.root.context["pongs"] == 0


def test_messages_without_end_are_an_error(system: System, begun: SystemSnapshot) -> None:
    step = system.step(begun, {"type": "LOOP"}, now=NOW)
    assert step.snapshot is begun
    assert "10000 messages" in str(step.error)


def test_effects_are_data_in_the_order_of_performance(
    system: System, begun: SystemSnapshot
) -> None:
    acting = system.step(begun, {"type": "PING"}, now=NOW)
    assert types(acting) == ["Act"]
    told = system.step(begun, {"type": "TELL"}, now=NOW)
    assert told.effects == (Declared("", "host.tell", {"heard": "TELL"}),)
    said = system.step(begun, {"type": "SAY"}, now=NOW)
    assert said.effects == (Log("", None, "hello"), Emit("", {"type": "said"}))


def test_a_custom_action_sees_the_context_and_event_of_its_place() -> None:
    seen: list[Any] = []
    machine = create_machine(
        {
            "context": {"n": 0},
            "on": {"GO": {"actions": [adding("n"), lambda a, p: seen.append(a), adding("n")]}},
        }
    )
    system = System(machine)
    begun = system.initial(now=NOW, seed=1).snapshot
    step = system.step(begun, {"type": "GO", "k": 1}, now=NOW + 5)
    assert seen == []
    (act,) = step.effects
    assert isinstance(act, Act)
    act.run(act.args, act.params)
    assert (seen[0].context, seen[0].event, seen[0].now) == (
        {"n": 1},
        {"type": "GO", "k": 1},
        NOW + 5,
    )
    assert step.snapshot.root.context == {"n": 2}


def test_outside_actors_are_started_mailed_and_stopped_by_the_host(
    system: System, begun: SystemSnapshot
) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    double_start, ear_start = working.effects
    assert isinstance(double_start, Start)
    assert isinstance(ear_start, Start)
    assert (double_start.actor, double_start.input, double_start.src) == ("double", 21, "double")
    hearing = system.step(working.snapshot, {"type": "HEAR"}, now=NOW)
    assert hearing.effects == (Mail("ear", {"type": "HEARD"}),)
    resting = system.step(hearing.snapshot, {"type": "REST"}, now=NOW)
    assert resting.effects == (Stop("double"), Stop("ear"))


def outside(start: Any, type: str, to: str = "self", **fields: Any) -> dict[str, Any]:
    event = {"type": type, **fields}
    return {"type": "xstate.outside", "number": start.number, "to": to, "event": event}


def test_what_an_outside_actor_brings_is_an_event_of_its_own(
    system: System, begun: SystemSnapshot
) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    result = outside(working.effects[0], "xstate.promise.resolve", data=42)
    done = system.step(working.snapshot, result, now=NOW, target="double")
    assert done.snapshot.root.context["doubled"] == 42
    assert done.snapshot.root.value == "calm"
    assert done.effects == (Stop("ear"),)
    assert done.taken != ()


def test_late_results_are_discarded(system: System, begun: SystemSnapshot) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    late = outside(working.effects[0], "xstate.promise.resolve", data=42)
    resting = system.step(working.snapshot, {"type": "REST"}, now=NOW)
    assert system.step(resting.snapshot, late, now=NOW, target="double").taken == ()
    again = system.step(resting.snapshot, {"type": "WORK"}, now=NOW)
    step = system.step(again.snapshot, late, now=NOW, target="double")
    assert step.snapshot is again.snapshot


def test_a_callback_sends_to_its_parent_and_its_failure_is_the_parents_to_handle(
    system: System, begun: SystemSnapshot
) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    ear = working.effects[1]
    told = system.step(working.snapshot, outside(ear, "PONG", "parent"), now=NOW, target="ear")
    assert told.snapshot.root.context["pongs"] == 1
    failed = outside(working.effects[0], "xstate.outside.failed", error=ValueError("no"))
    step = system.step(working.snapshot, failed, now=NOW, target="double")
    assert step.snapshot.root.value == "failed"


def test_timers_are_data_and_fire_when_the_host_says(system: System, begun: SystemSnapshot) -> None:
    (timer,) = begun.timers
    assert (timer.due, timer.scheduled, timer.target) == (NOW + 60_000, NOW, "")
    assert begun.next_due == NOW + 60_000
    later = system.step(begun, {"type": "LATER"}, now=NOW + 10)
    assert later.snapshot.next_due == NOW + 510
    soonest = min(later.snapshot.timers, key=lambda timer: timer.due)
    fired = system.fire(later.snapshot, soonest, now=NOW + 510)
    assert fired.snapshot.root.context["pongs"] == 1
    assert fired.snapshot.timers == (timer,)
    asleep = system.fire(fired.snapshot, timer, now=NOW + 60_000)
    assert asleep.snapshot.root.value == "asleep"
    assert asleep.snapshot.next_due is None
    assert system.fire(asleep.snapshot, timer, now=NOW).snapshot is asleep.snapshot


def test_timers_without_an_id_are_told_apart() -> None:
    later = [raise_({"type": "LATER", "n": n}, delay=10) for n in (1, 2, 3)]
    timers = System(create_machine({"entry": later})).initial(now=NOW, seed=0).snapshot.timers
    assert [timer.event["n"] for timer in timers] == [1, 2, 3]
    assert len({timer.id for timer in timers}) == 3


def test_leaving_a_state_cancels_its_timers(system: System, begun: SystemSnapshot) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    assert working.snapshot.timers == ()


def test_time_and_chance_come_from_the_step_and_the_snapshot(
    system: System, begun: SystemSnapshot
) -> None:
    at = system.step(begun, {"type": "NOW"}, now=NOW + 3)
    assert at.snapshot.root.context["at"] == NOW + 3
    one = system.step(begun, {"type": "ROLL"}, now=NOW).snapshot
    same = system.step(begun, {"type": "ROLL"}, now=NOW).snapshot
    two = system.step(one, {"type": "ROLL"}, now=NOW).snapshot
    assert one.root.context["roll"] == same.root.context["roll"]
    assert one.root.context["roll"] != two.root.context["roll"]


def test_a_reducer_that_keeps_its_state_has_taken_nothing(
    system: System, begun: SystemSnapshot
) -> None:
    counting = system.step(begun, {"type": "COUNT"}, now=NOW).snapshot
    added = system.step(counting, {"type": "ADD", "by": 2}, now=NOW, target="counter")
    assert added.snapshot.actor("counter").context == 2
    assert added.taken[0].actor == "counter"
    alone = System(from_transition(lambda state, event, scope: state, 0))
    begun = alone.initial(now=NOW, seed=1).snapshot
    assert alone.step(begun, {"type": "X"}, now=NOW).taken == ()


def test_an_event_for_nobody_is_ignored(system: System, begun: SystemSnapshot) -> None:
    assert system.step(begun, {"type": "X"}, now=NOW, target="nobody").snapshot is begun


def restored(system: System, snapshot: SystemSnapshot, **options: Any) -> Step:
    text = json.dumps(system.persist(snapshot))
    return System(family()).restore(json.loads(text), now=NOW, **options)


@pytest.mark.parametrize("events", [[], ["PING"], ["LATER", "ROLL"], ["COUNT", "PING"]])
def test_a_restored_system_goes_on_as_if_nothing_had_been(
    system: System, begun: SystemSnapshot, events: list[str]
) -> None:
    snapshot = begun
    for event_type in events:
        snapshot = system.step(snapshot, {"type": event_type}, now=NOW).snapshot
    back = restored(system, snapshot).snapshot
    assert system.persist(back) == system.persist(snapshot)
    for event_type in ("PING", "ROLL", "COUNT", "WORK"):
        back = system.step(back, {"type": event_type}, now=NOW).snapshot
        snapshot = system.step(snapshot, {"type": event_type}, now=NOW).snapshot
    assert system.persist(back) == system.persist(snapshot)


@pytest.mark.parametrize("events", [[], ["PING"], ["WORK", "LATER"], ["COUNT", "ROLL", "LATER"]])
def test_what_is_shared_is_what_is_persisted(
    system: System, begun: SystemSnapshot, events: list[str]
) -> None:
    snapshot = begun
    for event_type in events:
        snapshot = system.step(snapshot, {"type": event_type}, now=NOW).snapshot
    assert json.dumps(system.share(snapshot)) == json.dumps(system.persist(snapshot))


def test_two_shared_forms_have_in_common_what_their_snapshots_have(system: System) -> None:
    before = system.initial(now=NOW, seed=7).snapshot
    for event_type in ("COUNT", "LATER"):
        before = system.step(before, {"type": event_type}, now=NOW).snapshot
    after = system.step(before, {"type": "PING"}, now=NOW).snapshot
    one, other = system.share(before), system.share(after)
    assert one["context"] is before.root.context
    assert other["children"]["counter"] is one["children"]["counter"]
    assert other["children"]["kid"] != one["children"]["kid"]
    assert [a is b for a, b in zip(one["timers"], other["timers"], strict=True)] == [True, True]


def test_what_is_persisted_aliases_nothing(system: System, begun: SystemSnapshot) -> None:
    persisted = system.persist(begun)
    persisted["context"]["pongs"] = 99
    persisted["children"]["kid"]["snapshot"]["context"]["n"] = 99
    assert begun.root.context["pongs"] == 0
    assert begun.actor("kid").context == {"n": 0}


def test_outside_actors_start_again_under_another_number_unless_resumed(
    system: System, begun: SystemSnapshot
) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    first, _ = working.effects
    assert isinstance(first, Start)
    anew, _ = restored(system, working.snapshot).effects
    assert isinstance(anew, Start)
    assert (anew.actor, anew.input) == ("double", 21)
    assert anew.number != first.number
    same, _ = restored(system, working.snapshot, invoked="resume").effects
    assert isinstance(same, Start)
    assert same.number == first.number


def test_interrupted_coroutines_may_count_as_failed(system: System, begun: SystemSnapshot) -> None:
    working = system.step(begun, {"type": "WORK"}, now=NOW)
    step = restored(system, working.snapshot, invoked="fail")
    assert step.snapshot.root.value == "failed"


def test_timers_may_keep_what_was_left_of_them(system: System, begun: SystemSnapshot) -> None:
    persisted = system.persist(begun)
    back = system.restore(persisted, now=NOW + 5_000, asleep_since=NOW + 1_000)
    assert back.snapshot.next_due == NOW + 64_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"machine": "other"}, "it was 'other', this is 'family'"),
        ({"version": "0"}, "'family' was at '0', this is '1'"),
        ({"value": "gone"}, "state 'gone' does not exist on '#family'"),
        ({"historyValue": {"h": [{"id": "family.gone"}]}}, "state '#family.gone' no longer exists"),
        ({"children": {"kid": {"snapshot": {}, "src": "gone"}}}, "no actor logic 'gone' any more"),
        ({"status": "odd"}, "no such status: 'odd'"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_differs(
    system: System, begun: SystemSnapshot, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(RestoreError) as caught:
        system.restore({**system.persist(begun), **change}, now=NOW)
    assert says in str(caught.value)


def egg(state: str, *delays: int) -> System:
    """An egg that leaves one state after a while."""
    after = {delay: f"d{delay}" for delay in delays}
    ends: dict[str, Any] = {f"d{delay}": {} for delay in delays}
    config = {"id": "egg", "initial": state, "states": {state: {"after": after}, **ends}}
    return System(create_machine(config))


def test_a_delay_that_was_edited_runs_on_to_the_time_it_was_set_for() -> None:
    begun = egg("boiling", 300_000)
    persisted = begun.persist(begun.initial(now=NOW, seed=1).snapshot)
    edited = egg("boiling", 240_000)
    restored = edited.restore(persisted, now=NOW + 1_000).snapshot
    (timer,) = restored.timers
    assert timer.due == NOW + 300_000
    done = edited.fire(restored, timer, now=timer.due).snapshot
    assert (done.root.value, done.timers) == ("d240000", ())
    again = edited.restore(edited.persist(restored), now=NOW + 2_000)
    assert again.snapshot.timers == restored.timers


def test_only_the_one_delay_that_is_new_takes_an_edited_ones_place() -> None:
    begun = egg("boiling", 300_000, 900_000)
    persisted = begun.persist(begun.initial(now=NOW, seed=1).snapshot)
    restored = egg("boiling", 240_000, 900_000).restore(persisted, now=NOW).snapshot
    assert [(one.due - NOW, one.id) for one in restored.timers] == [
        (300_000, "xstate.after.240000.egg.boiling"),
        (900_000, "xstate.after.900000.egg.boiling"),
    ]


@pytest.mark.parametrize(
    "edited",
    [egg("boiling"), egg("boiling", 1, 2), egg("boiling", 900_000)],
    ids=["none", "which of two", "the other's"],
)
def test_a_delayed_transition_that_is_no_more_is_not_lost_in_silence(edited: System) -> None:
    begun = egg("boiling", 300_000, 900_000)
    persisted = begun.persist(begun.initial(now=NOW, seed=1).snapshot)
    with pytest.raises(RestoreError) as caught:
        edited.restore(persisted, now=NOW)
    assert str(caught.value) == (
        "cannot restore timers: 'xstate.after.300000.egg.boiling' is of no state that this machine "
        "is in"
    )


def test_a_timer_is_moved_with_its_state() -> None:
    begun = egg("boiling", 300_000)
    persisted = begun.persist(begun.initial(now=NOW, seed=1).snapshot)
    (timer,) = persisted["timers"]
    renamed = "xstate.after.300000.egg.hot"
    moved = {**timer, "id": renamed, "event": {"type": renamed}}
    step = egg("hot", 300_000).restore({**persisted, "value": "hot", "timers": [moved]}, now=NOW)
    assert step.snapshot.next_due == NOW + 300_000


def test_json_written_by_xstate_itself_restores(system: System) -> None:
    step = system.restore(
        {
            "status": "active",
            "value": "calm",
            "historyValue": {},
            "context": {"pongs": 3, "doubled": None},
            "children": {
                "kid": {
                    "snapshot": {
                        "status": "active",
                        "value": {},
                        "historyValue": {},
                        "context": {"n": 3},
                        "children": {},
                    },
                    "src": "kid",
                    "syncSnapshot": False,
                }
            },
        },
        now=NOW,
    )
    assert step.snapshot.timers == ()
    pinged = system.step(step.snapshot, {"type": "PING"}, now=NOW)
    assert pinged.snapshot.root.context["pongs"] == 4


def test_addresses_escape_what_separates_them() -> None:
    machine = create_machine(
        {"entry": spawn_child("kid", id="a/b~c"), "on": {"PONG": {}}}, {"actors": {"kid": kid}}
    )
    system = System(machine)
    begun = system.initial(now=NOW, seed=1).snapshot
    step = system.step(begun, {"type": "PING"}, now=NOW, target="a~1b~0c")
    assert step.snapshot.actor("a~1b~0c").context == {"n": 1}


def test_cancel_forgets_the_newest_that_is_still_to_come_under_its_id() -> None:
    config = {
        "context": {"heard": []},
        "on": {
            "SET": {"actions": raise_({"type": "LATE"}, id="same", delay=30)},
            "SOON": {"actions": raise_({"type": "EARLY"}, id="same", delay=10)},
            "DROP": {"actions": cancel("same")},
        },
    }
    system = System(create_machine(config))
    snapshot = system.initial(now=0, seed=1).snapshot
    for event_type in ("SET", "SOON"):
        snapshot = system.step(snapshot, {"type": event_type}, now=0).snapshot
    snapshot = system.fire(snapshot, snapshot.timers[1], now=10).snapshot
    assert [timer.event["type"] for timer in snapshot.timers] == ["LATE"]
    assert system.step(snapshot, {"type": "DROP"}, now=11).snapshot.timers == ()


def test_a_restored_child_doesn_t_tell_its_parent_again_what_it_told_before() -> None:
    child = create_machine({})
    parent = create_machine(
        {
            "context": {"told": 0},
            "invoke": {
                "src": "child",
                "onSnapshot": {"actions": assign({"told": lambda a, p: a.context["told"] + 1})},
            },
        },
        {"actors": {"child": child}},
    )
    system = System(parent)
    snapshot = system.initial(now=0, seed=1).snapshot
    assert snapshot.root.context == {"told": 1}
    assert system.restore(system.persist(snapshot), now=0).snapshot.root.context == {"told": 1}
