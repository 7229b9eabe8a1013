"""Which rooms have filled a router's link, while that router is behind (SPEC, FAIR4).

In: what each room sends over a link that has much under way. Out: whether a room shall send no more
for now. A link that keeps up is never looked at twice. It decides and does nothing.
Next: `rooms/pace.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rooms.link.memory import End
    from rooms.store.port import SessionId

BEHIND: Final = 1024 * 1024
"""A router that hasn't taken so many bytes is behind."""
SHARE: Final = 256 * 1024
"""How many bytes of one room may be added meanwhile."""


class Crowding:
    """The links of one host that are behind."""

    def __init__(self) -> None:
        self._added: dict[End, dict[SessionId, int]] = {}

    def sent(self, end: End, at: SessionId, size: int) -> None:
        """A room has sent so many bytes."""
        if end.under_way > BEHIND:
            added = self._added.setdefault(end, {})
            added[at] = added.get(at, 0) + size
        elif self._added:
            self._added.pop(end, None)

    def full(self, at: SessionId) -> bool:
        """Whether a router that is behind has more than a share of this room's bytes before it."""
        if not self._added:
            return False
        for end in [end for end in self._added if end.under_way <= BEHIND]:
            del self._added[end]
        return any(added.get(at, 0) > SHARE for added in self._added.values())

    def forget(self, end: End) -> None:
        """The link has ended."""
        self._added.pop(end, None)
