"""A view as a table: which part of a room is seen by whom, and when (PURE).

In: a table of paths and rules (`rules.py`), written by a room's author, and the class that it is
the view of, whose machine has to have what is named. Nothing is seen that no row names. Next:
`rooms/sync/table.py` compiles it, `rooms/sync/lens.py` looks at snapshots by it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rooms.errors import UsageError
from rooms.sync.lens import Lens
from rooms.sync.table import Table

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from rooms.sync.lens import Key
    from rooms.sync.rules import Rule
    from rooms.sync.table import Who
    from rooms.sync.views import Seen, Viewer


def policy(table: Mapping[str, Rule], *, me: Who | None = None, team: Who | None = None) -> Any:
    """A room's view as a table: `view = policy({"context.hands.*": own | count, …})`.

    A row's key is one path or several, with spaces between: `value`, `status`, `tags`, `error`,
    `context…`, `output…`, `children.<id>…` (and of a child the same again); `*` is any key, item or
    id. The row holds for all below its path that no row of its own names; an exact key goes before
    `*`. What no row names is hidden.

    `me(snapshot, viewer)` is who somebody is to `own`, by default the viewer's id; `team(snapshot,
    viewer)` is their team. None is nobody. What the two say is no secret from that viewer.

    Raises:
        UsageError: a path or rule that can't be; it names the path and what is allowed there.
    """
    return Policy(table, me=me, team=team)


class Policy(Table):
    """A compiled table. As a room's attribute it is a `Lens` of that room."""

    def __get__(self, room: Any, kind: type[Any]) -> Any:
        if room is None:
            return self
        lens = room.__dict__["view"] = Lens(self)  # from now on the room's own
        return lens

    def adopt(self, kind: type[Any]) -> None:
        """Become the view of a kind of room, and its view key.

        Raises:
            UsageError: it names what the machine hasn't got; the class has what a policy replaces.
        """
        name = kind.__name__
        if "view_key" in kind.__dict__:
            raise UsageError(f"{name}.view_key: a policy works out its own; leave it out")
        root = getattr(kind.machine, "root", None)
        if root is not None:
            self._check(name, root, kind.machine.config.get("context"))
        if kind.show_timers and not self.root.plain("value"):
            raise UsageError(
                f"{name}.show_timers tells everybody when hidden states end; "
                'give everybody the value ("value": shown), or put due times into the context'
            )
        kind.view_key = _view_key

    @staticmethod
    def release(kind: type[Any]) -> None:
        """A kind of room that took a policy's place with another view has an author's key again."""
        if kind.view_key is _view_key:
            kind.view_key = next(
                base.__dict__["view_key"]
                for base in kind.__mro__
                if base.__dict__.get("view_key", _view_key) is not _view_key
            )

    def _check(self, name: str, root: Any, context: Any) -> None:
        """Whether the machine has the states, tags and fields that are named."""
        tags = {tag for node in _states(root) for tag in node.tags}
        for condition in self.states:
            for state in condition.states:
                if not _has_state(root, state.split(".")):
                    hint = _hint(root, state)
                    raise UsageError(
                        f"{name}: when({state!r}): the machine has no such state{hint}"
                    )
            if condition.tag is not None and condition.tag not in tags:
                raise UsageError(
                    f"{name}: when(tag={condition.tag!r}): the machine's tags are {sorted(tags)}"
                )
        for path in self.rules:
            row, head, rest = ".".join(path), path[0], path[1:]
            if head == "value" and not _has_state(root, rest):
                raise UsageError(f"{name}: {row!r}: the machine has no such state")
            if head == "tags" and rest and rest[0] not in ("*", *tags):
                raise UsageError(f"{name}: {row!r}: the machine's tags are {sorted(tags)}")
            known = context if head == "context" and isinstance(context, dict) else None
            if known and rest and rest[0] not in ("*", *known):
                raise UsageError(
                    f"{name}: {row!r}: the machine's context begins with {sorted(known)}"
                )


def _view_key(room: Any, snapshot: Seen, viewer: Viewer) -> Hashable:
    """The `view_key` of a room whose view is a policy."""
    key: Key = room.view.key(snapshot, viewer)
    return (viewer.id, key) if room.show_can else key


def _hint(root: Any, state: str) -> str:
    """The state that was meant, if one can be guessed: it lies deeper, or was misspelt."""
    names = [".".join(node.path) for node in _states(root)]
    deeper = [name for name in names if name.endswith(f".{state}")]
    meant = deeper or get_close_matches(state, names, 1)
    return f"; did you mean {meant[0]!r}?" if meant else ""


def _states(node: Any) -> Iterator[Any]:
    yield node
    for child in node.states.values():
        yield from _states(child)


def _has_state(node: Any, path: Any) -> bool:
    if not path:
        return True
    children = node.states.values() if path[0] == "*" else [node.states.get(path[0])]
    return any(child is not None and _has_state(child, path[1:]) for child in children)
