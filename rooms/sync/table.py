"""A policy's table, compiled: the rows as a tree of paths, and what follows from them (PURE).

In: a table of paths and rules (`rules.py`). Out: which rules stand as a machine is now, and which
traits of a viewer matter to what is seen. Next: `rooms/sync/lens.py` looks at snapshots by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rooms.errors import UsageError
from rooms.sync.rules import WORDS, Alternative, Belongs, HasField, HasRole, InState, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from rooms.sync.rules import Condition
    from rooms.sync.views import Seen, Viewer

    Who = Callable[[Seen, Viewer], Hashable]

Facts = frozenset["InState"]

FIELDS: Final = ("value", "status", "tags", "context", "children", "output", "error")
"""What a view has."""

_FLAT: Final = ("status", "error")
_OF_DATA: Final = ("context", "output")
_REMEMBERED: Final = 1024


class Node:
    """What a table says of one path, and of what is below it.

    `free`: what is seen below depends on nothing above; `keyed`: on nothing but this part's key.
    """

    __slots__ = ("any", "free", "inner", "keyed", "keys", "rule")

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.keys: dict[str, Node] = {}
        self.any: Node | None = None
        self.inner = False
        self.free = self.keyed = True

    def below(self) -> Iterator[Node]:
        """The nodes directly below."""
        yield from self.keys.values()
        if self.any is not None:
            yield self.any

    def settle(self, depth: int) -> None:
        """Note, once it is complete, what this node at `depth` needs to know of itself."""
        self.inner = bool(self.keys) or self.any is not None
        self.free = all(each.asks_from(depth) for each in self.below())
        self.keyed = all(each.asks_from(depth - 1) for each in self.below())

    def asks_from(self, depth: int) -> bool:
        """Whether no rule from here on asks for an item above `depth`."""
        alternatives = self.rule.alternatives if self.rule else ()
        return all(
            getattr(condition, "depth", depth) >= depth
            for each in alternatives
            for condition in each.conditions
        ) and all(each.asks_from(depth) for each in self.below())

    def plain(self, field: str) -> bool:
        """Whether everybody sees all of this field, always."""
        node = self.keys.get(field)
        if node is None or node.rule is None or node.inner:
            return False
        first = node.rule.alternatives[0]
        return first.grant == "shown" and not first.conditions


class Needs(NamedTuple):
    """Which traits of a viewer matter now to what is seen.

    `owners`: where their own id matters only if something there is theirs, as (path, depth, field).
    """

    role: bool
    team: bool
    own: bool
    owners: tuple[tuple[tuple[str, ...], int, str | None], ...]


class Table:
    """A compiled table: what a `Lens` looks by."""

    def __init__(
        self, table: Mapping[str, Rule], *, me: Who | None = None, team: Who | None = None
    ) -> None:
        self.me: Who = me or (lambda snapshot, viewer: viewer.id)
        self.team: Who = team or (lambda snapshot, viewer: None)
        self.rules = _read(table)
        self.root = _compile(self.rules)
        self._merged = [(path, node.rule) for path, node in _walk(self.root) if node.rule]
        conditions: dict[Condition, None] = dict.fromkeys(
            condition
            for rule in self.rules.values()
            for each in rule.alternatives
            for condition in each.conditions
        )
        self.states = tuple(each for each in conditions if isinstance(each, InState))
        self._roles = frozenset(
            name for each in conditions if isinstance(each, HasRole) for name in each.roles
        )
        if team is None and any(isinstance(c, Belongs) and c.to == "team" for c in conditions):
            raise UsageError("a table with `team` needs policy(…, team=fn(snapshot, viewer))")
        self._public = frozenset(each for each in self.states if self._is_public(each))
        self._live: dict[tuple[Facts, str | None], dict[Node, Any]] = {}
        self._needs: dict[tuple[Facts, str | None], Needs] = {}

    def role(self, viewer: Viewer) -> str | None:
        """The viewer's role, if it is one that a row names."""
        return viewer.role if viewer.role in self._roles else None

    def facts(self, snapshot: Seen) -> Facts:
        """Which of the table's conditions on the machine hold."""
        return frozenset(each for each in self.states if each.holds(snapshot))

    def needs(self, facts: Facts, role: str | None) -> Needs:
        """What of a viewer matters, as far as it follows from what that viewer sees.

        Who shares a view may not tell anybody what they don't see. So conditions count as open here
        unless everybody can see whether they hold; and somebody's own id counts always, unless they
        would see what is theirs.
        """
        known = facts & self._public
        needs = self._needs.get((known, role))
        if needs is None:
            if len(self._needs) >= _REMEMBERED:
                self._needs.clear()
            needs = self._needs[known, role] = self._work_out(known, role)
        return needs

    def live(self, facts: Facts, role: str | None) -> dict[Node, Any]:
        """The rules as they stand: by node, the alternatives of which only the item decides."""
        live = self._live.get((facts, role))
        if live is None:
            if len(self._live) >= _REMEMBERED:
                self._live.clear()
            live = self._live[facts, role] = {
                node: tuple(
                    (each.grant, each.conditions)
                    for each in _open(node.rule, facts, frozenset(), role)
                )
                for _, node in _walk(self.root)
                if node.rule is not None
            }
        return live

    def _work_out(self, known: Facts, role: str | None) -> Needs:
        hidden = frozenset(self.states) - self._public
        by_role = by_team = by_id = False
        found: list[tuple[tuple[str, ...], int, str | None]] = []
        for path, rule in self._merged:
            by_role |= _asks_role(rule, known, hidden)
            doubtful = False  # whether something unseen decides before we come to it
            for each in _open(rule, known, hidden, role):
                belongs = next((c for c in each.conditions if isinstance(c, Belongs)), None)
                if belongs is not None and belongs.to == "team":
                    by_team = True
                elif belongs is not None and (doubtful or len(each.conditions) > 1):
                    by_id = True
                elif belongs is not None:
                    found.append((path, belongs.depth, belongs.field))
                doubtful |= each.grant != "shown"
        return Needs(by_role, by_team, by_id, tuple(dict.fromkeys(found)))

    def _is_public(self, condition: InState) -> bool:
        if condition.test is not None:
            return False
        return self.root.plain("value" if condition.tag is None else "tags")


def _open(
    rule: Rule, facts: Facts, unknown: frozenset[InState], role: str | None
) -> Iterator[Alternative]:
    """The alternatives that may still apply, down to the first that surely does, each with the
    conditions that aren't settled by facts and role."""
    for each in rule.alternatives:
        left: list[Condition] = []
        for condition in each.conditions:
            if isinstance(condition, InState):
                if condition in unknown:
                    left.append(condition)
                elif condition not in facts:
                    break
            elif isinstance(condition, HasRole):
                if role not in condition.roles:
                    break
            else:
                left.append(condition)
        else:
            yield Alternative(each.grant, tuple(left))
            if not left:
                return


def _asks_role(rule: Rule, facts: Facts, unknown: frozenset[InState]) -> bool:
    """Whether the rule may come to ask for a role."""
    for each in rule.alternatives:
        states = [c for c in each.conditions if isinstance(c, InState) and c not in unknown]
        if all(state in facts for state in states):
            if any(isinstance(c, HasRole) for c in each.conditions):
                return True
            if len(states) == len(each.conditions):
                return False
    return False


# ------------------------------------------------------------------ reading a table


def _read(table: Mapping[str, Rule]) -> dict[tuple[str, ...], Rule]:
    """The rows by path, each checked for itself."""
    rules: dict[tuple[str, ...], Rule] = {}
    if not table or not hasattr(table, "items"):
        raise UsageError('a policy is a table: policy({"value": shown, …})')
    for key, rule in table.items():
        if not isinstance(key, str) or not key.split():
            raise UsageError(f"{key!r} is no path: {_PATHS}")
        for row in key.split():
            path = tuple(row.split("."))
            if path in rules:
                raise UsageError(f"{row!r} stands in the table twice")
            if not isinstance(rule, Rule):
                raise UsageError(f"{row!r}: {rule!r} is no rule; {WORDS}")
            area, item = _place(row, path)
            rules[path] = rule.bound(_bind(row, path, rule, area, item))
    return rules


def _place(row: str, path: tuple[str, ...]) -> tuple[str, int | None]:
    """Which field of a view the path ends in, and where its item stands: at the last `*` that names
    data or a child."""
    if "" in path:
        raise UsageError(f"{row!r} has an empty part: {_PATHS}")
    at, item = 0, None
    while True:
        head = path[at]
        if head == "*" and at == len(path) - 1:
            return head, item
        if head not in FIELDS:
            raise UsageError(f"{row!r}: a view has no {head!r}: {_PATHS}")
        inside = len(path) - at - 1
        if (inside and head in _FLAT) or (inside > 1 and head == "tags"):
            raise UsageError(f"{row!r}: {head} has nothing below it; name {head} itself")
        if head == "children" and inside:
            if path[at + 1] == "*":
                item = at + 1
            if inside == 1:
                return head, item
            at += 2
            continue
        if head in _OF_DATA:
            stars = [i for i in range(at + 1, len(path)) if path[i] == "*"]
            return head if inside else "*", stars[-1] if stars else item
        return head, item


def _bind(row: str, path: tuple[str, ...], rule: Rule, area: str, item: int | None) -> int:
    """Where the rule's item stands in the path."""
    for each in rule.alternatives:
        if each.grant == "count" and area not in _OF_DATA:
            raise UsageError(f"{row!r}: only what is within context or output can be counted")
        for condition in each.conditions:
            if not isinstance(condition, (Belongs, HasField)) or item is not None:
                continue
            if area not in _OF_DATA:
                raise UsageError(f"{row!r}: this belongs to nobody; take shown, hidden, role, when")
            if condition.field is None:
                raise UsageError(
                    f"{row!r}: {condition.to} goes by the key at a `*`, and there is none; "
                    f'name one ("context.hands.*"), or a field: {condition.to}("owner")'
                )
    return len(path) - 1 if item is None else item


_PATHS: Final = f"it begins with one of {', '.join(FIELDS)}, or is `*`"


def _compile(rules: Mapping[tuple[str, ...], Rule]) -> Node:
    """The table as a tree in which each path has one node, with the rule that goes first there."""
    written = Node()
    for path, rule in rules.items():
        node = written
        for part in path:
            if part == "*":
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.keys.setdefault(part, Node())
        node.rule = rule
    root = _overlaid([written], "view")
    for path, node in _walk(root):
        node.settle(len(path))
        counts = node.rule is not None and any(e.grant == "count" for e in node.rule.alternatives)
        if node.inner and counts:
            raise UsageError(
                f"{'.'.join(path)!r}: of what is counted nothing else can be seen; "
                "leave out count, or the rows below it"
            )
    return root


def _overlaid(layers: list[Node], kind: Literal["view", "children", "data"]) -> Node:
    """One node for all that is written of a path; of two rows, the one goes first that is exact at
    the first part in which they differ."""
    node = Node()
    node.rule = next((each.rule for each in layers if each.rule is not None), None)
    stars = [each.any for each in layers if each.any is not None]
    names = [name for each in layers for name in each.keys]
    if kind == "view" and stars:  # a view's `*` is each of its fields
        names += FIELDS
    for name in dict.fromkeys(names):
        below = [part for each in layers for part in (each.keys.get(name), each.any) if part]
        node.keys[name] = _overlaid(below, _kind_below(kind, name))
    if stars and kind != "view":
        node.any = _overlaid(stars, _kind_below(kind, "*"))
    return node


def _kind_below(
    kind: Literal["view", "children", "data"], name: str
) -> Literal["view", "children", "data"]:
    if kind == "children":
        return "view"
    return "children" if kind == "view" and name == "children" else "data"


def _walk(node: Node, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
    yield path, node
    for key, child in node.keys.items():
        yield from _walk(child, (*path, key))
    if node.any is not None:
        yield from _walk(node.any, (*path, "*"))
