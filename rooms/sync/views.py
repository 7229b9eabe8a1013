"""What a viewer may see of a snapshot: the ready-made views, and the helper to write one's own
(PURE).

A view is plain JSON and shares every unchanged part with the snapshot's context: the identity of
parts is what makes the next step (`rooms/sync/diff.py`) cheap. Nothing of one connection is ever
inside a view. Next: `rooms/sync/fanout.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.sync.messages import Json, View


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
