"""The chart as compiled once: state nodes, their transitions, what they invoke.

Made by `parse.py`; read by `plan.py` and `selection.py`. Nothing here changes after the machine is
built, except memos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .events import matches_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable

    from .args import Args, StepArgs

NodeType = Literal["atomic", "compound", "parallel", "final", "history"]

#: Descriptors come from configs, event types from anybody: memos by event type are emptied at this
#: size.
MEMO_LIMIT = 256


class Action:
    """One action of the chart: `run(args, params)` does it or defers it."""

    __slots__ = ("config", "params", "run", "type")

    def __init__(
        self, type: str, run: Callable[[StepArgs, Any], Any], params: Any, config: Any
    ) -> None:
        self.type = type
        self.run = run
        self.params = params
        self.config = config


class Guard:
    """A condition: `check(args, params)`; `name` is empty for an inline function."""

    __slots__ = ("check", "config", "name", "params")

    def __init__(
        self, name: str, check: Callable[[Args, Any], Any], params: Any, config: Any
    ) -> None:
        self.name = name
        self.check = check
        self.params = params
        self.config = config


class Transition:
    """A candidate: `targets` is None when it has none; `event_type` is the descriptor, "" for
    eventless ones.
    """

    __slots__ = (
        "actions",
        "config",
        "delay",
        "event_type",
        "guard",
        "reenter",
        "source",
        "targets",
    )

    def __init__(
        self,
        source: StateNode,
        event_type: str,
        targets: tuple[StateNode, ...] | None,
        actions: tuple[Action, ...] = (),
        guard: Guard | None = None,
        reenter: bool = False,
        delay: float | str | None = None,
        config: Any = None,
    ) -> None:
        self.source = source
        self.event_type = event_type
        self.targets = targets
        self.actions = actions
        self.guard = guard
        self.reenter = reenter
        self.delay = delay
        self.config = config

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


class Invoke:
    """An actor that lives as long as a state is active."""

    __slots__ = ("id", "input", "src", "sync_snapshot", "system_id")

    def __init__(
        self, id: str, src: str, input: Any, system_id: str | None, sync_snapshot: bool
    ) -> None:
        self.id = id
        self.src = src
        self.input = input
        self.system_id = system_id
        self.sync_snapshot = sync_snapshot


class StateNode:
    """One state of the chart. `order` is its place in the document, `ancestors` go from its parent
    up to the root.
    """

    __slots__ = (
        "_candidates",
        "after",
        "always",
        "ancestors",
        "config",
        "description",
        "entry",
        "exit",
        "history",
        "history_default",
        "id",
        "initial",
        "invoke",
        "key",
        "meta",
        "order",
        "output",
        "parent",
        "path",
        "states",
        "tags",
        "transitions",
        "type",
    )

    def __init__(
        self,
        key: str,
        id: str,
        type: NodeType,
        order: int,
        parent: StateNode | None,
        config: dict[str, Any],
    ) -> None:
        self.key = key
        self.id = id
        self.type = type
        self.order = order
        self.parent = parent
        self.config = config
        self.path: tuple[str, ...] = (*parent.path, key) if parent else ()
        self.ancestors: tuple[StateNode, ...] = (parent, *parent.ancestors) if parent else ()
        self.states: dict[str, StateNode] = {}
        self.entry: tuple[Action, ...] = ()
        self.exit: tuple[Action, ...] = ()
        self.invoke: tuple[Invoke, ...] = ()
        self.transitions: dict[str, tuple[Transition, ...]] = {}
        self.always: tuple[Transition, ...] = ()
        self.after: tuple[Transition, ...] = ()
        self.initial: Transition | None = None
        self.history: Literal["shallow", "deep"] | None = None
        self.history_default: Transition | None = None
        self.tags: tuple[str, ...] = ()
        self.meta: Any = None
        self.description: str | None = None
        self.output: Any = None
        self._candidates: dict[str, tuple[Transition, ...]] = {}

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
