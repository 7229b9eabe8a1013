"""A policy's eye in one room: what each view key sees of a snapshot, sharing all that is the same
(PURE).

In: a snapshot and a viewer. Out: their view key, and a view in which every part that didn't change
is the very object of the time before, so that the next step (`rooms/sync/diff.py`) costs what
changed. Next: `rooms/sync/fanout.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rooms.sync.diff import same
from rooms.sync.rules import Belongs
from rooms.sync.table import FIELDS, Node
from rooms.sync.views import add_field, described, is_empty, sorted_tags

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from rooms.sync.messages import Json, View
    from rooms.sync.rules import Grant
    from rooms.sync.table import Facts, Needs, Table
    from rooms.sync.views import Seen, Viewer

Key = tuple[str | None, "Hashable", "Hashable"]
"""Role, team and own id, each None where it doesn't matter."""

Trail = tuple[tuple[Any, Any], ...]
"""The keys and parts from the snapshot down to a part."""

KEYS: Final = 1024
"""View keys of one room whose parts are remembered."""

_NOTHING: Final = object()
_LEAF: Final = Node()


class _Memo:
    """What was seen of a part, by which rules, and of the parts in it."""

    __slots__ = ("grant", "items", "key", "live", "result", "source")

    def __init__(
        self, key: Any, source: Any, live: Any, grant: Grant, result: Any, items: dict[Any, _Memo]
    ) -> None:
        self.key = key
        self.source = source
        self.live = live
        self.grant = grant
        self.result = result
        self.items = items


_UNSEEN: Final = _Memo(None, _NOTHING, None, "hidden", _NOTHING, {})


class _Inside:
    """A part that is looked into: the way there, what holds for all that no row of its own names,
    and what was seen of the parts in it before (`known`), and is now (`items`).
    """

    __slots__ = ("grant", "items", "known", "trail")

    def __init__(self, trail: Trail, grant: Grant, known: Mapping[Any, _Memo]) -> None:
        self.trail = trail
        self.grant = grant
        self.known = known
        self.items: dict[Any, _Memo] = {}


class Lens:
    """The view of one room: call it with a snapshot and a viewer."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._memos: dict[Key, dict[Any, _Memo]] = {}
        self._last: tuple[Seen | None, Facts] = (None, frozenset())
        self._needs: dict[str | None, Needs] = {}  # at the last snapshot, by role
        self._owners: dict[Any, tuple[Any, frozenset[Any]]] = {}

    def __call__(self, snapshot: Seen, viewer: Viewer) -> View:
        """What the viewer sees of the snapshot: the same for all with an equal `key`."""
        key = self.key(snapshot, viewer)
        old = self._memos.pop(key, {})
        role, team, me = key
        live = self._table.live(self._facts(snapshot), role)
        room = _Inside((), "hidden", old)
        view = _Look(live, team, me).view(self._table.root, snapshot, (), room, "")
        self._memos[key] = room.items
        if len(self._memos) > KEYS:
            del self._memos[next(iter(self._memos))]
        return {} if view is _NOTHING else view

    def key(self, snapshot: Seen, viewer: Viewer) -> Key:
        """Who shares a view: role, team and own id, as far as they matter now.

        It depends on nothing that the viewer doesn't see.
        """
        table = self._table
        role = table.role(viewer)
        facts = self._facts(snapshot)
        needs = self._needs.get(role)
        if needs is None:
            needs = self._needs[role] = table.needs(facts, role)
        team = table.team(snapshot, viewer) if needs.team else None
        me = table.me(snapshot, viewer) if needs.own or needs.owners else None
        if me is not None and not (needs.own or self._has(snapshot, me, needs)):
            me = None
        return (role if needs.role else None, team, me)

    def _facts(self, snapshot: Seen) -> Facts:
        if self._last[0] is not snapshot:
            self._last = (snapshot, self._table.facts(snapshot))
            self._needs = {}
        return self._last[1]

    def _has(self, snapshot: Seen, me: Hashable, needs: Needs) -> bool:
        return any(me in self._owners_at(snapshot, *place) for place in needs.owners)

    def _owners_at(
        self, snapshot: Seen, path: tuple[str, ...], depth: int, field: str | None
    ) -> frozenset[Any]:
        source = snapshot if path[0] == "children" else getattr(snapshot, path[0], None)
        found = self._owners.get((path, field))
        if found is None or found[0] is not source:
            found = (source, frozenset(owners(snapshot, path, depth, field)))
            self._owners[path, field] = found
        return found[1]


class _Look:
    """One look at a snapshot, as the rules stand, for one team and one own id."""

    __slots__ = ("_live", "_me", "_team")

    def __init__(self, live: Mapping[Node, Any], team: Hashable, me: Hashable) -> None:
        self._live = live
        self._team = team
        self._me = me

    def view(self, node: Node, snapshot: Any, trail: Trail, around: _Inside, slot: Any) -> Any:
        """The view of the machine, or of a child, which is remembered in this slot."""
        grant = self._grant(node, around.grant, trail)
        before = around.known.get(slot, _UNSEEN)
        if self._holds(before, node, snapshot, grant, trail) and not getattr(
            snapshot, "children", None
        ):
            around.items[slot] = before
            return before.result
        inside = _Inside(trail, grant, before.items)
        result: View = {}
        for field in FIELDS:
            part = getattr(snapshot, field, None)
            if part is None:
                continue
            below = node.keys.get(field, _LEAF)
            there = (*trail, (field, part))
            if field == "context" or field == "output":
                seen = self._part(below, part, there, inside, field)
            elif field == "children":
                seen = self._children(below, part, there, inside)
            elif field == "value":
                seen = self._value(below, part, grant, there)
            elif field == "tags":
                seen = self._tags(below, part, grant, there)
            elif self._grant(below, grant, there) != "shown":
                continue
            else:
                seen = described(part) if field == "error" else part
            if seen is not _NOTHING:
                add_field(result, field, seen)
        return self._keep(before, snapshot, result, inside, around, slot)

    def _children(
        self, node: Node, children: Mapping[str, Any], trail: Trail, around: _Inside
    ) -> Any:
        before = around.known.get("children", _UNSEEN)
        inside = _Inside(trail, self._grant(node, around.grant, trail), before.items)
        result: dict[str, View] = {}
        for id, ref in children.items():
            snapshot = ref.get_snapshot()
            below = node.keys.get(id) or node.any or _LEAF
            there = (*trail, (id, getattr(snapshot, "context", None)))
            seen = self.view(below, snapshot, there, inside, id)
            if seen is not _NOTHING:
                result[id] = seen
        return self._keep(before, children, result, inside, around, "children")

    def _part(self, node: Node, part: Json, trail: Trail, around: _Inside, slot: Any) -> Any:
        """A part of the context or output: all, the number, what its rows show, or nothing."""
        grant = self._grant(node, around.grant, trail)
        kind = type(part)
        if not node.inner or (kind is not dict and kind is not list):
            if grant == "shown":
                return part
            return _NOTHING if grant != "count" or part is None else _count(part, kind)
        before = around.known.get(slot, _UNSEEN)
        if self._holds(before, node, part, grant, trail):
            around.items[slot] = before
            return before.result
        inside = _Inside(trail, grant, before.items)
        known, items = inside.known, inside.items
        result: Any = {} if kind is dict else []
        key: Any
        for key, item in part.items() if kind is dict else enumerate(part):
            below = node.keys.get(key if kind is dict else str(key)) or node.any
            if below is None:
                seen: Any = item if grant == "shown" else _NOTHING
            else:
                name = key if kind is dict else id(item)
                memo = known.get(name)
                if (  # the usual case, without a call
                    memo is not None
                    and memo.source is item
                    and memo.live is self._live
                    and below.rule is None
                    and memo.grant == grant
                    and (below.free or (below.keyed and memo.key == key))
                ):
                    items[name] = memo
                    seen = memo.result
                else:
                    seen = self._part(below, item, (*trail, (key, item)), inside, name)
            if seen is _NOTHING:
                continue
            if kind is dict:
                result[key] = seen
            else:
                result.append(seen)
        return self._keep(before, part, result, inside, around, slot)

    def _value(self, node: Node, value: Any, grant: Grant, trail: Trail) -> Any:
        """A state value, without the states that aren't seen."""
        seen = self._regions(node, value, grant, trail)
        if seen is not _NOTHING and seen is not value and len(seen) == 1:
            ((key, inside),) = seen.items()
            return seen if inside else key
        return seen

    def _regions(self, node: Node, value: Any, grant: Grant, trail: Trail) -> Any:
        grant = self._grant(node, grant, trail)
        if not node.inner:
            return value if grant == "shown" else _NOTHING
        result: dict[str, Any] = {}
        for key, inside in ({value: {}} if isinstance(value, str) else value).items():
            below = node.keys.get(key) or node.any or _LEAF
            seen = self._value(below, inside, grant, (*trail, (key, inside)))
            if seen is not _NOTHING:
                result[key] = seen
        return result if result or grant == "shown" else _NOTHING

    def _tags(self, node: Node, tags: frozenset[str], grant: Grant, trail: Trail) -> Any:
        grant = self._grant(node, grant, trail)
        if not node.inner:
            return sorted_tags(tags) if grant == "shown" else _NOTHING
        return sorted_tags(
            frozenset(
                tag
                for tag in tags
                if self._grant(
                    node.keys.get(tag) or node.any or _LEAF, grant, (*trail, (tag, None))
                )
                == "shown"
            )
        )

    def _grant(self, node: Node, inherited: Grant, trail: Trail) -> Grant:
        """What the node's rule grants of this part; without one, what holds for all around it."""
        alternatives = self._live.get(node)
        if alternatives is None:
            return inherited
        grant: Grant
        for grant, conditions in alternatives:
            if not conditions or all(self._meets(each, trail) for each in conditions):
                return grant
        return "hidden"

    def _meets(self, condition: Any, trail: Trail) -> bool:
        key, item = trail[condition.depth]
        if type(condition) is not Belongs:
            return type(item) is dict and bool(item.get(condition.field))
        if condition.field is not None:
            key = item.get(condition.field) if type(item) is dict else None
        mine = self._me if condition.to == "own" else self._team
        return mine is not None and type(key) is type(mine) and bool(key == mine)

    def _holds(self, before: _Memo, node: Node, source: Any, grant: Grant, trail: Trail) -> bool:
        """Whether what was seen before is what is seen now, unlooked."""
        return (
            before.source is source
            and before.live is self._live
            and before.grant == grant
            and (node.free or (node.keyed and before.key == trail[-1][0]))
        )

    def _keep(
        self, before: _Memo, source: Any, result: Any, inside: _Inside, around: _Inside, slot: Any
    ) -> Any:
        """Remember what is seen of a part: as the very object of before, if nothing in it changed.
        Of what isn't shown itself nothing is seen unless something in it is."""
        grant, trail = inside.grant, inside.trail
        if not result and grant != "shown":
            result = _NOTHING
        elif _same_parts(before.result, result):
            result = before.result
        key = trail[-1][0] if trail else None
        around.items[slot] = _Memo(key, source, self._live, grant, result, inside.items)
        return result


def owners(snapshot: Any, path: tuple[str, ...], depth: int, field: str | None) -> Iterator[Any]:
    """Whom the parts at `path` belong to: the key at `depth` of it, or what that item's `field`
    says."""
    for trail in _at(snapshot, path, ()):
        key, item = trail[depth]
        if field is not None:
            key = item.get(field) if type(item) is dict else None
        if type(key) is str or type(key) is int:
            yield key


def _at(snapshot: Any, path: tuple[str, ...], trail: Trail) -> Iterator[Trail]:
    """The ways to what there is at a path of a view."""
    part = getattr(snapshot, path[0], None)
    if part is None or (len(path) == 1 and is_empty(part)):
        return
    trail = (*trail, (path[0], part))
    if path[0] != "children" or len(path) == 1:
        yield from _within(path[1:], trail)
        return
    for id, ref in part.items():
        if path[1] in ("*", id):
            child = ref.get_snapshot()
            inside = (*trail, (id, getattr(child, "context", None)))
            if len(path) == 2:
                yield inside
            else:
                yield from _at(child, path[2:], inside)


def _within(path: tuple[str, ...], trail: Trail) -> list[Trail]:
    trails = [trail]
    for name in path:
        before, trails = trails, []
        for trail in before:
            part = trail[-1][1]
            if type(part) is dict:
                if name == "*":
                    trails += [(*trail, item) for item in part.items()]
                elif name in part:
                    trails.append((*trail, (name, part[name])))
            elif type(part) is list:
                trails += [(*trail, it) for it in enumerate(part) if name in ("*", str(it[0]))]
    return trails


def _same_parts(one: Any, other: Any) -> bool:
    """Whether two results have the very same parts."""
    if type(one) is not type(other) or len(one) != len(other):
        return False
    if type(one) is dict:
        return all(same(one.get(key, _NOTHING), value) for key, value in other.items())
    return all(map(same, one, other))


def _count(part: Json, kind: type) -> int:
    """How many items there are; a text or a number is one, whatever it says."""
    return len(part) if kind is dict or kind is list else 1
