"""Timers: the delayed events of one actor system, as data; and the addresses by which they find
their actors.

A list, not a table: XState lets one id stand twice, and `cancel` takes the newest of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .statechart.snapshot import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .statechart.scope import Event


@dataclass(frozen=True, slots=True)
class Timer:
    """One delayed event.

    Args:
        due: when it is to be delivered, absolute ms.
        target: address of the actor that gets it.
        source: address of the actor that sent it.
        event: what is delivered.
        id: what `cancel` calls it; made up when the sender named none.
        scheduled: when it was sent, absolute ms.
    """

    due: int
    target: str
    source: str
    event: Event
    id: str
    scheduled: int

    def to_json(self) -> dict[str, Any]:
        """As plain data that aliases nothing."""
        return {
            "due": self.due,
            "target": self.target,
            "source": self.source,
            "event": plain(self.event),
            "id": self.id,
            "scheduled": self.scheduled,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], shift: int = 0) -> Timer:
        """A persisted timer, moved `shift` ms into the future."""
        return cls(
            data["due"] + shift,
            data["target"],
            data["source"],
            plain(data["event"]),
            data["id"],
            data["scheduled"] + shift,
        )


def address_under(parent: str, id: str) -> str:
    """The address of the child `id` of the actor at `parent`; "/" and "~" in ids are escaped as in
    RFC 6901.
    """
    if "/" in id or "~" in id:
        id = id.replace("~", "~0").replace("/", "~1")
    return f"{parent}/{id}" if parent else id


def ids_of(address: str) -> list[str]:
    """The ids on the way from the root to an address."""
    if not address:
        return []
    return [part.replace("~1", "/").replace("~0", "~") for part in address.split("/")]
