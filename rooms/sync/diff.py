"""From one view to the next: the operations between them, and their application (PURE).

`diff` looks only where identity differs: parts that two views share are skipped unseen, so a step
costs what it changed. `apply` is the other side's: it trusts nothing, and shares with its input all
that the operations don't touch. The operations are SPEC VIEW3's:

    [path, value]  set        [path]  delete        [path, i, n, [items]]  splice

Next: `rooms/sync/backlog.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import is_
from typing import TYPE_CHECKING, Any, Final

from rooms.errors import PatchError
from rooms.sync.messages import FORBIDDEN_KEYS

if TYPE_CHECKING:
    from collections.abc import Container, Hashable

    from rooms.sync.messages import Json, Op

_MISSING: Final = object()


def diff(old: Json, new: Json, *, ordered: bool = False) -> list[Op]:
    """What turns `old` into `new`, shortest where parts kept their identity; [] when equal.

    Items of an array are matched by identity, or by their `id` where they have one; scalars by
    value. Objects that differ only in the order of their keys are equal, unless `ordered`: then
    theirs is the order that `new` has. The operations alias parts of `new`.

    Raises TypeError: with `ordered`, a new key isn't text.
    """
    walk = _Walk(ordered)
    if old is not new:
        walk.compare(old, new)
    return walk.ops


class _Walk:
    """A way through two views at once: where it is, and the operations it has found.

    Args:
        ordered: the order of keys counts.
    """

    __slots__ = ("_ordered", "_path", "ops")

    def __init__(self, ordered: bool) -> None:
        self.ops: list[Op] = []
        self._path: list[str | int] = []
        self._ordered = ordered

    def compare(self, old: Json, new: Json) -> None:
        """Add what turns `old` into `new` here; they aren't the same object."""
        kind = type(new)
        if type(old) is not kind:
            self.ops.append([self._path.copy(), new])
        elif kind is dict:
            self._dicts(old, new)
        elif kind is list:
            self._lists(old, new)
        elif old != new:
            self.ops.append([self._path.copy(), new])

    def _compare_at(self, step: str | int, old: Json, new: Json) -> None:
        self._path.append(step)
        self.compare(old, new)
        self._path.pop()

    def _dicts(self, old: dict[str, Json], new: dict[str, Json]) -> None:
        path, ops, ordered = self._path, self.ops, self._ordered
        before = old.get
        known, mark = 0, len(ops)
        for key, value in new.items():
            was = before(key, _MISSING)
            if was is value:
                known += 1
            elif was is _MISSING:
                if ordered and type(key) is not str:
                    raise TypeError(f"{key!r} is no key of an object")
                ops.append([[*path, key], value])
            else:
                known += 1
                path.append(key)
                self.compare(was, value)
                path.pop()
        if known != len(old):
            ops.extend([[*path, key]] for key in old if key not in new)
        if ordered:
            stayed = list(old) if known == len(old) else [key for key in old if key in new]
            if stayed != list(new)[:known]:
                del ops[mark:]
                self._rearrange(old, new, stayed)
        if len(ops) - mark > 1 and len(ops) - mark >= len(new):
            inner = len(path) + 1
            fields = sum(1 for op in ops[mark:] if len(op) == 2 and len(op[0]) == inner)
            if fields == len(new):  # nothing of it stayed
                ops[mark:] = [[path.copy(), new]]

    def _rearrange(self, old: dict[str, Json], new: dict[str, Json], stayed: list[str]) -> None:
        """Turn `old` into `new`, whose keys come in another order: the first that are in the old
        order stay, all others are taken out and put in again. `stayed` are the keys that both have.
        """
        place = {key: index for index, key in enumerate(stayed)}
        last, staying = -1, 0
        for key in new:
            at = place.get(key, -1)
            if at <= last:
                break
            last, staying = at, staying + 1
        keys = list(new)
        stays = set(keys[:staying])
        self.ops.extend([[*self._path, key]] for key in old if key not in stays)
        for key in keys[:staying]:
            if old[key] is not new[key]:
                self._compare_at(key, old[key], new[key])
        self.ops.extend([[*self._path, key], new[key]] for key in keys[staying:])

    def _lists(self, old: list[Json], new: list[Json]) -> None:
        """Trim what is common at both ends, then pair what is left. Changes are written from the
        end to the start, so that an index means the same before and after those already written.
        """
        start, end_old, end_new = 0, len(old), len(new)
        shorter = min(end_old, end_new)
        while start < shorter and (old[start] is new[start] or same(old[start], new[start])):
            start += 1
        while end_old > start and end_new > start and same(old[end_old - 1], new[end_new - 1]):
            end_old -= 1
            end_new -= 1
        if start in (end_old, end_new) or end_old - start == end_new - start == 1:
            pairs: list[tuple[int, int]] = []
        else:
            pairs = _shifted(old, new, start, end_old, end_new) or _pairs(
                old, new, start, end_old, end_new
            )
        for at_old, at_new in reversed(pairs):
            if at_old + 1 < end_old or at_new + 1 < end_new:
                self._rewrite(at_old + 1, old[at_old + 1 : end_old], new[at_new + 1 : end_new])
            if old[at_old] is not new[at_new]:
                self._compare_at(at_old, old[at_old], new[at_new])
            end_old, end_new = at_old, at_new
        if start < end_old or start < end_new:
            self._rewrite(start, old[start:end_old], new[start:end_new])

    def _rewrite(self, start: int, before: list[Json], after: list[Json]) -> None:
        """Turn a stretch of the old list into one of the new list, none of whose items is known
        from the other: item by item when they look alike, otherwise by one splice.
        """
        count = len(before)
        if count != len(after) or (count > 1 and not all(map(_alike, before, after))):
            self.ops.append([self._path.copy(), start, count, after])
            return
        for offset in range(count - 1, -1, -1):
            self._compare_at(start + offset, before[offset], after[offset])


def _alike(one: Json, other: Json) -> bool:
    """Whether two items may be worth a look into them."""
    kind = type(one)
    return kind is type(other) and (kind is dict or kind is list)


def same(one: Json, other: Json) -> bool:
    """Whether two items are one, without looking into them."""
    if one is other:
        return True
    kind = type(one)
    return kind is type(other) and kind is not dict and kind is not list and bool(one == other)


def _shifted(
    old: list[Json], new: list[Json], start: int, end_old: int, end_new: int
) -> list[tuple[int, int]]:
    """The items that stay of a list that only lost its head, as a log with a limit does."""
    first = new[start]
    for at in range(start + 1, end_old):
        if old[at] is first:
            end = start + min(end_old - at, end_new - start)
            if (end - start) * 2 > end_old - start and all(map(is_, old[at:], new[start:end])):
                return list(zip(range(at, end_old), range(start, end), strict=False))
            break
    return []


def _pairs(
    old: list[Json], new: list[Json], start: int, end_old: int, end_new: int
) -> list[tuple[int, int]]:
    """The items that stay, as (index in old, index in new), both growing: the longest such row."""
    where: dict[Hashable, list[int]] = {}
    for index in range(end_old - 1, start - 1, -1):
        where.setdefault(_name(old[index]), []).append(index)
    tails: list[int] = []  # the smallest old index that ends a row of each length
    ends: list[int] = []  # … and which of `links` it is
    links: list[tuple[int, int, int]] = []  # (index in old, index in new, link before it)
    for index in range(start, end_new):
        found = where.get(_name(new[index]))
        if not found:
            continue
        at = found.pop()  # of equal items, the first not yet taken
        length = bisect_left(tails, at)
        links.append((at, index, ends[length - 1] if length else -1))
        if length == len(tails):
            tails.append(at)
            ends.append(len(links) - 1)
        else:
            tails[length] = at
            ends[length] = len(links) - 1
    pairs: list[tuple[int, int]] = []
    link = ends[-1] if ends else -1
    while link >= 0:
        at_old, at_new, link = links[link]
        pairs.append((at_old, at_new))
    pairs.reverse()
    return pairs


def _name(item: Json) -> Hashable:
    """What an array's item is known by from one view to the next."""
    kind = type(item)
    if kind is dict:
        own = item.get("id")
        if type(own) is str or type(own) is int:
            return ("id", own)
        return ("at", id(item))
    if kind is list:
        return ("at", id(item))
    return (kind, item)


# ------------------------------------------------------------------ the other side


def apply(view: Json, ops: Any, *, forbidden: Container[str] = FORBIDDEN_KEYS) -> Json:
    """The view after `ops`, which may be anything: `view` is never touched, and parts that no
    operation touches keep their identity. No operation may set one of the `forbidden` keys.

    Raises:
        PatchError: an operation isn't one, or doesn't fit; nothing was applied.
    """
    if type(ops) is not list:
        raise PatchError(ops, "operations are a list")
    root = [view]  # so that the whole view is an item like any other
    own: dict[int, Json] = {}  # what was copied here, and may be written to
    for op in ops:
        if type(op) is not list or not 1 <= len(op) <= 4 or len(op) == 3 or type(op[0]) is not list:
            raise PatchError(op, "an operation is [path], [path, value] or [path, i, n, items]")
        where = op[0]
        parent: Json = root
        key: Json = 0
        for step in where:
            parent = _enter(parent, key, own, op)
            key = step
        if len(op) == 4:
            _splice(_enter(parent, key, own, op), op)
        elif type(parent) is dict:
            _write_field(parent, key, op, forbidden)
        elif len(op) == 1:
            raise PatchError(op, "an array shrinks by a splice, and a view can't be deleted")
        else:
            _check_index(parent, key, op)
            parent[key] = op[1]
    return root[0]


def _enter(parent: Json, key: Json, own: dict[int, Json], op: Op) -> Json:
    """The container at `key` of `parent`, as a copy that may be written to."""
    if type(parent) is dict:
        if type(key) is not str or key not in parent:
            raise PatchError(op, f"there is no {key!r}")
    else:
        _check_index(parent, key, op)
    child = parent[key]
    if id(child) in own:
        return child
    if type(child) is not dict and type(child) is not list:
        raise PatchError(op, f"{key!r} has nothing inside")
    child = child.copy()
    own[id(child)] = child
    parent[key] = child
    return child


def _check_index(parent: list[Json], key: Json, op: Op) -> None:
    if type(key) is not int or not 0 <= key < len(parent):
        raise PatchError(op, f"{key!r} is no index of an array of {len(parent)}")


def _write_field(parent: dict[str, Json], key: Json, op: Op, forbidden: Container[str]) -> None:
    if type(key) is not str:
        raise PatchError(op, f"{key!r} is no key of an object")
    if key in forbidden:
        raise PatchError(op, f"the key {key!r} is refused")
    if len(op) == 2:
        parent[key] = op[1]
    elif key in parent:
        del parent[key]
    else:
        raise PatchError(op, f"there is no {key!r} to delete")


def _splice(target: Json, op: Op) -> None:
    _, start, count, items = op
    if type(target) is not list or type(items) is not list:
        raise PatchError(op, "a splice puts items into an array")
    if type(start) is not int or type(count) is not int or start < 0 or count < 0:
        raise PatchError(op, "a splice has an index and a count")
    if start + count > len(target):
        raise PatchError(op, f"the array has {len(target)} items")
    target[start : start + count] = items
