"""What a viewer may see of a snapshot: the ready-made views, and the helper to write one's own
(PURE).

A view is plain JSON and shares every unchanged part with the snapshot's context: the identity of
parts is what makes the next step (`rooms/sync/diff.py`) cheap. Nothing of one connection is ever
inside a view. Next: `rooms/sync/fanout.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.sync.messages import Json, View

_REMEMBERED: Final = 1024


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is behind a connection. `id` is public: other viewers may be shown it."""

    id: str
    role: str = "player"
    claims: Mapping[str, Any] = field(default_factory=dict)


class Seen(Protocol):
    """What a view needs of a snapshot (`runtime` snapshots have it)."""

    @property
    def value(self) -> Any: ...
    @property
    def context(self) -> Any: ...
    @property
    def status(self) -> str: ...
    @property
    def tags(self) -> frozenset[str]: ...
    @property
    def output(self) -> Any: ...
    @property
    def error(self) -> Any: ...
    @property
    def children(self) -> Mapping[str, Any]: ...
    def matches(self, value: Any, /) -> bool: ...
    def has_tag(self, tag: str, /) -> bool: ...
    def can(self, event: Any, /) -> bool: ...


def show(
    snapshot: Seen,
    *,
    context: Json = None,
    children: Mapping[str, View] | None = None,
    output: Json = None,
) -> View:
    """A view of one's own: the machine's value, status and tags, and of the rest what is given.

    ```python
    def view(self, snapshot, viewer):
        hand = snapshot.context["hands"].get(viewer.id)
        return show(snapshot, context={"table": snapshot.context["table"], "hand": hand})
    ```
    """
    view = _outline(snapshot)
    add_field(view, "context", context)
    add_field(view, "children", children)
    add_field(view, "output", output)
    if snapshot.error is not None:
        view["error"] = _FAILED
    return view


class SharedView:
    """A ready-made view. It shows every viewer the same, so that all of them share one view key."""

    def __init__(self, name: str, *, whole: bool) -> None:
        self._name = name
        self._whole = whole
        self._children: dict[int, tuple[Any, View]] = {}

    def __call__(self, snapshot: Seen, viewer: Viewer | None = None) -> View:
        """What everybody sees of the snapshot."""
        return self._show(snapshot)

    def __repr__(self) -> str:
        return self._name

    def _show(self, snapshot: Any) -> View:
        """A machine's snapshot, or that of any child: what it lacks is left out."""
        view = _outline(snapshot)
        context = getattr(snapshot, "context", None)
        if self._whole:
            add_field(view, "context", context)
            add_field(view, "output", snapshot.output)
        elif isinstance(context, dict):
            add_field(view, "context", context.get("public"))
        if snapshot.error is not None:
            view["error"] = described(snapshot.error) if self._whole else _FAILED
        children = getattr(snapshot, "children", None)
        if children:
            add_field(view, "children", self._show_children(children))
        return view

    def _show_children(self, children: Mapping[str, Any]) -> dict[str, View]:
        shown: dict[str, View] = {}
        for id, ref in children.items():
            view = self._show_child(ref.get_snapshot())
            if self._whole or "value" in view or "context" in view:
                shown[id] = view
        return shown

    def _show_child(self, snapshot: Any) -> View:
        """The view of a child, made once a snapshot: a step of one among a hundred costs one."""
        found = self._children.get(id(snapshot))
        if found is not None and not getattr(snapshot, "children", None):
            return found[1]
        view = self._show(snapshot)
        if len(self._children) >= _REMEMBERED:
            self._children.clear()
        self._children[id(snapshot)] = (snapshot, view)  # the snapshot too, so that its id is its
        return view


everything = SharedView("everything", whole=True)
"""All of the machine: its whole context, its output, what an error says, its children likewise."""

public = SharedView("public", whole=False)
"""The machine's value, status and tags, and as `context` what lies under `context["public"]`; the
same of its children. That something failed, but not what."""

_FAILED: Final[Json] = {"message": "the room failed"}


def _outline(snapshot: Any) -> View:
    view: View = {"status": snapshot.status}
    add_field(view, "value", getattr(snapshot, "value", None))
    tags = getattr(snapshot, "tags", None)
    if tags:
        view["tags"] = sorted_tags(tags)
    return view


def add_field(view: View, name: str, value: Json) -> None:
    """Empty fields are left out."""
    if value is not None and not is_empty(value):
        view[name] = value


def is_empty(value: Json) -> bool:
    """Whether there is nothing in it."""
    return hasattr(value, "__len__") and not value and value != ""


@lru_cache(maxsize=_REMEMBERED)
def sorted_tags(tags: frozenset[str]) -> list[str]:
    """One list for equal tags, so that its identity says that they are unchanged."""
    return sorted(tags)


def described(error: Any) -> Json:
    """An error by name and message; never its stack, nor what else it carries."""
    name, message = getattr(error, "name", None), getattr(error, "message", None)
    if not (isinstance(name, str) and isinstance(message, str)):  # one that wasn't stored
        name, message = type(error).__name__, str(error)
    return {"name": name, "message": message}
