"""Selection: which transitions an event takes. What can be known from the configuration alone is
worked out once.

Usually there is one active leaf, and the candidates from it up to the root stand in one line;
parallel regions make a fork.
Next: runtime/statechart/step.py
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.errors import GuardError

from .events import INIT, STOP, WILDCARD

if TYPE_CHECKING:
    from .args import Args
    from .configuration import Configuration
    from .nodes import StateNode, Transition
    from .plan import HistoryValue, Plan


class Candidate:
    """A transition that an event may take. `plan` is the microstep that takes it alone, once it is
    known to depend on nothing else.
    """

    __slots__ = ("check", "params", "plan", "transition")

    def __init__(self, transition: Transition) -> None:
        guard = transition.guard
        self.check = None if guard is None else guard.check
        self.params = None if guard is None else guard.params
        self.transition = transition
        self.plan: Plan | None = None


#: Candidates in the order in which they are tried.
Line = tuple[Candidate, ...]


@dataclass(slots=True, eq=False)
class Fork:
    """Regions that each choose for themselves; where none takes the event, `fallback` may."""

    regions: tuple[Line | Fork, ...]
    fallback: Line


class Reaction:
    """What one configuration may do about one event type.

    `plan` is set when neither guards nor history have a say. Otherwise it is `open` as far as a
    state has a candidate: there is a fork, or a line of candidates with the plans of those that
    depend on
        guards alone.
    """

    __slots__ = ("_fork", "_line", "configuration", "open", "plan")

    def __init__(self, configuration: Configuration, event_type: str) -> None:
        self.configuration = configuration
        self.plan: Plan | None = None
        self.open = False
        self._line: Line = ()
        self._fork: Fork | None = None
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
            self._fork = choice
        else:
            self._line = choice
        self.open = bool(choice)

    def choose(self, args: Args, history_value: HistoryValue) -> Plan | None:
        """The plan whose guards pass now, or None. Raises GuardError."""
        if self._fork is not None:
            found: list[Transition] = []
            _select(self._fork, args, found)
            return self.configuration.plan(tuple(found), history_value) if found else None
        candidate = _first(self._line, args)
        if candidate is None:
            return None
        plan = candidate.plan
        if plan is None:
            plan = self.configuration.plan((candidate.transition,), history_value)
            if not plan.history_read:
                candidate.plan = plan
        return plan


@dataclass(slots=True, eq=False)
class Eventless:
    """The `always` candidates of each active leaf and its ancestors."""

    lines: tuple[tuple[Transition, ...], ...]

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
    own = tuple(Candidate(transition) for transition in node.candidates(event_type))
    active = configuration.active_children.get(node, ())
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
        return (choice[0].transition,) if choice and choice[0].check is None else ()
    certain = [_certain(region) for region in choice.regions]
    return tuple(t for several in certain for t in several) if all(certain) else ()


def _select(fork: Fork, args: Args, found: list[Transition]) -> None:
    before = len(found)
    for region in fork.regions:
        if region.__class__ is Fork:
            _select(region, args, found)
        else:
            candidate = _first(region, args)  # type: ignore[arg-type]
            if candidate is not None:
                found.append(candidate.transition)
    if len(found) == before:
        candidate = _first(fork.fallback, args)
        if candidate is not None:
            found.append(candidate.transition)


def _first(line: Line, args: Args) -> Candidate | None:
    """The first candidate whose guard passes."""
    candidate = None
    try:
        for candidate in line:
            check = candidate.check
            if check is None or check(args, candidate.params):
                return candidate
    except Exception as error:
        assert candidate is not None
        source, guard = candidate.transition.source, candidate.transition.guard
        name = "" if guard is None else guard.name
        raise GuardError(name, args.event["type"], source.id, error) from error
    return None
