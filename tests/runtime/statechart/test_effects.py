"""Effects as data: each tells its type as XState calls it."""

from __future__ import annotations

import pytest

from runtime import create_machine, declare, emit, log, raise_, transition
from runtime.pure import initial_transition


def test_every_effect_has_a_type() -> None:
    tell = declare("host.tell")
    config = {
        "on": {
            "GO": {
                "actions": [
                    {"type": "custom"},
                    tell({"n": 1}),
                    emit({"type": "e"}),
                    log("l"),
                    raise_({"type": "R"}, delay=5, id="r"),
                ]
            }
        }
    }
    machine = create_machine(config, {"actions": {"custom": lambda args, params: None}})
    snapshot, _ = initial_transition(machine)
    _, effects = transition(machine, snapshot, {"type": "GO"})
    assert {effect.type for effect in effects} == {
        "custom",
        "host.tell",
        "xstate.emit",
        "xstate.log",
        "xstate.raise",
    }


def test_an_effect_is_never_changed() -> None:
    tell = declare("host.tell")
    machine = create_machine({"on": {"GO": {"actions": tell({"n": 1})}}})
    snapshot, _ = initial_transition(machine)
    _, (effect,) = transition(machine, snapshot, {"type": "GO"})
    with pytest.raises(AttributeError):
        effect.name = "another"  # type: ignore[misc, union-attr]
