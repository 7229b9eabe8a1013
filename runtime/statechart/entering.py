"""Which nodes a transition enters: its domain, its effective targets, their ancestors and default
descendants.

Used by `plan.py`, once per plan. `by_default` collects the nodes whose initial transition's actions
run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .nodes import StateNode, Transition
    from .plan import HistoryReader

#: A set that keeps the order of insertion.
Nodes = dict["StateNode", None]


def entry_set(transitions: Iterable[Transition], history: HistoryReader) -> tuple[Nodes, Nodes]:
    """(the nodes to enter, those of them that are entered by default)."""
    to_enter: Nodes = {}
    by_default: Nodes = {}
    for transition in transitions:
        domain = transition_domain(transition, history)
        source, reenter = transition.source, transition.reenter
        for node in transition.targets or ():
            if node.type != "history" and (node is not source or source is not domain or reenter):
                to_enter[node] = None
                by_default[node] = None
            _add_descendants(node, history, to_enter, by_default)
        limit = None if source.parent is None and reenter else domain
        for node in effective_targets(transition, history):
            above = list(node.ancestors_below(domain))
            if domain is not None and domain.type == "parallel":
                above.append(domain)
            _add_ancestors(above, limit, history, to_enter, by_default)
    return to_enter, by_default


def transition_domain(transition: Transition, history: HistoryReader) -> StateNode | None:
    """The node within which everything is left and entered; None when the root is re-entered.

    Worked out once: what is left is entered again, even where leaving has recorded what a history
    target now recalls. (XState asks twice, and may then leave a parent out.)
    """
    if transition not in history.domains:
        history.domains[transition] = _domain(transition, history)
    return history.domains[transition]


def _domain(transition: Transition, history: HistoryReader) -> StateNode | None:
    source = transition.source
    targets = effective_targets(transition, history)
    if not transition.reenter and all(node is source or node.within(source) for node in targets):
        return source
    head, *others = [*targets, source]
    for ancestor in head.ancestors:
        if all(ancestor in other.ancestors for other in others):
            return ancestor
    if transition.reenter:
        return None
    return source.ancestors[-1] if source.ancestors else source


def effective_targets(transition: Transition, history: HistoryReader) -> Nodes:
    """The targets, history states replaced by what they stand for now."""
    targets: Nodes = {}
    for node in transition.targets or ():
        if node.type != "history":
            targets[node] = None
            continue
        recorded = history.get(node.id)
        if recorded is None:
            recorded = tuple(effective_targets(_history_default(node), history))
        targets.update(dict.fromkeys(recorded))
    return targets


def initial_nodes(node: StateNode) -> Nodes:
    """The node and what is entered in it by default."""
    found: Nodes = {}

    def visit(inner: StateNode) -> None:
        found[inner] = None
        if inner.type == "compound":
            visit(_first_target(inner))
        elif inner.type == "parallel":
            for region in inner.regions():
                visit(region)

    visit(node)
    return found


def initial_nodes_with_ancestors(node: StateNode) -> Nodes:
    """`initial_nodes`, completed by the nodes between them and `node`."""
    found = initial_nodes(node)
    for inner in list(found):
        found.update(dict.fromkeys(inner.ancestors_below(node)))
    return found


def _first_target(node: StateNode) -> StateNode:
    assert node.initial is not None
    assert node.initial.targets is not None
    return node.initial.targets[0]


def _history_default(node: StateNode) -> Transition:
    assert node.history_default is not None
    return node.history_default


def _add_descendants(
    node: StateNode, history: HistoryReader, to_enter: Nodes, by_default: Nodes
) -> None:
    if node.type == "history":
        parent = node.parent
        assert parent is not None
        recorded = history.get(node.id)
        if recorded is None:
            default = _history_default(node)
            recorded = default.targets or ()
            if default is parent.initial:
                by_default[parent] = None
        for inner in recorded:
            to_enter[inner] = None
            _add_descendants(inner, history, to_enter, by_default)
        for inner in recorded:
            _add_ancestors(inner.ancestors_below(parent), None, history, to_enter, by_default)
    elif node.type == "compound":
        inner = _first_target(node)
        if inner.type != "history":
            to_enter[inner] = None
            by_default[inner] = None
        _add_descendants(inner, history, to_enter, by_default)
        _add_ancestors(inner.ancestors_below(node), None, history, to_enter, by_default)
    elif node.type == "parallel":
        for region in node.regions():
            if not any(region in other.ancestors for other in to_enter):
                to_enter[region] = None
                by_default[region] = None
                _add_descendants(region, history, to_enter, by_default)


def _add_ancestors(
    ancestors: Iterable[StateNode],
    limit: StateNode | None,
    history: HistoryReader,
    to_enter: Nodes,
    by_default: Nodes,
) -> None:
    for ancestor in ancestors:
        if ancestor.within(limit):
            to_enter[ancestor] = None
        if ancestor.type == "parallel":
            for region in ancestor.regions():
                if not any(region in other.ancestors for other in to_enter):
                    to_enter[region] = None
                    _add_descendants(region, history, to_enter, by_default)
