"""The view that this façade holds, at its cursor (PURE).

In: `room.view` and `room.patch`. Out: a view that is never changed in place: each new one shares
with the former all that stayed the same, so that `is` tells what to look at again. Who asks for
what is missing: `client/room.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rooms.errors import PatchError
from rooms.sync.diff import apply

if TYPE_CHECKING:
    from rooms.sync.messages import Json, View


class Replica:
    """One view, as far as the server told it."""

    __slots__ = ("cursor", "view")

    def __init__(self) -> None:
        self.view: View | None = None
        self.cursor: str | None = None

    def replace(self, cursor: str, view: View) -> None:
        """Take a whole view. Raises PatchError when it isn't one."""
        if type(view) is not dict:
            raise PatchError(view, "a view is an object")
        self.view = share(self.view, view)
        self.cursor = cursor

    def confirm(self, cursor: str) -> None:
        """What is held is the newest, and is called so. Raises PatchError when nothing is held."""
        if self.view is None:
            raise PatchError(cursor, "holds nothing")
        self.cursor = cursor

    def patch(self, base: str, cursor: str, ops: Any) -> None:
        """Take what changed since `base`.

        Raises PatchError: `base` isn't held, or an operation doesn't fit; what is held stays as it
        was.
        """
        if self.view is None or self.cursor != base:
            raise PatchError(base, f"holds {self.cursor}")
        self.replace(cursor, apply(self.view, ops))


def share(old: Json, new: Json) -> Json:
    """`new`, made of the parts of `old` wherever the two are equal; `old` itself when all is."""
    if old is new:
        return old
    kind = type(new)
    if type(old) is not kind:
        return new
    if kind is dict:
        mixed = {key: share(old[key], value) if key in old else value for key, value in new.items()}
        same = len(old) == len(new) and all(key in old and mixed[key] is old[key] for key in mixed)
        return old if same else mixed
    if kind is list:
        items = [*map(share, old, new), *new[len(old) :]]
        same = len(old) == len(new) and all(
            item is was for item, was in zip(items, old, strict=True)
        )
        return old if same else items
    return old if old == new else new
