"""What actors find in the system they live in, whatever kind of system it is.

`live.py` does at once what they ask for, `recording.py` records it for a host, `pure.py` shows it
to whoever called. What is here is the same for all of them: who there is, and chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .chance import SeededRandom
from .errors import SystemIdError

if TYPE_CHECKING:
    from .actor import Actor
    from .statechart.scope import Event


class Surroundings:
    """`count` numbers session ids, `seed` is where the generator begins; both are part of the
    system's state. `args.system` is this; `get` and `get_all` are for everybody.
    """

    # Most systems never need most of these: as defaults of the class they cost nothing.
    #: Whether what a step raises is raised to who caused it, instead of failing the actor.
    strict = False
    #: Whether every actor is to be registered, or only those with a system id.
    registers = False
    count = 1  # the root is number 0
    seed: Any = 0
    _random: SeededRandom | None = None
    _by_system_id: dict[str, Actor] | None = None

    def get(self, system_id: str) -> Actor | None:
        """The actor with this system id."""
        return (self._by_system_id or {}).get(system_id)

    def get_all(self) -> dict[str, Actor]:
        """System id → actor."""
        return dict(self._by_system_id or {})

    def book_id(self) -> str:
        """The next session id."""
        self.count += 1
        return f"x:{self.count - 1}"

    def set(self, system_id: str, actor: Actor) -> None:
        """Give an actor its system id. Raises SystemIdError when another one has it."""
        if self._by_system_id is None:
            self._by_system_id = {}
        if self._by_system_id.setdefault(system_id, actor) is not actor:
            raise SystemIdError(system_id)

    def register(self, actor: Actor) -> None:
        """The actor starts."""
        if actor.system_id is not None:
            self.set(actor.system_id, actor)

    def unregister(self, actor: Actor) -> None:
        """The actor has ended, or is about to: its system id is free."""
        if actor.system_id is not None and self.get(actor.system_id) is actor:
            del self._by_system_id[actor.system_id]  # type: ignore[union-attr]

    def spared(self, child: Actor) -> None:
        """A rollback gave the child back, which was about to be stopped."""

    def resolve(self, ref: Any) -> Any:
        """The actor behind a ref."""
        return ref

    def random(self) -> SeededRandom:
        """The generator behind `args.random`."""
        if self._random is None:
            self._random = SeededRandom(self.seed)
        return self._random

    def started(self) -> None:
        """The root starts."""

    def undeliverable(self, actor: Actor, event: Event) -> None:
        """An event came too late."""

    def report(self, actor: Actor, error: Any) -> None:
        """An error nobody handles. It is part of the actor's snapshot, too."""

    def persisted(self, root: Actor, snapshot: dict[str, Any]) -> dict[str, Any]:
        """The root's persisted snapshot, with what belongs to the system."""
        return snapshot
