"""The chart as compiled once: state nodes, their transitions, what they invoke.

Made by `parse.py`; read by `plan.py` and `selection.py`. Nothing here changes after the machine is
built, except memos.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .events import matches_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .args import Args, StepArgs

NodeType = Literal["atomic", "compound", "parallel", "final", "history"]

#: Descriptors come from configs, event types from anybody: memos by event type are emptied at this
#: size.
MEMO_LIMIT = 256


# Compared by identity: two transitions that look alike are two.
@dataclass(slots=True, eq=False)
class Action:
    """One action of the chart: `run(args, params)` does it or defers it."""

    type: str
    run: Callable[[StepArgs, Any], Any]
    params: Any
    config: Any


@dataclass(slots=True, eq=False)
class Guard:
    """A condition: `check(args, params)`; `name` is empty for an inline function."""

    name: str
    check: Callable[[Args, Any], Any]
    params: Any
    config: Any


@dataclass(slots=True, eq=False, repr=False)
class Transition:
    """A candidate: `targets` is None when it has none; `event_type` is the descriptor, "" for
    eventless ones.
    """

    source: StateNode
    event_type: str
    targets: tuple[StateNode, ...] | None
    actions: tuple[Action, ...] = ()
    guard: Guard | None = None
    reenter: bool = False
    delay: float | str | None = None
    config: Any = None

    @property
    def forbidden(self) -> bool:
        """`EVENT: {}` stops the event here and does nothing."""
        return self.targets is None and not self.actions

    @property
    def target(self) -> tuple[StateNode, ...] | None:
        """XState's name for the targets."""
        return self.targets

    def __repr__(self) -> str:
        targets = ", ".join(f"#{node.id}" for node in self.targets or ())
        return f"<Transition #{self.source.id} on {self.event_type!r} → {targets or 'none'}>"


@dataclass(slots=True, eq=False)
class Invoke:
    """An actor that lives as long as a state is active."""

    id: str
    src: str
    input: Any
    system_id: str | None
    sync_snapshot: bool


@dataclass(slots=True, eq=False, repr=False)
class StateNode:
    """One state of the chart. `order` is its place in the document, `ancestors` go from its parent
    up to the root.
    """

    key: str
    id: str
    type: NodeType
    order: int
    parent: StateNode | None
    config: dict[str, Any]
    path: tuple[str, ...] = field(init=False)
    ancestors: tuple[StateNode, ...] = field(init=False)
    states: dict[str, StateNode] = field(default_factory=dict)
    entry: tuple[Action, ...] = ()
    exit: tuple[Action, ...] = ()
    invoke: tuple[Invoke, ...] = ()
    transitions: dict[str, tuple[Transition, ...]] = field(default_factory=dict)
    always: tuple[Transition, ...] = ()
    after: tuple[Transition, ...] = ()
    initial: Transition | None = None
    history: Literal["shallow", "deep"] | None = None
    history_default: Transition | None = None
    tags: tuple[str, ...] = ()
    meta: Any = None
    description: str | None = None
    output: Any = None
    _candidates: dict[str, tuple[Transition, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parent = self.parent
        self.path = (*parent.path, self.key) if parent else ()
        self.ancestors = (parent, *parent.ancestors) if parent else ()

    def candidates(self, event_type: str) -> tuple[Transition, ...]:
        """This node's own candidates: exact ones, then wildcards, the longest first."""
        found = self._candidates.get(event_type)
        if found is None:
            wildcards = sorted(
                (
                    descriptor
                    for descriptor in self.transitions
                    if descriptor != event_type and matches_descriptor(event_type, descriptor)
                ),
                key=len,
                reverse=True,
            )
            found = self.transitions.get(event_type, ())
            for descriptor in wildcards:
                found += self.transitions[descriptor]
            if len(self._candidates) >= MEMO_LIMIT:
                self._candidates.clear()
            self._candidates[event_type] = found
        return found

    @property
    def atomic(self) -> bool:
        """Whether it is a leaf of a configuration."""
        return self.type in ("atomic", "final")

    @property
    def own_events(self) -> list[str]:
        """The descriptors on which this node does something."""
        return [
            descriptor
            for descriptor, transitions in self.transitions.items()
            if any(not t.forbidden or t.reenter for t in transitions)
        ]

    @property
    def events(self) -> list[str]:
        """The descriptors on which this node or a descendant does something."""
        found = dict.fromkeys(self.own_events)
        for node in self.states.values():
            found.update(dict.fromkeys(node.events))
        return list(found)

    def regions(self) -> list[StateNode]:
        """Its children that can be active (history states can't)."""
        return [node for node in self.states.values() if node.type != "history"]

    def within(self, ancestor: StateNode | None) -> bool:
        """Whether it is a proper descendant; of None, which stands for what is above the root,
        everything is.
        """
        return ancestor is None or ancestor in self.ancestors

    def ancestors_below(self, limit: StateNode | None) -> tuple[StateNode, ...]:
        """Proper ancestors from the parent up to, and without, `limit`; all of them for None."""
        if limit is self:
            return ()
        if limit in self.ancestors:
            return self.ancestors[: self.ancestors.index(limit)]
        return self.ancestors

    def __repr__(self) -> str:
        return f"<StateNode #{self.id}>"
