"""What `rooms check` says of an App's machines."""

from __future__ import annotations

from typing import Any, TypedDict

from examples.counter.counter import app as counter
from examples.trivia.app import app as trivia
from rooms import App, Room, effect, everything, machines, send_to_room
from runtime import assign, create_machine, from_transition, setup


def faults(machine: Any, **more: Any) -> list[str]:
    kind = type("Kind", (Room,), {"machine": machine, **more})
    return list(machines.faults("kind", kind, ["kind", "lobby"]))


def test_the_examples_are_without_fault() -> None:
    lines: list[str] = []
    assert machines.check(counter, lines.append) == machines.check(trivia, lines.append) == 0
    assert lines[0] == "counter: Counter, machine counter, version (none)"
    assert len(lines) == 2


def test_faults_are_said_by_kind_and_counted() -> None:
    class Two(Room):
        machine = create_machine({"id": "m", "initial": "a", "states": {"a": {}, "b": {}}})

    lines: list[str] = []
    assert machines.check(App(one=Two), lines.append) == 1
    assert lines == ["one: Two, machine m, version (none)", "one: state 'm.b' is never entered"]


def test_states_that_nothing_leads_to_are_named_once() -> None:
    machine = create_machine(
        {
            "id": "m",
            "initial": "a",
            "on": {"JUMP": "#deep", "BACK": ".p.hist"},
            "states": {
                "a": {
                    "after": {"10": "b"},
                    "on": {"GO": [{"guard": lambda a, p: False, "target": "c"}]},
                },
                "b": {"always": "d"},
                "c": {"initial": "x", "states": {"x": {}, "y": {}, "deep": {"id": "deep"}}},
                "d": {"invoke": {"src": "work", "onDone": "e", "onError": "f"}},
                "e": {},
                "f": {},
                "p": {
                    "type": "parallel",
                    "states": {
                        "left": {"initial": "l", "states": {"l": {}}},
                        "right": {},
                        "hist": {"type": "history"},
                    },
                },
                "lost": {"initial": "z", "states": {"z": {"on": {"OUT": "#m.alone"}}}},
                "alone": {},
            },
        },
        {"actors": {"work": create_machine({})}},
    )  # fmt: skip
    assert faults(machine) == [
        "state 'm.c.y' is never entered",
        "state 'm.lost' is never entered",
        "state 'm.alone' is never entered",
    ]


def test_what_waits_for_an_end_that_never_comes_is_named() -> None:
    ends: Any = {"initial": "a", "states": {"a": {"on": {"GO": "b"}}, "b": {"type": "final"}}}
    asks: Any = {"initial": "x", "states": {"x": {"after": {1000: "x"}}}}
    parallel: Any = {"type": "parallel", "states": {"left": ends, "asks": asks}, "onDone": "over"}
    machine = create_machine(
        {
            "id": "m",
            "initial": "review",
            "states": {
                "review": parallel,
                "over": {**ends, "onDone": "still"},
                "still": {**asks, "onDone": "review"},
            },
        }
    )
    assert faults(machine) == [
        "onDone of 'm.review' is never taken: 'm.review.asks' has no final state",
        "onDone of 'm.still' is never taken: 'm.still' has no final state",
    ]


class Bet(TypedDict):
    chips: int


def test_events_and_their_schemas_have_to_agree() -> None:
    machine = setup(
        events={"bet": Bet, "fold": None, "table.cleared": None, "cursor": Bet},
        actions={"bet": assign({"last": lambda a, p: a.event["chips"]})},
    ).create_machine(
        {"on": {"bet": {"actions": "bet"}, "rise": {}, "table.*": {"actions": "bet"},
                "call": {"actions": "bet"}, "room.joined": {"actions": "bet"}}}
    )  # fmt: skip
    assert faults(machine, show_can=("bet", "check"), volatile=("cursor",)) == [
        "event 'fold' has a schema, and no state does anything about it",
        "event 'call' has no schema, so that nobody can send it",
        "show_can names 'check', and no state does anything about it",
    ]


async def pay(room: Any, params: Any, attempt: Any) -> None:
    """Pay."""


def test_what_is_asked_of_the_room_has_to_be_there() -> None:
    machine = setup(
        actions={
            "pay": effect("pay", {"cents": 5}),
            "tell": send_to_room("lobby", "main", {"type": "open"}),
            "guess": send_to_room(lambda a, p: a.event["kind"], "main", {"type": "open"}),
        }
    ).create_machine(
        {
            "entry": effect("refund"),
            "on": {
                "PAY": {"actions": ["pay", "tell", "guess"]},
                "TELL": {"actions": [send_to_room("loby", "main", {"type": "open"})]},
                "room.joind": {"actions": "pay"},
                "room.effect.*": {"actions": "pay"},
            },
        }
    )
    assert faults(machine, effects={"pay": pay, "refund": pay}) == [
        "event 'room.joind' never comes; rooms are told room.joined",
        "send_to_room names 'loby', and the App has no such kind",
    ]
    assert "effect 'refund' is performed by nothing in Kind.effects" in faults(
        machine, effects={"pay": pay}
    )


def test_logic_that_is_no_machine_is_only_started() -> None:
    class Sum(Room):
        machine = from_transition(lambda state, event, scope: state + 1, 0)

    lines: list[str] = []
    assert machines.check(App(sum=Sum), lines.append) == 0
    assert lines == ["sum: Sum, logic"]


def test_a_first_state_has_to_be_one_that_can_be_stored_and_shown() -> None:
    assert "can't be stored" in faults(create_machine({"context": {"bad": {1}}}))[0]
    machine = create_machine({"context": {}})

    def broken(self: Any, snapshot: Any, viewer: Any) -> Any:
        return {"context": snapshot.context["nothing"]}

    assert faults(machine, view=broken) == [
        "its view fails on the first state: KeyError('nothing')"
    ]
    assert faults(machine, view=lambda snapshot, viewer: None) == [
        "its view is to be a dict, as show(…) gives, not None"
    ]
    for unstartable in (
        faults(machine, input=lambda self: 1 / 0),
        faults(create_machine({"context": lambda args: 1 / 0})),
    ):
        [said] = unstartable
        begun = "it can't be started: ZeroDivisionError('division by zero') at test_machines.py:"
        assert said.startswith(begun)
    assert faults(machine, view=everything) == []
