"""What can't work in an App's rooms, found without running them: what `rooms check` says of each.

In: an App. Out: a line for each kind, and one for each fault: states nothing leads to, an end that
never comes, events that no state does anything about, effects that nothing performs, a first state
that can't be stored, a view that fails.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from rooms.effects import Addressed, Wanted
from rooms.errors import Unstorable
from rooms.host.record import dump
from rooms.host.seats import SEAT_EVENTS
from rooms.host.settling import DONE, FAILED
from rooms.logs import where
from rooms.sync.codec import encode
from rooms.sync.views import Viewer
from runtime import StateMachine, System
from runtime.schema import json_schema
from runtime.statechart.actions import DeclaredAction
from runtime.statechart.events import matches_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from rooms.app import App
    from rooms.definition import Room
    from runtime.statechart.nodes import StateNode, Transition

_OURS: Final = ("xstate.", "room.")
_MADE: Final = (*SEAT_EVENTS, DONE, FAILED)
_SOMEBODY: Final = Viewer("somebody")


def check(app: App, say: Callable[[str], None]) -> int:
    """Say of each kind what it is, and what is wrong with it. Returns how many faults there are."""
    found = 0
    for name, room in app.kinds.items():
        what = "hooks" if room.machine is None else "logic"
        if isinstance(room.machine, StateMachine):
            what = f"machine {room.machine.id}, version {room.version() or '(none)'}"
        say(f"{name}: {room.__name__}, {what}")
        for fault in faults(name, room, app.kinds):
            found += 1
            say(f"{name}: {fault}")
    return found


def faults(name: str, room: type[Room], kinds: Collection[str]) -> Iterator[str]:
    """What is wrong with one of an App's `kinds`, a sentence each."""
    machine = room.machine
    if isinstance(machine, StateMachine):
        yield from (f"state {node.id!r} is never entered" for node in unreachable(machine.root))
        yield from _endless(machine.root)
        declared = declared_events(machine)
        for event in declared:
            if event not in room.volatile and not _handled(machine, event):
                yield f"event {event!r} has a schema, and no state does anything about it"
        for event in machine.events:
            if declared and not event.startswith(_OURS) and not _declared(event, declared):
                yield f"event {event!r} has no schema, so that nobody can send it"
            if event.startswith("room.") and not _made(event):
                meant = get_close_matches(event, _MADE, 1) or [", ".join(_MADE)]
                yield f"event {event!r} never comes; rooms are told {meant[0]}"
        for event in room.show_can:
            if not _handled(machine, event):
                yield f"show_can names {event!r}, and no state does anything about it"
        for declared_by in _declarations(machine):
            match declared_by:
                case Wanted(effect) if effect not in room.effects:
                    yield f"effect {effect!r} is performed by nothing in {room.__name__}.effects"
                case Addressed(str() as kind) if kind not in kinds:
                    yield f"send_to_room names {kind!r}, and the App has no such kind"
    if machine is not None:
        yield from _first_state(name, room)


def declared_events(machine: StateMachine) -> list[str]:
    """The event types that the machine's schemas name; none where they are free."""
    if "events" not in machine.schemas:
        return []
    schema = json_schema(machine)["events"]
    definitions = schema.get("$defs", {})
    options = schema.get("anyOf") or schema.get("oneOf") or [schema]
    types: list[str] = []
    for option in options:
        reference = option.get("$ref")
        option = definitions.get(reference.rpartition("/")[2], {}) if reference else option
        type = option.get("properties", {}).get("type", {})
        types += [type["const"]] if "const" in type else type.get("enum", [])
    return types


def unreachable(root: StateNode) -> list[StateNode]:
    """States that neither an initial state nor a transition's target leads to, whatever guards say;
    of what lies below one of them, only that one.
    """
    entered: dict[StateNode, None] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node in entered:
            continue
        entered[node] = None
        waiting += node.ancestors
        if node.type == "parallel":
            waiting += node.regions()
        for transition in _leading_on(node):
            waiting += transition.targets or ()
    return [node for node in _below(root) if node not in entered and node.parent in entered]


def _leading_on(node: StateNode) -> Iterator[Transition]:
    """What is taken once a node is entered."""
    for transitions in node.transitions.values():
        yield from transitions
    yield from node.always
    yield from node.after
    for first in (node.initial, node.history_default):
        if first is not None:
            yield first


def _below(node: StateNode) -> Iterator[StateNode]:
    for child in node.states.values():
        yield child
        yield from _below(child)


def _endless(root: StateNode) -> Iterator[str]:
    """Each `onDone` that is never taken, and what it waits for."""
    for node in (root, *_below(root)):
        if f"xstate.done.state.{node.id}" in node.transitions:
            parts = node.regions() if node.type == "parallel" else [node]
            never = ", ".join(repr(part.id) for part in parts if not _ends(part))
            if never:
                yield f"onDone of {node.id!r} is never taken: {never} has no final state"


def _ends(node: StateNode) -> bool:
    """Whether it can be done: one of its states is final, or each of its regions can be done."""
    if node.type == "parallel":
        return all(map(_ends, node.regions()))
    return any(child.type == "final" for child in node.states.values())


def _declarations(machine: StateMachine) -> Iterator[Wanted | Addressed]:
    """What its actions ask of the room, as far as they can be seen without running them."""
    waiting: list[Any] = [machine.implementations["actions"], machine.config]
    while waiting:
        match waiting.pop():
            case dict() as parts:
                waiting += reversed(parts.values())
            case list() | tuple() as items:
                waiting += reversed(items)
            case DeclaredAction(params=Wanted() | Addressed() as declared):
                yield declared


def _made(descriptor: str) -> bool:
    return any(matches_descriptor(event, descriptor) for event in _MADE)


def _handled(machine: StateMachine, event: str) -> bool:
    return any(matches_descriptor(event, descriptor) for descriptor in machine.events)


def _declared(descriptor: str, declared: list[str]) -> bool:
    return any(matches_descriptor(event, descriptor) for event in declared)


def _first_state(name: str, room: type[Room]) -> Iterator[str]:
    """What is wrong with a session nobody has sent anything to."""
    made = room(name, "check")
    system = System(room.machine, on_error=room.on_error)
    try:
        step = system.initial(input=made.input(), now=0, seed=1)
    except Exception as error:
        yield f"it can't be started: {error!r}{where(error)}"
        return
    if step.error is not None:
        yield f"it can't be started: {step.error!r}{where(step.error)}"
        return
    try:
        dump(system, step.snapshot)
    except Unstorable as error:
        yield f"its first state can't be stored: {error}"
    try:
        view: Any = made.view(step.snapshot.root, _SOMEBODY)
        if not isinstance(view, dict):
            yield f"its view is to be a dict, as show(…) gives, not {view!r:.80}"
        encode(view, "json")
    except Exception as error:
        yield f"its view fails on the first state: {error!r}"
