"""Timers: the delayed events of one actor system, as data.

A list, not a table: XState lets one id stand twice, and `cancel` takes the newest of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .statechart.snapshot import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .actor import Actor
    from .statechart.scope import Event


def unnamed(event: Event, now: float, timers: Iterable[Timer] = ()) -> str:
    """What a delayed event is called whose sender named no id: it takes no number that an actor
    might get. Where timers are told apart by their ids, it is called as none of `timers` is.
    """
    first = name = f"{event['type']}@{now:.0f}"
    taken = {timer.id for timer in timers}
    number = 1
    while name in taken:
        number += 1
        name = f"{first}#{number}"
    return name


@dataclass(frozen=True, slots=True)
class Timer:
    """One delayed event.

    Args:
        due: when it is to be delivered, absolute ms.
        target: address of the actor that gets it.
        source: address of the actor that sent it.
        event: what is delivered.
        id: what `cancel` calls it; `unnamed` when the sender named none.
        scheduled: when it was sent, absolute ms.
    """

    due: int
    target: str
    source: str
    event: Event
    id: str
    scheduled: int
    #: Session ids of source and target: an address may have become another actor's. Not persisted.
    parties: tuple[str, str] = field(default=("", ""), compare=False, repr=False)
    _json: dict[str, Any] | None = field(default=None, init=False, compare=False, repr=False)

    def sent_by(self, actor: Actor) -> bool:
        """Whether this actor sent it, and not one that had its address before."""
        session_id = self.parties[0]
        return self.source == actor.address and session_id in ("", actor.session_id)

    def meant_for(self, actor: Actor) -> bool:
        """Whether it is for this actor, and not for one that had its address before."""
        return self.parties[1] in ("", actor.session_id)

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

    def shared_json(self) -> dict[str, Any]:
        """The same, made once: not to be changed."""
        if self._json is None:
            object.__setattr__(self, "_json", self.to_json())
        assert self._json is not None
        return self._json

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
