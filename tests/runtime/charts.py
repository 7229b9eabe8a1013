"""Random charts: strategies for machines, and for the events to send them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from runtime import (
    StateMachine,
    assign,
    cancel,
    emit,
    enqueue_actions,
    from_transition,
    log,
    raise_,
    send_parent,
    setup,
    stop_child,
)

EVENTS = ("A", "B", "C", "D.x")
DELAYS = (10, 20, 30)

child = setup().create_machine(
    {
        "id": "child",
        "context": {"n": 0},
        "initial": "one",
        "states": {
            "one": {
                "on": {
                    "A": {
                        "target": "two",
                        "actions": [
                            assign({"n": lambda a, p: a.context["n"] + 1}),
                            send_parent({"type": "B"}),
                        ],
                    }
                }
            },
            "two": {"after": {15: "one"}, "on": {"C": "end"}},
            "end": {"type": "final"},
        },
    }
)


def add(args: Any, params: Any) -> dict[str, Any]:
    return {"n": (args.context["n"] + params["by"]) % 7}


def even(args: Any, params: Any) -> bool:
    return bool(args.context["n"] % 2 == 0)


def above(args: Any, params: Any) -> bool:
    return bool(args.context["n"] > params["than"])


def tell_kid(args: Any, params: Any) -> None:
    """Only so often: a chart that answers its child with another one would go on for ever."""
    if args.event["type"] == "xstate.init":
        return  # there is no snapshot yet
    if "kid" in args.self.get_snapshot().children and args.context["told"] < 3:
        args.enqueue.assign({"told": lambda a, p: a.context["told"] + 1})
        args.enqueue.send_to("kid", {"type": "A"})


def later(args: Any, params: Any) -> None:
    args.enqueue.cancel("later")  # one at a time: XState can't cancel what is left of two
    args.enqueue.raise_({"type": "C"}, id="later", delay=25)


def spawn(args: Any, params: Any) -> None:
    args.enqueue.stop_child("kid")  # else it would be an orphan, which no room keeps
    args.enqueue.spawn_child("child", id="kid")


def count(args: Any, params: Any) -> None:
    args.enqueue.stop_child("reducer")
    args.enqueue.spawn_child("reducer", id="reducer")


library = setup(
    actions={
        "add": assign(add),
        "tell": emit({"type": "told"}),
        "note": log(lambda a, p: a.context["n"]),
        "roll": assign({"n": lambda a, p: a.random.randrange(7)}),
        "raiseD": raise_({"type": "D.x"}),
        "later": enqueue_actions(later),
        "notLater": cancel("later"),
        "spawn": enqueue_actions(spawn),
        "stop": stop_child("kid"),
        "tellKid": enqueue_actions(tell_kid),
        "count": enqueue_actions(count),
    },
    guards={"even": even, "above": above},
    actors={
        "child": child,
        "reducer": from_transition(lambda state, event, scope: state + 1, 0),
    },
)

guards = st.sampled_from(
    [
        None,
        None,
        "even",
        {"type": "above", "params": {"than": 2}},
        {"type": "above", "params": {"than": 4}},
    ]
)
actions = st.lists(
    st.sampled_from(
        [
            {"type": "add", "params": {"by": 1}},
            {"type": "add", "params": {"by": 3}},
            "tell",
            "note",
            "roll",
            "raiseD",
            "later",
            "notLater",
            "spawn",
            "stop",
            "tellKid",
            "count",
        ]
    ),
    max_size=2,
)


@st.composite
def machines(draw: st.DrawFn) -> StateMachine:
    """A machine of up to some twenty states."""
    ids: list[str] = []
    root = _shape(draw, 0, ids, "m")
    for config in _all(root):
        _connect(draw, config, ids)
    return library.create_machine(
        {**root, "context": {"n": 0, "told": 0}, "options": {"maxIterations": 60}}
    )


events = st.lists(
    st.one_of(
        st.sampled_from(EVENTS).map(lambda name: {"type": name}),
        st.sampled_from(DELAYS),
    ),
    max_size=8,
)


def _shape(draw: st.DrawFn, depth: int, ids: list[str], id: str) -> dict[str, Any]:
    """A state and those below it, not connected yet."""
    config: dict[str, Any] = {"id": id}
    ids.append(id)
    kinds = (
        ["compound", "compound", "parallel"] if depth == 0 else ["atomic", "compound", "parallel"]
    )
    kind = draw(st.sampled_from(kinds if depth < 3 else ["atomic"]))
    if kind == "atomic":
        return config
    count = draw(st.integers(1, 3))
    config["states"] = {
        f"s{number}": _shape(draw, depth + 1, ids, f"{id}-{number}") for number in range(count)
    }
    if kind == "parallel":
        config["type"] = "parallel"
    else:
        config["initial"] = f"s{draw(st.integers(0, count - 1))}"
        if draw(st.booleans()):
            config["states"]["end"] = {"id": f"{id}-end", "type": "final"}
            ids.append(f"{id}-end")
    if depth and draw(st.booleans()):
        history = {
            "id": f"{id}-h",
            "type": "history",
            "history": draw(st.sampled_from(["deep", "shallow"])),
        }
        config["states"]["h"] = history
        ids.append(f"{id}-h")
    return config


def _connect(draw: st.DrawFn, config: dict[str, Any], ids: list[str]) -> None:
    """Give a state its transitions and actions."""
    if config.get("type") in ("history", "final"):
        return

    def transition() -> dict[str, Any]:
        made: dict[str, Any] = {"actions": draw(actions)}
        guard = draw(guards)
        if guard is not None:
            made["guard"] = guard
        if draw(st.booleans()):
            made["target"] = f"#{draw(st.sampled_from(ids))}"
            made["reenter"] = draw(st.booleans())
        return made

    config["entry"] = draw(actions)
    config["exit"] = draw(actions)
    names = draw(st.lists(st.sampled_from([*EVENTS, "D.*", "*"]), max_size=3, unique=True))
    config["on"] = {name: [transition() for _ in range(draw(st.integers(1, 2)))] for name in names}
    if draw(st.integers(0, 5)) == 0:
        config["always"] = {**transition(), "guard": {"type": "above", "params": {"than": 4}}}
    if draw(st.integers(0, 3)) == 0:
        config["after"] = {draw(st.sampled_from(DELAYS)): transition()}
    if draw(st.integers(0, 3)) == 0:
        config["onDone"] = transition()
    if draw(st.integers(0, 5)) == 0:
        config["invoke"] = {"id": f"in-{config['id']}", "src": "child", "onDone": transition()}


def _all(config: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        config,
        *(inner for child in config.get("states", {}).values() for inner in _all(child)),
    ]
