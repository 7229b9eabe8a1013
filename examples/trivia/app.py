"""The trivia game as an app: `rooms dev examples/trivia`.

One kind of room, whose machine is the game (`machine.py`), and the pages in `web/`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rooms import App, Room

from .machine import machine
from .permissions import refusal
from .view import SPECTATOR, public, seat_of, view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooms.definition import Door
    from rooms.sync.views import Seen, Viewer


class Trivia(Room):
    """A table of up to 16 players, and anybody who watches with `?watch`."""

    machine = machine

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(kind, id)
        self._public: tuple[Seen | None, dict[str, Any]] = (None, {})

    @classmethod
    async def authenticate(cls, door: Door) -> Viewer | None:
        """Everybody may come in; `?watch` makes a spectator."""
        return replace(door.viewer, role=SPECTATOR) if "watch" in door.params else door.viewer

    def allow_send(self, viewer: Viewer, event: Mapping[str, Any], snapshot: Seen) -> bool | str:
        """See `permissions.py`."""
        return refusal(viewer, event, snapshot) or True

    def view(self, snapshot: Seen, viewer: Viewer) -> dict[str, Any]:
        """See `view.py`. What all players share is worked out once a snapshot."""
        if self._public[0] is not snapshot:
            self._public = (snapshot, public(snapshot))
        return view(snapshot, seat_of(snapshot.context, viewer), self._public[1])

    def view_key(self, snapshot: Seen, viewer: Viewer) -> str | None:
        """A view for each player; one for all who watch."""
        return seat_of(snapshot.context, viewer)


app = App(trivia=Trivia, pages="web")
