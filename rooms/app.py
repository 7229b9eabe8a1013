"""The application: its kinds of rooms by name, and its pages. What `rooms dev APP` looks for."""

from __future__ import annotations

import inspect
from copy import copy
from pathlib import Path

from rooms.definition import Room
from rooms.errors import UsageError
from rooms.hooks import HOOKS, hooks_of
from rooms.sync.messages import KIND_PATTERN
from runtime import StateMachine


class App:
    """`App(counter=Counter, pages="web/")`: rooms at `/rooms/counter/…`, the folder's files below
    `/`.

    `pages` is relative to the file that makes the App. A path without a file of its own gets the
    nearest `index.html` above it, so that `/play/abc` can be a page.

    Raises:
        UsageError: a kind's name or class that can't be one, or whose machine isn't complete.
    """

    def __init__(self, *, pages: str | Path | None = None, **kinds: type[Room]) -> None:
        for name, kind in kinds.items():
            if not KIND_PATTERN.fullmatch(name):
                raise UsageError(f"{name!r} can't name a kind of room: {KIND_PATTERN.pattern}")
            if not (inspect.isclass(kind) and issubclass(kind, Room)):
                raise UsageError(f"App({name}=…) takes a subclass of Room, not {kind!r}")
            if kind.machine is None and not hooks_of(kind):
                raise UsageError(
                    f"{kind.__name__} has no `machine`, and none of {', '.join(HOOKS)}"
                )
            if missing := getattr(kind.machine, "missing", ()):
                raise UsageError(
                    f"{kind.__name__}.machine lacks what machine.provide(…) gives: "
                    f"{'; '.join(map(str, missing))}"
                )
            if kind.machine is None and (kind.history or kind.history_age):
                raise UsageError(f"{kind.__name__}: only of a machine a `history` is kept")
        if not kinds:
            raise UsageError("an App has at least one kind of room: App(counter=Counter)")
        self.kinds: dict[str, type[Room]] = dict(kinds)
        self.pages: Path | None = None
        if pages is not None:
            caller = inspect.stack()[1].filename
            self.pages = (Path(caller).parent / pages).resolve()
            if not self.pages.is_dir():
                raise UsageError(f"the pages' folder {self.pages} doesn't exist")

    def checked(self) -> App:
        """The same App for development and tests: a machine's function that changes its context in
        place fails with a MutationError that names it. Without, such a change is lost.
        """
        checked = copy(self)
        checked.kinds = {name: _checked(kind) for name, kind in self.kinds.items()}
        return checked


def _checked(kind: type[Room]) -> type[Room]:
    if not isinstance(kind.machine, StateMachine):
        return kind
    return type(kind.__name__, (kind,), {"machine": kind.machine.checked()})
