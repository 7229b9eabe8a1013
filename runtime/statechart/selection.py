"""Selection: which transitions an event takes. What can be known from the configuration alone is
worked out once.

Usually there is one active leaf, and the candidates from it up to the root stand in one line;
parallel regions make a fork.
Next: runtime/statechart/step.py
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import GuardError

from .events import INIT, STOP, WILDCARD

if TYPE_CHECKING:
    from .args import Args
    from .configuration import Configuration
    from .nodes import StateNode, Transition
    from .plan import HistoryValue, Plan

#: Candidates in the order in which they are tried.
Line = tuple["Transition", ...]


class Fork:
    """Regions that each choose for themselves; where none takes the event, `fallback` may."""

    __slots__ = ("fallback", "regions")

    def __init__(self, regions: tuple[Line | Fork, ...], fallback: Line) -> None:
        self.regions = regions
        self.fallback = fallback


class Reaction:
    """What one configuration may do about one event type.

    `plan` is set when neither guards nor history have a say; `line` or `fork` otherwise; none of
    them when no state has a candidate.
    """

    __slots__ = ("configuration", "event_type", "fork", "line", "open", "plan")

    def __init__(self, configuration: Configuration, event_type: str) -> None:
        self.configuration = configuration
        self.event_type = event_type
        self.plan: Plan | None = None
        self.line: Line = ()
        self.fork: Fork | None = None
        self.open = False
        if event_type in (INIT, STOP, WILDCARD):
            return  # no state may take these
        choice = _choice(configuration, configuration.chart.root, event_type)
        certain = _certain(choice)
        if certain:
            plan = configuration.plan(certain, {})
            if not plan.history_read:
                self.plan = plan
                return
        if isinstance(choice, Fork):
            self.fork = choice
        else:
            self.line = choice
        self.open = bool(self.line or self.fork)

    def choose(self, args: Args, history_value: HistoryValue) -> Plan | None:
        """The plan whose guards pass now, or None. Raises GuardError."""
        selected: tuple[Transition, ...] = ()
        transition: Transition
        if self.fork is not None:
            found: list[Transition] = []
            _select(self.fork, args, found)
            if not found:
                return None
            selected = tuple(found)
        else:
            for transition in self.line:
                guard = transition.guard
                if guard is None or _passes(transition, args):
                    selected = (transition,)
                    break
            else:
                return None
        return self.configuration.plan(selected, history_value)


class Eventless:
    """The `always` candidates of each active leaf and its ancestors."""

    __slots__ = ("lines",)

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.lines = lines

    def choose(self, args: Args) -> tuple[Transition, ...]:
        """One transition a leaf at most; what a guard raises is passed on as it is."""
        selected: dict[Transition, None] = {}
        for line in self.lines:
            for transition in line:
                guard = transition.guard
                if guard is None or guard.check(args, guard.params):
                    selected[transition] = None
                    break
        return tuple(selected)


def eventless_candidates(configuration: Configuration) -> Eventless | None:
    """None for the many configurations without `always`."""
    lines = tuple(
        tuple(t for owner in (leaf, *leaf.ancestors) for t in owner.always)
        for leaf in configuration.nodes
        if leaf.atomic
    )
    return Eventless(tuple(line for line in lines if line)) if any(lines) else None


def candidates_of(configuration: Configuration) -> list[Transition]:
    """Every transition that could be taken now, whatever its guard says: leaves first, each before
    its ancestors.
    """
    found: list[Transition] = []
    seen: set[StateNode] = set()
    for leaf in configuration.nodes:
        if not leaf.atomic:
            continue
        for node in (leaf, *leaf.ancestors):
            if node not in seen:
                seen.add(node)
                found += [t for several in node.transitions.values() for t in several]
                found += node.always
    return found


def _choice(configuration: Configuration, node: StateNode, event_type: str) -> Line | Fork:
    """The candidates of the states that the configuration's value names, as XState finds them."""
    own = node.candidates(event_type)
    active = configuration.active_children[node]
    if node.type == "compound" and active and active[0].atomic:
        active = active[:1]
    inner = [choice for child in active if (choice := _choice(configuration, child, event_type))]
    if not inner:
        return own
    if len(inner) > 1:
        return Fork(tuple(inner), own)
    only = inner[0]
    return Fork(only.regions, only.fallback + own) if isinstance(only, Fork) else only + own


def _certain(choice: Line | Fork) -> tuple[Transition, ...]:
    """The transitions taken whatever the data; empty when that depends on guards."""
    if not isinstance(choice, Fork):
        return choice[:1] if choice and choice[0].guard is None else ()
    certain = [_certain(region) for region in choice.regions]
    return tuple(t for several in certain for t in several) if all(certain) else ()


def _select(fork: Fork, args: Args, found: list[Transition]) -> None:
    before = len(found)
    for region in fork.regions:
        if isinstance(region, Fork):
            _select(region, args, found)
            continue
        for transition in region:
            if transition.guard is None or _passes(transition, args):
                found.append(transition)
                break
    if len(found) == before:
        for transition in fork.fallback:
            if transition.guard is None or _passes(transition, args):
                found.append(transition)
                break


def _passes(transition: Transition, args: Args) -> Any:
    guard = transition.guard
    assert guard is not None
    try:
        return guard.check(args, guard.params)
    except Exception as error:
        raise GuardError(guard.name, args.event["type"], transition.source.id, error) from error
