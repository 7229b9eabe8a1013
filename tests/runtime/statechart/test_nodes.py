"""State nodes: their candidates, their events, where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime import create_machine, from_transition
from runtime.statechart import nodes

if TYPE_CHECKING:
    import pytest

machine = create_machine(
    {
        "id": "m",
        "initial": "a",
        "on": {"ROOT": {}, "*": ".a"},
        "states": {
            "a": {
                "initial": "x",
                "on": {"E.*": "b", "E.F.*": "b", "E.F.G": {"actions": []}},
                "states": {"x": {"on": {"X": {"target": "x", "reenter": True}}}},
            },
            "b": {"type": "final"},
            "h": {"type": "history"},
        },
    }
)


def test_a_nodes_candidates_are_exact_ones_then_wildcards_the_longest_first() -> None:
    a = machine.get_state_node_by_id("#m.a")
    assert [t.event_type for t in a.candidates("E.F.G")] == ["E.F.G", "E.F.*", "E.*"]
    assert a.candidates("E.F.G") is a.candidates("E.F.G")


def test_candidates_are_remembered_for_so_many_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MEMO_LIMIT", 2)
    root = create_machine({"on": {"*": {}}}).root
    for event_type in ("a", "b", "c"):
        root.candidates(event_type)
    assert len(root._candidates) == 1


def test_events_are_those_on_which_something_is_done() -> None:
    assert machine.root.own_events == ["*"]
    assert machine.root.events == ["*", "E.*", "E.F.*", "X"]


def test_a_node_knows_what_is_above_it() -> None:
    root, a, x = (machine.get_state_node_by_id(id) for id in ("m", "m.a", "m.a.x"))
    assert x.ancestors == (a, root)
    assert x.ancestors_below(root) == (a,)
    assert x.ancestors_below(x) == ()
    assert a.ancestors_below(x) == (root,)
    assert x.within(root)
    assert x.within(None)
    assert not a.within(x)
    assert [node.key for node in root.regions()] == ["a", "b"]
    assert x.atomic
    assert not a.atomic


def test_a_transition_tells_where_it_leads() -> None:
    (forbidden,) = machine.root.transitions["ROOT"]
    (anything,) = machine.root.transitions["*"]
    assert forbidden.forbidden
    assert anything.target == (machine.get_state_node_by_id("m.a"),)
    assert repr(forbidden) == "<Transition #m on 'ROOT' → none>"
    assert repr(anything) == "<Transition #m on '*' → #m.a>"
    assert repr(machine.root) == "<StateNode #m>"


def test_a_node_has_its_actions_guards_and_invokes() -> None:
    logic = from_transition(lambda state, event, scope: state, 0)
    chart = create_machine(
        {
            "entry": {"type": "greet", "params": {"to": "all"}},
            "on": {"GO": {"guard": "may"}},
            "invoke": {"id": "kid", "src": "kid", "systemId": "the-kid", "onSnapshot": {}},
        },
        {
            "actions": {"greet": lambda args, params: None},
            "guards": {"may": lambda args, params: True},
            "actors": {"kid": logic},
        },
    )
    (greet,) = chart.root.entry
    assert (greet.type, greet.params) == ("greet", {"to": "all"})
    (go,) = chart.root.transitions["GO"]
    assert go.guard is not None
    assert (go.guard.name, go.guard.config) == ("may", "may")
    (kid,) = chart.root.invoke
    assert (kid.id, kid.src, kid.system_id, kid.sync_snapshot) == ("kid", "kid", "the-kid", True)
