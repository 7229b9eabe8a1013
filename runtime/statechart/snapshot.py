"""The snapshot of a machine: immutable, slotted, cheap to make; and how its data looks as JSON.

Next: runtime/statechart/persistence.py, which writes it down and reads it back.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

from runtime.errors import PersistedError, RuntimeFault

from .args import Args
from .scope import ContextT, Generic, OutputT, Scope
from .values import matches_state

if TYPE_CHECKING:
    from .configuration import Configuration
    from .nodes import StateNode
    from .plan import HistoryValue
    from .scope import Event
    from .values import StateValue

Status = Literal["active", "done", "error", "stopped"]

#: History value, output, error.
Rare = tuple["HistoryValue", Any, Any]

#: The mark XState gives to a reference to an actor within persisted context.
ACTOR_MARK = "xstate$$type"
PLAIN = frozenset((str, int, bool, type(None), float))
#: What JSON has a word for whatever its value. Of floats it hasn't: NaN and the infinities.
SURELY_PLAIN = PLAIN - {float}


class Snapshot(Generic[ContextT, OutputT]):
    """The value of a machine actor at one moment. Never changed: a transition makes another one.

    `context` is plain data, `children` maps ids to actor refs, `output` and `error` are None until
    there is one.
    """

    __slots__ = (
        "children",
        "configuration",
        "context",
        "rare",
        "status",
    )

    def __init__(
        self,
        configuration: Configuration,
        context: ContextT,
        children: dict[str, Any],
        status: Status,
        rare: Rare,
    ) -> None:
        self.configuration = configuration
        self.context = context
        self.children: dict[str, Any] = children
        self.status: Status = status
        #: (history value, output, error): most transitions leave them alone.
        self.rare = rare

    @property
    def history_value(self) -> HistoryValue:
        """History node id → the nodes it recalls."""
        return self.rare[0]

    @property
    def output(self) -> OutputT | Any:
        """The machine's output once it is done, None before."""
        return self.rare[1]

    @property
    def error(self) -> Any:
        """The exception, in status `error`."""
        return self.rare[2]

    @property
    def value(self) -> StateValue:
        """The state value: a string, or nested dicts."""
        return self.configuration.value

    @property
    def tags(self) -> frozenset[str]:
        """The tags of all active states."""
        return self.configuration.tags

    @property
    def machine(self) -> Any:
        """The machine this is a snapshot of."""
        return self.configuration.chart.machine

    @property
    def nodes(self) -> tuple[StateNode, ...]:
        """The active state nodes."""
        return self.configuration.nodes

    def matches(self, value: StateValue) -> bool:
        """Whether the state lies within `value`, a key, a dotted path or a nested dict."""
        return matches_state(value, self.configuration.value)

    def has_tag(self, tag: str) -> bool:
        """Whether an active state has this tag."""
        return tag in self.configuration.tags

    def can(self, event: Event, *, now: float = 0) -> bool:
        """Whether the event would take a transition that isn't forbidden. Guards are asked, with
        `now` as the time.
        """
        reaction = self.configuration.reaction(event["type"])
        plan = reaction.plan
        if plan is None and reaction.open:
            plan = reaction.choose(
                Args(self.context, event, _Hypothesis(self, now)), self.history_value
            )
        return plan is not None and not all(t.forbidden for t in plan.transitions)

    def get_meta(self) -> dict[str, Any]:
        """Full node id → `meta`, of every active state that has one."""
        return {node.id: node.meta for node in self.configuration.nodes if node.meta is not None}

    def to_json(self) -> dict[str, Any]:
        """What XState's `toJSON` shows: plain data, children by reference."""
        return {
            "status": self.status,
            "output": plain(self.output),
            "error": plain(self.error),
            "context": plain(self.context),
            "value": plain(self.value),
            "tags": sorted(self.tags),
            "children": plain(self.children),
            "historyValue": history_json(self.history_value),
        }

    def __repr__(self) -> str:
        return f"<Snapshot {self.machine.id} {self.value!r} {self.status}>"


def is_machine_snapshot(value: object) -> bool:
    """Whether this is the snapshot of a machine."""
    return isinstance(value, Snapshot)


def plain(value: Any) -> Any:
    """A deep copy as plain JSON data: refs become XState's marks, exceptions `{name, message}`."""
    kind = value.__class__
    if kind in SURELY_PLAIN or (kind is float and isfinite(value)):
        return value
    if kind is dict:
        if SURELY_PLAIN.issuperset(map(type, value.values())):
            return value.copy()
        return {
            key: inner if inner.__class__ in SURELY_PLAIN else plain(inner)
            for key, inner in value.items()
        }
    if kind is list:
        return [inner if inner.__class__ in SURELY_PLAIN else plain(inner) for inner in value]
    if isinstance(value, BaseException):
        return (
            {"name": value.name, "message": value.message}
            if isinstance(value, PersistedError)
            else {"name": kind.__name__, "message": str(value)}
        )
    if hasattr(value, "session_id"):
        return {ACTOR_MARK: 1, "id": value.id}
    if isinstance(value, Snapshot):
        return value.to_json()
    raise RuntimeFault(
        f"{value!r} is not plain JSON data: "
        "keep only dicts with text keys, lists, text, finite numbers, booleans and None"
    )


class _Hypothesis(Scope):
    """The surroundings of guards that are asked without an actor."""

    __slots__ = ("_now",)

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self.base = snapshot
        self.system = None
        self._now = now

    def now(self) -> float:
        return self._now


def history_json(history_value: HistoryValue) -> dict[str, list[dict[str, str]]]:
    """History node id → the ids of the nodes it recalls, as XState writes them."""
    return {
        node_id: [{"id": node.id} for node in nodes] for node_id, nodes in history_value.items()
    }
